#include "tools/starling/commands.h"

#include <fmt/core.h>
#include <fmt/format.h>

#include <chrono>

#include "base/base64.h"
#include "base/json.h"
#include "tools/starling/connect.h"

namespace starling::cli {

using base::Json;
using base::Result;

namespace {

// A field of bytes: as they are if they are UTF-8, else as NAME_base64.
void AddBytes(Json& document, const std::string& name, const std::string& bytes) {
  if (base::IsUtf8(bytes))
    document.Set(name, bytes);
  else
    document.Set(name + "_base64", base::ToBase64(bytes));
}

void AddVersion(Json& document, const base::Version& version) {
  if (version.empty()) return;
  document.Set("version", version.ToString());
  document.Set("written_ms", version.wall_ms());
}

int Report(const Options& options, client::Client& client, std::string_view done,
           const Result<client::Written>& written) {
  if (!written) return Complain(options.output, written.error());
  const std::vector<std::string> replicas = NameNodes(client, written->replicas);
  if (options.output == Output::kText) {
    fmt::print("{}, version {}, held by {}\n", done, written->version.ToString(),
               fmt::join(replicas, " and "));
    return kExitDone;
  }
  Json document = {{"replicas", replicas}};
  AddBytes(document, "key", options.key);
  AddVersion(document, written->version);
  PrintJson(document);
  return kExitDone;
}

Json DescribeRead(const Options& options, client::Client& client, const client::Value& value) {
  Json document = {{"found", value.found}};
  AddBytes(document, "key", options.key);
  AddVersion(document, value.version);
  if (value.found && value.expiry_ms != 0) document.Set("expiry_ms", value.expiry_ms);
  document.Set("replicas", NameNodes(client, value.replicas));
  return document;
}

}  // namespace

int Put(const Options& options) {
  auto session = Connect(options);
  if (!session) return Complain(options.output, session.error());
  return Report(options, *session->client, "stored",
                session->client->Put(options.key, options.value, session->request));
}

int Delete(const Options& options) {
  auto session = Connect(options);
  if (!session) return Complain(options.output, session.error());
  return Report(options, *session->client, "deleted",
                session->client->Delete(options.key, session->request));
}

int Get(const Options& options) {
  auto session = Connect(options);
  if (!session) return Complain(options.output, session.error());
  const auto value = session->client->Get(options.key, session->request);
  if (!value) return Complain(options.output, value.error());
  if (options.output == Output::kJson) {
    Json document = DescribeRead(options, *session->client, *value);
    if (value->found) AddBytes(document, "value", value->value);
    PrintJson(document);
  } else if (value->found) {
    fmt::print("{}", value->value);
  }
  return value->found ? kExitDone : kExitNotFound;
}

int Exists(const Options& options) {
  auto session = Connect(options);
  if (!session) return Complain(options.output, session.error());
  const auto value = session->client->Exists(options.key, session->request);
  if (!value) return Complain(options.output, value.error());
  if (options.output == Output::kJson)
    PrintJson(DescribeRead(options, *session->client, *value));
  else
    fmt::print("{}\n", value->found);
  return value->found ? kExitDone : kExitNotFound;
}

// Each host by itself: that one of them answers says nothing of the others.
int Ping(const Options& options) {
  const auto hosts = client::ResolveHosts(options.hosts);
  if (!hosts) return Complain(options.output, hosts.error());
  Json answers = Json::Array();
  bool all = true;
  for (const base::Address host : *hosts) {
    auto client = client::Client::Connect(
        {.hosts = host.ToString(), .listed_only = true, .connections_per_node = 1});
    const auto start = std::chrono::steady_clock::now();
    const base::Status status = client ? (*client)->Ping() : client.error();
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::steady_clock::now() - start);
    all = all && status.ok();
    Json answer = {{"host", host.ToString()}, {"ok", status.ok()}};
    if (status.ok()) {
      answer.Set("us", took.count());
    } else {
      answer.Set("error", {{"code", CodeName(status.code())}, {"message", status.message()}});
    }
    answers.Append(answer);
    if (options.output == Output::kJson) continue;
    if (status.ok())
      fmt::print("{} answers in {} us\n", host.ToString(), took.count());
    else
      Complain(options.output, status);
  }
  if (options.output == Output::kJson) PrintJson({{"hosts", answers}});
  return all ? kExitDone : kExitFailed;
}

}  // namespace starling::cli
