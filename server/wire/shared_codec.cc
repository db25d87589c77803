// server/wire/shared_codec.cc: the handshake and errors to Protobuf and back.
#include "server/wire/codec.h"
#include "server/wire/codec_parts.h"
#include "server/wire/shared.pb.h"

namespace starling::wire {

using base::Bytes;
using base::Result;

void EncodeTo(const Hello& message, std::string& out) {
  auto& pb = parts::ToFill<v1::Hello>();
  pb.set_protocol_min(message.protocol_min);
  pb.set_protocol_max(message.protocol_max);
  pb.set_role(static_cast<v1::Role>(message.role));
  pb.set_cluster_name(message.cluster_name);
  parts::StoreHost(message.cluster_id, pb.mutable_cluster_id());
  parts::StoreHost(message.host, pb.mutable_host());
  pb.set_boot(message.boot);
  pb.set_epoch(message.epoch);
  pb.set_worker(message.worker);
  parts::AppendTo(pb, out);
}

template <>
Result<Hello> Decode(Bytes header) {
  const auto* pb = parts::Parse<v1::Hello>(header);
  if (pb == nullptr) return parts::RefuseBytes("Hello");
  RETURN_IF_ERROR(parts::CheckEnum("Hello", "role", pb->role(), v1::Role_MAX));
  RETURN_IF_ERROR(
      parts::CheckSize("Hello", "cluster_name", pb->cluster_name().size(), kNameBytesMax));
  if (pb->protocol_min() == 0 || pb->protocol_min() > pb->protocol_max())
    return parts::Refuse("Hello", fmt::format("protocol range {} to {} is empty",
                                              pb->protocol_min(), pb->protocol_max()));
  return Hello{.protocol_min = pb->protocol_min(),
               .protocol_max = pb->protocol_max(),
               .role = static_cast<Role>(pb->role()),
               .cluster_name = pb->cluster_name(),
               .cluster_id = parts::HostOf(pb->cluster_id()),
               .host = parts::HostOf(pb->host()),
               .boot = pb->boot(),
               .epoch = pb->epoch(),
               .worker = pb->worker()};
}

void EncodeTo(const HelloReply& message, std::string& out) {
  auto& pb = parts::ToFill<v1::HelloReply>();
  pb.set_protocol(message.protocol);
  pb.set_cluster_name(message.cluster_name);
  parts::StoreHost(message.cluster_id, pb.mutable_cluster_id());
  parts::StoreHost(message.host, pb.mutable_host());
  pb.set_boot(message.boot);
  pb.set_epoch(message.epoch);
  pb.set_token_seed(message.token_seed);
  pb.set_key_bytes_max(message.key_bytes_max);
  pb.set_value_bytes_max(message.value_bytes_max);
  pb.set_in_flight_max(message.in_flight_max);
  pb.set_remembered_boot(message.remembered_boot);
  pb.set_remembered_mark(message.remembered_mark);
  parts::AppendTo(pb, out);
}

template <>
Result<HelloReply> Decode(Bytes header) {
  const auto* pb = parts::Parse<v1::HelloReply>(header);
  if (pb == nullptr) return parts::RefuseBytes("HelloReply");
  RETURN_IF_ERROR(
      parts::CheckSize("HelloReply", "cluster_name", pb->cluster_name().size(), kNameBytesMax));
  if (pb->protocol() == 0) return parts::Refuse("HelloReply", "no protocol was chosen");
  return HelloReply{.protocol = pb->protocol(),
                    .cluster_name = pb->cluster_name(),
                    .cluster_id = parts::HostOf(pb->cluster_id()),
                    .host = parts::HostOf(pb->host()),
                    .boot = pb->boot(),
                    .epoch = pb->epoch(),
                    .token_seed = pb->token_seed(),
                    .key_bytes_max = pb->key_bytes_max(),
                    .value_bytes_max = pb->value_bytes_max(),
                    .in_flight_max = pb->in_flight_max(),
                    .remembered_boot = pb->remembered_boot(),
                    .remembered_mark = pb->remembered_mark()};
}

void EncodeTo(const ErrorReply& message, std::string& out) {
  auto& pb = parts::ToFill<v1::ErrorReply>();
  pb.set_code(static_cast<v1::ErrorCode>(message.code));
  pb.set_message(message.message.substr(0, kErrorBytesMax));
  if (!message.stamp.empty()) parts::Store(message.stamp, pb.mutable_stamp());
  parts::AppendTo(pb, out);
}

template <>
Result<ErrorReply> Decode(Bytes header) {
  const auto* pb = parts::Parse<v1::ErrorReply>(header);
  if (pb == nullptr) return parts::RefuseBytes("ErrorReply");
  RETURN_IF_ERROR(parts::CheckEnum("ErrorReply", "code", pb->code(), v1::ErrorCode_MAX));
  RETURN_IF_ERROR(parts::CheckSize("ErrorReply", "message", pb->message().size(), kErrorBytesMax));
  return ErrorReply{.code = static_cast<base::Code>(pb->code()),
                    .message = pb->message(),
                    .stamp = parts::VersionOf(pb->stamp())};
}

}  // namespace starling::wire
