// server/worker.h: one thread of the data path: the slices it owns, and the connections it serves.
//
// A worker decodes what its sockets hold, carries out what concerns its own keys, and hands the
// rest to the worker that owns them. Handlers only queue work: OnTurnEnd() is where the turn's
// operations read, decide, write and answer, so what a batch is, is written once.
//
// Thread:    an Actor; everything here is confined to its thread.
// Read next: server/replica.h, server/coordinator.h, ARCHITECTURE.md (life of a write)
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/actor.h"
#include "base/world.h"
#include "server/adoption.h"
#include "server/coordinator.h"
#include "server/greeting_queue.h"
#include "server/hints.h"
#include "server/mail.h"
#include "server/memory_share.h"
#include "server/node_shared.h"
#include "server/open_values.h"
#include "server/orphans.h"
#include "server/page_lane.h"
#include "server/peer_links.h"
#include "server/purger.h"
#include "server/repair_pull.h"
#include "server/replica.h"
#include "server/resp/session.h"
#include "server/scan.h"
#include "server/shared_buckets.h"
#include "server/snapshot.h"
#include "server/spread_writes.h"
#include "server/tree_rebuild.h"

namespace starling::server {

class Worker final : public base::Actor, ReplicaListener, PeerLinksListener, Replier, ScanListener {
 public:
  Worker(base::World& world, NodeShared& shared, unsigned number);
  ~Worker() override;

  void OnStart() override;
  void OnOpen(base::ConnId conn, base::Address peer, base::ListenerId listener) override;
  std::size_t OnBytes(base::ConnId conn, base::Bytes bytes) override;
  bool OnPeerEnd(base::ConnId conn) override;
  void OnClose(base::ConnId conn, base::CloseReason reason) override;
  void OnDatagram(base::Address from, base::Bytes bytes) override;
  void OnMail(std::unique_ptr<base::Mail> mail) override;
  void OnWake() override;
  void OnTurnEnd() override;

 private:
  struct Conn {
    base::ListenerId listener{};
    bool greeted = false;                 // Native protocol: its hello was accepted.
    WriteCounter writes;                  // Of a node's connection: whose it is, too.
    std::uint32_t open = 0;               // Requests not answered yet.
    bool paused = false;                  // Not read from until it takes what is queued.
    std::unique_ptr<resp::Session> resp;  // Of a Redis client's.
    bool flushing = false;                // FlushResp is at it.
    std::uint32_t value_bytes = 0;        // The largest value lately answered with.
    std::size_t part_bytes = 0;           // Of a request that has not come whole yet.
  };
  class PeerPage;
  class ValueRead;
  // Each answer takes this part off of what the connection's next value is expected to have.
  static constexpr std::uint32_t kValueFades = 16;
  static constexpr const char* kUntaken =
      "answers that this connection has not taken leave no room for more in limits.memory: read "
      "them, and try again";
  static constexpr const char* kExpired = "the deadline passed before it was read";
  static constexpr const char* kPaced =
      "it reads at repair.rate, and what was asked for before takes too long: try again later";

  // --- ReplicaListener ---
  bool OnStamp(const Ticket& ticket, const base::Version& held,
               storage::EntryHeader* header) override;
  void OnLocalWrite(const Ticket& ticket, wire::WriteOutcome outcome, const base::Version& held,
                    const base::Status& error) override;
  void OnLocalRead(const Ticket& ticket, const base::Status& error,
                   const storage::EntryHeader& header, base::Bytes value,
                   std::uint64_t purged) override;
  // --- PeerLinksListener ---
  void OnPeerReply(const PeerTag& tag, const wire::Frame& frame) override;
  void OnPeerFailed(const PeerTag& tag, const base::Status& status) override;
  void OnLinkLost(const PeerAddress& peer, base::CloseReason reason) override;
  base::Status OnPeerHello(const PeerAddress& peer, const wire::HelloReply& reply) override;
  void OnHelloRefused(const PeerAddress& peer, const wire::ErrorReply& error) override;
  // --- Replier ---
  void ReplyPut(const ReplyTo& to, const wire::PutReply& reply) override;
  void ReplyGet(const ReplyTo& to, const wire::GetReply& reply, base::Bytes value) override;
  void ReplyError(const ReplyTo& to, const wire::ErrorReply& error) override;
  // --- ScanListener ---
  void OnScanDone(const ReplyTo& to, const wire::ScanReply& reply, base::Bytes payload) override;
  void OnScanFailed(const ReplyTo& to, const wire::ErrorReply& error) override;

  // Frames of clients: server/worker_clients.cc
  bool OnClientFrame(base::ConnId conn, Conn& state, const wire::Frame& frame);
  bool GreetClient(base::ConnId conn, Conn& state, const wire::Frame& frame);
  wire::HelloReply Greeting() const;
  void HandleClient(const ReplyTo& reply, const wire::Frame& frame);
  void HandlePut(const ReplyTo& reply, const wire::Frame& frame);
  void HandleGet(const ReplyTo& reply, const wire::Frame& frame);
  void HandleScan(const ReplyTo& reply, const wire::Frame& frame);
  void HandleClusterMap(const ReplyTo& reply);
  wire::ClusterMap MapOfCluster() const;

  // Frames of other nodes: server/worker_peers.cc
  bool OnPeerFrame(base::ConnId conn, Conn& state, const wire::Frame& frame);
  bool GreetPeer(base::ConnId conn, Conn& state, const wire::Frame& frame);
  void HandlePeer(const ReplyTo& reply, base::NodeNumber peer, const wire::Frame& frame,
                  const WriteNumber& numbered = {});
  void TakeReplicaWrite(const ReplyTo& reply, WriteCounter& writes, const wire::Frame& frame);
  void HandleReplicaWrite(const ReplyTo& reply, const wire::ReplicaWrite& write,
                          const wire::Frame& frame, const WriteNumber& numbered);
  void HandleHandled(const ReplyTo& reply, const WriteSource& source, const wire::Frame& frame);
  void HandleReplicaRead(const ReplyTo& reply, const wire::Frame& frame);
  void HandleReplicaScan(const ReplyTo& reply, const wire::Frame& frame);
  void HandleSliceHashes(const ReplyTo& reply, base::NodeNumber peer, const wire::Frame& frame);
  purge::Source OwnFacts(base::KeyspaceId keyspace, std::uint16_t bucket) const;
  void HandleBucketParts(const ReplyTo& reply, const wire::Frame& frame);
  void HandleBucketPull(const ReplyTo& reply, const wire::Frame& frame);
  void ReadForPeer(std::unique_ptr<PageWork> work, const ReplyTo& reply);
  void OnPeerPage(PeerPage& page);
  void AnswerScan(const PeerPage& page);
  void AnswerParts(const PeerPage& page);
  // Large values, in pieces: server/worker_pieces.cc
  void HandleValuePiece(const ReplyTo& reply, const wire::Frame& frame);
  void OnValueRead(ValueRead& read);
  void KeepAnnounced(PeerPage& page);
  void SendPiece(const ReplyTo& reply, const OpenValues::Id& id, std::uint32_t offset,
                 std::uint32_t bytes_max, base::Bytes value);
  static base::Instant EndOf(const ReplyTo& reply, std::uint32_t deadline_ms);
  static Ticket PeerTicket(const ReplyTo& reply);
  base::Status CheckOwner(base::KeyspaceId keyspace, std::uint16_t bucket,
                          std::uint64_t epoch) const;

  // The RESP port: server/worker_resp.cc
  void OpenResp(Conn& state);
  std::size_t OnRespBytes(base::ConnId conn, Conn& state, base::Bytes bytes);
  bool FlushResp(base::ConnId conn, Conn& state);
  void ResumeResp(base::ConnId conn, Conn& state);
  void RefreshFacts();
  void RefreshClusterFacts();
  void RunKeyOp(const ReplyTo& reply, const resp::KeyOp& op);
  void SendKeyResult(const ReplyTo& to, const resp::KeyResult& result);
  void DeliverKeyResult(base::ConnId conn, std::uint64_t request_id, const resp::KeyResult& result);

  // Mail: server/worker_mail.cc
  std::size_t UnmadeSlices() const;
  void AnswerDigests(const DigestQueryMail& query);
  void AnswerRangeSums(const RangeSumsQueryMail& query);
  void SendDigests();
  void AnswerStats(const StatsQueryMail& query);
  void TakeRumor(base::Bytes payload);

  // Everything else: server/worker.cc, and server/worker_parts.cc for what the parts report
  void Adopt(SnapshotPtr snapshot);
  std::size_t TakeBytes(base::ConnId conn, base::Bytes bytes);
  void ForgetPart(base::ConnId conn);
  void KeepPart(base::ConnId conn, std::size_t bytes);
  void CloseWithError(base::ConnId conn, std::uint64_t request_id, const base::Status& status);
  void Forget(base::ConnId conn);
  void StopClients();
  void Tick();
  void Rearm();
  bool HandOver(std::uint16_t bucket, const ReplyTo& reply, base::NodeNumber peer,
                const wire::Frame& frame, const WriteNumber& numbered = {});
  void PostFrame(base::ActorId to, const ReplyTo& reply, base::NodeNumber peer,
                 const wire::Frame& frame, const WriteNumber& numbered = {});
  void Answered(base::ConnId conn, bool refused);
  void NoteValue(base::ConnId conn, std::size_t bytes);
  bool TakesValue(base::ConnId conn, std::size_t bytes) const;
  std::size_t CountMail(std::size_t bytes);
  void UncountMail(std::size_t counted);
  void DeliverReply(const ReplyMail& reply);

  // The answer of a read, or an error in its place when the connection does not take what it was
  // answered with.
  template <typename Message>
  void ReplyValue(const ReplyTo& to, const Message& message, base::Bytes value) {
    if (value.size() < MemoryShare::kCountedBytes) return Reply(to, message, value);
    if (to.home != id_) {
      PostReply(to, message, value, true);
    } else if (!TakesValue(to.conn, value.size())) {
      ++refused_answers_;
      Reply(to, wire::ErrorReply{base::Code::kOverloaded, kUntaken, {}});
    } else {
      Reply(to, message, value);
      NoteValue(to.conn, value.size());
    }
  }
  template <typename Message>
  void Reply(const ReplyTo& to, const Message& message, base::Bytes payload = {}) {
    if (payload.size() > wire::kPayloadBytesMax) return Reply(to, wire::TooLarge(payload.size()));
    if (to.home == id_) {
      wire::SendFrame(world_, to.conn, to.request_id, message, payload);
      Answered(to.conn, std::is_same_v<Message, wire::ErrorReply>);
      return;
    }
    PostReply(to, message, payload, false);
  }
  template <typename Message>
  void PostReply(const ReplyTo& to, const Message& message, base::Bytes payload, bool is_value) {
    auto mail = std::make_unique<ReplyMail>();
    mail->conn = to.conn;
    mail->request_id = to.request_id;
    mail->is_value = is_value;
    mail->refused = std::is_same_v<Message, wire::ErrorReply>;
    wire::AppendFrame(mail->frame, to.request_id, message, payload);
    mail->counted = CountMail(mail->frame.size());
    world_.Post(to.home, std::move(mail));
  }

  // Constant after construction.
  base::World& world_;
  NodeShared& shared_;
  const unsigned number_;
  const base::ActorId id_;

  SnapshotPtr snapshot_;  // Null until the node is in a cluster.
  std::unique_ptr<base::HybridClock> clock_;
  SharedBuckets shared_buckets_;
  MemoryShare memory_;
  Replica replica_;
  PeerLinks links_;
  Hints hints_;
  CompareSoon compare_soon_;
  SpreadWrites spread_;
  Coordinator coordinator_;
  Orphans orphans_;
  RateShares repair_rate_;  // Our share of repair.rate.
  PageLane page_lane_;
  OpenValues open_values_;
  Scans scans_;
  Adoption adoption_;
  RepairPull repair_;
  Purger purger_;
  TreeRebuild trees_;
  // Sums that wait for the commit, by its number, of all that they comprise.
  std::deque<std::pair<std::uint64_t, std::unique_ptr<base::Mail>>> digests_;
  std::map<base::ConnId, Conn> conns_;
  GreetingQueue greetings_;
  bool stopping_ = false;   // No client is read from any more.
  resp::Facts resp_facts_;  // What Redis clients are told about this node.
  std::uint64_t resp_clients_ = 0;
  base::Instant started_;
  std::uint64_t expired_reads_ = 0;
  std::uint64_t refused_writes_ = 0;   // Of other nodes, for want of memory.
  std::uint64_t refused_answers_ = 0;  // That their connection did not take.
  base::Instant next_tick_;
};

}  // namespace starling::server
