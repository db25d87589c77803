// tools/starling/commands.h: what the one-shot client does: a command, its options, its exit
// status.
//
// Thread: blocks its caller.
// Read next: tools/starling/main.cc for the flags.
#pragma once

#include <optional>
#include <string>

#include "base/status.h"
#include "base/time.h"
#include "tools/starling/lines.h"
#include "tools/starling/say.h"

namespace starling::cli {

inline constexpr int kExitDone = 0;           // Or found.
inline constexpr int kExitNotFound = 1;       // No such key.
using tools::kExitFailed;                     // 2: refused, or failed.
inline constexpr int kExitInterrupted = 128;  // And the signal's number: 130 after Ctrl-C.

struct Options {
  std::string hosts = "127.0.0.1:7701";
  bool no_routing = false;
  std::string keyspace = "default";
  std::optional<std::string> consistency;  // QUORUM, or ONE where the keyspace is everywhere.
  Output output = Output::kText;

  std::string key, value;          // put, get, delete, exists
  std::optional<std::string> ttl;  // put; none: for ever
  std::string file;                // import: "-" is standard input
  std::string format = "jsonl";    // import, export
  std::string name;                // keyspace create, describe
  std::string replication;         // keyspace create
};

// Each returns its exit status, and has printed the reason of a failure to stderr.
int Put(const Options& options);
int Get(const Options& options);
int Delete(const Options& options);
int Exists(const Options& options);
int Ping(const Options& options);
int Import(const Options& options);
int Export(const Options& options);
int CreateKeyspace(const Options& options);
int ListKeyspaces(const Options& options);
int DescribeKeyspace(const Options& options);

}  // namespace starling::cli
