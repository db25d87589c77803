// server/scan.h: a page of a keyspace for a client, merged from as many replicas as its level
// needs.
//
// A page lies within one range of the ring, so that it has one set of replicas. Each asked replica
// answers with its entries from the cursor on, tombstones included; the newest version of each key
// wins, and what no replica could yet have shown is left to the next page. The reads run on the
// background lane, off the workers.
//
// Thread:    confined to the worker whose connection asked.
// Read next: server/entry_page.h
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/slab.h"
#include "base/timers.h"
#include "base/world.h"
#include "server/config.h"
#include "server/entry_page.h"
#include "server/mail.h"
#include "server/peer_links.h"
#include "server/quorum.h"
#include "server/snapshot.h"
#include "server/wire/entries.h"

namespace starling::server {

inline constexpr std::uint32_t kTagScan = 5;  // PeerTag::kind of its requests.

class ScanListener {
 public:
  virtual void OnScanDone(const ReplyTo& to, const wire::ScanReply& reply, base::Bytes payload) = 0;
  virtual void OnScanFailed(const ReplyTo& to, const wire::ErrorReply& error) = 0;

 protected:
  ~ScanListener() = default;
};

class Scans {
 public:
  Scans(base::World& world, const Config& config, storage::Engine& engine, PeerLinks& links,
        ScanListener& listener);
  ~Scans();

  void Adopt(SnapshotPtr snapshot) { snapshot_ = std::move(snapshot); }
  void Start(const ReplyTo& reply, const wire::ScanRequest& request);

  void OnPeerReply(const PeerTag& tag, const wire::Frame& frame);
  void OnPeerFailed(const PeerTag& tag, const base::Status& status);
  void OnWake(base::Instant now);
  base::Instant next_wake() const { return timers_.next(); }

 private:
  struct Scan;
  struct LocalJob;

  void Ask(std::uint64_t id, Scan& scan, int replica);
  void OnLocal(LocalJob& job);
  using Place = std::pair<base::Token, base::Bytes>;  // In the order of storage.
  using Newest = std::map<Place, wire::PackedEntry>;
  static base::Status Collect(const Scan& scan, Newest& newest, std::optional<Place>& upto,
                              bool& all_done);
  void OnPart(std::uint64_t id, Scan& scan, std::string packed, bool done);
  void Merge(std::uint64_t id, Scan& scan);
  void Fail(std::uint64_t id, Scan& scan, base::Code code, std::string message);
  void End(std::uint64_t id, Scan& scan);

  base::World& world_;
  const Config& config_;
  storage::Engine& engine_;
  PeerLinks& links_;
  ScanListener& listener_;
  SnapshotPtr snapshot_;
  base::Slab<Scan> scans_;
  base::Timers timers_;
  std::vector<std::unique_ptr<LocalJob>> jobs_;
};

}  // namespace starling::server
