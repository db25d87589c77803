// Goal:   no bytes crash the RESP port, and what comes in pieces is answered as what comes at once.
// Method: a session with a store behind it plays the input whole and in pieces, which are drawn by
//         its hash; operations are carried out in the order of the connection, or fail all.
#include <fmt/core.h>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/hash.h"
#include "base/random.h"
#include "server/resp/session.h"
#include "tests/fuzz/input.h"

namespace starling::resp {
namespace {

constexpr std::int64_t kWallMs = 1'000'000;

// Small, so that inputs of some hundred bytes reach them.
SessionOptions Small() {
  SessionOptions options;
  options.parser = {.args_max = 64, .bulk_bytes_max = 512, .request_bytes_max = 2048};
  options.key_bytes_max = 64;
  options.value_bytes_max = 256;
  options.in_flight_max = 8;
  return options;
}

Facts Known() {
  Facts facts;
  facts.wall_ms = kWallMs;
  facts.config = {{"appendonly", "yes"}, {"save", ""}, {"maxmemory", "0"}};
  return facts;
}

class Connection {
 public:
  explicit Connection(bool failing) : failing_(failing), session_(Small()), facts_(Known()) {}

  void Send(base::Bytes bytes) {
    if (session_.closing()) return;  // Nothing is read any more.
    unused_ += bytes;
    Consume();
    while (!asked_.empty()) {
      Answer();
      if (session_.waiting() || asked_.empty()) Consume();
    }
    CHECK(!session_.waiting());
  }

  // All that it answers.
  std::string End() {
    session_.End();
    CHECK(session_.finished());
    return std::move(answers_);
  }

 private:
  struct Asked {
    KeyOp op;
    std::string key, value;
  };
  struct Kept {
    std::string value;
    std::uint64_t expiry_ms = 0;
  };

  void Consume() {
    for (bool more = true; more && !session_.closing(); more = session_.more()) {
      const fuzz::Exact bytes(unused_);
      const std::size_t used = session_.Consume(bytes.bytes(), facts_);
      CHECK(used <= unused_.size());
      TakeOutputs();
      unused_.erase(0, used);
    }
  }

  // Before the bytes that they point into are gone.
  void TakeOutputs() {
    Outputs& outputs = session_.outputs();
    answers_ += std::exchange(outputs.bytes, {});
    for (const KeyOp& op : outputs.ops) {
      CHECK(op.key.size() <= Small().key_bytes_max);
      CHECK(op.value.size() <= Small().value_bytes_max);
      asked_.push_back({op, std::string(op.key), std::string(op.value)});
    }
    outputs.ops.clear();
    CHECK(session_.in_flight() == asked_.size());
    CHECK(session_.in_flight() <= Small().in_flight_max);
  }

  void Answer() {
    const Asked asked = std::move(asked_.front());
    asked_.pop_front();
    KeyResult result;
    const auto kept = store_.find(asked.key);
    if (failing_) {
      result.status = base::Unavailable("a\r\nb");
    } else if (asked.op.is_write) {
      if (asked.op.tombstone)
        store_.erase(asked.key);
      else
        store_[asked.key] = {asked.value, asked.op.ttl_ms == 0 ? 0 : kWallMs + asked.op.ttl_ms};
    } else if (kept != store_.end()) {
      result.found = true;
      result.expiry_ms = kept->second.expiry_ms;
      if (asked.op.want_value) result.value = kept->second.value;
    }
    session_.OnResult(asked.op.id, result, kWallMs);
    TakeOutputs();
  }

  const bool failing_;
  Session session_;
  const Facts facts_;
  std::string unused_, answers_;
  std::deque<Asked> asked_;
  std::map<std::string, Kept> store_;
};

std::optional<std::int64_t> TakeLine(base::Bytes& replies) {
  const std::size_t end = replies.find("\r\n");
  CHECK(end != base::Bytes::npos);
  const std::string line(replies.substr(1, end - 1));
  CHECK(line.find('\n') == std::string::npos);
  const char kind = replies.front();
  replies.remove_prefix(end + 2);
  if (kind == '+' || kind == '-') return std::nullopt;
  return std::stoll(line);  // Throws if it is no number.
}

// Whole replies and nothing else: what keys and errors hold does not get between them.
void CheckReplies(base::Bytes replies) {
  for (std::int64_t missing = 0; missing > 0 || !replies.empty(); --missing) {
    CHECK(!replies.empty());
    const char kind = replies.front();
    CHECK(base::Bytes("+-:$*").find(kind) != base::Bytes::npos);
    const std::optional<std::int64_t> count = TakeLine(replies);
    missing = std::max<std::int64_t>(missing, 1);
    if (kind == '*') missing += *count;
    if (kind != '$' || *count < 0) continue;
    const auto size = static_cast<std::size_t>(*count);
    CHECK(replies.size() >= size + 2);
    CHECK(replies.substr(size, 2) == "\r\n");
    replies.remove_prefix(size + 2);
  }
}

std::string Play(base::Bytes stream, bool failing, base::Random* random) {
  Connection connection(failing);
  while (!stream.empty()) {
    const std::size_t size = random != nullptr ? 1 + random->Below(40) : stream.size();
    connection.Send(stream.substr(0, size));
    stream.remove_prefix(std::min(size, stream.size()));
  }
  std::string answers = connection.End();
  CheckReplies(answers);
  return answers;
}

}  // namespace
}  // namespace starling::resp

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace starling;
  const base::Bytes stream = fuzz::Input(data, size).Rest();
  base::Random random(base::Hash64(stream));
  for (const bool failing : {false, true})
    CHECK(resp::Play(stream, failing, nullptr) == resp::Play(stream, failing, &random));
  return 0;
}
