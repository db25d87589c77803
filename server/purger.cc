#include "server/purger.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/mutants.h"

namespace starling::server {

// What one COMMIT lets go.
struct Purger::Pass {
  std::uint64_t serial = 0;
  base::KeyspaceId keyspace = 0;
  std::uint64_t epoch = 0;
  std::uint64_t horizon = 0;
  bool begun = false;                 // All that came before it is where a scan sees it.
  std::deque<std::uint16_t> buckets;  // To be looked at yet; the first may be in part.
  std::string after;                  // Within the first: go on behind this stored key.
  std::uint32_t due_s = purge::DeadCounts::kNever;  // Of what was found to stay in the first.
  std::size_t open = 0;                             // Removals under way.
  std::vector<std::pair<std::uint16_t, std::uint32_t>> looked_at;  // With when each is due again.
  bool failed = false;
};

struct Purger::ScanJob final : base::Job {
  ScanJob(Purger& home, const Pass& pass, std::int64_t now_ms)
      : purger(home),
        keyspace(pass.keyspace),
        horizon(pass.horizon),
        after(pass.after),
        wall_ms(now_ms),
        buckets(pass.buckets.begin(),
                pass.buckets.begin() +
                    static_cast<std::ptrdiff_t>(std::min(pass.buckets.size(), kBucketsAtATime))) {}
  void Run() noexcept override {
    std::size_t found = 0;
    for (const std::uint16_t bucket : buckets) {
      pages.push_back(FindDead(purger.parts_.engine, keyspace, bucket,
                               pages.empty() ? base::Bytes(after) : base::Bytes(), horizon,
                               kFoundMax - found, wall_ms));
      found += pages.back().found.size();
      if (!pages.back().done || found >= kFoundMax) break;
    }
  }
  void Done() override { purger.OnScanned(*this); }

  Purger& purger;
  const base::KeyspaceId keyspace;
  const std::uint64_t horizon;
  const std::string after;
  const std::int64_t wall_ms;
  const std::vector<std::uint16_t> buckets;
  std::vector<DeadPage> pages;  // Of the first buckets.
};

Purger::Purger(const PurgerParts& parts) : parts_(parts) {}
Purger::~Purger() = default;

void Purger::Adopt(SnapshotPtr snapshot) {
  const bool begins = snapshot->catching_up && (snapshot_ == nullptr || !snapshot_->catching_up ||
                                                snapshot_->me().back != snapshot->me().back);
  snapshot_ = std::move(snapshot);
  if (begins) CloseBeforeCatchingUp();
}

// The others may have purged up to now, and what is older than that may come here by a hint or a
// slow coordinator: it is refused, as it would be there. What they have of it, repair brings.
void Purger::CloseBeforeCatchingUp() {
  if (base::Mutant("catching-up-open")) return;
  // No owner takes part in a round whose horizon is younger by its own clock.
  const base::Duration age =
      std::max(base::Duration(0), parts_.config.timeouts.write - 2 * kClockSkewMax);
  const std::uint64_t horizon = purge::HorizonAt(parts_.world.WallMs(), base::ToMs(age));
  for (const topology::Keyspace& keyspace : snapshot_->topology->keyspaces)
    for (const topology::Range& range : snapshot_->ring->ranges(keyspace.id)) {
      if (std::ranges::find(range.replicas, snapshot_->self) == range.replicas.end()) continue;
      for (std::uint32_t bucket = range.first_bucket; bucket <= range.last_bucket; ++bucket)
        if (parts_.replica.Owns(static_cast<std::uint16_t>(bucket)))
          parts_.replica.Close(keyspace.id, static_cast<std::uint16_t>(bucket), horizon);
    }
}

void Purger::OnStep(const PurgeStepMail& mail) {
  if (mail.request.step == purge::Step::kProve)
    Prove(mail);
  else
    Commit(mail);
}

void Purger::Done(std::uint64_t serial, const base::Status& status,
                  std::vector<merkle::Digest> digests) {
  auto mail = std::make_unique<PurgeStepDoneMail>();
  mail->serial = serial;
  mail->status = status;
  mail->digests = std::move(digests);
  parts_.world.Post(base::kControlActor, std::move(mail));
}

// Control has looked already; but this worker may act on an older epoch, or a newer one.
base::Status Purger::Check(const purge::Request& request) const {
  const purge::OwnerFacts facts{.epoch = snapshot_->topology->epoch,
                                .ready = snapshot_->ready(),
                                .enabled = parts_.config.purge.enabled,
                                .syncs_all = parts_.config.storage.durability == Durability::kGroup,
                                .wall_ms = parts_.world.WallMs(),
                                .write_timeout_ms = base::ToMs(parts_.config.timeouts.write)};
  RETURN_IF_ERROR(purge::MayTakePart(facts, request));
  for (const std::uint16_t bucket : request.buckets) {
    const auto owners = snapshot_->ring->Replicas(request.keyspace, bucket);
    if (std::find(owners.begin(), owners.end(), snapshot_->self) == owners.end())
      return base::FailedPrecondition(fmt::format("bucket {:04x} is not this node's", bucket));
    if (!parts_.replica.making().Made(bucket))
      return base::Unavailable("its tree is being made anew");
    if (parts_.replica.FillsBucket(request.keyspace, bucket) &&
        !base::Mutant("repair-run-proved-early"))
      return base::Unavailable("what was pulled for it is just becoming tables");
  }
  return base::Ok();
}

// --- PROVE ---

void Purger::Prove(const PurgeStepMail& mail) {
  if (const base::Status may = Check(mail.request); !may.ok()) return Done(mail.serial, may);
  std::vector<merkle::Digest>& digests = proving_[mail.serial];
  for (const std::uint16_t bucket : mail.request.buckets) {
    parts_.replica.Close(mail.request.keyspace, bucket, mail.request.horizon);
    digests.push_back(parts_.replica.LeafOf(mail.request.keyspace, bucket));
  }
  parts_.replica.Notify(
      {Ticket::Kind::kPurge, static_cast<std::uint64_t>(Told::kProved), mail.serial, 0});
}

// --- COMMIT ---

void Purger::Commit(const PurgeStepMail& mail) {
  const purge::Request& request = mail.request;
  base::Status may = Check(request);
  if (may.ok() && passes_.size() >= kPassesMax)
    may = base::Overloaded("too much waits to be purged already");
  if (!may.ok()) return Done(mail.serial, may);
  auto pass = std::make_unique<Pass>();
  pass->serial = ++serial_;
  pass->keyspace = request.keyspace;
  pass->epoch = request.epoch;
  pass->horizon = request.horizon;
  for (const std::uint16_t bucket : request.buckets) {
    const purge::Mark mark = parts_.replica.MarkOf(request.keyspace, bucket);
    if (mark.closed < request.horizon || mark.purged >= request.horizon) continue;
    if (!busy_.emplace(request.keyspace, bucket).second) continue;  // A round will come again.
    pass->buckets.push_back(bucket);
    parts_.replica.dead().BeginPass(request.keyspace, bucket);
    parts_.replica.SetRemoving(request.keyspace, bucket, request.horizon);
  }
  Done(mail.serial, base::Ok());
  if (pass->buckets.empty()) return;
  parts_.replica.Notify(
      {Ticket::Kind::kPurge, static_cast<std::uint64_t>(Told::kBegun), pass->serial, 0});
  passes_.push_back(std::move(pass));
}

// The proof is of one epoch, and holds for whoever is still in it.
bool Purger::Stands(const Pass& pass) const {
  return !pass.failed && snapshot_->topology->epoch == pass.epoch && snapshot_->ready();
}

void Purger::OnTurnEnd() {
  if (!passes_.empty()) Go();
}

void Purger::Go() {
  Pass& pass = *passes_.front();
  if (!pass.begun || job_ != nullptr || pass.open > 0) return;
  if (!Stands(pass) || pass.buckets.empty()) {
    EndPass();
    return OnTurnEnd();
  }
  if (!parts_.replica.HasRoomForRepair()) return;
  job_ = std::make_unique<ScanJob>(*this, pass, parts_.world.WallMs());
  parts_.world.Offload(base::Lane::kBackground, *job_);
}

void Purger::OnScanned(ScanJob& job) {
  CHECK(job_.get() == &job);
  const std::unique_ptr<ScanJob> done = std::move(job_);
  Pass& pass = *passes_.front();
  ++pass.open;  // So that no answer ends the batch before all of it is queued.
  for (std::size_t i = 0; i < done->pages.size() && Stands(pass); ++i) {
    const DeadPage& page = done->pages[i];
    parts_.met_damage.Note(page.status);
    parts_.met_damage.Note(page.unreadable);
    if (!page.status.ok()) {
      base::log::Warn("purge", "bucket {:04x} cannot be read: {}", done->buckets[i],
                      page.status.message());
      pass.failed = true;
      break;
    }
    for (const Removable& each : page.found) {
      ++pass.open;
      parts_.replica.Remove(
          {.keyspace = pass.keyspace,
           .token = each.token,
           .stored_key = each.stored_key,
           .header = each.header,
           .value = {},
           .ticket = {Ticket::Kind::kPurge, static_cast<std::uint64_t>(Told::kRemoved), pass.serial,
                      0}});
    }
    pass.due_s = std::min(pass.due_s, page.due_s);
    pass.after = page.last;
    if (!page.done) break;
    pass.looked_at.emplace_back(done->buckets[i], pass.due_s);
    pass.buckets.pop_front();
    pass.after.clear();
    pass.due_s = purge::DeadCounts::kNever;
  }
  if (--pass.open == 0) EndBatch(pass);
}

void Purger::OnLocalWrite(const Ticket& ticket, const base::Status& error) {
  switch (static_cast<Told>(ticket.a)) {
    case Told::kProved: {
      auto proved = proving_.extract(ticket.b);
      CHECK(!proved.empty());
      Done(ticket.b, base::Ok(), std::move(proved.mapped()));
      return;
    }
    case Told::kBegun:
      for (const auto& pass : passes_)
        if (pass->serial == ticket.b) pass->begun = true;
      return;
    case Told::kRemoved: break;
  }
  Pass& pass = *passes_.front();
  CHECK(pass.serial == ticket.b);
  if (!error.ok()) pass.failed = true;  // It cannot be read, and stays.
  if (--pass.open == 0) EndBatch(pass);
}

// All removals of some buckets are committed: their marks rise.
void Purger::EndBatch(Pass& pass) {
  for (const auto& [bucket, due_s] : pass.looked_at) {
    if (Stands(pass)) {
      parts_.replica.dead().EndPass(pass.keyspace, bucket, due_s);
      parts_.replica.RaisePurged(pass.keyspace, bucket, pass.horizon);
    } else {
      parts_.replica.dead().AbandonPass(pass.keyspace, bucket);
    }
    parts_.replica.SetRemoving(pass.keyspace, bucket, 0);
    busy_.erase({pass.keyspace, bucket});
  }
  pass.looked_at.clear();
}

void Purger::EndPass() {
  const std::unique_ptr<Pass> pass = std::move(passes_.front());
  passes_.pop_front();
  for (const std::uint16_t bucket : pass->buckets) {
    parts_.replica.dead().AbandonPass(pass->keyspace, bucket);
    parts_.replica.SetRemoving(pass->keyspace, bucket, 0);
    busy_.erase({pass->keyspace, bucket});
  }
  ++passes_ended_;
}

PurgeStats Purger::StatsOf(base::KeyspaceId keyspace) const {
  PurgeStats stats{parts_.replica.dead().TotalsOf(keyspace),
                   parts_.replica.marks().Highest(keyspace), UINT64_MAX};
  parts_.replica.dead().ForEach(keyspace, [&](std::uint16_t bucket) {
    if (const std::uint64_t purged = parts_.replica.MarkOf(keyspace, bucket).purged; purged != 0)
      stats.oldest_purged = std::min(stats.oldest_purged, purged);
  });
  return stats;
}

void Purger::OnDueQuery(const PurgeDueQueryMail& mail) {
  auto answer = std::make_unique<PurgeDueAnswerMail>();
  answer->serial = mail.serial;
  if (snapshot_ != nullptr)
    for (const topology::Keyspace& keyspace : snapshot_->topology->keyspaces) {
      auto due = parts_.replica.dead().Due(keyspace.id, mail.horizon, purge::kRoundBucketsMax);
      if (!due.empty()) answer->due[keyspace.id] = std::move(due);
    }
  parts_.world.Post(base::kControlActor, std::move(answer));
}

}  // namespace starling::server
