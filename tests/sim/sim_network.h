// tests/sim/sim_network.h: connections and datagrams between the hosts of a simulation.
//
// A connection (Link) has two ends, each in one actor; what one end sends moves as items in order
// through a pipe to the other, each after a latency of its own. Where the way from host to host is
// cut, items stall and move on once it is healed, unless the connection was given up before: TCP
// as its users see it, without its segments. A connection is lost only by a reset, a timeout or
// the death of a process, and its bytes with it. Datagrams may be lost, late, doubled, overtaken.
//
// Thread:    confined to one thread.
// Ownership: links, by id; an actor's world holds ids, and is told by Notify when to look.
// Read next: tests/sim/sim_world.h, the ends' other side.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "base/slab.h"
#include "tests/sim/core.h"

namespace starling::sim {

class SimWorld;

struct EndRef {
  std::uint64_t link = 0;
  std::uint8_t side = 0;
};

// One end of a connection: what its actor sends, what has come for it, and how it stands.
struct End {
  enum class State : std::uint8_t {
    kNone,        // Not yet accepted.
    kConnecting,  // No answer yet.
    kOpen,
    kMoving,   // Given, and not there yet.
    kClosing,  // Closed by its actor: what is queued is leaving.
    kDead,
  };
  struct Chunk {
    std::shared_ptr<const void> owner{};  // Of `view`; without, the bytes are in `own`.
    base::Bytes view{};
    Buffer own{};
    std::size_t size() const { return owner ? view.size() : own.size(); }
  };
  struct Stalled {
    Item item;
    Buffer bytes;
  };

  State state = State::kNone;
  SimWorld* world = nullptr;  // Of the actor that has it; nullptr while kNone, kMoving, kDead.
  base::ConnId id{};          // In that world.
  std::uint32_t host = 0;
  base::Address peer{};
  base::ListenerId listener = base::ListenerId::kNone;

  // What the actor has not been told yet.
  bool notified = false;      // An input that makes it look is on its way.
  bool open_pending = false;  // OnOpen
  std::optional<base::CloseReason> close_pending{};

  // Receiving.
  bool reading = true;
  Buffer in{};
  std::size_t shown = 0;    // Of `in`: the actor saw it and did not use it.
  bool show_again = false;  // It has turned reading on since: it may use it now.
  base::Instant last_arrival{};
  std::deque<Stalled> stalled{};  // Items that could not get here.
  std::uint32_t stalls = 0;       // Counts beginnings and ends of stalling.

  // Sending.
  std::deque<Chunk> out{};
  std::size_t queued = 0;     // Bytes in `out`.
  std::size_t in_flight = 0;  // Sent, and not shown to the peer's actor.

  bool live() const { return state != State::kNone && state != State::kDead; }
};

struct Link {
  End ends[2];
  base::Instant connect_deadline;
};

class Network {
 public:
  explicit Network(Core& core) : core_(core) {}

  // --- hosts and the ways between them ---
  std::uint32_t AddHost(std::uint32_t ip);
  // Nothing gets from `from` to `to`, until Heal.
  void Cut(std::uint32_t from, std::uint32_t to);
  void Heal(std::uint32_t from, std::uint32_t to);
  void SetPowered(std::uint32_t host, bool on);  // Off: the kernel does not answer either.
  // The host's process is gone: all its ends, listeners and sockets.
  enum class Death : std::uint8_t { kExit, kKilled, kPowerLoss };
  void DropProcess(std::uint32_t host, Death how);
  // Resets all connections between two hosts.
  void ResetBetween(std::uint32_t a, std::uint32_t b);

  // --- what a world asks ---
  base::Status Listen(SimWorld& world, base::ListenerId listener, base::Address address);
  void StopListening(const SimWorld& world);
  EndRef Connect(SimWorld& world, std::uint32_t host, base::Address peer);
  End* Find(EndRef ref);  // nullptr when the link is gone.
  void Flush(EndRef ref);
  void Close(EndRef ref);
  void Detach(EndRef ref);                   // The first half of a Give ...
  void Attach(EndRef ref, SimWorld& world);  // ... and the second, in the other actor's world.
  void Shown(EndRef ref, std::size_t size);  // Its actor saw that many bytes more.
  void Bury(EndRef ref);                     // Its actor was told of the end.
  base::Status BindDatagrams(SimWorld& world, base::Address address);
  void SendDatagram(base::Address from, base::Address to, base::Bytes bytes);

  // --- events ---
  void OnSyn(std::uint64_t link);
  void OnArrive(Event& event);
  void OnResume(EndRef to);
  void OnReset(EndRef to);
  void OnStall(EndRef to, std::uint32_t number);
  void OnLinger(EndRef ref);
  void OnDatagram(Event& event);

 private:
  struct Host {
    std::uint32_t ip = 0;
    bool powered = true;
    std::uint16_t next_port = 32768;
  };
  struct Listener {
    SimWorld* world;
    base::ListenerId id;
  };

  bool Passable(std::uint32_t from, std::uint32_t to) const;
  std::optional<std::uint32_t> HostOf(std::uint32_t ip) const;
  base::Duration Latency();
  bool IsForeign(const SimWorld& world, base::Address address) const;
  base::Status CheckAddress(std::uint32_t host, base::Address address, const char* what) const;
  void Send(EndRef to, Item item, Buffer bytes);
  void Accept(EndRef to, Item item, Buffer bytes);
  void Stall(EndRef to, Item item, Buffer bytes);
  void SendReset(EndRef to);
  void SendOut(EndRef ref, std::size_t size);
  void EndWith(EndRef ref, base::CloseReason reason);
  void Notify(EndRef ref);
  void ReleaseIfDead(std::uint64_t link);
  void ResumeStalled();

  Core& core_;
  base::Slab<Link> links_;
  std::vector<Host> hosts_;
  std::vector<std::vector<bool>> cut_;  // [from][to]
  std::map<base::Address, Listener> listeners_;
  std::map<base::Address, SimWorld*> sockets_;
};

inline EndRef OtherEnd(EndRef ref) { return {ref.link, static_cast<std::uint8_t>(1 - ref.side)}; }

}  // namespace starling::sim
