// tests/process/uv_node.h: a node of scripted actors on the World of libuv, and peers that are
// plain sockets.
//
// Thread: an actor's script runs on the actor's thread. What two of them share is written before
//         a mail, a byte or Run's end makes the other look.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/uv/uv_world.h"

namespace starling::base::uv_test {

inline constexpr ListenerId kListener{1};
inline constexpr std::uint32_t kLoopback = 0x7f000001;
inline constexpr ActorId kWorker{1}, kOtherWorker{2};

// An actor whose reactions are a test's; what is not given does nothing.
struct Scripted final : Actor {
  explicit Scripted(World& its_world) : world(its_world) {}

  void OnStart() override {
    if (start) start();
  }
  void OnOpen(ConnId id, Address peer, ListenerId listener) override {
    if (open) open(id, peer, listener);
  }
  std::size_t OnBytes(ConnId id, Bytes bytes) override {
    return bytes_in ? bytes_in(id, bytes) : bytes.size();
  }
  bool OnPeerEnd(ConnId id) override { return peer_end && peer_end(id); }
  void OnClose(ConnId id, CloseReason reason) override {
    if (close) close(id, reason);
  }
  void OnDatagram(Address from, Bytes bytes) override {
    if (datagram) datagram(from, bytes);
  }
  void OnMail(std::unique_ptr<Mail> mail) override {
    if (on_mail) on_mail(std::move(mail));
  }
  void OnWake() override {
    if (wake) wake();
  }
  void OnTurnEnd() override {
    if (turn_end) turn_end();
  }

  void Send(ConnId id, Bytes bytes) {
    std::memcpy(world.Reserve(id, bytes.size()).data(), bytes.data(), bytes.size());
    world.Commit(id, bytes.size());
  }

  World& world;
  std::function<void()> start, wake, turn_end;
  std::function<void(ConnId, Address, ListenerId)> open;
  std::function<std::size_t(ConnId, Bytes)> bytes_in;
  std::function<bool(ConnId)> peer_end;
  std::function<void(ConnId, CloseReason)> close;
  std::function<void(Address, Bytes)> datagram;
  std::function<void(std::unique_ptr<Mail>)> on_mail;
};

struct TestNode {
  explicit TestNode(std::size_t count, UvOptions options = {}) : system(1, options) {
    for (std::size_t i = 0; i < count; ++i) {
      const ActorId id{static_cast<std::uint16_t>(i)};
      actors.push_back(std::make_unique<Scripted>(system.MakeWorld(id)));
      system.Attach(id, *actors.back());
    }
  }
  Scripted& operator[](std::size_t i) { return *actors[i]; }

  // Makes actor `i` listen from its start, and then calls `ready` with its address, in its turn.
  void ListenAt(std::size_t i, const std::function<void(Address)>& ready) {
    actors[i]->start = [this, i, ready] {
      const Status status = actors[i]->world.Listen(kListener, {kLoopback, 0});
      if (!status.ok()) return actors[i]->world.Exit(status);
      const ActorId id{static_cast<std::uint16_t>(i)};
      ready({kLoopback, system.PortOf(id, kListener)});
    };
  }
  void EchoAt(std::size_t i) {
    actors[i]->bytes_in = [this, i](ConnId id, Bytes bytes) {
      actors[i]->Send(id, bytes);
      return bytes.size();
    };
  }

  UvSystem system;
  std::vector<std::unique_ptr<Scripted>> actors;
};

struct Note final : Mail {
  static constexpr std::uint16_t kKind = 1;
  explicit Note(std::uint64_t its_number) : Mail(kKind), number(its_number) {}
  std::uint64_t number;
};
inline std::uint64_t NumberOf(const std::unique_ptr<Mail>& mail) {
  return static_cast<const Note&>(*mail).number;
}

// A plain blocking socket, for peers that do not behave as our own would.
class Socket {
 public:
  explicit Socket(Address to) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(to.port);
    at.sin_addr.s_addr = htonl(to.ip);
    CHECK(::connect(fd_, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
  }
  ~Socket() { ::close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  void Send(Bytes bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  // Sends nothing more, and still receives.
  void EndSending() { ::shutdown(fd_, SHUT_WR); }
  // Up to `size` bytes, fewer only at the end of the stream.
  std::string Receive(std::size_t size) {
    std::string bytes(size, '\0');
    std::size_t got = 0;
    while (got < size) {
      const ssize_t count = ::recv(fd_, bytes.data() + got, size - got, 0);
      if (count <= 0) break;
      got += static_cast<std::size_t>(count);
    }
    bytes.resize(got);
    return bytes;
  }
  // The next close sends a reset.
  void ResetOnClose() {
    const linger now{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }

 private:
  int fd_;
};

// Runs a blocking peer beside the node.
class Peer {
 public:
  void Start(std::function<void()> run) { thread_ = std::thread(std::move(run)); }
  void Join() {
    if (thread_.joinable()) thread_.join();
  }
  ~Peer() { Join(); }

 private:
  std::thread thread_;
};

// While it lives, every descriptor that the process may have is in use.
class NoFreeDescriptor {
 public:
  NoFreeDescriptor() {
    CHECK(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    const rlimit few{kFew, before_.rlim_max};
    CHECK(::setrlimit(RLIMIT_NOFILE, &few) == 0);
    for (int fd = ::dup(STDIN_FILENO); fd >= 0; fd = ::dup(STDIN_FILENO)) used_up_.push_back(fd);
    CHECK(!used_up_.empty());  // Else more than kFew were in use already.
  }
  ~NoFreeDescriptor() {
    for (const int fd : used_up_) ::close(fd);
    CHECK(::setrlimit(RLIMIT_NOFILE, &before_) == 0);
  }
  NoFreeDescriptor(const NoFreeDescriptor&) = delete;
  NoFreeDescriptor& operator=(const NoFreeDescriptor&) = delete;

 private:
  static constexpr rlim_t kFew = 512;
  rlimit before_{};
  std::vector<int> used_up_;
};

inline std::string Pattern(std::size_t size) {
  std::string bytes(size, '\0');
  std::uint64_t x = 1;
  for (char& c : bytes) c = static_cast<char>((x = Mix64(x)) & 0xff);
  return bytes;
}

}  // namespace starling::base::uv_test
