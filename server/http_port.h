// server/http_port.h: the connections of the HTTP port: limits, deadlines, and answers.
//
// Operators' tools only: GET and HEAD, without a body, one request at a time on a connection. What
// a path means is up to whoever serves it. A connection that does not have a whole request, or has
// not taken its answer, within kDeadline is closed; an idle one too, which is what scrapers expect.
// So that those who hold connections open keep nobody out, a new one takes the place of the one
// that has been idle for longest.
//
// Thread:    confined to control.
// Read next: server/control_http.cc
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/world.h"
#include "server/http_request.h"

namespace starling::server {

class HttpPort {
 public:
  static constexpr std::size_t kConnectionsMax = 32;
  static constexpr base::Duration kDeadline = base::seconds(5);

  // Answers a GET of a path, by Answer, now or later.
  using Serve = std::function<void(base::ConnId, const std::string& path)>;

  HttpPort(base::World& world, Serve serve) : world_(world), serve_(std::move(serve)) {}

  // One beyond kConnectionsMax takes an idle one's place; while all are being answered it is
  // refused with 503 and closed.
  void OnOpen(base::ConnId conn);
  // False: not one of this port's. Else what was used is in *used.
  bool OnBytes(base::ConnId conn, base::Bytes bytes, std::size_t* used);
  void OnClose(base::ConnId conn) { conns_.erase(conn); }
  void OnTick(base::Instant now);

  // Nothing if the connection is gone.
  void Answer(base::ConnId conn, int status, std::string_view content_type, std::string_view body);

 private:
  struct Conn {
    base::Instant ends;
    bool answering = false;
    bool keep_alive = true;
    bool head = false;  // It asked for the head of the answer alone.
  };

  bool CloseIdlest();
  void Refuse(base::ConnId conn, int status, std::string_view why);
  enum class Parts : std::uint8_t { kAll, kHead };
  void Send(base::ConnId conn, int status, std::string_view content_type, std::string_view body,
            bool keep_alive, Parts parts);

  base::World& world_;
  const Serve serve_;
  std::map<base::ConnId, Conn> conns_;
};

}  // namespace starling::server
