// tests/sim/history.h: what all clients of a simulated cluster did, and whether that can be.
//
// A record is one operation as its client meant it: a put and its retries under the same stamp are
// one. A refused one (kUnavailable, kOverloaded) was never tried, and must not show up.
//
// Thread:    confined to one thread.
// Read next: tests/sim/linearizability.h
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/version.h"
#include "tests/sim/linearizability.h"

namespace starling::sim {

struct Record {
  std::string key{};
  Operation operation{};
  std::uint64_t ttl_ms = 0;  // Of a put that expires. The check of histories knows of none.
  bool done = false;         // No answer is waited for any more.
  bool refused = false;      // It did not happen.
  base::Status status{};
  base::Version stamp{};  // Of a put: the last that is known, to repeat it. Of a get: what it saw.
};

class History {
 public:
  using Id = std::size_t;

  Id Begin(std::uint32_t client, std::string key, Operation::Kind kind, std::uint64_t value,
           base::Instant now);
  Record& record(Id id) { return records_[id]; }
  const std::vector<Record>& records() const { return records_; }
  std::uint64_t NextValue() { return ++last_value_; }

  // Per key: linearizable? Else the key and the operations that can't be.
  std::optional<std::string> Check() const;
  // All keys that were written to, in order.
  std::vector<std::string> Keys() const;

  struct Summary {
    std::size_t operations = 0;
    std::size_t acknowledged = 0;
    std::size_t unknown = 0;
    std::size_t refused = 0;
  };
  Summary Summarize() const;

 private:
  std::vector<Record> records_;
  std::uint64_t last_value_ = 0;
};

// A value's bytes, from which its number can be had again; the size varies with the number.
std::string ValueBytes(std::uint64_t value);
// nullopt: these are not the bytes of any ValueBytes.
std::optional<std::uint64_t> ParseValue(base::Bytes bytes);

}  // namespace starling::sim
