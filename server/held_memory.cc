#include "server/held_memory.h"

#include <algorithm>
#include <bit>
#include <optional>

#include "base/check.h"
#include "base/mutants.h"
#include "base/random.h"

namespace starling::server {

HeldMemory::HeldMemory(std::size_t notes_max)
    // Few heads stay in the processor's cache, and chains of four are short enough to ask.
    : notes_max_(notes_max), heads_(std::bit_ceil(std::max<std::size_t>(notes_max / 4, 1))) {
  CHECK(notes_max > 0);
  notes_.reserve(notes_max);  // Untouched until used; and never moved while a write waits.
}

std::uint64_t HeldMemory::KeyOf(base::KeyspaceId keyspace, base::Token token) {
  return token ^ base::Mix64(keyspace);
}

std::uint64_t& HeldMemory::HeadOf(std::uint64_t key) {
  return heads_[base::Mix64(key) & (heads_.size() - 1)];
}

void HeldMemory::Note(base::KeyspaceId keyspace, base::Token token, const base::Version& replaced,
                      const base::Version& held) {
  Add(KeyOf(keyspace, token), replaced, held);
}

void HeldMemory::NotePulled(base::KeyspaceId keyspace, base::Token token,
                            const base::Version& held) {
  const std::uint64_t key = KeyOf(keyspace, token);
  std::optional<base::Version> current;
  Walk(key, [&](const Change& newest) {
    current = newest.held;
    return false;
  });
  if (current) Add(key, *current, held);
}

void HeldMemory::Add(std::uint64_t key, const base::Version& replaced, const base::Version& held) {
  std::uint64_t& head = HeadOf(key);
  const Change change{.key = key, .replaced = replaced, .held = held, .before = head};
  if (notes_.size() < notes_max_)
    notes_.push_back(change);
  else
    notes_[noted_ % notes_max_] = change;
  head = noted_++;
}

// A chain ends at what was overwritten since: all before that was, too. The first head of all is
// position 0, which may be of another chain; its key tells.
template <typename Look>
void HeldMemory::Walk(std::uint64_t key, Look&& look) const {
  std::uint64_t at = heads_[base::Mix64(key) & (heads_.size() - 1)];
  for (int step = 0; step < kStepsMax && at < noted_ && noted_ - at <= notes_.size(); ++step) {
    const Change& change = notes_[at % notes_max_];
    if (change.key == key && !look(change)) return;
    if (change.before >= at) return;
    at = change.before;
  }
}

HeldMemory::Answer HeldMemory::Ask(base::KeyspaceId keyspace, base::Token token,
                                   const base::Version& version) const {
  bool held = false;
  std::optional<base::Version> oldest;  // Current when the oldest note was made.
  int versions = 0;
  Walk(KeyOf(keyspace, token), [&](const Change& change) {
    oldest = change.replaced;
    held = version == change.held || version == change.replaced;
    return !held && ++versions < kVersionsMax;
  });
  if (held) return Answer::kHeld;
  if (base::Mutant("never-held-after-restart")) return Answer::kNeverHeld;
  return oldest && version > *oldest && version.timestamp > floor_ ? Answer::kNeverHeld
                                                                   : Answer::kUnknown;
}

}  // namespace starling::server
