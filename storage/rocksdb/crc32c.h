// storage/rocksdb/crc32c.h: the checksum of RocksDB's log, by the processor's own instruction.
//
// Debian's RocksDB is built without SSE4.2, so that its log's crc32c goes by tables. The dynamic
// linker takes the program's `rocksdb::crc32c::Extend` before the library's: crc32c.cc defines it.
// Where the processor lacks the instruction, it calls the library's.
//
// Thread:    free functions.
// Read next: docs/storage.md, "RocksDB's options"
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace starling::storage {

// Whether RocksDB's checksums are made by the instruction here. What calls it has it linked in.
bool Crc32cIsFast();

// For benchmarks and tests, which compare the two.
extern std::atomic<bool> crc32c_by_library;
std::uint32_t LibraryCrc32c(std::uint32_t crc, const char* data, std::size_t size);

}  // namespace starling::storage
