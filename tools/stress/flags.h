// tools/stress/flags.h: starling-stress's command line, as it was typed.
//
// Thread:    free functions.
// Read next: tools/stress/plan.h, which judges what the words mean.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"

namespace starling::stress {

// Absent or empty: the default that plan.cc chooses.
struct Options {
  std::string hosts = "127.0.0.1:7701";
  std::string keyspace = "default";
  std::string workload;
  std::string distribution;
  std::string consistency = "QUORUM";
  std::uint64_t records = 100'000;
  std::optional<std::uint64_t> operations;
  std::string duration;
  std::string warmup;
  std::string timeout = "5s";
  std::size_t value_bytes = 100;
  unsigned connections = 16;
  unsigned in_flight = 8;  // A connection.
  std::optional<double> rate;
  bool check = false;
  std::optional<double> deletes_percent;  // Of writes.
  std::string history_file;
  std::string json_file;
  std::optional<std::uint64_t> seed;
};

enum class Command : std::uint8_t { kLoad, kRun, kVerify, kHelp };

struct Request {
  Command command = Command::kHelp;
  Options options;
  std::string help;  // With kHelp: what to print.
};

// `words`: without the program's name. Fails with InvalidArgument on a flag, or a value of one,
// that makes no sense by itself; the message names it.
base::Result<Request> ParseFlags(std::vector<std::string> words);

}  // namespace starling::stress
