#include "server/entry_page.h"

#include <memory>
#include <unordered_map>

#include "server/wire/entries.h"

namespace starling::server {
namespace {

// Calls visit(key, entry) for each entry of the range until it returns false.
template <typename Visit>
base::Status Walk(storage::Engine& engine, const PageRequest& request, std::uint64_t& bytes_read,
                  Visit&& visit) {
  std::string begin;
  storage::EncodeDataKeyTo({request.keyspace, request.from_token, request.after_key}, begin);
  if (!request.after_key.empty()) begin.push_back('\0');  // The first key after it.
  const std::uint16_t last_bucket = base::BucketOf(request.last_token);
  const std::string end = storage::BucketEnd(request.keyspace, last_bucket);
  const auto cursor = engine.Scan(storage::Family::kData, begin, end);
  for (cursor->Seek(begin); cursor->Valid(); cursor->Next()) {
    ASSIGN_OR_RETURN(const storage::DataKey key, storage::DecodeDataKey(cursor->key()));
    if (key.token > request.last_token) break;
    bytes_read += cursor->key().size() + cursor->value().size();
    ASSIGN_OR_RETURN(const storage::Entry entry, storage::DecodeEntry(cursor->value()));
    if (!visit(key, entry)) return base::Ok();
  }
  return cursor->status();
}

void Pack(const storage::DataKey& key, const storage::Entry& entry, Page& page) {
  wire::PackEntryTo({key.key, entry.header.version, entry.header.flags,
                     static_cast<std::uint8_t>(entry.header.origin), entry.header.expiry_ms,
                     entry.header.value_digest, entry.value},
                    page.packed);
  ++page.entries;
}

// Reads what `wanted` says of, up to the page's size.
template <typename Wanted>
Page ReadWanted(storage::Engine& engine, const PageRequest& request, Wanted&& wanted) {
  Page page;
  page.done = true;
  page.status = Walk(engine, request, page.bytes_read, [&](const auto& key, const auto& entry) {
    if (wanted(key, entry)) Pack(key, entry, page);
    if (page.packed.size() < request.bytes_max) return true;
    page.done = false;
    page.last_read_token = key.token;
    page.last_read_key = key.key;
    return false;
  });
  return page;
}

}  // namespace

Page ReadPage(storage::Engine& engine, const PageRequest& request) {
  return ReadWanted(engine, request, [](const auto&, const auto&) { return true; });
}

Summary Summarize(storage::Engine& engine, const PageRequest& request) {
  Summary summary;
  summary.status =
      Walk(engine, request, summary.bytes_read, [&](const auto& key, const auto& entry) {
        const std::size_t at = summary.packed.size();
        summary.packed.resize(at + kSummaryRecordBytes);
        base::StoreLittle(summary.packed.data() + at, key.token);
        entry.header.version.StoreTo(summary.packed.data() + at + 8);
        return true;
      });
  return summary;
}

Page ReadMissing(storage::Engine& engine, const PageRequest& request, base::Bytes summary) {
  // Keys whose tokens collide share a record, in which the lower version stands for both: one entry
  // too many may be sent. One too few where they hold one of the two keys, and newer than ours of
  // the other: tokens are 64 bits, so that takes billions of keys and a loss of just that one.
  std::unordered_map<base::Token, base::Version> theirs;
  for (std::size_t at = 0; at + kSummaryRecordBytes <= summary.size(); at += kSummaryRecordBytes) {
    const auto version = base::Version::LoadFrom(summary.data() + at + 8);
    const auto [it, fresh] =
        theirs.emplace(base::LoadLittle<base::Token>(summary.data() + at), version);
    if (!fresh && version < it->second) it->second = version;
  }
  return ReadWanted(engine, request, [&](const auto& key, const auto& entry) {
    const auto it = theirs.find(key.token);
    return it == theirs.end() || it->second < entry.header.version;
  });
}

}  // namespace starling::server
