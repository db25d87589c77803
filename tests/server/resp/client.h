// tests/server/resp/client.h: a Redis client and a store around one Session, played by the test.
//
// Operations that the session asks for wait until the test answers them, in any order: that is when
// they take effect in the store.
//
// Thread: the test's.
#pragma once

#include <fmt/core.h>

#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/resp/session.h"
#include "tests/test.h"

namespace starling::resp {

using Words = std::vector<std::string>;

inline std::string Encode(const Words& words) {
  std::string out = fmt::format("*{}\r\n", words.size());
  for (const std::string& word : words) out += fmt::format("${}\r\n{}\r\n", word.size(), word);
  return out;
}

// An operation that outlives the bytes it was cut from.
struct AskedOp {
  KeyOp op;
  std::string key;
  std::string value;
};

class Client {
 public:
  struct Entry {
    std::string value;
    std::uint64_t expiry_ms = 0;
  };

  explicit Client(const SessionOptions& options = {}) : session(options) {
    facts.wall_ms = 1'000'000;
    facts.config = {{"appendonly", "yes"}, {"save", ""}, {"maxmemory", "0"}};
  }

  // Sends bytes; what the session can't take yet stays for later.
  void Send(base::Bytes bytes) {
    unused_ += bytes;
    Pump();
  }
  void Send(const Words& words) { Send(Encode(words)); }

  // What has been answered since the last call.
  std::string Take() { return std::exchange(received_, {}); }

  // Sends a request, answers all that it asks for, and takes the reply.
  std::string Ask(const Words& words) {
    Send(words);
    AnswerAll();
    return Take();
  }

  // Carries the nth open operation out, or lets it fail.
  void Answer(std::size_t n, const base::Status& status = {}) {
    const AskedOp asked = std::move(open.at(n));
    open.erase(open.begin() + static_cast<std::ptrdiff_t>(n));
    KeyResult result;
    result.status = status;
    const auto it = store.find(asked.key);
    if (status.ok() && asked.op.is_write) {
      if (asked.op.tombstone)
        store.erase(asked.key);
      else
        store[asked.key] = {
            asked.value,
            asked.op.ttl_ms == 0 ? 0 : asked.op.ttl_ms + static_cast<std::uint64_t>(facts.wall_ms)};
    } else if (status.ok() && it != store.end()) {
      result.found = true;
      result.expiry_ms = it->second.expiry_ms;
      if (asked.op.want_value) result.value = it->second.value;
    }
    session.OnResult(asked.op.id, result, facts.wall_ms);
    TakeOutputs();
    Pump();
  }
  void AnswerAll() {
    while (!open.empty()) Answer(0);
  }

  bool unused() const { return !unused_.empty(); }

  Session session;
  Facts facts;
  std::map<std::string, Entry> store;
  std::vector<AskedOp> open;  // In the order asked for.
  std::size_t asked_ever = 0;

 private:
  // As the shell does. The bytes lie in an allocation of their own, so that a stale view shows.
  void Pump() {
    if (session.waiting()) return;
    for (bool more = true; more;) {
      const auto place = std::make_unique<char[]>(unused_.size());
      std::memcpy(place.get(), unused_.data(), unused_.size());
      const std::size_t used = session.Consume({place.get(), unused_.size()}, facts);
      REQUIRE(used <= unused_.size());
      TakeOutputs();
      unused_.erase(0, used);
      more = session.more();
    }
  }

  void TakeOutputs() {
    Outputs& outputs = session.outputs();
    received_ += std::exchange(outputs.bytes, {});
    for (const KeyOp& op : outputs.ops)
      open.push_back({op, std::string(op.key), std::string(op.value)});
    asked_ever += outputs.ops.size();
    outputs.ops.clear();
  }

  std::string unused_;
  std::string received_;
};

}  // namespace starling::resp
