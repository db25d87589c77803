#include "tests/storage/rocksdb/rocksdb_machine.h"

#include "tests/test.h"

namespace starling::storage {

RocksDbOptions SmallOptions(const std::string& directory, std::shared_ptr<UnsyncedFs> fs) {
  return {.directory = directory,
          .block_cache_bytes = 1 << 20,
          .memtable_bytes = kTinyMemtables,
          .file_system = std::move(fs)};
}

std::unique_ptr<Engine> Opened(base::Result<std::unique_ptr<Engine>> opened) {
  const std::string outcome = opened ? "opened" : opened.error().ToString();
  DOCTEST_INFO(outcome);
  REQUIRE(opened.has_value());
  return *std::move(opened);
}

std::unique_ptr<Engine> OpenSmall(const std::string& directory) {
  return Opened(RocksDbEngine::Open(SmallOptions(directory)));
}

RocksDbMachine::RocksDbMachine()
    : directory_(std::make_unique<TempDirectory>(TempDirectory::Place::kDisk)) {
  Start();
}

RocksDbMachine::RocksDbMachine(std::shared_ptr<UnsyncedFs> fs)
    : directory_(std::make_unique<TempDirectory>()), fs_(std::move(fs)) {
  Start();
}

void RocksDbMachine::Start() {
  engine_ = Opened(RocksDbEngine::Open(SmallOptions(directory_->path(), fs_)));
}

void RocksDbMachine::Kill(const std::function<void()>& between) {
  engine_.reset();
  between();
  Start();
}

void RocksDbMachine::LosePower(base::Random& random) {
  REQUIRE(fs_ != nullptr);
  auto survivors = std::make_unique<TempDirectory>();
  fs_->SaveSurvivors(directory_->path(), survivors->path(), random);
  engine_.reset();
  directory_ = std::move(survivors);
  Start();
}

std::string Noise(std::size_t size) {
  base::Random random(1);
  std::string noise;
  while (noise.size() < size) base::AppendLittle(noise, random.Next());
  return noise;
}

}  // namespace starling::storage
