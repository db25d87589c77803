#include "storage/batch.h"

#include <limits>

#include "base/check.h"

namespace starling::storage {
namespace {

constexpr std::size_t kOpHeaderBytes = 9;
constexpr std::size_t kValueSizeAt = 5;
constexpr std::uint8_t kDeleteBit = 1;

std::uint32_t Size32(std::size_t size) {
  CHECK(size <= std::numeric_limits<std::uint32_t>::max());
  return static_cast<std::uint32_t>(size);
}

void AppendOp(std::string& ops, Family family, std::uint8_t delete_bit, base::Bytes key,
              std::uint32_t value_size) {
  char header[kOpHeaderBytes];
  header[0] = static_cast<char>(static_cast<std::uint8_t>(family) << 1 | delete_bit);
  base::StoreLittle(header + 1, Size32(key.size()));
  base::StoreLittle(header + kValueSizeAt, value_size);
  ops.append(header, sizeof header);
  ops.append(key);
}

}  // namespace

void Batch::Put(Family family, base::Bytes key, base::Bytes value) {
  CHECK(open_put_ == kNoOpenPut);
  AppendOp(ops_, family, 0, key, Size32(value.size()));
  ops_.append(value);
  ++count_;
}

void Batch::Delete(Family family, base::Bytes key) {
  CHECK(open_put_ == kNoOpenPut);
  AppendOp(ops_, family, kDeleteBit, key, 0);
  ++count_;
}

std::string& Batch::BeginPut(Family family, base::Bytes key) {
  CHECK(open_put_ == kNoOpenPut);
  open_put_ = ops_.size();
  AppendOp(ops_, family, 0, key, 0);
  return ops_;
}

void Batch::EndPut() {
  CHECK(open_put_ != kNoOpenPut);
  const auto key_size = base::LoadLittle<std::uint32_t>(ops_.data() + open_put_ + 1);
  const std::size_t value_at = open_put_ + kOpHeaderBytes + key_size;
  CHECK(value_at <= ops_.size());
  base::StoreLittle(ops_.data() + open_put_ + kValueSizeAt, Size32(ops_.size() - value_at));
  open_put_ = kNoOpenPut;
  ++count_;
}

}  // namespace starling::storage
