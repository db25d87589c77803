// storage/guard.h: what a node knew to be on disk, kept outside of RocksDB.
//
// RocksDB opens without complaint on a directory whose log was deleted, cut between two records, or
// replaced by an older copy. So the node notes beside it how far its last sync reached: a start
// that recovers less has lost what it acknowledged (G7). The record is overwritten in place after
// each sync and not synced itself: after a kill it is exact, after a power loss it may lag, and
// never is it ahead of the data.
//
// Thread:    Guard guards itself. Synced is called on the sync lane, mark() anywhere.
// Ownership: outlives the node.
// Read next: storage/guard_file.h, server/absence.h
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>

#include "base/bytes.h"
#include "base/host_id.h"
#include "base/status.h"
#include "storage/irreplaceable.h"

namespace starling::storage {

struct GuardRecord {
  base::HostId host;
  base::HostId cluster_id;        // Empty until the node is a member.
  std::uint64_t boot = 0;         // The start that wrote it.
  std::uint64_t mark = 0;         // Engine::sequence() that the last completed sync covers.
  std::uint64_t clock_bound = 0;  // No stamp so far is higher.
  std::uint32_t members = 0;      // Of the cluster; 0: not known.
  // A start must know it before the database can be opened. What finds no room becomes `more`.
  Irreplaceable irreplaceable{};

  bool operator==(const GuardRecord&) const = default;
};

// A sector, so that a power loss leaves the old or the new one.
inline constexpr std::size_t kGuardBytes = 512;
std::string EncodeGuard(const GuardRecord& record);
// Corruption when it is not one, or damaged.
base::Result<GuardRecord> DecodeGuard(base::Bytes bytes);

class Guard {
 public:
  virtual ~Guard() = default;

  // The life that begins. Kept in memory until the first Synced.
  void Begin(const GuardRecord& record);
  // All up to `mark` is on disk. Failing to note it is no failure of the data: logged once.
  void Synced(std::uint64_t mark);
  // Noted along with the next Synced: how many nodes have data, this one with them, and what no
  // other has.
  void NoteCluster(base::HostId cluster_id, std::uint32_t members, Irreplaceable irreplaceable);
  // While it is not known who has: what is noted stays, and these are added.
  void NoteUncertain(base::HostId cluster_id, const Irreplaceable& irreplaceable);
  void NoteClockBound(std::uint64_t timestamp);

  // What the last sync covered; 0: none yet.
  std::uint64_t mark() const { return mark_.load(std::memory_order_acquire); }
  std::uint64_t boot() const { return boot_; }

 private:
  virtual base::Status Store(base::Bytes record) = 0;

  std::mutex mutex_;
  GuardRecord record_;   // Guarded by mutex_.
  bool failed_ = false;  // The same: the last Store did.
  std::atomic<std::uint64_t> mark_{0};
  std::uint64_t boot_ = 0;  // Constant after Begin.
};

// For the simulator: survives whatever the test lets it.
class MemoryGuard final : public Guard {
 public:
  // Where the record is kept; the test may change it between two lives.
  explicit MemoryGuard(std::string& kept) : kept_(kept) {}

 private:
  base::Status Store(base::Bytes record) override {
    kept_ = record;
    return base::Ok();
  }

  std::string& kept_;
};

}  // namespace starling::storage
