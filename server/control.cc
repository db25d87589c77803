#include "server/control.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/unreachable.h"
#include "server/admin.h"
#include "server/admin_call.h"
#include "server/control_jobs.h"
#include "server/keyring_admin.h"
#include "server/meta_records.h"
#include "server/quarantine_admin.h"
#include "server/snapshot_admin.h"
#include "server/topology/codec.h"
#include "server/verify_admin.h"
#include "storage/identity.h"

namespace starling::server {
namespace {

constexpr base::Duration kTick = base::milliseconds(100);
// A put waits for the slowest replica, to leave it a hint, as long as timeouts.write.
constexpr base::Duration kQuietMax = base::seconds(5);

}  // namespace

Control::Control(base::World& world, NodeShared& shared, topology::NodeInfo self)
    : world_(world),
      shared_(shared),
      self_(std::move(self)),
      links_(world, *this),
      http_(world, [this](base::ConnId conn, const std::string& path) { ServeHttp(conn, path); }),
      started_(world.Now()),
      repair_(world, shared, links_),
      proofs_(world, shared, links_,
              [this](std::unique_ptr<storage::Batch> batch, std::function<void()> then) {
                Persist(std::move(batch), std::move(then));
              }),
      purge_(world, shared, links_, repair_),
      admin_(std::make_unique<Admin>(*this)),
      keyring_(std::make_unique<KeyringAdmin>(*this, shared_.keys)),
      snapshots_(std::make_unique<SnapshotAdmin>(*this)),
      verify_(std::make_unique<VerifyAdmin>(*this)),
      quarantine_(std::make_unique<QuarantineAdmin>(*this)),
      disk_(shared.config.storage.reserve_bytes),
      scrub_({.interval = shared.config.scrub.interval,
              .bytes_per_second = shared.config.scrub.bytes_per_second,
              .damaged_before = shared.identity.damaged_tables},
             world.Now()) {}

Control::~Control() = default;

void Control::OnStart() {
  base::Status status = ListenEverywhere();
  if (status.ok()) {
    wire::Hello hello;
    hello.role = wire::Role::kPeerControl;
    hello.cluster_name = shared_.config.cluster.name;
    hello.host = shared_.identity.host;
    hello.boot = shared_.identity.boot;
    links_.SetHello(hello);
    status = LoadStored();
    if (status.ok()) status = proofs_.Load();
  }
  if (!status.ok()) {
    world_.Exit(status);
    return;
  }
  // Before the first put can come.
  if (shared_.look_at_disk)
    if (const auto space = shared_.look_at_disk()) TakeDiskSpace(*space);
  LookUpSeeds();
  next_tick_ = world_.Now() + kTick;
  Rearm();
}

base::Status Control::ListenEverywhere() {
  RETURN_IF_ERROR(world_.Listen(kClusterListener, self_.cluster));
  RETURN_IF_ERROR(world_.BindDatagrams(self_.cluster));
  RETURN_IF_ERROR(world_.Listen(kClientListener, self_.client));
  RETURN_IF_ERROR(world_.Listen(kRespListener, self_.resp));
  return ListenHttp();
}

// --- workers ---

void Control::OnMail(std::unique_ptr<base::Mail> mail) {
  switch (static_cast<MailKind>(mail->kind)) {
    case MailKind::kFrame: HandleClient(static_cast<const FrameMail&>(*mail)); return;
    case MailKind::kReply: {
      const auto& reply = static_cast<const ReplyMail&>(*mail);
      shared_.mail_bytes.fetch_sub(reply.counted, std::memory_order_relaxed);
      const auto room = world_.Reserve(reply.conn, reply.frame.size());
      std::copy(reply.frame.begin(), reply.frame.end(), room.begin());
      world_.Commit(reply.conn, reply.frame.size());
      return;
    }
    case MailKind::kLinkLost:
      if (gossip_ != nullptr)
        gossip_->ReportConnectionLost(world_.Now(), static_cast<const LinkLostMail&>(*mail).host);
      return;
    case MailKind::kDigestAnswer:
      repair_.OnDigests(static_cast<const DigestAnswerMail&>(*mail));
      return;
    case MailKind::kRangeSums: proofs_.OnSums(static_cast<const RangeSumsMail&>(*mail)); return;
    case MailKind::kSpread: SpreadWrite(static_cast<SpreadMail&>(*mail)); return;
    case MailKind::kCompareSoon:
      repair_.CompareSoon(static_cast<const CompareSoonMail&>(*mail).nodes);
      return;
    case MailKind::kPurgeDueAnswer: purge_.OnDue(static_cast<PurgeDueAnswerMail&>(*mail)); return;
    case MailKind::kPurgeStepDone:
      purge_.OnStepDone(static_cast<PurgeStepDoneMail&>(*mail));
      return;
    case MailKind::kPullDone: repair_.OnPulled(static_cast<const PullDoneMail&>(*mail)); return;
    case MailKind::kStats: {
      auto& stats = static_cast<StatsMail&>(*mail);
      gathers_.Take(stats.serial, std::move(stats.stats));
      return;
    }
    case MailKind::kStop: Stop(); return;
    default: UNREACHABLE("a mail that control does not get");
  }
}

void Control::HandleClient(const FrameMail& mail) {
  if (mail.frame_kind == wire::Kind::kAdmin) return HandleAdmin(mail);
  CHECK(mail.frame_kind == wire::Kind::kCreateKeyspace);
  if (snapshot_ == nullptr)
    return ReplyError(mail.reply, base::Unavailable("this node is not in a cluster yet"));
  HandleCreateKeyspace(mail);
}

void Control::HandleAdmin(const FrameMail& mail) {
  const auto call = AdminCall::Read(mail);
  if (!call) return ReplyError(mail.reply, call.error());
  if (!keyring_->Handle(*call) && !snapshots_->Handle(*call) && !verify_->Handle(*call) &&
      !quarantine_->Handle(*call))
    admin_->Handle(*call);
}

void Control::HandleCreateKeyspace(const FrameMail& mail) {
  const auto request = wire::Decode<wire::CreateKeyspaceRequest>(mail.header);
  if (!request) return ReplyError(mail.reply, request.error());
  const auto replication = topology::Replication::Parse(request->replication);
  if (!replication) return ReplyError(mail.reply, replication.error());
  const std::string name = request->name;
  const bool existed = snapshot_->topology->FindKeyspace(name) != nullptr;
  const ReplyTo reply = mail.reply;
  // A tenth is for the way back: whoever asked is to learn who is missing, before it gives up.
  const auto asked = base::milliseconds(request->deadline_ms == 0 ? 20'000 : request->deadline_ms);
  const base::Instant answer_by = world_.Now() + asked - asked / 10;
  Propose(
      [name, replication = *replication](const topology::Topology& before) {
        return topology::AddKeyspace(before, name, replication);
      },
      [this, reply, name, existed, answer_by](const base::Status& status,
                                              const topology::TopologyPtr& after) {
        if (!status.ok()) return ReplyError(reply, status);
        WaitForEpoch(
            after->epoch, std::min<base::Duration>(base::seconds(8), answer_by - world_.Now()),
            [this, reply, name, existed, after](const base::Status& adopted) {
              if (!adopted.ok()) return ReplyError(reply, adopted);
              Reply(reply, wire::CreateKeyspaceReply{after->FindKeyspace(name)->id, existed});
            });
      },
      answer_by - world_.Now());
}

void Control::GatherStats(StatsGathers::Then then) {
  const std::uint64_t serial = gathers_.Begin(shared_.workers, std::move(then));
  for (unsigned worker = 0; worker < shared_.workers; ++worker) {
    auto query = std::make_unique<StatsQueryMail>();
    query->serial = serial;
    world_.Post(WorkerActor(worker), std::move(query));
  }
}

// --- time ---

void Control::OnDatagram(base::Address from, base::Bytes bytes) {
  if (gossip_ != nullptr) gossip_->OnDatagram(world_.Now(), from, bytes);
}

void Control::OnWake() {
  const base::Instant now = world_.Now();
  if (gossip_ != nullptr && now >= gossip_->next_tick()) gossip_->OnTick(now);
  if (founding_) {
    founding_->OnTick(now);
    DriveFounding();
  }
  if (proposer_) {
    proposer_->OnTick(now);
    DriveProposer();
  }
  if (now >= next_tick_) {
    lag_.Note(now, now - next_tick_);
    Tick();
    next_tick_ = now + kTick;
  }
}

void Control::Tick() {
  const base::Instant now = world_.Now();
  CloseSilent();
  moving_.NoteAwake(now);
  http_.OnTick(now);
  CheckQuiet();
  LookUpSeeds();
  LookAtDiskSoon();
  AskToJoin();
  if (const auto at = moving_.late(now)) OnTwinAnswer(*at);
  if (misfit_ && !met_ours() && now >= misfit_->ends) return world_.Exit(misfit_->why);
  if (snapshot_ == nullptr) return;
  MoveSoon();
  SayIfAlone();
  ReleaseClients();
  admin_->OnTick(now);
  verify_->OnTick(now);
  RenewClockBound();
  LookWhoRemembers();
  ReturnAfterLoss();
  DeclareAbsent();
  SeatVoters();
  if (published_) {
    repair_.OnTick(now);
    proofs_.OnTick(now);
    purge_.OnTick(now);
    CheckReady();
    ScrubSoon();
  }
  // Who is held may have stayed for long enough. What was published says who is: a hold that begins
  // and ends between two ticks (this process was stopped) is seen by none of them.
  heard_more_ = heard_more_ || snapshot_->holds_any();
  CheckEpochWaits();
  if (now >= next_load_look_) {
    next_load_look_ = now + base::seconds(5);
    load_bytes_ = static_cast<std::int64_t>(shared_.engine.stats().live_data_bytes);
    TellLoad();
  }
  if (shared_.config.storage.durability == Durability::kPeriodic && now >= next_log_sync_) {
    next_log_sync_ = now + base::seconds(1);
    Persist(std::make_unique<storage::Batch>(), [] {});
  }
}

// No stamp exceeds a bound that is on disk (base/hybrid_clock.h). It is kept ahead of the wall
// clock and of the highest stamp: after a step back of the wall clock the stamps go on from there.
void Control::RenewClockBound() {
  const std::int64_t wall_ms = world_.WallMs();
  stamps_.SetFloor(
      std::max(shared_.identity.clock_floor, shared_.clock_used.load(std::memory_order_relaxed)));
  if (reserving_ || !stamps_.needs_reservation(wall_ms)) return;
  const std::uint64_t bound = stamps_.reserve_until(wall_ms);
  auto batch = std::make_unique<storage::Batch>();
  storage::SaveClockBound(*batch, bound);
  storage::SaveBoot(*batch, BootToKeep());
  SavePeerMarks(*batch, shared_.peer_marks.Encode());
  shared_.guard.NoteClockBound(bound);
  reserving_ = true;
  Persist(std::move(batch), [this, bound] {
    reserving_ = false;
    stamps_.Reserved(bound);
    shared_.clock_bound.store(bound, std::memory_order_release);
    if (!published_) Publish();
  });
}

void Control::OnTurnEnd() {
  do {
    DrainGossip();
  } while (links_.Deliver());
  if (heard_more_) PublishIfLooksChanged();
  Rearm();
}

void Control::Rearm() {
  base::Instant next = next_tick_;
  if (gossip_ != nullptr) next = std::min(next, gossip_->next_tick());
  world_.WakeAt(next);
}

std::optional<std::int64_t> Control::LoadOf(base::HostId host) const {
  if (host == shared_.identity.host) return load_bytes_;
  const gossip::Vitals* said = gossip_->VitalsOf(host);
  const std::optional<NodeVitals> vitals = said ? ParseVitals(said->bytes) : std::nullopt;
  return vitals ? std::optional(vitals->load_bytes) : std::nullopt;
}

void Control::Stop() {
  Retire([this] {
    // What the workers have under way is committed by jobs that were offloaded before this one.
    Persist(std::make_unique<storage::Batch>(), [this] { world_.Exit(base::Ok()); });
  });
}

void Control::Retire(std::function<void()> then) {
  once_quiet_.push_back(std::move(then));
  if (!retired_) {
    retired_ = true;
    base::log::Info("control", "no more connections and requests; goodbye to the cluster");
    world_.StopListening();
    // Whoever watches this node is to see why it serves no more.
    if (const base::Status status = ListenHttp(); !status.ok())
      base::log::Warn("control", "{}", status.message());
    if (gossip_ != nullptr) gossip_->Leave(world_.Now());
    DrainGossip();
    for (unsigned worker = 0; worker < shared_.workers; ++worker)
      world_.Post(WorkerActor(worker), std::make_unique<StopClientsMail>());
  }
  quiet_ends_ = world_.Now() + kQuietMax;
  CheckQuiet();
}

void Control::CheckQuiet() {
  if (once_quiet_.empty() || asked_if_quiet_) return;
  asked_if_quiet_ = true;
  GatherStats([this](const std::vector<WorkerStats>& stats) {
    asked_if_quiet_ = false;
    std::uint64_t open = 0;
    for (const WorkerStats& each : stats) open += each.in_flight;
    const bool known = gossip_ == nullptr || gossip_->said_goodbye(world_.Now());
    // The next tick asks again.
    if ((open > 0 || !known) && world_.Now() < quiet_ends_) return;
    if (open > 0) base::log::Warn("control", "{} requests are left without an answer", open);
    for (const auto& then : std::exchange(once_quiet_, {})) then();
  });
}

}  // namespace starling::server
