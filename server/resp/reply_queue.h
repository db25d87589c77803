// server/resp/reply_queue.h: the replies that a connection is owed, in the order of its requests.
//
// Results of keys come in any order; a reply leaves when it is complete and all before it have
// left. A reply that is complete and first is written straight to the output, without being kept.
//
// Thread:    confined.
// Read next: server/resp/session.h
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "server/resp/key_op.h"

namespace starling::resp {

// How the results of a request's keys become its reply.
enum class ReplyKind : std::uint8_t {
  kText,   // There already: no keys.
  kOk,     // SET, MSET.
  kValue,  // GET.
  kValues,
  kCount,  // DEL, EXISTS: of the keys that were found.
  kSeconds,
  kMilliseconds,
};

// All values of one reply: an error can only be told in their place, so they gather first.
inline constexpr std::size_t kValuesBytesMax = 64 * 1024 * 1024;

class ReplyQueue {
 public:
  // Where a reply that is there already is to be appended. Valid until the next call.
  std::string& Text(std::string& out);
  // Owes a reply for the results of `keys` keys, at least 1. The number that Take() wants.
  std::uint64_t Add(ReplyKind kind, std::uint32_t keys);
  // The result of the `index`th key. Replies that are complete now and first go to `out`.
  void Take(std::uint64_t number, std::uint32_t index, const KeyResult& result,
            std::int64_t wall_ms, std::string& out);

  bool empty() const { return first_ == end_; }
  std::size_t size() const { return static_cast<std::size_t>(end_ - first_); }
  // Of what waits for others. Counts what was appended to the last Text(), so ask between two.
  std::size_t held_bytes();

 private:
  struct Value {
    bool found = false;
    std::string bytes;
  };
  struct Reply {
    ReplyKind kind = ReplyKind::kText;
    std::uint32_t keys = 0;
    std::uint32_t open = 0;  // Results that are still to come.
    std::uint32_t failed = 0;
    std::int64_t count = 0;     // kCount; kSeconds, kMilliseconds: the reply itself.
    base::Status error;         // The first.
    std::string text;           // kText.
    std::vector<Value> values;  // kValue, kValues.
    std::size_t held_bytes = 0;
  };

  Reply& At(std::uint64_t number) { return ring_[number & (ring_.size() - 1)]; }
  Reply& Push();
  void Apply(Reply& reply, std::uint32_t index, const KeyResult& result, std::int64_t wall_ms);
  void Keep(Reply& reply, std::uint32_t index, const KeyResult& result);
  void Drain(std::string& out);
  static void Write(const Reply& reply, std::string& out);

  std::vector<Reply> ring_;  // A power of two, or none.
  std::uint64_t first_ = 0;
  std::uint64_t end_ = 0;
  std::size_t held_bytes_ = 0;
};

// "TRYAGAIN Overloaded: …": what a client may do about it, the class, and the reason.
std::string ErrorText(const base::Status& status);

}  // namespace starling::resp
