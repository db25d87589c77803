#include "base/uv/connections.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/uv/loop.h"
#include "base/uv/sockaddr.h"

namespace starling::base::uv {
namespace {

constexpr int kBacklog = 1024;
// How long a closed connection may take to send its rest and hear the peer's end. Shorter: less
// held for dead peers; longer: slow ones still get the last answer.
constexpr Duration kCloseMax = seconds(10);
constexpr std::uint64_t kGiveUpCheckMs = 500;
// A machine that was switched off says no goodbye. After this much silence the system asks whether
// the other end is there, and resets the connection when it hears nothing for some minutes.
constexpr unsigned kKeepAliveSeconds = 60;

}  // namespace

CloseReason ReasonOf(int error) {
  switch (error) {
    case UV_EOF: return CloseReason::kPeer;
    case UV_ECONNREFUSED: return CloseReason::kRefused;
    case UV_ETIMEDOUT:
    case UV_EHOSTUNREACH:
    case UV_ENETUNREACH:
    case UV_EADDRNOTAVAIL:
    case UV_EACCES:
    case UV_EPERM: return CloseReason::kUnreachable;
    default: return CloseReason::kReset;  // ECONNRESET, EPIPE, and whatever ends it without a word.
  }
}

GivenConnection::~GivenConnection() {
  if (fd >= 0) ::close(fd);
}

Connections::Connections(Loop& loop) : loop_(loop) {
  CHECK(uv_timer_init(loop.uv(), &give_up_timer_) == 0);
  give_up_timer_.data = this;
}

// --- listeners ---

Status Connections::Listen(ListenerId id, Address address) {
  auto listener = std::make_unique<Listener>();
  listener->home = this;
  listener->id = id;
  CHECK(uv_tcp_init(loop_.uv(), &listener->tcp) == 0);
  listener->tcp.data = listener.get();
  const sockaddr_in at = ToSockaddr(address);
  int error = uv_tcp_bind(&listener->tcp, reinterpret_cast<const sockaddr*>(&at), 0);
  if (error == 0)
    error = uv_listen(reinterpret_cast<uv_stream_t*>(&listener->tcp), kBacklog, OnAccept);
  sockaddr_in bound{};
  int length = sizeof bound;
  if (error == 0)
    error = uv_tcp_getsockname(&listener->tcp, reinterpret_cast<sockaddr*>(&bound), &length);
  listener->port = ntohs(bound.sin_port);
  listener->closed = error != 0;
  if (error != 0) uv_close(reinterpret_cast<uv_handle_t*>(&listener->tcp), nullptr);
  listeners_.push_back(std::move(listener));
  if (error == 0) return Ok();
  return Unavailable(
      fmt::format("cannot listen on {}: {}", address.ToString(), uv_strerror(error)));
}

void Connections::StopListening() {
  for (const auto& listener : listeners_) {
    if (listener->closed) continue;
    listener->closed = true;
    uv_close(reinterpret_cast<uv_handle_t*>(&listener->tcp), nullptr);
  }
}

std::uint16_t Connections::PortOf(ListenerId id) const {
  for (const auto& listener : listeners_)
    if (listener->id == id && !listener->closed) return listener->port;
  return 0;
}

void Connections::OnAccept(uv_stream_t* stream, int status) {
  Listener& listener = *static_cast<Listener*>(stream->data);
  if (status != 0) {  // Out of descriptors, or the peer has left already.
    log::Warn("net", "cannot accept on port {}: {}", listener.port, uv_strerror(status));
    return;
  }
  Connection& conn = listener.home->New({}, listener.id);
  sockaddr_in peer{};
  int length = sizeof peer;
  int error = uv_accept(stream, conn.stream());
  if (error == 0)
    error = uv_tcp_getpeername(&conn.tcp, reinterpret_cast<sockaddr*>(&peer), &length);
  if (error != 0) return listener.home->CloseHandle(conn);  // Gone before anybody heard of it.
  conn.peer = FromSockaddr(peer);
  listener.home->Opened(conn);
}

// --- beginnings ---

Connection& Connections::New(Address peer, ListenerId listener) {
  const auto [id, conn] = connections_.Add();
  conn->home = this;
  conn->id = ConnId{id};
  conn->peer = peer;
  conn->listener = listener;
  CHECK(uv_tcp_init(loop_.uv(), &conn->tcp) == 0);
  conn->tcp.data = conn->write.data = conn->connecting.data = conn->shutdown.data = conn;
  return *conn;
}

Connection* Connections::Alive(ConnId id) {
  Connection* conn = connections_.Find(static_cast<std::uint64_t>(id));
  return conn != nullptr && conn->alive() ? conn : nullptr;
}

void Connections::Opened(Connection& conn) {
  conn.state = Connection::State::kOpen;
  uv_tcp_nodelay(&conn.tcp, 1);  // Batches are made by turns, not by Nagle.
  uv_tcp_keepalive(&conn.tcp, 1, kKeepAliveSeconds);
  if (!conn.out.empty()) MarkDirty(conn);
  loop_.actor().OnOpen(conn.id, conn.peer, conn.listener);
  if (conn.state == Connection::State::kOpen && conn.wants_reading) StartReading(conn);
}

ConnId Connections::Connect(Address peer) {
  Connection& conn = New(peer, ListenerId::kNone);
  const sockaddr_in to = ToSockaddr(peer);
  const int error = uv_tcp_connect(&conn.connecting, &conn.tcp,
                                   reinterpret_cast<const sockaddr*>(&to), OnConnected);
  const ConnId id = conn.id;
  if (error != 0) Fail(conn, ReasonOf(error));
  return id;
}

void Connections::OnConnected(uv_connect_t* request, int status) {
  Connection& conn = *static_cast<Connection*>(request->data);
  if (conn.state != Connection::State::kConnecting) return;  // Closed meanwhile.
  if (status == 0) return conn.home->Opened(conn);
  const ConnId id = conn.id;
  conn.home->CloseHandle(conn);
  conn.home->loop_.actor().OnClose(id, ReasonOf(status));
}

void Connections::Adopt(GivenConnection& given) {
  Connection& conn = New(given.peer, given.listener);
  if (given.fd < 0) return OpenedAndEnded(conn, given.ended);
  const int error = uv_tcp_open(&conn.tcp, given.fd);
  if (error != 0) {  // The mail still owns the descriptor.
    log::Warn("net", "cannot take over the connection of {}: {}", given.peer.ToString(),
              uv_strerror(error));
    return OpenedAndEnded(conn, CloseReason::kLocal);
  }
  given.fd = -1;
  conn.in.Assign(given.in);
  Opened(conn);
  if (conn.state == Connection::State::kOpen && conn.wants_reading && !conn.in.empty())
    Deliver(conn, 0);
}

// For a connection that nobody else knows of any more: its actor has to hear of its end, and hears
// of its beginning first, as of any other's.
void Connections::OpenedAndEnded(Connection& conn, CloseReason reason) {
  CloseHandle(conn);
  loop_.actor().OnOpen(conn.id, conn.peer, conn.listener);
  Defer(conn.id, reason);
}

// --- what the actor asks for ---

void Connections::Give(ConnId id, ActorId to) {
  Connection* conn = Alive(id);
  if (conn == nullptr) return;
  CHECK(conn->state == Connection::State::kOpen);
  conn->state = Connection::State::kGiving;
  conn->give_to = to;
  uv_read_stop(conn->stream());
  MarkDirty(*conn);
}

std::span<char> Connections::Reserve(ConnId id, std::size_t size) {
  if (Connection* conn = Alive(id)) return conn->out.Reserve(size);
  if (nowhere_.size() < size) nowhere_.resize(size);
  return std::span(nowhere_).first(size);
}

void Connections::Commit(ConnId id, std::size_t used) {
  Connection* conn = Alive(id);
  if (conn == nullptr || used == 0) return;
  conn->out.Commit(used);
  MarkDirty(*conn);
}

void Connections::Append(ConnId id, std::shared_ptr<const void> owner, Bytes bytes) {
  Connection* conn = Alive(id);
  if (conn == nullptr || bytes.empty()) return;
  conn->out.Append(std::move(owner), bytes);
  MarkDirty(*conn);
}

std::size_t Connections::Queued(ConnId id) const {
  const Connection* conn = connections_.Find(static_cast<std::uint64_t>(id));
  return conn != nullptr && conn->alive() ? conn->out.size() + conn->sending.size() : 0;
}

void Connections::SetReading(ConnId id, World::Reading reading) {
  Connection* conn = Alive(id);
  const bool wanted = reading == World::Reading::kOn;
  if (conn == nullptr || conn->wants_reading == wanted) return;
  conn->wants_reading = wanted;
  if (conn->state != Connection::State::kOpen) return;
  if (!wanted) {
    uv_read_stop(conn->stream());
  } else {
    StartReading(*conn);
    // Whole requests may be among what was left unused, and the peer may send nothing more.
    if (!conn->in.empty()) Defer(id, std::nullopt);
  }
}

void Connections::Close(ConnId id) {
  Connection* conn = Alive(id);
  if (conn == nullptr) return;
  if (conn->state == Connection::State::kConnecting) {
    Defer(id, CloseReason::kLocal);
    return CloseHandle(*conn);
  }
  conn->tell_closed = true;
  uv_read_stop(conn->stream());
  BeginFlushing(*conn);
}

// --- ends ---

void Connections::Defer(ConnId id, std::optional<CloseReason> closed) {
  deferred_.push_back({id, closed});
  loop_.Again();
}

void Connections::RunDeferred() {
  std::swap(deferred_, delivering_);
  for (const Deferred& deferred : delivering_) {
    if (deferred.closed) {
      loop_.actor().OnClose(deferred.id, *deferred.closed);
    } else if (Connection* conn = Alive(deferred.id);
               conn != nullptr && conn->wants_reading && !conn->in.empty()) {
      Deliver(*conn, 0);
    }
  }
  delivering_.clear();
}

void Connections::BeginFlushing(Connection& conn) {
  conn.state = Connection::State::kFlushing;
  conn.give_up_at = loop_.Now() + kCloseMax;
  MarkDirty(conn);
  auto* timer = reinterpret_cast<uv_handle_t*>(&give_up_timer_);
  if (uv_is_active(timer) || uv_is_closing(timer)) return;
  const auto tick = [](uv_timer_t* fired) { static_cast<Connections*>(fired->data)->GiveUpLate(); };
  uv_timer_start(&give_up_timer_, tick, kGiveUpCheckMs, kGiveUpCheckMs);
}

void Connections::GiveUpLate() {
  bool waiting = false;
  const Instant now = loop_.Now();
  connections_.ForEach([&](std::uint64_t, Connection& conn) {
    const bool ending =
        conn.state == Connection::State::kFlushing || conn.state == Connection::State::kLingering;
    if (!ending) return;
    if (conn.give_up_at <= now) {
      Fail(conn, CloseReason::kLocal);
    } else {
      waiting = true;
    }
  });
  if (!waiting) uv_timer_stop(&give_up_timer_);
}

void Connections::FinishGive(Connection& conn) {
  int fd = -1;
  CHECK(uv_fileno(reinterpret_cast<uv_handle_t*>(&conn.tcp), &fd) == 0);
  // The handle here is bound to this loop's epoll for good; a second descriptor is not.
  const int given = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (given < 0) {
    log::Warn("net", "cannot hand over the connection of {}: {}", conn.peer.ToString(),
              uv_strerror(-errno));
    return Fail(conn, CloseReason::kLocal);
  }
  loop_.PostInternal(conn.give_to, new GivenConnection(given, conn));
  CloseHandle(conn);
}

void Connections::Linger(Connection& conn) {
  // Closing a socket that holds unread bytes resets it, and the reset may overtake our last
  // answer. So: our end first, then drop what comes until the peer ends too.
  conn.state = Connection::State::kLingering;
  const auto ignore = [](uv_shutdown_t*, int) {};  // A failure shows in the read as well.
  if (uv_shutdown(&conn.shutdown, conn.stream(), ignore) != 0) return CloseHandle(conn);
  StartReading(conn);
}

void Connections::Fail(Connection& conn, CloseReason reason) {
  if (conn.alive()) {
    Defer(conn.id, reason);
  } else if (conn.state == Connection::State::kGiving) {  // Told where it is awaited.
    loop_.PostInternal(conn.give_to, new GivenConnection(reason, conn));
  } else if (conn.tell_closed) {
    Defer(conn.id, CloseReason::kLocal);
  }
  CloseHandle(conn);
}

void Connections::CloseHandle(Connection& conn) {
  if (conn.state == Connection::State::kClosing) return;
  conn.state = Connection::State::kClosing;
  uv_close(reinterpret_cast<uv_handle_t*>(&conn.tcp), [](uv_handle_t* handle) {
    Connection& closed = *static_cast<Connection*>(handle->data);
    closed.home->connections_.Remove(static_cast<std::uint64_t>(closed.id));
  });
}

void Connections::Shutdown() {
  StopListening();
  connections_.ForEach([&](std::uint64_t, Connection& conn) { CloseHandle(conn); });
  deferred_.clear();
  uv_close(reinterpret_cast<uv_handle_t*>(&give_up_timer_), nullptr);
}

}  // namespace starling::base::uv
