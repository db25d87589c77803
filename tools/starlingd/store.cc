// tools/starlingd/store.cc: opens RocksDB, and draws or checks the identity in it.
#include "tools/starlingd/store.h"

#include <fmt/core.h>

#include <array>
#include <random>

#include "storage/batch.h"
#include "storage/identity.h"
#include "storage/rocksdb/rocksdb_engine.h"

namespace starling {
namespace {

using storage::Identity;

// Host ids must differ between machines that start at once: no clock, the system's entropy.
base::HostId DrawHostId() {
  std::random_device device;
  const auto draw = [&device] {
    return static_cast<std::uint64_t>(device()) << 32 | static_cast<std::uint64_t>(device());
  };
  return {.high = draw(), .low = draw()};
}

base::Result<Identity> MakeIdentity(storage::Engine& engine, const std::string& cluster_name) {
  const Identity identity{.host = DrawHostId(), .cluster_name = cluster_name, .cluster_id = {}};
  storage::Batch batch;
  SaveIdentity(batch, identity);
  const std::array batches{static_cast<const storage::Batch*>(&batch)};
  RETURN_IF_ERROR(engine.Write(batches, storage::Sync::kYes));
  return identity;
}

base::Result<Identity> LoadOrMakeIdentity(storage::Engine& engine, const server::Config& config) {
  ASSIGN_OR_RETURN(const auto identity, LoadIdentity(engine));
  if (!identity) return MakeIdentity(engine, config.cluster.name);
  if (identity->cluster_name == config.cluster.name) return *identity;
  return base::Fail(base::FailedPrecondition(fmt::format(
      "it belongs to a node of the cluster '{}', and cluster.name is '{}'; set that name, or "
      "node.data_dir to another directory",
      identity->cluster_name, config.cluster.name)));
}

base::Result<Store> Open(const server::Config& config) {
  Store store;
  ASSIGN_OR_RETURN(store.engine, storage::RocksDbEngine::Open(
                                     {.directory = config.node.data_dir,
                                      .block_cache_bytes = config.storage.block_cache_bytes,
                                      .memtable_bytes = config.storage.memtables_bytes,
                                      .file_system = nullptr}));
  ASSIGN_OR_RETURN(const Identity identity, LoadOrMakeIdentity(*store.engine, config));
  store.identity.host = identity.host;
  store.identity.cluster_id = identity.cluster_id;
  ASSIGN_OR_RETURN(store.identity.boot, NextBoot(*store.engine));
  ASSIGN_OR_RETURN(store.identity.clock_floor, LoadClockBound(*store.engine));
  return store;
}

}  // namespace

base::Result<Store> OpenStore(const server::Config& config) {
  auto store = Open(config);
  if (store) return store;
  return base::Fail(store.error().Annotate(
      fmt::format("cannot use the data directory {}", config.node.data_dir)));
}

}  // namespace starling
