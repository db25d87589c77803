#include "tools/nodetool/quarantine.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/base64.h"
#include "client/client.h"
#include "tools/nodetool/json.h"
#include "tools/nodetool/table.h"
#include "tools/nodetool/units.h"

namespace starling::nodetool {
namespace {

using base::Result;
using base::Status;
using QuarantineAction = QuarantineQuestion::Action;

constexpr base::Duration kEntryTimeout = base::seconds(60);

// An entry that was set aside, and what becomes of it.
struct Entry {
  std::string keyspace;
  std::string key;
  std::string version;
  std::int64_t bytes = 0;
  std::int64_t expires_ms = 0;  // 0: never.
  Json listed;
  std::string outcome{};  // Empty: it stays.
  std::string error{};
};

Result<Json> Ask(client::Client& node, const std::string& command, const Json& arguments) {
  ASSIGN_OR_RETURN(const std::string text, node.Admin(command, arguments.dump(), kEntryTimeout));
  Json answer = Json::parse(text, nullptr, false);
  if (!answer.is_object()) return base::Fail(base::Corruption("the answer is not a JSON object"));
  return answer;
}

Result<Entry> Read(const Json& row) {
  Entry entry{.keyspace = row.value("keyspace", ""),
              .key = row.value("key", ""),
              .version = row["version"].is_string() ? row["version"].get<std::string>() : "",
              .listed = row};
  if (row.contains("key_base64")) {
    ASSIGN_OR_RETURN(entry.key, base::FromBase64(row["key_base64"].get<std::string>()));
  }
  if (row["bytes"].is_number_integer()) entry.bytes = row["bytes"].get<std::int64_t>();
  if (row["expires_ms"].is_number_integer())
    entry.expires_ms = row["expires_ms"].get<std::int64_t>();
  if (row["problem"].is_string()) entry.error = row["problem"].get<std::string>();
  return entry;
}

// Those that the question is about.
Result<std::vector<Entry>> List(client::Client& node, const QuarantineQuestion& question) {
  std::vector<Entry> entries;
  Json arguments = {{"keyspace", question.keyspace}};
  for (;;) {
    ASSIGN_OR_RETURN(const Json page, Ask(node, "quarantine", arguments));
    for (const Json& row : page.value("entries", Json::array())) {
      ASSIGN_OR_RETURN(Entry entry, Read(row));
      if (question.key.empty() || entry.key == question.key) entries.push_back(std::move(entry));
    }
    if (!page.contains("after") || !page["after"].is_string()) return entries;
    arguments["after"] = page["after"];
  }
}

Json Naming(const Entry& entry) {
  Json arguments = {{"keyspace", entry.keyspace}, {"version", entry.version}};
  if (base::IsUtf8(entry.key))
    arguments["key"] = entry.key;
  else
    arguments["key_base64"] = base::ToBase64(entry.key);
  return arguments;
}

Result<std::string> FetchValue(client::Client& node, const Entry& entry) {
  std::string value;
  do {
    Json arguments = Naming(entry);
    arguments["from"] = value.size();
    ASSIGN_OR_RETURN(const Json piece, Ask(node, "quarantine-value", arguments));
    ASSIGN_OR_RETURN(const std::string bytes, base::FromBase64(piece.value("value_base64", "")));
    if (bytes.empty() && static_cast<std::int64_t>(value.size()) < entry.bytes)
      return base::Fail(base::Corruption("the value is shorter than it was listed"));
    value += bytes;
  } while (static_cast<std::int64_t>(value.size()) < entry.bytes);
  return value;
}

Status Drop(client::Client& node, const Entry& entry) {
  const auto dropped = Ask(node, "quarantine-drop", Naming(entry));
  return dropped ? base::Ok() : dropped.error();
}

// What it did, or with dry_run would do; or why it left it.
Result<std::string> Restore(client::Client& node, client::Client& cluster, const Entry& entry,
                            const QuarantineQuestion& question) {
  if (entry.expires_ms != 0 && entry.expires_ms <= WallMs()) return "expired: left";
  client::RequestOptions options{
      .keyspace = entry.keyspace, .restored = true, .timeout = kEntryTimeout};
  ASSIGN_OR_RETURN(const client::Value now, cluster.Get(entry.key, options));
  ASSIGN_OR_RETURN(const std::string value, FetchValue(node, entry));
  const bool same = now.found && now.value == value;
  if (now.found && !same && !question.overwrite)
    return "the cluster has another value: left (--overwrite replaces it)";
  if (question.dry_run)
    return same        ? "would be dropped: the cluster has it"
           : now.found ? "would overwrite another value"
                       : "would be restored";
  if (!same) {
    if (entry.expires_ms != 0)
      options.time_to_live = base::milliseconds(entry.expires_ms - WallMs());
    const auto put = cluster.Put(entry.key, value, options);
    if (!put) return base::Fail(put.error());
  }
  RETURN_IF_ERROR(Drop(node, entry));
  return same ? "dropped: the cluster has it" : now.found ? "overwrote another value" : "restored";
}

Result<std::string> Act(client::Client& node, client::Client& cluster, const Entry& entry,
                        const QuarantineQuestion& question) {
  if (question.action == QuarantineAction::kRestore) return Restore(node, cluster, entry, question);
  if (question.dry_run) return "would be dropped";
  RETURN_IF_ERROR(Drop(node, entry));
  return "dropped";
}

QuarantineAnswer Show(const std::vector<Entry>& entries, bool acted) {
  QuarantineAnswer answer;
  Json rows = Json::array();
  std::vector<std::string> header = {"Keyspace", "Key", "Bytes", "Stamped", "Expires"};
  header.emplace_back(acted ? "Outcome" : "Problem");
  Table table(header);
  std::size_t failed = 0;
  for (const Entry& entry : entries) {
    Json row = entry.listed;
    if (acted) {
      row["outcome"] = entry.outcome;
      row["problem"] = entry.error.empty() ? Json() : Json(entry.error);
    }
    const std::int64_t stamped =
        row["stamped_ms"].is_number_integer() ? row["stamped_ms"].get<std::int64_t>() : 0;
    table.Add({entry.keyspace,
               base::IsUtf8(entry.key) ? entry.key : "base64:" + base::ToBase64(entry.key),
               ShowSize(static_cast<double>(entry.bytes)),
               stamped == 0 ? "-" : ShowTime(stamped, WallMs()),
               entry.expires_ms == 0 ? "-" : ShowTime(entry.expires_ms, WallMs()),
               entry.error.empty() ? entry.outcome : entry.error});
    if (acted && !entry.error.empty()) ++failed;
    rows.push_back(std::move(row));
  }
  answer.json = Json{{"entries", rows}}.dump(-1, ' ', false, Json::error_handler_t::replace);
  answer.text =
      entries.empty() ? "The quarantine of this node has no such entry.\n" : table.Print();
  if (failed > 0)
    answer.missed = fmt::format("{} of {} entries are left as they were", failed, entries.size());
  return answer;
}

}  // namespace

Result<QuarantineAnswer> RunQuarantine(const QuarantineQuestion& question) {
  const bool acts = question.action != QuarantineAction::kList;
  if (acts && question.key.empty() && !question.all)
    return base::Fail(base::InvalidArgument(
        "name a keyspace and a key, or say --all; `nodetool quarantine list` shows what is there"));
  if (acts && !question.key.empty() && question.all)
    return base::Fail(base::InvalidArgument("a key and --all exclude each other"));
  const std::string host = fmt::format("{}:{}", question.host, question.port);
  ASSIGN_OR_RETURN(
      const auto node,
      client::Client::Connect({.hosts = host, .listed_only = true, .connections_per_node = 1}));
  ASSIGN_OR_RETURN(std::vector<Entry> entries, List(*node, question));
  if (acts && entries.empty() && !question.key.empty())
    return base::Fail(
        base::NotFound(fmt::format("the quarantine of {} has no entry of key '{}' in keyspace '{}'",
                                   host, question.key, question.keyspace)));
  if (!acts) return Show(entries, false);
  ASSIGN_OR_RETURN(const auto cluster, client::Client::Connect({.hosts = host}));
  for (Entry& entry : entries) {
    // A damaged one can only be dropped.
    if (!entry.error.empty() && question.action == QuarantineAction::kRestore) continue;
    const auto outcome = Act(*node, *cluster, entry, question);
    entry.error = outcome ? "" : outcome.error().message();
    if (outcome) entry.outcome = *outcome;
  }
  return Show(entries, true);
}

}  // namespace starling::nodetool
