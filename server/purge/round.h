// server/purge/round.h: one attempt to prove that all owners hold the same up to a horizon.
//
// PROVE goes to every owner; each closes the buckets up to the horizon, syncs, and reports their
// digests. A bucket whose digests are all equal may be purged up to the horizon: COMMIT names
// those. The others have to be repaired first, and are tried again at a later horizon. An owner
// that does not report, for whatever reason, ends the round: nobody is left out of a proof.
//
// The digests are those of the whole bucket, later entries included: so equal means that all owners
// held exactly the same, overwritten entries or not, and that is more than a proof needs.
//
// Thread:    a value; the shell is server/purge_rounds.h.
// Read next: server/purge/rules.h
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/place.h"
#include "base/status.h"
#include "base/version.h"
#include "merkle/digest.h"

namespace starling::server::purge {

struct Plan {
  base::KeyspaceId keyspace = 0;
  std::uint64_t epoch = 0;
  std::uint64_t horizon = 0;
  std::vector<base::NodeNumber> owners;  // Every one: old, and new ones that are not ready yet.
  std::vector<std::uint16_t> buckets;    // All of these owners.
};

struct Report {
  std::uint64_t epoch = 0;
  std::vector<merkle::Digest> digests;  // In the order of the plan's buckets.
};

class Round {
 public:
  explicit Round(Plan plan);  // REQUIRES: owners and buckets.

  // From whom no answer is waited for is passed over.
  void OnReport(base::NodeNumber owner, Report report);
  void OnRefused(base::NodeNumber owner, const std::string& why);

  const Plan& plan() const { return plan_; }
  bool over() const { return blocked() || reports_.size() == plan_.owners.size(); }
  bool blocked() const { return blocked_by_ != 0; }
  base::NodeNumber blocked_by() const { return blocked_by_; }
  const std::string& reason() const { return reason_; }

  // Once it is over: the buckets that may be purged. None if it is blocked.
  std::vector<std::uint16_t> Proved() const;

 private:
  bool Waits(base::NodeNumber owner) const;

  const Plan plan_;
  std::map<base::NodeNumber, Report> reports_;
  base::NodeNumber blocked_by_ = 0;
  std::string reason_;
};

// --- what travels ---

enum class Step : std::uint8_t { kProve = 1, kCommit = 2 };

inline constexpr std::size_t kRoundBucketsMax = 4096;

// step u8 | epoch u64 | keyspace u32 | horizon u64 | count u32 | buckets u16; little-endian
struct Request {
  Step step = Step::kProve;
  std::uint64_t epoch = 0;
  base::KeyspaceId keyspace = 0;
  std::uint64_t horizon = 0;
  std::vector<std::uint16_t> buckets;
};
std::string EncodeRequest(const Request& request);
base::Result<Request> DecodeRequest(base::Bytes bytes);  // InvalidArgument when malformed.

// epoch u64 | count u32 | digests, 24 bytes each
std::string EncodeReport(const Report& report);
base::Result<Report> DecodeReport(base::Bytes bytes);

// --- what an owner asks itself ---

struct OwnerFacts {
  std::uint64_t epoch = 0;  // That it has stored, and all of whose workers act on.
  bool ready = false;
  bool enabled = true;    // purge.enabled
  bool syncs_all = true;  // What it acknowledges or sends on is synced: durability = group.
  std::int64_t wall_ms = 0;
  std::int64_t write_timeout_ms = 0;
};
// May it report, and carry out what is committed? Else why not.
base::Status MayTakePart(const OwnerFacts& facts, const Request& request);

}  // namespace starling::server::purge
