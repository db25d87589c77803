#include "server/tree_page.h"

#include <optional>

namespace starling::server {
namespace {

constexpr std::size_t kBucketKeyBytes = sizeof(base::KeyspaceId) + sizeof(std::uint16_t);

struct Place {
  base::KeyspaceId keyspace = 0;
  std::uint16_t bucket = 0;
};

// Also of what is too short to be a key: it is somewhere in the order.
Place PlaceOf(base::Bytes stored_key) {
  char bytes[kBucketKeyBytes] = {};
  stored_key.copy(bytes, sizeof bytes);
  return {base::LoadBig<base::KeyspaceId>(bytes),
          base::LoadBig<std::uint16_t>(bytes + sizeof(base::KeyspaceId))};
}

// Where the slice goes on behind a bucket of another; nullopt: nowhere.
std::optional<Place> NextOf(std::uint8_t slice, Place place) {
  std::uint32_t leaf = base::LeafOf(place.bucket);
  if (slice < base::SliceOf(place.bucket)) ++leaf;
  if (leaf < base::kLeavesPerSlice)
    return Place{place.keyspace, base::BucketAt(slice, static_cast<std::uint8_t>(leaf))};
  if (place.keyspace == UINT32_MAX) return std::nullopt;
  return Place{place.keyspace + 1, base::BucketAt(slice, 0)};
}

TreePage::Found Digested(base::Bytes stored_key, base::Bytes value, std::uint64_t seed,
                         TreePage& page) {
  TreePage::Found found{std::string(stored_key), {}, {}, false};
  const auto key = storage::DecodeDataKey(stored_key);
  const auto entry = storage::DecodeEntry(value);
  base::Status sound = !key ? key.error() : !entry ? entry.error() : base::Ok();
  if (sound.ok()) {
    const storage::EntryHeader& header = found.header = entry->header;
    found.digest = merkle::DigestOf(
        key->key, {header.version, header.flags, header.expiry_ms, header.value_digest}, seed);
    if (!header.tombstone()) sound = storage::VerifyValue(*entry);
  }
  found.damaged = !sound.ok();
  if (found.damaged && ++page.damaged == 1) page.first_damage = sound;
  return found;
}

}  // namespace

TreePage ReadTreePage(storage::Engine& engine, std::uint8_t slice, base::Bytes from,
                      std::uint64_t digest_seed, const TreePageLimits& limits) {
  TreePage page;
  const auto cursor = engine.Scan(storage::Family::kData, from, {});
  std::string at(from);
  if (at.empty() && slice != 0) at = storage::BucketBegin(0, base::BucketAt(slice, 0));
  std::size_t seeks = 1;
  for (cursor->Seek(at); cursor->Valid();) {
    const base::Bytes key = cursor->key();
    const Place place = PlaceOf(key);
    if (base::SliceOf(place.bucket) != slice) {
      const std::optional<Place> next = NextOf(slice, place);
      if (!next) return page;
      at = storage::BucketBegin(next->keyspace, next->bucket);
      if (++seeks > limits.seeks_max) {
        page.upto = at;
        return page;
      }
      cursor->Seek(at);
      continue;
    }
    page.bytes_read += key.size() + cursor->value().size();
    page.found.push_back(Digested(key, cursor->value(), digest_seed, page));
    if (page.found.size() >= limits.entries_max || page.bytes_read >= limits.bytes_max) {
      page.upto.assign(key);
      page.upto.push_back('\0');  // The first key behind it.
      return page;
    }
    cursor->Next();
  }
  page.status = cursor->status();
  return page;
}

}  // namespace starling::server
