// tests/sim/admin_answer.h: what a node of a simulated cluster answers to a command of nodetool.
//
// Thread: confined to one thread.
#pragma once

#include <string>

#include "base/hash.h"
#include "server/wire/frame.h"
#include "tests/sim/cluster.h"
#include "tests/sim/sender.h"
#include "tests/test.h"

namespace starling::sim {

// JSON, of a command without arguments. Waits for the answer, 120 s at most.
inline std::string AnswerOf(Cluster& cluster, Sender& sender, std::uint32_t node,
                            const std::string& command) {
  wire::AdminRequest request;
  request.command = command;
  request.payload_digest = base::Hash64("");
  std::string bytes;
  wire::AppendFrame(bytes, 0, wire::Hello{});
  wire::AppendFrame(bytes, 1, request);
  sender.Begin({cluster.host(node).ip(), 7701}, bytes, {1});
  REQUIRE(cluster.sim().Await(base::seconds(120), [&] { return sender.settled(); }));
  return sender.answers.back();
}

}  // namespace starling::sim
