// base/uv/out_queue.h: what a connection is to send: bytes encoded in place, and payloads by
// reference, in the order of the calls.
//
// Thread:    confined to one thread.
// Ownership: copies what is committed; keeps each payload's owner until it was consumed.
#pragma once

#include <uv.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/uv/byte_buffer.h"

namespace starling::base::uv {

class OutQueue {
 public:
  std::span<char> Reserve(std::size_t size) { return copied_.Reserve(size); }
  void Commit(std::size_t used);
  void Append(std::shared_ptr<const void> owner, Bytes bytes);

  // Describes the front of the queue, as much as `buffers` can hold; returns how many were set.
  // Valid until the next call that changes the queue.
  std::size_t Describe(std::span<uv_buf_t> buffers) const;
  // The first `size` bytes have left.
  void Consume(std::size_t size);
  // Drops everything, and memory beyond `kept_max`.
  void Clear(std::size_t kept_max);

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  // A payload stands before the copied byte number `at`, counted from the last Clear.
  struct Payload {
    std::uint64_t at;
    std::shared_ptr<const void> owner;
    Bytes bytes;
  };
  std::uint64_t copied_end() const { return copied_consumed_ + copied_.size(); }

  ByteBuffer copied_;
  std::uint64_t copied_consumed_ = 0;
  std::vector<Payload> payloads_;
  std::size_t first_payload_ = 0;  // Those before have left.
  std::size_t size_ = 0;
};

}  // namespace starling::base::uv
