// storage/guard_file.h: the guard's record in a file of the data directory.
//
// Thread:    as storage/guard.h says.
// Ownership: the file is open until it is destroyed.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "storage/guard.h"

namespace starling::storage {

// What `directory`'s file holds; nullopt when there is none, Corruption when it is damaged, Io when
// it cannot be read.
base::Result<std::optional<GuardRecord>> ReadGuardFile(const std::string& directory);

class GuardFile final : public Guard {
 public:
  // Opens, or makes, the file in `directory`. Fails with Io. Nothing is written before Synced.
  static base::Result<std::unique_ptr<GuardFile>> Open(const std::string& directory);
  ~GuardFile() override;

 private:
  GuardFile(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}
  base::Status Store(base::Bytes record) override;

  const int descriptor_;
  const std::string path_;
};

}  // namespace starling::storage
