#include "base/uv/datagrams.h"

#include <fmt/core.h>

#include "base/check.h"
#include "base/uv/loop.h"
#include "base/uv/sockaddr.h"

namespace starling::base::uv {
namespace {

// Room for bursts that come while a turn runs. The system may grant less (net.core.rmem_max).
constexpr int kReceiveBuffer = 4 * 1024 * 1024;

}  // namespace

Status Datagrams::Bind(Address address) {
  CHECK(!bound_);
  CHECK(uv_udp_init(loop_.uv(), &udp_) == 0);
  udp_.data = this;
  bound_ = true;
  const sockaddr_in at = ToSockaddr(address);
  const auto on_alloc = [](uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
    const auto room = static_cast<Datagrams*>(handle->data)->loop_.read_area();
    *buffer = uv_buf_init(room.data(), static_cast<unsigned>(room.size()));
  };
  const auto on_received = [](uv_udp_t* udp, ssize_t result, const uv_buf_t* buffer,
                              const sockaddr* from, unsigned flags) {
    const auto size = result > 0 ? static_cast<std::size_t>(result) : 0;
    static_cast<Datagrams*>(udp->data)->Received(result, from, {buffer->base, size}, flags);
  };
  int error = uv_udp_bind(&udp_, reinterpret_cast<const sockaddr*>(&at), 0);
  if (error == 0) error = uv_udp_recv_start(&udp_, on_alloc, on_received);
  if (error != 0)
    return Unavailable(
        fmt::format("cannot receive datagrams on {}: {}", address.ToString(), uv_strerror(error)));
  int size = kReceiveBuffer;
  uv_recv_buffer_size(reinterpret_cast<uv_handle_t*>(&udp_), &size);  // As much as is granted.
  return Ok();
}

void Datagrams::Received(ssize_t result, const sockaddr* from, Bytes bytes, unsigned flags) {
  // No sender: the socket is empty. Errors and cut datagrams are losses, which UDP has anyway.
  if (result < 0 || from == nullptr || (flags & UV_UDP_PARTIAL) != 0) return;
  if (from->sa_family != AF_INET) return;
  loop_.actor().OnDatagram(FromSockaddr(*reinterpret_cast<const sockaddr_in*>(from)), bytes);
}

void Datagrams::Send(Address to, Bytes bytes) {
  if (!bound_) return;
  const sockaddr_in at = ToSockaddr(to);
  const uv_buf_t buffer =
      uv_buf_init(const_cast<char*>(bytes.data()), static_cast<unsigned>(bytes.size()));
  uv_udp_try_send(&udp_, &buffer, 1, reinterpret_cast<const sockaddr*>(&at));  // Best effort.
}

std::uint16_t Datagrams::port() const {
  sockaddr_in at{};
  int length = sizeof at;
  const bool known =
      bound_ && uv_udp_getsockname(&udp_, reinterpret_cast<sockaddr*>(&at), &length) == 0;
  return known ? ntohs(at.sin_port) : 0;
}

void Datagrams::Shutdown() {
  if (bound_) uv_close(reinterpret_cast<uv_handle_t*>(&udp_), nullptr);
  bound_ = false;
}

}  // namespace starling::base::uv
