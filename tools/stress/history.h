// tools/stress/history.h: what a load did and saw, kept to be judged, in memory and in a file.
//
// The file is text, a line an operation in the order of their ends, fields between tabs:
//   invoke_us return_us op outcome record id version
//   op: put, del, get; outcome: ok, unknown (it may take effect at any time, or never), failed (it
//   changed nothing); id: of the value put or read, 16 hex digits, "-" for none (a delete, or
//   nothing found), "?" for a value that this load did not write; version: as nodetool shows it, or
//   "-"
// after one line of head, # starling-history 1 run=HEX deletes=yes|no keyspace=NAME, and before one
// at the orderly end, # end. Times are microseconds since the load began, on the generator's
// monotonic clock; the run is the part of a value's id that all values of the load share.
//
// Thread:    confined to one thread.
// Read next: tools/stress/check.h.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "base/version.h"

namespace starling::stress {

enum class EventType : std::uint8_t { kPut, kDelete, kGet };
enum class Outcome : std::uint8_t { kOk, kUnknown, kFailed };

inline constexpr std::uint64_t kNothing = 0;           // The id of no value.
inline constexpr std::uint64_t kForeign = UINT64_MAX;  // Of one that another load wrote.

struct Event {
  std::int64_t invoke_us = 0;
  std::int64_t return_us = 0;
  EventType type = EventType::kGet;
  Outcome outcome = Outcome::kOk;
  std::uint64_t record = 0;
  std::uint64_t id = kNothing;
};

// A value's id is the run that wrote it, then a counter.
inline constexpr unsigned kRunShift = 40;
inline constexpr std::uint32_t kRunMax = (1U << 24) - 1;

struct HistoryHead {
  std::uint32_t run = 0;
  bool deletes = false;  // Whether the load may delete.
  std::string keyspace;
};

struct History {
  HistoryHead head;
  std::vector<Event> events;
  bool complete = false;  // False: its generator was killed, and writes may be missing.
  // By record, the highest version of a write that was acknowledged. Of a file that was read.
  std::unordered_map<std::uint64_t, base::Version> newest{};
};

// Writes events as they end. What was written before a Flush survives the process.
class HistoryFile {
 public:
  static base::Result<HistoryFile> Create(const std::string& path, const HistoryHead& head);
  void Write(const Event& event, const base::Version& version);
  base::Status Flush();  // Fails with Io when some line so far could not be written.
  base::Status End();    // The last call.

 private:
  struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  HistoryFile(std::string path, std::FILE* file) : path_(std::move(path)), file_(file) {}

  std::string path_;
  std::unique_ptr<std::FILE, CloseFile> file_;
};

std::string FormatHead(const HistoryHead& head);
base::Result<HistoryHead> ParseHead(std::string_view line);
std::string FormatEvent(const Event& event, const base::Version& version);
// `version` gets the operation's, empty if the line has none.
base::Result<Event> ParseEvent(std::string_view line, base::Version* version);

// Fails with Io when it can't be read, InvalidArgument with the number of a line that makes no
// sense, or when something stands after the end. A last line without an end, which a killed
// generator leaves, is passed over.
base::Result<History> ReadHistory(const std::string& path);

}  // namespace starling::stress
