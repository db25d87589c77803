// server/wire/peer_codec.cc: what nodes say to each other, to Protobuf and back. What repair says
// is in repair_codec.cc.
#include "server/wire/codec.h"
#include "server/wire/codec_parts.h"
#include "server/wire/peer.pb.h"

namespace starling::wire {

using base::Bytes;
using base::Result;

void EncodeTo(const ReplicaWrite& message, std::string& out) {
  auto& pb = parts::ToFill<v1::ReplicaWrite>();
  pb.set_keyspace(message.keyspace);
  pb.set_key(message.key.data(), message.key.size());
  parts::Store(message.version, pb.mutable_version());
  pb.set_flags(message.flags);
  pb.set_origin(message.origin);
  pb.set_expiry_ms(message.expiry_ms);
  pb.set_value_digest(message.value_digest);
  pb.set_epoch(message.epoch);
  pb.set_number(message.number);
  pb.set_unhandled(message.unhandled);
  pb.set_source_epoch(message.source_epoch);
  pb.set_source_purged(message.source_purged);
  parts::AppendTo(pb, out);
}

template <>
Result<ReplicaWrite> Decode(Bytes header) {
  const auto* pb = parts::Parse<v1::ReplicaWrite>(header);
  if (pb == nullptr) return parts::RefuseBytes("ReplicaWrite");
  RETURN_IF_ERROR(parts::CheckKey("ReplicaWrite", pb->key()));
  RETURN_IF_ERROR(parts::CheckVersion("ReplicaWrite", "version", parts::VersionOf(pb->version())));
  RETURN_IF_ERROR(
      parts::CheckEntryFields("ReplicaWrite", pb->flags(), pb->origin(), pb->expiry_ms()));
  if (pb->unhandled() > 0 && pb->unhandled() >= pb->number())
    return parts::Refuse("ReplicaWrite", "more writes before it are unhandled than there were");
  return ReplicaWrite{.keyspace = pb->keyspace(),
                      .key = pb->key(),
                      .version = parts::VersionOf(pb->version()),
                      .flags = static_cast<std::uint8_t>(pb->flags()),
                      .origin = static_cast<std::uint8_t>(pb->origin()),
                      .expiry_ms = pb->expiry_ms(),
                      .value_digest = pb->value_digest(),
                      .epoch = pb->epoch(),
                      .number = pb->number(),
                      .unhandled = pb->unhandled(),
                      .source_epoch = pb->source_epoch(),
                      .source_purged = pb->source_purged()};
}

void EncodeTo(const Handled& message, std::string& out) {
  auto& pb = parts::ToFill<v1::Handled>();
  pb.set_below(message.below);
  parts::AppendTo(pb, out);
}

template <>
Result<Handled> Decode(Bytes header) {
  const auto* pb = parts::Parse<v1::Handled>(header);
  if (pb == nullptr) return parts::RefuseBytes("Handled");
  return Handled{.below = pb->below()};
}

void EncodeTo(const HandledReply&, std::string& out) {
  parts::AppendTo(parts::ToFill<v1::HandledReply>(), out);
}

template <>
Result<HandledReply> Decode(Bytes header) {
  if (parts::Parse<v1::HandledReply>(header) == nullptr) return parts::RefuseBytes("HandledReply");
  return HandledReply{};
}

void EncodeTo(const ReplicaWriteReply& message, std::string& out) {
  auto& pb = parts::ToFill<v1::ReplicaWriteReply>();
  pb.set_outcome(static_cast<v1::WriteOutcome>(message.outcome));
  if (!message.held.empty()) parts::Store(message.held, pb.mutable_held());
  pb.set_boot(message.boot);
  pb.set_mark(message.mark);
  parts::AppendTo(pb, out);
}

template <>
Result<ReplicaWriteReply> Decode(Bytes header) {
  const auto* pb = parts::Parse<v1::ReplicaWriteReply>(header);
  if (pb == nullptr) return parts::RefuseBytes("ReplicaWriteReply");
  RETURN_IF_ERROR(
      parts::CheckEnum("ReplicaWriteReply", "outcome", pb->outcome(), v1::WriteOutcome_MAX));
  RETURN_IF_ERROR(
      parts::CheckVersionIfAny("ReplicaWriteReply", "held", parts::VersionOf(pb->held())));
  return ReplicaWriteReply{.outcome = static_cast<WriteOutcome>(pb->outcome()),
                           .held = parts::VersionOf(pb->held()),
                           .boot = pb->boot(),
                           .mark = pb->mark()};
}

void EncodeTo(const ReplicaRead& message, std::string& out) {
  auto& pb = parts::ToFill<v1::ReplicaRead>();
  pb.set_keyspace(message.keyspace);
  pb.set_key(message.key.data(), message.key.size());
  pb.set_want_value(message.want_value);
  pb.set_epoch(message.epoch);
  pb.set_deadline_ms(message.deadline_ms);
  parts::AppendTo(pb, out);
}

template <>
Result<ReplicaRead> Decode(Bytes header) {
  const auto* pb = parts::Parse<v1::ReplicaRead>(header);
  if (pb == nullptr) return parts::RefuseBytes("ReplicaRead");
  RETURN_IF_ERROR(parts::CheckKey("ReplicaRead", pb->key()));
  return ReplicaRead{.keyspace = pb->keyspace(),
                     .key = pb->key(),
                     .want_value = pb->want_value(),
                     .epoch = pb->epoch(),
                     .deadline_ms = pb->deadline_ms()};
}

void EncodeTo(const ReplicaReadReply& message, std::string& out) {
  auto& pb = parts::ToFill<v1::ReplicaReadReply>();
  if (!message.version.empty()) parts::Store(message.version, pb.mutable_version());
  pb.set_flags(message.flags);
  pb.set_origin(message.origin);
  pb.set_expiry_ms(message.expiry_ms);
  pb.set_value_digest(message.value_digest);
  pb.set_epoch(message.epoch);
  pb.set_purged(message.purged);
  parts::AppendTo(pb, out);
}

template <>
Result<ReplicaReadReply> Decode(Bytes header) {
  const auto* pb = parts::Parse<v1::ReplicaReadReply>(header);
  if (pb == nullptr) return parts::RefuseBytes("ReplicaReadReply");
  RETURN_IF_ERROR(
      parts::CheckVersionIfAny("ReplicaReadReply", "version", parts::VersionOf(pb->version())));
  RETURN_IF_ERROR(
      parts::CheckEntryFields("ReplicaReadReply", pb->flags(), pb->origin(), pb->expiry_ms()));
  return ReplicaReadReply{.version = parts::VersionOf(pb->version()),
                          .flags = static_cast<std::uint8_t>(pb->flags()),
                          .origin = static_cast<std::uint8_t>(pb->origin()),
                          .expiry_ms = pb->expiry_ms(),
                          .value_digest = pb->value_digest(),
                          .epoch = pb->epoch(),
                          .purged = pb->purged()};
}

void EncodeTo(const ReplicaScan& message, std::string& out) {
  auto& pb = parts::ToFill<v1::ReplicaScan>();
  pb.set_keyspace(message.keyspace);
  pb.set_from_token(message.from_token);
  pb.set_after_key(message.after_key.data(), message.after_key.size());
  pb.set_last_token(message.last_token);
  pb.set_bytes_max(message.bytes_max);
  pb.set_epoch(message.epoch);
  pb.set_deadline_ms(message.deadline_ms);
  pb.set_with_marks(message.with_marks);
  parts::AppendTo(pb, out);
}

template <>
Result<ReplicaScan> Decode(Bytes header) {
  const auto* pb = parts::Parse<v1::ReplicaScan>(header);
  if (pb == nullptr) return parts::RefuseBytes("ReplicaScan");
  RETURN_IF_ERROR(
      parts::CheckSize("ReplicaScan", "after_key", pb->after_key().size(), kKeyBytesMax));
  if (pb->from_token() > pb->last_token())
    return parts::Refuse("ReplicaScan", "from_token lies after last_token");
  return ReplicaScan{.keyspace = pb->keyspace(),
                     .from_token = pb->from_token(),
                     .after_key = pb->after_key(),
                     .last_token = pb->last_token(),
                     .bytes_max = pb->bytes_max(),
                     .epoch = pb->epoch(),
                     .deadline_ms = pb->deadline_ms(),
                     .with_marks = pb->with_marks()};
}

void EncodeTo(const ReplicaScanReply& message, std::string& out) {
  auto& pb = parts::ToFill<v1::ReplicaScanReply>();
  pb.set_done(message.done);
  pb.set_payload_digest(message.payload_digest);
  pb.set_epoch(message.epoch);
  pb.set_purged(message.purged.data(), message.purged.size());
  pb.set_told_upto(message.told_upto);
  parts::AppendTo(pb, out);
}

template <>
Result<ReplicaScanReply> Decode(Bytes header) {
  const auto* pb = parts::Parse<v1::ReplicaScanReply>(header);
  if (pb == nullptr) return parts::RefuseBytes("ReplicaScanReply");
  RETURN_IF_ERROR(
      parts::CheckSize("ReplicaScanReply", "purged", pb->purged().size(), kPurgedBytesMax));
  if (pb->epoch() == 0 && !pb->purged().empty())
    return parts::Refuse("ReplicaScanReply", "marks of no epoch");
  if (pb->done() && pb->told_upto() != 0)
    return parts::Refuse("ReplicaScanReply", "it is done, and told up to some token only");
  return ReplicaScanReply{.done = pb->done(),
                          .payload_digest = pb->payload_digest(),
                          .epoch = pb->epoch(),
                          .purged = pb->purged(),
                          .told_upto = pb->told_upto()};
}

void EncodeTo(const ControlRequest& message, std::string& out) {
  auto& pb = parts::ToFill<v1::ControlRequest>();
  pb.set_topic(static_cast<v1::ControlTopic>(message.topic));
  pb.set_payload_digest(message.payload_digest);
  parts::AppendTo(pb, out);
}

template <>
Result<ControlRequest> Decode(Bytes header) {
  const auto* pb = parts::Parse<v1::ControlRequest>(header);
  if (pb == nullptr) return parts::RefuseBytes("ControlRequest");
  RETURN_IF_ERROR(parts::CheckEnum("ControlRequest", "topic", pb->topic(), v1::ControlTopic_MAX));
  if (!v1::ControlTopic_IsValid(pb->topic()))
    return parts::Refuse("ControlRequest", "the topic's number is nobody's");
  return ControlRequest{.topic = static_cast<ControlTopic>(pb->topic()),
                        .payload_digest = pb->payload_digest()};
}

void EncodeTo(const ControlReply& message, std::string& out) {
  auto& pb = parts::ToFill<v1::ControlReply>();
  pb.set_payload_digest(message.payload_digest);
  pb.set_boot(message.boot);
  pb.set_mark(message.mark);
  parts::AppendTo(pb, out);
}

template <>
Result<ControlReply> Decode(Bytes header) {
  const auto* pb = parts::Parse<v1::ControlReply>(header);
  if (pb == nullptr) return parts::RefuseBytes("ControlReply");
  return ControlReply{
      .payload_digest = pb->payload_digest(), .boot = pb->boot(), .mark = pb->mark()};
}

}  // namespace starling::wire
