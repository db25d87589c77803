// tools/starlingd/open_files.h: how many descriptors the process may have, and whether they do.
//
// Thread: before others are started.
#pragma once

#include <cstdint>

namespace starling {

// What a node opens besides its clients' connections: RocksDB's tables, which all stay open, its
// logs, and the connections of other nodes. A guess for a few hundred GB of data.
inline constexpr std::uint64_t kFilesBesideClients = 1024;

// Raises the soft limit of open files to the hard one, and warns in the log when that is too little
// for as many clients as limits.connections lets in. The soft limit is often 1024, for programs
// that use select(); nothing here does.
void RaiseOpenFiles(std::uint64_t connections_max);

}  // namespace starling
