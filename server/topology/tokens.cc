#include "server/topology/tokens.h"

#include <fmt/core.h>

#include <algorithm>
#include <tuple>

#include "base/random.h"

namespace starling::topology {
namespace {

// More vnodes than this at founding would leave no room to split ranges later.
constexpr std::uint64_t kFoundingVnodesMax = base::kBuckets / 4;

base::Status CheckVnodes(std::uint32_t vnodes) {
  if (vnodes >= 1 && vnodes <= kVnodesMax) return base::Ok();
  return base::InvalidArgument(
      fmt::format("a node has 1 to {} vnodes, not {}", kVnodesMax, vnodes));
}

// The turn of a node in the dealing: its nth vnode of `vnodes` comes when this share of the space
// has been dealt. Nodes of equal weight tie in every round, and chance decides.
struct Turn {
  std::uint64_t share;  // In units of 2^-32.
  std::uint64_t chance;
  std::size_t node;

  auto operator<=>(const Turn&) const = default;
};

struct OwnedRange {
  std::uint32_t first;
  std::uint32_t size;
  std::size_t member;
};

// The ranges that the members own now, and the load and weight of each member.
struct Loads {
  std::vector<OwnedRange> ranges;
  std::vector<std::uint64_t> buckets;  // By member.
  std::vector<std::uint64_t> weight;   // By member: its vnodes.

  explicit Loads(const Topology& topology) {
    for (const Node* node : topology.members()) {
      for (const std::uint16_t token : node->tokens) ranges.push_back({token, 0, weight.size()});
      weight.push_back(node->tokens.size());
    }
    buckets.resize(weight.size());
    std::sort(ranges.begin(), ranges.end(),
              [](const OwnedRange& a, const OwnedRange& b) { return a.first < b.first; });
    for (std::size_t i = 0; i < ranges.size(); ++i) {
      const std::uint32_t next = ranges[(i + 1) % ranges.size()].first;
      ranges[i].size =
          next > ranges[i].first ? next - ranges[i].first : next + base::kBuckets - ranges[i].first;
      buckets[ranges[i].member] += ranges[i].size;
    }
  }

  // The range to split next: of the most loaded member by weight, its largest; ties by chance.
  OwnedRange* Largest(std::uint64_t seed) {
    OwnedRange* best = nullptr;
    const auto before = [&](const OwnedRange& a, const OwnedRange& b) {
      const std::uint64_t load_a = buckets[a.member] * weight[b.member];
      const std::uint64_t load_b = buckets[b.member] * weight[a.member];
      return std::tuple(load_a, a.size, base::Mix64(seed ^ a.first)) >
             std::tuple(load_b, b.size, base::Mix64(seed ^ b.first));
    };
    for (OwnedRange& range : ranges)
      if (range.size >= 2 && (best == nullptr || before(range, *best))) best = &range;
    return best;
  }
};

}  // namespace

base::Result<std::vector<std::vector<std::uint16_t>>> FoundingTokens(
    std::span<const std::uint32_t> vnodes, std::uint64_t seed) {
  base::Random random(seed);
  std::vector<Turn> turns;
  for (std::size_t node = 0; node < vnodes.size(); ++node) {
    RETURN_IF_ERROR(CheckVnodes(vnodes[node]));
    for (std::uint64_t n = 0; n < vnodes[node]; ++n)
      turns.push_back({((2 * n + 1) << 31) / vnodes[node], random.Next(), node});
  }
  if (turns.size() > kFoundingVnodesMax)
    return base::Fail(base::InvalidArgument(
        fmt::format("{} vnodes in all are too many to found a cluster with; {} is the limit",
                    turns.size(), kFoundingVnodesMax)));
  std::sort(turns.begin(), turns.end());

  std::vector<std::vector<std::uint16_t>> tokens(vnodes.size());
  const std::uint64_t turned = random.Below(base::kBuckets);
  for (std::uint64_t i = 0; i < turns.size(); ++i) {
    const std::uint64_t jitter = random.Below(base::kBuckets / turns.size() / 8 + 1);
    const std::uint64_t cut = i * base::kBuckets / turns.size() + jitter;
    tokens[turns[i].node].push_back(static_cast<std::uint16_t>((cut + turned) % base::kBuckets));
  }
  for (auto& of_node : tokens) std::sort(of_node.begin(), of_node.end());
  return tokens;
}

base::Result<std::vector<std::uint16_t>> JoiningTokens(const Topology& topology,
                                                       std::uint32_t vnodes) {
  RETURN_IF_ERROR(CheckVnodes(vnodes));
  Loads loads(topology);
  std::uint64_t weights = vnodes;
  for (const std::uint64_t weight : loads.weight) weights += weight;
  std::uint64_t share = base::kBuckets * std::uint64_t{vnodes} / weights;  // Still to be taken.

  std::vector<std::uint16_t> tokens;
  for (std::uint32_t left = vnodes; left > 0; --left) {
    OwnedRange* range = loads.Largest(topology.token_seed);
    if (range == nullptr)
      return base::Fail(base::FailedPrecondition(
          fmt::format("no room for a node with {} vnodes: every range is one bucket", vnodes)));
    const auto piece =
        static_cast<std::uint32_t>(std::clamp<std::uint64_t>(share / left, 1, range->size - 1));
    range->size -= piece;
    loads.buckets[range->member] -= piece;
    share -= std::min<std::uint64_t>(share, piece);
    tokens.push_back(static_cast<std::uint16_t>((range->first + range->size) % base::kBuckets));
  }
  std::sort(tokens.begin(), tokens.end());
  return tokens;
}

}  // namespace starling::topology
