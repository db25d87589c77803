// tools/starlingd/run_node.cc: joins storage, the World of libuv, and the actors of a node.
#include "tools/starlingd/run_node.h"

#include <fmt/core.h>

#include <chrono>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include "base/log.h"
#include "base/uv/uv_world.h"
#include "server/keyring_file.h"
#include "server/mail.h"
#include "server/node.h"
#include "server/tree_rebuild.h"
#include "tools/starlingd/open_files.h"
#include "tools/starlingd/store.h"

namespace starling {
namespace {

// What takes longer is worth a line: it is why a node is late.
constexpr std::chrono::milliseconds kSlowOpen{500};
// In a row, of one process. A longer one has done some good.
constexpr int kShortLivesMax = 16;
constexpr std::chrono::minutes kShortLife{1};

// What a life of this process leaves to the next.
struct Legacy {
  DataLoss loss = DataLoss::kRefuse;  // Accepted once: the next life may lose something else.
  Trees trees = Trees::kKeep;         // Asked for once, too.
  bool again = false;                 // There shall be a next.
  std::optional<Hurt> hurt;           // Why, if tables may be damaged.
  std::uint64_t damaged_tables = 0;   // Taken out so far.
  server::HealedInVain healed_in_vain;
  // A write failed for damage, and the start that followed found no table damaged.
  bool unexplained = false;
};

// Nobody has read a leaf yet.
base::Status RebuildTrees(const Store& store) {
  storage::Batch batch;
  const server::DamagedEntries damaged =
      store.identity.loss.any() ? server::DamagedEntries::kDrop : server::DamagedEntries::kKeep;
  server::UnmakeTrees(batch, damaged);
  const storage::Batch* const batches[] = {&batch};
  return store.engine->Write(batches, storage::Sync::kYes);
}

// What the next life should know of damage; nothing: a life that ends for another reason, as the
// others remember more than it has, says nothing of the tables.
std::optional<Hurt> HurtOf(const server::Node& node, const base::Status& ended) {
  // RocksDB takes no write any more once a compaction has met a damaged table.
  if (!node.begins_again() && ended.code() == base::Code::kCorruption)
    return Hurt{ended.message(), {}};
  if (node.begins_again() && !node.ended_for().empty()) return Hurt{{}, node.ended_for()};
  return std::nullopt;
}

bool MetByWrite(const std::optional<Hurt>& hurt) { return hurt && !hurt->damage.empty(); }

// It would meet the same again, life after life.
base::Status Unexplained(const std::string& damage) {
  return base::Corruption(fmt::format(
      "damage was met for the second time that reading all tables does not show, so it is not "
      "known what to take out: {}. To have all from the other nodes anew, move everything but the "
      "file 'guard' out of the data directory and start this node",
      damage));
}

// One life of the node.
base::Status Live(const server::Config& config, Legacy& legacy) {
  legacy.again = false;
  // Opened first and closed last: every actor and every job may use it.
  const auto began = std::chrono::steady_clock::now();
  ASSIGN_OR_RETURN(Store store, OpenStore(config, legacy.loss, legacy.hurt));
  legacy.loss = DataLoss::kRefuse;
  if (std::exchange(legacy.trees, Trees::kKeep) == Trees::kRebuild)
    RETURN_IF_ERROR(RebuildTrees(store));
  if (MetByWrite(legacy.hurt)) {
    const bool explained = store.identity.damaged_tables > 0;
    if (!explained && legacy.unexplained) return Unexplained(legacy.hurt->damage);
    legacy.unexplained = !explained;
  }
  legacy.damaged_tables += store.identity.damaged_tables;
  store.identity.damaged_tables = legacy.damaged_tables;
  legacy.healed_in_vain.merge(store.identity.healed_in_vain);
  store.identity.healed_in_vain = legacy.healed_in_vain;
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - began);
  if (took >= kSlowOpen)
    base::log::Info("storage", "opened {} and replayed its log in {} ms", config.node.data_dir,
                    took.count());

  ASSIGN_OR_RETURN(const server::NodeKeys keys, server::LoadKeys(config));

  std::random_device device;
  const std::uint64_t seed = static_cast<std::uint64_t>(device()) << 32 | device();
  base::UvSystem system(seed,
                        {.stop_mail_kind = static_cast<std::uint16_t>(server::MailKind::kStop)});
  server::Node node(
      config, store.identity, *store.engine, *store.guard,
      [&system](base::ActorId id) -> base::World& { return system.MakeWorld(id); }, keys,
      server::SystemLookUp, [&config] { return server::LookAtDirectory(config.node.data_dir); });
  node.ForEachActor([&system](base::ActorId id, base::Actor& actor) { system.Attach(id, actor); });
  base::Status ended = system.Run();
  legacy.hurt = HurtOf(node, ended);
  legacy.again = node.begins_again() || MetByWrite(legacy.hurt);
  if (legacy.again) {
    base::log::Warn("node", "{}", ended.message());
    return ended;
  }
  // Not in order: RocksDB is left as it is. After a write that failed, closing it could write
  // again, to files whose state is unknown; and the log has all that was acknowledged.
  if (!ended.ok()) static_cast<void>(store.engine.release());
  return ended;
}

}  // namespace

base::Status RunNode(const server::Config& config, DataLoss loss, Trees trees) {
  ASSIGN_OR_RETURN(const auto level, base::log::ParseLevel(config.log.level));
  base::log::SetLevel(level);
  RaiseOpenFiles(config.limits.connections_max);
  Legacy legacy;
  legacy.loss = loss;
  legacy.trees = trees;
  base::Status ended;
  // Each life knows what the one before found out; at most, each other member has one more to tell.
  int short_lives = 0;
  do {
    const auto began = std::chrono::steady_clock::now();
    ended = Live(config, legacy);
    const bool is_short = std::chrono::steady_clock::now() - began < kShortLife;
    short_lives = is_short ? short_lives + 1 : 0;
  } while (legacy.again && short_lives < kShortLivesMax);
  return ended;
}

}  // namespace starling
