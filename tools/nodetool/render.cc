#include "tools/nodetool/render.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "tools/nodetool/render_parts.h"
#include "tools/nodetool/render_repair.h"
#include "tools/nodetool/table.h"
#include "tools/nodetool/units.h"

namespace starling::nodetool {

namespace {

std::string ShowShare(const Json& owns) {
  return owns.is_number() ? fmt::format("{:.1f}%", owns.get<double>() * 100) : "?";
}

// Nodes that take no put, a line each.
std::string ShowFullDisks(const Json& nodes, std::int64_t now_ms) {
  std::string text;
  for (const Json& node : nodes)
    if (node.value("disk_full", false))
      text += fmt::format("{} is read-only but for deletes: its disk is full\n",
                          ShowValue("", node.value("address", Json()), now_ms));
  return text.empty() ? text : "\n" + text;
}

std::vector<std::string> StatusRow(Json& node, std::int64_t now_ms) {
  const std::string letters = TakeText(node, "status", now_ms) + TakeText(node, "state", now_ms);
  return {letters,
          TakeText(node, "address", now_ms),
          TakeText(node, "load_bytes", now_ms),
          TakeText(node, "tokens", now_ms),
          ShowShare(TakeField(node, "owns")),
          TakeText(node, "host_id", now_ms),
          TakeText(node, "rack", now_ms)};
}

std::string ShowStatus(Json answer, std::int64_t now_ms) {
  const std::string full_disks = ShowFullDisks(answer["nodes"], now_ms);
  std::map<std::string, Table> by_dc;
  for (Json& node : answer["nodes"]) {
    const std::string dc = TakeText(node, "dc", now_ms);
    const auto table =
        by_dc.try_emplace(dc, std::vector<std::string>{"--", "Address", "Load", "Tokens",
                                                       "Owns (effective)", "Host ID", "Rack"});
    table.first->second.Add(StatusRow(node, now_ms));
  }
  std::string text;
  const Json warnings = TakeField(answer, "warnings");
  for (const auto& [dc, table] : by_dc) {
    const std::string title = "Datacenter: " + dc;
    text +=
        fmt::format("{}{}\n{}\n", text.empty() ? "" : "\n", title, std::string(title.size(), '='));
    text += "Status=Up/Down\n|/ State=Normal/Leaving/Joining/Moving\n" + table.Print();
  }
  return text + full_disks + ShowWarnings(warnings);
}

std::string ShowRing(Json answer, std::int64_t now_ms) {
  Table table({"Address", "Token"});
  std::map<std::string, std::string> owner_by_token;  // In the order of the ring.
  for (const Json& node : answer.value("nodes", Json::array())) {
    for (const Json& token : node.value("tokens", Json::array())) {
      const std::string text = token.is_string()
                                   ? token.get<std::string>()
                                   : fmt::format("{:>20}", ShowValue("", token, now_ms));
      owner_by_token[text] = ShowValue("", node.value("address", Json()), now_ms);
    }
  }
  for (const auto& [token, owner] : owner_by_token) table.Add({owner, token});
  answer.erase("nodes");
  return table.Print() + ShowRest(answer, now_ms);
}

// As Cassandra: an address, and its fields below, each on a line.
std::string ShowGossip(Json answer, std::int64_t now_ms) {
  std::string text;
  for (Json& member : answer["members"]) {
    text += fmt::format("/{}\n", TakeText(member, "address", now_ms));
    for (const auto& [field, value] : member.items())
      text += fmt::format("  {}: {}\n", ShowName(field), ShowValue(field, value, now_ms));
  }
  answer.erase("members");
  return text + ShowRest(answer, now_ms);
}

// "127.0.0.2 (0.3 s ago)", and so on.
std::string ShowAccusers(const Json& accusers, std::int64_t now_ms) {
  std::string text;
  for (const Json& accuser : accusers)
    text += fmt::format("{}{} ({} ago)", text.empty() ? "" : ", ",
                        ShowValue("", accuser.value("address", Json()), now_ms),
                        ShowValue("age_ms", accuser.value("age_ms", Json()), now_ms));
  return text.empty() ? "-" : text;
}

std::vector<std::string> DetectorRow(const Json& member, std::int64_t now_ms) {
  const Json trip = member.value("round_trip", Json());
  const auto time = [&](const char* field) {
    return trip.is_object() ? ShowValue(field, trip.value(field, Json()), now_ms) : "-";
  };
  const auto text = [&](const char* field) {
    return ShowValue(field, member.value(field, Json()), now_ms);
  };
  return {text("address"),
          text("liveness"),
          text("liveness_age_ms"),
          member.value("stream_only", false) ? "stream only" : "datagrams",
          time("last_us"),
          time("mean_us"),
          time("p99_us"),
          time("late_answers"),
          ShowAccusers(member.value("accusers", Json::array()), now_ms),
          text("verdict_in_ms")};
}

// Its own health first, since a sick detector accuses others; then a line a member.
std::string ShowDetector(Json answer, std::int64_t now_ms) {
  Table table({"Address", "State", "Since", "Answers by", "Last", "Mean", "p99", "Late", "Accusers",
               "Dead in"});
  const Json members = TakeField(answer, "members");
  for (const Json& member : members) table.Add(DetectorRow(member, now_ms));
  return ShowGeneric(answer, now_ms) +
         (members.empty() ? "\nno other member is known\n" : "\n" + table.Print());
}

std::string ShowEndpoints(Json answer, std::int64_t now_ms) {
  std::string text;
  const Json endpoints = TakeField(answer, "endpoints");
  for (const Json& endpoint : endpoints) text += ShowValue("", endpoint, now_ms) + '\n';
  return text;
}

// A replica's place in the columns that operators know, however many fields it has.
std::string ShowWhy(Json answer, std::int64_t now_ms) {
  constexpr std::string_view kColumns[] = {"address",   "version",   "wall_ms", "origin",
                                           "tombstone", "expiry_ms", "error",   "wins"};
  Json replicas = TakeField(answer, "replicas");
  if (!replicas.is_array() || replicas.empty()) return ShowRest(answer, now_ms);
  const bool all_win = std::all_of(replicas.begin(), replicas.end(),
                                   [](const Json& row) { return row.value("wins", false); });
  const bool none_wins = std::none_of(replicas.begin(), replicas.end(),
                                      [](const Json& row) { return row.value("wins", false); });
  if (all_win || none_wins)  // It tells nobody from another.
    for (Json& replica : replicas) replica.erase("wins");
  std::vector<std::string> columns(std::begin(kColumns), std::end(kColumns));
  std::erase_if(columns, [&](const std::string& column) {
    return std::none_of(replicas.begin(), replicas.end(),
                        [&](const Json& row) { return row.contains(column); });
  });
  Json rows = Json::array();
  for (Json& replica : replicas) {
    Json row = Json::object();
    for (const std::string& column : columns) row[column] = TakeField(replica, column);
    row.update(replica);  // What nobody knew here.
    rows.push_back(std::move(row));
  }
  return ShowRows(rows, now_ms) +
         (all_win     ? "all replicas hold this version\n"
          : none_wins ? "no replica that answered has a version\n"
                      : "") +
         ShowRest(answer, now_ms);
}

std::string ShowHints(Json answer, std::int64_t now_ms) {
  const Json targets = TakeField(answer, "targets");
  if (!targets.is_array() || targets.empty())
    return "This node does not have any pending hints\n" + ShowRest(answer, now_ms);
  return ShowGeneric(targets, now_ms) + ShowRest(answer, now_ms);
}

std::string ShowSnapshots(Json answer, std::int64_t now_ms) {
  Json rows = TakeField(answer, "snapshots");
  if (!rows.is_array() || rows.empty())
    return "This node has no snapshots\n" + ShowRest(answer, now_ms);
  const bool sound = std::all_of(rows.begin(), rows.end(), [](const Json& row) {
    return row.value("problem", Json()).is_null();
  });
  double own_bytes = 0;
  for (Json& row : rows) {
    own_bytes += row.value("own_bytes", 0.0);
    if (sound) row.erase("problem");
  }
  return ShowRows(rows, now_ms) +
         fmt::format("Total room that nothing else uses: {}\n", ShowSize(own_bytes)) +
         ShowRest(answer, now_ms);
}

std::string ShowDone(Json answer, std::int64_t now_ms) {
  if (answer.value("dry_run", false)) return ShowGeneric(answer, now_ms);
  const bool done = answer.value("done", false);
  answer.erase("done");
  return (done ? "done\n" : "not done\n") + ShowRest(answer, now_ms);
}

std::string ShowVersion(Json answer, std::int64_t now_ms) {
  const std::string version = TakeText(answer, "version", now_ms);
  return fmt::format("ReleaseVersion: {}\n", version) + ShowRest(answer, now_ms);
}

using Shown = std::string (*)(Json answer, std::int64_t now_ms);
constexpr std::pair<std::string_view, Shown> kShows[] = {
    {"status", ShowStatus},
    {"ring", ShowRing},
    {"gossipinfo", ShowGossip},
    {"failuredetector", ShowDetector},
    {"getendpoints", ShowEndpoints},
    {"repair", ShowRepair},
    {"repairstatus", ShowRepairStatus},
    {"listpendinghints", ShowHints},
    {"listsnapshots", ShowSnapshots},
    {"flush", ShowDone},
    {"compact", ShowDone},
    {"drain", ShowDone},
    {"version", ShowVersion},
    {"why", ShowWhy},
};

}  // namespace

base::Result<std::string> Render(std::string_view command, std::string_view answer,
                                 std::int64_t now_ms) {
  const Json document = Json::parse(answer, nullptr, /*allow_exceptions=*/false);
  if (document.is_discarded())
    return base::Fail(base::Corruption(fmt::format("the answer to {} is no JSON", command)));
  const auto known = std::find_if(std::begin(kShows), std::end(kShows),
                                  [&](const auto& entry) { return entry.first == command; });
  if (known == std::end(kShows) || !document.is_object()) return ShowGeneric(document, now_ms);
  try {
    return known->second(document, now_ms);
  } catch (const Json::exception&) {  // A field of another type than expected.
    return ShowGeneric(document, now_ms);
  }
}

}  // namespace starling::nodetool
