#include "server/memory_share.h"

#include <fmt/core.h>

#include <algorithm>

namespace starling::server {

MemoryShare::MemoryShare(base::World& world, std::uint64_t memory_bytes_max, unsigned workers,
                         const std::atomic<std::uint64_t>& mail_bytes)
    : world_(world),
      workers_(workers),
      bytes_max_(memory_bytes_max / workers),
      conn_bytes_max_(std::min(bytes_max_ / 8, kConnBytesMax)),
      mail_bytes_(mail_bytes) {}

bool MemoryShare::HasRoom(std::size_t bytes) const {
  const std::uint64_t held_now = held();
  const std::uint64_t small_part = bytes_max_ / kSmallPart;
  if (held_now <= bytes_max_ / 4) return true;
  if (bytes > kLargeBytes) return held_now + bytes <= bytes_max_ - small_part;
  return held_now + bytes <= bytes_max_ || small_requests_ + bytes <= small_part;
}

std::string MemoryShare::Refusal() const {
  return fmt::format(
      "requests under way and answers not taken yet hold {} bytes, and a worker's share of "
      "limits.memory is {}: try again later",
      held(), bytes_max_);
}

bool MemoryShare::TakePart(std::size_t bytes) {
  parts_ += bytes;
  const auto fits = [&] { return held() <= bytes_max_ || held() - bytes <= bytes_max_ / 4; };
  if (fits()) return true;
  Recount();  // The client may have taken its answer before it sent this.
  return fits();
}

void MemoryShare::NoteAnswer(base::ConnId conn) {
  const std::size_t now = world_.Queued(conn);
  if (now <= kLargeBytes) return;
  std::size_t& before = queued_[conn];
  untaken_ += now - before;  // May be less than before: unsigned, and the sum comes out right.
  before = now;
}

void MemoryShare::Recount() {
  if (queued_.empty()) return;
  untaken_ = 0;
  for (auto it = queued_.begin(); it != queued_.end();) {
    it->second = world_.Queued(it->first);
    if (it->second <= kLargeBytes) {
      it = queued_.erase(it);
      continue;
    }
    untaken_ += it->second;
    ++it;
  }
}

}  // namespace starling::server
