#include "client/client.h"

#include <future>
#include <random>
#include <thread>
#include <utility>

#include "base/uv/uv_world.h"
#include "client/loop.h"
#include "client/put_job.h"

namespace starling::client {

using base::Bytes;
using base::Result;
using base::Status;

namespace {

constexpr base::ActorId kOnly{0};

Result<Written> WrittenOf(const PutResult& result) {
  if (!result.status.ok()) return base::Fail(result.status);
  return Written{.version = result.version,
                 .replicas = {result.replicas.begin(), result.replicas.end()}};
}

Result<Value> ValueOf(const GetResult& result) {
  if (!result.status.ok()) return base::Fail(result.status);
  return Value{.found = result.found,
               .value = std::string(result.value),
               .version = result.version,
               .expiry_ms = result.expiry_ms,
               .replicas = {result.replicas.begin(), result.replicas.end()}};
}

std::vector<ScannedEntry> EntriesOf(const ScanResult& result) {
  std::vector<ScannedEntry> entries;
  entries.reserve(result.entries.size());
  for (const wire::PackedEntry& entry : result.entries)
    entries.push_back({.key = std::string(entry.key),
                       .value = std::string(entry.value),
                       .version = entry.version,
                       .expiry_ms = entry.expiry_ms});
  return entries;
}

}  // namespace

// The thread, and what runs on it.
class Client::Loop {
 public:
  Loop(SessionOptions options, unsigned stamped_retries_max)
      : timeout_(options.timeout),
        stamped_retries_max_(stamped_retries_max),
        actor_(system_.MakeWorld(kOnly), std::move(options)) {
    system_.Attach(kOnly, actor_);
    thread_ = std::thread([this] { system_.Run().IgnoreError(); });  // Ends by Close alone.
  }
  ~Loop() {
    actor_.Close();
    thread_.join();
  }

  void Submit(LoopActor::Task task) { actor_.Submit(std::move(task)); }
  base::Duration timeout() const { return timeout_; }
  unsigned stamped_retries_max() const { return stamped_retries_max_; }

  // Runs `begin` on the loop with the function that takes the answer, and waits for that.
  template <typename T, typename Begin>
  Result<T> Await(Begin begin) {
    std::promise<Result<T>> promise;
    auto answer = promise.get_future();
    Submit([&](LoopActor& actor) {
      begin(actor, [&promise](Result<T> result) { promise.set_value(std::move(result)); });
    });
    return answer.get();
  }

 private:
  const base::Duration timeout_;
  const unsigned stamped_retries_max_;
  base::UvSystem system_{std::random_device{}(), {.read_threads = 1}};
  LoopActor actor_;
  std::thread thread_;
};

Client::Client(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}
Client::~Client() = default;

Result<std::unique_ptr<Client>> Client::Connect(const ClientOptions& options) {
  ASSIGN_OR_RETURN(auto hosts, ResolveHosts(options.hosts));
  SessionOptions session{.links = {.hosts = std::move(hosts),
                                   .listed_only = options.listed_only,
                                   .connections_per_node = options.connections_per_node},
                         .timeout = options.timeout};
  std::unique_ptr<Client> client(
      new Client(std::make_unique<Loop>(std::move(session), options.stamped_retries_max)));
  if (auto map = client->Map(); !map) return base::Fail(map.error());
  return client;
}

Result<Written> Client::Write(Bytes key, Bytes value, What what, const RequestOptions& options) {
  std::promise<Result<Written>> promise;
  auto answer = promise.get_future();
  WriteAsync(key, value, what, options,
             [&promise](const Result<Written>& result) { promise.set_value(result); });
  return answer.get();
}

void Client::WriteAsync(Bytes key, Bytes value, What what, const RequestOptions& options,
                        WriteCallback callback) {
  auto job = std::make_shared<PutJob>(
      PutJob{.keyspace = std::string(options.keyspace),
             .key = std::string(key),
             .value = std::string(value),
             .tombstone = what == What::kTombstone,
             .time_to_live = options.time_to_live,
             .restored = options.restored,
             .level = options.level,
             .timeout = options.timeout > base::Duration{0} ? options.timeout : loop_->timeout(),
             .retries_left = loop_->stamped_retries_max(),
             .callback = [callback = std::move(callback)](const PutResult& result) {
               callback(WrittenOf(result));
             }});
  loop_->Submit([job = std::move(job)](LoopActor& actor) { BeginPut(actor, job); });
}

Result<Written> Client::Put(Bytes key, Bytes value, const RequestOptions& options) {
  return Write(key, value, What::kValue, options);
}

Result<Written> Client::Delete(Bytes key, const RequestOptions& options) {
  return Write(key, {}, What::kTombstone, options);
}

void Client::PutAsync(Bytes key, Bytes value, const RequestOptions& options,
                      WriteCallback callback) {
  WriteAsync(key, value, What::kValue, options, std::move(callback));
}

Result<Value> Client::Read(Bytes key, Want want, const RequestOptions& options) {
  return loop_->Await<Value>([&](LoopActor& actor, auto answer) {
    actor.Get({.keyspace = options.keyspace,
               .key = key,
               .want_value = want == Want::kValue,
               .level = options.level,
               .timeout = options.timeout},
              [answer](const GetResult& result) { answer(ValueOf(result)); });
  });
}

Result<Value> Client::Get(Bytes key, const RequestOptions& options) {
  return Read(key, Want::kValue, options);
}

Result<Value> Client::Exists(Bytes key, const RequestOptions& options) {
  return Read(key, Want::kExistence, options);
}

Result<std::vector<ScannedEntry>> Client::Scan(ScanCursor& cursor, const RequestOptions& options) {
  return loop_->Await<std::vector<ScannedEntry>>([&](LoopActor& actor, auto answer) {
    actor.Scan({.keyspace = options.keyspace,
                .from_token = cursor.from_token,
                .after_key = cursor.after_key,
                .level = options.level,
                .timeout = options.timeout},
               [&cursor, answer](const ScanResult& result) {
                 if (!result.status.ok()) return answer(base::Fail(result.status));
                 cursor = {.from_token = result.next_token,
                           .after_key = std::string(result.next_after_key),
                           .done = result.done};
                 answer(EntriesOf(result));
               });
  });
}

Result<CreateKeyspaceResult> Client::CreateKeyspace(std::string_view name,
                                                    std::string_view replication) {
  return loop_->Await<CreateKeyspaceResult>([&](LoopActor& actor, auto answer) {
    actor.CreateKeyspace({.name = name, .replication = replication},
                         [answer](const CreateKeyspaceResult& result) {
                           if (!result.status.ok()) return answer(base::Fail(result.status));
                           answer(result);
                         });
  });
}

Result<wire::ClusterMap> Client::Map() {
  return loop_->Await<wire::ClusterMap>([&](LoopActor& actor, auto answer) {
    actor.FetchMap([&actor, answer](const Status& status) {
      if (!status.ok()) return answer(base::Fail(status));
      answer(actor.map());
    });
  });
}

Result<std::string> Client::Admin(std::string_view command, std::string_view json,
                                  base::Duration timeout) {
  return loop_->Await<std::string>([&](LoopActor& actor, auto answer) {
    actor.Admin({.command = command, .json = json, .timeout = timeout},
                [answer](const AdminResult& result) {
                  if (!result.status.ok()) return answer(base::Fail(result.status));
                  answer(std::string(result.json));
                });
  });
}

Status Client::Ping() {
  const auto result = loop_->Await<bool>([&](LoopActor& actor, auto answer) {
    actor.Ping([answer](const Status& status) {
      if (!status.ok()) return answer(base::Fail(status));
      answer(true);
    });
  });
  return result ? base::Ok() : result.error();
}

}  // namespace starling::client
