// server/worker_page.h: a page of entries that a worker reads for another node. The worker's own.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "server/bucket_parts.h"
#include "server/entry_page.h"
#include "server/page_lane.h"
#include "server/scan_page.h"
#include "server/worker.h"

namespace starling::server {

// A page of entries for another node, read off the worker, unless by then nobody waits for it.
class Worker::PeerPage final : public PageWork {
 public:
  enum class Kind : std::uint8_t { kScan, kParts, kPull };

  PeerPage(Worker& worker, Kind kind, const ReplyTo& to, base::Instant ends, PageRequest request)
      : worker_(worker), kind_(kind), to_(to), ends_(ends), request_(std::move(request)) {}
  ~PeerPage() override { worker_.memory_.Give(summary_.size()); }

  // What the puller has; of kParts: its hashes. Held in the worker's share of memory.
  void KeepSummary(base::Bytes summary, std::uint64_t salt = 0) {
    summary_ = summary;
    salt_ = salt;
    worker_.memory_.Take(summary_.size());
  }

  // kScan, kPull: what we say of ourselves, as of when it was asked. Of a scan the epoch, or 0: it
  // is read without marks.
  void KeepFacts(const purge::Source& facts) { facts_ = facts; }
  // kPull: another bucket that is asked for, behind those before it, and our mark of it.
  void AddFurther(const WholeBucket& bucket, std::uint64_t purged) {
    further_.push_back(bucket);
    further_purged_.push_back(purged);
  }

  void Run() noexcept override {
    storage::Engine& engine = worker_.shared_.engine;
    switch (kind_) {
      case Kind::kScan: RunScan(engine); return;
      case Kind::kPull:
        page_ = ReadMissing(engine, request_, summary_);
        ReadFurther(engine, request_, further_, page_);
        return;
      case Kind::kParts:
        parts_ =
            ReadParts(engine, request_, static_cast<std::uint32_t>(summary_.size() / 4), salt_);
        return;
    }
  }

 private:
  friend class Worker;
  void RunScan(storage::Engine& engine) noexcept {
    if (facts_.epoch == 0) {
      page_ = ReadPage(engine, request_);
    } else {
      ScanPage read = ReadScanPage(engine, request_);
      page_ = std::move(read.page);
      purged_ = std::move(read.purged);
      told_upto_ = read.told_upto;
    }
  }
  // What another worker handed over is its to look for.
  bool connected() const { return to_.home != worker_.id_ || worker_.conns_.contains(to_.conn); }
  bool Wanted() const override { return connected() && worker_.world_.Now() < ends_; }
  void Take() override { worker_.OnPeerPage(*this); }
  void Drop() override {
    if (!connected()) return;
    if (paced())
      worker_.Reply(to_, wire::ErrorReply{base::Code::kOverloaded, kPaced, {}});
    else
      worker_.Reply(to_, wire::ErrorReply{base::Code::kTimeout, kExpired, {}});
  }
  bool paced() const override { return kind_ != Kind::kScan; }
  std::uint64_t bytes_read() const override {
    return kind_ == Kind::kParts ? parts_.bytes_read : page_.bytes_read;
  }

  Worker& worker_;
  const Kind kind_;
  const ReplyTo to_;
  const base::Instant ends_;  // Never(): as long as the connection is there.
  const PageRequest request_;
  std::string summary_;
  std::uint64_t salt_ = 0;
  purge::Source facts_{};
  std::vector<WholeBucket> further_;
  std::vector<std::uint64_t> further_purged_;
  PartsRead parts_;
  Page page_;
  std::string purged_;  // As of ScanPage.
  base::Token told_upto_ = 0;
};

}  // namespace starling::server
