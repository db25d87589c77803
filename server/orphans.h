// server/orphans.h: passes on the writes of a coordinator that died before all replicas had them.
//
// A replica remembers each coordinator's writes until it hears that they are handled
// (server/write_number.h). When the coordinator is down, or has come back under another boot, it
// takes them over after kDelay: each entry is read from storage and sent to the other replicas as
// it is stored, under its own version; who is down, or does not take it, is owed a hint. An entry
// that was replaced meanwhile is left to whoever replaced it. The other replicas do the same; what
// one has already costs it an answer, and a large value is offered by its version first.
//
// Thread:    confined to its worker.
// Read next: server/unhandled_writes.h, server/watermarks.h
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/slab.h"
#include "base/world.h"
#include "server/compare_soon.h"
#include "server/hints.h"
#include "server/peer_links.h"
#include "server/replica.h"
#include "server/snapshot.h"
#include "server/stats.h"
#include "server/unhandled_writes.h"
#include "server/write_number.h"

namespace starling::server {

// PeerTag::kind of its requests.
inline constexpr std::uint32_t kTagOrphanOffer = 6;
inline constexpr std::uint32_t kTagOrphanWrite = 7;

struct OrphansParts {
  base::World& world;
  Replica& replica;
  PeerLinks& links;
  Hints& hints;
  CompareSoon& compare_soon;
};

class Orphans {
 public:
  explicit Orphans(const OrphansParts& parts) : parts_(parts) {}

  void Adopt(SnapshotPtr snapshot);

  // A write that this worker takes; `numbered` of its connection.
  void Note(const WriteNumber& numbered, const wire::ReplicaWrite& write);
  // What an idle coordinator says.
  void Handled(const WriteSource& source, std::uint64_t below);

  // To be called now and then.
  void OnTick(base::Instant now);
  void OnLocalRead(const Ticket& ticket, const base::Status& error,
                   const storage::EntryHeader& header, base::Bytes value);
  void OnPeerReply(const PeerTag& tag, const wire::Frame& frame);
  void OnPeerFailed(const PeerTag& tag);

  OrphanStats stats() const;

 private:
  // From suspicion on. Higher: fewer writes of a coordinator that was only slow are passed on for
  // nothing; lower: orphans reach the others sooner.
  static constexpr base::Duration kDelay = base::milliseconds(300);
  static constexpr std::size_t kSourcesMax = 4096;       // Boots and workers of all nodes.
  static constexpr std::size_t kOpenMax = 16;            // Entries under way,
  static constexpr std::size_t kOpenBytesMax = 4 << 20;  // and their values.
  static constexpr std::size_t kOfferedFrom = 512;  // Bytes of a value that is not sent unasked.

  struct Source {
    UnhandledWrites writes;
    base::Instant orphaned = base::Instant::Never();  // Since when its coordinator is gone.
  };
  struct Entry {
    base::KeyspaceId keyspace = 0;
    base::Token token = 0;
    std::string key;
    base::Version version;
    storage::EntryHeader header;
    std::string value;
    std::uint32_t open = 0;  // Requests, and one while it is being handed out.
  };

  bool Gone(const WriteSource& source) const;
  void DropOldest(Source& source);
  void StartSome(base::Instant now);
  void Start(const UnhandledWrites::Write& write);
  void HandOut(std::uint64_t id, Entry& entry);
  void Offer(std::uint64_t id, Entry& entry, std::size_t node);
  void Send(std::uint64_t id, Entry& entry, std::size_t node);
  void LeaveHint(const Entry& entry, base::NodeNumber target);
  void Settle(std::uint64_t id, Entry& entry);

  const OrphansParts parts_;
  SnapshotPtr snapshot_;
  std::map<WriteSource, Source> sources_;
  // The one that wrote last: most writes come in runs of one source.
  std::pair<const WriteSource, Source>* last_ = nullptr;
  base::Slab<Entry> entries_;
  std::size_t open_bytes_ = 0;
  OrphanStats stats_;
};

}  // namespace starling::server
