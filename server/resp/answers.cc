#include "server/resp/answers.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/unreachable.h"
#include "server/resp/integer.h"
#include "server/resp/reply.h"

namespace starling::resp {
namespace {

// The Redis whose manners these are: libraries choose by it what they may send.
constexpr std::string_view kRedisVersion = "7.0.0";

// Begins as Redis's message, which clients may look for.
void UnknownSubcommand(const Parser& request, std::string_view command, std::string_view known,
                       std::string& out) {
  AppendError(out, fmt::format("ERR unknown subcommand '{}': {} is answered with {} alone",
                               request.arg(1).substr(0, 128), command, known));
}

void Ping(const Parser& request, std::string& out) {
  if (request.args() > 2) return AppendError(out, WrongArity("ping"));
  if (request.args() == 2) return AppendBulk(out, request.arg(1));
  AppendSimple(out, "PONG");
}

void Select(const Parser& request, std::string& out) {
  const auto index = ParseInteger(request.arg(1));
  if (!index) return AppendError(out, kNotAnInteger);
  if (*index != 0) return AppendError(out, "ERR DB index is out of range");
  AppendSimple(out, "OK");
}

// --- COMMAND ---

void DescribeCommand(const Command& command, std::string& out) {
  AppendArray(out, 6);
  AppendBulk(out, command.name);
  AppendInteger(out, command.arity);
  if (command.first_key == 0) {
    AppendArray(out, 0);
  } else {
    AppendArray(out, 1);
    AppendSimple(out, command.writes ? "write" : "readonly");
  }
  AppendInteger(out, command.first_key);
  AppendInteger(out, command.last_key);
  AppendInteger(out, command.key_step);
}

void DescribeCommands(const Parser& request, std::string& out) {
  if (request.args() == 1 || (request.args() == 2 && EqualsIgnoringCase(request.arg(1), "info"))) {
    AppendArray(out, Commands().size());
    for (const Command& command : Commands()) DescribeCommand(command, out);
  } else if (EqualsIgnoringCase(request.arg(1), "info")) {
    AppendArray(out, request.args() - 2);
    for (std::size_t i = 2; i < request.args(); ++i) {
      if (const Command* command = FindCommand(request.arg(i)))
        DescribeCommand(*command, out);
      else
        out += "*-1\r\n";
    }
  } else if (EqualsIgnoringCase(request.arg(1), "count")) {
    if (request.args() > 2) return AppendError(out, WrongArity("command|count"));
    AppendInteger(out, static_cast<std::int64_t>(Commands().size()));
  } else if (EqualsIgnoringCase(request.arg(1), "docs")) {
    AppendArray(out, 0);  // None are told: redis-cli then does without hints.
  } else {
    UnknownSubcommand(request, "COMMAND", "INFO, COUNT and DOCS", out);
  }
}

// --- CONFIG ---

void Config(const Parser& request, const Facts& facts, std::string& out) {
  if (EqualsIgnoringCase(request.arg(1), "set") || EqualsIgnoringCase(request.arg(1), "rewrite"))
    return AppendError(out,
                       "ERR CONFIG SET is not supported: settings are given to starlingd at its "
                       "start");
  if (!EqualsIgnoringCase(request.arg(1), "get"))
    return UnknownSubcommand(request, "CONFIG", "GET", out);
  if (request.args() < 3) return AppendError(out, WrongArity("config|get"));
  const auto asked = [&](const auto& setting) {
    for (std::size_t i = 2; i < request.args(); ++i)
      if (MatchesPattern(request.arg(i), setting.first)) return true;
    return false;
  };
  const auto found = std::count_if(facts.config.begin(), facts.config.end(), asked);
  AppendArray(out, static_cast<std::size_t>(found) * 2);
  for (const auto& setting : facts.config) {
    if (!asked(setting)) continue;
    AppendBulk(out, setting.first);
    AppendBulk(out, setting.second);
  }
}

// --- CLIENT and HELLO ---

// As Redis: a name must fit CLIENT LIST's lines.
bool IsClientName(base::Bytes name) {
  return std::all_of(name.begin(), name.end(), [](char c) { return c >= '!' && c <= '~'; });
}

constexpr std::string_view kBadClientName =
    "ERR Client names cannot contain spaces, newlines or special characters.";

// What a connection holds for as long as it lives is bounded.
constexpr std::size_t kClientNameBytesMax = 1024;

bool SetClientName(base::Bytes name, ClientInfo& client, std::string& out) {
  if (!IsClientName(name) || name.size() > kClientNameBytesMax) {
    AppendError(out, kBadClientName);
    return false;
  }
  client.name = name;
  return true;
}

void SetClientInfo(const Parser& request, std::string& out) {
  if (!EqualsIgnoringCase(request.arg(2), "lib-name") &&
      !EqualsIgnoringCase(request.arg(2), "lib-ver"))
    return AppendError(out,
                       fmt::format("ERR Unrecognized option '{}'", request.arg(2).substr(0, 128)));
  AppendSimple(out, "OK");  // Nothing here would ever show it.
}

void Client(const Parser& request, ClientInfo& client, std::string& out) {
  struct Subcommand {
    std::string_view name;
    std::size_t args;
  };
  static constexpr Subcommand kSubcommands[] = {
      {"setname", 3}, {"getname", 2}, {"setinfo", 4}, {"id", 2}};
  const auto* const found =
      std::find_if(std::begin(kSubcommands), std::end(kSubcommands),
                   [&](const auto& one) { return EqualsIgnoringCase(request.arg(1), one.name); });
  if (found == std::end(kSubcommands))
    return UnknownSubcommand(request, "CLIENT", "SETNAME, GETNAME, SETINFO and ID", out);
  if (request.args() != found->args)
    return AppendError(out, WrongArity(fmt::format("client|{}", found->name)));
  if (found->name == "setname") {
    if (SetClientName(request.arg(2), client, out)) AppendSimple(out, "OK");
  } else if (found->name == "getname") {
    if (client.name.empty()) return AppendNull(out);
    AppendBulk(out, client.name);
  } else if (found->name == "setinfo") {
    SetClientInfo(request, out);
  } else {
    AppendInteger(out, static_cast<std::int64_t>(client.id));
  }
}

void Hello(const Parser& request, ClientInfo& client, std::string& out) {
  if (request.args() > 1) {
    const auto version = ParseInteger(request.arg(1));
    if (!version) return AppendError(out, "ERR Protocol version is not an integer or out of range");
    if (*version != 2) return AppendError(out, "NOPROTO unsupported protocol version");
  }
  for (std::size_t i = 2; i < request.args(); i += 2) {
    if (EqualsIgnoringCase(request.arg(i), "setname") && i + 1 < request.args()) {
      if (!SetClientName(request.arg(i + 1), client, out)) return;
    } else if (EqualsIgnoringCase(request.arg(i), "auth")) {
      return AppendError(out, "ERR AUTH is not supported: Starling has no users yet");
    } else {
      return AppendError(
          out, fmt::format("ERR Syntax error in HELLO option '{}'", request.arg(i).substr(0, 128)));
    }
  }
  AppendArray(out, 14);
  AppendBulk(out, "server");
  AppendBulk(out, "starling");
  AppendBulk(out, "version");
  AppendBulk(out, kRedisVersion);
  AppendBulk(out, "proto");
  AppendInteger(out, 2);
  AppendBulk(out, "id");
  AppendInteger(out, static_cast<std::int64_t>(client.id));
  AppendBulk(out, "mode");
  AppendBulk(out, "standalone");
  AppendBulk(out, "role");
  AppendBulk(out, "master");
  AppendBulk(out, "modules");
  AppendArray(out, 0);
}

// --- INFO ---

std::string ServerSection(const Facts& facts) {
  return fmt::format(
      "# Server\r\nredis_version:{}\r\nredis_mode:standalone\r\nserver_name:starling\r\n"
      "starling_version:{}\r\naddress:{}\r\nuptime_in_seconds:{}\r\nworkers:{}\r\n",
      kRedisVersion, facts.version, facts.address, facts.uptime_seconds, facts.workers);
}

std::string ClusterSection(const Facts& facts) {
  return fmt::format(
      "# Cluster\r\ncluster_enabled:0\r\nstarling_cluster:{}\r\nepoch:{}\r\nnodes:{}\r\n"
      "nodes_up:{}\r\nkeyspace:{}\r\nconsistency:{}\r\nloading:{}\r\n",
      facts.cluster, facts.epoch, facts.nodes, facts.nodes_up, facts.keyspace, facts.consistency,
      facts.loading ? 1 : 0);
}

std::string WorkerSection(const Facts& facts) {
  return fmt::format(
      "# Worker\r\nworker:{}\r\nworker_connections:{}\r\nworker_puts:{}\r\nworker_gets:{}\r\n"
      "worker_timeouts:{}\r\nworker_unavailable:{}\r\n",
      facts.worker, facts.connections, facts.puts, facts.gets, facts.timeouts, facts.unavailable);
}

void Info(const Parser& request, const Facts& facts, std::string& out) {
  struct Section {
    std::string_view name;
    std::string (*text)(const Facts&);
  };
  static constexpr Section kSections[] = {
      {"server", ServerSection}, {"cluster", ClusterSection}, {"worker", WorkerSection}};
  const auto asked = [&](std::string_view name) {
    if (request.args() == 1) return true;
    for (std::size_t i = 1; i < request.args(); ++i)
      for (const std::string_view wanted :
           {name, std::string_view("all"), std::string_view("default"),
            std::string_view("everything")})
        if (EqualsIgnoringCase(request.arg(i), wanted)) return true;
    return false;
  };
  std::string text;
  for (const Section& section : kSections) {
    if (!asked(section.name)) continue;
    if (!text.empty()) text += "\r\n";
    text += section.text(facts);
  }
  AppendBulk(out, text);
}

}  // namespace

void AnswerWithoutKeys(const Command& command, const Parser& request, const Facts& facts,
                       ClientInfo& client, std::string& out) {
  switch (command.id) {
    case CommandId::kPing: return Ping(request, out);
    case CommandId::kEcho: return AppendBulk(out, request.arg(1));
    case CommandId::kSelect: return Select(request, out);
    case CommandId::kCommand: return DescribeCommands(request, out);
    case CommandId::kConfig: return Config(request, facts, out);
    case CommandId::kClient: return Client(request, client, out);
    case CommandId::kHello: return Hello(request, client, out);
    case CommandId::kInfo: return Info(request, facts, out);
    case CommandId::kQuit: return AppendSimple(out, "OK");
    case CommandId::kGet:
    case CommandId::kSet:
    case CommandId::kDel:
    case CommandId::kExists:
    case CommandId::kMget:
    case CommandId::kMset:
    case CommandId::kTtl:
    case CommandId::kPttl: break;
  }
  UNREACHABLE("a command on keys");
}

}  // namespace starling::resp
