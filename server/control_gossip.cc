// server/control_gossip.cc: gossip's shell, and what its events mean to the node.
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/hash.h"
#include "base/log.h"
#include "server/control.h"
#include "server/control_jobs.h"
#include "server/keyring_admin.h"
#include "server/topology/codec.h"

namespace starling::server {
namespace {

std::string_view NameOf(gossip::Event::Kind kind) {
  switch (kind) {
    case gossip::Event::kJoined: return "joined";
    case gossip::Event::kAlive: return "alive";
    case gossip::Event::kSuspect: return "suspect";
    case gossip::Event::kUnreachable: return "unreachable";
    case gossip::Event::kDead: return "dead";
    case gossip::Event::kLeft: return "left";
    case gossip::Event::kUpdated: return "updated";
    case gossip::Event::kRumor: return "rumor";
    case gossip::Event::kConflict: return "has our identity";
    case gossip::Event::kYielded: return "yields";
    case gossip::Event::kStreamOnly: return "by stream only";
    case gossip::Event::kClusterMismatch: return "another cluster's node talks to us";
    case gossip::Event::kUnopened: return "sends what cannot be opened";
    case gossip::Event::kMalformed: return "sends what no sound node does";
    case gossip::Event::kOtherVersion: return "speaks another format of gossip";
    case gossip::Event::kUnanswered: return "answers nothing";
  }
  return "?";
}

// Whether its member is one of the cluster's, in a state that the event tells.
bool IsOfMember(gossip::Event::Kind kind) {
  return kind != gossip::Event::kClusterMismatch && kind != gossip::Event::kConflict &&
         kind != gossip::Event::kYielded && kind != gossip::Event::kUnopened &&
         kind != gossip::Event::kMalformed && kind != gossip::Event::kOtherVersion &&
         kind != gossip::Event::kStreamOnly && kind != gossip::Event::kUnanswered;
}

void SayGossip(const gossip::Gossip& gossip, const gossip::Event& event) {
  if (event.kind == gossip::Event::kUpdated) return;
  auto text = fmt::format("{} {}{}{}", event.member.address.ToString(), NameOf(event.kind),
                          event.reason.empty() ? "" : ": ", event.reason);
  if (event.accusers.size() > 0) text += "; silent to " + gossip.Name(event.accusers);
  if (event.kind == gossip::Event::kYielded)
    base::log::Error("gossip", "{}", text);
  else if (!IsOfMember(event.kind))
    base::log::Warn("gossip", "{}", text);
  else
    base::log::Info("gossip", "{}", text);
}

// One node's opinion takes nobody's requests away: it may be its own fault, and is refuted within a
// round trip. A process that is gone resets or refuses connections, which is noticed at once.
bool IsRouted(gossip::Liveness liveness) {
  return liveness == gossip::Liveness::kAlive || liveness == gossip::Liveness::kSuspect;
}

// Nodes of one rack may fall silent together.
std::uint32_t DomainOf(const topology::NodeInfo& node) {
  return static_cast<std::uint32_t>(base::Hash64(node.dc + '/' + node.rack));
}

}  // namespace

std::string Control::Metadata() const {
  return EncodeMetadata(
      {.epoch = snapshot_->topology->epoch, .ready = serves(), .disk_full = disk_.full()});
}

void Control::RefreshMetadata() {
  if (gossip_ == nullptr) return;
  std::string metadata = Metadata();
  if (metadata == gossip_->self().metadata) return;
  gossip_->SetMetadata(world_.Now(), std::move(metadata));
}

// To whoever pings this node: it changes with every write, and is no news.
void Control::TellLoad() {
  if (gossip_ != nullptr) gossip_->SetVitals(EncodeVitals({load_bytes_}));
}

void Control::StartGossip() {
  gossip::GossipOptions options;
  const auto& config = shared_.config.gossip;
  options.probe_interval = config.probe_interval;
  options.ack_timeout = config.ack_timeout;
  options.suspicion_timeout = config.suspicion_timeout;
  options.gossip_interval = config.gossip_interval;
  options.push_pull_interval = config.push_pull_interval;
  options.rumor_payload_bytes_max = topology::kTopologyBytesMax;
  // The id keeps clusters of one name apart: their packets do not even reach our members.
  const std::string cluster = fmt::format("{}/{}", snapshot_->topology->cluster_name,
                                          snapshot_->topology->cluster_id.ToString());
  gossip_ = std::make_unique<gossip::Gossip>(options,
                                             gossip::Self{.host = shared_.identity.host,
                                                          .generation = shared_.identity.boot,
                                                          .address = self_.cluster,
                                                          .cluster_name = cluster,
                                                          .keyring = keyring_->keyring(),
                                                          .metadata = Metadata(),
                                                          .domain = DomainOf(self_)},
                                             world_.random().Next(), world_.Now());
  gossip_since_ = world_.Now();
  TellLoad();
  JoinGossip();
}

void Control::JoinGossip() {
  std::vector<base::Address> contacts = seed_book_.addresses();
  for (const topology::Node* node : snapshot_->topology->members())
    contacts.push_back(node->cluster);
  std::sort(contacts.begin(), contacts.end());
  contacts.erase(std::unique(contacts.begin(), contacts.end()), contacts.end());
  std::erase(contacts, self_.cluster);
  gossip_->Join(world_.Now(), contacts);
}

void Control::DrainGossip() {
  if (gossip_ == nullptr) return;
  gossip::Outputs& outputs = gossip_->outputs();
  // Handling an event may make gossip say more, so each round takes what is there. Two outputs take
  // turns, so that each has the room of datagrams that it sent before.
  while (!outputs.datagrams.empty() || !outputs.streams.empty() || !outputs.events.empty()) {
    gossip::Outputs taken = std::exchange(drained_, {});
    std::swap(taken, outputs);
    for (const gossip::Datagram& datagram : taken.datagrams)
      world_.SendDatagram(datagram.to, datagram.bytes);
    for (const gossip::StreamRequest& stream : taken.streams)
      SendControl({stream.to, stream.host.value_or(base::HostId{})},
                  {kTagGossip, 0, PackAddress(stream.to), 0}, wire::ControlTopic::kGossip,
                  stream.bytes);
    for (const gossip::Event& event : taken.events) OnGossipEvent(event);
    taken.Clear();
    drained_ = std::move(taken);
  }
}

void Control::OnGossipEvent(const gossip::Event& event) {
  if (event.kind == gossip::Event::kRumor) {
    if (gossip::IsPassing(event.rumor_key))
      PassOnWrite(event.rumor_payload);
    else
      LearnFrom(event.rumor_payload, "a rumor");
    return;
  }
  SayGossip(*gossip_, event);
  if (event.kind == gossip::Event::kConflict) OnConflict(event.member.address);
  if (event.kind == gossip::Event::kYielded)
    return world_.Exit(base::FailedPrecondition(fmt::format(
        "{}: is the data directory '{}' a copy?", event.reason, shared_.config.node.data_dir)));
  if (!IsOfMember(event.kind)) return;
  heard_[event.member.host] = event.member.liveness;
  if (event.kind == gossip::Event::kDead || event.kind == gossip::Event::kLeft)
    links_.Disconnect(event.member.host);
  const NodeMetadata metadata = ParseMetadata(event.member.metadata);
  const topology::Node* node = snapshot_->topology->Find(event.member.host);
  if (node == nullptr) return;
  if (metadata.epoch > snapshot_->topology->epoch)
    SendControl({node->cluster, node->host}, {kTagTopology, 0, 0, 0}, wire::ControlTopic::kTopology,
                {});
  flaps_.Note(world_.Now(), node->host, IsRouted(event.member.liveness));
  heard_more_ = true;
}

// Once a turn, however many events it had.
void Control::PublishIfLooksChanged() {
  heard_more_ = false;
  bool changed = AnyoneMoved();
  for (std::size_t i = 0; i < snapshot_->peers.size() && !changed; ++i)
    changed = LookOf(snapshot_->node(i)) != snapshot_->peers[i];
  if (changed) Publish();
  CheckEpochWaits();
}

// Of a keyspace that is everywhere, to the worker that owns the key.
void Control::PassOnWrite(const std::string& payload) {
  const auto write = ReadWriteRumor(payload);
  if (!write) {
    base::log::Warn("gossip", "a rumor is no write: {}", write.error().message());
    return;
  }
  if (!published_) return;  // Repair will bring it.
  const base::Token token = base::TokenOf(write->entry.key, snapshot_->topology->token_seed);
  auto mail = std::make_unique<RumoredWriteMail>();
  mail->payload = payload;
  world_.Post(WorkerActor(base::WorkerOf(base::BucketOf(token), shared_.workers)), std::move(mail));
}

void Control::SpreadWrite(SpreadMail& mail) {
  shared_.rumor_mail_bytes.fetch_sub(mail.counted, std::memory_order_relaxed);
  if (gossip_ == nullptr) return;
  gossip_->PublishPassing(world_.Now(), mail.rumor.key, mail.rumor.version,
                          std::move(mail.rumor.payload));
}

Snapshot::Peer Control::LookOf(const topology::Node& node) const {
  if (node.host == shared_.identity.host)
    return {true, serves(), shared_.identity.boot, disk_.full(), false};
  const std::optional<gossip::Member> member =
      gossip_ == nullptr ? std::nullopt : gossip_->View(node.host);
  if (!member || !node.member()) return {};
  const bool held = flaps_.Holds(world_.Now(), node.host) && MayHold(node);
  const NodeMetadata said = ParseMetadata(member->metadata);
  const bool reachable = IsRouted(member->liveness);
  return {reachable && !held, said.ready && node.absent == 0, member->generation, said.disk_full,
          reachable && held};
}

// Whoever is held is one replica less, which must not cost a majority: nobody is held while another
// member is down, or where a keyspace has fewer than three replicas.
bool Control::MayHold(const topology::Node& node) const {
  const topology::Topology& topology = *snapshot_->topology;
  for (const topology::Node* member : topology.members())
    if (member->host != node.host && !SeemsAlive(*member)) return false;
  return std::ranges::all_of(topology.keyspaces, [&](const topology::Keyspace& keyspace) {
    return EffectiveFactor(topology, keyspace.replication) >= 3;
  });
}

bool Control::SeemsAlive(const topology::Node& node) const {
  if (node.host == shared_.identity.host) return true;
  const std::optional<gossip::Member> member =
      gossip_ == nullptr ? std::nullopt : gossip_->View(node.host);
  return member && node.member() && member->liveness == gossip::Liveness::kAlive;
}

std::uint64_t Control::EpochOf(const topology::Node& node) const {
  if (node.host == shared_.identity.host) return snapshot_->topology->epoch;
  const std::optional<gossip::Member> member =
      gossip_ == nullptr ? std::nullopt : gossip_->View(node.host);
  return !member ? 0 : ParseMetadata(member->metadata).epoch;
}

}  // namespace starling::server
