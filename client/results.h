// client/results.h: what a client may ask, and what it is told.
//
// Ownership: views in arguments live for the call; views in results until the listener's method
//            returns.
// Read next: client/session.h.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/status.h"
#include "base/time.h"
#include "server/wire/entries.h"
#include "server/wire/messages.h"

namespace starling::client {

inline constexpr std::string_view kDefaultKeyspace = "default";

// In all arguments, timeout 0: the session's own.

struct PutArgs {
  std::string_view keyspace = kDefaultKeyspace;
  base::Bytes key{};
  base::Bytes value{};
  bool tombstone = false;          // A delete: no value.
  base::Duration time_to_live{0};  // 0: for ever.
  bool restored = false;           // A snapshot or a quarantine had it.
  wire::Consistency level = wire::Consistency::kQuorum;
  base::Version stamp{};  // Of the put that this one repeats; else empty.
  base::Duration timeout{0};
};

struct PutResult {
  base::Status status{};
  base::Version version{};
  std::span<const base::NodeNumber> replicas{};  // That had acknowledged.
  // With kTimeout: empty, or what a repetition must carry.
  base::Version stamp{};
};

struct GetArgs {
  std::string_view keyspace = kDefaultKeyspace;
  base::Bytes key{};
  bool want_value = true;
  wire::Consistency level = wire::Consistency::kQuorum;
  base::Duration timeout{0};
};

struct GetResult {
  base::Status status{};  // Ok also if there is no such key.
  bool found = false;
  base::Version version{};      // Of a delete too; empty: never written.
  std::uint64_t expiry_ms = 0;  // Wall time; 0: never.
  base::Bytes value{};
  std::span<const base::NodeNumber> replicas{};
};

// One page of a keyspace, in the order of token and key.
struct ScanArgs {
  std::string_view keyspace = kDefaultKeyspace;
  base::Token from_token = 0;
  base::Bytes after_key{};
  wire::Consistency level = wire::Consistency::kQuorum;
  std::uint32_t bytes_max = 1024 * 1024;
  base::Duration timeout{0};
};

struct ScanResult {
  base::Status status{};
  std::span<const wire::PackedEntry> entries{};  // Live ones, each compared with its digest.
  bool done = false;
  base::Token next_token = 0;  // If not done: for the next page's arguments.
  base::Bytes next_after_key{};
};

struct CreateKeyspaceArgs {
  std::string_view name{};
  std::string_view replication{};  // "simple:3" or "dc1:3,dc2:2"
  base::Duration timeout{0};
};

struct CreateKeyspaceResult {
  base::Status status{};
  base::KeyspaceId id = 0;
  bool existed = false;
};

struct AdminArgs {
  std::string_view command{};
  base::Bytes json{};  // Arguments.
  base::Duration timeout{0};
};

struct AdminResult {
  base::Status status{};
  base::Bytes json{};
};

}  // namespace starling::client
