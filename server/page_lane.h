// server/page_lane.h: a worker's pages that wait to be read, and those that are being read.
//
// The background lane is one thread for the whole node, and what was handed to it runs whatever
// became of it. So a worker hands over few pages at a time and keeps the others here, where one
// that nobody waits for any more is dropped before it is read. Those of repair come after all
// others, and only as fast as repair.rate lets them.
//
// Thread:    confined to its worker; only PageWork::Run is called on the lane.
// Ownership: of its work, from Add until Take or Drop returns.
// Read next: server/entry_page.h, server/scan.h, server/worker_page.h
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "base/world.h"
#include "server/rate_shares.h"

namespace starling::server {

class PageLane;

// Each ends in exactly one of Take and Drop, on the worker.
class PageWork : public base::Job {
 public:
  virtual ~PageWork() = default;

  void Done() final;

 protected:
  // Asked right before it would be handed to the lane.
  virtual bool Wanted() const = 0;
  virtual void Take() = 0;  // It was read.
  virtual void Drop() = 0;  // It was not, and will not be.
  // Of repair: it waits for its share of repair.rate.
  virtual bool paced() const { return false; }
  virtual std::uint64_t bytes_read() const { return 0; }  // Once it was read, if it is paced.

 private:
  friend class PageLane;
  PageLane* lane_ = nullptr;
};

class PageLane {
 public:
  // `rate` has other users, and outlives it.
  PageLane(base::World& world, RateShare& rate) : world_(world), rate_(rate) {}

  // False, and the work is gone without a word, when too many wait already.
  bool Add(std::unique_ptr<PageWork> work);
  // Goes on with what waited for the rate. To be called now and then.
  void HandOver();

  std::uint64_t dropped() const { return dropped_; }

 private:
  friend class PageWork;
  // Two, so that the lane has the next page at hand while the worker looks at the last one. More
  // would be read in vain when who asked is gone.
  static constexpr std::size_t kRunningMax = 2;
  static constexpr std::size_t kWaitingMax = 4096;

  std::unique_ptr<PageWork> Next();
  void OnDone(PageWork& work);

  base::World& world_;
  RateShare& rate_;
  std::deque<std::unique_ptr<PageWork>> waiting_;
  std::deque<std::unique_ptr<PageWork>> paced_;
  std::vector<std::unique_ptr<PageWork>> running_;
  std::uint64_t dropped_ = 0;
};

}  // namespace starling::server
