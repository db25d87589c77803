#include "server/scan.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "base/hash.h"
#include "server/wire/entries.h"

namespace starling::server {

struct Scans::Scan {
  ReplyTo reply;
  SnapshotPtr snapshot;
  wire::Consistency level{};
  ReplicaSet replicas;
  Requirement requirement;
  ReplicaMask asked = 0;
  PageRequest page;
  struct Part {
    std::string packed;
    bool done = false;
  };
  std::vector<Part> parts;
  base::TimerId deadline = 0;
};

struct Scans::LocalJob final : base::Job {
  LocalJob(Scans& home, std::uint64_t scan_id) : scans(home), id(scan_id) {}
  void Run() noexcept override { page = ReadPage(scans.engine_, request); }
  void Done() override { scans.OnLocal(*this); }

  Scans& scans;
  const std::uint64_t id;
  PageRequest request;
  Page page;
};

Scans::Scans(base::World& world, const Config& config, storage::Engine& engine, PeerLinks& links,
             ScanListener& listener)
    : world_(world), config_(config), engine_(engine), links_(links), listener_(listener) {}
Scans::~Scans() = default;

void Scans::Start(const ReplyTo& reply, const wire::ScanRequest& request) {
  const auto& ranges = snapshot_->ring->ranges(request.keyspace);
  const std::uint16_t bucket = base::BucketOf(request.from_token);
  const auto range = std::find_if(ranges.begin(), ranges.end(),
                                  [&](const auto& each) { return bucket <= each.last_bucket; });
  if (range == ranges.end()) {
    listener_.OnScanFailed(reply, {base::Code::kUnavailable,
                                   "the keyspace has no replicas: no node is in its datacenters",
                                   {}});
    return;
  }
  const auto [id, scan] = scans_.Add();
  scan->reply = reply;
  scan->snapshot = snapshot_;
  scan->level = request.level;
  // A range is a set of replicas; any of its buckets gives their order.
  scan->replicas = ReplicasOf(*snapshot_, request.keyspace, bucket);
  scan->requirement = RequirementOf(request.level, scan->replicas.all, scan->replicas.local);
  scan->page.keyspace = request.keyspace;
  scan->page.from_token = request.from_token;
  scan->page.after_key = request.after_key;
  scan->page.last_token = base::LastToken(range->last_bucket);
  scan->page.bytes_max = std::clamp<std::size_t>(request.bytes_max, 4096, kPageBytesStandard);
  if (!scan->requirement.reachable(scan->replicas.readable)) {
    Fail(id, *scan, base::Code::kUnavailable,
         fmt::format("scan at {} needs {} of {} replicas, {} can answer",
                     wire::ConsistencyName(request.level), scan->requirement.needed,
                     CountOf(scan->requirement.counted), CountOf(scan->replicas.readable)));
    return;
  }
  const base::Duration wait = request.deadline_ms == 0
                                  ? config_.timeouts.read
                                  : base::Duration(base::milliseconds(request.deadline_ms));
  scan->deadline = timers_.Add(world_.Now() + wait, id);
  int asked = 0;
  if (scan->replicas.self >= 0 && snapshot_->ready()) {
    Ask(id, *scan, scan->replicas.self);
    ++asked;
  }
  const ReplicaMask open = scan->replicas.readable & scan->requirement.counted;
  for (int i = 0; i < static_cast<int>(scan->replicas.nodes.size()); ++i) {
    if (asked == scan->requirement.needed) break;
    if ((open >> i & 1) == 0 || (scan->asked >> i & 1) != 0) continue;
    Ask(id, *scan, i);
    ++asked;
  }
}

void Scans::Ask(std::uint64_t id, Scan& scan, int replica) {
  scan.asked |= ReplicaMask{1} << replica;
  if (replica == scan.replicas.self) {
    auto job = std::make_unique<LocalJob>(*this, id);
    job->request = scan.page;
    LocalJob& running = *job;
    jobs_.push_back(std::move(job));
    world_.Offload(base::Lane::kBackground, running);
    return;
  }
  const topology::Node& node =
      scan.snapshot->node(scan.replicas.nodes[static_cast<std::size_t>(replica)]);
  const wire::ReplicaScan request{scan.page.keyspace,
                                  scan.page.from_token,
                                  scan.page.after_key,
                                  scan.page.last_token,
                                  static_cast<std::uint32_t>(scan.page.bytes_max),
                                  scan.snapshot->topology->epoch};
  links_.Send({node.cluster, node.host}, {kTagScan, static_cast<std::uint32_t>(replica), id, 0},
              request);
}

void Scans::OnLocal(LocalJob& job) {
  const auto it = std::find_if(jobs_.begin(), jobs_.end(),
                               [&](const auto& each) { return each.get() == &job; });
  CHECK(it != jobs_.end());
  const std::unique_ptr<LocalJob> done = std::move(*it);
  jobs_.erase(it);
  Scan* scan = scans_.Find(done->id);
  if (scan == nullptr) return;
  if (!done->page.status.ok()) {
    Fail(done->id, *scan, done->page.status.code(), done->page.status.message());
    return;
  }
  OnPart(done->id, *scan, std::move(done->page.packed), done->page.done);
}

void Scans::OnPeerReply(const PeerTag& tag, const wire::Frame& frame) {
  Scan* scan = scans_.Find(tag.a);
  if (scan == nullptr) return;
  const auto reply = wire::Decode<wire::ReplicaScanReply>(frame.header);
  if (frame.kind != wire::Kind::kReplicaScanReply || !reply ||
      base::Hash64(frame.payload) != reply->payload_digest) {
    OnPeerFailed(tag, base::Unavailable("the replica refused, or its page is malformed"));
    return;
  }
  OnPart(tag.a, *scan, std::string(frame.payload), reply->done);
}

void Scans::OnPeerFailed(const PeerTag& tag, const base::Status& status) {
  if (Scan* scan = scans_.Find(tag.a))
    Fail(tag.a, *scan, base::Code::kUnavailable, "scan: " + status.message());
}

// Whether the parts are in the order of storage and within what was asked for; a part that is not
// done must have come further than the cursor.
base::Status Scans::Collect(const Scan& scan, Newest& newest, std::optional<Place>& upto,
                            bool& all_done) {
  const std::uint64_t seed = scan.snapshot->topology->token_seed;
  const Place from{scan.page.from_token, scan.page.after_key};
  for (const Scan::Part& part : scan.parts) {
    base::Bytes rest = part.packed;
    std::optional<Place> last;
    while (!rest.empty()) {
      ASSIGN_OR_RETURN(const wire::PackedEntry entry, wire::UnpackEntry(rest));
      const Place place{base::TokenOf(entry.key, seed), entry.key};
      if (place <= last.value_or(from) || place.first > scan.page.last_token)
        return base::Corruption("an entry is out of its place");
      last = place;
      const auto [it, fresh] = newest.emplace(place, entry);
      if (!fresh && it->second.version < entry.version) it->second = entry;
    }
    if (part.done) continue;
    if (!last) return base::Corruption("a page has neither entries nor an end");
    all_done = false;
    if (!upto || *last < *upto) upto = last;
  }
  return base::Ok();
}

void Scans::OnPart(std::uint64_t id, Scan& scan, std::string packed, bool done) {
  scan.parts.push_back({std::move(packed), done});
  if (static_cast<int>(scan.parts.size()) == scan.requirement.needed) Merge(id, scan);
}

void Scans::Merge(std::uint64_t id, Scan& scan) {
  Newest newest;
  bool all_done = true;
  std::optional<Place> upto;  // Beyond it some replica has not spoken, or the page is full.
  if (const base::Status sound = Collect(scan, newest, upto, all_done); !sound.ok()) {
    Fail(id, scan, base::Code::kCorruption, "a replica's page is malformed: " + sound.message());
    return;
  }
  std::string payload;
  const std::int64_t now_ms = world_.WallMs();
  std::optional<Place> merged;
  for (const auto& [place, entry] : newest) {
    if (upto && *upto < place) break;
    const storage::EntryHeader header{entry.version, entry.expiry_ms, entry.value_digest,
                                      storage::Origin::kDirect, entry.flags};
    if (header.live(now_ms)) {
      // Where replicas differ, their pages together may be more than a page.
      if (!payload.empty() && payload.size() + wire::PackedBytes(entry) > scan.page.bytes_max) {
        all_done = false;
        upto = merged;
        break;
      }
      wire::PackEntryTo(entry, payload);
    }
    merged = place;
  }
  wire::ScanReply reply;
  if (all_done) {
    reply.done = base::BucketOf(scan.page.last_token) == base::kBuckets - 1;
    reply.next_token = reply.done ? 0 : scan.page.last_token + 1;
  } else if (upto) {
    reply.next_token = upto->first;
    reply.next_after_key = upto->second;
  }
  reply.payload_digest = base::Hash64(payload);
  listener_.OnScanDone(scan.reply, reply, payload);
  End(id, scan);
}

void Scans::Fail(std::uint64_t id, Scan& scan, base::Code code, std::string message) {
  listener_.OnScanFailed(scan.reply, {code, std::move(message), {}});
  End(id, scan);
}

void Scans::End(std::uint64_t id, Scan& scan) {
  timers_.Cancel(scan.deadline);
  scans_.Remove(id);
}

void Scans::OnWake(base::Instant now) {
  for (std::uint64_t id = 0; timers_.PopDue(now, &id);)
    if (Scan* scan = scans_.Find(id))
      Fail(id, *scan, base::Code::kTimeout, "scan: the deadline has passed");
}

}  // namespace starling::server
