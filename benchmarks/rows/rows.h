// benchmarks/rows/rows.h: the rows that benchmarks write straight into an engine, as a node would
// have them.
//
// Row n is "key" and nine digits; its first version is older than anything a node of today stamps.
// The first half of its value is noise, so that compression has about half to do.
//
// Thread: free functions and values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/place.h"
#include "merkle/digest.h"
#include "storage/entry.h"

namespace starling::benchmarks {

struct Row {
  base::Token token = 0;
  std::uint32_t number = 0;
};

struct RowKind {
  base::KeyspaceId keyspace = 1;
  std::uint64_t seed = 0;  // The cluster's: of tokens and digests.
  std::size_t value_bytes = 100;
};

std::string KeyOf(std::uint32_t number);
Row RowOf(std::uint32_t number, std::uint64_t seed);
// In the order in which an engine keeps them: what is written so is not rewritten by compactions.
std::vector<Row> SortedRows(std::uint32_t count, std::uint64_t seed);

// A row as of its nth writing, from 1 on.
class WrittenRow {
 public:
  explicit WrittenRow(const RowKind& kind) : kind_(kind), value_(kind.value_bytes, 'v') {}

  void Make(const Row& row, std::uint64_t generation);

  const std::string& stored_key() const { return stored_key_; }
  std::uint16_t bucket() const { return base::BucketOf(token_); }
  const storage::EntryHeader& header() const { return header_; }
  const std::string& value() const { return value_; }
  merkle::Digest DigestAs(const storage::EntryHeader& header) const;
  base::Hash128Value KeyHash() const { return merkle::KeyHashOf(key_, kind_.seed); }
  merkle::Digest DigestAs(const storage::EntryHeader& header,
                          const base::Hash128Value& key_hash) const;

 private:
  const RowKind kind_;
  std::string value_;
  std::string key_;
  base::Token token_ = 0;
  std::string stored_key_;
  storage::EntryHeader header_;
};

}  // namespace starling::benchmarks
