#include "tests/sim/linearizability.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <set>
#include <unordered_set>

#include "base/check.h"

namespace starling::sim {
namespace {

using Kind = Operation::Kind;

// Beyond this the history has more writes open at once than a test should make.
constexpr std::size_t kConfigurationsMax = 2'000'000;

enum class Verdict { kYes, kNo, kUndecided };

// Depth first over the writes that may come next. A configuration is what is done and what the
// register holds; one seen before leads nowhere new. Nor does a write over a value that somebody
// has still to read, since no other write brings it back: this keeps open writes from multiplying.
class Search {
 public:
  explicit Search(std::vector<Operation> history) : history_(std::move(history)) {
    std::sort(history_.begin(), history_.end(),
              [](const Operation& a, const Operation& b) { return a.invoked < b.invoked; });
    done_.assign((history_.size() + 63) / 64, 0);
    for (std::size_t i = 0; i < history_.size(); ++i)
      if (history_[i].kind == Kind::kGet) reads_[history_[i].value].push_back(i);
  }

  Verdict Run() {
    std::vector<Choice> path;
    std::vector<std::size_t> next = Advance();
    while (true) {
      if (complete_) return Verdict::kYes;
      if (seen_.size() > kConfigurationsMax) return Verdict::kUndecided;
      if (!next.empty()) {
        path.push_back(
            {.branches = std::move(next), .done = done_, .value = value_, .from = from_});
      }
      while (!path.empty() && path.back().branches.empty()) path.pop_back();
      if (path.empty()) return Verdict::kNo;
      Choice& choice = path.back();
      const std::size_t write = choice.branches.back();
      choice.branches.pop_back();
      done_ = choice.done;
      from_ = choice.from;
      value_ = history_[write].kind == Kind::kPut ? history_[write].value : 0;
      MarkDone(write);
      next = seen_.insert(Configuration()).second ? Advance() : std::vector<std::size_t>{};
    }
  }

 private:
  struct Choice {
    std::vector<std::size_t> branches;
    std::vector<std::uint64_t> done;
    std::uint64_t value;
    std::size_t from;
  };

  bool Done(std::size_t i) const { return (done_[i / 64] >> (i % 64) & 1) != 0; }
  void MarkDone(std::size_t i) { done_[i / 64] |= std::uint64_t{1} << (i % 64); }

  std::string Configuration() const {
    std::string bytes(reinterpret_cast<const char*>(done_.data()), done_.size() * sizeof done_[0]);
    bytes.append(reinterpret_cast<const char*>(&value_), sizeof value_);
    return bytes;
  }

  bool StillRead(std::uint64_t value) const {
    const auto reads = reads_.find(value);
    return value != 0 && reads != reads_.end() &&
           std::any_of(reads->second.begin(), reads->second.end(),
                       [&](std::size_t i) { return !Done(i); });
  }

  // Takes all reads that fit the present value, then gives the writes that may come next.
  std::vector<std::size_t> Advance() {
    std::vector<std::size_t> writes;
    while (true) {
      while (from_ < history_.size() && Done(from_)) ++from_;
      base::Instant first_return = base::Instant::Never();
      writes.clear();
      bool read = false;
      for (std::size_t i = from_; i < history_.size(); ++i) {
        const Operation& operation = history_[i];
        // Whoever begins after another's end comes after it.
        if (operation.invoked > first_return) break;
        if (Done(i)) continue;
        first_return = std::min(first_return, operation.returned);
        if (operation.kind != Kind::kGet) {
          writes.push_back(i);
        } else if (operation.value == value_) {
          MarkDone(i);
          read = true;
        }
      }
      if (read) continue;
      complete_ = first_return == base::Instant::Never();
      if (StillRead(value_)) writes.clear();
      return writes;
    }
  }

  std::vector<Operation> history_;                           // By invocation.
  std::map<std::uint64_t, std::vector<std::size_t>> reads_;  // By value.
  std::vector<std::uint64_t> done_;
  std::uint64_t value_ = 0;
  std::size_t from_ = 0;   // All before it are done.
  bool complete_ = false;  // Only operations of unknown outcome are left.
  std::unordered_set<std::string> seen_;
};

// Leaves out what can't matter: reads without an answer, and puts of unknown outcome that nobody
// read, which only make the search longer.
std::vector<Operation> Relevant(std::span<const Operation> history) {
  std::set<std::uint64_t> read;
  std::set<std::uint64_t> put;
  for (const Operation& operation : history) {
    CHECK(operation.invoked <= operation.returned);
    if (operation.kind == Kind::kGet && !operation.open()) read.insert(operation.value);
    if (operation.kind != Kind::kPut) continue;
    CHECK(operation.value != 0);
    CHECK(put.insert(operation.value).second);
  }
  std::vector<Operation> relevant;
  for (const Operation& operation : history) {
    if (operation.open() && operation.kind == Kind::kGet) continue;
    if (operation.open() && operation.kind == Kind::kPut && !read.contains(operation.value))
      continue;
    relevant.push_back(operation);
  }
  return relevant;
}

Verdict Decide(const std::vector<Operation>& history) { return Search(Relevant(history)).Run(); }

template <typename Drop>
std::vector<Operation> Without(const std::vector<Operation>& history, Drop drop) {
  std::vector<Operation> rest;
  std::copy_if(history.begin(), history.end(), std::back_inserter(rest),
               [&](const Operation& operation) { return !drop(operation); });
  return rest;
}

// What is over by the first moment at which the history can't be any more: all that was invoked
// before it, with what had not returned left open.
std::vector<Operation> UpTo(const std::vector<Operation>& history, base::Instant moment) {
  auto prefix = Without(history, [&](const Operation& o) { return o.invoked > moment; });
  for (Operation& operation : prefix)
    if (operation.returned > moment) operation.returned = base::Instant::Never();
  return prefix;
}

std::vector<Operation> ShortestPrefix(const std::vector<Operation>& history) {
  std::vector<base::Instant> returns;
  for (const Operation& operation : history)
    if (!operation.open()) returns.push_back(operation.returned);
  std::sort(returns.begin(), returns.end());
  // Prefixes of a history that can be can be too, so the first bad one is found by halving.
  const auto bad = std::partition_point(returns.begin(), returns.end(), [&](base::Instant moment) {
    return Decide(UpTo(history, moment)) == Verdict::kYes;
  });
  return bad == returns.end() ? history : UpTo(history, *bad);
}

// Leaves out all operations of a value, or one read, as long as the rest still can't be. A history
// that can be can still be without them, so what is left is a proof.
std::vector<Operation> Shrink(std::vector<Operation> history) {
  const auto keep_if_bad = [&](std::vector<Operation> less) {
    if (less.size() < history.size() && Decide(less) == Verdict::kNo) history = std::move(less);
  };
  std::set<std::uint64_t> values;
  for (const Operation& operation : history) values.insert(operation.value);
  for (const std::uint64_t value : values)
    keep_if_bad(Without(history, [&](const Operation& o) { return o.value == value; }));
  for (std::size_t i = history.size(); i-- > 0;) {
    if (i >= history.size() || history[i].kind != Kind::kGet) continue;
    auto less = history;
    less.erase(less.begin() + static_cast<std::ptrdiff_t>(i));
    keep_if_bad(std::move(less));
  }
  return history;
}

std::string Describe(const Operation& operation) {
  constexpr std::array<const char*, 3> kNames{"put", "get", "delete"};
  const char* name = kNames[static_cast<std::size_t>(operation.kind)];
  const std::string returned =
      operation.open() ? "?"
                       : fmt::format("{:.6f}", base::ToSeconds(operation.returned.since_start));
  const std::string value = operation.value == 0 ? "-" : fmt::format("{}", operation.value);
  return fmt::format("  [{:.6f} .. {}] client {}: {} {}\n",
                     base::ToSeconds(operation.invoked.since_start), returned, operation.client,
                     name, value);
}

std::string Explain(const std::vector<Operation>& window) {
  std::set<std::uint64_t> put{0};
  for (const Operation& operation : window)
    if (operation.kind == Kind::kPut) put.insert(operation.value);
  std::string text;
  for (const Operation& operation : window) {
    text += Describe(operation);
    if (operation.kind == Kind::kGet && !put.contains(operation.value))
      text += fmt::format("  {} was returned, and not written before\n", operation.value);
  }
  return text;
}

}  // namespace

std::optional<Violation> CheckLinearizable(std::span<const Operation> history) {
  std::vector<Operation> all(history.begin(), history.end());
  const Verdict verdict = Decide(all);
  if (verdict == Verdict::kYes) return std::nullopt;
  std::sort(all.begin(), all.end(),
            [](const Operation& a, const Operation& b) { return a.invoked < b.invoked; });
  if (verdict == Verdict::kUndecided)
    return Violation{.undecided = true,
                     .window = all,
                     .text = fmt::format("undecided after {} configurations of {} operations\n",
                                         kConfigurationsMax, all.size())};
  std::vector<Operation> window = Shrink(ShortestPrefix(all));
  std::string text = "these can't be in any order:\n" + Explain(window);
  return Violation{.undecided = false, .window = std::move(window), .text = std::move(text)};
}

}  // namespace starling::sim
