// server/control.h: the thread of a node that knows its cluster: membership, topology, repair,
// admin.
//
// It accepts connections and gives them to the workers, runs gossip, founds or joins a cluster,
// proposes epochs and votes on them, publishes the snapshots that the workers act on, schedules
// repair and answers operators. It has a thread of its own, so that load cannot make a live node
// look dead.
//
// Thread:    an Actor; everything here is confined to its thread.
// Read next: server/repair.h, server/topology/founding.h, server/admin.h
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/actor.h"
#include "base/hybrid_clock.h"
#include "base/json.h"
#include "base/world.h"
#include "gossip/gossip.h"
#include "server/absence.h"
#include "server/disk_guard.h"
#include "server/flap_guard.h"
#include "server/greeting_queue.h"
#include "server/http_port.h"
#include "server/joining.h"
#include "server/loop_lag.h"
#include "server/mail.h"
#include "server/metrics.h"
#include "server/moving.h"
#include "server/node_metadata.h"
#include "server/node_shared.h"
#include "server/peer_links.h"
#include "server/proofs.h"
#include "server/purge_rounds.h"
#include "server/repair.h"
#include "server/scrub.h"
#include "server/seed_book.h"
#include "server/snapshot.h"
#include "server/stats_gathers.h"
#include "server/topology/changes.h"
#include "server/topology/founding.h"
#include "server/topology/paxos.h"

namespace starling::server {

class Admin;
struct JoinRequest;
class KeyringAdmin;
class QuarantineAdmin;
class SnapshotAdmin;
class VerifyAdmin;

class Control final : public base::Actor, PeerLinksListener {
 public:
  Control(base::World& world, NodeShared& shared, topology::NodeInfo self);
  ~Control() override;

  void OnStart() override;
  void OnOpen(base::ConnId conn, base::Address peer, base::ListenerId listener) override;
  std::size_t OnBytes(base::ConnId conn, base::Bytes bytes) override;
  void OnClose(base::ConnId conn, base::CloseReason reason) override;
  void OnDatagram(base::Address from, base::Bytes bytes) override;
  void OnMail(std::unique_ptr<base::Mail> mail) override;
  void OnWake() override;
  void OnTurnEnd() override;

  // Null until the node is a member of a cluster. For tests and admin.
  SnapshotPtr snapshot() const { return snapshot_; }
  const gossip::Gossip* gossip() const { return gossip_.get(); }
  const Proofs& proofs() const { return proofs_; }

 private:
  friend class Admin;
  friend class KeyringAdmin;
  friend class QuarantineAdmin;
  friend class SnapshotAdmin;
  friend class VerifyAdmin;

  // PeerTag::kind of control's own requests (those of Repair: server/repair.h).
  enum : std::uint32_t {
    kTagGossip = 32,
    kTagFounding,
    kTagPaxos,
    kTagJoin,
    kTagTopology,
    kTagWhy,
    kTagTwin
  };

  struct Conn {
    base::ListenerId listener{};
    bool greeted = false;
    base::HostId host;
    base::Address from;  // Its port is of the connection alone.
  };
  // Written and synced on the sync lane, whatever storage.durability says.
  struct MetaJob;
  struct SeedJob;
  struct DiskJob;
  struct ScrubJob;
  using Then = std::function<void()>;
  using Change = std::function<base::Result<topology::Topology>(const topology::Topology&)>;
  using ChangeDone = std::function<void(const base::Status&, topology::TopologyPtr)>;
  static constexpr base::Duration kChangeMax = base::seconds(10);
  struct QueuedChange {
    Change change;
    ChangeDone done;
    base::Instant ends;
  };
  // A member was asked what it remembers of us.
  struct Asked {
    base::Address at;
    bool in_vain = false;  // Nobody answers there.
  };
  // Somebody of another cluster answered, and nobody of ours had yet.
  struct Misfit {
    base::Status why;
    base::Instant ends;
  };
  // Somebody waits until all live nodes have adopted an epoch.
  struct EpochWait {
    std::uint64_t epoch = 0;
    base::Instant ends;
    std::function<void(const base::Status&)> then;
  };

  // --- PeerLinksListener ---
  void OnPeerReply(const PeerTag& tag, const wire::Frame& frame) override;
  void OnPeerFailed(const PeerTag& tag, const base::Status& status) override;
  void OnLinkLost(const PeerAddress& peer, base::CloseReason reason) override;
  base::Status OnPeerHello(const PeerAddress& peer, const wire::HelloReply& reply) override;
  void OnHelloRefused(const PeerAddress& peer, const wire::ErrorReply& error) override;

  // --- names of seeds: server/control_seeds.cc ---
  bool NeedsSeeds() const;
  void LookUpSeeds();
  void OnSeedsLookedUp();
  void FoundBySeeds();

  // --- first boot: server/control_boot.cc ---
  base::Status LoadStored();
  bool IsOnlySeed() const;
  void StartFounding();
  void DriveFounding();
  void OnFoundingReply(base::Address asked, base::Bytes payload);
  void BecomeMember(topology::TopologyPtr topology);
  std::string AnswerHello(base::Bytes question);

  // --- joining, and admitting others: server/control_join.cc ---
  void StartJoining(base::Address via, const topology::Topology& topology);
  void AskToJoin();
  void OnJoinReply(const PeerTag& tag, const wire::Frame& frame);
  void OnJoinFailed(std::uint64_t serial, const std::string& why);
  bool NamesUs(const topology::Topology& topology) const;
  gossip::Envelope MakeEnvelope();
  std::string SealedJoin(const JoinRequest& request);
  bool MayTakeIn(const topology::SeedHello& hello);
  void HandleJoin(const ReplyTo& reply, base::Bytes payload);
  base::Status CheckAdmission(const topology::Topology& topology, const topology::NodeInfo& node,
                              const topology::Replaced& replaced, std::uint64_t back) const;
  base::Status CheckMeant(const topology::Topology& topology,
                          const topology::Replaced& replaced) const;
  base::Status CheckGone(const topology::Node& member) const;

  // --- where the members are, this one too: server/control_move.cc ---
  void LookForTwin(base::Address at, Moving::Look why);
  void OnConflict(base::Address rival);
  void OnTwinAnswer(base::Address at);
  void MoveSoon();
  void ProposeMove();
  Moving::Facts FactsOfMove(const topology::Node& noted) const;
  std::string HolderOfAddress() const;
  bool HearsOthers() const;
  base::Address WhereIs(const topology::Node& node) const;
  topology::TopologyPtr AsReached(const topology::TopologyPtr& chosen) const;
  bool AnyoneMoved() const;
  void SayIfAlone();
  void FitsNobody(const base::Status& why);
  // Somebody of our own cluster is there, or was since this node started: it accepted our hello (a
  // founder's hellos came before there was a cluster), or gossip, which is tagged by the cluster's
  // id, brought news of a member.
  bool met_ours() const { return met_a_peer_ || !heard_.empty(); }

  // --- what this node may have lost: server/control_absence.cc ---
  void AskWhatOthersRemember();
  void OnRemembered(const PeerAddress& peer, const wire::HelloReply& reply);
  void HasRemembered(base::HostId host);
  void NobodyAnswersAt(base::Address address);
  void LookWhoRemembers();
  void FoundLoss(const Mark& remembered, const std::string& reason);
  void FoundAbsent();
  std::uint64_t BootToKeep() const;
  void BeginAgain(std::uint64_t boot, const std::string& reason, std::string_view what);
  bool MayVote(const topology::PaxosRequest& request);
  bool IsBack() const;
  void ReturnAfterLoss();
  void DeclareAbsent();
  base::Status MayDeclareAbsent(const base::HostId& host) const;
  void ProposeAbsence(const base::HostId& host, ChangeDone done);
  void SeatVoters();
  // Serves reads, as far as this node itself is concerned.
  bool serves() const { return ready_ && may_remember_.empty(); }

  // --- the disk: server/control_disk.cc, server/control_scrub.cc ---
  void LookAtDiskSoon();
  void OnDiskLook(DiskJob& job);
  void TakeDiskSpace(const DiskSpace& space);
  void ScrubSoon();
  std::string WhyNotHeal() const;
  void HealDamage();

  // --- epochs: server/control_topology.cc ---
  void Propose(Change change, ChangeDone done, base::Duration within = kChangeMax);
  void NextChange();
  std::vector<topology::Voter> VotersOf(const topology::Topology& known) const;
  void StartProposer(topology::ProposerOptions options);
  void DriveProposer();
  void OnOutcome(const topology::Outcome& outcome);
  void HandlePaxos(base::Bytes payload, const std::function<void(std::string)>& answer);
  void Learn(topology::TopologyPtr topology);
  void StoreTopology(storage::Batch& batch) const;
  void Persist(std::unique_ptr<storage::Batch> batch, Then then);
  void LearnFrom(base::Bytes encoded, std::string_view from);
  void Adopt(const topology::TopologyPtr& topology);
  void Publish();
  void NoteCluster();
  void AskForTopology();
  void OnMetaDone(MetaJob& job);
  void WaitForEpoch(std::uint64_t epoch, base::Duration wait,
                    std::function<void(const base::Status&)> then);
  void CheckEpochWaits();
  void CheckReady();
  std::string WhyNeverReady() const;

  // --- gossip: server/control_gossip.cc ---
  void StartGossip();
  void JoinGossip();
  void DrainGossip();
  void OnGossipEvent(const gossip::Event& event);
  std::string Metadata() const;
  void TellLoad();
  // How gossip sees a node: for routing; whether alive and not even suspect; and the epoch it says
  // it has adopted.
  Snapshot::Peer LookOf(const topology::Node& node) const;
  bool SeemsAlive(const topology::Node& node) const;
  bool MayHold(const topology::Node& node) const;
  void PublishIfLooksChanged();
  std::uint64_t EpochOf(const topology::Node& node) const;
  void RefreshMetadata();
  // Writes to keyspaces that are everywhere.
  void PassOnWrite(const std::string& payload);
  void SpreadWrite(SpreadMail& mail);

  // --- the HTTP port: server/control_http.cc ---
  base::Status ListenHttp();
  void ServeHttp(base::ConnId conn, const std::string& path);
  void ServeHealth(base::ConnId conn);
  std::string Ailment() const;
  std::string Metrics(const std::vector<WorkerStats>& stats) const;
  PurgeMetrics MetricsOf(const topology::Keyspace& keyspace,
                         const std::vector<WorkerStats>& stats) const;
  std::int64_t EqualAgeMs(base::KeyspaceId keyspace) const;

  // --- connections: server/control_connections.cc; frames: server/control_frames.cc ---
  bool OnHello(base::ConnId conn, Conn& state, const wire::Frame& frame, std::size_t* used);
  bool OnFrame(base::ConnId conn, Conn& state, const wire::Frame& frame);
  void HandleControl(const ReplyTo& reply, const Conn& state, const wire::Frame& frame);
  void CloseWithError(base::ConnId conn, std::uint64_t request_id, const base::Status& status);
  void SendControl(const PeerAddress& peer, const PeerTag& tag, wire::ControlTopic topic,
                   base::Bytes payload);
  void ReplyBytes(const ReplyTo& to, base::Bytes payload);
  void ReplyError(const ReplyTo& to, const base::Status& status);
  void ReplyJson(const ReplyTo& to, const base::Json& answer);
  void CloseSilent();
  void RefuseClient(base::ConnId conn, base::ListenerId listener);
  bool HoldsClients() const;
  void ReleaseClients();

  // --- everything else: server/control.cc ---
  base::Status ListenEverywhere();
  void HandleClient(const FrameMail& mail);
  void HandleAdmin(const FrameMail& mail);
  void HandleCreateKeyspace(const FrameMail& mail);
  void GatherStats(StatsGathers::Then then);
  void RenewClockBound();
  void Tick();
  void Rearm();
  void Stop();
  // No more connections and requests, and goodbye to the cluster. `then`: once all is answered that
  // clients have asked for, or was not in a few seconds.
  void Retire(std::function<void()> then);
  void CheckQuiet();
  // nullopt: the host has not answered a ping of this node yet.
  std::optional<std::int64_t> LoadOf(base::HostId host) const;

  template <typename Message>
  void Reply(const ReplyTo& to, const Message& message, base::Bytes payload = {}) {
    if (payload.size() > wire::kPayloadBytesMax) return Reply(to, wire::TooLarge(payload.size()));
    if (to.home == base::kControlActor) {
      wire::SendFrame(world_, to.conn, to.request_id, message, payload);
      return;
    }
    auto mail = std::make_unique<ReplyMail>();
    mail->conn = to.conn;
    wire::AppendFrame(mail->frame, to.request_id, message, payload);
    world_.Post(to.home, std::move(mail));
  }

  // Constant after construction.
  base::World& world_;
  NodeShared& shared_;
  const topology::NodeInfo self_;

  PeerLinks links_;
  std::map<base::ConnId, Conn> conns_;
  GreetingQueue greetings_;
  std::vector<base::ConnId> held_clients_;  // For the first moment after a start.
  unsigned next_worker_ = 0;
  HttpPort http_;
  base::Instant started_;
  base::Instant next_tick_;
  LoopLag lag_;
  bool retired_ = false;         // Clients are served no more.
  bool asked_if_quiet_ = false;  // The workers are being asked.
  base::Instant quiet_ends_;     // It goes on then, whatever is under way.
  std::vector<std::function<void()>> once_quiet_;

  SeedBook seed_book_;
  std::unique_ptr<SeedJob> seed_job_;  // Under way.
  base::Instant next_look_up_;
  base::Instant next_seed_word_;
  std::vector<base::Address> founding_seeds_;  // Those that founding_ asks.
  std::optional<topology::Acceptor> acceptor_;
  std::optional<topology::Founding> founding_;
  std::optional<topology::Proposer> proposer_;
  bool founding_proposal_ = false;
  std::vector<QueuedChange> changes_;  // The first one is being proposed.
  std::optional<Joining> joining_;

  topology::TopologyPtr adopted_;  // As chosen; the snapshot has it with where members are now.
  SnapshotPtr snapshot_;
  bool published_ = false;  // The workers have a snapshot.
  bool ready_ = false;
  bool saving_ready_ = false;
  Loss loss_;                                   // Until this node is ready again.
  bool found_loss_ = false;                     // In this life, which ends for it.
  std::map<base::HostId, Asked> may_remember_;  // Who has yet to say what it remembers of us.
  base::Instant remember_by_;
  base::Instant next_seating_;
  base::Instant next_declaring_;
  std::map<base::HostId, base::Instant> away_since_;  // Members that do not seem alive.
  base::Instant not_ready_since_;
  bool met_a_peer_ = false;  // Some member accepted our hello: our data fits theirs.
  std::optional<Misfit> misfit_;
  Moving moving_;
  base::Instant next_alone_word_;
  std::unique_ptr<gossip::Gossip> gossip_;
  gossip::Outputs drained_;  // The room of what was sent before.
  base::Instant gossip_since_;
  // What gossip last said of each host since this node started; it forgets the dead, this does not.
  std::map<base::HostId, gossip::Liveness> heard_;
  FlapGuard flaps_;
  bool heard_more_ = false;  // In this turn: the snapshot may be out of date.
  std::vector<EpochWait> epoch_waits_;

  Repair repair_;
  Proofs proofs_;
  PurgeRounds purge_;
  std::unique_ptr<Admin> admin_;
  std::unique_ptr<KeyringAdmin> keyring_;
  std::unique_ptr<SnapshotAdmin> snapshots_;
  std::unique_ptr<VerifyAdmin> verify_;
  std::unique_ptr<QuarantineAdmin> quarantine_;
  std::vector<std::unique_ptr<MetaJob>> meta_jobs_;
  bool reserving_ = false;
  base::HybridClock stamps_{1, 0};  // Where the workers' clocks are; it stamps nothing itself.
  std::int64_t load_bytes_ = 0;
  DiskGuard disk_;
  std::unique_ptr<DiskJob> looking_;
  bool look_failed_ = false;  // The last look at the disk; told once.
  Scrub scrub_;
  std::unique_ptr<ScrubJob> scrub_job_;
  std::uint64_t scrub_pass_ = 0;  // Counts those begun.
  std::string heal_waits_for_;    // As was told last.
  base::Instant next_load_look_;
  base::Instant next_log_sync_;
  StatsGathers gathers_;
};

}  // namespace starling::server
