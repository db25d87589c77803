// storage/rocksdb/file_names.h: which files of a data directory are RocksDB's.
//
// Thread: free functions.
#pragma once

#include <algorithm>
#include <string_view>

namespace starling::storage {

// A number and that ending, as RocksDB names its tables (".sst") and logs (".log"). Others may have
// such an ending too.
inline bool IsNumbered(std::string_view name, std::string_view ending) {
  const std::size_t digits = std::min(name.find_first_not_of("0123456789"), name.size());
  return digits > 0 && name.substr(digits) == ending;
}

}  // namespace starling::storage
