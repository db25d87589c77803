#include "server/hints.h"

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "base/mutants.h"
#include "server/replica_write.h"

namespace starling::server {
namespace {

constexpr std::size_t kKeyspaceAt = 4;
constexpr std::size_t kTokenAt = 8;
constexpr std::size_t kVersionAt = 16;
constexpr std::size_t kKeyAt = 32;

std::string HintKey(base::NodeNumber target, const storage::DataKey& key,
                    const base::Version& version) {
  std::string out;
  out.reserve(kKeyAt + key.key.size());
  base::AppendBig(out, target);
  base::AppendBig(out, key.keyspace);
  base::AppendBig(out, key.token);
  base::AppendBig(out, version.timestamp);
  base::AppendBig(out, version.node);
  base::AppendBig(out, version.nonce);
  out.append(key.key);
  return out;
}

base::KeyspaceId KeyspaceOf(base::Bytes stored_key) {
  return base::LoadBig<base::KeyspaceId>(stored_key.data() + kKeyspaceAt);
}
std::uint16_t BucketOf(base::Bytes stored_key) {
  return base::BucketOf(base::LoadBig<base::Token>(stored_key.data() + kTokenAt));
}
std::int64_t StampedMs(base::Bytes stored_key) {
  return static_cast<std::int64_t>(base::LoadBig<std::uint64_t>(stored_key.data() + kVersionAt) >>
                                   16);
}

}  // namespace

struct Hints::ScanJob final : base::Job {
  explicit ScanJob(Hints& home) : hints(home) {}

  void Run() noexcept override {
    std::string begin(after);
    if (after.empty())
      base::AppendBig(begin, target);
    else
      begin.push_back('\0');  // The first key after it.
    std::string end;
    if (target != 0) base::AppendBig(end, target + 1);
    std::size_t bytes = 0;
    const auto cursor = hints.parts_.engine.Scan(storage::Family::kHints, begin, end);
    for (cursor->Seek(begin); cursor->Valid(); cursor->Next()) {
      const base::Bytes key = cursor->key();
      if (key.size() < kKeyAt || !Ours(key)) continue;
      if (target == 0) {
        Count(key, cursor->value());
        continue;
      }
      found.push_back({std::string(key), std::string(cursor->value())});
      bytes += key.size() + cursor->value().size();
      if (found.size() == kPageHints || bytes >= kPageBytes) break;
    }
    status = cursor->status();
  }
  void Done() override { hints.OnScanned(*this); }

  bool Ours(base::Bytes key) const {
    return base::WorkerOf(BucketOf(key), hints.parts_.workers) == hints.parts_.worker;
  }
  void Count(base::Bytes key, base::Bytes value) {
    HintStats::Target& count = counted[base::LoadBig<std::uint32_t>(key.data())];
    ++count.hints;
    count.bytes += key.size() + value.size();
    const std::int64_t oldest = StampedMs(key);
    count.oldest_ms = count.oldest_ms == 0 ? oldest : std::min(count.oldest_ms, oldest);
  }

  Hints& hints;
  base::NodeNumber target = 0;
  std::string after;  // Resume after this stored key.
  // Every hint that was stored for the target by then is on disk: the scan sees all but those that
  // are stored after its commit, `storing`.
  bool sees_all = false;
  std::uint64_t storing = 0;
  std::vector<Hint> found;
  std::map<base::NodeNumber, HintStats::Target> counted;
  base::Status status;
};

Hints::Hints(const HintsParts& parts) : parts_(parts) {}
Hints::~Hints() = default;

void Hints::Start() { Scan(0, {}); }

void Hints::Adopt(SnapshotPtr snapshot) { snapshot_ = std::move(snapshot); }

void Hints::Scan(base::NodeNumber target, base::Bytes after) {
  auto job = std::make_unique<ScanJob>(*this);
  job->target = target;
  job->after = after;
  if (target != 0) {
    job->storing = replays_[target].storing;
    job->sees_all = parts_.replica.Committed(job->storing);
  }
  ScanJob& running = *job;
  CHECK(scans_.emplace(target, std::move(job)).second);
  parts_.world.Offload(base::Lane::kBackground, running);
}

std::uint64_t Hints::bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [target, pending] : stats_.pending) sum += pending.bytes;
  return sum;
}

bool Hints::Store(base::NodeNumber target, const storage::DataKey& key,
                  const storage::EntryHeader& header, base::Bytes value) {
  if (!parts_.config.hints.enabled || base::Mutant("skip-hint")) return false;
  HintStats::Target& pending = stats_.pending[target];
  storage::EntryHeader hinted = header;
  hinted.origin = storage::Origin::kHint;
  const std::string stored_key = HintKey(target, key, header.version);
  const std::size_t size = stored_key.size() + storage::kEntryHeaderBytes + value.size();
  const bool no_room = parts_.replica.disk_full() && !header.tombstone();
  if (no_room || bytes() + size > parts_.config.hints.bytes_max / parts_.workers) {
    ++stats_.dropped;
    return false;
  }
  storage::Batch& batch = parts_.replica.batch();
  storage::EncodeEntryTo(hinted, value, batch.BeginPut(storage::Family::kHints, stored_key));
  batch.EndPut();
  replays_[target].storing = parts_.replica.last_commit();
  ++stats_.stored;
  ++pending.hints;
  pending.bytes += size;
  if (pending.oldest_ms == 0) pending.oldest_ms = header.version.wall_ms();
  return true;
}

const topology::Node* Hints::Target(base::NodeNumber number) const {
  return snapshot_ == nullptr ? nullptr : snapshot_->topology->FindNumber(number);
}

bool Hints::up(base::NodeNumber number) const {
  const topology::Node* node = Target(number);
  if (node == nullptr) return false;
  const auto index = static_cast<std::size_t>(node - snapshot_->topology->nodes.data());
  return snapshot_->peers[index].up || !node->member();  // Those that are gone: to be dropped.
}

void Hints::OnTick() {
  const base::Instant now = parts_.world.Now();
  if (now >= count_again_) {
    count_again_ = base::Instant::Never();
    Scan(0, {});
  }
  for (const auto& [target, pending] : stats_.pending) {
    if (pending.hints == 0 || !up(target)) continue;
    Replay& replay = replays_[target];
    // A page is read only once the deletions of the one before are on disk: else it would be sent
    // again.
    if (replay.step != Replay::Step::kIdle || now < replay.not_before ||
        !parts_.replica.Committed(replay.deleting))
      continue;
    replay.step = Replay::Step::kScanning;
    Scan(target, replay.after);
  }
}

void Hints::OnScanned(ScanJob& job) {
  const auto it = scans_.find(job.target);
  CHECK(it != scans_.end());
  const std::unique_ptr<ScanJob> done = std::move(it->second);
  scans_.erase(it);
  parts_.met_damage.Note(done->status);
  if (!done->status.ok())
    base::log::Warn("hints", "hints cannot be read, and wait: {}", done->status.message());
  if (done->target == 0)
    OnCounted(*done);
  else
    OnPage(*done);
}

void Hints::OnCounted(const ScanJob& job) {
  if (!job.status.ok()) {
    count_again_ = parts_.world.Now() + kPauseMax;
    return;
  }
  for (const auto& [target, count] : job.counted) {
    // What this run has stored meanwhile may be in the count too: then it is too high until a
    // replay has been through.
    HintStats::Target& pending = stats_.pending[target];
    pending.hints += count.hints;
    pending.bytes += count.bytes;
    pending.oldest_ms =
        pending.oldest_ms == 0 ? count.oldest_ms : std::min(pending.oldest_ms, count.oldest_ms);
  }
}

void Hints::OnPage(ScanJob& job) {
  Replay& replay = replays_[job.target];
  replay.step = Replay::Step::kIdle;
  if (!job.status.ok()) {
    Pause(replay);
    return;
  }
  if (!job.found.empty()) {
    replay.page = std::move(job.found);
    SendPage(job.target, replay);
    return;
  }
  // Nothing from the very first on: what is still counted is an error of the count, unless it was
  // stored too late for the scan to see.
  if (job.after.empty() && job.sees_all && job.storing == replay.storing)
    stats_.pending[job.target] = {};
  EndRound(replay);
}

// --- sending ---

// Whether the target will never take it, or it came too late.
bool Hints::Doomed(base::NodeNumber target, const Hint& hint) const {
  const topology::Node* node = Target(target);
  const std::int64_t too_old_ms = parts_.world.WallMs() - base::ToMs(parts_.config.hints.age_max);
  if (node == nullptr || !node->member() || StampedMs(hint.stored_key) < too_old_ms) return true;
  const auto entry = storage::DecodeEntry(hint.entry);
  const base::Status sound = entry ? storage::VerifyValue(*entry) : entry.error();
  parts_.met_damage.Note(sound);
  return !sound.ok() || !Owns(target, hint);
}

bool Hints::Owns(base::NodeNumber target, const Hint& hint) const {
  const auto index = Target(target) - snapshot_->topology->nodes.data();
  const auto replicas =
      snapshot_->ring->Replicas(KeyspaceOf(hint.stored_key), BucketOf(hint.stored_key));
  return std::find(replicas.begin(), replicas.end(), index) != replicas.end();
}

void Hints::SendPage(base::NodeNumber target, Replay& replay) {
  replay.step = Replay::Step::kSending;
  replay.open = 1;  // So that no answer ends the page before all of it is sent.
  for (std::size_t i = 0; i < replay.page.size(); ++i) {
    const Hint& hint = replay.page[i];
    if (Doomed(target, hint)) {
      Drop(target, hint);
      continue;
    }
    ++replay.open;
    SendHint(target, i, hint);
  }
  Settle(replay);
}

void Hints::SendHint(base::NodeNumber target, std::size_t index, const Hint& hint) {
  const auto entry = storage::DecodeEntry(hint.entry);
  const topology::Node* node = Target(target);
  CHECK(entry.has_value() && node != nullptr);  // Doomed has looked.
  const storage::EntryHeader& header = entry->header;
  const wire::ReplicaWrite write =
      ReplicaWriteOf(KeyspaceOf(hint.stored_key), base::Bytes(hint.stored_key).substr(kKeyAt),
                     header, snapshot_->topology->epoch);
  parts_.links.Send({node->cluster, node->host},
                    {kTagHint, static_cast<std::uint32_t>(index), target, 0}, write, entry->value);
}

// The hint that an answer or a failure is about.
const Hints::Hint* Hints::Answered(const PeerTag& tag) {
  const auto it = replays_.find(static_cast<base::NodeNumber>(tag.a));
  if (it == replays_.end() || it->second.step != Replay::Step::kSending) return nullptr;
  return tag.b < it->second.page.size() ? &it->second.page[tag.b] : nullptr;
}

void Hints::OnPeerReply(const PeerTag& tag, const wire::Frame& frame) {
  const Hint* hint = Answered(tag);
  if (hint == nullptr) return;
  const auto target = static_cast<base::NodeNumber>(tag.a);
  Replay& replay = replays_.at(target);
  const auto reply = wire::Decode<wire::ReplicaWriteReply>(frame.header);
  if (frame.kind == wire::Kind::kReplicaWriteReply && reply &&
      reply->outcome != wire::WriteOutcome::kRefused) {
    // Ok or superseded: either way the target holds this version or a later one.
    ++stats_.replayed;
    Forget(target, *hint);
  } else {
    const auto error = wire::Decode<wire::ErrorReply>(frame.header);
    // Such a write gets no better by waiting. The other reasons pass, ownership included: whether
    // the target owns the key is judged by our own epoch, at the next sending.
    const bool never =
        frame.kind == wire::Kind::kError && error &&
        (error->code == base::Code::kInvalidArgument || error->code == base::Code::kCorruption);
    if (never)
      Drop(target, *hint);
    else
      replay.refused = true;
  }
  Settle(replay);
}

void Hints::OnPeerFailed(const PeerTag& tag) {
  if (Answered(tag) == nullptr) return;
  Replay& replay = replays_.at(static_cast<base::NodeNumber>(tag.a));
  replay.away = true;
  Settle(replay);
}

void Hints::Drop(base::NodeNumber target, const Hint& hint) {
  ++stats_.dropped;
  Forget(target, hint);
}

void Hints::Forget(base::NodeNumber target, const Hint& hint) {
  parts_.replica.batch().Delete(storage::Family::kHints, hint.stored_key);
  replays_.at(target).deleting = parts_.replica.last_commit();
  HintStats::Target& pending = stats_.pending[target];
  const std::uint64_t size = hint.stored_key.size() + hint.entry.size();
  pending.hints -= std::min<std::uint64_t>(pending.hints, 1);
  pending.bytes -= std::min(pending.bytes, size);
  if (pending.hints == 0) pending = {};
}

// One hint of the page less to wait for.
void Hints::Settle(Replay& replay) {
  if (--replay.open == 0) EndPage(replay);
}

void Hints::EndPage(Replay& replay) {
  replay.step = Replay::Step::kIdle;
  replay.after = std::move(replay.page.back().stored_key);
  replay.page.clear();
  if (!replay.away) return;  // The next tick goes on behind this page.
  replay.pause = {};         // It may be back any moment, and takes them from the first on.
  replay.refused = true;
  EndRound(replay);
}

void Hints::EndRound(Replay& replay) {
  replay.after.clear();
  if (replay.refused)
    Pause(replay);
  else
    replay.pause = {};
  replay.refused = false;
  replay.away = false;
}

void Hints::Pause(Replay& replay) {
  replay.pause = std::clamp<base::Duration>(2 * replay.pause, kPauseMin, kPauseMax);
  replay.not_before = parts_.world.Now() + replay.pause;
}

}  // namespace starling::server
