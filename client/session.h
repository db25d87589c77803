// client/session.h: the client itself, as a part of an Actor: requests in, results out.
//
// A Session keeps several connections to each node, learns the cluster map, sends each request to
// a replica of its key that is up, and watches deadlines. Many requests are in flight at a time and
// are answered out of order. It is the one client of applications (client/client.h), of tools and
// of the simulator alike.
//
//   class Mine : public base::Actor, client::Session::Listener {
//     void OnStart() override { session_.Start(); session_.Put({.key = "k", .value = "v"}, 1); }
//     void OnPut(std::uint64_t tag, const client::PutResult& result) override { ... }
//     ... OnOpen, OnBytes, OnClose: hand on to session_ ...
//     void OnWake() override { session_.OnWake(); }
//     void OnTurnEnd() override { session_.OnTurnEnd(); world_.WakeAt(session_.next_wake()); }
//   };
//
// What it repeats, and what not (design section 9):
// - A read that is not answered within attempt_timeout, or whose connection ends, is asked again of
//   another node until its deadline; one that a node answered with an error, a few times. A page of
//   a scan that has too few replicas waits for them until its deadline.
// - A put is sent once. Without an answer its outcome is unknown (kTimeout) and it has no stamp:
// the
//   caller must not repeat it as if it had not happened. If the node answered kTimeout, the result
//   carries the stamp: a put with this stamp, the same key and value is the same write again.
// - A result of kUnavailable or kOverloaded means that nothing was changed.
//
// Thread:    confined to its actor's World.
// Ownership: the World and the Listener outlive it. Arguments are copied where they must be kept.
// Read next: client/links.h, client/routing.h, docs/protocol.md.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/slab.h"
#include "base/timers.h"
#include "base/world.h"
#include "client/links.h"
#include "client/results.h"
#include "client/routing.h"

namespace starling::client {

struct SessionOptions {
  LinksOptions links;
  // How long a request may take in all, where its arguments don't say.
  base::Duration timeout = base::seconds(5);
  // A read not answered so long is asked of another node; each attempt waits twice as long as the
  // last. Lower: a stopped node is passed by sooner; a slow cluster gets more of the same requests.
  base::Duration attempt_timeout = base::milliseconds(1000);
  // The second attempt of a read follows at once, each later one after a pause: of so long, and
  // twice as long each time up to the maximum.
  base::Duration pause_min = base::milliseconds(50);
  base::Duration pause_max = base::milliseconds(500);
  // How often a node may answer a read with an error that another might not. (It has looked for an
  // answer until its own deadline by then, or knows that there is none.)
  unsigned read_errors_max = 3;
  // How old the map may grow: what is learnt from it is who is up, new nodes and keyspaces.
  base::Duration map_interval = base::seconds(3);
  // Requests at a time; one more is refused with kOverloaded.
  std::size_t requests_max = 65536;
};

class Session final : private Links::Owner {
 public:
  // Results, in the turn in which they are known, and never inside a call to Session other than
  // OnBytes, OnClose, OnWake and OnTurnEnd. What they refer to lives until the method returns. All
  // of Session may be called from here.
  class Listener {
   public:
    virtual void OnPut(std::uint64_t tag, const PutResult& result) = 0;
    virtual void OnGet(std::uint64_t tag, const GetResult& result) = 0;
    virtual void OnScan(std::uint64_t tag, const ScanResult& result) = 0;
    virtual void OnCreateKeyspace(std::uint64_t tag, const CreateKeyspaceResult& result) = 0;
    virtual void OnAdmin(std::uint64_t tag, const AdminResult& result) = 0;
    virtual void OnPing(std::uint64_t tag, const base::Status& status) = 0;
    // The answer to FetchMap: routing().map() is as new as any node knows, if ok.
    virtual void OnMap(std::uint64_t tag, const base::Status& status) = 0;

   protected:
    ~Listener() = default;
  };

  Session(base::World& world, Listener& listener, SessionOptions options);

  // Begins to connect. From the actor's OnStart.
  void Start();

  // Each gives its result to the Listener under `tag`, exactly once. Before a node is reached they
  // wait, within their timeout.
  void Put(const PutArgs& args, std::uint64_t tag);
  void Get(const GetArgs& args, std::uint64_t tag);
  void Scan(const ScanArgs& args, std::uint64_t tag);
  void CreateKeyspace(const CreateKeyspaceArgs& args, std::uint64_t tag);
  void Admin(const AdminArgs& args, std::uint64_t tag);
  void Ping(std::uint64_t tag);
  void FetchMap(std::uint64_t tag);

  const Routing& routing() const { return routing_; }
  // Requests of the caller that have no result yet.
  std::size_t in_flight() const { return ops_.size() - (map_op_ == 0 ? 0 : 1); }

  // The actor hands these on. Connections that are not the session's are ignored.
  void OnOpen(base::ConnId conn) { links_.OnOpen(conn); }
  std::size_t OnBytes(base::ConnId conn, base::Bytes bytes) { return links_.OnBytes(conn, bytes); }
  void OnClose(base::ConnId conn, base::CloseReason reason) { links_.OnClose(conn, reason); }
  void OnWake();
  void OnTurnEnd();
  // When OnWake must be called next.
  base::Instant next_wake() const { return timers_.next(); }

 private:
  enum class OpKind : std::uint8_t {
    kPut,
    kGet,
    kScan,
    kCreateKeyspace,
    kAdmin,
    kPing,
    kMap,
    kOwnMap
  };

  // One request. Its slab id is its id on the wire.
  struct Op {
    OpKind kind = OpKind::kPut;
    wire::Consistency level = wire::Consistency::kQuorum;
    bool tombstone = false;
    bool restored = false;
    bool want_value = true;
    bool held = false;    // Waits for a connection, or for the map.
    bool paused = false;  // A read that is asked again when its timer fires.
    unsigned attempts = 0;
    unsigned errors = 0;  // Of those that were answered so.
    base::Status why{};   // Of a read that is asked again: what became of the last attempt.
    std::uint64_t tag = 0;
    std::uint64_t maps_needed = 0;  // Routing::adopted() that would prove its keyspace missing.
    base::Instant start, deadline;
    base::TimerId timer = 0;
    base::ConnId conn{};    // Of the last attempt.
    base::Address address;  // Likewise.
    std::uint64_t ttl_ms = 0;
    std::uint64_t value_digest = 0;
    base::Version stamp;
    base::Token from_token = 0;
    std::uint32_t bytes_max = 0;
    std::string keyspace;  // Of a new one: its name.
    std::string key;       // Likewise: its replication. Of kAdmin: the command.
    std::string payload;   // Copied only when it must wait.

    void Reset();  // Strings keep their memory.
  };
  enum class Sent : std::uint8_t { kSent, kNoMap, kNoRoom, kFailed };

  std::pair<std::uint64_t, Op*> NewOp(OpKind kind, std::uint64_t tag, base::Duration timeout);
  static base::Status CheckSizes(const Op& op, base::Bytes payload);
  void Begin(std::uint64_t id, Op& op, base::Bytes payload);
  Sent TrySend(std::uint64_t id, Op& op, base::Bytes payload);
  Sent AwaitKeyspace(std::uint64_t id, Op& op);
  Links::Link* PickLink(const Op& op, const wire::ClusterMap::Keyspace* keyspace);
  void SendOn(const Links::Link& link, std::uint64_t id, const Op& op, base::KeyspaceId keyspace,
              base::Bytes payload);
  void ArmTimer(std::uint64_t id, Op& op);
  void SendHeld();
  void FailHopeless();
  void RefreshMap();  // Unless it is on its way.
  void OnOpTimer(std::uint64_t id);

  // Asks again if it is a read that may; else ends it.
  void Fail(std::uint64_t id, Op& op, const base::Status& status, base::Version stamp = {});
  void FailAnswered(std::uint64_t id, Op& op, const base::Status& status, base::Version stamp = {});
  void AskAgain(std::uint64_t id, Op& op, const base::Status& why);
  static bool IsRead(const Op& op);
  bool MayAskAgain(const Op& op, base::Code code) const;
  void End(std::uint64_t id, Op& op, const base::Status& status, base::Version stamp = {});
  static std::string_view UnknownIfPut(const Op& op);
  void FailLater(OpKind kind, std::uint64_t tag, base::Status status);
  void Tell(OpKind kind, std::uint64_t tag, const base::Status& status, base::Version stamp);
  // Takes the op off the books and gives its tag.
  std::uint64_t Finish(std::uint64_t id, Op& op);

  // What a node answered.
  void OnLinkReady(const wire::HelloReply& hello) override;
  void OnFrame(const Links::Link& link, const wire::Frame& frame) override;
  void OnLinkDown(base::ConnId conn, base::Address address) override;
  base::Status TakeReply(std::uint64_t id, Op& op, const wire::Frame& frame);
  base::Status TakePut(std::uint64_t id, Op& op, const wire::Frame& frame);
  base::Status TakeGet(std::uint64_t id, Op& op, const wire::Frame& frame);
  base::Status TakeScan(std::uint64_t id, Op& op, const wire::Frame& frame);
  base::Status TakeCreateKeyspace(std::uint64_t id, Op& op, const wire::Frame& frame);
  base::Status TakeAdmin(std::uint64_t id, Op& op, const wire::Frame& frame);
  base::Status TakeMap(std::uint64_t id, Op& op, const wire::Frame& frame);
  base::Status TakeError(std::uint64_t id, Op& op, const wire::Frame& frame);

  base::World& world_;
  Listener& listener_;
  const SessionOptions options_;
  Links links_;
  Routing routing_;
  base::Slab<Op> ops_;
  base::Timers timers_;  // Tag: an op's id, or kUpkeepTag.
  std::deque<std::uint64_t> held_;
  struct LateFailure {
    OpKind kind;
    std::uint64_t tag;
    base::Status status;
  };
  std::vector<LateFailure> failed_;      // Told at the end of the turn.
  std::vector<wire::PackedEntry> page_;  // Of the scan that is being told; reused.
  std::uint64_t map_op_ = 0;             // The open kOwnMap, if any.
  base::Instant map_due_;
  base::Instant map_retry_at_;  // After a request for a map that failed.
};

}  // namespace starling::client
