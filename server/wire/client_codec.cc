// server/wire/client_codec.cc: the data requests of clients, and their answers, to Protobuf and
// back.
#include "server/wire/client.pb.h"
#include "server/wire/codec.h"
#include "server/wire/codec_parts.h"

namespace starling::wire {

using base::Bytes;
using base::Result;

void EncodeTo(const PutRequest& message, std::string& out) {
  auto& pb = parts::ToFill<v1::PutRequest>();
  pb.set_keyspace(message.keyspace);
  pb.set_key(message.key.data(), message.key.size());
  pb.set_tombstone(message.tombstone);
  pb.set_ttl_ms(message.ttl_ms);
  pb.set_level(static_cast<v1::Consistency>(message.level));
  pb.set_deadline_ms(message.deadline_ms);
  pb.set_value_digest(message.value_digest);
  if (!message.stamp.empty()) parts::Store(message.stamp, pb.mutable_stamp());
  pb.set_restored(message.restored);
  parts::AppendTo(pb, out);
}

template <>
Result<PutRequest> Decode(Bytes header) {
  const auto* pb = parts::Parse<v1::PutRequest>(header);
  if (pb == nullptr) return parts::RefuseBytes("PutRequest");
  RETURN_IF_ERROR(parts::CheckKey("PutRequest", pb->key()));
  RETURN_IF_ERROR(parts::CheckEnum("PutRequest", "level", pb->level(), v1::Consistency_MAX));
  if (pb->tombstone() && pb->ttl_ms() != 0)
    return parts::Refuse("PutRequest", "a delete has no ttl_ms");
  RETURN_IF_ERROR(parts::CheckAtMost("PutRequest", "ttl_ms", pb->ttl_ms(), kTtlMsMax));
  RETURN_IF_ERROR(parts::CheckVersionIfAny("PutRequest", "stamp", parts::VersionOf(pb->stamp())));
  return PutRequest{.keyspace = pb->keyspace(),
                    .key = pb->key(),
                    .tombstone = pb->tombstone(),
                    .ttl_ms = pb->ttl_ms(),
                    .level = static_cast<Consistency>(pb->level()),
                    .deadline_ms = pb->deadline_ms(),
                    .value_digest = pb->value_digest(),
                    .stamp = parts::VersionOf(pb->stamp()),
                    .restored = pb->restored()};
}

void EncodeTo(const PutReply& message, std::string& out) {
  auto& pb = parts::ToFill<v1::PutReply>();
  parts::Store(message.version, pb.mutable_version());
  pb.mutable_replicas()->Assign(message.replicas.begin(), message.replicas.end());
  parts::AppendTo(pb, out);
}

template <>
Result<PutReply> Decode(Bytes header) {
  const auto* pb = parts::Parse<v1::PutReply>(header);
  if (pb == nullptr) return parts::RefuseBytes("PutReply");
  if (pb->version().timestamp() == 0) return parts::Refuse("PutReply", "the version is absent");
  RETURN_IF_ERROR(parts::CheckAtMost("PutReply", "number of replicas",
                                     static_cast<std::uint64_t>(pb->replicas_size()),
                                     kReplicasMax));
  return PutReply{.version = parts::VersionOf(pb->version()),
                  .replicas = {pb->replicas().begin(), pb->replicas().end()}};
}

void EncodeTo(const GetRequest& message, std::string& out) {
  auto& pb = parts::ToFill<v1::GetRequest>();
  pb.set_keyspace(message.keyspace);
  pb.set_key(message.key.data(), message.key.size());
  pb.set_level(static_cast<v1::Consistency>(message.level));
  pb.set_deadline_ms(message.deadline_ms);
  pb.set_want_value(message.want_value);
  parts::AppendTo(pb, out);
}

template <>
Result<GetRequest> Decode(Bytes header) {
  const auto* pb = parts::Parse<v1::GetRequest>(header);
  if (pb == nullptr) return parts::RefuseBytes("GetRequest");
  RETURN_IF_ERROR(parts::CheckKey("GetRequest", pb->key()));
  RETURN_IF_ERROR(parts::CheckEnum("GetRequest", "level", pb->level(), v1::Consistency_MAX));
  return GetRequest{.keyspace = pb->keyspace(),
                    .key = pb->key(),
                    .level = static_cast<Consistency>(pb->level()),
                    .deadline_ms = pb->deadline_ms(),
                    .want_value = pb->want_value()};
}

void EncodeTo(const GetReply& message, std::string& out) {
  auto& pb = parts::ToFill<v1::GetReply>();
  pb.set_found(message.found);
  if (!message.version.empty()) parts::Store(message.version, pb.mutable_version());
  pb.set_expiry_ms(message.expiry_ms);
  pb.set_value_digest(message.value_digest);
  pb.mutable_replicas()->Assign(message.replicas.begin(), message.replicas.end());
  parts::AppendTo(pb, out);
}

template <>
Result<GetReply> Decode(Bytes header) {
  const auto* pb = parts::Parse<v1::GetReply>(header);
  if (pb == nullptr) return parts::RefuseBytes("GetReply");
  if (pb->found() && pb->version().timestamp() == 0)
    return parts::Refuse("GetReply", "found, but the version is absent");
  RETURN_IF_ERROR(parts::CheckAtMost("GetReply", "number of replicas",
                                     static_cast<std::uint64_t>(pb->replicas_size()),
                                     kReplicasMax));
  return GetReply{.found = pb->found(),
                  .version = parts::VersionOf(pb->version()),
                  .expiry_ms = pb->expiry_ms(),
                  .value_digest = pb->value_digest(),
                  .replicas = {pb->replicas().begin(), pb->replicas().end()}};
}

void EncodeTo(const ScanRequest& message, std::string& out) {
  auto& pb = parts::ToFill<v1::ScanRequest>();
  pb.set_keyspace(message.keyspace);
  pb.set_from_token(message.from_token);
  pb.set_after_key(message.after_key.data(), message.after_key.size());
  pb.set_level(static_cast<v1::Consistency>(message.level));
  pb.set_deadline_ms(message.deadline_ms);
  pb.set_bytes_max(message.bytes_max);
  parts::AppendTo(pb, out);
}

template <>
Result<ScanRequest> Decode(Bytes header) {
  const auto* pb = parts::Parse<v1::ScanRequest>(header);
  if (pb == nullptr) return parts::RefuseBytes("ScanRequest");
  RETURN_IF_ERROR(
      parts::CheckSize("ScanRequest", "after_key", pb->after_key().size(), kKeyBytesMax));
  RETURN_IF_ERROR(parts::CheckEnum("ScanRequest", "level", pb->level(), v1::Consistency_MAX));
  return ScanRequest{.keyspace = pb->keyspace(),
                     .from_token = pb->from_token(),
                     .after_key = pb->after_key(),
                     .level = static_cast<Consistency>(pb->level()),
                     .deadline_ms = pb->deadline_ms(),
                     .bytes_max = pb->bytes_max()};
}

void EncodeTo(const ScanReply& message, std::string& out) {
  auto& pb = parts::ToFill<v1::ScanReply>();
  pb.set_done(message.done);
  pb.set_next_token(message.next_token);
  pb.set_next_after_key(message.next_after_key.data(), message.next_after_key.size());
  pb.set_payload_digest(message.payload_digest);
  parts::AppendTo(pb, out);
}

template <>
Result<ScanReply> Decode(Bytes header) {
  const auto* pb = parts::Parse<v1::ScanReply>(header);
  if (pb == nullptr) return parts::RefuseBytes("ScanReply");
  RETURN_IF_ERROR(
      parts::CheckSize("ScanReply", "next_after_key", pb->next_after_key().size(), kKeyBytesMax));
  return ScanReply{.done = pb->done(),
                   .next_token = pb->next_token(),
                   .next_after_key = pb->next_after_key(),
                   .payload_digest = pb->payload_digest()};
}

}  // namespace starling::wire
