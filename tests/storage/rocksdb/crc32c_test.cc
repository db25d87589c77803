// Goal:   RocksDB's checksums by instruction are those that it would make itself, and it uses them.
// Method: known values, then random bytes of every length and alignment against the library's own.
#include "storage/rocksdb/crc32c.h"

#include <string>

#include "base/bytes.h"
#include "base/random.h"
#include "tests/test.h"

namespace rocksdb::crc32c {
std::uint32_t Extend(std::uint32_t crc, const char* data, std::size_t size);
}  // namespace rocksdb::crc32c

namespace starling::storage {
namespace {

TEST_SUITE("storage/rocksdb/crc32c") {
  TEST_CASE("known values come out, whoever computes them") {
    for (const bool by_library : {true, false}) {
      crc32c_by_library = by_library;
      EXPECT(rocksdb::crc32c::Extend(0, "123456789", 9) == 0xe3069283U);
      const std::string zeros(32, '\0');
      EXPECT(rocksdb::crc32c::Extend(0, zeros.data(), zeros.size()) == 0x8a9136aaU);
    }
  }

  TEST_CASE("all lengths and alignments agree with the library's, also in parts") {
    base::Random random(1);
    std::string bytes;
    while (bytes.size() < 400) base::AppendLittle(bytes, random.Next());
    for (std::size_t from = 0; from < 9; ++from) {
      for (std::size_t size = 0; size < 300; ++size) {
        const char* const data = bytes.data() + from;
        const auto seed = static_cast<std::uint32_t>(random.Next());
        const std::uint32_t whole = LibraryCrc32c(seed, data, size);
        EXPECT(rocksdb::crc32c::Extend(seed, data, size) == whole);
        const std::size_t half = random.Below(size + 1);
        EXPECT(rocksdb::crc32c::Extend(rocksdb::crc32c::Extend(seed, data, half), data + half,
                                       size - half) == whole);
      }
    }
  }
}

}  // namespace
}  // namespace starling::storage
