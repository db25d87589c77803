// tools/starlingd/run_node.cc: joins storage, the World of libuv, and the actors of a node.
#include "tools/starlingd/run_node.h"

#include <chrono>
#include <optional>
#include <random>
#include <string>

#include "base/log.h"
#include "base/uv/uv_world.h"
#include "server/keyring_file.h"
#include "server/mail.h"
#include "server/node.h"
#include "tools/starlingd/open_files.h"
#include "tools/starlingd/store.h"

namespace starling {
namespace {

// What takes longer is worth a line: it is why a node is late.
constexpr std::chrono::milliseconds kSlowOpen{500};
constexpr int kLivesMax = 16;  // Of one process.

// One life of the node. `again`: it ended to begin another one.
base::Status Live(const server::Config& config, DataLoss loss, std::optional<std::string>* damage,
                  bool* again) {
  // Opened first and closed last: every actor and every job may use it.
  const auto began = std::chrono::steady_clock::now();
  ASSIGN_OR_RETURN(Store store, OpenStore(config, loss, *damage));
  damage->reset();
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
  // RocksDB takes no write any more once a compaction has met a damaged table.
  *again = node.begins_again() || ended.code() == base::Code::kCorruption;
  if (*again) {
    *damage = node.begins_again() ? std::string() : ended.message();
    base::log::Warn("node", "{}", ended.message());
    return ended;
  }
  // Not in order: RocksDB is left as it is. After a write that failed, closing it could write
  // again, to files whose state is unknown; and the log has all that was acknowledged.
  if (!ended.ok()) static_cast<void>(store.engine.release());
  return ended;
}

}  // namespace

base::Status RunNode(const server::Config& config, DataLoss loss) {
  ASSIGN_OR_RETURN(const auto level, base::log::ParseLevel(config.log.level));
  base::log::SetLevel(level);
  RaiseOpenFiles(config.limits.connections_max);
  bool again = true;
  base::Status ended;
  std::optional<std::string> damage;  // As the life before found it.
  // Each life knows what the one before found out; at most, each other member has one more to tell.
  for (int lives = 0; again && lives < kLivesMax; ++lives)
    ended = Live(config, loss, &damage, &again);
  return ended;
}

}  // namespace starling
