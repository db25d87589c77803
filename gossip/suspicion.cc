// gossip/suspicion.cc: the formulas.
#include "gossip/suspicion.h"

#include <algorithm>
#include <bit>

#include "base/check.h"
#include "base/mutants.h"
#include "base/random.h"

namespace starling::gossip {
namespace {

constexpr std::int64_t kUnconfirmedFactor = 3;

// 1000 * ln(n), for the few accusers that count.
constexpr std::array<std::int64_t, 9> kMilliLn = {0, 0, 693, 1099, 1386, 1609, 1792, 1946, 2079};

// Lifeguard's: max at no further accuser, min at `needed` of them.
base::Duration Shrunk(base::Duration min, base::Duration max, std::size_t further,
                      std::size_t needed) {
  if (further >= needed) return min;
  const std::int64_t share = kMilliLn[further + 1] * 1000 / kMilliLn[needed + 1];
  return max - (max - min) * share / 1000;
}

}  // namespace

std::uint64_t ShortId(base::HostId host) { return base::Mix64(host.high ^ base::Mix64(host.low)); }

bool Accusers::Contains(std::uint64_t id) const {
  return std::ranges::any_of(all(), [&](const Accuser& known) { return known.id == id; });
}

std::size_t Accusers::domains() const {
  std::size_t count = 0;
  for (std::size_t at = 0; at < size_; ++at) {
    bool is_first = true;
    for (std::size_t before = 0; before < at; ++before)
      is_first = is_first && accusers_[before].domain != accusers_[at].domain;
    count += is_first ? 1 : 0;
  }
  return count;
}

bool Accusers::Add(const Accuser& accuser) {
  if (Contains(accuser.id)) return false;
  if (size_ < kMax) {
    accusers_[size_++] = accuser;
    return true;
  }
  if (domains() > 1 || accuser.domain == accusers_[0].domain) return false;
  accusers_[kMax - 1] = accuser;
  return true;
}

bool Confirmed(const Accusers& accusers, const Witnesses& witnesses) {
  if (base::Mutant("gossip-one-accuser")) return true;
  if (accusers.size() < std::min(Accusers::kMax, std::max<std::size_t>(witnesses.hosts, 1)))
    return false;
  if (base::Mutant("gossip-one-rack")) return true;
  return accusers.domains() >= std::min<std::size_t>(2, witnesses.domains);
}

// log10 n = log2 n / log2 10, the fraction of log2 by squaring.
std::uint64_t MilliLog10(std::uint64_t n) {
  CHECK(n > 0);
  constexpr int kFractionBits = 16;
  const auto whole = static_cast<unsigned>(std::bit_width(n)) - 1;
  // In [1, 2) with 31 bits behind the point.
  std::uint64_t rest = whole > 31 ? n >> (whole - 31) : n << (31 - whole);
  std::uint64_t log2 = whole;
  for (int bit = 0; bit < kFractionBits; ++bit) {
    rest = rest * rest >> 31;
    const bool over = rest >> 32 != 0;
    if (over) rest >>= 1;
    log2 = log2 << 1 | (over ? 1 : 0);
  }
  constexpr std::uint64_t kLog2Of10Millionths = 3321928;
  return log2 * 1'000'000'000 / kLog2Of10Millionths >> kFractionBits;
}

base::Duration SilenceToDead(const GossipOptions& options) {
  return options.probe_interval + kAckTimeoutsPerProbe * options.ack_timeout +
         options.suspicion_timeout;
}

base::Duration LongestTrial(const GossipOptions& options) {
  return kUnconfirmedFactor * options.suspicion_timeout;
}

base::Duration SuspicionTimeout(const GossipOptions& options, std::size_t members,
                                std::size_t accusers) {
  const std::size_t further = std::max<std::size_t>(accusers, 1) - 1;
  const Features features = options.features();
  if (features.confirmation) {
    return Shrunk(options.suspicion_timeout, LongestTrial(options), further, Accusers::kMax - 1);
  }
  const auto milli = static_cast<std::int64_t>(
      std::max<std::uint64_t>(1000, MilliLog10(std::max<std::size_t>(members, 1))));
  const base::Duration min = options.suspicion_mult * options.probe_interval * milli / 1000;
  if (!features.dogpile) return min;
  // With too few others to come, waiting for them would be in vain.
  const std::size_t needed = std::min<std::size_t>(options.suspicion_mult - 2, kMilliLn.size() - 2);
  if (needed == 0 || members < needed + 2) return min;
  return Shrunk(min, options.suspicion_max_mult * min, further, needed);
}

}  // namespace starling::gossip
