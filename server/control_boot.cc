// server/control_boot.cc: from an empty or stored directory to a member of a cluster.
#include <fmt/core.h>

#include <algorithm>

#include "base/log.h"
#include "server/control.h"
#include "server/control_jobs.h"
#include "server/join_request.h"
#include "server/meta_records.h"
#include "server/topology/codec.h"

namespace starling::server {
namespace {

// Replicas are placed by datacenter and rack, and so a member stays in those that it entered with:
// elsewhere other ranges would be its own. Addresses may change (control_move.cc).
// FailedPrecondition names both places.
base::Status CheckPlace(const topology::Node& member, const topology::NodeInfo& configured) {
  const auto differs = [](std::string_view key, std::string_view is, std::string_view wanted) {
    return base::FailedPrecondition(fmt::format(
        "the cluster knows this node by {} = {}, and its configuration says {}: set it back. A "
        "member cannot change it; start a node with an empty data directory there, and this one "
        "no more",
        key, is, wanted));
  };
  if (member.dc != configured.dc) return differs("node.dc", member.dc, configured.dc);
  if (member.rack != configured.rack) return differs("node.rack", member.rack, configured.rack);
  return base::Ok();
}

}  // namespace

base::Status Control::LoadStored() {
  ASSIGN_OR_RETURN(seed_book_, SeedBook::Of(shared_.config.cluster.seeds, self_.cluster.port));
  ASSIGN_OR_RETURN(const StoredTopology stored, LoadTopology(shared_.engine));
  loss_ = shared_.identity.loss;
  ready_ = stored.ready && !loss_.any();
  RETURN_IF_ERROR(shared_.peer_marks.Load(stored.peer_marks));
  topology::TopologyPtr known;
  if (!stored.topology.empty()) {
    ASSIGN_OR_RETURN(topology::Topology value, topology::DecodeTopology(stored.topology));
    known = std::make_shared<const topology::Topology>(std::move(value));
  }
  if (loss_.any()) {
    const topology::Node* me = known == nullptr ? nullptr : known->Find(shared_.identity.host);
    base::log::Warn("absence",
                    "{}: {}. It serves no read and casts no vote until it has all from the other "
                    "replicas",
                    me != nullptr && me->absent != 0
                        ? "this node cannot tell what the others have deleted meanwhile"
                        : "this node lost data that it had acknowledged",
                    loss_.reason);
  }
  if (stored.acceptor.empty()) {
    acceptor_.emplace(shared_.identity.host, known);
  } else {
    ASSIGN_OR_RETURN(topology::Acceptor restored,
                     topology::Acceptor::Restore(shared_.identity.host, known, stored.acceptor));
    acceptor_.emplace(std::move(restored));
  }
  acceptor_->SetPlace(self_.cluster);
  if (known == nullptr && loss_.any() && IsOnlySeed()) {
    // Whoever else there might be, nobody else is to be asked.
    loss_ = {};
    auto batch = std::make_unique<storage::Batch>();
    SaveLoss(*batch, loss_);
    Persist(std::move(batch), [this] { FoundBySeeds(); });
  } else if (known == nullptr && loss_.any()) {
    StartJoining({}, {});  // It was a member: whatever its seeds say, it founds nothing.
  } else if (known == nullptr) {
    FoundBySeeds();
  } else if (const topology::Node* me = known->Find(shared_.identity.host)) {
    if (me->member()) RETURN_IF_ERROR(CheckPlace(*me, self_));
    if (me->member() && me->cluster != self_.cluster)
      LookForTwin(me->cluster, Moving::Look::kAtStart);
    else
      Adopt(known);
  } else {
    // Heard of before it was admitted: voters tell whoever has the address of one.
    StartJoining({}, *known);
  }
  return base::Ok();
}

bool Control::IsOnlySeed() const {
  return seed_book_.complete() && seed_book_.addresses() == std::vector{self_.cluster};
}

void Control::StartFounding() {
  topology::FoundingOptions options;
  options.self = self_;
  options.seeds = founding_seeds_ = seed_book_.addresses();
  options.seeds_may_change = !seed_book_.names().empty();
  options.cluster_name = shared_.config.cluster.name;
  options.replaces = !shared_.config.node.replace.empty();
  options.random_seed = world_.random().Next();
  founding_.emplace(options, *acceptor_, world_.Now());
  DriveFounding();
}

void Control::DriveFounding() {
  if (!founding_) return;
  topology::Founding::Outputs outputs = founding_->TakeOutputs();
  for (auto& [to, hello] : outputs.hellos) {
    if (founding_->may_be_taken_in()) hello.join = SealedJoin({.node = self_});
    SendControl({to, {}}, {kTagFounding, 0, PackAddress(to), 0}, wire::ControlTopic::kFounding,
                topology::EncodeSeedHello(hello));
  }
  if (!outputs.say.empty()) base::log::Info("founding", "{}", outputs.say);
  const topology::Decision& decision = founding_->decision();
  switch (decision.kind) {
    case topology::Decision::Kind::kWait: return;
    case topology::Decision::Kind::kFail: world_.Exit(decision.status); return;
    case topology::Decision::Kind::kAdopt: BecomeMember(decision.topology); return;
    case topology::Decision::Kind::kJoin: {
      const topology::TopologyPtr topology = decision.topology;
      StartJoining(decision.via, *topology);
      return;
    }
    case topology::Decision::Kind::kPropose: break;
  }
  if (proposer_) return;
  topology::ProposerOptions options;
  options.self = shared_.identity.host;
  options.voters = decision.voters;
  options.epoch = decision.topology->epoch;
  options.value = topology::EncodeTopology(*decision.topology);
  founding_proposal_ = true;
  StartProposer(std::move(options));
}

void Control::OnFoundingReply(base::Address asked, base::Bytes payload) {
  if (!founding_) return;
  const auto answer = topology::DecodeSeedHello(payload);
  if (!answer) {
    base::log::Warn("founding", "{} answered nonsense: {}", asked.ToString(),
                    answer.error().message());
    return;
  }
  founding_->OnAnswer(world_.Now(), asked, *answer);
  DriveFounding();
}

std::string Control::AnswerHello(base::Bytes question) {
  const auto hello = topology::DecodeSeedHello(question);
  if (!hello) return {};
  // Silence, as of a node that is not there yet: it could not say which seeds it has.
  if (acceptor_->known() == nullptr && !seed_book_.complete()) return {};
  if (founding_ && MayTakeIn(*hello)) founding_->OnNewcomer(world_.Now(), *hello);
  topology::SeedHello answer =
      founding_ ? founding_->Answer(*hello)
                : topology::AnswerHello(*hello, self_, shared_.config.cluster.name,
                                        seed_book_.addresses(), *acceptor_);
  if (joining_) answer.replaces = joining_->replaced.any();
  return topology::EncodeSeedHello(answer);
}

// A founder has missed nothing: there was no write before epoch 1. Everybody else, whatever way it
// hears of its admission, has to catch up first; so has a founder whose data directory was lost,
// since it comes back as another host.
void Control::BecomeMember(topology::TopologyPtr topology) {
  founding_.reset();
  joining_.reset();
  ready_ = topology->FoundedBy(shared_.identity.host) && !loss_.any();
  base::log::Info("control", "member of cluster '{}' ({}), epoch {}", topology->cluster_name,
                  topology->cluster_id.ToString(), topology->epoch);
  Learn(std::move(topology));
}

}  // namespace starling::server
