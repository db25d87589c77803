// server/worker_page.h: a page of entries that a worker reads for another node. The worker's own.
#pragma once

#include <string>
#include <utility>

#include "server/entry_page.h"
#include "server/worker.h"

namespace starling::server {

// A page of entries for another node, read off the worker.
class Worker::PeerPage final : public base::Job {
 public:
  enum class Kind : std::uint8_t { kScan, kPull };

  PeerPage(Worker& worker, Kind kind, ReplyTo to, PageRequest request)
      : worker_(worker), kind_(kind), to_(to), request_(std::move(request)) {}

  void Run() noexcept override {
    storage::Engine& engine = worker_.shared_.engine;
    page_ =
        kind_ == Kind::kScan ? ReadPage(engine, request_) : ReadMissing(engine, request_, summary);
  }
  void Done() override { worker_.OnPeerPage(*this); }

  std::string summary;  // kPull: what the puller has.

 private:
  friend class Worker;
  Worker& worker_;
  const Kind kind_;
  const ReplyTo to_;
  const PageRequest request_;
  Page page_;
};

}  // namespace starling::server
