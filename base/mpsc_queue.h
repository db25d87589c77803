// base/mpsc_queue.h: many threads push, one takes all that is there; no lock, no allocation.
//
// A stack of links that the consumer takes whole and turns around: simpler than a queue of single
// pops, and Push learns for nothing whether the consumer must be woken: only the push that finds
// the queue empty needs to. Items of one producer come out in the order of their pushes.
//
// Thread:    Push from any; TakeAll from one at a time.
// Ownership: T's, through its member `T* next`, which is the queue's while the item is in it.
#pragma once

#include <atomic>

namespace starling::base {

// Items pushed together: a producer gathers them and pays for one exchange.
template <typename T>
class MpscBatch {
 public:
  void Add(T* item) {
    item->next = newest_;
    newest_ = item;
    if (oldest_ == nullptr) oldest_ = item;
  }
  bool empty() const { return newest_ == nullptr; }

 private:
  template <typename U>
  friend class MpscQueue;
  T* newest_ = nullptr;
  T* oldest_ = nullptr;
};

template <typename T>
class MpscQueue {
 public:
  // True when the queue was empty: then, and only then, the consumer may be asleep.
  bool Push(T* item) {
    MpscBatch<T> batch;
    batch.Add(item);
    return Push(batch);
  }

  // The same for all of `batch`, which is empty afterwards. REQUIRES: it is not empty before.
  bool Push(MpscBatch<T>& batch) {
    T* head = head_.load(std::memory_order_relaxed);
    do {
      batch.oldest_->next = head;
    } while (!head_.compare_exchange_weak(head, batch.newest_, std::memory_order_release,
                                          std::memory_order_relaxed));
    batch = {};
    return head == nullptr;
  }

  // All items, oldest first, linked by `next`; nullptr when there are none.
  T* TakeAll() {
    T* newest = head_.exchange(nullptr, std::memory_order_acquire);
    T* oldest = nullptr;
    while (newest != nullptr) {
      T* const older = newest->next;
      newest->next = oldest;
      oldest = newest;
      newest = older;
    }
    return oldest;
  }

 private:
  std::atomic<T*> head_{nullptr};
};

}  // namespace starling::base
