#include "server/adoption.h"

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "base/mutants.h"

namespace starling::server {
namespace {

constexpr std::size_t kExtraBytesMax = 1 << 20;  // Of values on their way to the quarantine.

}  // namespace

struct Adoption::ScanJob final : base::Job {
  explicit ScanJob(Adoption& home) : adoption(home) {}
  void Run() noexcept override {
    page = FindExtras(adoption.engine_, span, names, mark, kExtraBytesMax);
  }
  void Done() override { adoption.OnScanned(*this); }

  Adoption& adoption;
  std::uint64_t serial = 0;
  Span span;
  std::string names;
  std::uint64_t mark = 0;
  ExtraPage page;
};

Adoption::Adoption(base::World& world, storage::Engine& engine, Replica& replica,
                   MetDamage& met_damage)
    : world_(world), engine_(engine), replica_(replica), met_damage_(met_damage) {}
Adoption::~Adoption() = default;

Adoption::Bucket* Adoption::Find(std::uint64_t serial) {
  const auto it = buckets_.find(serial);
  return it == buckets_.end() ? nullptr : &it->second;
}

void Adoption::OnPage(std::uint64_t epoch, std::uint64_t purged, Span span, std::string names) {
  if (base::Mutant("purge-no-adoption")) return;
  const Id id{span.keyspace, span.bucket};
  if (!current_.contains(id)) {
    if (!span.after.empty()) return;  // It began without us: not all was named.
    const std::uint64_t serial = ++serial_;
    current_[id] = serial;
    ids_[serial] = id;
    buckets_[serial] = {.serial = serial, .epoch = epoch, .purged = purged};
  }
  Bucket& bucket = buckets_.at(current_.at(id));
  bucket.purged = std::min(bucket.purged, purged);
  if (bucket.epoch != epoch) bucket.failed = true;
  // What is to be looked for must not come anew behind our back.
  replica_.Close(span.keyspace, span.bucket, purged);
  ++bucket.open;
  auto job = std::make_unique<ScanJob>(*this);
  job->serial = bucket.serial;
  job->span = std::move(span);
  job->names = std::move(names);
  job->mark = bucket.purged;
  ScanJob& running = *job;
  jobs_.push_back(std::move(job));
  world_.Offload(base::Lane::kBackground, running);
}

void Adoption::OnScanned(ScanJob& job) {
  const auto it = std::find_if(jobs_.begin(), jobs_.end(),
                               [&](const auto& each) { return each.get() == &job; });
  CHECK(it != jobs_.end());
  const std::unique_ptr<ScanJob> done = std::move(*it);
  jobs_.erase(it);
  Bucket* bucket = Find(done->serial);
  CHECK(bucket != nullptr);  // It waits for its jobs.
  met_damage_.Note(done->page.status);
  met_damage_.Note(done->page.unreadable);
  if (!done->page.status.ok() || !done->page.whole) bucket->failed = true;
  if (bucket->epoch == epoch_)
    for (const Removable& each : done->page.found) {
      ++bucket->open;
      replica_.Remove({.keyspace = done->span.keyspace,
                       .token = each.token,
                       .stored_key = each.stored_key,
                       .header = each.header,
                       .quarantine = !each.header.tombstone(),
                       .value = each.value,
                       .ticket = {Ticket::Kind::kAdopt, done->serial, 0, 0}});
    }
  Settle(done->serial);
}

void Adoption::OnLastPage(const Id& id) {
  const auto it = current_.find(id);
  if (it == current_.end()) return;
  const std::uint64_t serial = it->second;
  current_.erase(it);
  Bucket& bucket = buckets_.at(serial);
  bucket.last = true;
  // What the pages brought is in this commit; what has to wait for its old version from the disk,
  // the next comparison would bring again.
  ++bucket.open;
  replica_.Notify({Ticket::Kind::kAdopt, serial, 0, 0});
}

void Adoption::GiveUp(const Id& id) {
  const auto it = current_.find(id);
  if (it == current_.end()) return;
  const std::uint64_t serial = it->second;
  current_.erase(it);
  Bucket& bucket = buckets_.at(serial);
  bucket.last = bucket.failed = true;
  ++bucket.open;
  Settle(serial);
}

void Adoption::OnLocalWrite(const Ticket& ticket, const base::Status& error) {
  Bucket* bucket = Find(ticket.a);
  CHECK(bucket != nullptr);
  if (!error.ok()) bucket->failed = true;
  Settle(ticket.a);
}

void Adoption::Settle(std::uint64_t serial) {
  Bucket& bucket = buckets_.at(serial);
  if (--bucket.open > 0 || !bucket.last) return;
  const Id id = ids_.at(serial);
  if (!bucket.failed && bucket.epoch == epoch_) {
    replica_.RaisePurged(id.first, id.second, bucket.purged);
    ++adopted_;
  }
  buckets_.erase(serial);
  ids_.erase(serial);
}

}  // namespace starling::server
