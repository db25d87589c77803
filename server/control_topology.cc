// server/control_topology.cc: how epochs are proposed, voted on, stored and taken up.
#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "base/mutants.h"
#include "server/control.h"
#include "server/control_jobs.h"
#include "server/meta_records.h"
#include "server/topology/codec.h"
#include "storage/identity.h"

namespace starling::server {
namespace {

constexpr base::Bytes kRumorKey = "topology";

}  // namespace

void Control::MetaJob::Done() { control.OnMetaDone(*this); }

void Control::Persist(std::unique_ptr<storage::Batch> batch, Then then) {
  auto job = std::make_unique<MetaJob>(*this);
  job->batch = std::move(batch);
  job->then = std::move(then);
  MetaJob& running = *job;
  meta_jobs_.push_back(std::move(job));
  world_.Offload(base::Lane::kSync, running);
}

void Control::OnMetaDone(MetaJob& job) {
  const auto it = std::find_if(meta_jobs_.begin(), meta_jobs_.end(),
                               [&](const auto& each) { return each.get() == &job; });
  CHECK(it != meta_jobs_.end());
  const std::unique_ptr<MetaJob> done = std::move(*it);
  meta_jobs_.erase(it);
  if (!done->status.ok()) {
    world_.Exit(
        done->status.Annotate("cannot write to storage; the state of its files is unknown"));
    return;
  }
  done->then();
}

// --- proposing ---

void Control::Propose(Change change, ChangeDone done, base::Duration within) {
  changes_.push_back(
      {std::move(change), std::move(done), world_.Now() + std::min(within, kChangeMax)});
  if (changes_.size() == 1) NextChange();
}

// Proposes the first change on top of the newest topology; again, if another change came first.
void Control::NextChange() {
  while (!changes_.empty() && !proposer_) {
    QueuedChange& first = changes_.front();
    const topology::TopologyPtr& known = acceptor_->known();
    auto next = first.change(*known);
    base::Status ended;
    if (!next) {
      ended = next.error();
    } else if (next->epoch == known->epoch) {
      // Already so: chosen in this or an earlier attempt.
    } else if (world_.Now() >= first.ends) {
      ended = base::Timeout("other changes of the topology kept coming first: nothing was changed");
    } else {
      topology::ProposerOptions options;
      options.self = shared_.identity.host;
      options.epoch = next->epoch;
      options.value = topology::EncodeTopology(*next);
      options.predecessor = acceptor_->known_bytes();
      options.deadline = first.ends - world_.Now();
      options.voters = VotersOf(*known);
      StartProposer(std::move(options));
      return;
    }
    const ChangeDone done = std::move(first.done);
    changes_.erase(changes_.begin());
    done(ended, known);
  }
}

// A vote counts from where the voter is noted. If so many have moved since that no majority can be
// in its places, they have to be counted where they are, or nobody could ever note it. (Those that
// are silent may be in theirs, and heard by others.)
std::vector<topology::Voter> Control::VotersOf(const topology::Topology& known) const {
  std::size_t moved = 0;
  std::vector<topology::Voter> voters;
  for (const base::HostId& host : known.voters) {
    const topology::Node& node = *known.Find(host);
    const base::Address at = WhereIs(node);
    voters.push_back({.host = host, .address = at, .noted = node.cluster});
    moved += at != node.cluster ? 1 : 0;
  }
  if (voters.size() - moved <= voters.size() / 2)
    for (topology::Voter& voter : voters) voter.noted = {};
  return voters;
}

void Control::StartProposer(topology::ProposerOptions options) {
  options.random_seed = world_.random().Next();
  proposer_.emplace(std::move(options), world_.Now());
  DriveProposer();
}

void Control::DriveProposer() {
  if (!proposer_) return;
  // What is for our own acceptor takes the same way as for the others: it may need a sync first.
  for (const auto& message : proposer_->TakeOutputs().messages) {
    const std::string request = topology::EncodePaxosRequest(message.request);
    if (message.to.host == shared_.identity.host) {
      HandlePaxos(request, [this](const std::string& bytes) {
        const auto answer = topology::DecodePaxosReply(bytes);
        if (!proposer_ || !answer) return;
        proposer_->OnReply(world_.Now(), *answer);
        DriveProposer();
      });
    } else if (message.to.address.port != 0) {
      SendControl({message.to.address, {}}, {kTagPaxos, 0, 0, 0}, wire::ControlTopic::kPaxos,
                  request);
    }
    if (!proposer_) return;  // Our own answer has decided it.
  }
  if (!proposer_->outcome()) return;
  const topology::Outcome outcome = *proposer_->outcome();
  for (const auto& message : proposer_->TakeOutputs().messages)
    if (message.to.host != shared_.identity.host && message.to.address.port != 0)
      SendControl({message.to.address, {}}, {kTagPaxos, 0, 0, 0}, wire::ControlTopic::kPaxos,
                  topology::EncodePaxosRequest(message.request));
  proposer_.reset();
  OnOutcome(outcome);
}

void Control::OnOutcome(const topology::Outcome& outcome) {
  if (founding_proposal_) {
    founding_proposal_ = false;
    if (outcome.status.ok()) {
      // Others may have founded it without this node: then Founding sees so in the acceptor.
      if (NamesUs(*outcome.topology)) return BecomeMember(outcome.topology);
      Learn(outcome.topology);
    } else if (founding_) {
      base::log::Info("founding", "epoch 1 was not chosen: {}", outcome.status.message());
    }
    if (founding_) founding_->OnProposalEnded(world_.Now());
    return;
  }
  if (outcome.status.ok()) {
    Learn(outcome.topology);
    NextChange();  // Finds the change in place, or proposes it again on top.
    return;
  }
  if (changes_.empty()) return;
  const ChangeDone done = std::move(changes_.front().done);
  changes_.erase(changes_.begin());
  done(outcome.status, nullptr);
  NextChange();
}

void Control::HandlePaxos(base::Bytes payload, const std::function<void(std::string)>& answer) {
  const auto request = topology::DecodePaxosRequest(payload);
  if (!request || !MayVote(*request)) return answer({});
  if (gossip_ != nullptr)
    acceptor_->SetLeft(moving_.Left(world_.Now(), gossip::SilenceToDead(gossip_->options())));
  topology::Vote vote = acceptor_->OnRequest(*request);
  const std::string reply = topology::EncodePaxosReply(vote.reply);
  if (!vote.must_sync && vote.learned == nullptr) return answer(reply);
  // Stored with what makes us a member, so that a crash right after does not forget it.
  if (vote.learned != nullptr && snapshot_ == nullptr)
    ready_ = vote.learned->FoundedBy(shared_.identity.host) && !loss_.any();
  auto batch = std::make_unique<storage::Batch>();
  StoreTopology(*batch);
  Persist(std::move(batch), [this, reply, answer, learned = vote.learned] {
    answer(reply);
    if (learned == nullptr) return;
    // Chosen while this node was still asking around: it names us, or the asking goes on.
    if (!founding_ && !joining_) return Adopt(learned);
    if (NamesUs(*learned)) BecomeMember(learned);
  });
}

// --- taking up ---

// What another node sent. Of another cluster's, even one of the same name, nothing is learned.
void Control::LearnFrom(base::Bytes encoded, std::string_view from) {
  auto topology = topology::DecodeTopology(encoded);
  if (!topology) {
    base::log::Warn("topology", "{} holds no topology: {}", from, topology.error().message());
    return;
  }
  const topology::Topology& ours = *snapshot_->topology;
  if (topology->cluster_name != ours.cluster_name || topology->cluster_id != ours.cluster_id) {
    base::log::Warn("topology", "{} is of cluster '{}' ({}), not ours", from,
                    topology->cluster_name, topology->cluster_id.ToString());
    return;
  }
  Learn(std::make_shared<const topology::Topology>(*std::move(topology)));
}

void Control::Learn(topology::TopologyPtr topology) {
  if (!acceptor_->Learn(topology)) {
    // Known to the acceptor already, and maybe not taken up: as after a vote of our own, or when it
    // was chosen while this node was asking for it. Then it is stored again, since it was stored
    // before we knew whether we are ready.
    topology = acceptor_->known();
    if (topology == nullptr) return;
    if (snapshot_ != nullptr && !topology::Newer(*topology, *snapshot_->topology)) return;
  }
  auto batch = std::make_unique<storage::Batch>();
  StoreTopology(*batch);
  Persist(std::move(batch), [this, topology] { Adopt(topology); });
}

void Control::StoreTopology(storage::Batch& batch) const {
  SaveTopology(batch, acceptor_->known_bytes(), acceptor_->EncodeState());
  SaveReady(batch, ready_);
  const topology::TopologyPtr& known = acceptor_->known();
  storage::SaveIdentity(batch, {shared_.identity.host, shared_.config.cluster.name,
                                known == nullptr ? base::HostId{} : known->cluster_id});
}

// Acts on a topology that is on disk.
void Control::Adopt(const topology::TopologyPtr& topology) {
  if (snapshot_ != nullptr && !topology::Newer(*topology, *snapshot_->topology)) return;
  const topology::Node* me = topology->Find(shared_.identity.host);
  if (me == nullptr || !me->member()) {
    if (snapshot_ == nullptr && me == nullptr) return;  // Not admitted yet.
    world_.Exit(base::FailedPrecondition(fmt::format(
        "host {} was replaced in epoch {} and can never return: remove its data "
        "directory '{}' and start it as a new node",
        shared_.identity.host.ToString(), topology->epoch, shared_.config.node.data_dir)));
    return;
  }
  const bool moved = adopted_ != nullptr && !topology::SameAddresses(*adopted_, *topology);
  adopted_ = topology;
  auto next = std::make_shared<Snapshot>();
  next->topology = AsReached(topology);
  next->ring = topology::Ring::Build(*topology);
  next->self = static_cast<std::size_t>(me - topology->nodes.data());
  const bool same_owners =
      snapshot_ != nullptr && !moved && topology::SameOwners(*snapshot_->topology, *topology);
  next->ring_epoch = same_owners ? snapshot_->ring_epoch : topology->epoch;
  next->peers.resize(topology->nodes.size());
  if (snapshot_ == nullptr || snapshot_->me().back != me->back ||
      snapshot_->me().absent != me->absent)
    not_ready_since_ = world_.Now();
  base::log::Info("topology", "epoch {}: {} members, {} keyspaces", topology->epoch,
                  topology->members().size(), topology->keyspaces.size());
  snapshot_ = std::move(next);
  const bool stale = me->absent != 0 && !base::Mutant("absent-not-stale");
  if (stale) ready_ = false;
  if (const std::string why = WhyNeverReady(); gossip_ == nullptr && !why.empty())
    base::log::Warn("control", "{}", why);
  if (loss_.any() && IsBack()) joining_.reset();
  wire::Hello hello;
  hello.role = wire::Role::kPeerControl;
  hello.cluster_name = topology->cluster_name;
  hello.cluster_id = topology->cluster_id;
  hello.host = shared_.identity.host;
  hello.boot = shared_.identity.boot;
  hello.epoch = topology->epoch;
  links_.SetHello(hello);
  if (gossip_ == nullptr) {
    StartGossip();
    AskWhatOthersRemember();
    AskForTopology();
  } else if (moved) {
    JoinGossip();  // It calls nobody any more at an address that a member left.
  }
  gossip_->SetHome(me->cluster);
  gossip_->Publish(world_.Now(), std::string(kRumorKey), topology->epoch, acceptor_->known_bytes());
  RefreshMetadata();
  Publish();
  if (stale && !loss_.any()) FoundAbsent();
}

// Brings liveness and readiness into a new snapshot, and hands it to the workers.
void Control::Publish() {
  auto next = std::make_shared<Snapshot>(*snapshot_);
  next->topology = AsReached(adopted_);
  for (std::size_t i = 0; i < next->peers.size(); ++i)
    if (next->node(i).cluster != snapshot_->node(i).cluster)
      links_.DisconnectElsewhere(next->node(i).host, next->node(i).cluster);
  for (std::size_t i = 0; i < next->peers.size(); ++i) next->peers[i] = LookOf(next->node(i));
  next->catching_up = !ready_ && IsBack();
  snapshot_ = next;
  NoteCluster();
  repair_.Adopt(snapshot_);
  proofs_.Adopt(snapshot_);
  purge_.Adopt(snapshot_);
  // No worker may stamp before a bound for its stamps is on disk.
  if (shared_.clock_bound.load(std::memory_order_relaxed) == 0) return;
  published_ = true;
  for (unsigned worker = 0; worker < shared_.workers; ++worker) {
    auto mail = std::make_unique<SnapshotMail>();
    mail->snapshot = snapshot_;
    world_.Post(WorkerActor(worker), std::move(mail));
  }
  ReleaseClients();  // They come to the workers after what was posted above.
}

// For a start that finds something damaged: who else has it. A member that is not ready may have
// nothing yet; of one that nobody has heard of yet it is not known.
void Control::NoteCluster() {
  const topology::Topology& topology = *snapshot_->topology;
  std::uint32_t having = 1, lacking = 0;
  for (const topology::Node* member : topology.members()) {
    if (member->host == shared_.identity.host) continue;
    if (gossip_ == nullptr || !gossip_->View(member->host))
      return shared_.guard.NoteUncertain(topology.cluster_id, IrreplaceableIn(topology));
    ++(LookOf(*member).ready ? having : lacking);
  }
  shared_.guard.NoteCluster(topology.cluster_id, having, IrreplaceableIn(topology, lacking));
}

// After a start: what has been chosen while we were away? Also the first handshake, at which a
// node with another cluster's data finds out (OnPeerHello).
void Control::AskForTopology() {
  std::vector<base::Address> ask = seed_book_.addresses();
  for (const topology::Node* node : snapshot_->topology->members()) ask.push_back(node->cluster);
  std::sort(ask.begin(), ask.end());
  ask.erase(std::unique(ask.begin(), ask.end()), ask.end());
  for (const base::Address address : ask)
    if (address != self_.cluster)
      SendControl({address, {}}, {kTagTopology, 0, PackAddress(address), 0},
                  wire::ControlTopic::kTopology, {});
}

void Control::WaitForEpoch(std::uint64_t epoch, base::Duration wait,
                           std::function<void(const base::Status&)> then) {
  epoch_waits_.push_back({epoch, world_.Now() + wait, std::move(then)});
  CheckEpochWaits();
}

void Control::CheckEpochWaits() {
  for (std::size_t i = 0; i < epoch_waits_.size();) {
    std::string behind;
    for (std::size_t node = 0; node < snapshot_->peers.size(); ++node)
      if ((snapshot_->peers[node].up || SeemsAlive(snapshot_->node(node))) &&
          EpochOf(snapshot_->node(node)) < epoch_waits_[i].epoch)
        behind += (behind.empty() ? "" : ", ") + snapshot_->node(node).cluster.ToString();
    const bool late = world_.Now() >= epoch_waits_[i].ends;
    if (!behind.empty() && !late) {
      ++i;
      continue;
    }
    const EpochWait done = std::move(epoch_waits_[i]);
    epoch_waits_.erase(epoch_waits_.begin() + static_cast<std::ptrdiff_t>(i));
    done.then(behind.empty() ? base::Ok()
                             : base::Timeout(fmt::format(
                                   "epoch {} is chosen, but these live nodes have yet to take it "
                                   "up: {}",
                                   done.epoch, behind)));
  }
}

// Why waiting will not make this node ready; empty: nothing speaks against it.
std::string Control::WhyNeverReady() const {
  if (ready_ || shared_.config.repair.enabled) return {};
  return "this node has to compare with the others before it serves reads, and repair.enabled is "
         "false here: it never will. Start it with repair.enabled = true; it may be switched off "
         "again once `nodetool info` says that it is ready";
}

// A node that joined or replaces one serves reads once each of its ranges compared equal with a
// majority of the range's other replicas, in an epoch that makes all writes come to it too (design
// section 8).
void Control::CheckReady() {
  if (ready_ || saving_ready_ || found_loss_ || !IsBack() ||
      !repair_.CaughtUpSince(not_ready_since_))
    return;
  saving_ready_ = true;  // Nobody hears of it before it is synced, and with it what was taken.
  auto batch = std::make_unique<storage::Batch>();
  SaveReady(*batch, true);
  SaveLoss(*batch, {});
  Persist(std::move(batch), [this] {
    ready_ = true;
    loss_ = {};
    base::log::Info("control", "ready: caught up with all that it replicates");
    RefreshMetadata();
    Publish();
  });
}

}  // namespace starling::server
