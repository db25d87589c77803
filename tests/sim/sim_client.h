// tests/sim/sim_client.h: a client of a simulated cluster: the real client::Session in an actor.
//
// It carries out what a test asks for (Put, Get, Delete: from outside, at any time), or a load of
// its own, one operation after another, and writes all of it into the History.
//
// Thread:    confined to one thread.
// Ownership: host and history outlive it.
// Read next: tests/sim/cluster.h
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "client/session.h"
#include "tests/sim/history.h"
#include "tests/sim/simulation.h"

namespace starling::sim {

struct LoadOptions {
  std::uint32_t keys = 20;
  base::Duration think_max = base::milliseconds(60);  // Between an answer and the next operation.
  double gets = 0.5;
  double deletes = 0.05;
  double retries = 0.5;  // Of puts that timed out with a stamp.
  wire::Consistency level = wire::Consistency::kQuorum;
};

// A scan of the default keyspace, page by page to its end.
struct SimScan {
  wire::Consistency level = wire::Consistency::kQuorum;
  std::uint32_t bytes_max = 4096;
  bool done = false;
  base::Status status{};  // Of the page that ended it.
  unsigned pages = 0;
  std::multimap<std::string, std::string> rows{};
};

struct SimClientOptions {
  std::uint32_t number = 0;
  client::SessionOptions session;
  std::string keyspace{client::kDefaultKeyspace};        // Of all operations but scans.
  wire::Consistency level = wire::Consistency::kQuorum;  // A load has its own.
};

class SimClient final : public base::Actor, client::Session::Listener {
 public:
  SimClient(SimHost& host, History& history, SimClientOptions options);
  ~SimClient() override;

  // --- what a test asks for; the answer is in the record once it is done ---
  History::Id Put(const std::string& key, std::uint64_t value, base::Duration ttl = {});
  History::Id Delete(const std::string& key);
  History::Id Get(const std::string& key);
  // The same put again under its stamp, by whichever client. REQUIRES: an answer told the stamp.
  void Retry(History::Id id);

  // One at a time. What it gives grows with each page, and is replaced by the next scan's.
  const SimScan& Scan(wire::Consistency level, std::uint32_t bytes_max);

  // nullopt until it has an answer.
  const std::optional<base::Status>& CreateKeyspace(const std::string& name,
                                                    const std::string& replication);

  void StartLoad(const LoadOptions& load);
  void StopLoad();
  bool idle() const { return open_ == 0 && commands_.empty(); }

  const client::Session& session() const { return session_; }
  SimHost& host() const { return host_; }

  // --- base::Actor ---
  void OnStart() override;
  void OnOpen(base::ConnId conn, base::Address peer, base::ListenerId listener) override;
  std::size_t OnBytes(base::ConnId conn, base::Bytes bytes) override;
  void OnClose(base::ConnId conn, base::CloseReason reason) override;
  void OnDatagram(base::Address from, base::Bytes bytes) override;
  void OnMail(std::unique_ptr<base::Mail> mail) override;
  void OnWake() override;
  void OnTurnEnd() override;

 private:
  // --- client::Session::Listener ---
  void OnPut(std::uint64_t tag, const client::PutResult& result) override;
  void OnGet(std::uint64_t tag, const client::GetResult& result) override;
  void OnScan(std::uint64_t tag, const client::ScanResult& result) override;
  void OnCreateKeyspace(std::uint64_t, const client::CreateKeyspaceResult& result) override {
    created_ = result.status;
  }
  void OnAdmin(std::uint64_t, const client::AdminResult&) override {}
  void OnPing(std::uint64_t, const base::Status&) override {}
  void OnMap(std::uint64_t, const base::Status&) override {}

  History::Id Enqueue(const std::string& key, Operation::Kind kind, std::uint64_t value);
  void Send(History::Id id);
  void Done(History::Id id);
  void NextOfLoad();

  SimHost& host_;
  History& history_;
  const SimClientOptions options_;
  base::World& world_;
  client::Session session_;
  std::deque<History::Id> commands_;  // Not sent yet: a test asks from outside of any turn.
  std::size_t open_ = 0;

  SimScan scan_;
  bool scan_asked_ = false;  // Not sent yet, likewise.

  std::string create_name_;  // Not sent yet, if not empty.
  std::string create_replication_;
  std::optional<base::Status> created_;

  bool loaded_ = false;
  LoadOptions load_;
  base::Instant next_load_ = base::Instant::Never();
};

}  // namespace starling::sim
