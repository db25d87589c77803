#include "server/absence.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/log.h"
#include "base/mutants.h"
#include "server/meta_records.h"
#include "server/purge/marks.h"
#include "server/topology/codec.h"
#include "server/tree_rebuild.h"

namespace starling::server {
namespace {

constexpr base::Bytes kLostKey = "lost";

std::string LossAgainstGuard(const storage::GuardRecord& guard, std::uint64_t boot,
                             std::uint64_t recovered) {
  if (base::Mutant("absence-guard-ignored")) return {};
  if (guard.boot > boot)
    return fmt::format(
        "the guard file is of start {}, and the data of start {}: they are an older "
        "copy, or their log was lost",
        guard.boot, boot);
  if (guard.mark > recovered)
    return fmt::format(
        "the guard file says that change {} was synced, and the data end with "
        "change {}: {} changes are lost",
        guard.mark, recovered, guard.mark - recovered);
  return {};
}

// As it is stored here: epoch 0 when there is none.
base::Result<topology::Topology> KnownTopology(storage::Engine& engine) {
  ASSIGN_OR_RETURN(const StoredTopology stored, LoadTopology(engine));
  if (stored.topology.empty()) return topology::Topology{};
  return topology::DecodeTopology(stored.topology);
}

bool HasEntries(storage::Engine& engine) {
  const auto cursor = engine.Scan(storage::Family::kData, {}, {});
  cursor->Seek({});
  return cursor->Valid();
}

// They may be of another moment than the data, and would vouch for what is lost: who has lost data
// starts from none, and takes over what the others have (server/adoption.h).
base::Status DropPurgeMarks(storage::Engine& engine, storage::Batch& batch) {
  if (base::Mutant("repair-marks-outlive-loss")) return base::Ok();
  const base::Bytes prefix = purge::Marks::kPrefix;
  const auto cursor = engine.Scan(storage::Family::kMeta, prefix, {});
  for (cursor->Seek(prefix); cursor->Valid() && cursor->key().starts_with(prefix); cursor->Next())
    batch.Delete(storage::Family::kMeta, cursor->key());
  return cursor->status();
}

// Who else would have what is lost: nobody, and why; or empty.
std::string WhyNobodyHas(const Start& start, std::uint32_t members, const std::string& missing,
                         const storage::Irreplaceable& irreplaceable) {
  if (members <= 1 && !(missing.empty() && start.damage.empty()))
    return "There is no other node to have them from";
  // The end of the log may be of any keyspace; tables were looked at.
  if (!missing.empty() && irreplaceable.any())
    return fmt::format("And {} one replica, so no other node has what is lost of that",
                       irreplaceable.Have());
  return {};
}

}  // namespace

storage::Irreplaceable IrreplaceableIn(const topology::Topology& topology, std::uint32_t lacking) {
  storage::Irreplaceable found;
  for (const topology::Keyspace& keyspace : topology.keyspaces)
    if (EffectiveFactor(topology, keyspace.replication) <= 1 + lacking)
      found.keyspaces.push_back({keyspace.id, keyspace.name});
  return found;
}

base::Result<Loss> LoadLoss(storage::Engine& engine) {
  const auto found = storage::GetOne(engine, storage::Family::kMeta, kLostKey);
  if (!found && found.error().code() == base::Code::kNotFound) return Loss{};
  if (!found) return base::Fail(found.error());
  if (found->size() < sizeof(std::uint64_t))
    return base::Fail(base::Corruption("the record 'lost' is too short"));
  return Loss{base::LoadLittle<std::uint64_t>(found->data()), found->substr(8)};
}

void SaveLoss(storage::Batch& batch, const Loss& loss) {
  if (!loss.any()) return batch.Delete(storage::Family::kMeta, kLostKey);
  std::string& out = batch.BeginPut(storage::Family::kMeta, kLostKey);
  base::AppendLittle(out, loss.boot);
  out.append(loss.reason);
  batch.EndPut();
}

base::Result<NodeIdentity> BeginLife(storage::Engine& engine, storage::Guard& guard,
                                     const Start& start) {
  const storage::Identity& identity = start.identity;
  const storage::GuardRecord last = start.last.value_or(storage::GuardRecord{});
  if (start.last && last.host != identity.host)
    return base::Fail(base::FailedPrecondition(fmt::format(
        "its data are of host {}, and its guard file is of host {}: parts of two directories were "
        "mixed; put back what belongs together",
        identity.host.ToString(), last.host.ToString())));
  NodeIdentity life;
  life.host = identity.host;
  life.cluster_id = identity.cluster_id;
  life.recovered = engine.sequence();
  ASSIGN_OR_RETURN(const std::uint64_t last_boot, storage::LastBoot(engine));
  ASSIGN_OR_RETURN(const std::uint64_t clock_bound, storage::LoadClockBound(engine));
  ASSIGN_OR_RETURN(life.loss, LoadLoss(engine));
  ASSIGN_OR_RETURN(const topology::Topology known, KnownTopology(engine));
  const std::uint32_t members =
      std::max(last.members, static_cast<std::uint32_t>(known.members().size()));
  life.boot = std::max(last_boot, last.boot) + 1;
  life.clock_floor = std::max(clock_bound, last.clock_bound);
  if (life.cluster_id.empty()) life.cluster_id = last.cluster_id;

  const storage::Irreplaceable irreplaceable = Union(last.irreplaceable, IrreplaceableIn(known));
  const std::string missing =
      start.last ? LossAgainstGuard(last, last_boot, life.recovered) : std::string();
  const std::string reason = start.damage.empty() ? missing : start.damage;
  const std::string nobody_has = WhyNobodyHas(start, members, missing, irreplaceable);
  if (!nobody_has.empty() && !start.accept_loss)
    return base::Fail(base::FailedPrecondition(fmt::format(
        "{}. {}. Put the lost files back if you have them; to go on with what is left, start once "
        "with --accept-data-loss",
        missing.empty() ? reason : missing, nobody_has)));
  if (!nobody_has.empty())
    base::log::Warn("storage", "{}; that is accepted, and this node goes on with what is left",
                    reason);
  storage::Batch batch;
  // Without a guard file and a topology nothing says how many there are: there may be others, who
  // count on what it acknowledged.
  const bool unknown = !start.last && known.epoch == 0;
  if (!reason.empty() && (members > 1 || unknown)) {
    life.loss = {life.boot, reason};
    SaveLoss(batch, life.loss);
  }
  // Before the boot is counted: a crash in the midst of it leaves it to be done again. Without a
  // topology there was no entry yet, or what is there means nothing any more.
  if (life.loss.boot == life.boot || !reason.empty()) {
    if (known.epoch == 0 && HasEntries(engine))
      return base::Fail(base::Corruption("there are entries, and no topology to read them by"));
    // What no other node has is not let go without an operator's word, damaged or not.
    const bool drops = start.accept_loss || !irreplaceable.any();
    UnmakeTrees(batch, drops ? DamagedEntries::kDrop : DamagedEntries::kKeep);
    RETURN_IF_ERROR(DropPurgeMarks(engine, batch));
  }
  storage::SaveBoot(batch, life.boot);
  const storage::Batch* const batches[] = {&batch};
  if (base::Status status = engine.Write(batches, storage::Sync::kYes); !status.ok())
    return base::Fail(status.Annotate(fmt::format("counting start {}", life.boot)));
  guard.Begin({.host = life.host,
               .cluster_id = life.cluster_id,
               .boot = life.boot,
               .mark = 0,
               .clock_bound = life.clock_floor,
               .members = members,
               .irreplaceable = irreplaceable});
  guard.Synced(engine.sequence());
  return life;
}

std::string LossAgainst(const Mark& remembered, std::uint64_t boot, std::uint64_t recovered,
                        std::uint64_t synced, std::uint64_t back) {
  if (remembered.boot < back) return {};
  if (remembered.boot > boot)
    return fmt::format(
        "it remembers this node's start {}, and this is only start {}: the data "
        "directory is an older copy",
        remembered.boot, boot);
  // Of this life it cannot remember more than what is synced by now: so two lives had one number.
  const std::uint64_t has = remembered.boot == boot ? synced : recovered;
  if (remembered.sequence > has)
    return fmt::format(
        "it remembers that this node synced change {}, and the data end{} with "
        "change {}",
        remembered.sequence, remembered.boot == boot ? "" : "ed at the start", has);
  return {};
}

}  // namespace starling::server
