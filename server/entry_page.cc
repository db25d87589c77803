#include "server/entry_page.h"

#include <memory>
#include <unordered_map>

#include "server/bucket_parts.h"
#include "server/wire/entries.h"
#include "server/wire/frame.h"
#include "server/wire/limits.h"

namespace starling::server {

// What an engine stores is what may travel, and any page has a frame.
static_assert(storage::kKeyBytesMax == wire::kKeyBytesMax);
static_assert(storage::kValueBytesMax == wire::kValueBytesMax);
static_assert(wire::kEntryFlagsKnown == (storage::kFlagTombstone | storage::kFlagHasExpiry));
static_assert(wire::kEntryOriginMax == static_cast<std::uint8_t>(storage::Origin::kRestore));
static_assert(kPageBytesStandard <= wire::kPayloadBytesMax);
static_assert(wire::kPackedHeadBytes + wire::kKeyBytesMax + wire::kValueBytesMax <=
              wire::kPayloadBytesMax);

namespace {

wire::PackedEntry Packed(const storage::DataKey& key, const storage::Entry& entry) {
  return {key.key,
          entry.header.version,
          entry.header.flags,
          static_cast<std::uint8_t>(entry.header.origin),
          entry.header.expiry_ms,
          entry.header.value_digest,
          entry.value};
}

// The entry, if it is one that can travel.
base::Result<storage::Entry> Read(const storage::DataKey& key, base::Bytes stored) {
  ASSIGN_OR_RETURN(const storage::Entry entry, storage::DecodeEntry(stored));
  if (const base::Status fits = wire::CheckEntry(Packed(key, entry)); !fits.ok())
    return base::Fail(base::Corruption(fits.message()));
  return entry;
}

std::unique_ptr<storage::Cursor> CursorOver(storage::Engine& engine, base::KeyspaceId keyspace,
                                            std::uint16_t first, std::uint16_t last) {
  return engine.Scan(storage::Family::kData, storage::BucketBegin(keyspace, first),
                     storage::BucketEnd(keyspace, last));
}

void Count(Unreadable& skipped, const base::Status& why) {
  if (++skipped.entries == 1) skipped.first = why;
}

// Calls visit(key, entry) for each entry of the range until it returns false. One that cannot be
// read is counted in `skipped`; without, it ends the walk.
template <typename Visit>
base::Status Walk(storage::Cursor& cursor, const PageRequest& request, std::uint64_t& bytes_read,
                  Unreadable* skipped, Visit&& visit) {
  std::string begin;
  storage::EncodeDataKeyTo({request.keyspace, request.from_token, request.after_key}, begin);
  if (!request.after_key.empty()) begin.push_back('\0');  // The first key after it.
  for (cursor.Seek(begin); cursor.Valid(); cursor.Next()) {
    ASSIGN_OR_RETURN(const storage::DataKey key, storage::DecodeDataKey(cursor.key()));
    if (key.token > request.last_token) break;
    bytes_read += cursor.key().size() + cursor.value().size();
    const auto entry = Read(key, cursor.value());
    if (entry) {
      if (!visit(key, *entry)) return base::Ok();
    } else if (skipped == nullptr) {
      return entry.error();
    } else {
      Count(*skipped, entry.error());
    }
  }
  return cursor.status();
}

template <typename Visit>
base::Status Walk(storage::Engine& engine, const PageRequest& request, std::uint64_t& bytes_read,
                  Unreadable* skipped, Visit&& visit) {
  const auto cursor = CursorOver(engine, request.keyspace, base::BucketOf(request.from_token),
                                 base::BucketOf(request.last_token));
  return Walk(*cursor, request, bytes_read, skipped, visit);
}

void AppendRecord(std::string& records, base::Token token, const base::Version& version) {
  const std::size_t at = records.size();
  records.resize(at + kSummaryRecordBytes);
  base::StoreLittle(records.data() + at, token);
  version.StoreTo(records.data() + at + 8);
}

// Puts an entry on the page; false: there is no room for it. One that is announced is the last.
bool Pack(const storage::DataKey& key, const storage::Entry& entry, const PageRequest& request,
          Page& page, Unreadable& skipped) {
  if (request.whole_bytes_max > 0 && entry.value.size() > request.whole_bytes_max) {
    // It takes many requests to find out there.
    if (const base::Status sound = storage::VerifyValue(entry); !sound.ok())
      Count(skipped, sound);
    else
      page.announced = Announced{entry.header, std::string(entry.value)};
    return true;
  }
  const wire::PackedEntry packed = Packed(key, entry);
  if (page.entries > 0 && page.packed.size() + wire::PackedBytes(packed) > request.bytes_max)
    return false;
  wire::PackEntryTo(packed, page.packed);
  ++page.entries;
  return true;
}

// The page has told of all up to this key. False: no further, since it announces its value.
bool NoteRead(const storage::DataKey& key, Page& page) {
  page.last_read_token = key.token;
  page.last_read_key = key.key;
  page.done = !page.announced;
  return page.done;
}

enum class OnDamage : std::uint8_t { kFail, kSkip };

// Reads what `wanted` says of, up to the page's size.
template <typename Wanted>
Page ReadWanted(storage::Engine& engine, const PageRequest& request, OnDamage on_damage,
                Wanted&& wanted) {
  Page page;
  page.done = true;
  Unreadable* const skipped = on_damage == OnDamage::kSkip ? &page.unreadable : nullptr;
  page.status =
      Walk(engine, request, page.bytes_read, skipped, [&](const auto& key, const auto& entry) {
        page.done = !wanted(key, entry) || Pack(key, entry, request, page, page.unreadable);
        return page.done && NoteRead(key, page);
      });
  return page;
}

// Appends a whole bucket, or what there is room for. False: nothing was told of it.
bool ReadWhole(storage::Cursor& cursor, const PageRequest& request, Page& page) {
  const std::size_t begin = page.packed.size();
  const std::uint64_t entries = page.entries;
  std::string names;
  Unreadable skipped;
  bool some = false;
  const base::Status status =
      Walk(cursor, request, page.bytes_read, &skipped, [&](const auto& key, const auto& entry) {
        const base::Version& version = entry.header.version;
        page.done = request.under_way.Has(version) || Pack(key, entry, request, page, skipped);
        if (!page.done) return false;
        if (version.timestamp <= request.names_upto) AppendRecord(names, key.token, version);
        some = true;
        return NoteRead(key, page);
      });
  if (!status.ok() || (!page.done && !some)) {
    page.packed.resize(begin);
    page.entries = entries;
    page.done = true;  // As far as it tells.
    return false;
  }
  page.packed.insert(begin, names);
  page.further.push_back({skipped.entries, static_cast<std::uint32_t>(names.size()),
                          static_cast<std::uint32_t>(page.packed.size() - begin)});
  return true;
}

}  // namespace

Page ReadPage(storage::Engine& engine, const PageRequest& request) {
  return ReadWanted(engine, request, OnDamage::kFail,
                    [](const auto&, const auto&) { return true; });
}

Summary Summarize(storage::Engine& engine, const PageRequest& request) {
  Summary summary;
  summary.last_token = request.last_token;
  base::Token before = request.from_token;
  summary.status = Walk(engine, request, summary.bytes_read, &summary.unreadable,
                        [&](const auto& key, const auto& entry) {
                          const std::size_t at = summary.packed.size();
                          const bool full = at > 0 && at + kSummaryRecordBytes > request.bytes_max;
                          if (full && key.token != before) {
                            summary.last_token = key.token - 1;
                            return false;
                          }
                          before = key.token;
                          AppendRecord(summary.packed, key.token, entry.header.version);
                          return true;
                        });
  return summary;
}

PartsRead ReadParts(storage::Engine& engine, const PageRequest& request, std::uint32_t parts,
                    std::uint64_t salt) {
  PartsRead read;
  PartHasher hasher(request.from_token, request.last_token, parts, salt, request.under_way);
  Unreadable skipped;  // What is damaged makes its part differ, where it is told of.
  read.status =
      Walk(engine, request, read.bytes_read, &skipped, [&](const auto& key, const auto& entry) {
        hasher.Add(key.token, entry.header.version);
        return true;
      });
  read.packed = hasher.Packed();
  return read;
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
  std::string names;
  Page page = ReadWanted(engine, request, OnDamage::kSkip, [&](const auto& key, const auto& entry) {
    if (entry.header.version.timestamp <= request.names_upto)
      AppendRecord(names, key.token, entry.header.version);
    if (request.under_way.Has(entry.header.version)) return false;
    const auto it = theirs.find(key.token);
    return it == theirs.end() || it->second < entry.header.version;
  });
  page.names = std::move(names);
  return page;
}

void ReadFurther(storage::Engine& engine, const PageRequest& request,
                 std::span<const WholeBucket> buckets, Page& page) {
  if (buckets.empty() || !page.status.ok() || !page.done) return;
  const auto cursor =
      CursorOver(engine, request.keyspace, buckets.front().bucket, buckets.back().bucket);
  for (const WholeBucket& bucket : buckets) {
    if (!page.done || page.packed.size() >= request.bytes_max) return;
    PageRequest whole{request.keyspace,
                      base::FirstToken(bucket.bucket),
                      {},
                      base::LastToken(bucket.bucket),
                      request.bytes_max};
    whole.under_way = request.under_way;
    whole.whole_bytes_max = request.whole_bytes_max;
    whole.names_upto = bucket.names_upto;
    if (!ReadWhole(*cursor, whole, page)) return;
  }
}

OneValue ReadValue(storage::Engine& engine, const storage::DataKey& key,
                   const base::Version& version, std::uint64_t value_digest) {
  OneValue read;
  std::string begin;
  storage::EncodeDataKeyTo(key, begin);
  std::string end = begin;
  end.push_back('\0');
  // By a cursor, which leaves the block cache to what clients read.
  const auto cursor = engine.Scan(storage::Family::kData, begin, end);
  cursor->Seek(begin);
  if (!cursor->Valid()) {
    read.status =
        cursor->status().ok() ? base::NotFound("it is not here any more") : cursor->status();
    return read;
  }
  read.bytes_read = begin.size() + cursor->value().size();
  const auto entry = storage::DecodeEntry(cursor->value());
  if (!entry) {
    read.status = entry.error();
  } else if (entry->header.version != version || entry->header.value_digest != value_digest) {
    read.status = base::NotFound("another version of it is here now");
  } else if (read.status = storage::VerifyValue(*entry); read.status.ok()) {
    read.value = entry->value;
  }
  return read;
}

}  // namespace starling::server
