#include "tools/gossip_sim/churn.h"

#include <algorithm>
#include <vector>

namespace starling::gossip_sim {
namespace {

constexpr base::Duration kLook = base::milliseconds(200);  // A gossip_interval.
constexpr int kLooksOfProgress = 5;
constexpr std::uint32_t kCalled = 16;  // Of the members that a process finds on its disk.

struct Step {
  base::Duration after;
  NodeIndex node;
  bool starts;
};

std::vector<Step> Plan(const Network& network, base::Random& random, const ChurnCourse& course) {
  const bool all = course.length == base::Duration(0);
  std::vector<Step> steps;
  for (NodeIndex node = 0; node < network.size(); ++node) {
    if (!network.running(node)) continue;
    const base::Duration ends(random.Between(0, course.within.count()));
    const base::Duration down(random.Between(0, kChurnDownMax.count()));
    if (!all && ends > course.length) continue;
    steps.push_back({ends, node, false});
    steps.push_back({ends + down, node, true});
  }
  std::stable_sort(steps.begin(), steps.end(),
                   [](const Step& a, const Step& b) { return a.after < b.after; });
  return steps;
}

void Boot(Network& network, base::Random& random, NodeIndex node) {
  std::vector<base::Address> called;
  for (std::uint32_t i = 0; i < kCalled; ++i)
    called.push_back(network.address(static_cast<NodeIndex>(random.Below(network.size()))));
  network.Boot(node, called);
}

void Look(const Network& network, NewsMax& most) {
  for (NodeIndex node = 0; node < network.size(); ++node) {
    if (!network.running(node)) continue;
    most.waiting = std::max(most.waiting, network.core(node).pending_news());
    most.slots = std::max(most.slots, network.core(node).news_slots());
  }
}

}  // namespace

NewsMax PlayChurn(Network& network, base::Random& random, const ChurnCourse& course) {
  NewsMax most;
  const base::Instant began = network.now();
  base::Duration looked{0};
  int looks = 0;
  for (const Step& step : Plan(network, random, course)) {
    while (looked + kLook <= step.after) {
      looked += kLook;
      network.RunFor(began + looked - network.now());
      Look(network, most);
      if (course.on_progress && ++looks % kLooksOfProgress == 0) course.on_progress(looked);
    }
    network.RunFor(began + step.after - network.now());
    if (course.on_step) course.on_step(step.node, step.starts);
    if (step.starts)
      Boot(network, random, step.node);
    else
      network.Kill(step.node);
  }
  Look(network, most);
  return most;
}

}  // namespace starling::gossip_sim
