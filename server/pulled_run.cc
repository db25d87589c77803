#include "server/pulled_run.h"

#include <algorithm>

#include "base/check.h"

namespace starling::server {

void PulledRun::Add(const LocalWrite& write) {
  CHECK(write.keyspace == keyspace_);
  Entry entry{.token = write.token, .adoption = write.ticket.b, .at = bytes_.size()};
  storage::EncodeDataKeyTo({keyspace_, write.token, write.key}, bytes_);
  entry.key_size = static_cast<std::uint32_t>(bytes_.size() - entry.at);
  storage::EncodeEntryTo(write.header, write.value, bytes_);
  entry.value_size = static_cast<std::uint32_t>(bytes_.size() - entry.at - entry.key_size);
  Note(entry, write.source);
}

void PulledRun::Add(const PulledRun& other, const Entry& entry) {
  CHECK(other.keyspace_ == keyspace_);
  Entry copy = entry;
  copy.at = bytes_.size();
  bytes_.append(other.bytes_, entry.at, entry.key_size + entry.value_size);
  Note(copy, other.SourceOf(entry));
}

void PulledRun::Note(Entry entry, const purge::Source& source) {
  if (sources_.empty() || sources_.back() != source) sources_.push_back(source);
  entry.source = static_cast<std::uint32_t>(sources_.size() - 1);
  buckets_.Insert(base::BucketOf(entry.token));
  entries_.push_back(entry);
}

void PulledRun::Sort() {
  std::ranges::sort(entries_, [this](const Entry& a, const Entry& b) {
    if (a.token != b.token) return a.token < b.token;
    const base::Bytes key_a = StoredKey(a), key_b = StoredKey(b);
    if (key_a != key_b) return key_a < key_b;
    return Decoded(a).header.version > Decoded(b).header.version;
  });
}

storage::Entry PulledRun::Decoded(const Entry& entry) const {
  auto decoded = storage::DecodeEntry(Stored(entry));
  CHECK(decoded);  // It was encoded here.
  return *decoded;
}

LocalWrite PulledRun::WriteOf(const Entry& entry) const {
  const storage::Entry decoded = Decoded(entry);
  const std::uint64_t taken = entry.key_size - storage::kKeyPrefixBytes + decoded.value.size();
  return {.keyspace = keyspace_,
          .token = entry.token,
          .key = StoredKey(entry).substr(storage::kKeyPrefixBytes),
          .header = decoded.header,
          .value = decoded.value,
          .ticket = {Ticket::Kind::kPull, taken, entry.adoption, 0},
          .source = SourceOf(entry)};
}

std::size_t PulledRun::BytesBefore(base::Token token) const {
  std::size_t bytes = 0;
  for (const Entry& entry : entries_)
    if (entry.token < token) bytes += entry.key_size + entry.value_size;
  return bytes;
}

std::string FillingKey(unsigned worker) {
  std::string key(kFillingPrefix);
  base::AppendBig(key, static_cast<std::uint16_t>(worker));
  return key;
}

}  // namespace starling::server
