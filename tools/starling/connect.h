// tools/starling/connect.h: from the command line's options to a client and its requests' options.
//
// Thread: blocks its caller.
#pragma once

#include <memory>
#include <vector>

#include "client/client.h"
#include "tools/starling/commands.h"

namespace starling::cli {

struct Session {
  std::unique_ptr<client::Client> client;
  client::RequestOptions request;  // Its keyspace is a view of the options'.
};

// `timeout` is that of each request: a change of the topology takes longer than a put.
base::Result<Session> Connect(const Options& options, base::Duration timeout = base::seconds(5));

// "127.0.0.1:7701" of each node; "node 4" of one that the map does not name, and of all when there
// is no map to be had: what these nodes did stays done.
std::vector<std::string> NameNodes(client::Client& client,
                                   const std::vector<base::NodeNumber>& numbers);

}  // namespace starling::cli
