// base/uv/connection_io.cc: the bytes of connections, in and out.
#include <array>
#include <cstring>

#include "base/check.h"
#include "base/uv/connections.h"
#include "base/uv/loop.h"

namespace starling::base::uv {
namespace {

// What one connection may bring in a turn before the others have theirs. Lower: fairer; higher:
// fewer pauses (two system calls each) for a single fast sender.
constexpr std::size_t kReadPerTurnMax = 1024 * 1024;
constexpr std::size_t kPiecesMax = 64;  // A system call writes at most so many.

}  // namespace

// --- reading ---

void Connections::StartReading(Connection& conn) {
  if (conn.paused) return;      // Flush starts it again.
  if (conn.peer_ended) return;  // There is nothing more to read.
  const auto on_read = [](uv_stream_t* stream, ssize_t result, const uv_buf_t*) {
    Connection& read = *static_cast<Connection*>(stream->data);
    read.home->OnData(read, result);
  };
  const int error = uv_read_start(conn.stream(), OnAlloc, on_read);
  if (error != 0) Fail(conn, ReasonOf(error));
}

// Bytes come into the one buffer of the loop, with what is left of an incomplete frame copied in
// front of them: most reads then copy nothing. A long rest (a large frame) is not copied time and
// again: its reads go straight to its end.
void Connections::OnAlloc(uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
  Connection& conn = *static_cast<Connection*>(handle->data);
  conn.reads_into_own = conn.in.size() > Loop::kReadMargin;
  const std::span<char> room =
      conn.reads_into_own ? conn.in.Reserve(Loop::kReadSize) : conn.home->loop_.read_area();
  *buffer = uv_buf_init(room.data(), static_cast<unsigned>(room.size()));
}

void Connections::OnData(Connection& conn, ssize_t result) {
  if (result == 0) return;  // EAGAIN.
  if (conn.state == Connection::State::kLingering) {
    if (result < 0) CloseHandle(conn);
    return;
  }
  if (conn.state != Connection::State::kOpen) return;
  if (result < 0) return Ended(conn, static_cast<int>(result));
  const auto fresh = static_cast<std::size_t>(result);
  if (conn.turn != loop_.turn()) conn.read_in_turn = 0;
  conn.turn = loop_.turn();
  conn.read_in_turn += fresh;
  if (conn.read_in_turn > kReadPerTurnMax) {
    conn.paused = true;
    uv_read_stop(conn.stream());
    paused_.push_back(conn.id);
  }
  if (conn.reads_into_own) conn.in.Commit(fresh);
  Deliver(conn, conn.reads_into_own ? 0 : fresh);
}

// Shows the actor what is in `in`, followed by `fresh` bytes of the loop's buffer.
void Connections::Deliver(Connection& conn, std::size_t fresh) {
  Bytes view = conn.in.view();
  if (fresh > 0) {
    char* const start = loop_.read_area().data() - view.size();
    std::memcpy(start, view.data(), view.size());
    view = {start, view.size() + fresh};
  }
  const std::size_t used = loop_.actor().OnBytes(conn.id, view);
  CHECK(used <= view.size());
  const bool kept =
      conn.state == Connection::State::kOpen || conn.state == Connection::State::kGiving;
  if (!kept) {
    conn.in.Clear();
  } else if (fresh > 0) {
    conn.in.Assign(view.substr(used));
  } else {
    conn.in.Consume(used);
  }
  conn.in.Trim(Connection::kKeptMax);
}

void Connections::Ended(Connection& conn, int error) {
  const ConnId id = conn.id;
  if (error == UV_EOF) {  // The peer may still read: what was answered leaves first.
    uv_read_stop(conn.stream());
    if (!conn.in.empty()) Deliver(conn, 0);  // Of requests that waited for their turn.
    if (conn.state != Connection::State::kOpen) return;
    if (!conn.wants_reading) return;  // They wait again; so does the end, until it is read again.
    conn.peer_ended = true;
    if (loop_.actor().OnPeerEnd(id)) return;
    BeginFlushing(conn);
  } else {
    CloseHandle(conn);
  }
  loop_.actor().OnClose(id, ReasonOf(error));
}

// --- writing ---

void Connections::MarkDirty(Connection& conn) {
  if (conn.dirty) return;
  conn.dirty = true;
  dirty_.push_back(conn.id);
}

void Connections::Flush() {
  std::swap(dirty_, flushing_);
  for (const ConnId id : flushing_) {
    Connection* conn = connections_.Find(static_cast<std::uint64_t>(id));
    if (conn == nullptr) continue;
    conn->dirty = false;
    FlushOne(*conn);
  }
  flushing_.clear();
  for (const ConnId id : paused_) {
    Connection* conn = Alive(id);
    if (conn == nullptr) continue;
    conn->paused = false;
    if (conn->wants_reading) StartReading(*conn);
  }
  paused_.clear();
}

void Connections::FlushOne(Connection& conn) {
  const bool ready = conn.state == Connection::State::kOpen ||
                     conn.state == Connection::State::kGiving ||
                     conn.state == Connection::State::kFlushing;
  if (!ready || conn.writing) return;
  while (!conn.out.empty()) {
    std::array<uv_buf_t, kPiecesMax> pieces;
    const std::size_t count = conn.out.Describe(pieces);
    std::size_t size = 0;
    for (std::size_t i = 0; i < count; ++i) size += pieces[i].len;
    int sent = uv_try_write(conn.stream(), pieces.data(), static_cast<unsigned>(count));
    if (sent == UV_EAGAIN) sent = 0;
    if (sent < 0) return Fail(conn, ReasonOf(sent));
    conn.out.Consume(static_cast<std::size_t>(sent));
    if (static_cast<std::size_t>(sent) == size) continue;
    // The socket is full. libuv keeps the rest; what later turns add gathers apart from it, since
    // libuv's bytes must not move.
    std::swap(conn.out, conn.sending);
    return SubmitWrite(conn);
  }
  conn.out.Clear(Connection::kKeptMax);
  Settle(conn);
}

void Connections::SubmitWrite(Connection& conn) {
  std::array<uv_buf_t, kPiecesMax> pieces;
  const std::size_t count = conn.sending.Describe(pieces);
  conn.submitted = 0;
  for (std::size_t i = 0; i < count; ++i) conn.submitted += pieces[i].len;
  conn.writing = true;
  const auto on_written = [](uv_write_t* request, int status) {
    Connection& written = *static_cast<Connection*>(request->data);
    written.home->Written(written, status);
  };
  const int error =
      uv_write(&conn.write, conn.stream(), pieces.data(), static_cast<unsigned>(count), on_written);
  if (error != 0) Written(conn, error);
}

void Connections::Written(Connection& conn, int status) {
  conn.writing = false;
  if (conn.state == Connection::State::kClosing) return;
  if (status != 0) return Fail(conn, ReasonOf(status));
  conn.sending.Consume(conn.submitted);
  if (!conn.sending.empty()) return SubmitWrite(conn);
  conn.sending.Clear(Connection::kKeptMax);
  MarkDirty(conn);  // More may have gathered; it leaves at the end of this turn.
}

// All output has left.
void Connections::Settle(Connection& conn) {
  if (conn.state == Connection::State::kGiving) return FinishGive(conn);
  if (conn.state != Connection::State::kFlushing) return;
  if (conn.tell_closed) Defer(conn.id, CloseReason::kLocal);
  conn.tell_closed = false;
  if (conn.peer_ended) return CloseHandle(conn);
  Linger(conn);
}

}  // namespace starling::base::uv
