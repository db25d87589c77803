// server/memory_share.h: a worker's share of limits.memory, and what fills it.
//
// Four things do: what requests under way hold, requests of clients that have come in part, answers
// that connections have not taken yet, and large mails on their way between workers. More is
// refused, never queued. The rule has two edges: a request is always admitted while the share is
// hardly used, so that a share smaller than the largest value still takes one at a time; and an
// eighth belongs to small ones alone, whatever large ones hold or have grown to, so that clients
// with small values are served while others ask for more than there is room for.
//
// Thread:    confined to its worker; the mails' counter is shared by all.
// Read next: server/coordinator.h, docs/operations.md (Limits)
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "base/world.h"

namespace starling::server {

class MemoryShare {
 public:
  // Answers below this are not looked at: limits.in_flight of them are little.
  static constexpr std::size_t kCountedBytes = 4 << 10;

  // A share of limits.memory, of which each of `workers` has as much.
  MemoryShare(base::World& world, std::uint64_t memory_bytes_max, unsigned workers,
              const std::atomic<std::uint64_t>& mail_bytes);

  bool HasRoom(std::size_t bytes) const;
  // What to tell whoever was refused.
  std::string Refusal() const;

  // By a request under way; it gives back what it took, in one piece.
  void Take(std::size_t bytes) { RequestsOf(bytes) += bytes; }
  void Give(std::size_t bytes) { RequestsOf(bytes) -= bytes; }

  // What a connection may leave untaken and still be answered with large values.
  std::uint64_t conn_bytes_max() const { return conn_bytes_max_; }
  // Of a client's request, so much has come that waits for the rest. False: there is no room for
  // it. One is always taken while all else is little.
  bool TakePart(std::size_t bytes);
  void GivePart(std::size_t bytes) { parts_ -= bytes; }
  bool has_parts() const { return parts_ > 0; }

  // Whether the connection took enough of its answers to get another large one.
  bool Takes(base::ConnId conn) const { return world_.Queued(conn) <= conn_bytes_max_; }
  // A large answer was queued there.
  void NoteAnswer(base::ConnId conn);
  // What connections have taken meanwhile; once a turn.
  void Recount();

  std::uint64_t bytes_max() const { return bytes_max_; }
  std::uint64_t held() const {
    return small_requests_ + large_requests_ + parts_ + untaken_ +
           mail_bytes_.load(std::memory_order_relaxed) / workers_;
  }

 private:
  static constexpr std::size_t kLargeBytes = 64 << 10;
  static constexpr std::uint64_t kConnBytesMax = 32 << 20;
  static constexpr std::uint64_t kSmallPart = 8;

  std::uint64_t& RequestsOf(std::size_t bytes) {
    return bytes > kLargeBytes ? large_requests_ : small_requests_;
  }

  // Constant after construction.
  base::World& world_;
  const unsigned workers_;
  const std::uint64_t bytes_max_;
  const std::uint64_t conn_bytes_max_;  // So that a few slow connections do not fill the share.
  const std::atomic<std::uint64_t>& mail_bytes_;

  std::uint64_t small_requests_ = 0;
  std::uint64_t large_requests_ = 0;
  std::uint64_t parts_ = 0;
  std::uint64_t untaken_ = 0;                   // The sum of these:
  std::map<base::ConnId, std::size_t> queued_;  // Those with more than kLargeBytes to take.
};

}  // namespace starling::server
