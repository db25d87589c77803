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

std::uint64_t Adoption::Begin(const Id& id, std::uint64_t epoch, std::uint64_t purged) {
  buckets_[++serial_] = {.id = id, .epoch = epoch, .purged = purged};
  // What is to be looked for must not come anew behind our back.
  replica_.Close(id.first, id.second, purged);
  return serial_;
}

void Adoption::OnTaking(std::uint64_t serial) {
  if (!base::Mutant("repair-adopts-early")) ++buckets_.at(serial).open;
}

void Adoption::OnTaken(std::uint64_t serial, const base::Status& error) {
  if (!base::Mutant("repair-adopts-early")) End(serial, error);
}

void Adoption::OnPage(std::uint64_t serial, std::uint64_t epoch, std::uint64_t purged, Span span,
                      std::string names) {
  Bucket& bucket = buckets_.at(serial);
  bucket.purged = std::min(bucket.purged, purged);
  if (bucket.epoch != epoch) bucket.failed = true;
  ++bucket.open;
  auto job = std::make_unique<ScanJob>(*this);
  job->serial = serial;
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
  Bucket& bucket = buckets_.at(done->serial);  // It waits for its jobs.
  met_damage_.Note(done->page.status);
  met_damage_.Note(done->page.unreadable);
  // What is owed comes with the next comparison, once what hid it is gone.
  if (!done->page.status.ok() || !done->page.whole || done->page.owed) bucket.failed = true;
  if (bucket.epoch == epoch_)
    for (const Removable& each : done->page.found) {
      ++bucket.open;
      replica_.Remove({.keyspace = done->span.keyspace,
                       .token = each.token,
                       .stored_key = each.stored_key,
                       .header = each.header,
                       .quarantine = !each.header.tombstone(),
                       .value = each.value,
                       .ticket = {Ticket::Kind::kAdopt, done->serial, 0, 0}});
    }
  End(done->serial, base::Ok());
}

void Adoption::OnLastPage(std::uint64_t serial) {
  Bucket& bucket = buckets_.at(serial);
  bucket.last = true;
  // What the peer names and is here already, by whatever way, may be in a commit under way.
  ++bucket.open;
  replica_.Notify({Ticket::Kind::kAdopt, serial, 0, 0});
}

void Adoption::GiveUp(std::uint64_t serial) {
  Bucket& bucket = buckets_.at(serial);
  bucket.last = bucket.failed = true;
  ++bucket.open;
  End(serial, base::Ok());
}

void Adoption::OnLocalWrite(const Ticket& ticket, const base::Status& error) {
  End(ticket.a, error);
}

// One of what is open has come to its end.
void Adoption::End(std::uint64_t serial, const base::Status& error) {
  Bucket& bucket = buckets_.at(serial);
  if (!error.ok()) bucket.failed = true;
  CHECK(bucket.open > 0);
  if (--bucket.open > 0 || !bucket.last) return;
  const bool filled = replica_.FillsBucket(bucket.id.first, bucket.id.second);  // By another pull.
  if (!bucket.failed && !filled && bucket.epoch == epoch_) {
    replica_.RaisePurged(bucket.id.first, bucket.id.second, bucket.purged);
    ++adopted_;
  }
  buckets_.erase(serial);
}

}  // namespace starling::server
