// tests/storage/temp_directory.h: a directory of a test's own, gone with it; and whole files of
// one.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <ios>
#include <string>
#include <system_error>

#include "base/check.h"

namespace starling::storage {

class TempDirectory {
 public:
  enum class Place : std::uint8_t { kWhereverFast, kDisk };

  // Most tests make files by the thousands, and lose them by other means than a disk's: they are in
  // memory, if tests/run has found some for them. kDisk: where temporary files are, as ever.
  explicit TempDirectory(Place place = Place::kWhereverFast) {
    const char* memory = std::getenv("STARLING_TEST_MEMORY");
    const std::filesystem::path parent = place == Place::kWhereverFast && memory != nullptr
                                             ? std::filesystem::path(memory)
                                             : std::filesystem::temp_directory_path();
    std::string name = (parent / "starling-test-XXXXXX").string();
    CHECK(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TempDirectory() {
    std::error_code ignored;  // A leftover in /tmp is no reason to fail.
    std::filesystem::remove_all(path_, ignored);
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline std::string WholeFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string content(std::filesystem::file_size(path), '\0');
  in.read(content.data(), static_cast<std::streamsize>(content.size()));
  content.resize(static_cast<std::size_t>(in.gcount()));
  return content;
}

}  // namespace starling::storage
