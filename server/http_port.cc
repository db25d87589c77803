#include "server/http_port.h"

#include <fmt/core.h>

#include <algorithm>
#include <vector>

namespace starling::server {
namespace {

constexpr std::string_view kText = "text/plain; charset=utf-8";

std::string_view NameOf(int status) {
  switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 431: return "Request Header Fields Too Large";
    default: return "Service Unavailable";
  }
}

}  // namespace

void HttpPort::OnOpen(base::ConnId conn) {
  if (conns_.size() >= kConnectionsMax && !CloseIdlest())
    return Refuse(conn, 503, "too many connections to this port");
  conns_[conn].ends = world_.Now() + kDeadline;
}

// The one whose deadline comes first, of those that are not being answered.
bool HttpPort::CloseIdlest() {
  auto idlest = conns_.end();
  for (auto at = conns_.begin(); at != conns_.end(); ++at)
    if (!at->second.answering && (idlest == conns_.end() || at->second.ends < idlest->second.ends))
      idlest = at;
  if (idlest == conns_.end()) return false;
  world_.Close(idlest->first);
  conns_.erase(idlest);
  return true;
}

bool HttpPort::OnBytes(base::ConnId conn, base::Bytes bytes, std::size_t* used) {
  const auto found = conns_.find(conn);
  if (found == conns_.end()) return false;
  *used = 0;
  while (!found->second.answering) {
    const HttpCut cut = CutHttpRequest(bytes.substr(*used));
    if (cut.error != 0) {
      Refuse(conn, cut.error, cut.error == 431 ? "at most 8 KiB of headers" : "not HTTP/1.x");
      return true;
    }
    if (!cut.request) return true;
    *used += cut.used;
    Conn& state = found->second;
    state.keep_alive = cut.request->keep_alive;
    state.head = cut.request->method == "HEAD";
    if (!state.head && cut.request->method != "GET") {
      Refuse(conn, 405, "only GET and HEAD are served here");
      return true;
    }
    if (cut.request->has_body) {
      Refuse(conn, 400, "a GET or HEAD with a body");
      return true;
    }
    state.answering = true;
    world_.SetReading(conn, base::World::Reading::kOff);
    serve_(conn, cut.request->path);
    if (!conns_.contains(conn)) return true;
  }
  return true;
}

void HttpPort::Answer(base::ConnId conn, int status, std::string_view content_type,
                      std::string_view body) {
  const auto found = conns_.find(conn);
  if (found == conns_.end()) return;
  Conn& state = found->second;
  Send(conn, status, content_type, body, state.keep_alive, state.head ? Parts::kHead : Parts::kAll);
  if (!state.keep_alive) {
    world_.Close(conn);
    conns_.erase(found);
    return;
  }
  state.answering = false;
  state.ends = world_.Now() + kDeadline;
  world_.SetReading(conn, base::World::Reading::kOn);
}

void HttpPort::Refuse(base::ConnId conn, int status, std::string_view why) {
  const auto found = conns_.find(conn);
  const bool head = found != conns_.end() && found->second.head;
  Send(conn, status, kText, fmt::format("{}\n", why), false, head ? Parts::kHead : Parts::kAll);
  world_.Close(conn);
  conns_.erase(conn);
}

void HttpPort::Send(base::ConnId conn, int status, std::string_view content_type,
                    std::string_view body, bool keep_alive, Parts parts) {
  const std::string head = fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{}Connection: {}\r\n\r\n",
      status, NameOf(status), content_type, body.size(),
      status == 405 ? "Allow: GET, HEAD\r\n" : "", keep_alive ? "keep-alive" : "close");
  if (parts == Parts::kHead) body = {};
  const auto room = world_.Reserve(conn, head.size() + body.size());
  std::ranges::copy(body, std::ranges::copy(head, room.begin()).out);
  world_.Commit(conn, head.size() + body.size());
}

void HttpPort::OnTick(base::Instant now) {
  std::vector<base::ConnId> late;
  for (const auto& [conn, state] : conns_)
    if (now >= state.ends) late.push_back(conn);
  for (const base::ConnId conn : late) {
    world_.Close(conn);
    conns_.erase(conn);
  }
}

}  // namespace starling::server
