#include "server/page_lane.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace starling::server {

void PageWork::Done() { lane_->OnDone(*this); }

bool PageLane::Add(std::unique_ptr<PageWork> work) {
  if (waiting_.size() >= kWaitingMax) return false;
  work->lane_ = this;
  waiting_.push_back(std::move(work));
  HandOver();
  return true;
}

void PageLane::HandOver() {
  while (running_.size() < kRunningMax && !waiting_.empty()) {
    std::unique_ptr<PageWork> next = std::move(waiting_.front());
    waiting_.pop_front();
    if (!next->Wanted()) {
      ++dropped_;
      next->Drop();  // It may add other work.
      continue;
    }
    running_.push_back(std::move(next));
    world_.Offload(base::Lane::kBackground, *running_.back());
  }
}

void PageLane::OnDone(PageWork& work) {
  const auto it = std::find_if(running_.begin(), running_.end(),
                               [&](const auto& each) { return each.get() == &work; });
  CHECK(it != running_.end());
  const std::unique_ptr<PageWork> done = std::move(*it);
  running_.erase(it);
  HandOver();  // First: the lane need not wait for what is made of this page.
  done->Take();
}

}  // namespace starling::server
