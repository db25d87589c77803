#include "tools/stress/generator.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace starling::stress {

using base::Code;
using base::Duration;
using base::Instant;
using base::Status;

namespace {

constexpr Duration kSecond = base::seconds(1);
// How long a slot rests after a refusal. Lower: a cluster that is down or full is asked more often.
constexpr Duration kRest = base::milliseconds(10);

bool WasRefused(const Status& status) {
  return status.code() == Code::kUnavailable || status.code() == Code::kOverloaded;
}

// Whether a failed write may have taken effect, or still may.
Outcome OutcomeOf(const Status& status) {
  switch (status.code()) {
    case Code::kOk: return Outcome::kOk;
    case Code::kUnavailable:
    case Code::kOverloaded:
    case Code::kInvalidArgument:
    case Code::kNotFound:
    case Code::kFailedPrecondition: return Outcome::kFailed;
    default: return Outcome::kUnknown;
  }
}

std::uint64_t Nanoseconds(Duration d) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, d.count()));
}

}  // namespace

Generator::Generator(base::World& world, client::SessionOptions session, LoadOptions options,
                     HistoryFile* file, Listener& listener)
    : SessionActor(world, std::move(session)),
      options_(std::move(options)),
      file_(file),
      listener_(listener),
      random_(options_.seed),
      keys_(options_.distribution, options_.records) {
  CHECK(options_.duration > Duration{0} || options_.operations > 0 || options_.issues_max > 0);
  report_.history = {
      .head = {.run = options_.run, .deletes = options_.deletes > 0, .keyspace = options_.keyspace},
      .events = {},
      .complete = true};
}

LoadReport Generator::TakeReport() {
  for (std::size_t i = 0; i < kOpTypes; ++i)
    if (latencies_[i].operations > 0)
      report_.by_type[std::string(NameOf(static_cast<OpType>(i)))] = std::move(latencies_[i]);
  return std::move(report_);
}

void Generator::OnMail(std::unique_ptr<base::Mail>) {
  report_.interrupted = true;
  Stop();
}

void Generator::OnMap(std::uint64_t, const Status& status) {
  if (!status.ok()) return world_.Exit(status);
  if (session_.routing().FindKeyspace(options_.keyspace) == nullptr)
    return world_.Exit(base::NotFound(fmt::format("there is no keyspace '{}'", options_.keyspace)));
  Begin();
}

void Generator::Begin() {
  running_ = true;
  started_ = world_.Now();
  measured_from_ = started_ + options_.warmup;
  stop_at_ =
      options_.duration > Duration{0} ? measured_from_ + options_.duration : Instant::Never();
  next_progress_ = started_ + kSecond;
}

Instant Generator::DueAt(std::uint64_t number) const {
  return started_ +
         Duration(static_cast<std::int64_t>(static_cast<double>(number) * 1e9 / options_.rate));
}

Instant Generator::next_wake() const {
  if (!running_) return Instant::Never();
  Instant next = next_progress_;
  if (!stopping_) next = std::min(next, stop_at_);
  if (!rests_.empty()) next = std::min(next, rests_.front());
  if (options_.rate > 0 && MayIssue()) next = std::min(next, DueAt(issued_));
  return next;
}

void Generator::OnTurn() {
  if (!running_) return;
  if (!stopping_ && world_.Now() >= stop_at_) Stop();
  Issue();
  if (world_.Now() >= next_progress_) ShowProgress();
  if (!stopping_ && IssuedAll()) Stop();
  if (!stopping_ || flights_.size() > 0) return;
  running_ = false;
  world_.Exit(file_ == nullptr ? base::Ok() : file_->End());
}

bool Generator::IssuedAll() const {
  return (options_.operations > 0 && measured_ >= options_.operations) ||
         (options_.issues_max > 0 && issued_ >= options_.issues_max);
}

bool Generator::MayIssue() const {
  return running_ && !stopping_ && flights_.size() + rests_.size() < options_.slots && !IssuedAll();
}

// What is due and has a slot. Open loop: an operation keeps the instant at which it was due.
void Generator::Issue() {
  const Instant now = world_.Now();
  while (!rests_.empty() && rests_.front() <= now) rests_.pop_front();
  while (MayIssue()) {
    const Instant due = options_.rate > 0 ? DueAt(issued_) : now;
    if (due > now) return;
    IssueOne(due);
  }
}

OpType Generator::DrawType() {
  if (random_.Chance(options_.mix.reads)) return OpType::kRead;
  if (options_.mix.read_modify_write) return OpType::kReadModifyWrite;
  return options_.deletes > 0 && random_.Chance(options_.deletes) ? OpType::kDelete
                                                                  : OpType::kWrite;
}

void Generator::IssueOne(Instant due) {
  const auto [tag, flight] = flights_.Add();
  flight->type = DrawType();
  flight->record = keys_.Next(random_);
  flight->due = due;
  flight->invoked = world_.Now();
  flight->measured = due >= measured_from_;
  ++issued_;
  if (flight->measured) ++measured_;
  if (flight->measured && options_.rate > 0)
    report_.late_ns.Record(Nanoseconds(flight->invoked - due));
  if (flight->type == OpType::kWrite || flight->type == OpType::kDelete)
    return SendPut(tag, *flight);
  session_.Get(
      {.keyspace = options_.keyspace, .key = KeyOf(flight->record), .level = options_.level}, tag);
}

void Generator::SendPut(std::uint64_t tag, Flight& flight) {
  const bool deletes = flight.type == OpType::kDelete;
  value_.clear();
  if (!deletes) {
    flight.id = std::uint64_t{options_.run} << kRunShift | ++values_;
    WriteValueTo(flight.id, options_.value_bytes, value_);
  }
  flight.invoked = world_.Now();
  session_.Put({.keyspace = options_.keyspace,
                .key = KeyOf(flight.record),
                .value = value_,
                .tombstone = deletes,
                .level = options_.level},
               tag);
}

void Generator::OnPut(std::uint64_t tag, const client::PutResult& result) {
  Flight* flight = flights_.Find(tag);
  if (flight == nullptr) return;
  const auto type = flight->type == OpType::kDelete ? EventType::kDelete : EventType::kPut;
  Keep(*flight, type, OutcomeOf(result.status), flight->id, result.version);
  Ended(tag, result.status);
}

void Generator::OnGet(std::uint64_t tag, const client::GetResult& result) {
  Flight* flight = flights_.Find(tag);
  if (flight == nullptr) return;
  std::uint64_t id = kNothing;
  if (result.found) {
    id = IdOf(result.value);
    if (id >> kRunShift != options_.run) id = kForeign;
  }
  const Outcome outcome = result.status.ok() ? Outcome::kOk : Outcome::kFailed;
  Keep(*flight, EventType::kGet, outcome, id, result.version);
  if (result.status.ok() && flight->type == OpType::kReadModifyWrite) return SendPut(tag, *flight);
  Ended(tag, result.status);
}

void Generator::Keep(const Flight& flight, EventType type, Outcome outcome, std::uint64_t id,
                     const base::Version& version) {
  if (!options_.keep_history && file_ == nullptr) return;
  const auto us = [&](Instant at) { return Nanoseconds(at - started_) / 1000; };
  const Event event{.invoke_us = static_cast<std::int64_t>(us(flight.invoked)),
                    .return_us = static_cast<std::int64_t>(us(world_.Now())),
                    .type = type,
                    .outcome = outcome,
                    .record = flight.record,
                    .id = id};
  if (options_.keep_history) report_.history.events.push_back(event);
  if (file_ != nullptr) file_->Write(event, version);
}

void Generator::Ended(std::uint64_t tag, const Status& status) {
  const Flight flight = *flights_.Find(tag);
  flights_.Remove(tag);
  if (options_.rate == 0 && WasRefused(status)) rests_.push_back(world_.Now() + kRest);
  const std::uint64_t took = Nanoseconds(world_.Now() - flight.due);
  if (status.ok()) {
    ++progress_.operations;
    progress_.ns.Record(took);
  } else {
    ++progress_.errors;
  }
  if (!flight.measured) return;
  report_.seconds = base::ToSeconds(world_.Now() - measured_from_);
  if (!status.ok()) return CountError(status);
  Latencies& latencies = latencies_[static_cast<std::size_t>(flight.type)];
  ++report_.operations;
  ++latencies.operations;
  latencies.ns.Record(took);
  report_.all_ns.Record(took);
}

void Generator::CountError(const Status& status) {
  const std::string name(CodeName(status.code()));
  ++report_.errors;
  ++report_.errors_by_class[name];
  report_.error_examples.try_emplace(name, status.message());
}

void Generator::ShowProgress() {
  progress_.at_seconds = base::ToSeconds(world_.Now() - started_);
  progress_.warming_up = next_progress_ - kSecond < measured_from_;
  next_progress_ = next_progress_ + kSecond;
  listener_.OnProgress(progress_);
  progress_.operations = progress_.errors = 0;
  progress_.ns.Clear();
  if (file_ == nullptr) return;
  if (const Status status = file_->Flush(); !status.ok()) world_.Exit(status);
}

// Nothing more is begun; what is in flight ends by itself, at the latest by its timeout.
void Generator::Stop() {
  if (!running_) return world_.Exit(base::Ok());
  if (std::exchange(stopping_, true) || options_.rate == 0 || IssuedAll()) return;
  const double seconds = base::ToSeconds(std::min(stop_at_, world_.Now()) - started_);
  const auto due = static_cast<std::uint64_t>(seconds * options_.rate);
  report_.never_begun = due > issued_ ? due - issued_ : 0;
}

}  // namespace starling::stress
