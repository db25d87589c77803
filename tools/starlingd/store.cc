// tools/starlingd/store.cc: opens RocksDB, and draws or checks the identity in it.
#include "tools/starlingd/store.h"

#include <fmt/core.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <random>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "server/absence.h"
#include "server/disk_guard.h"
#include "server/disk_snapshots.h"
#include "server/meta_records.h"
#include "server/verify_admin.h"
#include "storage/batch.h"
#include "storage/guard_file.h"
#include "storage/identity.h"
#include "storage/irreplaceable.h"
#include "storage/rocksdb/damaged_tables.h"
#include "storage/rocksdb/rocksdb_engine.h"
#include "storage/rocksdb/set_aside.h"

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

base::Result<Identity> LoadOrMakeIdentity(storage::Engine& engine, const server::Config& config,
                                          const std::optional<storage::GuardRecord>& last) {
  ASSIGN_OR_RETURN(const auto identity, LoadIdentity(engine));
  const std::string& name = config.cluster.name;
  if (!identity && last)
    return KeepIdentity(engine,
                        {.host = last->host, .cluster_name = name, .cluster_id = last->cluster_id});
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

// What the life before says of itself. A damaged record says nothing, and is told.
base::Result<std::optional<storage::GuardRecord>> LastGuard(const std::string& directory) {
  auto last = storage::ReadGuardFile(directory);
  if (last || last.error().code() != base::Code::kCorruption) return last;
  base::log::Warn("storage",
                  "the guard file is damaged: {}. Only the other nodes can say now whether data "
                  "were lost",
                  last.error().message());
  return std::nullopt;
}

struct Opened {
  std::unique_ptr<storage::Engine> engine;
  std::string damage;  // Why it holds less than there was; empty: it does not.
};

base::Status SetAsideLoudly(const std::string& directory, const std::string& damage) {
  ASSIGN_OR_RETURN(const std::string aside, storage::SetAside(directory));
  base::log::Warn("storage", "{}; the data are set aside in {}, and not used again", damage, aside);
  return base::Ok();
}

struct Attempt {
  const server::Config& config;
  const std::optional<storage::GuardRecord>& last;
  bool accept = false;            // Whatever is damaged may go.
  bool may_lose = false;          // What other nodes have.
  storage::Irreplaceable keep{};  // And this they have not.
  std::uint64_t& damaged_tables;  // Those that were taken out.
};

// Without a guard file it is not known that there are other nodes, nor who this one was.
std::string HowToGoOn(const Attempt& attempt) {
  std::string alone =
      "Put the lost files back if you have them; to go on with what is left, start once with "
      "--accept-data-loss";
  if (attempt.last) return alone;
  return alone + fmt::format(
                     ". Its guard file is gone, too: if other nodes have the data, empty the "
                     "directory instead, and start with node.replace = {}:{}",
                     attempt.config.node.listen, attempt.config.ports.cluster);
}

base::Status NobodyElseHas(const Attempt& attempt, const std::string& damage) {
  return base::FailedPrecondition(
      fmt::format("data are damaged: {}. And {} one replica, so no other node has what may be lost "
                  "of that. {}",
                  damage, attempt.keep.Have(), HowToGoOn(attempt)));
}

base::Result<storage::TakenOut> TakeOut(const storage::RocksDbOptions& options,
                                        const Attempt& attempt) {
  auto taken = storage::TakeOutDamagedTables(options, attempt.keep);
  if (!taken && taken.error().code() == base::Code::kFailedPrecondition)
    return base::Fail(base::FailedPrecondition(
        fmt::format("data are damaged: {}. {}", taken.error().message(), HowToGoOn(attempt))));
  if (!taken) return taken;
  attempt.damaged_tables += taken->tables;
  if (!taken->what.empty())
    base::log::Warn("storage", "{}; taken out, but for what can be read of them", taken->what);
  return taken;
}

// It does not open for damaged tables alone.
base::Result<Opened> OpenSoundTables(const storage::RocksDbOptions& options,
                                     const std::string& damage, const Attempt& attempt) {
  ASSIGN_OR_RETURN(const storage::TakenOut taken, TakeOut(options, attempt));
  if (taken.what.empty()) return base::Fail(base::Corruption(damage));
  ASSIGN_OR_RETURN(auto engine, storage::RocksDbEngine::Open(options));
  return Opened{std::move(engine), taken.what};
}

// As much of the database as can be trusted.
base::Result<Opened> OpenWhatIsSound(storage::RocksDbOptions options, const Attempt& attempt) {
  auto engine = storage::RocksDbEngine::Open(options);
  if (engine) return Opened{*std::move(engine), {}};
  if (engine.error().code() != base::Code::kCorruption) return base::Fail(engine.error());
  std::string damage = engine.error().message();
  if (!attempt.may_lose)
    return base::Fail(base::FailedPrecondition(
        fmt::format("{}: data are damaged, and no other node is known to have them. {}", damage,
                    HowToGoOn(attempt))));
  // What comes after damage in a log may be of any keyspace.
  if (attempt.keep.any()) return base::Fail(engine.error());
  options.keep_sound_part = true;
  engine = storage::RocksDbEngine::Open(options);
  if (engine) {
    base::log::Warn("storage", "{}; what comes before is kept", damage);
    return Opened{*std::move(engine), std::move(damage)};
  }
  if (engine.error().code() != base::Code::kCorruption) return base::Fail(engine.error());
  auto sound = OpenSoundTables(options, damage, attempt);
  if (sound || sound.error().code() != base::Code::kCorruption) return sound;
  RETURN_IF_ERROR(SetAsideLoudly(options.directory, damage));
  options.keep_sound_part = false;
  ASSIGN_OR_RETURN(auto fresh, storage::RocksDbEngine::Open(options));
  return Opened{std::move(fresh), std::move(damage)};
}

// Half of the reserve: the other half is the compactions', which also bring room back. As the disk
// is now; a node that can't say how large it is keeps none, and control's guard says why.
std::uint64_t KeptFromCompactions(const server::Config& config) {
  std::filesystem::path there = std::filesystem::absolute(config.node.data_dir);
  std::error_code error;  // A first start makes the directory later.
  while (!std::filesystem::exists(there, error) && there.has_relative_path())
    there = there.parent_path();
  const auto space = server::LookAtDirectory(there.string());
  if (!space) return 0;
  return server::ReserveOf(config.storage.reserve_bytes, space->total_bytes) / 2;
}

storage::RocksDbOptions EngineOptions(const server::Config& config) {
  const server::StorageMemory memory = server::StorageMemoryOf(config);
  return {.directory = config.node.data_dir,
          .block_cache_bytes = memory.block_cache_bytes,
          .memtable_bytes = memory.memtables_bytes,
          .compaction_bytes_per_second = config.storage.compaction_bytes_per_second,
          .keep_free_bytes = KeptFromCompactions(config),
          .file_system = nullptr};
}

base::Result<Store> OpenOnce(const Attempt& attempt, std::string damage) {
  const server::Config& config = attempt.config;
  ASSIGN_OR_RETURN(Opened opened, OpenWhatIsSound(EngineOptions(config), attempt));
  if (damage.empty()) damage = std::move(opened.damage);
  Store store;
  store.engine = std::move(opened.engine);
  ASSIGN_OR_RETURN(const Identity identity,
                   LoadOrMakeIdentity(*store.engine, config, attempt.last));
  ASSIGN_OR_RETURN(store.guard, storage::GuardFile::Open(config.node.data_dir));
  ASSIGN_OR_RETURN(store.identity, server::BeginLife(*store.engine, *store.guard,
                                                     {.identity = identity,
                                                      .last = attempt.last,
                                                      .damage = std::move(damage),
                                                      .accept_loss = attempt.accept}));
  return store;
}

// Without the tables that are damaged. `damage` is what is known of it before.
base::Result<Store> OpenWithoutDamagedTables(const Attempt& attempt, std::string damage) {
  ASSIGN_OR_RETURN(const storage::TakenOut taken, TakeOut(EngineOptions(attempt.config), attempt));
  if (!taken.what.empty()) damage = taken.what;
  return OpenOnce(attempt, std::move(damage));
}

// From the mildest to the harshest: as it is, without the tables that are damaged, empty.
base::Result<Store> OpenByDegrees(const Attempt& attempt, const std::optional<Hurt>& hurt) {
  const std::string& directory = attempt.config.node.data_dir;
  const auto damaged = [&](const base::Result<Store>& store) {
    return !store && store.error().code() == base::Code::kCorruption && attempt.may_lose;
  };
  base::Status why;
  if (!hurt && !attempt.accept && !storage::TookOutTables(directory)) {
    auto store = OpenOnce(attempt, {});
    if (!damaged(store)) return store;
    why = store.error();
  }
  auto store = OpenWithoutDamagedTables(attempt, hurt ? hurt->damage : why.message());
  if (!damaged(store)) return store;
  // What is in it makes no sense.
  const std::string reason = store.error().message();
  if (attempt.keep.any()) return base::Fail(NobodyElseHas(attempt, reason));
  RETURN_IF_ERROR(SetAsideLoudly(directory, reason));
  return OpenOnce(attempt, reason);
}

base::Result<Store> Open(const server::Config& config, DataLoss loss,
                         const std::optional<Hurt>& hurt) {
  ASSIGN_OR_RETURN(const auto last, LastGuard(config.node.data_dir));
  const bool accept = loss == DataLoss::kAccept;
  std::uint64_t damaged_tables = 0;
  const Attempt attempt{.config = config,
                        .last = last,
                        .accept = accept,
                        .may_lose = accept || (last && last->members > 1),
                        .keep = accept ? storage::Irreplaceable{}
                                : last ? last->irreplaceable
                                       : storage::Irreplaceable{.keyspaces = {}, .more = true},
                        .damaged_tables = damaged_tables};
  if (hurt && !attempt.may_lose)
    return base::Fail(base::FailedPrecondition(
        fmt::format("data are damaged, and no other node is known to have them: {}. {}",
                    hurt->damage, HowToGoOn(attempt))));
  ASSIGN_OR_RETURN(Store store, OpenByDegrees(attempt, hurt));
  RETURN_IF_ERROR(storage::ForgetTakenOut(config.node.data_dir));  // The loss is written down.
  store.identity.damaged_tables = damaged_tables;
  if (hurt && damaged_tables == 0 && !hurt->table.empty())
    store.identity.healed_in_vain.emplace(hurt->table,
                                          std::chrono::duration_cast<std::chrono::milliseconds>(
                                              std::chrono::system_clock::now().time_since_epoch())
                                              .count());
  return store;
}

// That a process which died was making or reading. Their files are shared: they only take room, so
// one that cannot be removed stops no start; who makes the next one would say why.
void RemoveCheckpoints(const std::string& data_dir) {
  for (const char* suffix : {"", ".tmp"}) {  // RocksDB makes it there.
    std::error_code ignored;
    std::filesystem::remove_all(data_dir + "/" + server::kVerifyingDirectory + suffix, ignored);
  }
  server::DiskSnapshots(data_dir).RemoveUnfinished().IgnoreError();
}

}  // namespace

base::Result<Store> OpenStore(const server::Config& config, DataLoss loss,
                              const std::optional<Hurt>& hurt) {
  // A start that is refused says so in one message, which has what RocksDB warns of in it.
  base::log::Held warnings("rocksdb");
  auto store = Open(config, loss, hurt);
  if (store) {
    RemoveCheckpoints(config.node.data_dir);  // Not before: another process may be making them.
    warnings.Release();
    return store;
  }
  return base::Fail(store.error().Annotate(
      fmt::format("cannot use the data directory {}", config.node.data_dir)));
}

}  // namespace starling
