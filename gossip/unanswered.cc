#include "gossip/unanswered.h"

#include <fmt/core.h>

#include <string>
#include <utility>

namespace starling::gossip {
namespace {

std::string LikelyCause(Envelope::Way way) {
  if (!way)
    return "it most likely requires seals, and this node seals with no key: here `nodetool keyring "
           "add KEY` and `nodetool keyring use ID` with the key that is in use there (`nodetool "
           "keyring list`)";
  return fmt::format(
      "key {}, which this node seals with, is most likely not installed there: see which one is in "
      "use there (`nodetool keyring list`), and here `nodetool keyring add KEY` and `nodetool "
      "keyring use ID` with that one; or add this one there again",
      PrintKeyId(*way));
}

}  // namespace

void Unanswered::OnNothing(base::Instant now, base::Address from, Envelope::Way way) {
  if (own_ > 0) {
    --own_;
    return;
  }
  ++in_a_row_;
  if (in_a_row_ < kTellAfter || (last_told_ && now - *last_told_ < kTellGap)) return;
  last_told_ = now;
  Event event{.kind = Event::kUnanswered,
              .reason = fmt::format("the last {} streams of this node to others brought no answer, "
                                    "though they were opened: {}",
                                    in_a_row_, LikelyCause(way))};
  event.member.address = from;
  outputs_.events.push_back(std::move(event));
}

}  // namespace starling::gossip
