#include "server/page_lane.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace starling::server {

void PageWork::Done() { lane_->OnDone(*this); }

bool PageLane::Add(std::unique_ptr<PageWork> work) {
  auto& waiting = work->paced() ? paced_ : waiting_;
  if (waiting.size() >= kWaitingMax) return false;
  work->lane_ = this;
  waiting.push_back(std::move(work));
  HandOver();
  return true;
}

// The next that there is time for; null: none.
std::unique_ptr<PageWork> PageLane::Next() {
  auto& waiting = !waiting_.empty() ? waiting_ : paced_;
  if (waiting.empty()) return nullptr;
  // What nobody wants takes no time.
  const bool waits = &waiting == &paced_ && !rate_.Ready(world_.Now());
  if (waits && waiting.front()->Wanted()) return nullptr;
  std::unique_ptr<PageWork> next = std::move(waiting.front());
  waiting.pop_front();
  return next;
}

void PageLane::HandOver() {
  while (running_.size() < kRunningMax) {
    std::unique_ptr<PageWork> next = Next();
    if (next == nullptr) return;
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
  if (done->paced()) rate_.Count(world_.Now(), done->bytes_read());
  HandOver();  // First: the lane need not wait for what is made of this page.
  done->Take();
}

}  // namespace starling::server
