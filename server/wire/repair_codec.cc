// server/wire/repair_codec.cc: what nodes that compare and pull say to each other, to Protobuf and
// back.
#include "server/wire/codec.h"
#include "server/wire/codec_parts.h"
#include "server/wire/peer.pb.h"

namespace starling::wire {

using base::Bytes;
using base::Result;

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
  parts::AppendTo(pb, out);
}

// Leaves of further buckets: each after the one before it, so none twice.
bool Ascend(std::uint8_t leaf, Bytes further) {
  for (const char next : further) {
    if (static_cast<std::uint8_t>(next) <= leaf) return false;
    leaf = static_cast<std::uint8_t>(next);
  }
  return true;
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
                    .further = pb->further()};
}

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

}  // namespace starling::wire
