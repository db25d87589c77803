// server/worker_page.h: a page of entries that a worker reads for another node. The worker's own.
#pragma once

#include <string>
#include <utility>

#include "server/entry_page.h"
#include "server/page_lane.h"
#include "server/worker.h"

namespace starling::server {

// A page of entries for another node, read off the worker, unless by then nobody waits for it.
class Worker::PeerPage final : public PageWork {
 public:
  enum class Kind : std::uint8_t { kScan, kPull };

  PeerPage(Worker& worker, Kind kind, const ReplyTo& to, base::Instant ends, PageRequest request)
      : worker_(worker), kind_(kind), to_(to), ends_(ends), request_(std::move(request)) {}
  ~PeerPage() override { worker_.memory_.Give(summary_.size()); }

  // kPull: what the puller has. Held in the worker's share of memory.
  void KeepSummary(base::Bytes summary) {
    summary_ = summary;
    worker_.memory_.Take(summary_.size());
  }

  // kPull: what we say of ourselves, as of when it was asked.
  void KeepFacts(std::uint64_t epoch, std::uint64_t purged) {
    epoch_ = epoch;
    purged_ = purged;
  }

  void Run() noexcept override {
    storage::Engine& engine = worker_.shared_.engine;
    page_ =
        kind_ == Kind::kScan ? ReadPage(engine, request_) : ReadMissing(engine, request_, summary_);
  }

 private:
  friend class Worker;
  bool connected() const { return worker_.conns_.contains(to_.conn); }
  bool Wanted() const override { return connected() && worker_.world_.Now() < ends_; }
  void Take() override { worker_.OnPeerPage(*this); }
  void Drop() override {
    if (connected()) worker_.Reply(to_, wire::ErrorReply{base::Code::kTimeout, kExpired, {}});
  }

  Worker& worker_;
  const Kind kind_;
  const ReplyTo to_;
  const base::Instant ends_;  // Never(): as long as the connection is there.
  const PageRequest request_;
  std::string summary_;
  std::uint64_t epoch_ = 0;
  std::uint64_t purged_ = 0;
  Page page_;
};

}  // namespace starling::server
