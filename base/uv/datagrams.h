// base/uv/datagrams.h: the one UDP socket of a loop.
//
// Thread: confined to its loop's.
#pragma once

#include <uv.h>

#include "base/address.h"
#include "base/bytes.h"
#include "base/status.h"

namespace starling::base::uv {

class Loop;

class Datagrams {
 public:
  explicit Datagrams(Loop& loop) : loop_(loop) {}
  Datagrams(const Datagrams&) = delete;
  Datagrams& operator=(const Datagrams&) = delete;

  Status Bind(Address address);        // REQUIRES: not bound.
  void Send(Address to, Bytes bytes);  // Dropped when not bound, or when the socket is full.
  std::uint16_t port() const;          // 0: not bound.
  void Shutdown();

 private:
  void Received(ssize_t result, const sockaddr* from, Bytes bytes, unsigned flags);

  Loop& loop_;
  uv_udp_t udp_;
  bool bound_ = false;
};

}  // namespace starling::base::uv
