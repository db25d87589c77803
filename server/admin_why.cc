// server/admin_why.cc: what each replica has of a key, for `nodetool why`.
#include <fmt/core.h>

#include <set>

#include "base/base64.h"
#include "server/admin.h"
#include "server/admin_places.h"
#include "server/control.h"
#include "storage/entry.h"

namespace starling::server {

using base::Json;

namespace {

std::string_view OriginName(std::uint8_t origin) {
  constexpr std::array<std::string_view, 6> kNames{"?",    "direct", "rumor",
                                                   "hint", "repair", "restored"};
  return origin < kNames.size() ? kNames[origin] : kNames[0];
}

}  // namespace

void Admin::StartWhy(const ReplyTo& to, const std::string& keyspace, const std::string& key) {
  const Snapshot& snapshot = *control_.snapshot_;
  const topology::Keyspace* space = snapshot.topology->FindKeyspace(keyspace);
  if (const base::Status place = CheckPlace(space, keyspace, key); !place.ok())
    return Fail(to, place);
  const std::uint64_t id = ++next_why_;
  Why& why = whys_[id];
  why.reply = to;
  why.key = key;
  const base::Token token = base::TokenOf(key, snapshot.topology->token_seed);
  const auto replicas = snapshot.ring->Replicas(space->id, base::BucketOf(token));
  why.ends = control_.world_.Now() + kWhyMax;
  for (const std::uint16_t index : replicas) {
    const topology::Node& node = snapshot.node(index);
    why.order.push_back(node.number);
    Json& row = why.rows[node.number].shown;
    row.Set("address", node.cluster.IpString());
    if (snapshot.peers[index].up)
      why.open.insert(node.number);
    else
      row.Set("error", "the node is down");
  }
  const std::set<base::NodeNumber> asked = why.open;
  if (asked.empty()) return EndWhy(id);
  for (const std::uint16_t index : replicas) {
    const topology::Node& node = snapshot.node(index);
    if (!asked.contains(node.number)) continue;
    // Our own port answers for us as the others' do.
    control_.links_.Send({node.cluster, node.host}, {Control::kTagWhy, node.number, id, 0},
                         wire::ReplicaRead{space->id, key, false, snapshot.topology->epoch});
  }
}

void Admin::OnWhyReply(const PeerTag& tag, const wire::Frame& frame) {
  const auto it = whys_.find(tag.a);
  if (it == whys_.end() || !it->second.open.contains(static_cast<base::NodeNumber>(tag.b))) return;
  const auto reply = wire::Decode<wire::ReplicaReadReply>(frame.header);
  if (frame.kind != wire::Kind::kReplicaReadReply || !reply) {
    const auto error = wire::Decode<wire::ErrorReply>(frame.header);
    return OnWhyFailed(tag, base::Unavailable(error ? error->message : "a malformed answer"));
  }
  it->second.highest = std::max(it->second.highest, reply->version);
  WhyRow& answered = it->second.rows[tag.b];
  answered.version = reply->version;
  Json& row = answered.shown;
  row.Set("version", nullptr);
  if (!reply->version.empty()) {
    row.Set("version", reply->version.ToString());
    row.Set("wall_ms", reply->version.wall_ms());
    row.Set("origin", OriginName(reply->origin));
    row.Set("tombstone", (reply->flags & storage::kFlagTombstone) != 0);
  }
  if (reply->expiry_ms != 0) row.Set("expiry_ms", reply->expiry_ms);
  TookWhy(tag.a, tag.b);
}

void Admin::TookWhy(std::uint64_t id, base::NodeNumber from) {
  Why& why = whys_.at(id);
  why.open.erase(from);
  if (why.open.empty()) EndWhy(id);
}

void Admin::OnWhyFailed(const PeerTag& tag, const base::Status& status) {
  const auto it = whys_.find(tag.a);
  if (it == whys_.end() || !it->second.open.contains(static_cast<base::NodeNumber>(tag.b))) return;
  it->second.rows[tag.b].shown.Set("error", status.message());
  TookWhy(tag.a, tag.b);
}

// A replica that hangs says nothing, and its link neither: the others' rows do not wait for it.
void Admin::OnTick(base::Instant now) {
  std::vector<std::uint64_t> late;
  for (const auto& [id, why] : whys_)
    if (now >= why.ends) late.push_back(id);
  for (const std::uint64_t id : late) {
    Why& why = whys_.at(id);
    for (const base::NodeNumber number : why.open)
      why.rows[number].shown.Set("error",
                                 fmt::format("no answer within {} ms", base::ToMs(kWhyMax)));
    EndWhy(id);
  }
}

// Rows in the order of the ring; a field that no row has is left out by nodetool.
void Admin::EndWhy(std::uint64_t id) {
  const auto node = whys_.extract(id);
  Why& why = node.mapped();
  Json replicas = Json::Array();
  for (const base::NodeNumber number : why.order) {
    WhyRow& row = why.rows[number];
    row.shown.Set("wins", !why.highest.empty() && row.version == why.highest);
    replicas.Append(std::move(row.shown));
  }
  Json answer = {{"replicas", std::move(replicas)}};
  if (base::IsUtf8(why.key))
    answer.Set("key", why.key);
  else
    answer.Set("key_base64", base::ToBase64(why.key));
  Answer(why.reply, answer);
}

}  // namespace starling::server
