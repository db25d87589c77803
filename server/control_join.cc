// server/control_join.cc: entering a cluster that is there: asking to be admitted, and admitting.
#include <fmt/core.h>

#include <algorithm>

#include "base/hash.h"
#include "base/log.h"
#include "base/mutants.h"
#include "server/control.h"
#include "server/control_jobs.h"
#include "server/join_request.h"
#include "server/keyring_admin.h"
#include "server/topology/codec.h"

namespace starling::server {
namespace {

// Of those that wait each asks so often, one small request: who is admitted next has waited for
// half of it, on the average of one that waits alone, since the one before was ready.
constexpr base::Duration kJoinAgain = base::milliseconds(500);
// A stopped node takes a request and never answers. Most changes of the topology take less; what is
// answered later is taken all the same.
constexpr base::Duration kJoinAnswerMax = base::seconds(5);
constexpr base::Duration kJoinSay = base::seconds(5);
// Gossip calls a member that it has never heard of every few seconds (gossip/contacts.h): one that
// stays silent for so long, while a majority is alive, was dead before this node started.
constexpr base::Duration kUnheardMax = base::seconds(30);

}  // namespace

// --- asking ---

// Asks `via` first, if there is one, then in turn all that might be members.
void Control::StartJoining(base::Address via, const topology::Topology& topology) {
  Joining joining;
  if (const std::string& text = shared_.config.node.replace; !text.empty()) {
    const auto host = base::HostId::Parse(text);
    const auto address = base::ParseAddress(text, self_.cluster.port);
    if (!host && !address) return world_.Exit(address.error().Annotate("node.replace"));
    if (host)
      joining.replaced.host = *host;
    else
      joining.replaced.address = *address;
  }
  const auto add = [&](base::Address address) { joining.AddContact(address, self_.cluster); };
  add(via);
  for (const base::Address seed : seed_book_.addresses()) add(seed);
  for (const topology::Node* member : topology.members()) add(member->cluster);
  if (joining.contacts.empty() && seed_book_.complete())
    return world_.Exit(base::FailedPrecondition(
        "this node is no member of its cluster, and cluster.seeds names nobody else to ask for "
        "admission: name a member there"));
  joining.ask_at = world_.Now();
  joining.say_at = world_.Now() + kJoinSay;
  founding_.reset();
  joining_ = std::move(joining);
  AskToJoin();
}

void Control::AskToJoin() {
  if (!joining_) return;
  Joining& joining = *joining_;
  const base::Instant now = world_.Now();
  if (joining.asked && now >= joining.answer_by)
    OnJoinFailed(joining.serial,
                 fmt::format("no answer within {} s", base::ToMs(kJoinAnswerMax) / 1000));
  if (now >= joining.say_at) {
    joining.say_at = now + kJoinSay;
    base::log::Info("join", "still waiting to be admitted: {}",
                    joining.problem.empty() ? "no answer yet" : joining.problem);
  }
  if (joining.asked || now < joining.ask_at || joining.contacts.empty()) return;
  joining.asked = true;
  joining.ask_at = now + kJoinAgain;
  joining.answer_by = now + kJoinAnswerMax;
  ++joining.serial;
  const std::uint64_t back = base::Mutant("absent-not-stale") ? shared_.identity.boot : loss_.boot;
  SendControl({joining.via(), {}}, {kTagJoin, 0, joining.serial, 0}, wire::ControlTopic::kJoin,
              SealedJoin({joining.replaced, back, self_}));
}

std::string Control::SealedJoin(const JoinRequest& request) {
  gossip::Envelope envelope = MakeEnvelope();
  return EncodeJoin(request, envelope);
}

// Another may know more, or be there at all.
void Control::OnJoinFailed(std::uint64_t serial, const std::string& why) {
  if (!joining_ || !joining_->asked || serial != joining_->serial) return;
  joining_->asked = false;
  joining_->problem = fmt::format("{}: {}", joining_->via().ToString(), why);
  ++joining_->turn;
}

void Control::OnJoinReply(const PeerTag& tag, const wire::Frame& frame) {
  if (!joining_) return;
  if (frame.kind == wire::Kind::kError) {
    const auto error = wire::Decode<wire::ErrorReply>(frame.header);
    if (!error) return OnJoinFailed(tag.a, error.error().message());
    if (error->code == base::Code::kFailedPrecondition ||
        error->code == base::Code::kInvalidArgument)
      return world_.Exit(base::Status(error->code, error->message));
    return OnJoinFailed(tag.a, error->message);
  }
  const auto reply = wire::Decode<wire::ControlReply>(frame.header);
  if (!reply || base::Hash64(frame.payload) != reply->payload_digest)
    return OnJoinFailed(tag.a, "its answer was damaged on its way");
  auto topology = topology::DecodeTopology(frame.payload);
  if (!topology) return OnJoinFailed(tag.a, topology.error().message());
  if (topology->cluster_name != shared_.config.cluster.name || !NamesUs(*topology))
    return OnJoinFailed(tag.a, "its answer is a topology without this node");
  BecomeMember(std::make_shared<const topology::Topology>(*std::move(topology)));
}

bool Control::NamesUs(const topology::Topology& topology) const {
  const topology::Node* me = topology.Find(shared_.identity.host);
  return me != nullptr && me->member();
}

// As gossip's, for what is said before gossip knows of this node.
gossip::Envelope Control::MakeEnvelope() {
  return {shared_.config.cluster.name,
          keyring_->keyring(),
          {shared_.identity.host, shared_.identity.boot, world_.random().Next()}};
}

// --- admitting ---

// Whether a node that asks while the cluster is founded may be in it, as far as its seal says. One
// whose request cannot be opened hears why when it asks to join.
bool Control::MayTakeIn(const topology::SeedHello& hello) {
  if (hello.join.empty()) return false;
  gossip::Envelope envelope = MakeEnvelope();
  const base::Result<JoinRequest> asked = DecodeJoin(hello.join, envelope);
  return asked && asked->node == hello.node && !asked->replaced.any() && asked->back == 0;
}

// Another node asks to be admitted, or to take a dead one's place.
void Control::HandleJoin(const ReplyTo& reply, base::Bytes payload) {
  gossip::Envelope envelope = MakeEnvelope();
  const base::Result<JoinRequest> asked = DecodeJoin(payload, envelope);
  if (!asked) return ReplyError(reply, asked.error());
  const auto& [replaced, back, node] = *asked;
  // Again within the change, against the topology that it is proposed to follow: of two joins at
  // once, whoever comes second finds the first one's node there.
  if (const base::Status fits = CheckAdmission(*acceptor_->known(), node, replaced, back);
      !fits.ok())
    return ReplyError(reply, fits);
  Propose(
      [this, node = asked->node, replaced = asked->replaced,
       back = asked->back](const topology::Topology& before) -> base::Result<topology::Topology> {
        RETURN_IF_ERROR(CheckAdmission(before, node, replaced, back));
        if (before.Find(node.host) != nullptr) return topology::ReturnNode(before, node.host, back);
        return replaced.any() ? topology::ReplaceNode(before, replaced, node)
                              : topology::AdmitNode(before, node);
      },
      [this, reply](const base::Status& status, const topology::TopologyPtr&) {
        if (status.ok())
          ReplyBytes(reply, acceptor_->known_bytes());
        else
          ReplyError(reply, status);
      });
}

// One newcomer at a time. A member that is not ready has yet to get what it owns; if another one
// took a second replica's place meanwhile, the two could find each other equal, both without what
// only the two before them held. docs/decisions/0002-one-newcomer-at-a-time.md
//
// Advisory: who is a member is agreed on, who is ready travels by gossip. It errs on the safe side,
// since a host becomes ready once and for good, and one that is not heard of counts as not ready.
base::Status Control::CheckAdmission(const topology::Topology& topology,
                                     const topology::NodeInfo& node,
                                     const topology::Replaced& replaced, std::uint64_t back) const {
  RETURN_IF_ERROR(topology::CheckJoin(topology, node, replaced));
  const topology::Node* there = topology.Find(node.host);
  // Also where it is noted: a directory that was left there may ask, while the member lives
  // elsewhere and no epoch has said so yet.
  if (there != nullptr && WhereIs(*there) != node.cluster)
    if (const base::Status gone = CheckGone(*there); !gone.ok())
      return base::Unavailable(
          fmt::format("host {} asks from {}, and is a member at {}, which may be alive there",
                      node.host.ToString(), node.cluster.ToString(), WhereIs(*there).ToString()));
  if (there != nullptr && there->back >= back && there->absent == 0)
    return base::Ok();  // The answer was lost.
  if (there == nullptr) RETURN_IF_ERROR(CheckMeant(topology, replaced));
  for (const topology::Node* member : topology.members()) {
    if (member == there) continue;
    if (replaced.Names(*member)) {
      RETURN_IF_ERROR(CheckGone(*member));
      continue;
    }
    // It takes over what the others have, before it is back itself: nobody waits for it to return.
    if (there != nullptr && member->absent != 0) continue;
    const Snapshot::Peer look = LookOf(*member);
    const std::string who = member->cluster.ToString();
    const bool alive = SeemsAlive(*member);
    if (member->absent != 0)
      return base::Unavailable(
          fmt::format("member {} is absent since epoch {}, and a new node may need to compare with "
                      "it before it is ready: bring it back, or replace it first",
                      who, member->absent));
    if (!look.ready && !alive && !heard_.contains(member->host))
      return base::Unavailable(
          fmt::format("member {} has not been heard of since this node started, so it is unknown "
                      "whether it is ready: a node is admitted when all others are",
                      who));
    if (!look.ready)
      return base::Unavailable(
          fmt::format("member {} is not ready yet, it is catching up with what it replicates: a "
                      "node is admitted when all others are ready",
                      who));
    // A replacement has somebody's data to save, and must not wait for a second one that is down.
    // One that comes back moves no range, and waits for those that it shares some with by itself.
    if (!replaced.any() && there == nullptr && !alive)
      return base::Unavailable(
          fmt::format("member {} is down, and a new node may need to compare with it before it is "
                      "ready: bring it back, or replace it first",
                      who));
  }
  return base::Ok();
}

// Where a member is noted is a guess if it is down and another one took its address (MoveNode), and
// who moved is heard elsewhere before that is noted. So an address may be one member's by the
// topology and another one's as gossip last heard it: then only a host id says who is meant.
base::Status Control::CheckMeant(const topology::Topology& topology,
                                 const topology::Replaced& replaced) const {
  if (replaced.address.port == 0 || gossip_ == nullptr) return base::Ok();
  std::size_t count = 0;
  std::string candidates;
  for (const topology::Node* member : topology.members()) {
    const std::optional<gossip::Member> heard = gossip_->View(member->host);
    const base::Address last = heard ? heard->address : member->cluster;
    if (!replaced.Names(*member) && last != replaced.address) continue;
    ++count;
    candidates +=
        fmt::format("{}{} (noted at {}, last heard at {})", candidates.empty() ? "" : ", ",
                    member->host.ToString(), member->cluster.ToString(), last.ToString());
  }
  if (count <= 1) return base::Ok();
  return base::FailedPrecondition(
      fmt::format("node.replace = {} may mean any of these hosts: {}. Set node.replace to the host "
                  "id of the one that is lost",
                  replaced.address.ToString(), candidates));
}

// Whether this node knows that a member is gone: gossip has found so since this node started.
base::Status Control::CheckGone(const topology::Node& member) const {
  if (member.host == shared_.identity.host)
    return base::Unavailable(
        fmt::format("member {} is this node, and alive", member.cluster.ToString()));
  const auto heard = heard_.find(member.host);
  if (heard != heard_.end()) {
    if (gossip::IsGone(heard->second)) return base::Ok();
    return base::Unavailable(
        fmt::format("member {} is {} as far as this node knows: only a dead member can be replaced",
                    member.cluster.ToString(), gossip::Name(heard->second)));
  }
  const auto members = snapshot_->topology->members();
  const auto alive =
      std::count_if(members.begin(), members.end(),
                    [this](const topology::Node* each) { return SeemsAlive(*each); });
  const bool majority = static_cast<std::size_t>(alive) > members.size() / 2;
  if (majority && world_.Now() - gossip_since_ >= kUnheardMax) return base::Ok();
  return base::Unavailable(
      fmt::format("member {} has not been heard of since this node started: it may be alive, which "
                  "is known after {} s among a majority",
                  member.cluster.ToString(), base::ToMs(kUnheardMax) / 1000));
}

}  // namespace starling::server
