// gossip/exchange.cc: both sides of push-pull.
#include "gossip/exchange.h"

#include <algorithm>
#include <map>
#include <utility>

namespace starling::gossip {
namespace {

constexpr std::size_t kMissingMax = 8;  // Syncs that strangers' packets can make us start at once.
constexpr base::Duration kGossipComes = base::seconds(1);  // Else it is asked for.
constexpr base::Duration kReunionGap = base::seconds(1);

}  // namespace

Exchange::Exchange(const GossipOptions& options, Membership& membership, Rumors& rumors,
                   Prober& prober, Courier& courier, base::Random& random, base::Instant now)
    : options_(options),
      membership_(membership),
      rumors_(rumors),
      prober_(prober),
      courier_(courier),
      random_(random),
      next_sync_(now + base::Duration(random.Between(0, options.push_pull_interval.count()))) {}

void Exchange::SyncWith(base::Address to, std::optional<base::HostId> host) {
  courier_.Ask(to, host, Sync{membership_.digest(), rumors_.digest()},
               {ClaimOf(membership_.self(), membership_.self().since)});
}

void Exchange::MissNewsOf(base::Instant now, base::Address from, const Header& header) {
  for (Missing& missing : missing_) {
    if (missing.header.from != header.from) continue;
    missing.header = header;
    missing.from = from;
    return;
  }
  if (missing_.size() < kMissingMax) missing_.push_back({from, header, now + kGossipComes});
}

void Exchange::Reunite(base::Instant now, base::Address from, base::HostId host) {
  if (last_reunion_ && now - *last_reunion_ < kReunionGap) return;
  last_reunion_ = now;
  SyncWith(from, host);
}

std::string Exchange::OnSync(base::Instant now, const Message& message, const Sync& sync) {
  HearTable(now, message.claims);
  const State state{.members_equal = sync.members_digest == membership_.digest(),
                    .rumors_equal = sync.rumors_digest == rumors_.digest()};
  return courier_.Answer(state,
                         state.members_equal ? std::vector<Claim>() : membership_.AllClaims(now),
                         state.rumors_equal ? std::vector<RumorItem>() : rumors_.Advertisements());
}

void Exchange::OnState(base::Instant now, const Message& message, const State& state) {
  HearTable(now, message.claims);
  if (!state.rumors_equal) HearRumors(now, message.header, message.rumors);
  PushBack(now, message, state);
}

// What `theirs` lacks goes to it, so that one exchange evens out both sides.
void Exchange::PushBack(base::Instant now, const Message& theirs, const State& state) {
  const MemberInfo* peer = membership_.Find(theirs.header.from);
  if (peer == nullptr) return;  // Its own claim was refused, for want of room.
  std::vector<Claim> claims;
  if (!state.members_equal) {
    std::map<base::HostId, const Claim*> by_host;
    for (const Claim& claim : theirs.claims) by_host[claim.host] = &claim;
    claims = membership_.AllClaims(now);
    std::erase_if(claims, [&](const Claim& claim) {
      const auto found = by_host.find(claim.host);
      return found != by_host.end() && !Supersedes(claim, *found->second);
    });
  }
  std::vector<RumorItem> rumors;
  if (!state.rumors_equal) rumors = rumors_.NewerThan(theirs.rumors);
  if (claims.empty() && rumors.empty()) return;
  courier_.Ask(peer->address, peer->host, Push{}, std::move(claims), std::move(rumors));
}

std::string Exchange::OnPush(base::Instant now, const Message& message) {
  HearTable(now, message.claims);
  HearRumors(now, message.header, message.rumors);
  return courier_.Answer(Ack{0});
}

std::string Exchange::OnPull(const Message& message) {
  return courier_.Answer(Payloads{}, {}, rumors_.Fetch(message.rumors));
}

void Exchange::OnPayloads(base::Instant now, const Message& message) {
  HearRumors(now, message.header, message.rumors);
}

void Exchange::HearTable(base::Instant now, const std::vector<Claim>& claims) {
  for (const Claim& claim : claims) {
    if (membership_.Hear(now, claim, Membership::Source::kSync) == Membership::Heard::kAskSubject)
      prober_.Ask(now, claim);
  }
}

std::uint64_t Exchange::HearRumors(base::Instant now, const Header& header,
                                   const std::vector<RumorItem>& items) {
  std::uint64_t known = 0;
  std::vector<RumorItem> wanted;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const Rumors::Offer offer = rumors_.Hear(now, items[i]);
    const bool news = offer == Rumors::Offer::kTaken || offer == Rumors::Offer::kWanted;
    if (!news && i < kRumorsPerDatagramMax) known |= std::uint64_t{1} << i;
    if (offer == Rumors::Offer::kWanted) wanted.push_back(items[i]);
  }
  const MemberInfo* peer = membership_.Find(header.from);
  if (wanted.empty() || peer == nullptr) return known;
  for (const RumorItem& item : wanted) rumors_.Pulling(now, item);
  courier_.Ask(peer->address, peer->host, Pull{}, {}, std::move(wanted));
  return known;
}

void Exchange::OnTick(base::Instant now) {
  if (membership_.left()) return;
  AskForMissing(now);
  if (now < next_sync_) return;
  const std::int64_t tenth = options_.push_pull_interval.count() / 10;
  next_sync_ = now + options_.push_pull_interval + base::Duration(random_.Between(-tenth, tenth));
  membership_.Sweep(now);
  for (const MemberInfo* member : membership_.DrawAlive(1, base::HostId{}))
    SyncWith(member->address, member->host);
}

void Exchange::AskForMissing(base::Instant now) {
  std::erase_if(missing_, [&](const Missing& missing) {
    if (now < missing.due) return false;
    const Header& header = missing.header;
    const MemberInfo* known = membership_.Find(header.from);
    const bool came = known != nullptr && std::pair(known->generation, known->incarnation) >=
                                              std::pair(header.generation, header.incarnation);
    if (!came) SyncWith(missing.from, header.from);
    return true;
  });
}

base::Instant Exchange::next_tick() const {
  if (membership_.left()) return base::Instant::Never();
  base::Instant next = next_sync_;
  for (const Missing& missing : missing_) next = std::min(next, missing.due);
  return next;
}

}  // namespace starling::gossip
