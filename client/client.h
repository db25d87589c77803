// client/client.h: Starling for applications: a thread-safe client whose calls wait for the answer.
//
//   auto client = client::Client::Connect({.hosts = "127.0.0.1,127.0.0.2"});
//   if (!client) return Complain(client.error());
//   if (auto put = (*client)->Put("bird", "starling"); !put) return Complain(put.error());
//   const auto got = (*client)->Get("bird");            // Result<Value>
//   if (got && got->found) fmt::print("{}\n", got->value);
//
//   // Many at a time: the callback runs on the client's own thread, and must not wait for it.
//   for (const auto& [key, value] : pairs)
//     (*client)->PutAsync(key, value, {}, [&](const base::Result<client::Written>& r) { ... });
//
// A put that the cluster timed out is tried again under its stamp, which is the same write again,
// so it takes effect at most once. kTimeout, in the end, means that its outcome is unknown.
//
// Thread:    any; each call waits for its own answer alone. The destructor waits for the thread and
//            ends open requests with kUnavailable; no other call may be running.
// Read next: client/session.h, which it wraps.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "client/hosts.h"
#include "client/results.h"
#include "server/wire/client_messages.h"

namespace starling::client {

struct ClientOptions {
  std::string hosts = "127.0.0.1";  // As in client/hosts.h.
  bool listed_only = false;         // Talk to no node but these, and route nothing.
  unsigned connections_per_node = 2;
  base::Duration timeout = base::seconds(5);  // Of a request, where its options don't say.
  // How often a put that timed out is tried again under its stamp, within its timeout.
  unsigned stamped_retries_max = 2;
};

// What a request may say besides keys and values. The timeout is that of the whole request, however
// often it is tried; 0: the client's.
struct RequestOptions {
  std::string_view keyspace = kDefaultKeyspace;
  wire::Consistency level = wire::Consistency::kQuorum;
  base::Duration time_to_live{0};  // Of a put. 0: for ever.
  bool restored = false;           // Of a put: a snapshot or a quarantine had it; nobody reads that
                                   // but an operator.
  base::Duration timeout{0};
};

struct Written {
  base::Version version{};
  std::vector<base::NodeNumber> replicas{};  // That had acknowledged.
};

struct Value {
  bool found = false;
  std::string value{};
  base::Version version{};      // Of a delete too; empty: never written.
  std::uint64_t expiry_ms = 0;  // Wall time; 0: never.
  std::vector<base::NodeNumber> replicas{};
};

struct ScannedEntry {
  std::string key{};
  std::string value{};
  base::Version version{};
  std::uint64_t expiry_ms = 0;
};

// Where a scan is: begin with {}, hand it back for the next page until done.
struct ScanCursor {
  base::Token from_token = 0;
  std::string after_key{};
  bool done = false;
};

class Client {
 public:
  // Returns once the cluster's map is known. Fails with InvalidArgument on hosts that are none,
  // with Unavailable when none of them can be reached, naming each and why.
  static base::Result<std::unique_ptr<Client>> Connect(const ClientOptions& options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  base::Result<Written> Put(base::Bytes key, base::Bytes value, const RequestOptions& options = {});
  base::Result<Written> Delete(base::Bytes key, const RequestOptions& options = {});
  base::Result<Value> Get(base::Bytes key, const RequestOptions& options = {});
  base::Result<Value> Exists(base::Bytes key, const RequestOptions& options = {});  // No value.

  using WriteCallback = std::function<void(const base::Result<Written>&)>;
  void PutAsync(base::Bytes key, base::Bytes value, const RequestOptions& options,
                WriteCallback callback);

  // The next page of live entries, in the order of token and key; moves the cursor on.
  base::Result<std::vector<ScannedEntry>> Scan(ScanCursor& cursor,
                                               const RequestOptions& options = {});

  // Ok also if it exists with the same replication already; AlreadyExists if with another.
  base::Result<CreateKeyspaceResult> CreateKeyspace(std::string_view name,
                                                    std::string_view replication);

  // The cluster as of now: nodes, keyspaces, who is up.
  base::Result<wire::ClusterMap> Map();

  // An operator's command with its arguments as JSON; the answer's JSON.
  base::Result<std::string> Admin(std::string_view command, std::string_view json,
                                  base::Duration timeout = base::seconds(0));
  base::Status Ping();

 private:
  class Loop;
  explicit Client(std::unique_ptr<Loop> loop);

  enum class What : std::uint8_t { kValue, kTombstone };
  base::Result<Written> Write(base::Bytes key, base::Bytes value, What what,
                              const RequestOptions& options);
  void WriteAsync(base::Bytes key, base::Bytes value, What what, const RequestOptions& options,
                  WriteCallback callback);
  enum class Want : std::uint8_t { kValue, kExistence };
  base::Result<Value> Read(base::Bytes key, Want want, const RequestOptions& options);

  std::unique_ptr<Loop> loop_;
};

}  // namespace starling::client
