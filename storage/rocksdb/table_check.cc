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
  const base::Status told = ToOpenStatus(status, attempted);
  // EIO has no code of its own. Other errors, such as too many open files, say nothing of the data.
  if (told.code() == base::Code::kIo &&
      told.message().find("Input/output error") != std::string::npos)
    return base::Corruption(told.message());
  return told;
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
  if (!has_entries) return base::Ok();
  const std::unique_ptr<rocksdb::Iterator> entry(reader.NewIterator(read));
  for (entry->SeekToFirst(); entry->Valid(); entry->Next())
    if (const auto sound = DecodeSoundEntry({entry->value().data(), entry->value().size()}); !sound)
      return sound.error().Annotate(attempted);
  return ReadStatus(entry->status(), attempted);
}

}  // namespace starling::storage
