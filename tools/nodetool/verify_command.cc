#include "tools/nodetool/verify_command.h"

#include <fmt/core.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "tools/nodetool/commands.h"
#include "tools/nodetool/json.h"
#include "tools/nodetool/progress.h"
#include "tools/nodetool/table.h"
#include "tools/nodetool/units.h"
#include "tools/starling/progress.h"

namespace starling::nodetool {

namespace {

// A proof is of a cut some 3 s old, and each node tries every repair.interval.
constexpr std::chrono::seconds kProofWaitMax{60};
constexpr std::chrono::milliseconds kProofPoll{500};

// With what `line_of` makes of the node's netstats meanwhile, if there is any.
base::Result<Json> AskJson(const Question& question, const LineOf& line_of = {}) {
  ASSIGN_OR_RETURN(const std::string answer,
                   line_of ? AskShowing(question, line_of) : Ask(question));
  Json document = Json::parse(answer, nullptr, /*allow_exceptions=*/false);
  if (!document.is_object())
    return base::Fail(base::Corruption("the answer of " + question.host + " is no JSON object"));
  return document;
}

// One node's verdict, and why it could not be verified if so; what that says is in the row as well.
Json RowOf(const VerifyQuestion& question, const Json& node, const LineOf& line_of,
           base::Status* unverified) {
  const std::string address = node.value("address", "");
  Json row = {{"address", address}};
  if (node.value("status", "") != "U") {
    row["sound"] = false;
    row["problem"] = "it is down: not verified";
    *unverified = base::Unavailable(address + " is down");
    return row;
  }
  const auto answer = AskJson({.host = address,
                               .port = question.port,
                               .command = "verify",
                               .keyspace = question.keyspace,
                               .deep = question.deep},
                              line_of);
  if (answer) {
    row.update(*answer);
  } else {
    row["sound"] = false;
    row["problem"] = answer.error().message();
    *unverified = answer.error().Annotate(address);
  }
  return row;
}

// Ranges that are not proved equal through `since_ms`, as all nodes see them.
base::Result<std::vector<std::string>> Unproved(const VerifyQuestion& question, const Json& nodes,
                                                std::int64_t since_ms) {
  std::vector<std::string> late;
  for (const Json& node : nodes) {
    const std::string address = node.value("address", "");
    ASSIGN_OR_RETURN(const Json status,
                     AskJson({.host = address, .port = question.port, .command = "repairstatus"}));
    for (const Json& range : status.value("ranges", Json::array())) {
      const std::string keyspace = range.value("keyspace", "");
      if (!question.keyspace.empty() && keyspace != question.keyspace) continue;
      const Json through = range.value("proved_through_ms", Json());
      if (through.is_number_integer() && through.get<std::int64_t>() >= since_ms) continue;
      late.push_back(fmt::format("{} {} on {}", keyspace, range.value("range", ""), address));
    }
  }
  return late;
}

// Of all nodes. Corruption when one is not sound, whatever became of the others.
class Verdict {
 public:
  void Add(bool sound, const base::Status& unverified) {
    if (sound) return;
    if (unverified.ok())
      ++unsound_;
    else if (why_.ok())
      why_ = unverified;
  }
  base::Status Problem() const {
    if (unsound_ > 0)
      return base::Corruption(fmt::format("not every node is sound: {} are not", unsound_));
    // A question that is wrong is so whichever node it is put to.
    if (why_.code() == base::Code::kInvalidArgument) return why_;
    return why_.Annotate("not every node could be verified");
  }

 private:
  int unsound_ = 0;
  base::Status why_;  // Of the first that could not be verified.
};

// Ok: all replicas were the same at some cut after `since_ms`.
base::Status WaitForProofs(const VerifyQuestion& question, const Json& nodes, std::int64_t since_ms,
                           cli::Progress* shown) {
  const auto ends = std::chrono::steady_clock::now() + kProofWaitMax;
  while (true) {
    const auto late = Unproved(question, nodes, since_ms);
    if (!late) return late.error();
    if (late->empty()) return base::Ok();
    if (std::chrono::steady_clock::now() >= ends)
      return base::Unavailable(fmt::format(
          "{} ranges are not proved equal on all replicas {} s after they were read, the first: "
          "{}; nodetool repairstatus says what they wait for",
          late->size(), kProofWaitMax.count(), late->front()));
    if (shown != nullptr)
      shown->Show(fmt::format("{} ranges are yet to be proved equal, the first: {}", late->size(),
                              late->front()));
    std::this_thread::sleep_for(kProofPoll);
  }
}

std::string Show(const Json& document) {
  Table table({"address", "keyspace", "entries", "data", "wrong buckets", "sound"});
  std::string problems;
  for (const Json& node : document["nodes"]) {
    const std::string address = node.value("address", "");
    const std::string sound = node.value("sound", false) ? "yes" : "NO";
    for (const Json& each : node.value("keyspaces", Json::array())) {
      std::string wrong = fmt::format("{}", each.value("wrong_buckets", std::uint64_t{0}));
      for (const Json& bucket : each.value("first_wrong", Json::array()))
        wrong += ' ' + bucket.get<std::string>();
      table.Add({address, each.value("keyspace", ""),
                 fmt::format("{}", each.value("entries", std::uint64_t{0})),
                 ShowSize(static_cast<double>(each.value("data_bytes", std::uint64_t{0}))), wrong,
                 sound});
    }
    if (const std::string problem = node.value("problem", ""); !problem.empty())
      problems += fmt::format("{}: {}\n", address, problem);
  }
  return table.Print() + problems;
}

}  // namespace

int RunVerify(const VerifyQuestion& question, tools::Output output) {
  const auto status = AskJson({.host = question.host, .port = question.port, .command = "status"});
  if (!status) return tools::Complain("nodetool", output, status.error());
  Json document = {{"sound", true}, {"nodes", Json::array()}};
  const std::int64_t since_ms = WallMs();
  Verdict verdict;
  const bool shows = output == tools::Output::kText;
  const Json nodes = status->value("nodes", Json::array());
  for (const Json& node : nodes) {
    base::Status unverified;
    const std::string which = fmt::format("{}, node {} of {}", node.value("address", ""),
                                          document["nodes"].size() + 1, nodes.size());
    const LineOf line_of = [&which](std::string_view netstats) {
      const std::string line = VerifyLine(netstats);
      return line.empty() ? line : fmt::format("{}: {}", which, line);
    };
    document["nodes"].push_back(RowOf(question, node, shows ? line_of : LineOf(), &unverified));
    const bool sound = document["nodes"].back().value("sound", false);
    if (!sound) document["sound"] = false;
    verdict.Add(sound, unverified);
  }
  base::Status problem = verdict.Problem();
  if (question.deep && problem.ok()) {
    cli::Progress shown;
    problem = WaitForProofs(question, document["nodes"], since_ms, shows ? &shown : nullptr);
    shown.End();
    document["equal"] = problem.ok();
  }
  fmt::print("{}", output == tools::Output::kJson ? document.dump() + "\n" : Show(document));
  return problem.ok() ? 0 : tools::Complain("nodetool", output, problem);
}

}  // namespace starling::nodetool
