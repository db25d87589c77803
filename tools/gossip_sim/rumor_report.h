// tools/gossip_sim/rumor_report.h: what became of a rumor, as text, CSV, JSON and SVG.
//
// Thread: free functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tools/gossip_sim/rumor_sim.h"
#include "tools/gossip_sim/rumor_tally.h"

namespace starling::gossip_sim {

std::string_view NameOf(RumorVariant variant);      // As on the command line.
std::string_view NameOf(RumorDirection direction);  // Likewise.

// "50 nodes, fanout 2, feedback-counter push, k=2, loss 0.1".
std::string Describe(const RumorOptions& options);

// "Update fully converged to all 50 nodes in 6 rounds." or, of a variant that stops by itself,
// "reached 49 of 50 nodes in 8 rounds."
std::string Verdict(const RumorOptions& options, const RumorRun& run);

std::string Table(const RumorRun& run);      // A line a round.
std::string Table(const RumorTally& tally);  // The distribution, and the figures of the papers.

// One run: a line a round. Many: the head, and a line for each run.
std::string Csv(const RumorRun& run);
inline constexpr char kRunsCsvHead[] = "run,seed,rounds,infected,messages\n";
std::string CsvLine(std::uint64_t number, std::uint64_t seed, const RumorRun& run);

std::string Json(const RumorOptions& options, std::uint64_t seed, const RumorTally& tally);

// One run: its spread, and what was sent. Many: the spread curve, and the distribution of rounds.
std::string Svg(const RumorOptions& options, std::uint64_t seed, const RumorRun& run);
std::string Svg(const RumorOptions& options, std::uint64_t seed, const RumorTally& tally);

}  // namespace starling::gossip_sim
