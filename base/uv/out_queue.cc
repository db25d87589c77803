#include "base/uv/out_queue.h"

#include <algorithm>

#include "base/check.h"

namespace starling::base::uv {
namespace {

uv_buf_t BufferOf(Bytes bytes) {
  // libuv's buffers are mutable because it also reads into them; these are only written from.
  return uv_buf_init(const_cast<char*>(bytes.data()), static_cast<unsigned>(bytes.size()));
}

}  // namespace

void OutQueue::Commit(std::size_t used) {
  copied_.Commit(used);
  size_ += used;
}

void OutQueue::Append(std::shared_ptr<const void> owner, Bytes bytes) {
  if (bytes.empty()) return;
  payloads_.push_back({copied_end(), std::move(owner), bytes});
  size_ += bytes.size();
}

std::size_t OutQueue::Describe(std::span<uv_buf_t> buffers) const {
  const Bytes copied = copied_.view();
  std::size_t used = 0;
  std::uint64_t position = copied_consumed_;
  std::size_t payload = first_payload_;
  while (used < buffers.size()) {
    const bool more = payload < payloads_.size();
    const std::uint64_t until = more ? payloads_[payload].at : copied_end();
    if (until > position) {
      buffers[used++] = BufferOf(copied.substr(position - copied_consumed_, until - position));
      position = until;
    } else if (more) {
      buffers[used++] = BufferOf(payloads_[payload++].bytes);
    } else {
      break;
    }
  }
  return used;
}

void OutQueue::Consume(std::size_t size) {
  CHECK(size <= size_);
  size_ -= size;
  while (size > 0) {
    const bool more = first_payload_ < payloads_.size();
    const std::uint64_t until = more ? payloads_[first_payload_].at : copied_end();
    const auto copied = std::min<std::uint64_t>(size, until - copied_consumed_);
    copied_.Consume(copied);
    copied_consumed_ += copied;
    size -= copied;
    if (size == 0 || !more) continue;
    Payload& payload = payloads_[first_payload_];
    const std::size_t taken = std::min(size, payload.bytes.size());
    payload.bytes.remove_prefix(taken);
    size -= taken;
    if (!payload.bytes.empty()) continue;
    payload.owner.reset();
    ++first_payload_;
  }
  if (first_payload_ < payloads_.size()) return;
  payloads_.clear();
  first_payload_ = 0;
}

void OutQueue::Clear(std::size_t kept_max) {
  copied_.Clear();
  copied_.Trim(kept_max);
  copied_consumed_ = 0;
  payloads_.clear();
  first_payload_ = 0;
  size_ = 0;
}

}  // namespace starling::base::uv
