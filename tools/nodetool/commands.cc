#include "tools/nodetool/commands.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/base64.h"
#include "base/json.h"
#include "client/client.h"

namespace starling::nodetool {

namespace {

constexpr base::Duration kTimeout = base::seconds(10);
// Of what may move data or wait for a disk: as long as it takes, within reason.
constexpr base::Duration kLongTimeout = std::chrono::hours(6);

constexpr Command kCommands[] = {
    {"status", Takes::kNothing, "Nodes of the cluster: up or down, state, load, share"},
    {"info", Takes::kNothing, "This node"},
    {"ring", Takes::kNothing, "Tokens in the order of the ring, and whose they are"},
    {"gossipinfo", Takes::kNothing, "What this node's failure detector knows of each member"},
    {"failuredetector", Takes::kNothing, "How members answer: who accuses whom, and round trips"},
    {"describecluster", Takes::kNothing, "Name, identity, epoch, voters and keyspaces"},
    {"getendpoints", Takes::kKeyspaceAndKey, "The replicas of a key"},
    {"tablestats", Takes::kNothing, "Entries and, about, bytes of each keyspace on this node"},
    {"repair", Takes::kOptionalKeyspace, "Compare this node's ranges with their replicas now"},
    {"repairstatus", Takes::kNothing,
     "Ranges: since when replicas are proved equal; what repair has left"},
    {"purgestatus", Takes::kNothing, "What was deleted and is held yet, and what holds it"},
    {"declareabsent", Takes::kMember, "Purge without a member that is dead: it will begin anew"},
    {"scrub", Takes::kDryRun, "Begin to read all tables of this node, in search of damage"},
    {"scrubstatus", Takes::kNothing, "How far a scrub is, what is damaged, what healing waits for"},
    {"listpendinghints", Takes::kNothing, "Writes kept for nodes that are away"},
    {"netstats", Takes::kNothing,
     "What repair, hints and scrub did; what a refill or verify has left"},
    {"flush", Takes::kDryRun, "Write memory tables to disk"},
    {"compact", Takes::kDryRun, "Compact all data"},
    {"drain", Takes::kDryRun, "Stop taking requests and flush: before a stop"},
    {"snapshot", Takes::kTagAndKeyspaces, "Keep all data of this node as they are now"},
    {"listsnapshots", Takes::kNothing, "Snapshots of this node, and the room that they take"},
    {"clearsnapshot", Takes::kTagOrAll, "Delete a snapshot of this node, or all"},
    {"why", Takes::kKeyspaceAndKey, "Each replica's version of a key, where from, and who wins"},
    {"version", Takes::kNothing, "This node's release"},
};

bool TakesLong(std::string_view command) {
  constexpr std::string_view kLong[] = {"repair",   "compact",       "flush",         "drain",
                                        "snapshot", "listsnapshots", "clearsnapshot", "verify"};
  return std::ranges::find(kLong, command) != std::end(kLong);
}

}  // namespace

std::span<const Command> Commands() { return kCommands; }

base::Result<std::string> Ask(const Question& question) {
  base::Json arguments = base::Json::Object();
  if (!question.keyspace.empty()) arguments.Set("keyspace", question.keyspace);
  if (base::IsUtf8(question.key))
    arguments.Set("key", question.key);
  else
    arguments.Set("key_base64", base::ToBase64(question.key));
  if (!question.tag.empty()) arguments.Set("name", question.tag);
  if (!question.keyspaces.empty()) arguments.Set("keyspaces", question.keyspaces);
  if (!question.node.empty()) arguments.Set("node", question.node);
  if (question.confirm) arguments.Set("confirm", true);
  if (question.all) arguments.Set("all", true);
  if (question.deep) arguments.Set("deep", true);
  if (question.dry_run) arguments.Set("dry_run", true);
  ASSIGN_OR_RETURN(
      const auto client,
      client::Client::Connect({.hosts = fmt::format("{}:{}", question.host, question.port),
                               .listed_only = true,
                               .connections_per_node = 1}));
  return client->Admin(question.command, arguments.Text(),
                       TakesLong(question.command) ? kLongTimeout : kTimeout);
}

}  // namespace starling::nodetool
