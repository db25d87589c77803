#include "server/tree_making.h"

#include "base/check.h"
#include "base/mutants.h"

namespace starling::server {

bool TreeMaking::Counts(std::uint16_t bucket, base::Bytes stored_key,
                        const storage::EntryHeader& now) {
  if (Made(bucket)) return true;
  const std::uint8_t slice = base::SliceOf(bucket);
  const auto begun = upto_.find(slice);
  if (begun == upto_.end()) return false;
  if (stored_key < base::Bytes(begun->second)) return true;
  if (reading_ && slice == slice_) noted_.insert_or_assign(std::string(stored_key), now);
  return false;
}

TreeMaking::Step TreeMaking::Begin() {
  CHECK(left() > 0);
  CHECK(!reading_);
  if (!slice_) {
    if ((unmade_ & ~aside_).none()) aside_.reset();
    std::uint32_t slice = 0;
    while (!unmade_.test(slice) || aside_.test(slice)) ++slice;
    slice_ = static_cast<std::uint8_t>(slice);
  }
  reading_ = true;
  return {*slice_, upto_[*slice_]};
}

void TreeMaking::Note(base::Bytes stored_key, const storage::EntryHeader& now) {
  CHECK(reading_);
  if (base::Mutant("repair-anew-sees-commits-only")) return;
  if (stored_key.size() < storage::kKeyPrefixBytes) return;  // No key: the walk has removed it.
  const auto bucket = base::LoadBig<std::uint16_t>(stored_key.data() + sizeof(base::KeyspaceId));
  if (slice_ == base::SliceOf(bucket) && stored_key >= base::Bytes(upto_.at(*slice_)))
    noted_.insert_or_assign(std::string(stored_key), now);
}

bool TreeMaking::Pass(base::Bytes upto) {
  CHECK(reading_);
  std::string& passed = upto_.at(*slice_);
  CHECK(upto.empty() || upto >= base::Bytes(passed));
  reading_ = false;
  noted_.clear();
  passed = upto;
  if (!upto.empty()) return false;
  unmade_.reset(*slice_);
  upto_.erase(*slice_);
  slice_.reset();
  return true;
}

bool TreeMaking::GiveUp() {
  CHECK(reading_);
  reading_ = false;
  noted_.clear();
  if (base::Mutant("repair-anew-stays-at-damage")) return false;
  aside_.set(*slice_);
  slice_.reset();
  return (unmade_ & ~aside_).any();
}

std::string TreeMaking::RecordKey(std::uint8_t slice) {
  std::string key(kPrefix);
  key.push_back(static_cast<char>(slice));
  return key;
}

std::string TreeMaking::RecordOf(DamagedEntries damaged) { return {static_cast<char>(damaged)}; }

base::Status TreeMaking::Load(base::Bytes key, base::Bytes record) {
  ASSIGN_OR_RETURN(const std::uint8_t slice, ParseKey(key));
  if (record != RecordOf(DamagedEntries::kKeep) && record != RecordOf(DamagedEntries::kDrop))
    return base::Corruption("a record of a tree that is to be made says something else");
  Load(slice,
       record == RecordOf(DamagedEntries::kDrop) ? DamagedEntries::kDrop : DamagedEntries::kKeep);
  return base::Ok();
}

base::Result<std::uint8_t> TreeMaking::ParseKey(base::Bytes key) {
  if (key.size() != kPrefix.size() + 1 || !key.starts_with(kPrefix))
    return base::Fail(base::Corruption("a record of a tree that is to be made has another key"));
  return static_cast<std::uint8_t>(key.back());
}

}  // namespace starling::server
