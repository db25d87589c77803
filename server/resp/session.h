// server/resp/session.h: one connection of a Redis client: requests in, operations on keys out,
// replies in the order of the requests.
//
// A core: the shell (server/worker_resp.cc) hands in bytes and results, then sends outputs().bytes
// and runs outputs().ops. Operations of many requests are under way together, but two that touch
// the same key take effect in the order of the connection (server/resp/key_order.h). What cannot
// begin yet is not taken: Consume() leaves its bytes with the caller, whose connection is then not
// read from. So a session holds replies, up to a limit, and never requests.
//
// MGET, MSET, DEL and EXISTS are one operation a key, each on its own: none is atomic over keys.
// DEL is a read, for the count, and then a write: another client's write between the two is
// deleted and not counted. It writes even if the read found nothing, since at a level such as ONE
// that read may be late.
//
// Thread:    confined to its worker's.
// Ownership: keys and values in outputs().ops are views into the bytes of the last Consume(), or,
//            of a later half of DEL, into the session until its result comes.
// Read next: tests/server/resp/session_test.cc, then ../docs/resp.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/slab.h"
#include "server/resp/answers.h"
#include "server/resp/key_op.h"
#include "server/resp/key_order.h"
#include "server/resp/parser.h"
#include "server/resp/reply_queue.h"

namespace starling::resp {

struct SessionOptions {
  ParserLimits parser;
  std::size_t key_bytes_max = 32 * 1024;
  std::size_t value_bytes_max = 16 * 1024 * 1024;
  // Operations under way. Higher: deeper pipelines keep more keys busy; lower: less memory.
  std::uint32_t in_flight_max = 4096;
  // What the results of all operations under way should bring. Values are not known beforehand, so
  // as many are asked for as fit if each is as large as those that came lately; never none.
  std::size_t results_bytes_max = 8 * 1024 * 1024;
  std::uint64_t client_id = 1;
};

// What the shell owes the session after a call: bytes in their order, operations in any.
struct Outputs {
  std::string bytes;
  std::vector<KeyOp> ops;
};

class Session {
 public:
  explicit Session(const SessionOptions& options);

  // Takes requests from the front of `bytes`, which begin where the last call's unused ones did.
  // Returns how many bytes were used. It stops early when a request has to wait (waiting()), or
  // when outputs() have to be taken first (more()).
  std::size_t Consume(base::Bytes bytes, const Facts& facts);
  // The client sends nothing more: what is under way is answered, then it is finished().
  void End() { closing_ = true; }
  // The result of an operation. One that is not under way (any more) is ignored.
  void OnResult(std::uint64_t op_id, const KeyResult& result, std::int64_t wall_ms);

  Outputs& outputs() { return outputs_; }

  // Consume() left a request that waits for results: until one comes it takes nothing.
  bool waiting() const { return waiting_; }
  // Consume() may go on at once when outputs() have been taken.
  bool more() const { return more_; }
  // Nothing more will be read: after QUIT, the client's end, or what was no Redis.
  bool closing() const { return closing_; }
  // The connection is to be closed once outputs().bytes have left.
  bool finished() const { return closing_ && replies_.empty(); }

  std::size_t in_flight() const { return ops_.size(); }

 private:
  enum class Progress : std::uint8_t { kDone, kWaits };

  // The request at the front whose keys are being asked for.
  struct Current {
    ReplyKind kind{};
    std::uint64_t reply = 0;
    std::size_t next = 0;  // Of its keys: those before are under way or done.
    std::size_t keys = 0;
    std::size_t step = 1;  // 2: key, value, key, value, …
    bool writes = false;
    bool deletes = false;
    std::uint64_t ttl_ms = 0;
    std::vector<bool> overwritten;  // MSET: a later value of the same request replaces it.
  };
  struct Op {
    std::uint64_t reply = 0;
    std::uint32_t index = 0;
    KeyOrder::Access access{};
    bool deletes = false;
    bool existed = false;  // Of a delete: its read is done, and found something.
    bool writing = false;  // Of a delete: its write is under way.
    std::uint64_t hash = 0;
    std::string key;  // Of a delete: for its write.
  };

  Progress Handle(const Facts& facts);
  // False: refused, and answered with the reason.
  bool Begin(const Command& command, const Facts& facts);
  bool CheckKeys(const Facts& facts);
  bool ParseSetOptions();
  std::size_t FindOverwritten();
  bool Refuse(base::Bytes error);
  Progress AskKeys();
  bool AskKey(std::size_t index);
  std::string& Text() { return replies_.Text(outputs_.bytes); }
  std::size_t Window() const;

  const SessionOptions options_;
  Parser parser_;
  ClientInfo client_;
  KeyOrder order_;
  base::Slab<Op> ops_;
  ReplyQueue replies_;
  Outputs outputs_;
  Current current_;
  bool begun_ = false;  // current_ is the request at the front.
  bool waiting_ = false;
  bool more_ = false;
  bool closing_ = false;
  std::size_t result_bytes_;  // What one operation lately brought, at most: see Window().
};

}  // namespace starling::resp
