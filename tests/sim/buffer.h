// tests/sim/buffer.h: a run of bytes that grows at its end and is used up from its front.
//
// std::string would zero what Reserve() hands out, and move what is left at each use.
//
// Thread: confined to one thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"

namespace starling::sim {

class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    data_ = std::move(other.data_);
    begin_ = std::exchange(other.begin_, 0);
    end_ = std::exchange(other.end_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
    return *this;
  }

  base::Bytes bytes() const { return {data_.get() + begin_, size()}; }
  std::size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }

  // Room behind the bytes, valid until the next call; Commit makes the first `used` of it bytes.
  std::span<char> Reserve(std::size_t room) {
    if (capacity_ - end_ < room) Grow(room);
    return {data_.get() + end_, room};
  }
  void Commit(std::size_t used) {
    CHECK(used <= capacity_ - end_);
    end_ += used;
  }
  void Append(base::Bytes more) {
    if (more.empty()) return;
    std::memcpy(Reserve(more.size()).data(), more.data(), more.size());
    end_ += more.size();
  }
  void Consume(std::size_t used) {
    CHECK(used <= size());
    begin_ += used;
    if (empty()) Clear();
  }
  void Clear() { begin_ = end_ = 0; }

 private:
  void Grow(std::size_t room) {
    const std::size_t capacity = std::max<std::size_t>({256, size() + room, 2 * size()});
    auto data = std::make_unique_for_overwrite<char[]>(capacity);
    if (!empty()) std::memcpy(data.get(), data_.get() + begin_, size());
    end_ = size();
    begin_ = 0;
    capacity_ = capacity;
    data_ = std::move(data);
  }

  std::unique_ptr<char[]> data_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace starling::sim
