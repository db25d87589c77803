// tests/sim/input_gossip.cc: what gossip may hear.
#include <deque>
#include <utility>

#include "base/hash.h"
#include "gossip/message.h"
#include "tests/sim/input_draw.h"

namespace starling::sim {

gossip::State Draw::GossipState(std::deque<std::string>& kept) {
  gossip::State state{.members_equal = random_.Chance(0.5), .rumors_equal = random_.Chance(0.5)};
  if (random_.Chance(0.5))
    state.buckets = kept.emplace_back(std::string(gossip::kBucketDigestsBytes, 'd'));
  if (random_.Chance(0.2)) state.retry_after_ms = static_cast<std::uint32_t>(Odd(random_));
  return state;
}

std::string Draw::GossipMessage() {
  std::deque<std::string> kept;  // Messages have views only.
  const auto keep = [&](std::string bytes) -> base::Bytes {
    return kept.emplace_back(std::move(bytes));
  };
  gossip::Message message;
  message.header = {Host(), Odd(random_) >> 2, static_cast<std::uint32_t>(Odd(random_)),
                    random_.Chance(0.5) ? 0 : Odd(random_)};
  switch (random_.Below(17)) {
    case 0: message.body = gossip::Ping{Odd(random_), Host()}; break;
    case 1: message.body = gossip::Ack{Odd(random_)}; break;
    case 2: message.body = gossip::PingRequest{Odd(random_), Host(), {0x7f000002, 7700}}; break;
    case 3: message.body = gossip::Spread{Odd(random_)}; break;
    case 4: message.body = gossip::Feedback{Odd(random_), Odd(random_)}; break;
    case 5: message.body = gossip::Sync{Odd(random_), Odd(random_)}; break;
    case 6: message.body = GossipState(kept); break;
    case 7: message.body = gossip::Push{}; break;
    case 8: message.body = gossip::Pull{}; break;
    case 9: message.body = gossip::Payloads{}; break;
    case 10: message.body = gossip::Nack{Odd(random_)}; break;
    case 11: message.body = gossip::Confirm{Host()}; break;
    case 12: message.body = gossip::Farewell{Odd(random_)}; break;
    case 13: {
      const std::size_t entries = random_.Below(5) * gossip::kEntryBytes;
      message.body = gossip::Compare{keep(std::string(gossip::kBucketsBytes, '\xff')),
                                     keep(std::string(entries, 'e'))};
      break;
    }
    case 14: message.body = gossip::Difference{keep(std::string(random_.Below(5) * 8, 'w'))}; break;
    case 15: message.body = gossip::RumorSync{{Odd(random_), Odd(random_)}}; break;
    case 16: message.body = gossip::RumorState{}; break;
  }
  for (std::uint64_t n = random_.Below(3); n > 0; --n)
    message.claims.push_back(
        {.host = Host(),
         .generation = random_.Below(5),
         .incarnation = static_cast<std::uint32_t>(Odd(random_)),
         .liveness = static_cast<gossip::Liveness>(random_.Below(5)),
         .address = {0x7f000001U + static_cast<std::uint32_t>(random_.Below(4)), 7700},
         .metadata = keep(Noise(random_, 20)),
         .age = base::milliseconds(Odd(random_) >> 24)});
  for (std::uint64_t n = random_.Below(3); n > 0; --n) {
    const std::string payload =
        random_.Chance(0.3) ? Mutated(random_, facts_.topology, 0.5) : Noise(random_, 40);
    gossip::RumorItem item{.key = random_.Chance(0.5) ? "topology" : Key(),
                           .version = random_.Below(40),
                           .hash = base::Hash64(payload),
                           .age = base::milliseconds(Odd(random_) >> 32)};
    if (random_.Chance(0.6)) item.payload = payload;
    message.rumors.push_back(std::move(item));
  }
  return Encoded(message, facts_);
}

}  // namespace starling::sim
