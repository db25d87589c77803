// gossip/line.h: a queue that keeps some room, so that it costs no allocation at rest.
//
// A std::deque gives its blocks back and takes new ones as things pass through it. But what a crowd
// took is given back once it has left: a node has some twenty of these, and thousands that join at
// once pass through all, one after the other.
//
// Thread: a value.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <vector>

namespace starling::gossip {

template <typename T>
class Line {
 public:
  bool empty() const { return size() == 0; }
  std::size_t size() const { return items_.size() - first_; }
  auto begin() const { return std::next(items_.begin(), static_cast<std::ptrdiff_t>(first_)); }
  auto end() const { return items_.end(); }
  const T& front() const { return items_[first_]; }  // REQUIRES: not empty(), as below.

  void PushBack(const T& item) { items_.push_back(item); }
  void BackToFront() {
    const T item = items_.back();
    items_.pop_back();
    if (first_ > 0)
      items_[--first_] = item;
    else
      items_.insert(items_.begin(), item);
  }
  void PopFront() {
    ++first_;
    if (2 * first_ < items_.size()) return;  // Each item is moved once for one that left, at most.
    items_.erase(items_.begin(), std::next(items_.begin(), static_cast<std::ptrdiff_t>(first_)));
    first_ = 0;
    GiveBack();
  }
  void Clear() {
    items_.clear();
    first_ = 0;
    GiveBack();
  }
  template <typename Gone>
  void EraseIf(Gone gone) {
    items_.erase(items_.begin(), std::next(items_.begin(), static_cast<std::ptrdiff_t>(first_)));
    first_ = 0;
    std::erase_if(items_, gone);
    GiveBack();
  }

  static constexpr std::size_t kKeptMax = 256;
  std::size_t room() const { return items_.capacity(); }

 private:
  // Each item that is moved for it is one of four that left, at most.
  void GiveBack() {
    if (items_.capacity() > kKeptMax && 4 * items_.size() <= items_.capacity())
      items_.shrink_to_fit();
  }

  std::vector<T> items_;
  std::size_t first_ = 0;  // Those before it have left.
};

}  // namespace starling::gossip
