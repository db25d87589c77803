#include "tools/stress/generator.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace starling::stress {

using base::Code;
using base::Duration;
using base::Instant;
using base::Status;

namespace {

constexpr Duration kSecond = base::seconds(1);
constexpr unsigned kRunShift = 40;  // A value's id: the run, then a counter.

std::string_view NameOf(OpType type) {
  switch (type) {
    case OpType::kRead: return "read";
    case OpType::kWrite: return "write";
    case OpType::kDelete: return "delete";
    case OpType::kReadModifyWrite: return "read-modify-write";
  }
  return "";
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
  report_.history.keyspace = options_.keyspace;
  report_.history.complete = true;
}

LoadReport Generator::TakeReport() { return std::move(report_); }

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

Instant Generator::next_wake() const {
  if (!running_) return Instant::Never();
  Instant next = next_progress_;
  if (!stopping_) next = std::min(next, stop_at_);
  if (options_.rate > 0 && MayIssue())
    next = std::min(next, started_ + Duration(static_cast<std::int64_t>(
                                         static_cast<double>(scheduled_) * 1e9 / options_.rate)));
  return next;
}

void Generator::OnTurn() {
  if (!running_) return;
  if (!stopping_ && world_.Now() >= stop_at_) Stop();
  Issue();
  if (world_.Now() >= next_progress_) ShowProgress();
  if (options_.operations > 0 && issued_ >= options_.operations) Stop();
  if (!stopping_ || flights_.size() > 0) return;
  running_ = false;
  world_.Exit(file_ == nullptr ? base::Ok() : file_->End());
}

bool Generator::MayIssue() const {
  return running_ && !stopping_ && flights_.size() < options_.slots &&
         (options_.operations == 0 || issued_ < options_.operations);
}

// What is due and has a slot. Open loop: an operation keeps the instant at which it was due.
void Generator::Issue() {
  while (MayIssue()) {
    Instant due = world_.Now();
    if (options_.rate > 0) {
      due = started_ + Duration(static_cast<std::int64_t>(static_cast<double>(scheduled_) * 1e9 /
                                                          options_.rate));
      if (due > world_.Now()) return;
      ++scheduled_;
    }
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
  if (flight->measured) ++issued_;
  if (flight->type == OpType::kWrite || flight->type == OpType::kDelete)
    return SendPut(tag, *flight);
  session_.Get(
      {.keyspace = options_.keyspace, .key = KeyOf(flight->record), .level = options_.level}, tag);
}

void Generator::SendPut(std::uint64_t tag, Flight& flight) {
  const bool deletes = flight.type == OpType::kDelete;
  value_.clear();
  if (!deletes) {
    flight.id = static_cast<std::uint64_t>(options_.run) << kRunShift | ++values_;
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
  const std::uint64_t took = Nanoseconds(world_.Now() - flight.due);
  if (status.ok()) {
    ++progress_.operations;
    progress_.ns.Record(took);
  } else {
    ++progress_.errors;
  }
  if (!flight.measured) return;
  if (status.ok()) {
    Latencies& latencies = report_.by_type[std::string(NameOf(flight.type))];
    ++report_.operations;
    ++latencies.operations;
    latencies.ns.Record(took);
    report_.all_ns.Record(took);
  } else {
    const std::string name(CodeName(status.code()));
    ++report_.errors;
    ++report_.errors_by_class[name];
    report_.error_examples.try_emplace(name, status.message());
  }
  report_.seconds = base::ToSeconds(world_.Now() - measured_from_);
}

void Generator::ShowProgress() {
  next_progress_ = next_progress_ + kSecond;
  progress_.at_seconds = base::ToSeconds(world_.Now() - started_);
  progress_.warming_up = world_.Now() < measured_from_;
  listener_.OnProgress(progress_);
  progress_.operations = progress_.errors = 0;
  progress_.ns.Clear();
  if (file_ == nullptr) return;
  if (const Status status = file_->Flush(); !status.ok()) world_.Exit(status);
}

// Nothing more is begun; what is in flight ends by itself, at the latest by its timeout.
void Generator::Stop() {
  if (!running_) return world_.Exit(base::Ok());
  stopping_ = true;
}

}  // namespace starling::stress
