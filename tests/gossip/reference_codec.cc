// tests/gossip/reference_codec.cc: through the generated classes and back.
#include "tests/gossip/reference_codec.h"

#include "gossip/wire/gossip.pb.h"

namespace starling::gossip {

std::optional<std::string> Reserialized(base::Bytes bytes) {
  v1::Message message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return std::nullopt;
  message.DiscardUnknownFields();
  std::string again;
  if (!message.AppendToString(&again)) return std::nullopt;
  return again;
}

}  // namespace starling::gossip
