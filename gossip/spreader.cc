// gossip/spreader.cc: filling packets with news.
#include "gossip/spreader.h"

#include <algorithm>
#include <vector>

namespace starling::gossip {
namespace {

// Of a packet that claims may fill first, for rumors. The other half of packets rumors fill first.
constexpr std::size_t kRumorSharePercent = 30;
constexpr int kHurriedFaster = 4;
constexpr std::size_t kUnheardSendsPerLimit = 4;  // Rumors to silent targets end at some time.

}  // namespace

Spreader::Spreader(const GossipOptions& options, Membership& membership, Rumors& rumors,
                   Exchange& exchange, Courier& courier, base::Random& random)
    : options_(options),
      membership_(membership),
      rumors_(rumors),
      exchange_(exchange),
      courier_(courier),
      random_(random) {}

base::Instant Spreader::next_tick() const {
  if (membership_.present() == 0) return base::Instant::Never();
  return std::min({next_round(), next_hurried(), next_digest()});
}

base::Instant Spreader::next_round() const {
  if (!membership_.has_updates() && !rumors_.hot()) return base::Instant::Never();
  return last_round_ ? *last_round_ + options_.gossip_interval : base::Instant{};
}

base::Instant Spreader::next_hurried() const {
  if (!membership_.hurries()) return base::Instant::Never();
  const base::Instant last =
      std::max(last_round_.value_or(base::Instant{}), last_hurried_.value_or(base::Instant{}));
  return last + options_.gossip_interval / kHurriedFaster;
}

base::Instant Spreader::next_digest() const {
  if (digest_tellings_left_ == 0 && !rumors_.digest_is_news()) return rumors_.next_settled();
  return last_digest_ ? *last_digest_ + options_.gossip_interval : base::Instant{};
}

void Spreader::OnTick(base::Instant now) {
  if (membership_.present() == 0) return;
  if (now >= next_round()) {
    TellNews(now);
  } else if (now >= next_hurried()) {
    last_hurried_ = now;
    TellAll(now, options_.gossip_fanout, 0);
  }
  if (now >= next_digest()) TellDigest(now);
}

void Spreader::TellDigest(base::Instant now) {
  if (rumors_.digest_is_news()) digest_tellings_left_ = kDigestTellings;
  if (digest_tellings_left_ == 0) return;  // What grew old was replaced by something newer before.
  rumors_.DigestTold();
  last_digest_ = now;
  --digest_tellings_left_;
  for (std::uint32_t turn = 0; turn < options_.rumor_fanout; ++turn) {
    const std::optional<Member> member = membership_.NextToTell();
    if (!member) return;
    courier_.Send(now, member->address, Spread{random_.Next()});
  }
}

void Spreader::TellNews(base::Instant now) {
  last_round_ = now;
  rumors_first_ = !rumors_first_;
  const std::size_t for_claims = membership_.has_updates() ? options_.gossip_fanout : 0;
  TellAll(now, for_claims, rumors_.hot() ? options_.rumor_fanout : 0);
}

void Spreader::TellAll(base::Instant now, std::size_t for_claims, std::size_t for_rumors) {
  if (for_claims > 0) membership_.CountRound();
  std::vector<base::HostId> told;
  for (std::size_t turn = 0; turn < std::max(for_claims, for_rumors); ++turn) {
    const std::optional<Member> member = membership_.NextToTell();
    if (!member) return;
    const bool again = std::find(told.begin(), told.end(), member->host) != told.end();
    if (again) continue;  // A new round began.
    told.push_back(member->host);
    TellOne(now, *member, {.claims = turn < for_claims, .rumors = turn < for_rumors});
  }
}

void Spreader::TellOne(base::Instant now, const Member& member, Cargo cargo) {
  const Spread spread{random_.Next()};
  std::vector<Claim> claims;
  std::vector<RumorItem> rumors;
  std::size_t room = options_.datagram_bytes_max - kEnvelopeBytesMax;
  const auto add_rumors = [&] {
    if (!cargo.rumors) return;
    rumors = rumors_.Tell(spread.nonce, room,
                          kUnheardSendsPerLimit * RetransmitLimit(membership_.present() + 1));
    for (const RumorItem& item : rumors) room -= BytesBound(item);
  };
  if (rumors_first_) add_rumors();
  if (cargo.claims) {
    const bool more_to_come = cargo.rumors && !rumors_first_;
    const std::size_t kept =
        more_to_come ? rumors_.BytesToTell(room * kRumorSharePercent / 100) : 0;
    membership_.AddUpdatesFor(member.host, now, room - kept, claims);
    for (const Claim& claim : claims) room -= BytesBound(claim);
  }
  if (!rumors_first_) add_rumors();
  if (!claims.empty() || !rumors.empty())
    courier_.SendAsItIs(member.address, spread, claims, rumors);
}

void Spreader::OnSpread(base::Instant now, Asked& asked, const Message& message,
                        const Spread& spread) {
  if (message.rumors.empty()) return;
  const std::uint64_t known = exchange_.HearRumors(now, message.header, message.rumors);
  courier_.Reply(now, asked.from, Feedback{spread.nonce, known}, asked);
}

}  // namespace starling::gossip
