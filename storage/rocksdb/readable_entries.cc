#include "storage/rocksdb/readable_entries.h"

#include <rocksdb/options.h>
#include <rocksdb/sst_file_reader.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "base/bytes.h"
#include "storage/rocksdb/table_check.h"

namespace starling::storage {
namespace {

// Where a key is: its first 16 bytes as a number. Of entries that is keyspace, token and some of
// the key.
__extension__ typedef unsigned __int128 Place;
constexpr std::size_t kPlaceBytes = sizeof(Place);
constexpr Place kLastPlace = ~Place{0};
// A token, of entries: what is nearer together is not told apart.
constexpr Place kStep = Place{1} << 32;
constexpr int kGapsMax = 100'000;

Place PlaceOf(const std::string& key) {
  Place place = 0;
  for (std::size_t i = 0; i < kPlaceBytes; ++i)
    place = place << 8 | (i < key.size() ? static_cast<unsigned char>(key[i]) : 0);
  return place;
}

std::string KeyAt(Place place) {
  std::string key(kPlaceBytes, '\0');
  for (std::size_t i = kPlaceBytes; i-- > 0; place >>= 8)
    key[i] = static_cast<char>(static_cast<unsigned char>(place & 0xff));
  return key;
}

class Walk {
 public:
  explicit Walk(rocksdb::SstFileReader& reader) : reader_(reader) {
    read_.verify_checksums = true;
    read_.fill_cache = false;
  }

  // The first error that is no damage.
  const base::Status& failure() const { return failure_; }
  bool IsSound(const rocksdb::Iterator& at) {
    const base::Status read = ReadStatus(at.status(), "reading what is left of a damaged table");
    if (!read.ok() && read.code() != base::Code::kCorruption && failure_.ok()) failure_ = read;
    return read.ok();
  }

  // Null: what is at or after `place` up to the end of its block cannot be read.
  std::unique_ptr<rocksdb::Iterator> At(Place place) {
    std::unique_ptr<rocksdb::Iterator> at(reader_.NewIterator(read_));
    at->Seek(KeyAt(place));
    return IsSound(*at) ? std::move(at) : nullptr;
  }

  // The first place after `bad` from which on it can be read. nullopt: there is none.
  std::optional<Place> EndOfDamage(Place bad) {
    Place good = kLastPlace;
    for (Place step = kStep; step != 0 && bad < kLastPlace - step; step <<= 1) {
      if (At(bad + step) != nullptr) {
        good = bad + step;
        break;
      }
      bad += step;
    }
    if (good == kLastPlace && At(good) == nullptr) return std::nullopt;
    while (good - bad > kStep) {
      const Place middle = bad + (good - bad) / 2;
      (At(middle) != nullptr ? good : bad) = middle;
    }
    return good;
  }

 private:
  rocksdb::SstFileReader& reader_;
  rocksdb::ReadOptions read_;
  base::Status failure_;
};

}  // namespace

base::Status ForEachReadable(
    rocksdb::Env& files, const std::string& path,
    const std::function<bool(const rocksdb::Slice&, const rocksdb::Slice&)>& visit) {
  rocksdb::Options options;
  options.env = &files;
  rocksdb::SstFileReader reader(options);
  const base::Status opened = ReadStatus(reader.Open(path), "opening " + path);
  if (opened.code() == base::Code::kCorruption) return base::Ok();  // Nothing can be read.
  RETURN_IF_ERROR(opened);
  Walk walk(reader);
  Place last = 0;
  std::unique_ptr<rocksdb::Iterator> at = walk.At(last);
  for (int gaps = 0; gaps < kGapsMax; ++gaps) {
    for (; at != nullptr && at->Valid(); at->Next()) {
      if (!visit(at->key(), at->value())) return base::Ok();
      last = std::max(last, PlaceOf(at->key().ToString()));
    }
    if (at != nullptr && walk.IsSound(*at)) return base::Ok();
    const std::optional<Place> next = walk.EndOfDamage(last);
    RETURN_IF_ERROR(walk.failure());
    if (!next) return base::Ok();
    last = *next;
    at = walk.At(last);
  }
  return base::Ok();
}

}  // namespace starling::storage
