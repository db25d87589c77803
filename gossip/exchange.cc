// gossip/exchange.cc: both sides of push-pull.
#include "gossip/exchange.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace starling::gossip {
namespace {

constexpr std::size_t kMissingMax = 8;  // Syncs that strangers' packets can make us start at once.
constexpr base::Duration kGossipComes = base::seconds(1);  // Else it is asked for.
constexpr base::Duration kReunionGap = base::seconds(1);

// With more news than packets carry in a few seconds (a partition healed, many joined) tables are
// compared more often: they move a member in one claim, gossip in 4 * log10 N of them.
constexpr std::size_t kManyNews = 64;
constexpr int kManyNewsFaster = 10;

// So many exchanges of differing tables at once; others are told to come back. A herd of joining
// nodes would otherwise have a seed send its whole table to each of them at the same time.
constexpr std::size_t kSessionsMax = 8;
constexpr base::Duration kSessionMax = base::seconds(5);  // The asker may never come back.
constexpr std::uint32_t kRetryAfterMs = 250;

// And so much of tables in the long run: who is refused hears of a few others, and asks one of
// them. Else a seed would send its whole table to each of a herd, one after the other, while those
// that have it already are idle. 10,000 members are 1 MB.
constexpr std::int64_t kTableBytesPerS = 4 << 20;
constexpr base::Duration kSecond = base::seconds(1);
constexpr base::Duration kServedAhead = base::milliseconds(250);
constexpr std::size_t kReferrals = 3;

// Who hears of so many more than it knows is the newcomer, and others know them already.
constexpr std::size_t kNewcomerFactor = 2;
constexpr std::size_t kNewcomerMin = 8;

// What Compare says of a member.
struct Entry {
  std::uint64_t id;
  std::uint32_t version;
};

std::vector<Entry> ReadEntries(base::Bytes bytes) {
  std::vector<Entry> entries;
  entries.reserve(bytes.size() / kEntryBytes);
  for (std::size_t at = 0; at + kEntryBytes <= bytes.size(); at += kEntryBytes) {
    entries.push_back({base::LoadLittle<std::uint64_t>(bytes.data() + at),
                       base::LoadLittle<std::uint32_t>(bytes.data() + at + sizeof(std::uint64_t))});
  }
  std::ranges::sort(entries, {}, &Entry::id);
  return entries;
}

std::uint32_t VersionOf(const Member& member) {
  return static_cast<std::uint32_t>(Membership::DigestOf(member));
}

bool Marked(base::Bytes buckets, std::size_t bucket) {
  return (static_cast<unsigned char>(buckets[bucket / 8]) >> (bucket % 8) & 1) != 0;
}

}  // namespace

Exchange::Exchange(const GossipOptions& options, Membership& membership, Rumors& rumors,
                   PassingRumors& passing, Prober& prober, Courier& courier, base::Random& random,
                   base::Instant now)
    : options_(options),
      membership_(membership),
      rumors_(rumors),
      passing_(passing),
      prober_(prober),
      courier_(courier),
      random_(random),
      next_sync_(now + base::Duration(random.Between(0, options.push_pull_interval.count()))) {}

void Exchange::SyncWith(base::Address to, std::optional<base::HostId> host) {
  courier_.Ask(to, host, Sync{membership_.digest(), rumors_.digest()},
               std::array{ClaimOf(ViewOf(membership_.self()), membership_.self().since)});
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
  State state{.members_equal = sync.members_digest == membership_.digest(),
              .rumors_equal = sync.rumors_digest == rumors_.digest()};
  if (state.members_equal && state.rumors_equal) return courier_.Answer(state);
  if (!state.members_equal && !OpenSession(now, message.header.from))
    return Refuse(now, message, state);
  const std::array us = {ClaimOf(ViewOf(membership_.self()), now)};  // A joining node needs one.
  const Membership::Buckets buckets = membership_.buckets();
  static_assert(sizeof buckets == kBucketDigestsBytes);
  if (!state.members_equal)
    state.buckets = {reinterpret_cast<const char*>(buckets.data()), sizeof buckets};
  return courier_.Answer(state, us,
                         state.rumors_equal ? std::vector<RumorItem>() : rumors_.Advertisements());
}

std::string Exchange::Refuse(base::Instant now, const Message& message, State state) {
  state.retry_after_ms = kRetryAfterMs;
  std::vector<Claim> claims = {ClaimOf(ViewOf(membership_.self()), now)};
  for (const Member& other : membership_.DrawAlive(kReferrals, message.header.from))
    claims.push_back(ClaimOf(other, now));
  return courier_.Answer(state, claims);
}

bool Exchange::OpenSession(base::Instant now, base::HostId host) {
  std::erase_if(sessions_, [&](const Session& session) {
    return session.expires <= now || session.host == host;
  });
  if (sessions_.size() >= kSessionsMax || served_until_ > now + kServedAhead) return false;
  sessions_.push_back({host, now + kSessionMax});
  return true;
}

// In the session that its Sync opened; one that comes again, or without a Sync, needs room for its
// own.
bool Exchange::MayCompare(base::Instant now, base::HostId host) {
  const auto open = [&](const Session& session) {
    return session.host == host && session.expires > now && !session.compared;
  };
  if (std::ranges::none_of(sessions_, open) && !OpenSession(now, host)) return false;
  std::ranges::find(sessions_, host, &Session::host)->compared = true;
  return true;
}

void Exchange::CloseSession(base::HostId host) {
  std::erase_if(sessions_, [&](const Session& session) { return session.host == host; });
}

void Exchange::OnState(base::Instant now, const Message& message, const State& state) {
  if (state.retry_after_ms > 0) {
    Hear(now, message.claims, Membership::Source::kFirstSync);  // Others know them.
    const base::Duration after = base::milliseconds(state.retry_after_ms);
    next_sync_ =
        std::min(next_sync_, now + after + base::Duration(random_.Between(0, after.count())));
    return;
  }
  HearTable(now, message.claims);
  if (!state.rumors_equal) HearRumors(now, message.header, message.rumors);
  const std::optional<Member> peer = membership_.Find(message.header.from);
  if (!peer) return;  // Its own claim was refused, for want of room.
  if (!state.members_equal && !state.buckets.empty()) AskToCompare(state, *peer);
  if (state.rumors_equal) return;
  // What it lacks goes to it, so that one exchange evens out both sides.
  const std::vector<RumorItem> rumors = rumors_.NewerThan(message.rumors);
  if (!rumors.empty()) courier_.Ask(peer->address, peer->host, Push{}, {}, rumors);
}

void Exchange::AskToCompare(const State& state, const Member& peer) {
  const Membership::Buckets ours = membership_.buckets();
  std::string buckets(kBucketsBytes, '\0');
  for (std::size_t bucket = 0; bucket < Membership::kBuckets; ++bucket) {
    const auto theirs =
        base::LoadLittle<std::uint64_t>(state.buckets.data() + bucket * sizeof(std::uint64_t));
    if (theirs == ours[bucket]) continue;
    buckets[bucket / 8] = static_cast<char>(buckets[bucket / 8] | 1 << bucket % 8);
  }
  std::string entries;
  membership_.ForEach([&](const Member& member) {
    if (!Marked(buckets, Membership::BucketOf(member.host))) return;
    base::AppendLittle(entries, ShortId(member.host));
    base::AppendLittle(entries, VersionOf(member));
  });
  courier_.Ask(peer.address, peer.host, Compare{buckets, entries});
}

std::string Exchange::OnCompare(base::Instant now, const Message& message, const Compare& compare) {
  if (!MayCompare(now, message.header.from)) return Refuse(now, message, {});
  const std::vector<Entry> theirs = ReadEntries(compare.entries);
  std::vector<bool> met(theirs.size());
  std::string wanted;
  std::vector<Claim> claims;
  membership_.ForEach([&](const Member& member) {
    if (!Marked(compare.buckets, Membership::BucketOf(member.host))) return;
    const std::uint64_t id = ShortId(member.host);
    const auto found = std::ranges::lower_bound(theirs, id, {}, &Entry::id);
    if (found != theirs.end() && found->id == id) {
      met[static_cast<std::size_t>(found - theirs.begin())] = true;
      if (found->version == VersionOf(member)) return;
      base::AppendLittle(wanted, id);  // Either may be the newer one.
    }
    claims.push_back(membership_.ClaimAbout(member, now));
  });
  for (std::size_t at = 0; at < theirs.size(); ++at) {
    if (!met[at]) base::AppendLittle(wanted, theirs[at].id);
  }
  if (wanted.empty()) CloseSession(message.header.from);
  std::string answer = courier_.Answer(Difference{wanted}, claims);
  served_until_ = std::max(served_until_, now) +
                  static_cast<std::int64_t>(answer.size()) * kSecond / kTableBytesPerS;
  return answer;
}

void Exchange::OnDifference(base::Instant now, const Message& message,
                            const Difference& difference) {
  HearTable(now, message.claims);
  const std::optional<Member> peer = membership_.Find(message.header.from);
  if (difference.wanted.empty() || !peer) return;
  courier_.Ask(peer->address, peer->host, Push{}, ClaimsOf(now, message, difference.wanted));
}

// What `wanted` names, without what the message has as new.
std::vector<Claim> Exchange::ClaimsOf(base::Instant now, const Message& message,
                                      base::Bytes wanted) const {
  std::vector<std::uint64_t> ids;
  for (std::size_t at = 0; at + sizeof(std::uint64_t) <= wanted.size(); at += sizeof(std::uint64_t))
    ids.push_back(base::LoadLittle<std::uint64_t>(wanted.data() + at));
  std::ranges::sort(ids);
  std::vector<const Claim*> theirs;
  for (const Claim& claim : message.claims) theirs.push_back(&claim);
  std::ranges::sort(theirs, {}, &Claim::host);
  std::vector<Claim> claims;
  membership_.ForEach([&](const Member& member) {
    if (!std::ranges::binary_search(ids, ShortId(member.host))) return;
    const Claim claim = membership_.ClaimAbout(member, now);
    const auto said = std::ranges::lower_bound(theirs, member.host, {}, &Claim::host);
    const bool known =
        said != theirs.end() && (*said)->host == member.host && !Supersedes(claim, **said);
    if (!known) claims.push_back(claim);
  });
  return claims;
}

std::string Exchange::OnPush(base::Instant now, const Message& message) {
  HearTable(now, message.claims);
  HearRumors(now, message.header, message.rumors);
  CloseSession(message.header.from);
  return courier_.Answer(Ack{0});
}

std::string Exchange::OnPull(const Message& message) {
  // One pull is of one kind, as is what it answers to.
  const bool passing = !message.rumors.empty() && IsPassing(message.rumors.front().key);
  return courier_.Answer(Payloads{}, {},
                         passing ? passing_.Fetch(message.rumors) : rumors_.Fetch(message.rumors));
}

void Exchange::OnPayloads(base::Instant now, const Message& message) {
  HearRumors(now, message.header, message.rumors);
}

void Exchange::HearTable(base::Instant now, const std::vector<Claim>& claims) {
  const bool newcomer = claims.size() > kNewcomerFactor * membership_.size() + kNewcomerMin;
  Hear(now, claims, newcomer ? Membership::Source::kFirstSync : Membership::Source::kSync);
}

void Exchange::Hear(base::Instant now, const std::vector<Claim>& claims,
                    Membership::Source source) {
  for (const Claim& claim : claims) {
    if (membership_.Hear(now, claim, source) == Membership::Heard::kAskSubject)
      prober_.Ask(now, claim);
  }
}

std::uint64_t Exchange::HearRumors(base::Instant now, const Header& header,
                                   const std::vector<RumorItem>& items) {
  std::uint64_t known = 0;
  std::vector<RumorItem> wanted;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const Rumors::Offer offer =
        IsPassing(items[i].key) ? passing_.Hear(now, items[i]) : rumors_.Hear(now, items[i]);
    const bool news = offer == Rumors::Offer::kTaken || offer == Rumors::Offer::kWanted;
    if (!news && i < kRumorsPerDatagramMax) known |= std::uint64_t{1} << i;
    if (offer == Rumors::Offer::kWanted) wanted.push_back(items[i]);
  }
  const std::optional<Member> peer = membership_.Find(header.from);
  if (wanted.empty() || !peer) return known;
  for (const RumorItem& item : wanted)
    IsPassing(item.key) ? passing_.Pulling(now, item) : rumors_.Pulling(now, item);
  courier_.Ask(peer->address, peer->host, Pull{}, {}, wanted);
  return known;
}

void Exchange::OnTick(base::Instant now) {
  if (membership_.left()) return;
  AskForMissing(now);
  if (membership_.pending_updates() > kManyNews)
    next_sync_ = std::min(next_sync_, last_sync_ + options_.push_pull_interval / kManyNewsFaster);
  if (now < next_sync_) return;
  last_sync_ = now;
  const std::int64_t tenth = options_.push_pull_interval.count() / 10;
  next_sync_ = now + options_.push_pull_interval + base::Duration(random_.Between(-tenth, tenth));
  membership_.Sweep(now);
  for (const Member& member : membership_.DrawAlive(1, base::HostId{}))
    SyncWith(member.address, member.host);
}

void Exchange::AskForMissing(base::Instant now) {
  std::erase_if(missing_, [&](const Missing& missing) {
    if (now < missing.due) return false;
    const Header& header = missing.header;
    const std::optional<Member> known = membership_.Find(header.from);
    if (!known || IsNewer(header, *known)) SyncWith(missing.from, header.from);
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
