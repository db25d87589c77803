// storage/batch.h: changes that become true together, as one run of bytes.
//
// A worker fills one batch a turn; the committer hands the batches of all workers to the engine as
// one atomic write. Later changes of a key win over earlier ones.
//
// Thread:    confined to its holder. Clear() keeps the memory, so that a reused batch allocates
//            nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/bytes.h"

namespace starling::storage {

// Column families. The numbers are not on disk; the names are.
enum class Family : std::uint8_t { kData = 0, kMeta = 1, kTree = 2, kHints = 3, kQuarantine = 4 };
inline constexpr std::size_t kFamilies = 5;

class Batch {
 public:
  void Put(Family family, base::Bytes key, base::Bytes value);
  void Delete(Family family, base::Bytes key);
  void Clear() {
    ops_.clear();
    count_ = 0;
    open_put_ = kNoOpenPut;
  }

  // Begins a Put whose value the caller appends to the returned string, which is this batch's
  // own; EndPut() closes it. Saves a copy of large values. Nothing else may be called in between.
  std::string& BeginPut(Family family, base::Bytes key);
  void EndPut();

  bool empty() const { return count_ == 0; }
  std::size_t count() const { return count_; }
  std::size_t bytes() const { return ops_.size(); }

  // Calls visitor.Put(family, key, value) and visitor.Delete(family, key) in order.
  template <typename Visitor>
  void ForEach(Visitor&& visitor) const;

 private:
  static constexpr std::size_t kNoOpenPut = ~std::size_t{0};

  // kind u8 (family << 1 | is_delete) | key length u32 | value length u32 | key | value
  std::string ops_;
  std::size_t count_ = 0;
  std::size_t open_put_ = kNoOpenPut;  // Where the put between BeginPut and EndPut starts.
};

template <typename Visitor>
void Batch::ForEach(Visitor&& visitor) const {
  for (std::size_t at = 0; at < ops_.size();) {
    const auto kind = static_cast<std::uint8_t>(ops_[at]);
    const auto key_size = base::LoadLittle<std::uint32_t>(ops_.data() + at + 1);
    const auto value_size = base::LoadLittle<std::uint32_t>(ops_.data() + at + 5);
    const base::Bytes key(ops_.data() + at + 9, key_size);
    const base::Bytes value(ops_.data() + at + 9 + key_size, value_size);
    const auto family = static_cast<Family>(kind >> 1);
    if ((kind & 1) != 0)
      visitor.Delete(family, key);
    else
      visitor.Put(family, key, value);
    at += 9 + key_size + value_size;
  }
}

}  // namespace starling::storage
