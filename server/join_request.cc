#include "server/join_request.h"

#include <fmt/core.h>

#include "gossip/keyring.h"
#include "server/control_jobs.h"
#include "server/topology/codec.h"

namespace starling::server {
namespace {

// replaced: address u64, host 2 u64 | back u64 | node
constexpr std::size_t kHeadBytes = 32;

base::Status WhyNot(const gossip::Envelope::Opened& opened) {
  using Verdict = gossip::Envelope::Verdict;
  switch (opened.verdict) {
    case Verdict::kOpened: return base::Ok();
    case Verdict::kNoPacket:
    case Verdict::kOtherVersion: break;
    case Verdict::kOtherCluster: return base::FailedPrecondition("its cluster.name is another one");
    case Verdict::kUnsealed:
      return base::FailedPrecondition(
          "this cluster seals its gossip, and the node that asks to join has no key: give it the "
          "cluster's with security.gossip_key_file");
    case Verdict::kUnknownKey:
      return base::FailedPrecondition(fmt::format(
          "the node that asks to join seals its gossip with key {}, which is not installed in this "
          "cluster: give it the cluster's key, or add its own with `nodetool keyring add --all`",
          gossip::PrintKeyId(*opened.way)));
    case Verdict::kBroken:
      return base::FailedPrecondition("the request to join is sealed, but damaged or forged");
  }
  return base::InvalidArgument("a request to join is malformed");
}

}  // namespace

std::string EncodeJoin(const JoinRequest& request, gossip::Envelope& envelope) {
  std::string out;
  const gossip::Envelope::Way way = envelope.way();
  envelope.Begin(way, out);
  base::AppendLittle(out, PackAddress(request.replaced.address));
  base::AppendLittle(out, request.replaced.host.high);
  base::AppendLittle(out, request.replaced.host.low);
  base::AppendLittle(out, request.back);
  out += topology::EncodeNodeInfo(request.node);
  envelope.Close(way, out);
  return out;
}

base::Result<JoinRequest> DecodeJoin(base::Bytes bytes, gossip::Envelope& envelope) {
  const gossip::Envelope::Opened opened = envelope.Open(bytes);
  if (const base::Status why = WhyNot(opened); !why.ok()) return base::Fail(why);
  if (opened.body.size() < kHeadBytes)
    return base::Fail(base::InvalidArgument("a request to join is malformed"));
  const auto word = [&](std::size_t at) {
    return base::LoadLittle<std::uint64_t>(opened.body.data() + 8 * at);
  };
  JoinRequest request{
      .replaced = {.address = UnpackAddress(word(0)), .host = {.high = word(1), .low = word(2)}},
      .back = word(3)};
  ASSIGN_OR_RETURN(request.node, topology::DecodeNodeInfo(opened.body.substr(kHeadBytes)));
  return request;
}

}  // namespace starling::server
