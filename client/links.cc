#include "client/links.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace starling::client {

using base::Address;
using base::ConnId;
using base::Status;

namespace {

std::string_view Describe(base::CloseReason reason) {
  switch (reason) {
    case base::CloseReason::kPeer: return "closed the connection";
    case base::CloseReason::kReset: return "reset the connection";
    case base::CloseReason::kRefused: return "refused the connection";
    case base::CloseReason::kUnreachable: return "did not answer";
    case base::CloseReason::kLocal: return "was given up";
  }
  return "is gone";
}

}  // namespace

Links::Links(base::World& world, Owner& owner, LinksOptions options)
    : world_(world), owner_(owner), options_(std::move(options)) {
  for (const Address host : options_.hosts)
    if (FindNode(host) == nullptr) nodes_.push_back({.address = host, .listed = true});
}

void Links::Upkeep() {
  for (Node& node : nodes_) {
    DropOverdue(node);
    if (Wanted(node)) OpenMissing(node);
  }
}

void Links::SetNodes(std::span<const wire::ClusterMap::Node> nodes) {
  if (options_.listed_only) return;
  for (Node& node : nodes_) node.in_map = false;
  by_number_.clear();
  for (const auto& told : nodes) {
    Node* node = FindNode(told.client);
    if (node == nullptr) node = &nodes_.emplace_back(Node{.address = told.client});
    node->number = told.number;
    node->up = told.up;
    node->in_map = true;
    by_number_[told.number] = static_cast<std::size_t>(node - nodes_.data());
  }
  Upkeep();
}

Links::Link* Links::Pick(std::span<const base::NodeNumber> preferred, Order order,
                         std::optional<Address> avoid) {
  const std::size_t turn = turn_++;
  for (std::size_t i = 0; i < preferred.size(); ++i) {
    const std::size_t at = order == Order::kSpread ? (i + turn) % preferred.size() : i;
    const auto found = by_number_.find(preferred[at]);
    if (found == by_number_.end()) continue;
    Node& node = nodes_[found->second];
    if (!node.up || node.address == avoid) continue;
    if (Link* link = PickAt(node, true)) return link;
  }
  for (const bool healthy_only : {true, false}) {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      Node& node = nodes_[(i + turn) % nodes_.size()];
      if (healthy_only && (!node.up || node.address == avoid)) continue;
      if (Link* link = PickAt(node, healthy_only)) return link;
    }
  }
  return nullptr;
}

void Links::Sent(Link& link) {
  if (link.in_flight++ == 0) link.heard = world_.Now();
}

void Links::Condemn(ConnId conn, const Status& why) {
  if (FindLink(conn) == nullptr) return;
  world_.Close(conn);
  RemoveLink(conn, fmt::format("answered wrongly: {}", why.message()));
}

bool Links::HasReady(const Node& node) {
  return std::any_of(node.links.begin(), node.links.end(),
                     [](const Link& link) { return link.state == State::kReady; });
}

bool Links::any_ready() const { return std::any_of(nodes_.begin(), nodes_.end(), HasReady); }

bool Links::hopeless(base::Instant since) const {
  return std::all_of(nodes_.begin(), nodes_.end(), [&](const Node& node) {
    return node.links.empty() &&
           (!Wanted(node) || (node.failed_at.has_value() && *node.failed_at >= since));
  });
}

std::string Links::why_down() const {
  std::string text;
  for (const Node& node : nodes_)
    if (node.links.empty() && !node.why.empty())
      text += fmt::format("{}{} {}", text.empty() ? "" : "; ", node.address.ToString(), node.why);
  return text.empty() ? "no host has answered yet" : text;
}

void Links::OnOpen(ConnId conn) {
  Link* link = FindLink(conn);
  if (link == nullptr) return;
  link->state = State::kGreeting;
  wire::SendFrame(world_, conn, 0, wire::Hello{});
}

std::size_t Links::OnBytes(ConnId conn, base::Bytes bytes) {
  std::size_t used = 0;
  while (Link* link = FindLink(conn)) {  // The owner may condemn it between two frames.
    wire::Frame frame;
    const auto size = wire::CutFrame(bytes.substr(used), &frame);
    if (!size) {
      Condemn(conn, size.error());
      break;
    }
    if (*size == 0) return used;
    used += *size;
    if (link->state == State::kGreeting || frame.request_id == 0) {
      if (!TakeHello(*link, frame)) break;
      continue;
    }
    link->heard = world_.Now();
    if (link->in_flight > 0) --link->in_flight;
    owner_.OnFrame(*link, frame);
  }
  return bytes.size();
}

void Links::OnClose(ConnId conn, base::CloseReason reason) {
  RemoveLink(conn, std::string(Describe(reason)));
}

// A listed host that the map does not name is asked only until somebody has answered.
bool Links::Wanted(const Node& node) const {
  if (options_.listed_only || node.in_map) return true;
  return node.listed && !any_ready();
}

bool Links::Healthy(const Link& link) const {
  return link.in_flight == 0 || world_.Now() - link.heard <= options_.silence_max;
}

bool Links::HasRoom(const Link& link) const {
  return link.in_flight < link.in_flight_max &&
         world_.Queued(link.conn) < options_.queued_bytes_max;
}

// The node's connections take turns.
Links::Link* Links::PickAt(Node& node, bool healthy_only) {
  for (std::size_t i = 0; i < node.links.size(); ++i) {
    Link& link = node.links[node.next_link++ % node.links.size()];
    if (link.state == State::kReady && HasRoom(link) && (!healthy_only || Healthy(link)))
      return &link;
  }
  return nullptr;
}

Links::Node* Links::FindNode(Address address) {
  for (Node& node : nodes_)
    if (node.address == address) return &node;
  return nullptr;
}

Links::Link* Links::FindLink(ConnId conn) {
  const auto found = by_conn_.find(conn);
  if (found == by_conn_.end()) return nullptr;
  for (Link& link : nodes_[found->second].links)
    if (link.conn == conn) return &link;
  return nullptr;
}

// One connection feels its way after a failure; the rest follow once it is ready.
void Links::OpenMissing(Node& node) {
  if (world_.Now() < node.retry_at) return;
  const bool trusted = node.failures == 0 || HasReady(node);
  const std::size_t wanted = trusted ? std::max(1U, options_.connections_per_node) : 1;
  while (node.links.size() < wanted) {
    const ConnId conn = world_.Connect(node.address);
    by_conn_[conn] = static_cast<std::size_t>(&node - nodes_.data());
    node.links.push_back(
        {.conn = conn, .since = world_.Now(), .heard = world_.Now(), .address = node.address});
  }
}

void Links::DropOverdue(Node& node) {
  std::vector<ConnId> overdue;
  const bool wanted = Wanted(node);
  for (const Link& link : node.links) {
    const bool slow =
        link.state != State::kReady && world_.Now() - link.since > options_.connect_timeout;
    const bool unwanted = !wanted && !node.listed && link.in_flight == 0;
    if (slow || unwanted) overdue.push_back(link.conn);
  }
  for (const ConnId conn : overdue) {
    world_.Close(conn);
    RemoveLink(conn, "did not answer in time");
  }
}

// The first frame of a connection, and every later one without a request id. False: it is over.
bool Links::TakeHello(Link& link, const wire::Frame& frame) {
  const ConnId conn = link.conn;
  if (frame.kind == wire::Kind::kError) {
    const auto error = wire::Decode<wire::ErrorReply>(frame.header);
    Condemn(conn, error ? Status(error->code, error->message) : error.error());
    return false;
  }
  const auto hello = frame.kind == wire::Kind::kHelloReply && link.state == State::kGreeting
                         ? wire::Decode<wire::HelloReply>(frame.header)
                         : base::Fail(base::InvalidArgument("a frame where none was expected"));
  if (!hello) {
    Condemn(conn, hello.error());
    return false;
  }
  if (!cluster_.empty() && hello->cluster_id != cluster_) {
    Condemn(conn, base::FailedPrecondition(fmt::format(
                      "it belongs to cluster {} ('{}'), the others to {}",
                      hello->cluster_id.ToString(), hello->cluster_name, cluster_.ToString())));
    return false;
  }
  cluster_ = hello->cluster_id;
  link.state = State::kReady;
  link.since = world_.Now();
  link.in_flight_max = std::max(1U, hello->in_flight_max);
  Node& node = nodes_[by_conn_.at(conn)];
  node.failures = 0;
  OpenMissing(node);
  owner_.OnLinkReady(*hello);
  return true;
}

// A try to connect did. Several tries of one instant are one failure.
void Links::Failed(Node& node) {
  node.failed_at = world_.Now();
  if (world_.Now() < node.retry_at) return;
  const unsigned doublings = std::min(node.failures++, 10U);
  node.retry_at = world_.Now() +
                  std::min(options_.retry_after_min * (1 << doublings), options_.retry_after_max);
}

// A connection that was ready and ended says nothing of the next one: it is opened at once, and
// only if that fails is the host out of reach.
void Links::Lost(Node& node) {
  if (node.links.empty()) node.failures = std::max(node.failures, 1U);
}

void Links::RemoveLink(ConnId conn, std::string why) {
  const auto found = by_conn_.find(conn);
  if (found == by_conn_.end()) return;
  Node& node = nodes_[found->second];
  by_conn_.erase(found);
  const auto link = std::find_if(node.links.begin(), node.links.end(),
                                 [&](const Link& one) { return one.conn == conn; });
  const bool was_ready = link->state == State::kReady;
  node.links.erase(link);
  node.why = std::move(why);
  if (was_ready) {
    Lost(node);
  } else {
    Failed(node);
  }
  const Address address = node.address;
  owner_.OnLinkDown(conn, address);
}

}  // namespace starling::client
