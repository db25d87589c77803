#include "server/peer_links.h"

#include <fmt/core.h>

#include "base/check.h"

namespace starling::server {
namespace {

std::string_view ReasonText(base::CloseReason reason) {
  switch (reason) {
    case base::CloseReason::kPeer: return "it closed the connection";
    case base::CloseReason::kReset: return "the connection was reset";
    case base::CloseReason::kRefused: return "nobody listens there";
    case base::CloseReason::kUnreachable: return "no answer";
    case base::CloseReason::kLocal: return "we closed the connection";
  }
  return "unknown reason";
}

// The host's identity as a number for Request::link: links are found by address.
std::uint64_t KeyOf(base::Address address) {
  return static_cast<std::uint64_t>(address.ip) << 16 | address.port;
}

}  // namespace

PeerLinks::PeerLinks(base::World& world, PeerLinksListener& listener)
    : world_(world), listener_(listener) {}

PeerLinks::Link* PeerLinks::LinkTo(const PeerAddress& peer) {
  Link& link = links_[peer.address];
  if (link.open) {
    if (!link.ready && world_.Now() >= link.greet_by && !link.given_up) {
      link.given_up = true;
      world_.Close(link.conn);
    }
    if (link.given_up) return nullptr;
    if (!peer.host.empty() && !link.peer.host.empty() && link.peer.host != peer.host)
      return nullptr;  // Another host has that address now: the old link must go first.
    const std::size_t queued = link.ready ? world_.Queued(link.conn) : link.waiting.size();
    return queued > (link.ready ? kQueuedBytesMax : kWaitingBytesMax) ? nullptr : &link;
  }
  if (world_.Now() < link.retry_at) return nullptr;
  link.peer = peer;
  link.open = true;
  link.serial = ++serial_;
  link.ready = false;
  link.given_up = false;
  link.greet_by = world_.Now() + kGreetMax;
  link.waiting.clear();
  link.conn = world_.Connect(peer.address);
  conns_[link.conn] = peer.address;
  return &link;
}

std::uint64_t PeerLinks::SerialOf(const PeerAddress& peer) const {
  const auto found = links_.find(peer.address);
  return found == links_.end() || !found->second.open ? 0 : found->second.serial;
}

std::optional<base::Instant> PeerLinks::WaitsSince(const PeerAddress& peer) const {
  const auto found = links_.find(peer.address);
  return found == links_.end() ? std::nullopt : found->second.waits_since;
}

PeerLinks::Link* PeerLinks::FindConn(base::ConnId conn) {
  const auto it = conns_.find(conn);
  return it == conns_.end() ? nullptr : &links_.at(it->second);
}

std::uint64_t PeerLinks::Register(Link& link, const PeerTag& tag) {
  const auto [id, request] = requests_.Add();
  request->tag = tag;
  request->link = KeyOf(link.peer.address);
  if (!link.waits_since) link.waits_since = world_.Now();
  return id;
}

void PeerLinks::Refuse(const PeerTag& tag, const PeerAddress& peer) {
  failed_.emplace_back(tag, base::Unavailable(fmt::format("{} cannot be reached at the moment",
                                                          peer.address.ToString())));
}

bool PeerLinks::Deliver() {
  if (failed_.empty()) return false;
  const auto failed = std::move(failed_);
  failed_.clear();
  for (const auto& [tag, status] : failed) listener_.OnPeerFailed(tag, status);
  return true;
}

void PeerLinks::Disconnect(base::HostId host) {
  for (auto& [address, link] : links_)
    if (link.open && link.peer.host == host) world_.Close(link.conn);
}

void PeerLinks::DisconnectElsewhere(base::HostId host, base::Address now_at) {
  for (auto& [address, link] : links_)
    if (link.open && link.peer.host == host && address != now_at) world_.Close(link.conn);
}

base::HostId PeerLinks::HostAt(base::Address address) const {
  const auto found = links_.find(address);
  return found == links_.end() || !found->second.ready ? base::HostId{} : found->second.peer.host;
}

bool PeerLinks::OnOpen(base::ConnId conn) {
  const Link* link = FindConn(conn);
  if (link == nullptr) return false;
  wire::SendFrame(world_, conn, 0, hello_);
  return true;
}

bool PeerLinks::OnBytes(base::ConnId conn, base::Bytes bytes, std::size_t* used) {
  if (FindConn(conn) == nullptr) return false;
  *used = 0;
  // A handler may end the link, so it is looked up for each frame.
  while (Link* link = FindConn(conn)) {
    wire::Frame frame;
    const auto size = wire::CutFrame(bytes.substr(*used), &frame);
    if (!size || (*size > 0 && !OnFrame(*link, frame))) {
      world_.Close(conn);
      *used = bytes.size();
      return true;
    }
    if (*size == 0) return true;
    *used += *size;
  }
  *used = bytes.size();
  return true;
}

bool PeerLinks::OnFrame(Link& link, const wire::Frame& frame) {
  if (link.given_up) return false;
  link.waits_since.reset();
  if (!link.ready) return OnHelloAnswer(link, frame);
  const Request* request = requests_.Find(frame.request_id);
  // An answer to a question of another link would be a confused peer.
  if (request == nullptr || request->link != KeyOf(link.peer.address)) return false;
  const PeerTag tag = request->tag;
  requests_.Remove(frame.request_id);
  listener_.OnPeerReply(tag, frame);
  return true;
}

bool PeerLinks::OnHelloAnswer(Link& link, const wire::Frame& frame) {
  if (frame.kind == wire::Kind::kError) {
    const auto error = wire::Decode<wire::ErrorReply>(frame.header);
    if (error) listener_.OnHelloRefused(link.peer, *error);
    return false;
  }
  if (frame.kind != wire::Kind::kHelloReply) return false;
  const auto reply = wire::Decode<wire::HelloReply>(frame.header);
  if (!reply) return false;
  if (!link.peer.host.empty() && reply->host != link.peer.host) return false;
  if (!listener_.OnPeerHello(link.peer, *reply).ok()) return false;
  link.peer.host = reply->host;
  link.ready = true;
  if (!link.waiting.empty()) {
    const auto room = world_.Reserve(link.conn, link.waiting.size());
    std::memcpy(room.data(), link.waiting.data(), link.waiting.size());
    world_.Commit(link.conn, link.waiting.size());
    link.waiting = {};
  }
  return true;
}

bool PeerLinks::OnClose(base::ConnId conn, base::CloseReason reason) {
  Link* link = FindConn(conn);
  if (link == nullptr) return false;
  conns_.erase(conn);
  const PeerAddress peer = link->peer;
  link->open = false;
  link->ready = false;
  link->retry_at = world_.Now() + kRetryAfter;
  link->waiting = {};
  FailRequests(*link, base::Unavailable(fmt::format("lost the connection to {}: {}",
                                                    peer.address.ToString(), ReasonText(reason))));
  link->peer.host = {};
  listener_.OnLinkLost(peer, reason);
  return true;
}

void PeerLinks::FailRequests(const Link& link, const base::Status& status) {
  const std::uint64_t key = KeyOf(link.peer.address);
  requests_.ForEach([&](std::uint64_t id, Request& request) {
    if (request.link != key) return;
    failed_.emplace_back(request.tag, status);
    requests_.Remove(id);
  });
}

}  // namespace starling::server
