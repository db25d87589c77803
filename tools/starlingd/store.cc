// tools/starlingd/store.cc: opens RocksDB, and draws or checks the identity in it.
#include "tools/starlingd/store.h"

#include <fmt/core.h>

#include <array>
#include <random>

#include "server/meta_records.h"
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

base::Result<Identity> KeepIdentity(storage::Engine& engine, Identity identity) {
  storage::Batch batch;
  SaveIdentity(batch, identity);
  const std::array batches{static_cast<const storage::Batch*>(&batch)};
  RETURN_IF_ERROR(engine.Write(batches, storage::Sync::kYes));
  return identity;
}

base::Result<Identity> LoadOrMakeIdentity(storage::Engine& engine, const server::Config& config) {
  ASSIGN_OR_RETURN(const auto identity, LoadIdentity(engine));
  const std::string& name = config.cluster.name;
  if (!identity)
    return KeepIdentity(engine, {.host = DrawHostId(), .cluster_name = name, .cluster_id = {}});
  if (identity->cluster_name == name) return *identity;
  // A start that failed, or waited for its seeds in vain: the name may have been mistyped. Not once
  // it voted on a cluster.
  ASSIGN_OR_RETURN(const auto stored, server::LoadTopology(engine));
  if (identity->cluster_id.empty() && stored.acceptor.empty())
    return KeepIdentity(engine, {.host = identity->host, .cluster_name = name, .cluster_id = {}});
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
