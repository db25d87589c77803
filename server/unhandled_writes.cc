#include "server/unhandled_writes.h"

#include "base/check.h"

namespace starling::server {
namespace {

// number u64 | timestamp u64 | node u32 | nonce u32 | keyspace u32 | key size u32 | key
constexpr std::size_t kRecordHeadBytes = 32;
constexpr std::size_t kShiftBytes = 64 << 10;  // What has gone is given back in such portions.

std::uint32_t KeySizeAt(const char* record) { return base::LoadLittle<std::uint32_t>(record + 28); }

}  // namespace

void UnhandledWrites::Add(const Write& write) {
  base::AppendLittle(buffer_, write.number);
  base::AppendLittle(buffer_, write.version.timestamp);
  base::AppendLittle(buffer_, write.version.node);
  base::AppendLittle(buffer_, write.version.nonce);
  base::AppendLittle(buffer_, write.keyspace);
  base::AppendLittle(buffer_, static_cast<std::uint32_t>(write.key.size()));
  buffer_.append(write.key);
}

UnhandledWrites::Write UnhandledWrites::Front() const {
  CHECK(!empty());
  const char* record = buffer_.data() + at_;
  return {.number = base::LoadLittle<std::uint64_t>(record),
          .keyspace = base::LoadLittle<std::uint32_t>(record + 24),
          .version = {base::LoadLittle<std::uint64_t>(record + 8),
                      base::LoadLittle<std::uint32_t>(record + 16),
                      base::LoadLittle<std::uint32_t>(record + 20)},
          .key = {record + kRecordHeadBytes, KeySizeAt(record)}};
}

void UnhandledWrites::PopFront() {
  CHECK(!empty());
  at_ += kRecordHeadBytes + KeySizeAt(buffer_.data() + at_);
  if (empty()) {
    buffer_.clear();
    at_ = 0;
  } else if (at_ >= kShiftBytes && at_ >= buffer_.size() / 2) {
    buffer_.erase(0, at_);
    at_ = 0;
  }
}

void UnhandledWrites::DropBelow(std::uint64_t number) {
  while (!empty() && base::LoadLittle<std::uint64_t>(buffer_.data() + at_) < number) PopFront();
}

}  // namespace starling::server
