#include "tests/sim/sim_client.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace starling::sim {

using Kind = Operation::Kind;

SimClient::SimClient(SimHost& host, History& history, SimClientOptions options)
    : host_(host),
      history_(history),
      options_(std::move(options)),
      world_(host.MakeWorld(base::kControlActor)),
      session_(world_, *this, options_.session) {
  load_.level = options_.level;
  host_.Attach(base::kControlActor, *this);
  host_.Start();
}

SimClient::~SimClient() { host_.Crash(SimHost::How::kKilled); }

// --- what a test asks for ---

History::Id SimClient::Put(const std::string& key, std::uint64_t value, base::Duration ttl) {
  const History::Id id = Enqueue(key, Kind::kPut, value);
  history_.record(id).ttl_ms = static_cast<std::uint64_t>(base::ToMs(ttl));
  return id;
}
History::Id SimClient::Delete(const std::string& key) { return Enqueue(key, Kind::kDelete, 0); }
History::Id SimClient::Get(const std::string& key) { return Enqueue(key, Kind::kGet, 0); }

History::Id SimClient::Enqueue(const std::string& key, Kind kind, std::uint64_t value) {
  const History::Id id = history_.Begin(options_.number, key, kind, value, world_.Now());
  commands_.push_back(id);
  world_.WakeAt(world_.Now());
  return id;
}

void SimClient::Retry(History::Id id) {
  Record& record = history_.record(id);
  CHECK(!record.stamp.empty());
  record.done = false;
  commands_.push_back(id);
  world_.WakeAt(world_.Now());
}

const SimScan& SimClient::Scan(wire::Consistency level, std::uint32_t bytes_max) {
  scan_ = {.level = level, .bytes_max = bytes_max};
  scan_asked_ = true;
  world_.WakeAt(world_.Now());
  return scan_;
}

const std::optional<base::Status>& SimClient::CreateKeyspace(const std::string& name,
                                                             const std::string& replication) {
  created_.reset();
  create_name_ = name;
  create_replication_ = replication;
  world_.WakeAt(world_.Now());
  return created_;
}

void SimClient::OnScan(std::uint64_t tag, const client::ScanResult& result) {
  scan_.status = result.status;
  scan_.done = result.done || !result.status.ok();
  if (!result.status.ok()) return;
  ++scan_.pages;
  for (const wire::PackedEntry& entry : result.entries) scan_.rows.emplace(entry.key, entry.value);
  if (scan_.done) return;
  session_.Scan({.from_token = result.next_token,
                 .after_key = result.next_after_key,
                 .level = scan_.level,
                 .bytes_max = scan_.bytes_max},
                tag);
}

void SimClient::StartLoad(const LoadOptions& load) {
  load_ = load;
  loaded_ = true;
  next_load_ = world_.Now();
  world_.WakeAt(next_load_);
}

void SimClient::StopLoad() {
  loaded_ = false;
  next_load_ = base::Instant::Never();
}

// --- one operation ---

void SimClient::Send(History::Id id) {
  ++open_;
  const Record& record = history_.record(id);
  if (record.operation.kind == Kind::kGet) {
    session_.Get({.keyspace = options_.keyspace, .key = record.key, .level = load_.level}, id);
    return;
  }
  const bool put = record.operation.kind == Kind::kPut;
  const std::string value = put ? ValueBytes(record.operation.value) : std::string();
  session_.Put({.keyspace = options_.keyspace,
                .key = record.key,
                .value = value,
                .tombstone = !put,
                .time_to_live = base::milliseconds(record.ttl_ms),
                .level = load_.level,
                .stamp = record.stamp},
               id);
}

void SimClient::OnPut(std::uint64_t tag, const client::PutResult& result) {
  Record& record = history_.record(tag);
  record.status = result.status;
  const bool first = record.stamp.empty();
  switch (result.status.code()) {
    case base::Code::kOk:
      record.stamp = result.version;
      if (record.operation.open()) record.operation.returned = world_.Now();
      break;
    case base::Code::kUnavailable:
    case base::Code::kOverloaded: record.refused = first; break;
    default: record.stamp = result.stamp.empty() ? record.stamp : result.stamp;
  }
  const bool timed_out = result.status.code() == base::Code::kTimeout;
  if (loaded_ && timed_out && !record.stamp.empty() && world_.random().Chance(load_.retries)) {
    --open_;
    Send(tag);
    return;
  }
  Done(tag);
}

void SimClient::OnGet(std::uint64_t tag, const client::GetResult& result) {
  Record& record = history_.record(tag);
  record.status = result.status;
  if (result.status.ok()) {
    record.operation.returned = world_.Now();
    record.stamp = result.version;
    if (result.found) {
      const auto value = ParseValue(result.value);
      // Bytes that nobody wrote: no put has this number, so the history can't be.
      record.operation.value = value.value_or(UINT64_MAX);
    }
  }
  Done(tag);
}

void SimClient::Done(History::Id id) {
  history_.record(id).done = true;
  --open_;
  if (!loaded_) return;
  const auto think = static_cast<std::uint64_t>(load_.think_max.count());
  next_load_ = world_.Now() + base::Duration(world_.random().Below(think + 1));
}

void SimClient::NextOfLoad() {
  next_load_ = base::Instant::Never();
  base::Random& random = world_.random();
  const std::string key = fmt::format("key-{}", random.Below(load_.keys));
  const double draw = random.Unit();
  const Kind kind = draw < load_.gets                   ? Kind::kGet
                    : draw < load_.gets + load_.deletes ? Kind::kDelete
                                                        : Kind::kPut;
  const std::uint64_t value = kind == Kind::kPut ? history_.NextValue() : 0;
  Send(history_.Begin(options_.number, key, kind, value, world_.Now()));
}

// --- base::Actor ---

void SimClient::OnStart() { session_.Start(); }

void SimClient::OnOpen(base::ConnId conn, base::Address, base::ListenerId) {
  session_.OnOpen(conn);
}

std::size_t SimClient::OnBytes(base::ConnId conn, base::Bytes bytes) {
  return session_.OnBytes(conn, bytes);
}

void SimClient::OnClose(base::ConnId conn, base::CloseReason reason) {
  session_.OnClose(conn, reason);
}

void SimClient::OnDatagram(base::Address, base::Bytes) {}
void SimClient::OnMail(std::unique_ptr<base::Mail>) {}

void SimClient::OnWake() {
  while (!commands_.empty()) {
    Send(commands_.front());
    commands_.pop_front();
  }
  if (std::exchange(scan_asked_, false))
    session_.Scan({.level = scan_.level, .bytes_max = scan_.bytes_max}, 0);
  if (!create_name_.empty()) {
    session_.CreateKeyspace({.name = create_name_, .replication = create_replication_}, 0);
    create_name_.clear();
  }
  if (next_load_ <= world_.Now()) NextOfLoad();
  session_.OnWake();
}

void SimClient::OnTurnEnd() {
  session_.OnTurnEnd();
  world_.WakeAt(commands_.empty() && !scan_asked_ && create_name_.empty()
                    ? std::min(next_load_, session_.next_wake())
                    : world_.Now());
}

}  // namespace starling::sim
