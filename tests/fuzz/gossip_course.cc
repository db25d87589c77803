// tests/fuzz/gossip_course.cc: what an input says is heard, and what comes of it checked.
#include "tests/fuzz/gossip_course.h"

#include <array>
#include <utility>

#include "base/check.h"
#include "base/hash.h"
#include "gossip/codec.h"
#include "gossip/passing_rumors.h"

namespace starling::gossip {
namespace {

constexpr char kCluster[] = "fuzz";
constexpr std::size_t kStepsMax = 64;
constexpr std::size_t kTicksMax = 2000;  // Of one wait; passing rumors tick each 20 ms.

base::HostId HostOf(std::uint64_t number) { return {0, number}; }
base::Address AddressOf(std::uint64_t number) {
  return {0x0a000000 + static_cast<std::uint32_t>(number), 7700};
}

GossipOptions Drawn(std::uint8_t bits) {
  return {.mode = (bits & 6) != 6   ? Mode::kStarling
                  : (bits & 8) != 0 ? Mode::kSwim
                                    : Mode::kLifeguard,
          .rumor_payload_bytes_max = 2048,
          .rumors_max = 8,
          .passing_rumors_max = 8,
          .passing_bytes_max = 4096,
          .passing_payload_max = 2048,
          .members_max = 6};
}

Keyring DrawnKeyring(std::uint8_t bits) {
  return (bits & 1) != 0 ? Keyring(KeyBytes{7}) : Keyring();
}

}  // namespace

Course::Course(fuzz::Input& in)
    : in_(in),
      options_(Drawn(in_.Byte())),
      keyring_(DrawnKeyring(in_.Byte())),
      peer_(kCluster, keyring_, {HostOf(2), 1, 77}),
      core_(options_,
            Self{.host = HostOf(1),
                 .generation = 5,
                 .address = AddressOf(1),
                 .cluster_name = kCluster,
                 .keyring = keyring_,
                 .metadata = "me"},
            7, base::Instant{}) {
  const std::array seeds = {AddressOf(2)};
  core_.Join(now_, seeds);
}

void Course::Play() {
  for (std::size_t step = 0; step < kStepsMax && !in_.empty(); ++step) Step();
  RunFor(base::seconds(10));
  (void)core_.report();
}

void Course::Step() {
  switch (in_.Byte() % 10) {
    case 0: RunFor(base::milliseconds(in_.Number<std::uint16_t>() % 4000)); break;
    case 1:
    case 2:
    case 3: {
      const base::Address from = DrawAddress();
      HearDatagram(from, DrawPacket());
      break;
    }
    case 4:
    case 5: HearRequest(DrawPacket()); break;
    case 6: HearReply(DrawPacket()); break;
    case 7: Acknowledge(); break;
    case 8: FailStream(); break;
    case 9: Act(); break;
  }
  kept_.clear();
  CheckState();
}

void Course::HearDatagram(base::Address from, const std::string& packet) {
  const fuzz::Exact bytes(packet);
  core_.OnDatagram(now_, from, bytes.bytes());
  Collect();
  CHECK(datagrams_ <= 1);
  CHECK(datagram_bytes_ <= packet.size() + credit_);
  credit_ -= std::min(credit_, datagram_bytes_ - std::min(datagram_bytes_, packet.size()));
  if (IsPingRequest(packet)) credit_ += packet.size() - datagram_bytes_;
}

bool Course::IsPingRequest(const std::string& packet) {
  const Envelope::Opened opened = peer_.Open(packet);
  Message message;
  return opened.verdict == Envelope::Verdict::kOpened &&
         Decode(opened.body, options_, message).ok() &&
         std::holds_alternative<PingRequest>(message.body);
}

void Course::HearRequest(const std::string& packet) {
  const fuzz::Exact bytes(packet);
  const std::string answer = core_.OnStreamRequest(now_, bytes.bytes(), DrawAddress());
  if (!answer.empty()) CheckReadable(answer);
  Collect();
  CHECK(datagrams_ <= options_.members_max);  // Whom its table accuses is asked, once each.
}

void Course::HearReply(const std::string& packet) {
  const fuzz::Exact bytes(packet);
  core_.OnStreamReply(now_, bytes.bytes(), DrawAddress());
  Collect();
}

// The member that was pinged last lives.
void Course::Acknowledge() {
  if (!ping_) return;
  const Asked asked = *std::exchange(ping_, std::nullopt);
  HearDatagram(asked.address, Packed({.header = {asked.host, 1, 0}, .body = Ack{asked.nonce}}));
}

void Course::FailStream() {
  if (!stream_to_) return;
  const bool refused = in_.Byte() % 2 == 0;
  core_.OnStreamFailed(now_, *std::exchange(stream_to_, std::nullopt),
                       refused ? Gossip::StreamFailure::kRefused : Gossip::StreamFailure::kOther);
  Collect();
}

// Whatever is due is done in time, or all at once when the time is over: the process was asleep.
void Course::RunFor(base::Duration time) {
  const base::Instant end = now_ + time;
  const bool asleep = in_.Byte() % 4 == 3;
  for (std::size_t ticks = 0; core_.next_tick() <= end && ticks < kTicksMax; ++ticks) {
    now_ = asleep ? end : std::max(now_, core_.next_tick());
    core_.OnTick(now_);
    Collect();
  }
  now_ = std::max(now_, end);
}

// What the node itself says, or is told by what is not gossip.
void Course::Act() {
  const std::uint8_t what = in_.Byte();
  const std::string text(in_.ShortPiece());
  switch (what % 8) {
    case 0: core_.Publish(now_, "k" + text.substr(0, 20), what, text); break;
    case 1: (void)core_.PublishPassing(now_, std::string(1, kPassingMark) + "k", what, text); break;
    case 2: core_.SetMetadata(now_, text); break;
    case 3: core_.SetVitals(text.substr(0, kVitalsBytesMax)); break;
    case 4: core_.ReportConnectionLost(now_, DrawHost()); break;
    case 5: core_.SetHome(DrawAddress()); break;
    case 6: core_.SetKeyring(what < 128 ? keyring_ : Keyring(KeyBytes{7})); break;
    case 7:
      if (what < 240) break;
      core_.Leave(now_);
      left_ = true;
      break;
  }
  Collect();
}

std::string Course::DrawPacket() {
  switch (in_.Byte() % 8) {
    case 0: return std::string(in_.ShortPiece());
    case 1: return Wrapped(in_.ShortPiece(), false);
    case 2: return Wrapped(in_.Piece(), true);
    default: return Packed(DrawMessage());
  }
}

std::string Course::Wrapped(base::Bytes body, bool sealed) {
  const Envelope::Way way = sealed ? peer_.way() : std::nullopt;
  std::string packet;
  peer_.Begin(way, packet);
  packet += body;
  peer_.Close(way, packet);
  return packet;
}

std::string Course::Packed(const Message& message) {
  std::string body;
  Encode(message, body);
  return Wrapped(body, true);
}

base::HostId Course::DrawHost() { return HostOf(1 + in_.Byte() % (kPeers + 1)); }
base::Address Course::DrawAddress() { return AddressOf(1 + in_.Byte() % (kPeers + 1)); }

Message Course::DrawMessage() {
  const std::uint8_t bits = in_.Byte();
  Message message{.header = {DrawHost(), bits % 4U, bits / 4U % 4U, bits / 16U % 2U},
                  .body = DrawBody()};
  const std::uint8_t items = in_.Byte();
  for (int left = items % 4; left > 0; --left) message.claims.push_back(DrawClaim());
  for (int left = items / 4 % 4; left > 0; --left) message.rumors.push_back(DrawRumor());
  return message;
}

Body Course::DrawBody() {
  const std::uint8_t kind = in_.Byte();
  const std::uint64_t nonce = in_.Byte();
  const auto kept = [&](std::string bytes) -> base::Bytes {
    return kept_.emplace_back(std::move(bytes));
  };
  switch (kind % 17) {
    case 0: return Ping{nonce, nonce % 2 == 0 ? HostOf(1) : DrawHost()};
    case 1: return Ack{.nonce = nonce, .vitals = in_.Take(nonce % kVitalsBytesMax)};
    case 2: return Ack{nonce, Liveness{static_cast<std::uint8_t>(in_.Byte() % 5)}, nonce % 8};
    case 3: return Nack{nonce};
    case 4: return PingRequest{nonce, DrawHost(), DrawAddress()};
    case 5: return Confirm{DrawHost()};
    case 6: return Farewell{nonce};
    case 7: return Spread{nonce};
    case 8: return Feedback{nonce, in_.Byte()};
    case 9: return Sync{nonce, in_.Byte()};
    case 10:
      return State{.members_equal = nonce % 2 == 0,
                   .rumors_equal = nonce % 4 < 2,
                   .buckets = nonce % 8 < 4 ? kept(std::string(kBucketDigestsBytes, 'd')) : ""};
    case 11: {
      std::string entries(in_.ShortPiece());
      entries.resize(entries.size() / kEntryBytes * kEntryBytes);
      return Compare{kept(std::string(kBucketsBytes, nonce % 4 == 0 ? '\0' : '\xff')),
                     kept(std::move(entries))};
    }
    case 12: {
      std::string wanted;
      for (std::uint64_t left = nonce % 8; left > 0; --left)
        base::AppendLittle(wanted, ShortId(DrawHost()));
      return Difference{kept(std::move(wanted))};
    }
    case 13: return Push{};
    case 14: return Pull{};
    case 15: return Payloads{};
    default: break;
  }
  if (nonce % 4 == 0) return RumorState{};
  RumorSync sync;
  sync.digests[nonce % kRumorBuckets] = in_.Byte();
  return sync;
}

Claim Course::DrawClaim() {
  const std::uint8_t bits = in_.Byte();
  Claim claim{.host = DrawHost(),
              .generation = bits % 8U,
              .incarnation = bits / 8U % 4U,
              .liveness = Liveness{static_cast<std::uint8_t>(in_.Byte() % 5)},
              .address = DrawAddress(),
              .domain = bits / 32U,
              .metadata = in_.Take(bits % 16)};
  if (claim.liveness != Liveness::kAlive)
    claim.age = base::milliseconds(in_.Number<std::uint16_t>());
  for (int left = bits % 4; left > 0; --left)
    claim.accusers.Add({ShortId(DrawHost()), in_.Byte() % 4U});
  return claim;
}

RumorItem Course::DrawRumor() {
  const std::uint8_t bits = in_.Byte();
  RumorItem item{.key = std::string(1, bits % 4 == 0 ? kPassingMark : 'k') +
                        static_cast<char>('a' + bits / 4 % 8),
                 .version = in_.Byte()};
  std::string payload(in_.ShortPiece());
  item.hash = base::Hash64(payload);
  if (bits < 128) item.payload = std::move(payload);
  return item;
}

void Course::Collect() {
  datagrams_ = datagram_bytes_ = streams_ = 0;
  for (const auto& [to, bytes] : core_.outputs().datagrams) {
    ++datagrams_;
    datagram_bytes_ += bytes.size();
    CHECK(bytes.size() <= options_.datagram_bytes_max);
    CheckReadable(bytes);
  }
  for (const StreamRequest& stream : core_.outputs().streams) {
    ++streams_;
    stream_to_ = stream.to;
    CheckReadable(stream.bytes);
  }
  core_.outputs().Clear();
}

void Course::CheckReadable(const std::string& packet) {
  const Envelope::Opened opened = peer_.Open(packet);
  // Whose key was given to it by Act() alone, it seals for others.
  if (opened.verdict == Envelope::Verdict::kUnknownKey && keyring_.keys().empty()) return;
  CHECK(opened.verdict == Envelope::Verdict::kOpened);
  Message message;
  CHECK(Decode(opened.body, options_, message).ok());
  CHECK(message.header.from == HostOf(1));
  if (const auto* ping = std::get_if<Ping>(&message.body))
    ping_ = Asked{ping->target, AddressOf(ping->target.low), ping->nonce};
}

// What is known is bounded, and the node holds itself for alive until it leaves.
void Course::CheckState() const {
  CHECK(core_.size() <= options_.members_max);
  CHECK(core_.pending_news() <= core_.size() + 1);
  if (!left_ && !core_.yielded()) CHECK(core_.self().liveness == Liveness::kAlive);
}

}  // namespace starling::gossip
