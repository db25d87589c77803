#include "storage/rocksdb/table_check.h"

#include <fmt/core.h>
#include <rocksdb/env.h>
#include <rocksdb/options.h>
#include <rocksdb/sst_file_reader.h>

#include <memory>

#include "storage/entry.h"
#include "storage/rocksdb/to_status.h"

namespace starling::storage {
namespace {

constexpr std::size_t kReadAheadBytes = 1 << 20;

}  // namespace

base::Status ReadStatus(const rocksdb::Status& status, std::string_view attempted) {
  base::Status told = ToOpenStatus(status, attempted);
  // EIO has no code of its own. Other errors, such as too many open files, say nothing of the data.
  if (told.code() == base::Code::kIo &&
      told.message().find("Input/output error") != std::string::npos)
    return base::Corruption(told.message());
  return told;
}

base::Status CheckEntry(base::Bytes key, base::Bytes value) {
  if (const auto decoded = DecodeDataKey(key); !decoded) return decoded.error();
  const auto entry = DecodeSoundEntry(value);
  return entry ? base::Ok() : entry.error();
}

base::Status CheckTableFile(rocksdb::Env& env, const std::string& path, bool has_entries) {
  rocksdb::Options options;
  options.env = &env;
  rocksdb::SstFileReader reader(options);
  const std::string attempted = fmt::format("checking table {}", path);
  RETURN_IF_ERROR(ReadStatus(reader.Open(path), attempted));
  rocksdb::ReadOptions read;
  read.verify_checksums = true;
  read.fill_cache = false;
  read.readahead_size = kReadAheadBytes;
  RETURN_IF_ERROR(ReadStatus(reader.VerifyChecksum(read), attempted));
  // A compaction would stop at these as at a checksum that does not fit.
  std::string last;
  const std::unique_ptr<rocksdb::Iterator> entry(reader.NewIterator(read));
  for (entry->SeekToFirst(); entry->Valid(); entry->Next()) {
    const base::Bytes key{entry->key().data(), entry->key().size()};
    if (!last.empty() && key <= last)
      return base::Corruption(fmt::format("{}: its keys are out of order", attempted));
    last = key;
    if (!has_entries) continue;
    if (const base::Status sound = CheckEntry(key, {entry->value().data(), entry->value().size()});
        !sound.ok())
      return sound.Annotate(attempted);
  }
  return ReadStatus(entry->status(), attempted);
}

}  // namespace starling::storage
