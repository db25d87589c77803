// server/wire/repair_codec.cc: what nodes that compare and pull say to each other, to Protobuf and
// back.
#include "server/wire/codec.h"
#include "server/wire/codec_parts.h"
#include "server/wire/peer.pb.h"

namespace starling::wire {

using base::Bytes;
using base::Result;

namespace {

// Leaves of further buckets: each after the one before it, so none twice.
bool Ascend(std::uint8_t leaf, Bytes further) {
  for (const char next : further) {
    if (static_cast<std::uint8_t>(next) <= leaf) return false;
    leaf = static_cast<std::uint8_t>(next);
  }
  return true;
}

}  // namespace

void EncodeTo(const SliceHashesRequest& message, std::string& out) {
  auto& pb = parts::ToFill<v1::SliceHashesRequest>();
  pb.set_keyspace(message.keyspace);
  pb.set_slice(message.slice);
  pb.set_salt(message.salt);
  pb.set_epoch(message.epoch);
  pb.set_cut_s(message.cut_s);
  parts::AppendTo(pb, out);
}

template <>
Result<SliceHashesRequest> Decode(Bytes header) {
  const auto* pb = parts::Parse<v1::SliceHashesRequest>(header);
  if (pb == nullptr) return parts::RefuseBytes("SliceHashesRequest");
  RETURN_IF_ERROR(parts::CheckAtMost("SliceHashesRequest", "slice", pb->slice(), 255));
  return SliceHashesRequest{.keyspace = pb->keyspace(),
                            .slice = static_cast<std::uint8_t>(pb->slice()),
                            .salt = pb->salt(),
                            .epoch = pb->epoch(),
                            .cut_s = pb->cut_s()};
}

void EncodeTo(const SliceHashesReply& message, std::string& out) {
  auto& pb = parts::ToFill<v1::SliceHashesReply>();
  pb.set_epoch(message.epoch);
  pb.set_payload_digest(message.payload_digest);
  parts::AppendTo(pb, out);
}

template <>
Result<SliceHashesReply> Decode(Bytes header) {
  const auto* pb = parts::Parse<v1::SliceHashesReply>(header);
  if (pb == nullptr) return parts::RefuseBytes("SliceHashesReply");
  return SliceHashesReply{.epoch = pb->epoch(), .payload_digest = pb->payload_digest()};
}

void EncodeTo(const BucketParts& message, std::string& out) {
  auto& pb = parts::ToFill<v1::BucketParts>();
  pb.set_keyspace(message.keyspace);
  pb.set_first_token(message.first_token);
  pb.set_last_token(message.last_token);
  pb.set_salt(message.salt);
  pb.set_epoch(message.epoch);
  pb.set_payload_digest(message.payload_digest);
  pb.set_cut_s(message.cut_s);
  pb.set_purged(message.purged);
  parts::AppendTo(pb, out);
}

template <>
Result<BucketParts> Decode(Bytes header) {
  const auto* pb = parts::Parse<v1::BucketParts>(header);
  if (pb == nullptr) return parts::RefuseBytes("BucketParts");
  if (pb->first_token() > pb->last_token() ||
      base::BucketOf(pb->first_token()) != base::BucketOf(pb->last_token()))
    return parts::Refuse("BucketParts", "the tokens are not a range of one bucket");
  return BucketParts{.keyspace = pb->keyspace(),
                     .first_token = pb->first_token(),
                     .last_token = pb->last_token(),
                     .salt = pb->salt(),
                     .epoch = pb->epoch(),
                     .payload_digest = pb->payload_digest(),
                     .cut_s = pb->cut_s(),
                     .purged = pb->purged()};
}

void EncodeTo(const BucketPartsReply& message, std::string& out) {
  auto& pb = parts::ToFill<v1::BucketPartsReply>();
  pb.set_payload_digest(message.payload_digest);
  parts::AppendTo(pb, out);
}

template <>
Result<BucketPartsReply> Decode(Bytes header) {
  const auto* pb = parts::Parse<v1::BucketPartsReply>(header);
  if (pb == nullptr) return parts::RefuseBytes("BucketPartsReply");
  return BucketPartsReply{.payload_digest = pb->payload_digest()};
}

void EncodeTo(const BucketPull& message, std::string& out) {
  auto& pb = parts::ToFill<v1::BucketPull>();
  pb.set_keyspace(message.keyspace);
  pb.set_bucket(message.bucket);
  pb.set_after(message.after.data(), message.after.size());
  pb.set_bytes_max(message.bytes_max);
  pb.set_epoch(message.epoch);
  pb.set_payload_digest(message.payload_digest);
  pb.set_last_token(message.last_token);
  pb.set_cut_s(message.cut_s);
  pb.set_purged(message.purged);
  pb.set_further(message.further.data(), message.further.size());
  pb.set_whole_bytes_max(message.whole_bytes_max);
  parts::AppendTo(pb, out);
}

template <>
Result<BucketPull> Decode(Bytes header) {
  const auto* pb = parts::Parse<v1::BucketPull>(header);
  if (pb == nullptr) return parts::RefuseBytes("BucketPull");
  RETURN_IF_ERROR(parts::CheckAtMost("BucketPull", "bucket", pb->bucket(), base::kBuckets - 1));
  RETURN_IF_ERROR(parts::CheckSize("BucketPull", "after", pb->after().size(), kCursorBytesMax));
  const auto in_bucket = [&](base::Token token) { return base::BucketOf(token) == pb->bucket(); };
  if (!in_bucket(pb->last_token()))
    return parts::Refuse("BucketPull", "last_token lies in another bucket");
  if (!pb->after().empty()) {
    if (pb->after().size() < sizeof(base::Token))
      return parts::Refuse("BucketPull", "after is too short for a stored key");
    const auto token = base::LoadBig<base::Token>(pb->after().data());
    if (!in_bucket(token) || token > pb->last_token())
      return parts::Refuse("BucketPull", "after lies outside of what is asked for");
  }
  const auto bucket = static_cast<std::uint16_t>(pb->bucket());
  if (!Ascend(base::LeafOf(bucket), pb->further()))
    return parts::Refuse("BucketPull", "its further buckets do not ascend");
  if (!pb->further().empty() && pb->last_token() != base::LastToken(bucket))
    return parts::Refuse("BucketPull", "it asks for further buckets before the end of one");
  return BucketPull{.keyspace = pb->keyspace(),
                    .bucket = bucket,
                    .after = pb->after(),
                    .bytes_max = pb->bytes_max(),
                    .epoch = pb->epoch(),
                    .payload_digest = pb->payload_digest(),
                    .last_token = pb->last_token(),
                    .cut_s = pb->cut_s(),
                    .purged = pb->purged(),
                    .further = pb->further(),
                    .whole_bytes_max = pb->whole_bytes_max()};
}

namespace {

void Store(const AnnouncedValue& value, v1::AnnouncedValue& pb) {
  parts::Store(value.version, pb.mutable_version());
  pb.set_flags(value.flags);
  pb.set_origin(value.origin);
  pb.set_expiry_ms(value.expiry_ms);
  pb.set_value_digest(value.value_digest);
  pb.set_value_bytes(value.value_bytes);
}

base::Status CheckValueBytes(std::string_view message, std::uint32_t value_bytes) {
  if (value_bytes == 0)
    return base::InvalidArgument(fmt::format("{}: the value has no bytes", message));
  return parts::CheckSize(message, "value", value_bytes, kValueBytesMax);
}

// A page ends with what it announces.
base::Status CheckAnnounced(const v1::BucketPullReply& pb) {
  constexpr std::string_view kName = "BucketPullReply";
  const v1::AnnouncedValue& value = pb.announced();
  RETURN_IF_ERROR(
      parts::CheckVersion(kName, "announced version", parts::VersionOf(value.version())));
  RETURN_IF_ERROR(parts::CheckEntryFields(kName, value.flags(), value.origin(), value.expiry_ms()));
  RETURN_IF_ERROR(CheckValueBytes(kName, value.value_bytes()));
  if (pb.done() || pb.after().size() <= sizeof(base::Token))
    return base::InvalidArgument("BucketPullReply: a value is announced without its key");
  return base::Ok();
}

AnnouncedValue AnnouncedOf(const v1::AnnouncedValue& pb) {
  return {.version = parts::VersionOf(pb.version()),
          .flags = static_cast<std::uint8_t>(pb.flags()),
          .origin = static_cast<std::uint8_t>(pb.origin()),
          .expiry_ms = pb.expiry_ms(),
          .value_digest = pb.value_digest(),
          .value_bytes = pb.value_bytes()};
}

}  // namespace

void EncodeTo(const BucketPullReply& message, std::string& out) {
  auto& pb = parts::ToFill<v1::BucketPullReply>();
  pb.set_done(message.done);
  pb.set_after(message.after.data(), message.after.size());
  pb.set_payload_digest(message.payload_digest);
  pb.set_unreadable(message.unreadable);
  pb.set_epoch(message.epoch);
  pb.set_purged(message.purged);
  pb.set_named_upto(message.named_upto);
  pb.set_names_bytes(message.names_bytes);
  for (const FurtherBucket& bucket : message.further) {
    v1::FurtherBucket& told = *pb.add_further();
    told.set_unreadable(bucket.unreadable);
    told.set_purged(bucket.purged);
    told.set_named_upto(bucket.named_upto);
    told.set_names_bytes(bucket.names_bytes);
    told.set_bytes(bucket.bytes);
  }
  if (message.announced.value_bytes > 0) Store(message.announced, *pb.mutable_announced());
  parts::AppendTo(pb, out);
}

template <>
Result<BucketPullReply> Decode(Bytes header) {
  const auto* pb = parts::Parse<v1::BucketPullReply>(header);
  if (pb == nullptr) return parts::RefuseBytes("BucketPullReply");
  RETURN_IF_ERROR(
      parts::CheckSize("BucketPullReply", "after", pb->after().size(), kCursorBytesMax));
  if (pb->further_size() >= static_cast<int>(base::kLeavesPerSlice))
    return parts::Refuse("BucketPullReply", "it tells of more buckets than a slice has");
  BucketPullReply reply{.done = pb->done(),
                        .after = pb->after(),
                        .payload_digest = pb->payload_digest(),
                        .unreadable = pb->unreadable(),
                        .epoch = pb->epoch(),
                        .purged = pb->purged(),
                        .named_upto = pb->named_upto(),
                        .names_bytes = pb->names_bytes(),
                        .further = {}};
  if (pb->has_announced()) {
    RETURN_IF_ERROR(CheckAnnounced(*pb));
    reply.announced = AnnouncedOf(pb->announced());
  }
  reply.further.reserve(static_cast<std::size_t>(pb->further_size()));
  for (const v1::FurtherBucket& told : pb->further()) {
    if (told.names_bytes() > told.bytes())
      return parts::Refuse("BucketPullReply", "a further bucket's names exceed its bytes");
    reply.further.push_back({.unreadable = told.unreadable(),
                             .purged = told.purged(),
                             .named_upto = told.named_upto(),
                             .names_bytes = told.names_bytes(),
                             .bytes = told.bytes()});
  }
  return reply;
}

void EncodeTo(const ValuePiece& message, std::string& out) {
  auto& pb = parts::ToFill<v1::ValuePiece>();
  pb.set_keyspace(message.keyspace);
  pb.set_key(message.key.data(), message.key.size());
  parts::Store(message.version, pb.mutable_version());
  pb.set_value_digest(message.value_digest);
  pb.set_value_bytes(message.value_bytes);
  pb.set_offset(message.offset);
  pb.set_bytes_max(message.bytes_max);
  pb.set_epoch(message.epoch);
  parts::AppendTo(pb, out);
}

template <>
Result<ValuePiece> Decode(Bytes header) {
  const auto* pb = parts::Parse<v1::ValuePiece>(header);
  if (pb == nullptr) return parts::RefuseBytes("ValuePiece");
  RETURN_IF_ERROR(parts::CheckKey("ValuePiece", pb->key()));
  RETURN_IF_ERROR(parts::CheckVersion("ValuePiece", "version", parts::VersionOf(pb->version())));
  RETURN_IF_ERROR(CheckValueBytes("ValuePiece", pb->value_bytes()));
  if (pb->offset() >= pb->value_bytes() || pb->bytes_max() == 0)
    return parts::Refuse("ValuePiece", "it asks for nothing of the value");
  return ValuePiece{.keyspace = pb->keyspace(),
                    .key = pb->key(),
                    .version = parts::VersionOf(pb->version()),
                    .value_digest = pb->value_digest(),
                    .value_bytes = pb->value_bytes(),
                    .offset = pb->offset(),
                    .bytes_max = pb->bytes_max(),
                    .epoch = pb->epoch()};
}

void EncodeTo(const ValuePieceReply& message, std::string& out) {
  auto& pb = parts::ToFill<v1::ValuePieceReply>();
  parts::Store(message.version, pb.mutable_version());
  pb.set_offset(message.offset);
  pb.set_payload_digest(message.payload_digest);
  parts::AppendTo(pb, out);
}

template <>
Result<ValuePieceReply> Decode(Bytes header) {
  const auto* pb = parts::Parse<v1::ValuePieceReply>(header);
  if (pb == nullptr) return parts::RefuseBytes("ValuePieceReply");
  RETURN_IF_ERROR(
      parts::CheckVersion("ValuePieceReply", "version", parts::VersionOf(pb->version())));
  return ValuePieceReply{.version = parts::VersionOf(pb->version()),
                         .offset = pb->offset(),
                         .payload_digest = pb->payload_digest()};
}

}  // namespace starling::wire
