// server/scan.h: a page of a keyspace for a client, merged from as many replicas as its level
// needs.
//
// A page lies within one range of the ring, so that it has one set of replicas. Each asked replica
// answers with its entries from the cursor on, tombstones included, and with what it had purged
// before it looked; what that says together, server/scan_merge.h knows. The reads run on the
// background lane, off the workers.
//
// A replica that fails is replaced by another at once, a slow one is joined by another, and when
// too few are left, those that failed are asked again until the deadline. What was answered stays:
// it was read after the scan began. If ownership changed meanwhile, the page starts over.
//
// Thread:    confined to the worker whose connection asked.
// Read next: server/scan_merge.h, server/scan_page.h, server/page_lane.h
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/slab.h"
#include "base/timers.h"
#include "base/world.h"
#include "server/config.h"
#include "server/mail.h"
#include "server/met_damage.h"
#include "server/page_lane.h"
#include "server/peer_links.h"
#include "server/quorum.h"
#include "server/scan_merge.h"
#include "server/snapshot.h"
#include "server/wire/messages.h"
#include "storage/engine.h"

namespace starling::server {

inline constexpr std::uint32_t kTagScan = 5;  // PeerTag::kind of its requests.

class ScanListener {
 public:
  virtual void OnScanDone(const ReplyTo& to, const wire::ScanReply& reply, base::Bytes payload) = 0;
  virtual void OnScanFailed(const ReplyTo& to, const wire::ErrorReply& error) = 0;

 protected:
  ~ScanListener() = default;
};

struct ScanParts {
  base::World& world;
  const Config& config;
  storage::Engine& engine;
  PeerLinks& links;
  PageLane& pages;
  ScanListener& listener;
  MetDamage& met_damage;
};

class Scans {
 public:
  // What the pages of scans under way may hold; beyond it a scan is refused with kOverloaded, but
  // one is always served.
  Scans(const ScanParts& parts, std::uint64_t memory_bytes_max);
  ~Scans();

  void Adopt(SnapshotPtr snapshot) { snapshot_ = std::move(snapshot); }
  void Start(const ReplyTo& reply, const wire::ScanRequest& request);

  // Its scans have nobody to answer to.
  void OnClientGone(base::ConnId conn);

  void OnPeerReply(const PeerTag& tag, const wire::Frame& frame);
  void OnPeerFailed(const PeerTag& tag, const base::Status& status);
  void OnWake(base::Instant now);
  base::Instant next_wake() const { return timers_.next(); }

  std::size_t in_flight() const { return scans_.size(); }
  std::uint64_t overloaded() const { return overloaded_; }

 private:
  struct Scan;
  struct LocalPage;

  bool Locate(std::uint64_t id, Scan& scan);
  bool Admit(std::uint64_t id, Scan& scan);
  void AskMissing(std::uint64_t id, Scan& scan);
  bool AskAnother(std::uint64_t id, Scan& scan);
  void Ask(std::uint64_t id, Scan& scan, int replica);
  Scan* FindRound(std::uint64_t id, std::uint64_t round);
  void OnLocal(LocalPage& page);
  void OnPage(std::uint64_t id, Scan& scan, int replica, ReplicaPage page);
  void OnReplicaFailed(std::uint64_t id, Scan& scan, int replica, const base::Status& why);
  void RetryLater(std::uint64_t id, Scan& scan);
  void Retry(std::uint64_t id, Scan& scan);
  void Merge(std::uint64_t id, Scan& scan);
  void Fail(std::uint64_t id, Scan& scan, base::Code code, std::string message);
  void FailShort(std::uint64_t id, Scan& scan, base::Code code, std::string_view why);
  void End(std::uint64_t id, Scan& scan);

  // Constant after construction.
  const ScanParts parts_;
  const std::uint64_t memory_bytes_max_;

  SnapshotPtr snapshot_;
  base::Slab<Scan> scans_;
  base::Timers timers_;  // Deadlines, speculation and retries.
  std::uint64_t bytes_in_flight_ = 0;
  std::uint64_t overloaded_ = 0;
};

}  // namespace starling::server
