#include "gossip/passing_spreader.h"

#include <utility>
#include <vector>

namespace starling::gossip {
namespace {

constexpr std::size_t kPassingSendsPerLimit = 4;  // Rumors to silent targets end at some time.

}  // namespace

void PassingSpreader::OnTick(base::Instant now) {
  if (now < next_tick()) return;
  last_round_ = now;
  const std::size_t others = membership_.present();
  PassingRumors::Allowance allowed{.bytes_max = options_.datagram_bytes_max - kEnvelopeBytesMax,
                                   .items_max = 0,
                                   .sends_max = kPassingSendsPerLimit * RetransmitLimit(others + 1),
                                   .others = others};
  for (std::uint32_t turn = 0; turn < options_.rumor_fanout; ++turn) {
    const std::optional<Member> member = membership_.NextToTell();
    if (!member) return;
    allowed.items_max = rumors_.hot_count();  // Each at most once.
    for (std::uint32_t packet = 0; packet < options_.passing_packets_max; ++packet) {
      const Spread spread{random_.Next()};
      const std::vector<RumorItem> items = rumors_.Tell(now, spread.nonce, allowed);
      if (items.empty()) break;
      allowed.items_max -= items.size();
      courier_.SendAsItIs(member->address, spread, {}, items);
    }
  }
}

}  // namespace starling::gossip
