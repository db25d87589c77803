#include "server/purge_scan.h"

#include <set>
#include <utility>

#include "base/mutants.h"
#include "server/entry_page.h"
#include "server/purge/rules.h"

namespace starling::server {
namespace {

// Calls visit(data key, entry, stored key) from behind `after` on, until it returns false.
template <typename Page, typename Visit>
void WalkBucket(storage::Engine& engine, base::KeyspaceId keyspace, std::uint16_t bucket,
                base::Bytes after, Page& page, Visit&& visit) {
  std::string begin(after);
  if (begin.empty())
    begin = storage::BucketBegin(keyspace, bucket);
  else
    begin.push_back('\0');  // The first key behind it.
  const auto cursor =
      engine.Scan(storage::Family::kData, begin, storage::BucketEnd(keyspace, bucket));
  for (cursor->Seek(begin); cursor->Valid(); cursor->Next()) {
    const auto key = storage::DecodeDataKey(cursor->key());
    const auto entry = storage::DecodeEntry(cursor->value());
    if (key && entry) {
      if (!visit(*key, *entry, cursor->key())) break;
    } else if (page.unreadable.ok()) {
      page.unreadable = key ? entry.error() : key.error();
    }
  }
  page.status = cursor->status();
}

}  // namespace

DeadPage FindDead(storage::Engine& engine, base::KeyspaceId keyspace, std::uint16_t bucket,
                  base::Bytes after, std::uint64_t horizon, std::size_t most,
                  std::int64_t wall_ms) {
  DeadPage page;
  page.done = true;
  WalkBucket(engine, keyspace, bucket, after, page,
             [&](const storage::DataKey& key, const storage::Entry& entry, base::Bytes stored_key) {
               const bool by_clock = base::Mutant("purge-by-the-clock") &&
                                     !entry.header.live(wall_ms) &&
                                     entry.header.version.timestamp <= horizon;
               if (!purge::Gone(entry.header, horizon) && !by_clock) {
                 page.due_s = std::min(page.due_s, purge::DeadCounts::DueOf(entry.header));
                 return true;
               }
               page.found.push_back({std::string(stored_key), key.token, entry.header, {}});
               if (page.found.size() < most) return true;
               page.done = false;
               page.last = stored_key;
               return false;
             });
  return page;
}

ExtraPage FindExtras(storage::Engine& engine, const Span& span, base::Bytes names,
                     std::uint64_t mark, std::size_t bytes_max) {
  std::set<std::pair<base::Token, base::Version>> named;
  for (std::size_t at = 0; at + kSummaryRecordBytes <= names.size(); at += kSummaryRecordBytes)
    named.emplace(base::LoadLittle<base::Token>(names.data() + at),
                  base::Version::LoadFrom(names.data() + at + 8));
  ExtraPage page;
  std::size_t bytes = 0;
  WalkBucket(
      engine, span.keyspace, span.bucket, span.after, page,
      [&](const storage::DataKey& key, const storage::Entry& entry, base::Bytes stored_key) {
        if (!span.last.empty() && stored_key > base::Bytes(span.last)) return false;
        if (entry.header.version.timestamp > mark ||
            named.contains({key.token, entry.header.version}))
          return true;
        bytes += stored_key.size() + entry.value.size();
        if (!page.found.empty() && bytes > bytes_max) {
          page.whole = false;
          return false;
        }
        const auto other = named.lower_bound({key.token, {}});
        if (other != named.end() && other->first == key.token &&
            other->second < entry.header.version)
          page.owed = true;
        page.found.push_back({std::string(stored_key), key.token, entry.header,
                              std::string(entry.header.tombstone() ? base::Bytes() : entry.value)});
        return true;
      });
  return page;
}

}  // namespace starling::server
