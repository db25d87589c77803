// Goal:   what is pushed comes out once, in each producer's order, and one push of a batch wakes.
// Method: cases on one thread; then threads that push while one takes, counting both.
#include "base/mpsc_queue.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "tests/test.h"

namespace starling::base {
namespace {

struct Item {
  int producer = 0;
  int number = 0;
  Item* next = nullptr;
};

std::vector<int> Numbers(const Item* item) {
  std::vector<int> numbers;
  for (; item != nullptr; item = item->next) numbers.push_back(item->number);
  return numbers;
}

// What a consumer saw while `producers` threads pushed `count` items each, and afterwards.
struct Seen {
  std::vector<std::vector<int>> numbers;  // By producer, in the order of coming out.
  int takes = 0;                          // That found something.
  int wakes = 0;                          // Pushes that said that the queue was empty.
};

Seen RunThreads(int producers, int count, int batch_size) {
  std::vector<std::vector<Item>> items(static_cast<std::size_t>(producers));
  for (auto& mine : items) mine.resize(static_cast<std::size_t>(count));
  MpscQueue<Item> queue;
  std::atomic<int> wakes = 0, done = 0;
  std::vector<std::thread> threads;
  for (int p = 0; p < producers; ++p) {
    threads.emplace_back([&, p] {
      MpscBatch<Item> batch;
      int gathered = 0;
      for (int i = 0; i < count; ++i) {
        Item& item = items[static_cast<std::size_t>(p)][static_cast<std::size_t>(i)];
        item.producer = p;
        item.number = i;
        batch.Add(&item);
        if (++gathered < batch_size && i + 1 < count) continue;
        gathered = 0;
        if (queue.Push(batch)) wakes.fetch_add(1);
      }
      done.fetch_add(1);
    });
  }
  Seen seen;
  seen.numbers.resize(static_cast<std::size_t>(producers));
  for (bool last = false; !last;) {
    last = done.load() == producers;  // Asked first: then this round finds all that is left.
    const Item* item = queue.TakeAll();
    if (item != nullptr) ++seen.takes;
    for (; item != nullptr; item = item->next)
      seen.numbers[static_cast<std::size_t>(item->producer)].push_back(item->number);
  }
  for (std::thread& thread : threads) thread.join();
  seen.wakes = wakes;
  return seen;
}

TEST_SUITE("base/mpsc_queue") {
  TEST_CASE("items come out oldest first, all at once") {
    MpscQueue<Item> queue;
    EXPECT(queue.TakeAll() == nullptr);
    Item items[3] = {{0, 1}, {0, 2}, {0, 3}};
    for (Item& item : items) queue.Push(&item);
    EXPECT(Numbers(queue.TakeAll()) == std::vector<int>{1, 2, 3});
    EXPECT(queue.TakeAll() == nullptr);
  }

  TEST_CASE("only the push that finds the queue empty says that the consumer may be asleep") {
    MpscQueue<Item> queue;
    Item a, b, c;
    EXPECT(queue.Push(&a));
    EXPECT(!queue.Push(&b));
    queue.TakeAll();
    EXPECT(queue.Push(&c));
  }

  TEST_CASE("a batch stays in its order, behind what was there, and is empty afterwards") {
    MpscQueue<Item> queue;
    Item items[4] = {{0, 1}, {0, 2}, {0, 3}, {0, 4}};
    EXPECT(queue.Push(&items[0]));
    MpscBatch<Item> batch;
    EXPECT(batch.empty());
    batch.Add(&items[1]);
    batch.Add(&items[2]);
    EXPECT(!batch.empty());
    EXPECT(!queue.Push(batch));
    EXPECT(batch.empty());
    batch.Add(&items[3]);
    EXPECT(!queue.Push(batch));
    EXPECT(Numbers(queue.TakeAll()) == std::vector<int>{1, 2, 3, 4});
  }

  TEST_CASE("threads: all items come out once, each producer's in order, one wake a take") {
    constexpr int kProducers = 4, kCount = 5000;
    std::vector<int> in_order;
    for (int i = 0; i < kCount; ++i) in_order.push_back(i);
    for (const int batch_size : {1, 7}) {
      const Seen seen = RunThreads(kProducers, kCount, batch_size);
      for (const auto& numbers : seen.numbers) EXPECT(numbers == in_order);
      // Empty to full is one push, full to empty one take: a sleeper is never missed nor woken
      // twice.
      EXPECT(seen.wakes == seen.takes);
    }
  }
}

}  // namespace
}  // namespace starling::base
