#include "tools/starling/transfer.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace starling::cli {

using base::Code;
using base::Status;

namespace {

constexpr std::uint64_t kProgressLines = 500;  // Between two calls of progress.

struct Item {
  Record record;
  std::uint64_t line = 0;
  unsigned attempts = 0;

  std::size_t bytes() const { return record.key.size() + record.value.size(); }
};

// The window of puts in flight, the report, and what must be tried again.
class Importer {
 public:
  Importer(Putter& putter, const ImportOptions& options) : putter_(putter), options_(options) {}

  // Waits for room in the window.
  void Send(Item item) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return HasRoom(item.bytes()); });
      ++in_flight_;
      in_flight_bytes_ += item.bytes();
    }
    ++item.attempts;
    auto shared = std::make_shared<Item>(std::move(item));
    putter_.Put(shared->record, [this, shared](const Status& status) { Took(*shared, status); });
  }

  void Refuse(std::uint64_t line, std::string why) {
    const std::lock_guard lock(mutex_);
    Fail(line, std::move(why));
  }

  // Sends again what was refused for want of room. With `all`, until nothing is left to do.
  enum class Until : std::uint8_t { kNothingDue, kAllDone };
  void SendAgain(Until until) {
    while (true) {
      std::deque<Item> again;
      {
        std::unique_lock lock(mutex_);
        if (until == Until::kAllDone)
          changed_.wait(lock, [&] { return in_flight_ == 0 || !again_.empty(); });
        again.swap(again_);
      }
      if (again.empty()) return;
      std::this_thread::sleep_for(options_.retry_after * (1 << (again.front().attempts - 1)));
      for (Item& item : again) Send(std::move(item));
    }
  }

  ImportReport report() {
    const std::lock_guard lock(mutex_);
    return report_;
  }
  void CountLine() {
    const std::lock_guard lock(mutex_);
    ++report_.lines;
  }

 private:
  bool HasRoom(std::size_t bytes) const {
    if (in_flight_ == 0) return true;
    return in_flight_ < options_.in_flight_max &&
           in_flight_bytes_ + bytes <= options_.in_flight_bytes_max;
  }

  void Took(Item& item, const Status& status) {
    const std::lock_guard lock(mutex_);
    --in_flight_;
    in_flight_bytes_ -= item.bytes();
    const bool untouched =
        status.code() == Code::kOverloaded || status.code() == Code::kUnavailable;
    if (status.ok()) {
      ++report_.imported;
      report_.bytes += item.bytes();
    } else if (untouched && item.attempts <= options_.retries_max) {
      again_.push_back(std::move(item));
    } else {
      Fail(item.line, status.ToString());
    }
    changed_.notify_one();
  }

  void Fail(std::uint64_t line, std::string why) {
    ++report_.failed;
    auto& kept = report_.failures;
    const auto at = std::upper_bound(kept.begin(), kept.end(), line,
                                     [](std::uint64_t l, const auto& f) { return l < f.line; });
    kept.insert(at, {line, std::move(why)});
    if (kept.size() > options_.failures_kept) kept.pop_back();
  }

  Putter& putter_;
  const ImportOptions options_;
  std::mutex mutex_;  // Guards all below.
  std::condition_variable changed_;
  std::size_t in_flight_ = 0;
  std::size_t in_flight_bytes_ = 0;
  std::deque<Item> again_;
  ImportReport report_;
};

}  // namespace

ImportReport Import(std::istream& in, Putter& putter, const ImportOptions& options,
                    const std::function<void(const ImportReport&)>& progress) {
  Importer importer(putter, options);
  std::string line;
  for (std::uint64_t number = 1; std::getline(in, line); ++number) {
    if (line.ends_with('\r') && options.format == Format::kJsonl) line.pop_back();
    if (line.empty()) continue;
    importer.CountLine();
    auto record = ParseLine(line, options.format);
    if (record)
      importer.Send({.record = *std::move(record), .line = number});
    else
      importer.Refuse(number, record.error().message());
    importer.SendAgain(Importer::Until::kNothingDue);
    if (number % kProgressLines == 0) progress(importer.report());
  }
  importer.SendAgain(Importer::Until::kAllDone);
  return importer.report();
}

}  // namespace starling::cli
