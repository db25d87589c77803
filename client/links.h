// client/links.h: a client's connections: opened, greeted, watched, and opened again.
//
// Links knows the nodes to talk to (the hosts it was given, then those of the cluster map), keeps
// several connections to each, and picks one for a request. It knows nothing of what requests mean:
// client/session.h does.
//
// Thread:    confined to its World's.
// Ownership: World and Owner outlive it. A Link* lives until control returns to the World.
// Read next: client/links.cc, client/session.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/world.h"
#include "server/wire/frame.h"

namespace starling::client {

struct LinksOptions {
  std::vector<base::Address> hosts;  // Where to begin; with listed_only: all there is.
  bool listed_only = false;
  // More: several workers of a node are reached without a hand-over; costs a socket each.
  unsigned connections_per_node = 2;
  base::Duration connect_timeout = base::seconds(2);  // Hello answered included.
  // After a failure the next try waits so long, twice as long each time up to the maximum.
  base::Duration retry_after_min = base::milliseconds(100);
  base::Duration retry_after_max = base::seconds(2);
  // A connection that owes answers and was silent so long is used only if there is no other.
  base::Duration silence_max = base::seconds(1);
  // Beyond so many bytes that the node has not taken, its connection counts as full.
  std::size_t queued_bytes_max = 4 * 1024 * 1024;
};

class Links {
 public:
  enum class State : std::uint8_t { kConnecting, kGreeting, kReady };

  struct Link {
    base::ConnId conn{};
    State state = State::kConnecting;
    base::Instant since{};        // Of the state.
    base::Instant heard{};        // When the node last sent, or was first owed an answer by.
    std::uint32_t in_flight = 0;  // Answers that the node owes.
    std::uint32_t in_flight_max = 0;
    base::Address address;  // Of the node.
  };

  class Owner {
   public:
    virtual void OnLinkReady(const wire::HelloReply& hello) = 0;
    // A reply, or what the node takes for one: the owner judges it.
    virtual void OnFrame(const Link& link, const wire::Frame& frame) = 0;
    virtual void OnLinkDown(base::ConnId conn, base::Address address) = 0;

   protected:
    ~Owner() = default;
  };

  Links(base::World& world, Owner& owner, LinksOptions options);

  // Opens what is missing and gives up on what takes too long. Call it at the start and then every
  // 100 ms or so.
  void Upkeep();

  // The nodes of a new map. Connections to others are closed once nothing is owed on them.
  void SetNodes(std::span<const wire::ClusterMap::Node> nodes);

  // Where to send a request. `preferred` nodes come first: in their order, or (kSpread) each in
  // its turn; then any other; last those that are said or seem to be down. Not `avoid`, if there is
  // another. nullptr: none is ready and has room.
  enum class Order : std::uint8_t { kInOrder, kSpread };
  Link* Pick(std::span<const base::NodeNumber> preferred, Order order,
             std::optional<base::Address> avoid);

  // A request was sent on a link that Pick gave.
  void Sent(Link& link);

  // The answer on this connection made no sense: it is not used any further.
  void Condemn(base::ConnId conn, const base::Status& why);

  bool any_ready() const;
  // Nobody can be reached, nor is anybody being tried, and all were tried after `since`.
  bool hopeless(base::Instant since) const;
  std::string why_down() const;  // The latest failure of each host, for a message.

  // From the World, by way of the owning actor. Connections that are not ours are ignored.
  void OnOpen(base::ConnId conn);
  std::size_t OnBytes(base::ConnId conn, base::Bytes bytes);
  void OnClose(base::ConnId conn, base::CloseReason reason);

 private:
  struct Node {
    base::Address address;
    base::NodeNumber number = 0;  // 0: a listed host that no map named yet.
    bool up = true;               // As the map says.
    bool listed = false;
    bool in_map = false;
    std::vector<Link> links{};
    std::size_t next_link = 0;
    unsigned failures = 0;  // To connect, since it last answered.
    base::Instant retry_at{};
    std::optional<base::Instant> failed_at{};  // When a try to connect last did.
    std::string why{};
  };

  bool Wanted(const Node& node) const;
  bool Healthy(const Link& link) const;
  bool HasRoom(const Link& link) const;
  Link* PickAt(Node& node, bool healthy_only);
  Node* FindNode(base::Address address);
  Link* FindLink(base::ConnId conn);
  void OpenMissing(Node& node);
  void DropOverdue(Node& node);
  bool TakeHello(Link& link, const wire::Frame& frame);
  static bool HasReady(const Node& node);
  void Failed(Node& node);
  void Lost(Node& node);
  void RemoveLink(base::ConnId conn, std::string why);

  base::World& world_;
  Owner& owner_;
  const LinksOptions options_;
  std::vector<Node> nodes_;  // Never shrinks: a node that left keeps its place, unwanted.
  std::unordered_map<base::NodeNumber, std::size_t> by_number_;  // Looked up only.
  std::unordered_map<base::ConnId, std::size_t> by_conn_;        // Likewise.
  base::HostId cluster_;  // Of the first node that answered; others are refused.
  std::size_t turn_ = 0;  // Of kSpread.
};

}  // namespace starling::client
