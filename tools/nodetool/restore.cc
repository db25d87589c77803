#include "tools/nodetool/restore.h"

#include <fmt/core.h>

#include <algorithm>
#include <future>
#include <optional>
#include <utility>

#include "tools/nodetool/units.h"
#include "tools/starling/client_putter.h"

namespace starling::nodetool {

using base::Result;
using base::Status;

namespace {

constexpr std::size_t kComparedAtOnce = 16;
constexpr std::size_t kComparedInTurn = 64;
constexpr std::size_t kExamples = 5;

// The live entries of one keyspace, as records; counts the others.
class LiveEntries {
 public:
  LiveEntries(const SnapshotSet& snapshots, Restored& restored)
      : entries_(snapshots.Walk(restored.keyspace)), restored_(restored), now_ms_(WallMs()) {}

  std::optional<cli::Record> Next() {
    for (; entries_->Valid(); entries_->Next()) {
      const storage::Entry& entry = entries_->entry();
      if (entry.header.live(now_ms_)) break;
      ++(entry.header.tombstone() ? restored_.deleted : restored_.expired);
    }
    if (!entries_->Valid()) return std::nullopt;
    const storage::Entry& entry = entries_->entry();
    cli::Record record{.key = std::string(entries_->key()), .value = std::string(entry.value)};
    if ((entry.header.flags & storage::kFlagHasExpiry) != 0)
      record.ttl_ms = entry.header.expiry_ms - static_cast<std::uint64_t>(now_ms_);
    entries_->Next();
    return record;
  }
  // Once it has ended.
  Status End() {
    restored_.skipped = entries_->skipped();
    return entries_->status();
  }

 private:
  const std::unique_ptr<SnapshotSet::Entries> entries_;
  Restored& restored_;
  const std::int64_t now_ms_;
};

Status CheckWhole(const SnapshotSet& snapshots, const std::string& keyspace) {
  const std::vector<server::BucketRange> missing = snapshots.Missing(keyspace);
  if (missing.empty()) return base::Ok();
  std::string ranges;
  std::size_t buckets = 0;
  for (const server::BucketRange& range : missing) {
    ranges += fmt::format("{}{:04x}-{:04x}", ranges.empty() ? "" : ", ", range.first, range.last);
    buckets += range.last - range.first + 1U;
  }
  return base::FailedPrecondition(fmt::format(
      "these snapshots hold {:.1f} % of keyspace '{}': the buckets {} are missing; give the "
      "snapshots of more nodes, or --partial to restore what is there",
      100.0 * static_cast<double>(base::kBuckets - buckets) / base::kBuckets, keyspace, ranges));
}

void Keep(const std::string& key, std::vector<std::string>& examples) {
  if (examples.size() < kExamples) examples.push_back(key);
}

// Adds to `restored` what a put of each record would meet.
Status Compare(client::Client& client, const std::vector<cli::Record>& records,
               Restored& restored) {
  for (const cli::Record& record : records) {
    const auto held = client.Get(record.key, {.keyspace = restored.keyspace});
    if (!held) return held.error();
    if (!held->found && held->version.empty()) {
      ++restored.missing;
    } else if (!held->found) {
      ++restored.revived;
      Keep(record.key, restored.revived_keys);
    } else if (held->value == record.value) {
      ++restored.same;
    } else {
      ++restored.overwritten;
      Keep(record.key, restored.overwritten_keys);
    }
  }
  return base::Ok();
}

void Add(const Restored& part, Restored& restored) {
  restored.same += part.same;
  restored.missing += part.missing;
  restored.overwritten += part.overwritten;
  restored.revived += part.revived;
  for (const std::string& key : part.overwritten_keys) Keep(key, restored.overwritten_keys);
  for (const std::string& key : part.revived_keys) Keep(key, restored.revived_keys);
}

Status CompareAll(client::Client& client, LiveEntries& entries, Restored& restored,
                  const RestoreOptions& options) {
  std::uint64_t compared = 0;
  for (bool more = true; more && !options.interrupted();) {
    std::vector<std::future<Result<Restored>>> running;
    while (more && running.size() < kComparedAtOnce) {
      std::vector<cli::Record> records;
      while (records.size() < kComparedInTurn) {
        std::optional<cli::Record> record = entries.Next();
        more = record.has_value();
        if (!more) break;
        records.push_back(*std::move(record));
      }
      compared += records.size();
      running.push_back(
          std::async(std::launch::async, [&client, &restored, records = std::move(records)] {
            Restored part{.keyspace = restored.keyspace};
            const Status status = Compare(client, records, part);
            return status.ok() ? Result<Restored>(std::move(part)) : base::Fail(status);
          }));
    }
    Status failed;
    for (auto& each : running) {
      const Result<Restored> part = each.get();
      if (part)
        Add(*part, restored);
      else
        failed = part.error();
    }
    RETURN_IF_ERROR(failed);
    options.progress(fmt::format("{}: {} compared", restored.keyspace, compared));
  }
  return entries.End();
}

Status PutAll(client::Client& client, LiveEntries& entries, Restored& restored,
              const RestoreOptions& options) {
  cli::ClientPutter putter(client, {.keyspace = restored.keyspace, .restored = true});
  std::uint64_t number = 0;
  const cli::NextRecord next = [&]() -> std::optional<cli::Numbered> {
    if (options.interrupted()) return std::nullopt;
    std::optional<cli::Record> record = entries.Next();
    if (!record) return std::nullopt;
    return cli::Numbered{++number, *std::move(record)};
  };
  cli::ImportListener listener;
  listener.progress = [&](const cli::ImportReport& report) {
    options.progress(fmt::format("{}: {} restored", restored.keyspace, report.imported));
  };
  listener.interrupted = options.interrupted;
  restored.puts = cli::Import(next, putter, {}, listener);
  return entries.End();
}

Result<bool> CreateIfMissing(client::Client& client, const server::SnapshotKeyspace& keyspace,
                             bool dry_run) {
  ASSIGN_OR_RETURN(const wire::ClusterMap map, client.Map());
  const bool there = std::any_of(map.keyspaces.begin(), map.keyspaces.end(),
                                 [&](const auto& each) { return each.name == keyspace.name; });
  if (there || dry_run) return !there;
  const auto created = client.CreateKeyspace(keyspace.name, keyspace.replication);
  if (!created)
    return base::Fail(created.error().Annotate(fmt::format(
        "creating keyspace '{}' with '{}', as it was; create it as it shall be, and restore again",
        keyspace.name, keyspace.replication)));
  return true;
}

}  // namespace

Result<std::vector<Restored>> Restore(const SnapshotSet& snapshots, client::Client& client,
                                      const RestoreOptions& options) {
  std::vector<server::SnapshotKeyspace> wanted = snapshots.keyspaces();
  if (!options.keyspace.empty()) {
    std::erase_if(wanted, [&](const auto& each) { return each.name != options.keyspace; });
    if (wanted.empty())
      return base::Fail(
          base::NotFound(fmt::format("these snapshots have no keyspace '{}'", options.keyspace)));
  }
  if (!options.partial)
    for (const auto& keyspace : wanted) RETURN_IF_ERROR(CheckWhole(snapshots, keyspace.name));
  if (!options.damaged)
    RETURN_IF_ERROR(snapshots.Verify([&](std::uint64_t entries) {
      options.progress(fmt::format("{} entries verified", entries));
    }));

  std::vector<Restored> all;
  for (const server::SnapshotKeyspace& keyspace : wanted) {
    if (options.interrupted()) break;
    Restored& restored = all.emplace_back(Restored{.keyspace = keyspace.name});
    ASSIGN_OR_RETURN(restored.created, CreateIfMissing(client, keyspace, options.dry_run));
    LiveEntries entries(snapshots, restored);
    if (!options.dry_run) {
      RETURN_IF_ERROR(PutAll(client, entries, restored, options));
    } else if (restored.created) {
      while (entries.Next()) ++restored.missing;
      RETURN_IF_ERROR(entries.End());
    } else {
      RETURN_IF_ERROR(CompareAll(client, entries, restored, options));
    }
  }
  return all;
}

}  // namespace starling::nodetool
