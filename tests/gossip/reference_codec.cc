// tests/gossip/reference_codec.cc: through the generated classes and back.
#include "tests/gossip/reference_codec.h"

#include "gossip/wire/gossip.pb.h"

namespace starling::gossip {

std::optional<std::string> Reserialized(base::Bytes packet) {
  constexpr std::size_t kPrefixBytes = 5;
  v1::Message message;
  const base::Bytes body = packet.substr(kPrefixBytes);
  if (!message.ParseFromArray(body.data(), static_cast<int>(body.size()))) return std::nullopt;
  message.DiscardUnknownFields();
  std::string again(packet.substr(0, kPrefixBytes));
  if (!message.AppendToString(&again)) return std::nullopt;
  return again;
}

}  // namespace starling::gossip
