// tools/stress/commands.h: what starling-stress does: load, run and verify.
//
// Thread: blocks its caller.
// Read next: tools/stress/main.cc for the flags.
#pragma once

#include <cstdint>
#include <string>

#include "base/time.h"

namespace starling::stress {

inline constexpr int kExitDone = 0;
inline constexpr int kExitViolated = 1;  // What was read can't have been.
inline constexpr int kExitFailed = 2;    // Refused, or could not begin.

// As given on the command line; empty: by default.
struct Options {
  std::string hosts = "127.0.0.1:7701";
  std::string keyspace = "default";
  std::string workload = "a";
  std::string distribution;  // Default: zipfian for YCSB's a, b, c and f; else uniform.
  std::string consistency = "QUORUM";
  std::uint64_t records = 100000;
  std::uint64_t operations = 0;
  std::string duration;  // Default: 30s, unless operations are given.
  std::string warmup;
  std::string timeout = "5s";
  std::size_t value_bytes = 100;
  unsigned connections = 16;
  unsigned in_flight = 8;  // A connection.
  double rate = 0;
  bool check = false;
  double deletes_percent = -1;  // Of writes; default: 5 with check, else none.
  std::string history_file;
  std::string json_file;
  std::uint64_t seed = 0;  // 0: drawn.
};

// Each returns the exit status, and has printed the reason of a failure to stderr.
int Load(const Options& options);
int Run(const Options& options);
int Verify(const Options& options);

}  // namespace starling::stress
