#include "storage/rocksdb/to_status.h"

#include <fmt/core.h>

namespace starling::storage {

base::Status ToStatus(const rocksdb::Status& status, std::string_view attempted) {
  if (status.ok()) return base::Ok();
  const auto code = status.IsCorruption() ? base::Code::kCorruption : base::Code::kIo;
  const std::string_view advice =
      status.IsNoSpace()
          ? "; make room there and start the node again, what was acknowledged is kept"
          : "";
  return {code, fmt::format("{}: {}{}", attempted, status.ToString(), advice)};
}

base::Status ToOpenStatus(const rocksdb::Status& status, std::string_view attempted) {
  // RocksDB tells a missing file from other failures by subcode in some places, by text in others.
  const bool missing =
      status.IsPathNotFound() ||
      (status.IsIOError() && status.ToString().find("No such file") != std::string::npos);
  const base::Status told = ToStatus(status, attempted);
  return missing ? base::Corruption(told.message()) : told;
}

}  // namespace starling::storage
