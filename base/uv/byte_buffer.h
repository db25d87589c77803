// base/uv/byte_buffer.h: contiguous bytes that come in at the end and leave at the front.
//
// Not a std::string: room is given without being zeroed, and taking from the front moves nothing.
//
// Thread: confined to one thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>

#include "base/bytes.h"
#include "base/check.h"

namespace starling::base::uv {

class ByteBuffer {
 public:
  // Room for `size` bytes after the last one; Commit says how many were used. Moves the bytes.
  std::span<char> Reserve(std::size_t size) {
    if (capacity_ - end_ < size) MakeRoom(size);
    return {bytes_.get() + end_, size};
  }
  void Commit(std::size_t used) {
    CHECK(used <= capacity_ - end_);
    end_ += used;
  }
  // `bytes` lie elsewhere.
  void Assign(Bytes bytes) {
    Clear();
    if (bytes.empty()) return;
    std::memcpy(Reserve(bytes.size()).data(), bytes.data(), bytes.size());
    Commit(bytes.size());
  }
  void Consume(std::size_t size) {
    CHECK(size <= end_ - begin_);
    begin_ += size;
    if (begin_ == end_) Clear();
  }
  void Clear() { begin_ = end_ = 0; }

  // An empty buffer of more than `kept_max` bytes gives its memory back.
  void Trim(std::size_t kept_max) {
    if (!empty() || capacity_ <= kept_max) return;
    bytes_.reset();
    capacity_ = 0;
  }

  Bytes view() const { return {bytes_.get() + begin_, size()}; }
  std::size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }

 private:
  static constexpr std::size_t kFirstCapacity = 4096;

  void MakeRoom(std::size_t size) {
    const std::size_t kept = end_ - begin_;
    // Moved to the front when that makes room for long; else twice as much, so that each byte is
    // moved a bounded number of times.
    if (kept + size <= capacity_ && kept <= capacity_ / 2) {
      std::memmove(bytes_.get(), bytes_.get() + begin_, kept);
    } else {
      const std::size_t capacity = std::max({kFirstCapacity, kept + size, 2 * capacity_});
      auto bytes = std::make_unique_for_overwrite<char[]>(capacity);
      if (kept > 0) std::memcpy(bytes.get(), bytes_.get() + begin_, kept);
      bytes_ = std::move(bytes);
      capacity_ = capacity;
    }
    begin_ = 0;
    end_ = kept;
  }

  std::unique_ptr<char[]> bytes_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace starling::base::uv
