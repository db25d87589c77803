// merkle/records.h: what is stored of trees: pages, a journal of what changed since, and leaves.
//
// A record's kind is the size of its key; all keys are big-endian.
//
//   page     keyspace u32, slice u8            256 leaves, each a Digest, by leaf
//   journal  stream u16, slot u16              below
//   leaf     keyspace u32, slice u8, leaf u8   a Digest; of builds before the journal, read only
//
// A journal's record is of one turn of one worker, which is its stream: the leaves that it changed,
// as they then were. Its slots are written over and over; numbers say which is the later.
//
//   number u64 | oldest u64 | { keyspace u32 | leaves u32 | { bucket u16 | Digest } * leaves } *
//
// All numbers from `oldest` of the highest one on are needed, and what has a lower one is not: each
// page that it changed was put since. merkle/journal.h writes them, merkle/stored_trees.h reads.
//
// Thread: values and free functions.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/place.h"
#include "base/status.h"
#include "merkle/tree.h"

namespace starling::merkle {

inline constexpr std::size_t kJournalKeyBytes = 4;
inline constexpr std::size_t kPageKeyBytes = 5;
inline constexpr std::size_t kPageBytes = base::kLeavesPerSlice * Digest::kSize;

struct PagePlace {
  base::KeyspaceId keyspace = 0;
  std::uint8_t slice = 0;

  auto operator<=>(const PagePlace&) const = default;
};
std::string PageKey(const PagePlace& place);
base::Result<PagePlace> ParsePageKey(base::Bytes key);  // Corruption when malformed.
void EncodePageTo(const Tree& tree, std::uint8_t slice, std::string& out);  // Appends.
// Sets all leaves of the slice. Corruption, and nothing is set, when malformed.
base::Status LoadPage(base::Bytes value, std::uint8_t slice, Tree& tree);

struct JournalSlot {
  std::uint16_t stream = 0;
  std::uint16_t slot = 0;
};
std::string JournalKey(const JournalSlot& slot);
base::Result<JournalSlot> ParseJournalKey(base::Bytes key);  // Corruption when malformed.

// The parts of a journal's record.
struct JournalHeader {
  static constexpr std::size_t kSize = 16;
  std::uint64_t number = 0;  // From 1 on.
  std::uint64_t oldest = 0;  // That is still needed.

  void StoreTo(char* at) const;
  static base::Result<JournalHeader> Decode(base::Bytes record);  // Corruption when malformed.
};
// Appends what changed in one keyspace: `dirty` leaves of the tree as they are.
void AppendChanged(const Tree& tree, std::string& record);

// Calls visit(keyspace, bucket, leaf) for each leaf in the record, in order. Corruption when it is
// malformed; what was visited by then counts for nothing.
template <typename Visit>
base::Status ForEachChanged(base::Bytes record, Visit&& visit);

namespace internal {
inline constexpr std::size_t kRunHeaderBytes = sizeof(base::KeyspaceId) + sizeof(std::uint32_t);
inline constexpr std::size_t kChangedBytes = sizeof(std::uint16_t) + Digest::kSize;
base::Status JournalIsCutOff();
}  // namespace internal

template <typename Visit>
base::Status ForEachChanged(base::Bytes record, Visit&& visit) {
  if (record.size() < JournalHeader::kSize) return internal::JournalIsCutOff();
  record.remove_prefix(JournalHeader::kSize);
  while (!record.empty()) {
    if (record.size() < internal::kRunHeaderBytes) return internal::JournalIsCutOff();
    const auto keyspace = base::LoadLittle<base::KeyspaceId>(record.data());
    const auto leaves = base::LoadLittle<std::uint32_t>(record.data() + sizeof keyspace);
    record.remove_prefix(internal::kRunHeaderBytes);
    if (record.size() / internal::kChangedBytes < leaves) return internal::JournalIsCutOff();
    for (std::uint32_t i = 0; i < leaves; ++i) {
      visit(keyspace, base::LoadLittle<std::uint16_t>(record.data()),
            Digest::LoadFrom(record.data() + sizeof(std::uint16_t)));
      record.remove_prefix(internal::kChangedBytes);
    }
  }
  return base::Ok();
}

}  // namespace starling::merkle
