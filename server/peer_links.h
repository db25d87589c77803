// server/peer_links.h: one actor's connections to the other nodes, and the requests open on them.
//
// A link is made when something is first sent to an address, says hello, and then carries any
// number of requests at a time. A request ends in exactly one of OnPeerReply and OnPeerFailed; the
// latter never comes from within Send, but from Deliver(), which the actor calls once a turn.
// Deadlines are the requester's: an answer that nobody waits for any more is the listener's to
// drop.
//
// Thread:    confined to its actor.
// Read next: server/wire/frame.h
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/slab.h"
#include "base/world.h"
#include "server/wire/frame.h"

namespace starling::server {

// Whose request it was; the meaning is the listener's.
struct PeerTag {
  std::uint32_t kind = 0;
  std::uint32_t b = 0;
  std::uint64_t a = 0;
  std::uint64_t c = 0;
};

// A node, as a request is addressed. `host` empty: whoever answers there.
struct PeerAddress {
  base::Address address;
  base::HostId host;
};

class PeerLinksListener {
 public:
  // The frame is the reply's, or one of kind kError.
  virtual void OnPeerReply(const PeerTag& tag, const wire::Frame& frame) = 0;
  virtual void OnPeerFailed(const PeerTag& tag, const base::Status& status) = 0;
  // A link that said hello, or could not be made, has gone.
  virtual void OnLinkLost(const PeerAddress& peer, base::CloseReason reason) = 0;
  // The other side said who it is. A failure closes the link with that reason.
  virtual base::Status OnPeerHello(const PeerAddress& peer, const wire::HelloReply& reply) = 0;
  // The other side refused our hello.
  virtual void OnHelloRefused(const PeerAddress& peer, const wire::ErrorReply& error) = 0;

 protected:
  ~PeerLinksListener() = default;
};

class PeerLinks {
 public:
  PeerLinks(base::World& world, PeerLinksListener& listener);

  // What new links say first.
  void SetHello(wire::Hello hello) { hello_ = std::move(hello); }

  // Of the connection that a Send to `peer` takes; 0: it will make one, or fail. Never reused.
  std::uint64_t SerialOf(const PeerAddress& peer) const;

  // Since when something sent to `peer` has waited with nothing coming from there, if it does. A
  // link that was lost meanwhile waits on, until one says hello.
  std::optional<base::Instant> WaitsSince(const PeerAddress& peer) const;

  // False: it will fail, and nothing goes out.
  template <typename Message>
  bool Send(const PeerAddress& peer, const PeerTag& tag, const Message& message,
            base::Bytes payload = {}) {
    if (payload.size() > wire::kPayloadBytesMax) {
      failed_.emplace_back(tag, base::Status(base::Code::kFailedPrecondition,
                                             wire::TooLarge(payload.size()).message));
      return false;
    }
    Link* link = LinkTo(peer);
    if (link == nullptr) {
      Refuse(tag, peer);
      return false;
    }
    const std::uint64_t id = Register(*link, tag);
    if (link->ready)
      wire::SendFrame(world_, link->conn, id, message, payload);
    else
      wire::AppendFrame(link->waiting, id, message, payload);
    return true;
  }

  // Brings the failures of this turn to the listener, which may send again.
  // Returns whether there were any.
  bool Deliver();

  // Ends the links to a host that is dead: what is open on them fails.
  void Disconnect(base::HostId host);
  // The same for a host that is at `now_at` now: its links to other addresses.
  void DisconnectElsewhere(base::HostId host, base::Address now_at);

  // Who said hello at an address; empty: nobody has, on a link that is open.
  base::HostId HostAt(base::Address address) const;

  // The actor hands on what comes of its connections; false: the connection is none of ours.
  bool OnOpen(base::ConnId conn);
  bool OnBytes(base::ConnId conn, base::Bytes bytes, std::size_t* used);
  bool OnClose(base::ConnId conn, base::CloseReason reason);

  std::size_t open_requests() const { return requests_.size(); }

 private:
  static constexpr std::size_t kWaitingBytesMax = 8 << 20;  // Before the hello is answered.
  static constexpr std::size_t kQueuedBytesMax = 64 << 20;  // That the peer has not taken.
  static constexpr base::Duration kRetryAfter = base::milliseconds(100);
  // To connect and be greeted. A host that loses its power in between says nothing any more, and
  // nothing more is sent to it by which that would show.
  static constexpr base::Duration kGreetMax = base::seconds(10);

  struct Link {
    PeerAddress peer;
    base::ConnId conn{};
    std::uint64_t serial = 0;
    bool open = false;   // A connection exists or is being made.
    bool ready = false;  // The hello was answered.
    base::Instant retry_at;
    base::Instant greet_by;
    std::optional<base::Instant> waits_since;
    bool given_up = false;  // It is being closed.
    std::string waiting;    // Frames for when it is ready.
  };
  struct Request {
    PeerTag tag;
    std::uint64_t link = 0;
  };

  Link* LinkTo(const PeerAddress& peer);
  Link* FindConn(base::ConnId conn);
  std::uint64_t Register(Link& link, const PeerTag& tag);
  void Refuse(const PeerTag& tag, const PeerAddress& peer);
  bool OnFrame(Link& link, const wire::Frame& frame);
  bool OnHelloAnswer(Link& link, const wire::Frame& frame);
  void FailRequests(const Link& link, const base::Status& status);

  base::World& world_;
  PeerLinksListener& listener_;
  wire::Hello hello_;
  std::map<base::Address, Link> links_;
  std::map<base::ConnId, base::Address> conns_;
  base::Slab<Request> requests_;
  std::uint64_t serial_ = 0;
  std::vector<std::pair<PeerTag, base::Status>> failed_;  // For Deliver.
};

}  // namespace starling::server
