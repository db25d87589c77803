#include "server/hints.h"

#include <algorithm>

#include "base/check.h"
#include "base/mutants.h"

namespace starling::server {
namespace {

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

}  // namespace

struct Hints::ScanJob final : base::Job {
  explicit ScanJob(Hints& home) : hints(home) {}

  void Run() noexcept override {
    std::string begin;
    base::AppendBig(begin, target);
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
      found.push_back({std::string(key), std::string(cursor->value()), false});
      bytes += key.size() + cursor->value().size();
      if (found.size() == kPageHints || bytes >= kPageBytes) break;
    }
  }
  void Done() override { hints.OnScanned(*this); }

  bool Ours(base::Bytes key) const {
    const auto token = base::LoadBig<base::Token>(key.data() + kTokenAt);
    return base::WorkerOf(base::BucketOf(token), hints.parts_.workers) == hints.parts_.worker;
  }
  void Count(base::Bytes key, base::Bytes value) {
    HintStats::Target& count = counted[base::LoadBig<std::uint32_t>(key.data())];
    ++count.hints;
    count.bytes += key.size() + value.size();
    const auto oldest =
        static_cast<std::int64_t>(base::LoadBig<std::uint64_t>(key.data() + kVersionAt) >> 16);
    count.oldest_ms = count.oldest_ms == 0 ? oldest : std::min(count.oldest_ms, oldest);
  }

  Hints& hints;
  base::NodeNumber target = 0;
  std::vector<Hint> found;
  std::map<base::NodeNumber, HintStats::Target> counted;
};

Hints::Hints(const HintsParts& parts) : parts_(parts) {}
Hints::~Hints() = default;

void Hints::Start() { Scan(0); }

void Hints::Adopt(SnapshotPtr snapshot) { snapshot_ = std::move(snapshot); }

void Hints::Scan(base::NodeNumber target) {
  auto job = std::make_unique<ScanJob>(*this);
  job->target = target;
  ScanJob& running = *job;
  CHECK(scans_.emplace(target, std::move(job)).second);
  parts_.world.Offload(base::Lane::kBackground, running);
}

void Hints::Store(base::NodeNumber target, const storage::DataKey& key,
                  const storage::EntryHeader& header, base::Bytes value) {
  if (!parts_.config.hints.enabled || base::Mutant("skip-hint")) return;
  HintStats::Target& pending = stats_.pending[target];
  storage::EntryHeader hinted = header;
  hinted.origin = storage::Origin::kHint;
  const std::string stored_key = HintKey(target, key, header.version);
  const std::size_t bytes = stored_key.size() + storage::kEntryHeaderBytes + value.size();
  if (pending.bytes + bytes > parts_.config.hints.bytes_max / parts_.workers) {
    ++stats_.dropped;
    return;
  }
  storage::Batch& batch = parts_.replica.batch();
  storage::EncodeEntryTo(hinted, value, batch.BeginPut(storage::Family::kHints, stored_key));
  batch.EndPut();
  ++stats_.stored;
  ++pending.hints;
  pending.bytes += bytes;
  if (pending.oldest_ms == 0) pending.oldest_ms = header.version.wall_ms();
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
  for (auto& [target, pending] : stats_.pending) {
    if (pending.hints == 0 || !up(target) || replays_.contains(target)) continue;
    replays_[target].scanning = true;
    Scan(target);
  }
}

void Hints::OnScanned(ScanJob& job) {
  const auto it = scans_.find(job.target);
  CHECK(it != scans_.end());
  const std::unique_ptr<ScanJob> done = std::move(it->second);
  scans_.erase(it);
  if (done->target == 0) {
    for (const auto& [target, count] : done->counted) {
      // What this run has stored meanwhile may be in the count too: then it is too high until the
      // replay finds nothing.
      HintStats::Target& pending = stats_.pending[target];
      pending.hints += count.hints;
      pending.bytes += count.bytes;
      pending.oldest_ms = count.oldest_ms;
    }
    return;
  }
  Replay& replay = replays_[done->target];
  replay.scanning = false;
  replay.page = std::move(done->found);
  if (replay.page.empty()) {
    stats_.pending[done->target] = {};
    replays_.erase(done->target);
    return;
  }
  SendPage(done->target, replay);
}

void Hints::SendPage(base::NodeNumber target, Replay& replay) {
  const topology::Node* node = Target(target);
  const std::int64_t too_old_ms = parts_.world.WallMs() - base::ToMs(parts_.config.hints.age_max);
  replay.open = 0;
  replay.failed = false;
  for (std::size_t i = 0; i < replay.page.size(); ++i) {
    Hint& hint = replay.page[i];
    const auto stamped_ms = static_cast<std::int64_t>(
        base::LoadBig<std::uint64_t>(hint.stored_key.data() + kVersionAt) >> 16);
    const auto entry = storage::DecodeEntry(hint.entry);
    if (node == nullptr || !node->member() || stamped_ms < too_old_ms || !entry) {
      ++stats_.dropped;
      Forget(target, hint);
      hint.done = true;
      continue;
    }
    ++replay.open;
    SendHint(target, i, replay);
  }
  if (replay.open == 0) EndPage(target);
}

void Hints::SendHint(base::NodeNumber target, std::size_t index, Replay& replay) {
  const Hint& hint = replay.page[index];
  const auto entry = storage::DecodeEntry(hint.entry);
  const topology::Node* node = Target(target);
  CHECK(entry.has_value());
  CHECK(node != nullptr);
  const storage::EntryHeader& header = entry->header;
  const wire::ReplicaWrite write{base::LoadBig<std::uint32_t>(hint.stored_key.data() + 4),
                                 base::Bytes(hint.stored_key).substr(kKeyAt),
                                 header.version,
                                 header.flags,
                                 static_cast<std::uint8_t>(header.origin),
                                 header.expiry_ms,
                                 header.value_digest,
                                 snapshot_->topology->epoch};
  parts_.links.Send({node->cluster, node->host},
                    {kTagHint, static_cast<std::uint32_t>(index), target, 0}, write, entry->value);
}

void Hints::OnPeerReply(const PeerTag& tag, const wire::Frame& frame) {
  const auto reply = wire::Decode<wire::ReplicaWriteReply>(frame.header);
  if (frame.kind != wire::Kind::kReplicaWriteReply || !reply ||
      reply->outcome == wire::WriteOutcome::kRefused) {
    OnPeerFailed(tag);
    return;
  }
  const auto target = static_cast<base::NodeNumber>(tag.a);
  const auto it = replays_.find(target);
  if (it == replays_.end() || tag.b >= it->second.page.size()) return;
  Hint& hint = it->second.page[tag.b];
  if (hint.done) return;
  // Ok or superseded: either way the target holds this version or a later one.
  hint.done = true;
  ++stats_.replayed;
  Forget(target, hint);
  if (--it->second.open == 0) EndPage(target);
}

void Hints::OnPeerFailed(const PeerTag& tag) {
  const auto target = static_cast<base::NodeNumber>(tag.a);
  const auto it = replays_.find(target);
  if (it == replays_.end()) return;
  it->second.failed = true;
  if (it->second.open > 0 && --it->second.open == 0) EndPage(target);
}

void Hints::Forget(base::NodeNumber target, const Hint& hint) {
  parts_.replica.batch().Delete(storage::Family::kHints, hint.stored_key);
  HintStats::Target& pending = stats_.pending[target];
  const std::uint64_t bytes = hint.stored_key.size() + hint.entry.size();
  pending.hints -= std::min<std::uint64_t>(pending.hints, 1);
  pending.bytes -= std::min(pending.bytes, bytes);
}

// The next page is read only after the deletions of this one are committed: so by the next tick.
void Hints::EndPage(base::NodeNumber target) {
  const auto it = replays_.find(target);
  CHECK(it != replays_.end());
  replays_.erase(it);
  HintStats::Target& pending = stats_.pending[target];
  if (pending.hints == 0) pending = {};
}

}  // namespace starling::server
