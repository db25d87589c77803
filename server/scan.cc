#include "server/scan.h"

#include <fmt/core.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "base/hash.h"
#include "server/scan_merge.h"
#include "server/scan_page.h"

namespace starling::server {
namespace {

// When a page asks one more replica than it needs, because one is slow: a page is more work than a
// key, and one in order takes far less.
constexpr base::Duration kScanSpeculateAfter = base::milliseconds(100);
// When replicas that failed are asked again, if too few are left: a lost connection is made anew
// within this time.
constexpr base::Duration kScanRetryAfter = base::milliseconds(150);

ReplicaMask BitOf(int replica) { return ReplicaMask{1} << replica; }

// What a replica has, it will have again.
bool Lasting(const base::Status& why) {
  return why.code() == base::Code::kCorruption || why.code() == base::Code::kIo;
}

}  // namespace

struct Scans::Scan {
  ReplyTo reply;
  SnapshotPtr snapshot;  // Whom it asks is decided under one view of who owns the range.
  wire::Consistency level{};
  ReplicaSet replicas;
  Requirement requirement;
  std::uint64_t round = 0;  // Of Locate: answers count for one view only.
  ReplicaMask asked = 0;
  ReplicaMask answered = 0;
  ReplicaMask failed = 0;
  ReplicaMask damaged = 0;  // Failed for good.
  base::Status damage;      // Of the last of them.
  base::Status why;         // Of the last that failed.
  bool retrying = false;    // Those that failed are asked again when the timer fires.
  PageRequest page;
  std::optional<ScanMerge> merge;  // Of this round.
  std::uint64_t bytes = 0;         // Held against the limit.
  base::Instant ends;
  base::TimerId timer = 0;

  int open() const { return requirement.needed - CountOf(answered); }
  // Can the others suffice, when these are out?
  bool hopeless(ReplicaMask out) const { return !requirement.reachable(replicas.readable & ~out); }
};

// Our own page of a scan.
struct Scans::LocalPage final : PageWork {
  LocalPage(Scans& home, const Scan& scan, std::uint64_t scan_id)
      : scans(home),
        id(scan_id),
        round(scan.round),
        replica(scan.replicas.self),
        epoch(home.snapshot_->topology->epoch),
        request(scan.page) {}
  void Run() noexcept override { read = ReadScanPage(scans.parts_.engine, request); }
  bool Wanted() const override { return scans.FindRound(id, round) != nullptr; }
  void Take() override { scans.OnLocal(*this); }
  void Drop() override {}

  Scans& scans;
  const std::uint64_t id;
  const std::uint64_t round;
  const int replica;
  const std::uint64_t epoch;
  const PageRequest request;
  ScanPage read;
};

Scans::Scans(const ScanParts& parts, std::uint64_t memory_bytes_max)
    : parts_(parts), memory_bytes_max_(memory_bytes_max) {}
Scans::~Scans() = default;

void Scans::Start(const ReplyTo& reply, const wire::ScanRequest& request) {
  const auto [id, scan] = scans_.Add();
  scan->reply = reply;
  scan->level = request.level;
  scan->page.keyspace = request.keyspace;
  scan->page.from_token = request.from_token;
  scan->page.after_key = request.after_key;
  scan->page.bytes_max = std::clamp<std::size_t>(request.bytes_max, 4096, kPageBytesStandard);
  if (!Locate(id, *scan) || !Admit(id, *scan)) return;
  const base::Instant now = parts_.world.Now();
  const base::Duration standard = parts_.config.timeouts.read;
  scan->ends =
      now + (request.deadline_ms == 0
                 ? standard
                 : std::min<base::Duration>(base::milliseconds(request.deadline_ms), standard));
  scan->timer = timers_.Add(std::min(scan->ends, now + kScanSpeculateAfter), id);
  AskMissing(id, *scan);
}

void Scans::OnClientGone(base::ConnId conn) {
  scans_.ForEach([&](std::uint64_t id, Scan& scan) {
    if (scan.reply.conn == conn) End(id, scan);
  });
}

// Which replicas have the page, as of now. False: too few can answer, and the scan has failed.
bool Scans::Locate(std::uint64_t id, Scan& scan) {
  scan.snapshot = snapshot_;
  ++scan.round;
  scan.asked = scan.answered = scan.failed = scan.damaged = 0;
  const auto& ranges = snapshot_->ring->ranges(scan.page.keyspace);
  const std::uint16_t bucket = base::BucketOf(scan.page.from_token);
  const auto range = std::find_if(ranges.begin(), ranges.end(),
                                  [&](const auto& each) { return bucket <= each.last_bucket; });
  if (range == ranges.end()) {
    Fail(id, scan, base::Code::kUnavailable,
         "the keyspace has no replicas: no node is in its datacenters");
    return false;
  }
  // A range is a set of replicas; any of its buckets gives their order.
  scan.replicas = ReplicasOf(*snapshot_, scan.page.keyspace, bucket, Purpose::kRead);
  scan.requirement = RequirementOf(scan.level, scan.replicas.all, scan.replicas.local);
  scan.page.last_token = base::LastToken(range->last_bucket);
  scan.merge.emplace(ScanMerge::Place{scan.page.from_token, scan.page.after_key},
                     scan.page.last_token, snapshot_->topology->token_seed);
  if (!scan.hopeless(0)) return true;
  FailShort(id, scan, base::Code::kUnavailable, "the others are down or not ready");
  return false;
}

// Refuses a scan whose pages would not fit: the client may try later.
bool Scans::Admit(std::uint64_t id, Scan& scan) {
  const std::uint64_t bytes =
      scan.page.bytes_max * static_cast<std::uint64_t>(scan.requirement.needed);
  if (bytes_in_flight_ == 0 || bytes_in_flight_ + bytes <= memory_bytes_max_) {
    scan.bytes = bytes;
    bytes_in_flight_ += bytes;
    return true;
  }
  ++overloaded_;
  Fail(id, scan, base::Code::kOverloaded,
       fmt::format("pages of scans under way hold {} bytes, the limit is {}: try again later",
                   bytes_in_flight_, memory_bytes_max_));
  return false;
}

// As many as are needed and not under way. A scan that ends meanwhile takes `scan` with it.
void Scans::AskMissing(std::uint64_t id, Scan& scan) {
  const std::uint64_t round = scan.round;
  const int under_way = CountOf(scan.asked & ~scan.answered & ~scan.failed);
  for (int missing = scan.open() - under_way; missing > 0; --missing) {
    if (!AskAnother(id, scan)) return;
    if (FindRound(id, round) == nullptr) return;
  }
}

// Asks one more replica that can answer: ourselves first, then in the order of the ring, from a
// place that differs by page. False: there is none left.
bool Scans::AskAnother(std::uint64_t id, Scan& scan) {
  const ReplicaMask open = scan.replicas.readable & scan.requirement.counted & ~scan.asked;
  if (open == 0) return false;
  const int n = static_cast<int>(scan.replicas.nodes.size());
  int chosen = -1;
  if (scan.replicas.self >= 0 && (open & BitOf(scan.replicas.self)) != 0) {
    chosen = scan.replicas.self;
  } else {
    const int start = static_cast<int>(scan.page.from_token % static_cast<std::uint64_t>(n));
    for (int i = 0; i < n && chosen < 0; ++i)
      if ((open & BitOf((start + i) % n)) != 0) chosen = (start + i) % n;
  }
  Ask(id, scan, chosen);
  return true;
}

void Scans::Ask(std::uint64_t id, Scan& scan, int replica) {
  scan.asked |= BitOf(replica);
  if (replica == scan.replicas.self) {
    if (!parts_.pages.Add(std::make_unique<LocalPage>(*this, scan, id)))
      OnReplicaFailed(id, scan, replica, base::Overloaded("too many pages wait to be read"));
    return;
  }
  const topology::Node& node =
      scan.snapshot->node(scan.replicas.nodes[static_cast<std::size_t>(replica)]);
  const wire::ReplicaScan request{scan.page.keyspace,
                                  scan.page.from_token,
                                  scan.page.after_key,
                                  scan.page.last_token,
                                  static_cast<std::uint32_t>(scan.page.bytes_max),
                                  scan.snapshot->topology->epoch,
                                  wire::DeadlineMs(scan.ends - parts_.world.Now()),
                                  true};
  parts_.links.Send({node.cluster, node.host},
                    {kTagScan, static_cast<std::uint32_t>(replica), id, scan.round}, request);
}

Scans::Scan* Scans::FindRound(std::uint64_t id, std::uint64_t round) {
  Scan* scan = scans_.Find(id);
  return scan != nullptr && scan->round == round ? scan : nullptr;
}

void Scans::OnLocal(LocalPage& local) {
  Page& page = local.read.page;
  parts_.met_damage.Note(page.status);
  Scan* scan = FindRound(local.id, local.round);
  if (scan == nullptr) return;
  if (!page.status.ok()) return OnReplicaFailed(local.id, *scan, local.replica, page.status);
  const bool marked = snapshot_->topology->epoch == local.epoch;
  OnPage(local.id, *scan, local.replica,
         {std::move(page.packed), page.done, marked ? local.epoch : 0,
          marked ? std::move(local.read.purged) : std::string(), local.read.told_upto});
}

void Scans::OnPeerReply(const PeerTag& tag, const wire::Frame& frame) {
  Scan* scan = FindRound(tag.a, tag.c);
  if (scan == nullptr) return;
  if (frame.kind == wire::Kind::kError) {
    const auto error = wire::Decode<wire::ErrorReply>(frame.header);
    return OnPeerFailed(tag, error ? base::Status(error->code, error->message) : error.error());
  }
  if (frame.kind != wire::Kind::kReplicaScanReply)
    return OnPeerFailed(tag, base::Unavailable("the replica answered something else"));
  const auto reply = wire::Decode<wire::ReplicaScanReply>(frame.header);
  if (!reply) return OnPeerFailed(tag, reply.error());
  if (base::Hash64(frame.payload) != reply->payload_digest)
    return OnPeerFailed(tag, base::Unavailable("its page was damaged on its way"));
  OnPage(tag.a, *scan, static_cast<int>(tag.b),
         {std::string(frame.payload), reply->done, reply->epoch, std::string(reply->purged),
          reply->told_upto});
}

void Scans::OnPeerFailed(const PeerTag& tag, const base::Status& status) {
  if (Scan* scan = FindRound(tag.a, tag.c))
    OnReplicaFailed(tag.a, *scan, static_cast<int>(tag.b), status);
}

void Scans::OnPage(std::uint64_t id, Scan& scan, int replica, ReplicaPage page) {
  if ((scan.answered & BitOf(replica)) != 0) return;
  const std::uint64_t size = page.packed.size();
  if (const base::Status sound = scan.merge->Add(std::move(page)); !sound.ok()) {
    OnReplicaFailed(id, scan, replica,
                    base::Corruption("a replica's page is malformed: " + sound.message()));
    return;
  }
  if (size > scan.page.bytes_max) {  // One entry may be larger than a page.
    const std::uint64_t more = size - scan.page.bytes_max;
    scan.bytes += more;
    bytes_in_flight_ += more;
  }
  scan.answered |= BitOf(replica);
  scan.failed &= ~BitOf(replica);
  if (scan.open() == 0) Merge(id, scan);
}

void Scans::OnReplicaFailed(std::uint64_t id, Scan& scan, int replica, const base::Status& why) {
  scan.failed |= BitOf(replica);
  scan.why = why;
  if (Lasting(why)) {
    scan.damaged |= BitOf(replica);
    scan.damage = why;
  }
  const std::uint64_t round = scan.round;
  AskAnother(id, scan);
  if (FindRound(id, round) == nullptr || !scan.hopeless(scan.failed)) return;
  if (scan.hopeless(scan.damaged))
    Fail(id, scan, scan.damage.code(), "scan: " + scan.damage.message());
  else
    RetryLater(id, scan);
}

void Scans::RetryLater(std::uint64_t id, Scan& scan) {
  if (scan.retrying) return;
  const base::Instant at = parts_.world.Now() + kScanRetryAfter;
  if (at >= scan.ends) return FailShort(id, scan, base::Code::kUnavailable, scan.why.message());
  scan.retrying = true;
  timers_.Cancel(scan.timer);
  scan.timer = timers_.Add(at, id);
}

void Scans::Retry(std::uint64_t id, Scan& scan) {
  scan.retrying = false;
  if (snapshot_->ring_epoch != scan.snapshot->ring_epoch) {
    // Other replicas, and perhaps another end of the range.
    if (!Locate(id, scan)) return;
  } else {
    // Who is down by now need not be waited for. (The order of the replicas is that of the ring.)
    scan.replicas.readable =
        scan.answered | ReplicasOf(*snapshot_, scan.page.keyspace,
                                   base::BucketOf(scan.page.from_token), Purpose::kRead)
                            .readable;
    scan.asked &= ~scan.failed | scan.damaged;
    scan.failed = scan.damaged;
    if (scan.hopeless(scan.damaged))
      return FailShort(id, scan, base::Code::kUnavailable, "the others are down");
  }
  AskMissing(id, scan);
}

void Scans::Merge(std::uint64_t id, Scan& scan) {
  const ScanMerge::Merged merged = scan.merge->Merge(scan.page.bytes_max, parts_.world.WallMs());
  wire::ScanReply reply;
  if (merged.next) {
    reply.next_token = merged.next->first;
    reply.next_after_key = merged.next->second;
  } else {
    reply.done = base::BucketOf(scan.page.last_token) == base::kBuckets - 1;
    reply.next_token = reply.done ? 0 : scan.page.last_token + 1;
  }
  reply.payload_digest = base::Hash64(merged.payload);
  parts_.listener.OnScanDone(scan.reply, reply, merged.payload);
  End(id, scan);
}

void Scans::Fail(std::uint64_t id, Scan& scan, base::Code code, std::string message) {
  parts_.listener.OnScanFailed(scan.reply, {code, std::move(message), {}});
  End(id, scan);
}

void Scans::FailShort(std::uint64_t id, Scan& scan, base::Code code, std::string_view why) {
  Fail(id, scan, code,
       fmt::format("scan at {}: {} of {} replicas answered, {} needed, {} can answer: {}",
                   wire::ConsistencyName(scan.level), CountOf(scan.answered),
                   CountOf(scan.requirement.counted), scan.requirement.needed,
                   CountOf(scan.replicas.readable & scan.requirement.counted), why));
}

void Scans::End(std::uint64_t id, Scan& scan) {
  bytes_in_flight_ -= scan.bytes;
  timers_.Cancel(scan.timer);
  scans_.Remove(id);
}

void Scans::OnWake(base::Instant now) {
  for (std::uint64_t id = 0; timers_.PopDue(now, &id);) {
    Scan* scan = scans_.Find(id);
    if (scan == nullptr) continue;
    scan->timer = 0;
    if (now >= scan->ends) {
      FailShort(id, *scan, base::Code::kTimeout, "the deadline has passed");
      continue;
    }
    scan->timer = timers_.Add(std::min(scan->ends, now + kScanSpeculateAfter), id);
    if (scan->retrying)
      Retry(id, *scan);
    else
      AskAnother(id, *scan);
  }
}

}  // namespace starling::server
