// server/control_boot.cc: from an empty or stored directory to a member of a cluster.
#include <fmt/core.h>

#include <algorithm>

#include "base/log.h"
#include "server/control.h"
#include "server/control_jobs.h"
#include "server/meta_records.h"
#include "server/resolve.h"
#include "server/topology/codec.h"

namespace starling::server {
namespace {

constexpr base::Duration kJoinAgain = base::seconds(2);

// A request to be admitted: replaced address (0: none) u64, then the node's own description.
std::string EncodeJoin(const topology::NodeInfo& self, base::Address replaced) {
  std::string out;
  base::AppendLittle(out, PackAddress(replaced));
  return out + topology::EncodeNodeInfo(self);
}

}  // namespace

base::Status Control::LoadStored() {
  ASSIGN_OR_RETURN(seeds_, ResolveSeeds(shared_.config.cluster.seeds, self_.cluster.port));
  ASSIGN_OR_RETURN(const StoredTopology stored, LoadTopology(shared_.engine));
  ready_ = stored.ready;
  topology::TopologyPtr known;
  if (!stored.topology.empty()) {
    ASSIGN_OR_RETURN(topology::Topology value, topology::DecodeTopology(stored.topology));
    known = std::make_shared<const topology::Topology>(std::move(value));
  }
  if (stored.acceptor.empty()) {
    acceptor_.emplace(shared_.identity.host, known);
  } else {
    ASSIGN_OR_RETURN(topology::Acceptor restored,
                     topology::Acceptor::Restore(shared_.identity.host, known, stored.acceptor));
    acceptor_.emplace(std::move(restored));
  }
  if (known != nullptr) {
    Adopt(known);
    return base::Ok();
  }
  StartFounding();
  return base::Ok();
}

void Control::StartFounding() {
  topology::FoundingOptions options;
  options.self = self_;
  options.seeds = seeds_;
  options.cluster_name = shared_.config.cluster.name;
  options.random_seed = world_.random().Next();
  founding_.emplace(options, *acceptor_, world_.Now());
  DriveFounding();
}

void Control::DriveFounding() {
  if (!founding_) return;
  const topology::Founding::Outputs outputs = founding_->TakeOutputs();
  for (const auto& hello : outputs.hellos)
    SendControl({hello.to, {}}, {kTagFounding, 0, PackAddress(hello.to), 0},
                wire::ControlTopic::kFounding, topology::EncodeSeedHello(hello.hello));
  if (!outputs.say.empty()) base::log::Info("founding", "{}", outputs.say);
  const topology::Decision& decision = founding_->decision();
  switch (decision.kind) {
    case topology::Decision::Kind::kWait: return;
    case topology::Decision::Kind::kFail: world_.Exit(decision.status); return;
    case topology::Decision::Kind::kAdopt: BecomeMember(decision.topology, true); return;
    case topology::Decision::Kind::kJoin:
      join_via_ = decision.via;
      join_again_ = world_.Now();
      founding_.reset();
      AskToJoin();
      return;
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
  const topology::SeedHello answer =
      founding_
          ? founding_->Answer(*hello)
          : topology::AnswerHello(*hello, self_, shared_.config.cluster.name, seeds_, *acceptor_);
  return topology::EncodeSeedHello(answer);
}

void Control::BecomeMember(topology::TopologyPtr topology, bool ready) {
  founding_.reset();
  join_via_ = {};
  ready_ = ready;
  base::log::Info("control", "member of cluster '{}' ({}), epoch {}", topology->cluster_name,
                  topology->cluster_id.ToString(), topology->epoch);
  Learn(std::move(topology));
}

// --- joining ---

void Control::AskToJoin() {
  if (join_via_.port == 0 || join_asked_ || world_.Now() < join_again_) return;
  base::Address replaced;
  if (!shared_.config.node.replace.empty()) {
    const auto parsed = base::ParseAddress(shared_.config.node.replace, self_.cluster.port);
    if (!parsed) {
      world_.Exit(parsed.error().Annotate("node.replace"));
      return;
    }
    replaced = *parsed;
  }
  join_asked_ = true;
  join_again_ = world_.Now() + kJoinAgain;
  SendControl({join_via_, {}}, {kTagJoin, 0, 0, 0}, wire::ControlTopic::kJoin,
              EncodeJoin(self_, replaced));
}

void Control::OnJoinReply(const wire::Frame& frame) {
  join_asked_ = false;
  if (snapshot_ != nullptr || join_via_.port == 0) return;
  if (frame.kind == wire::Kind::kError) {
    const auto error = wire::Decode<wire::ErrorReply>(frame.header);
    if (!error) return;
    if (error->code == base::Code::kFailedPrecondition ||
        error->code == base::Code::kInvalidArgument) {
      world_.Exit(base::Status(error->code, error->message));
      return;
    }
    base::log::Info("founding", "not admitted yet: {}", error->message);
    return;
  }
  auto topology = topology::DecodeTopology(frame.payload);
  if (!topology) {
    base::log::Warn("founding", "the answer to our joining is malformed: {}",
                    topology.error().message());
    return;
  }
  BecomeMember(std::make_shared<const topology::Topology>(*std::move(topology)), false);
}

// Another node asks to be admitted, or to take a dead one's place.
void Control::HandleJoin(const ReplyTo& reply, base::Bytes payload) {
  if (payload.size() < 8)
    return ReplyError(reply, base::InvalidArgument("a request to join is malformed"));
  const base::Address replaced = UnpackAddress(base::LoadLittle<std::uint64_t>(payload.data()));
  const auto info = topology::DecodeNodeInfo(payload.substr(8));
  if (!info) return ReplyError(reply, info.error());
  const std::optional<base::Address> replace =
      replaced.port == 0 ? std::nullopt : std::optional(replaced);
  const topology::Topology& now = *snapshot_->topology;
  if (const base::Status fits = topology::CheckJoin(now, *info, replace); !fits.ok())
    return ReplyError(reply, fits);
  if (replace && now.Find(info->host) == nullptr) {
    const topology::Node* old = now.FindAddress(*replace);
    const auto index = static_cast<std::size_t>(old - now.nodes.data());
    if (snapshot_->peers[index].up)
      return ReplyError(reply, base::Unavailable(fmt::format(
                                   "{} is up as far as this node knows: only a dead member can be "
                                   "replaced",
                                   replace->ToString())));
  }
  Propose(
      [node = *info, replace](const topology::Topology& before) {
        return replace ? topology::ReplaceNode(before, *replace, node)
                       : topology::AdmitNode(before, node);
      },
      [this, reply](const base::Status& status, const topology::TopologyPtr&) {
        if (status.ok())
          ReplyBytes(reply, acceptor_->known_bytes());
        else
          ReplyError(reply, status);
      });
}

}  // namespace starling::server
