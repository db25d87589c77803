#include "benchmarks/rows/rows.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

#include "base/random.h"

namespace starling::benchmarks {
namespace {

constexpr std::uint64_t kFirstStampMs = 1'600'000'000'000;  // September 2020.

}  // namespace

std::string KeyOf(std::uint32_t number) { return fmt::format("key{:09}", number); }

Row RowOf(std::uint32_t number, std::uint64_t seed) {
  return {base::TokenOf(KeyOf(number), seed), number};
}

std::vector<Row> SortedRows(std::uint32_t count, std::uint64_t seed) {
  std::vector<Row> rows;
  rows.reserve(count);
  for (std::uint32_t number = 0; number < count; ++number) rows.push_back(RowOf(number, seed));
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.token < b.token; });
  return rows;
}

void WrittenRow::Make(const Row& row, std::uint64_t generation) {
  key_ = KeyOf(row.number);
  token_ = row.token;
  stored_key_.clear();
  storage::EncodeDataKeyTo({kind_.keyspace, token_, key_}, stored_key_);
  std::uint64_t noise = row.number + (generation << 32);
  for (std::size_t at = 0; at < value_.size() / 2; at += sizeof noise) {
    noise = base::Mix64(noise);
    std::memcpy(value_.data() + at, &noise, std::min(value_.size() - at, sizeof noise));
  }
  header_ = {.version = {(kFirstStampMs + generation) << 16, 1, row.number},
             .value_digest = storage::ValueDigest(value_)};
}

merkle::Digest WrittenRow::DigestAs(const storage::EntryHeader& header) const {
  return DigestAs(header, KeyHash());
}

merkle::Digest WrittenRow::DigestAs(const storage::EntryHeader& header,
                                    const base::Hash128Value& key_hash) const {
  return merkle::DigestOf(
      key_hash, {header.version, header.flags, header.expiry_ms, header.value_digest}, kind_.seed);
}

}  // namespace starling::benchmarks
