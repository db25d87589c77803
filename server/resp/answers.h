// server/resp/answers.h: commands that need no key: PING, HELLO, INFO, CONFIG GET and their like.
//
// Thread:    confined to the caller's.
// Read next: server/resp/session.h
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/resp/commands.h"
#include "server/resp/parser.h"

namespace starling::resp {

// What a node tells about itself, as the worker that serves the connection knows it.
struct Facts {
  // Constant.
  std::string version;
  std::string cluster;
  std::string address;  // Of the RESP port, with the port.
  unsigned worker = 0;
  unsigned workers = 1;
  std::string keyspace;
  std::string consistency;
  std::vector<std::pair<std::string, std::string>> config;  // What CONFIG GET finds.

  // As of now.
  std::int64_t wall_ms = 0;
  bool loading = false;  // Not in a cluster yet: no key can be served.
  std::uint64_t epoch = 0;
  std::size_t nodes = 0;
  std::size_t nodes_up = 0;
  std::int64_t uptime_seconds = 0;
  std::size_t connections = 0;  // This worker's, as is all below.
  std::uint64_t puts = 0;
  std::uint64_t gets = 0;
  std::uint64_t timeouts = 0;
  std::uint64_t unavailable = 0;
};

// A connection, as CLIENT knows it.
struct ClientInfo {
  std::uint64_t id = 0;
  std::string name;
};

// Appends the reply. REQUIRES: `command` takes no keys, and takes so many arguments.
void AnswerWithoutKeys(const Command& command, const Parser& request, const Facts& facts,
                       ClientInfo& client, std::string& out);

// Redis's patterns: * ? [a-z] [^a] and \ in front of one of these. Case does not matter.
bool MatchesPattern(base::Bytes pattern, base::Bytes text);

}  // namespace starling::resp
