#include "tools/starling/transfer.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace starling::cli {

using base::Code;
using base::Status;

namespace {

// How long an interrupt may go unnoticed while it waits for the cluster.
constexpr base::Duration kWaitMax = base::milliseconds(50);
constexpr std::uint64_t kProgressLines = 500;  // Between two calls of progress.

base::Instant MachineNow() { return {std::chrono::steady_clock::now().time_since_epoch()}; }

struct Item {
  Record record;
  std::uint64_t line = 0;
  unsigned attempts = 0;
  Status status;  // Why it was refused last.

  std::size_t bytes() const { return record.key.size() + record.value.size(); }
};

// The window of puts in flight, the report, and what must be tried again.
class Importer {
 public:
  Importer(Putter& putter, const ImportOptions& options, const ImportListener& listener)
      : putter_(putter), options_(options), listener_(listener) {
    if (!options_.now) options_.now = MachineNow;
  }

  // Waits for room in the window. False when it was given up: the item was not tried.
  bool Send(Item item) {
    const std::size_t bytes = item.bytes();
    WaitUntil([&] { return Ends() || HasRoom(bytes); });
    {
      const std::lock_guard lock(mutex_);
      if (Ends()) {
        ++report_.not_tried;
        return false;
      }
      ++report_.lines;
      ++open_;
      open_bytes_ += bytes;
    }
    Put(std::move(item));
    return true;
  }

  void Refuse(std::uint64_t line, const Status& status) {
    const std::lock_guard lock(mutex_);
    ++report_.lines;
    Fail(line, status.code(), status.message());
  }

  void Finish() {
    WaitUntil([&] { return open_ == 0; });
  }

  ImportReport report() {
    const std::lock_guard lock(mutex_);
    return report_;
  }

 private:
  void Put(Item item) {
    ++item.attempts;
    auto shared = std::make_shared<Item>(std::move(item));
    putter_.Put(shared->record, [this, shared](const Status& status) { Took(*shared, status); });
  }

  // Meanwhile makes again the puts whose pause is over, and speaks of the first trouble.
  template <typename Done>
  void WaitUntil(Done done) {
    std::unique_lock lock(mutex_);
    while (true) {
      if (trouble_ && listener_.trouble) {
        const ImportFailure trouble = *std::exchange(trouble_, std::nullopt);
        lock.unlock();
        listener_.trouble(trouble);
        lock.lock();
      }
      if (listener_.interrupted && listener_.interrupted()) report_.interrupted = true;
      if (Ends()) FailWaiting();
      if (!waiting_.empty() && waiting_.begin()->first <= options_.now()) {
        Item item = std::move(waiting_.begin()->second);
        waiting_.erase(waiting_.begin());
        lock.unlock();
        Put(std::move(item));
        lock.lock();
        continue;
      }
      if (done()) return;
      base::Duration pause = kWaitMax;
      if (!waiting_.empty()) pause = std::min(pause, waiting_.begin()->first - options_.now());
      changed_.wait_for(lock, pause);
    }
  }

  bool Ends() const { return report_.gave_up || report_.interrupted; }

  bool HasRoom(std::size_t bytes) const {
    if (open_ == 0) return true;
    return open_ < options_.in_flight_max && open_bytes_ + bytes <= options_.in_flight_bytes_max;
  }

  void Took(Item& item, const Status& status) {
    const std::lock_guard lock(mutex_);
    const bool untouched =
        status.code() == Code::kOverloaded || status.code() == Code::kUnavailable;
    if (!status.ok() && !std::exchange(troubled_, true))
      trouble_ = ImportFailure{item.line, status.ToString()};
    if (untouched && item.attempts <= options_.retries_max && !Ends()) {
      item.status = status;
      const auto pause = options_.retry_after * (1 << (item.attempts - 1));
      waiting_.emplace(options_.now() + pause, std::move(item));
    } else {
      End(item, status);
    }
    changed_.notify_one();
  }

  void End(const Item& item, const Status& status) {
    --open_;
    open_bytes_ -= item.bytes();
    if (status.ok()) {
      ++report_.imported;
      report_.bytes += item.bytes();
      failures_ = 0;
      return;
    }
    Fail(item.line, status.code(), status.ToString());
    const base::Instant now = options_.now();
    if (failures_++ == 0) failing_since_ = now;
    if (failures_ >= options_.failures_max && now - failing_since_ >= options_.give_up_after)
      report_.gave_up = true;
  }

  // Nothing is tried again any more: each has failed for the reason that it had.
  void FailWaiting() {
    for (const auto& [due, item] : waiting_) {
      --open_;
      open_bytes_ -= item.bytes();
      Fail(item.line, item.status.code(), item.status.ToString());
    }
    waiting_.clear();
  }

  void Fail(std::uint64_t line, Code code, std::string why) {
    ++(MayBeStored(code) ? report_.unknown : report_.failed);
    ImportFailures& alike = report_.failures_by_code[code];
    if (alike.count++ == 0 || line < alike.first.line) alike.first = {line, why};
    auto& kept = report_.failures;
    const auto at = std::upper_bound(kept.begin(), kept.end(), line,
                                     [](std::uint64_t l, const auto& f) { return l < f.line; });
    kept.insert(at, {line, std::move(why)});
    if (kept.size() > options_.failures_kept) kept.pop_back();
  }

  Putter& putter_;
  ImportOptions options_;
  const ImportListener& listener_;
  std::mutex mutex_;  // Guards all below.
  std::condition_variable changed_;
  std::size_t open_ = 0;  // In flight, or waiting to be put again.
  std::size_t open_bytes_ = 0;
  std::multimap<base::Instant, Item> waiting_;  // By when they are due.
  bool troubled_ = false;
  std::optional<ImportFailure> trouble_;  // Not spoken of yet.
  unsigned failures_ = 0;                 // Since a put was made last,
  base::Instant failing_since_;           // and the first of them.
  ImportReport report_;
};

}  // namespace

bool MayBeStored(Code code) {
  return code == Code::kTimeout || code == Code::kIo || code == Code::kCorruption;
}

ImportReport Import(const NextRecord& next, Putter& putter, const ImportOptions& options,
                    const ImportListener& listener) {
  Importer importer(putter, options, listener);
  std::uint64_t taken = 0;
  while (std::optional<Numbered> numbered = next()) {
    if (!numbered->record)
      importer.Refuse(numbered->number, numbered->record.error());
    else if (!importer.Send(
                 {.record = *std::move(numbered->record), .line = numbered->number, .status = {}}))
      break;
    if (++taken % kProgressLines == 0 && listener.progress) listener.progress(importer.report());
  }
  importer.Finish();
  return importer.report();
}

ImportReport Import(std::istream& in, Putter& putter, const ImportOptions& options,
                    const ImportListener& listener) {
  const auto interrupted = [&] { return listener.interrupted && listener.interrupted(); };
  std::string line;
  std::uint64_t number = 0;
  const NextRecord next = [&]() -> std::optional<Numbered> {
    while (!interrupted() && std::getline(in, line)) {
      if (interrupted()) break;  // That may be half a line.
      ++number;
      if (line.ends_with('\r') && options.format == Format::kJsonl) line.pop_back();
      if (!line.empty()) return Numbered{number, ParseLine(line, options.format)};
    }
    return std::nullopt;
  };
  return Import(next, putter, options, listener);
}

}  // namespace starling::cli
