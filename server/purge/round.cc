#include "server/purge/round.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "base/mutants.h"

namespace starling::server::purge {
namespace {

constexpr std::size_t kRequestHead = 25;
constexpr std::size_t kReportHead = 12;

}  // namespace

Round::Round(Plan plan) : plan_(std::move(plan)) {
  CHECK(!plan_.owners.empty());
  CHECK(!plan_.buckets.empty());
}

bool Round::Waits(base::NodeNumber owner) const {
  return !over() && !reports_.contains(owner) &&
         std::find(plan_.owners.begin(), plan_.owners.end(), owner) != plan_.owners.end();
}

void Round::OnReport(base::NodeNumber owner, Report report) {
  if (!Waits(owner)) return;
  if (report.epoch != plan_.epoch || report.digests.size() != plan_.buckets.size())
    return OnRefused(owner, "its report is of another epoch, or of other buckets");
  reports_[owner] = std::move(report);
}

void Round::OnRefused(base::NodeNumber owner, const std::string& why) {
  if (!Waits(owner)) return;
  blocked_by_ = owner;
  reason_ = why;
}

std::vector<std::uint16_t> Round::Proved() const {
  std::vector<std::uint16_t> proved;
  if (!over() || blocked()) return proved;
  for (std::size_t i = 0; i < plan_.buckets.size(); ++i) {
    const merkle::Digest& first = reports_.begin()->second.digests[i];
    const bool equal = std::all_of(reports_.begin(), reports_.end(), [&](const auto& report) {
      return report.second.digests[i] == first;
    });
    if (equal || base::Mutant("purge-commits-unequal")) proved.push_back(plan_.buckets[i]);
  }
  return proved;
}

// --- what travels ---

std::string EncodeRequest(const Request& request) {
  std::string out;
  out.push_back(static_cast<char>(request.step));
  base::AppendLittle(out, request.epoch);
  base::AppendLittle(out, request.keyspace);
  base::AppendLittle(out, request.horizon);
  base::AppendLittle(out, static_cast<std::uint32_t>(request.buckets.size()));
  for (const std::uint16_t bucket : request.buckets) base::AppendLittle(out, bucket);
  return out;
}

base::Result<Request> DecodeRequest(base::Bytes in) {
  const base::Status bad = base::InvalidArgument("a purge round's request is malformed");
  if (in.size() < kRequestHead) return base::Fail(bad);
  Request request;
  request.step = static_cast<Step>(in[0]);
  if (request.step != Step::kProve && request.step != Step::kCommit) return base::Fail(bad);
  request.epoch = base::LoadLittle<std::uint64_t>(in.data() + 1);
  request.keyspace = base::LoadLittle<base::KeyspaceId>(in.data() + 9);
  request.horizon = base::LoadLittle<std::uint64_t>(in.data() + 13);
  const auto count = base::LoadLittle<std::uint32_t>(in.data() + 21);
  if (count == 0 || count > kRoundBucketsMax || in.size() != kRequestHead + std::size_t{count} * 2)
    return base::Fail(bad);
  for (std::size_t at = kRequestHead; at < in.size(); at += 2)
    request.buckets.push_back(base::LoadLittle<std::uint16_t>(in.data() + at));
  return request;
}

std::string EncodeReport(const Report& report) {
  std::string out;
  base::AppendLittle(out, report.epoch);
  base::AppendLittle(out, static_cast<std::uint32_t>(report.digests.size()));
  std::size_t at = out.size();
  out.resize(at + report.digests.size() * merkle::Digest::kSize);
  for (const merkle::Digest& digest : report.digests) {
    digest.StoreTo(out.data() + at);
    at += merkle::Digest::kSize;
  }
  return out;
}

base::Result<Report> DecodeReport(base::Bytes in) {
  const base::Status bad = base::InvalidArgument("a purge round's report is malformed");
  if (in.size() < kReportHead) return base::Fail(bad);
  Report report;
  report.epoch = base::LoadLittle<std::uint64_t>(in.data());
  const auto count = base::LoadLittle<std::uint32_t>(in.data() + 8);
  if (count > kRoundBucketsMax ||
      in.size() != kReportHead + std::size_t{count} * merkle::Digest::kSize)
    return base::Fail(bad);
  for (std::size_t at = kReportHead; at < in.size(); at += merkle::Digest::kSize)
    report.digests.push_back(merkle::Digest::LoadFrom(in.data() + at));
  return report;
}

base::Status MayTakePart(const OwnerFacts& facts, const Request& request) {
  if (!facts.enabled) return base::FailedPrecondition("purge.enabled is false there");
  if (!facts.syncs_all)
    return base::FailedPrecondition(
        "storage.durability is periodic there: what it reports could be lost with the power");
  if (request.epoch != facts.epoch)
    return base::FailedPrecondition(
        fmt::format("it is in epoch {}, the round in {}", facts.epoch, request.epoch));
  if (!facts.ready) return base::FailedPrecondition("it is not ready: it is catching up");
  // Not a matter of safety: a horizon ahead of what is being written would refuse those writes.
  const auto horizon_ms = static_cast<std::int64_t>(request.horizon >> 16);
  if (horizon_ms > facts.wall_ms - facts.write_timeout_ms)
    return base::FailedPrecondition(fmt::format(
        "the horizon is {} ms old by its clock, and a write may take {} ms: clocks differ",
        facts.wall_ms - horizon_ms, facts.write_timeout_ms));
  return base::Ok();
}

}  // namespace starling::server::purge
