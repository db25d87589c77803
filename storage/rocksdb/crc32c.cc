#include "storage/rocksdb/crc32c.h"

#include <dlfcn.h>

#include <cstring>

#include "base/check.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace starling::storage {
namespace {

using ExtendFunction = std::uint32_t (*)(std::uint32_t, const char*, std::size_t);

// The one that comes after this program's: RocksDB's own.
ExtendFunction FindLibrarys() {
  void* const found = dlsym(RTLD_NEXT, "_ZN7rocksdb6crc32c6ExtendEjPKcm");
  CHECK(found != nullptr);  // RocksDB 7.8 has it; another one would not have linked.
  ExtendFunction function = nullptr;
  static_assert(sizeof function == sizeof found);
  std::memcpy(&function, &found, sizeof found);
  return function;
}

#if defined(__x86_64__)
bool ProcessorHasIt() {
  static const bool has = __builtin_cpu_supports("sse4.2") != 0;
  return has;
}

__attribute__((target("sse4.2"))) std::uint32_t ByInstruction(std::uint32_t crc, const char* data,
                                                              std::size_t size) {
  std::uint64_t state = crc ^ 0xffffffffU;
  for (; size >= sizeof state; data += sizeof state, size -= sizeof state) {
    std::uint64_t word = 0;
    std::memcpy(&word, data, sizeof word);
    state = _mm_crc32_u64(state, word);
  }
  auto rest = static_cast<std::uint32_t>(state);
  for (; size > 0; ++data, --size) rest = _mm_crc32_u8(rest, static_cast<unsigned char>(*data));
  return rest ^ 0xffffffffU;
}
#else
bool ProcessorHasIt() { return false; }
std::uint32_t ByInstruction(std::uint32_t crc, const char* data, std::size_t size) {
  return LibraryCrc32c(crc, data, size);
}
#endif

}  // namespace

std::atomic<bool> crc32c_by_library = false;

std::uint32_t LibraryCrc32c(std::uint32_t crc, const char* data, std::size_t size) {
  static const ExtendFunction librarys = FindLibrarys();
  return librarys(crc, data, size);
}

bool Crc32cIsFast() {
  return ProcessorHasIt() && !crc32c_by_library.load(std::memory_order_relaxed);
}

}  // namespace starling::storage

// As RocksDB declares it, in a header that is not installed.
namespace rocksdb::crc32c {

std::uint32_t Extend(std::uint32_t crc, const char* data, std::size_t size);

std::uint32_t Extend(std::uint32_t crc, const char* data, std::size_t size) {
  return starling::storage::Crc32cIsFast() ? starling::storage::ByInstruction(crc, data, size)
                                           : starling::storage::LibraryCrc32c(crc, data, size);
}

}  // namespace rocksdb::crc32c
