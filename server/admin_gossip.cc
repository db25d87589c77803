// server/admin_gossip.cc: what gossip knows of the members, for `nodetool gossipinfo` and
// `nodetool failuredetector`.

#include "server/admin.h"
#include "server/control.h"

namespace starling::server {

using base::Json;

namespace {

Json RoundTripOf(const std::optional<gossip::RoundTrip>& trip, base::Instant now) {
  if (!trip) return nullptr;
  Json made = {{"answered_age_ms", base::ToMs(now - trip->answered)}, {"late_answers", trip->late}};
  made.Set("samples", trip->samples);
  if (trip->samples == 0) return made;
  made.Set("last_us", trip->last / base::microseconds(1));
  made.Set("mean_us", trip->mean / base::microseconds(1));
  made.Set("p99_us", trip->p99 / base::microseconds(1));
  return made;
}

Json AccusersOf(const gossip::MemberReport& report, const gossip::Gossip& gossip,
                base::Instant now) {
  Json accusers = Json::Array();
  for (const gossip::AccuserReport& accuser : report.accusers) {
    std::string who = "a host never heard of";
    if (accuser.host == gossip.self().host) {
      who = gossip.self().address.IpString();
    } else if (accuser.host) {
      if (const auto member = gossip.View(*accuser.host)) who = member->address.IpString();
    }
    accusers.Append({{"address", who}, {"age_ms", base::ToMs(now - accuser.heard)}});
  }
  return accusers;
}

}  // namespace

Json Admin::GossipInfo() const {
  const base::Instant now = control_.world_.Now();
  const topology::Topology& topology = *control_.snapshot_->topology;
  Json members = Json::Array();
  control_.gossip_->ForEach([&](const gossip::Member& member) {
    const NodeMetadata said = ParseMetadata(member.metadata);
    Json row = {{"address", member.address.IpString()},
                {"host_id", member.host.ToString()},
                {"liveness", gossip::Name(member.liveness)},
                {"liveness_age_ms", base::ToMs(now - member.since)},
                {"generation", member.generation},
                {"incarnation", member.incarnation},
                {"epoch", said.epoch},
                {"ready", said.ready},
                {"load_bytes", control_.LoadOf(member.host)}};
    const gossip::Vitals* vitals = control_.gossip_->VitalsOf(member.host);
    if (vitals != nullptr) row.Set("load_age_ms", base::ToMs(now - vitals->heard));
    if (const topology::Node* node = topology.Find(member.host)) {
      row.Set("dc", node->dc);
      row.Set("rack", node->rack);
    }
    members.Append(std::move(row));
  });
  return {{"members", members}};
}

Json Admin::FailureDetector() const {
  const base::Instant now = control_.world_.Now();
  const gossip::Report report = control_.gossip_->report();
  Json members = Json::Array();
  for (const gossip::MemberReport& each : report.members) {
    const bool stream_only = each.round_trip && each.round_trip->stream_only;
    Json row = {{"address", each.member.address.IpString()},
                {"host_id", each.member.host.ToString()},
                {"liveness", gossip::Name(each.member.liveness)},
                {"liveness_age_ms", base::ToMs(now - each.member.since)},
                {"stream_only", stream_only},
                {"round_trip", RoundTripOf(each.round_trip, now)},
                {"accusers", AccusersOf(each, *control_.gossip_, now)}};
    row.Set("verdict_in_ms", each.verdict ? Json(base::ToMs(*each.verdict - now)) : Json());
    members.Append(std::move(row));
  }
  const gossip::Counters& counters = report.counters;
  return {{"health_score", report.health_score},
          {"probe_interval_ms", base::ToMs(report.probe_interval)},
          {"ack_timeout_ms", base::ToMs(report.ack_timeout)},
          {"probes", counters.probes},
          {"probes_failed", counters.probes_failed},
          {"suspicions", counters.suspicions},
          {"refutations", counters.refutations},
          {"late", counters.late},
          {"slept", counters.slept},
          {"stream_only", report.stream_only},
          {"unanswered_streams", report.unanswered},
          {"conflicts", counters.conflicts},
          {"members", members}};
}

}  // namespace starling::server
