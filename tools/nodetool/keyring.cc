// tools/nodetool/keyring.cc: looks at all members first, then acts, one after the other.
#include "tools/nodetool/keyring.h"

#include <fmt/core.h>
#include <sys/random.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "base/base64.h"
#include "client/client.h"
#include "gossip/keyring.h"
#include "tools/nodetool/json.h"
#include "tools/nodetool/table.h"

namespace starling::nodetool {
namespace {

using Action = KeyringQuestion::Action;

constexpr base::Duration kMemberTimeout = base::seconds(3);  // Of one node; a member may hang.

// A member, and what it says of its keys.
struct View {
  std::string address;
  std::string client;
  std::vector<std::string> keys{};
  std::string primary{};  // Empty: none.
  bool required = false;
  std::string error{};  // Why it could not be asked, or did not do it.

  bool Has(const std::string& id) const { return std::ranges::find(keys, id) != keys.end(); }
};

base::Result<Json> AskNode(const std::string& client, const std::string& command,
                           const Json& arguments) {
  ASSIGN_OR_RETURN(const auto node, client::Client::Connect({.hosts = client,
                                                             .listed_only = true,
                                                             .connections_per_node = 1,
                                                             .timeout = kMemberTimeout}));
  ASSIGN_OR_RETURN(const std::string text, node->Admin(command, arguments.dump(), kMemberTimeout));
  Json answer = Json::parse(text, nullptr, false);
  if (!answer.is_object()) return base::Fail(base::Corruption("the answer is not a JSON object"));
  return answer;
}

void Take(const Json& answer, View& view) {
  view.keys = answer.value("keys", std::vector<std::string>());
  view.primary = answer.contains("primary") && answer["primary"].is_string()
                     ? answer["primary"].get<std::string>()
                     : "";
  view.required = answer.value("required", false);
}

// The node that is asked comes first, and must answer; the others in the order of the topology.
base::Result<std::vector<View>> LookAround(const std::string& asked) {
  ASSIGN_OR_RETURN(const Json first, AskNode(asked, "keyring", Json::object()));
  std::vector<View> views = {{.address = first.value("address", asked), .client = asked}};
  Take(first, views[0]);
  for (const Json& member : first.value("members", Json::array())) {
    View view{.address = member.value("address", ""), .client = member.value("client", "")};
    if (view.address == views[0].address) continue;
    if (const auto answer = AskNode(view.client, "keyring", Json::object()))
      Take(*answer, view);
    else
      view.error = answer.error().message();
    views.push_back(std::move(view));
  }
  return views;
}

// --- what would cut a member off ---

template <typename Wrong>
std::string Those(std::span<const View> views, Wrong wrong) {
  std::string names;
  for (const View& view : views)
    if (wrong(view)) names += (names.empty() ? "" : ", ") + view.address;
  return names;
}

// Those that a change concerns.
std::span<const View> Concerned(const KeyringQuestion& question, std::span<const View> views) {
  return views.first(question.all ? views.size() : 1);
}

// No node removes the key that it seals with, forced or not.
base::Status CheckUnused(const std::string& id, std::span<const View> concerned) {
  const std::string sealing =
      Those(concerned, [&](const View& view) { return view.primary == id; });
  if (sealing.empty()) return base::Ok();
  std::string others;
  for (const View& view : concerned)
    for (const std::string& other : view.keys)
      if (other != id && others.find(other) == std::string::npos)
        others += (others.empty() ? "" : " or ") + other;
  return base::FailedPrecondition(fmt::format(
      "key {} is in use on {}, and no node removes the key that it seals with, --force or not: {}",
      id, sealing,
      others.empty() ? "there is no other one there, so first `keyring add` another with --all, "
                       "then `keyring use` that with --all"
                     : fmt::format("first `keyring use {}` with --all", others)));
}

base::Status Check(const KeyringQuestion& question, const std::vector<View>& views) {
  const std::string& id = question.argument;
  const auto refuse = [](const std::string& why) {
    return base::FailedPrecondition(why + "; --force does it all the same");
  };
  const bool installed = std::ranges::any_of(views, [&](const View& view) { return view.Has(id); });
  if ((question.action == Action::kUse || question.action == Action::kRemove) && !installed)
    return base::NotFound(fmt::format("key {} is installed on no member that answers", id));
  if (question.action == Action::kRemove)
    RETURN_IF_ERROR(CheckUnused(id, Concerned(question, views)));
  if (question.force || question.action == Action::kAdd) return base::Ok();

  const auto silent = [](const View& view) { return !view.error.empty(); };
  std::string wrong, why;
  switch (question.action) {
    case Action::kUse:
      why = fmt::format("key {} is not installed on", id);
      wrong = Those(views, [&](const View& view) { return !silent(view) && !view.Has(id); });
      break;
    case Action::kRemove:
      why = fmt::format("key {} is in use on", id);
      wrong = Those(views, [&](const View& view) { return view.primary == id; });
      break;
    default:
      why = "no key is in use, so that packets are sent unsealed, on";
      wrong = Those(views, [&](const View& view) { return !silent(view) && view.primary.empty(); });
  }
  if (!wrong.empty()) return refuse(fmt::format("{} {}", why, wrong));
  const std::string unknown = Those(views, silent);
  return unknown.empty() ? base::Ok()
                         : refuse(fmt::format("{} cannot be asked for their keys", unknown));
}

// --- doing it ---

std::string CommandOf(Action action) {
  switch (action) {
    case Action::kAdd: return "keyring-add";
    case Action::kUse: return "keyring-use";
    case Action::kRemove: return "keyring-remove";
    default: return "keyring-require";
  }
}

Json ArgumentsOf(const KeyringQuestion& question) {
  if (question.action == Action::kRequire) return Json::object();
  return {{question.action == Action::kAdd ? "key" : "id", question.argument}};
}

// On those that it could not be done on the error says why; the others say how they are now.
std::string Act(const KeyringQuestion& question, std::vector<View>& views) {
  std::string missed;
  for (View& view : std::span(views).first(Concerned(question, views).size())) {
    const auto answer = AskNode(view.client, CommandOf(question.action), ArgumentsOf(question));
    if (answer) {
      Take(*answer, view);
      view.error.clear();
      continue;
    }
    view.error = answer.error().message();
    missed += fmt::format("{}{}: {}", missed.empty() ? "" : "; ", view.address, view.error);
  }
  return missed.empty() ? missed : "not done on " + missed;
}

// --- showing it ---

std::map<std::string, Json> ByKey(const std::vector<View>& views) {
  std::map<std::string, Json> keys;
  for (const View& view : views)
    for (const std::string& id : view.keys)
      keys[id] = {{"id", id},
                  {"primary_on", Json::array()},
                  {"installed_on", Json::array()},
                  {"missing_on", Json::array()}};
  for (auto& [id, key] : keys) {
    for (const View& view : views) {
      if (!view.Has(id) && !view.error.empty()) continue;  // Unknown.
      key[view.Has(id) ? "installed_on" : "missing_on"].push_back(view.address);
      if (view.primary == id) key["primary_on"].push_back(view.address);
    }
  }
  return keys;
}

std::string Count(const Json& names) { return fmt::format("{}", names.size()); }

std::string Joined(const Json& names) {
  std::string out;
  for (const Json& name : names) out += (out.empty() ? "" : ", ") + name.get<std::string>();
  return out.empty() ? "-" : out;
}

KeyringAnswer Show(const std::vector<View>& views, std::string missed) {
  KeyringAnswer answer{.missed = std::move(missed)};
  Json nodes = Json::array(), keys = Json::array();
  Table by_key({"Key", "Primary on", "Installed on", "Missing on"});
  for (const auto& [id, key] : ByKey(views)) {
    keys.push_back(key);
    by_key.Add(
        {id, Count(key["primary_on"]), Count(key["installed_on"]), Joined(key["missing_on"])});
  }
  Table by_node({"Node", "Sends", "Takes unsealed", "Problem"});
  for (const View& view : views) {
    Json node = {{"address", view.address}};
    if (view.error.empty()) {
      node.update({{"keys", view.keys},
                   {"primary", view.primary.empty() ? Json() : Json(view.primary)},
                   {"required", view.required}});
      by_node.Add({view.address, view.primary.empty() ? "unsealed" : "sealed with " + view.primary,
                   view.required ? "no" : "yes"});
    } else {
      node["error"] = view.error;
      by_node.Add({view.address, "?", "?", view.error});
    }
    nodes.push_back(std::move(node));
  }
  answer.json = Json{{"keys", keys}, {"nodes", nodes}}.dump();
  answer.text = keys.empty() ? "No keys: gossip is not sealed.\n" : by_key.Print() + "\n";
  answer.text += by_node.Print();
  return answer;
}

base::Result<KeyringAnswer> Generate() {
  gossip::KeyBytes key{};
  if (::getrandom(key.data(), key.size(), 0) != static_cast<ssize_t>(key.size()))
    return base::Fail(base::Io("the system gave no random bytes"));
  const std::string text = base::ToBase64({reinterpret_cast<const char*>(key.data()), key.size()});
  const std::string id = gossip::PrintKeyId(gossip::Fingerprint(key));
  return KeyringAnswer{.json = Json{{"key", text}, {"id", id}}.dump(), .text = text + "\n"};
}

}  // namespace

base::Result<KeyringAnswer> RunKeyring(const KeyringQuestion& question) {
  if (question.action == Action::kGenerate) return Generate();
  if (question.action == Action::kAdd) {
    ASSIGN_OR_RETURN(const auto key, gossip::ParseKey(question.argument));
    static_cast<void>(key);
  } else if (question.action == Action::kUse || question.action == Action::kRemove) {
    ASSIGN_OR_RETURN(const auto id, gossip::ParseKeyId(question.argument));
    static_cast<void>(id);
  }
  ASSIGN_OR_RETURN(std::vector<View> views,
                   LookAround(fmt::format("{}:{}", question.host, question.port)));
  if (question.action == Action::kList) {
    const std::string silent = Those(views, [](const View& view) { return !view.error.empty(); });
    return Show(views, silent.empty() ? silent : "no answer from " + silent);
  }
  RETURN_IF_ERROR(Check(question, views));
  if (question.dry_run) return Show(views, "");
  std::string missed = Act(question, views);
  return Show(views, std::move(missed));
}

}  // namespace starling::nodetool
