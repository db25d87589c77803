// tools/gossip_sim/story.h: the course of one run in words: who did what, who believed what, why.
//
// Of what all come to believe one after the other, the first and the last are told, and whoever
// found it out by itself; of a chosen member, everything.
//
// Thread:    confined to one thread.
// Read next: tools/gossip_sim/swim_sim.h
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/time.h"
#include "tools/gossip_sim/network.h"

namespace starling::gossip_sim {

// One thing that happened.
struct Told {
  base::Duration at{0};  // Since the span began.
  std::string what;      // "killed", "paused", …; of a belief "suspect", "alive", ….
  std::optional<NodeIndex> subject{};   // Whom it happened to, or who is believed so. Absent: all.
  std::optional<NodeIndex> observer{};  // Who believes it. Absent: it is so.
  std::uint64_t generation = 0;         // Of the subject, as the observer believes.
  std::uint32_t incarnation = 0;
  std::string reason{};
};

struct StoryOptions {
  std::optional<NodeIndex> member;  // Only what it does, believes, or is believed of it; all of it.
};

class Story {
 public:
  explicit Story(StoryOptions options) : options_(options) {}

  void Add(const Told& told);

  // A line each: "   1.234 s  node 7 holds node 3 for suspect: no ack within 900 ms, …".
  std::string Text() const;
  // An object a line: at_s, what, and of the rest what there is.
  std::string JsonLines() const;

 private:
  // One belief of one subject, as it goes from node to node.
  struct Spread {
    std::size_t told_by = 0;  // In lines_: its first.
    std::size_t believers = 0;
    Told last;
  };

  bool Concerns(const Told& told) const;
  std::vector<Told> Lines() const;  // With what closes each spread, by time.

  StoryOptions options_;
  std::vector<Told> lines_;
  std::map<std::tuple<NodeIndex, std::uint64_t, std::uint32_t, std::string>, Spread> spreads_;
};

}  // namespace starling::gossip_sim
