// Goal:   no bytes crash the decoder of gossip's messages, and what it lets through is said again
//         in bytes that decode to the same, within the bounds by which packets are filled.
// Method: the input is a message without its envelope.
#include <string>

#include "gossip/codec.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/round_trip.h"

namespace starling::gossip {
namespace {

std::string Encoded(const Message& message) {
  std::string bytes;
  Encode(message, bytes);
  return bytes;
}

// As many bytes as Courier leaves for it.
void CheckBound(const Message& message, std::size_t bytes) {
  if (message.body.index() > Body(Feedback{}).index()) return;  // These go over streams.
  std::size_t bound = kEnvelopeBytesMax;
  if (std::holds_alternative<Confirm>(message.body)) bound += kConfirmPaddingBytes;
  if (std::holds_alternative<PingRequest>(message.body)) bound += kPingRequestPaddingBytes;
  for (const Claim& claim : message.claims) bound += BytesBound(claim);
  for (const RumorItem& rumor : message.rumors) bound += BytesBound(rumor);
  CHECK(bytes <= bound);
}

}  // namespace
}  // namespace starling::gossip

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace starling::gossip;
  const starling::fuzz::Exact bytes(starling::fuzz::Input(data, size).Rest());
  const GossipOptions options;
  Message message;  // Used again, as a node does.
  if (!Decode(bytes.bytes(), options, message).ok()) return 0;
  const std::size_t kind = message.body.index();
  const std::string once = Encoded(message);
  CheckBound(message, once.size());
  CHECK(Decode(once, options, message).ok());
  CHECK(message.body.index() == kind);
  CHECK(Encoded(message) == once);
  ClearItems(message);
  CHECK(message.claims.empty());
  CHECK(message.rumors.empty());
  return 0;
}
