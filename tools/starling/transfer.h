// tools/starling/transfer.h: many records in and out of a keyspace: import and export.
//
// Thread: blocks its caller.
#pragma once

#include <cstdint>
#include <functional>
#include <istream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "client/client.h"
#include "tools/starling/lines.h"

namespace starling::cli {

// How import talks to the cluster: a client, or a test.
class Putter {
 public:
  virtual ~Putter() = default;
  // Calls back once, from any thread.
  virtual void Put(const Record& record, std::function<void(const base::Status&)> done) = 0;
};

struct ImportOptions {
  Format format = Format::kJsonl;
  std::size_t in_flight_max = 512;  // Puts at a time, with those that wait to be made again,
  std::size_t in_flight_bytes_max = 32 * 1024 * 1024;  // and their bytes.
  // A put that the cluster had no room or no replicas for was not made: it is made again, after
  // so long, twice as long each time.
  unsigned retries_max = 6;
  base::Duration retry_after = base::milliseconds(100);
  std::size_t failures_kept = 20;  // For the report; all are counted.
  // It gives up when so many puts, or more, have failed for good over so long or longer, and none
  // was made meanwhile. The number alone says nothing: a node that dies takes every put with it
  // that is on its connection, in one moment, and the other nodes take the rest. Nor does the time:
  // there may have been nothing to put.
  unsigned failures_max = 100;
  base::Duration give_up_after = base::seconds(10);
  std::function<base::Instant()> now{};  // Monotonic. Empty: the machine's clock.
};

struct ImportFailure {
  std::uint64_t line = 0;  // From 1.
  std::string why;
};

// Of a put that failed: its outcome is unknown.
bool MayBeStored(base::Code code);

// All failures of a code, and the one that stands first in the file.
struct ImportFailures {
  std::uint64_t count = 0;
  ImportFailure first{};
};

struct ImportReport {
  std::uint64_t lines = 0;
  std::uint64_t imported = 0;
  std::uint64_t bytes = 0;              // Of what was imported: keys and values.
  std::uint64_t failed = 0;             // Refused, and not stored.
  std::uint64_t unknown = 0;            // No answer came: stored or not.
  std::vector<ImportFailure> failures;  // The first few of both, by line.
  std::map<base::Code, ImportFailures> failures_by_code;
  bool interrupted = false;
  bool gave_up = false;         // As the options say: `in` may have lines left,
  std::uint64_t not_tried = 0;  // besides those that were read already.
};

// All are called on Import's own thread.
struct ImportListener {
  // Now and then, with the counts so far.
  std::function<void(const ImportReport&)> progress;
  // Once: the first put that was refused, while it is tried again or fails.
  std::function<void(const ImportFailure&)> trouble;
  // Asked often: true ends the import. What is under way is waited for, and nothing tried again.
  std::function<bool()> interrupted{};
};

// The next record, with the number that names it in the report; nullopt at the end, and the reason
// why it can't be had where that is so: the next call is for the one after it.
struct Numbered {
  std::uint64_t number = 0;
  base::Result<Record> record;
};
using NextRecord = std::function<std::optional<Numbered>()>;

// Puts all records, many at a time; one that waits to be put again keeps its place among them, and
// holds up no other.
ImportReport Import(const NextRecord& next, Putter& putter, const ImportOptions& options,
                    const ImportListener& listener);

// Of the lines of `in`, numbered from 1. Empty ones are passed over.
ImportReport Import(std::istream& in, Putter& putter, const ImportOptions& options,
                    const ImportListener& listener);

}  // namespace starling::cli
