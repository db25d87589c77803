// gossip/envelope.cc: closing and opening packets.
#include "gossip/envelope.h"

#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/hash.h"
#include "base/mutants.h"

namespace starling::gossip {
namespace {

constexpr char kPlainVersion = 1;
constexpr char kSealedVersion = 2;
constexpr std::size_t kTagAt = 1;
constexpr std::size_t kPlainHeaderBytes = kTagAt + sizeof(std::uint32_t);
constexpr std::size_t kKeyAt = kPlainHeaderBytes;
constexpr std::size_t kNonceAt = kKeyAt + sizeof(KeyId);
constexpr std::size_t kSealedHeaderBytes = kNonceAt + kNonceBytes;
static_assert(kSealedHeaderBytes + kSealBytes == kPlainHeaderBytes + kSealedBytesMore);

constexpr std::size_t kPacketBytesMax = 16 << 20;  // Before room for it is taken.
constexpr std::size_t kTextKeptMax = 64 << 10;     // A large table does not stay in memory.

// All of a sealed packet's clear header but the nonce, which GCM authenticates by itself.
std::string Associated(std::uint32_t tag, KeyId key, base::Bytes cluster_name) {
  std::string associated(1, kSealedVersion);
  base::AppendLittle(associated, tag);
  base::AppendLittle(associated, key);
  return associated.append(cluster_name);
}

}  // namespace

std::uint32_t ClusterTag(base::Bytes cluster_name) {
  return static_cast<std::uint32_t>(base::Hash64(cluster_name));
}

Envelope::Envelope(std::string cluster_name, const Keyring& keyring, const Origin& origin)
    : cluster_name_(std::move(cluster_name)),
      tag_(ClusterTag(cluster_name_)),
      origin_(origin),
      random_(origin.seed) {
  DrawPrefix();
  SetKeyring(keyring);
}

void Envelope::SetKeyring(const Keyring& keyring) {
  keyring_ = keyring;
  locks_.clear();
  for (const Keyring::Key& key : keyring_.keys())
    locks_.push_back({key.id, Aead(key.bytes, Associated(tag_, key.id, cluster_name_))});
}

Envelope::Lock* Envelope::Find(KeyId id) {
  for (Lock& lock : locks_) {
    if (lock.id == id) return &lock;
  }
  return nullptr;
}

void Envelope::DrawPrefix() {
  std::string drawn;
  base::AppendLittle(drawn, random_.Next());
  base::AppendLittle(drawn, origin_.host.high);
  base::AppendLittle(drawn, origin_.host.low);
  base::AppendLittle(drawn, origin_.generation);
  prefix_ = base::Mutant("gossip-nonce-repeats") ? origin_.host.low : base::Hash64(drawn);
  count_ = 0;
}

Nonce Envelope::NextNonce() {
  Nonce nonce{};
  std::memcpy(nonce.data(), &prefix_, sizeof prefix_);
  std::memcpy(nonce.data() + sizeof prefix_, &count_, sizeof count_);
  static_assert(sizeof prefix_ + sizeof count_ == kNonceBytes);
  if (count_++ == std::numeric_limits<std::uint32_t>::max()) DrawPrefix();
  return nonce;
}

void Envelope::Begin(Way way, std::string& packet) const {
  packet.assign(1, way ? kSealedVersion : kPlainVersion);
  base::AppendLittle(packet, tag_);
  if (way) packet.append(kSealedHeaderBytes - kPlainHeaderBytes, '\0');
}

void Envelope::Close(Way way, std::string& packet) {
  if (!way) return;
  Lock* const lock = Find(*way);
  CHECK(lock != nullptr);
  const Nonce nonce = NextNonce();
  base::StoreLittle(packet.data() + kKeyAt, *way);
  std::memcpy(packet.data() + kNonceAt, nonce.data(), nonce.size());
  lock->aead.Seal(nonce, kSealedHeaderBytes, packet);
}

Envelope::Opened Envelope::Open(base::Bytes packet) {
  if (packet.size() < kPlainHeaderBytes || packet.size() > kPacketBytesMax)
    return {.verdict = Verdict::kNoPacket};
  const bool sealed = packet[0] == kSealedVersion;
  const bool known = sealed || packet[0] == kPlainVersion;
  if (base::LoadLittle<std::uint32_t>(packet.data() + kTagAt) != tag_)
    return {.verdict = known ? Verdict::kOtherCluster : Verdict::kNoPacket};
  if (!known)
    return {.verdict = Verdict::kOtherVersion, .version = static_cast<std::uint8_t>(packet[0])};
  if (sealed) return OpenSealed(packet);
  if (keyring_.required()) return {.verdict = Verdict::kUnsealed};
  return {.verdict = Verdict::kOpened, .way = {}, .body = packet.substr(kPlainHeaderBytes)};
}

Envelope::Opened Envelope::OpenSealed(base::Bytes packet) {
  if (packet.size() < kSealedHeaderBytes + kSealBytes) return {.verdict = Verdict::kNoPacket};
  const auto key = base::LoadLittle<KeyId>(packet.data() + kKeyAt);
  Lock* const lock = Find(key);
  const bool forgotten = base::Mutant("gossip-primary-only") && key != keyring_.primary();
  if (lock == nullptr || forgotten) return {.verdict = Verdict::kUnknownKey, .way = key};
  Nonce nonce{};
  std::memcpy(nonce.data(), packet.data() + kNonceAt, nonce.size());
  if (text_.capacity() > kTextKeptMax && packet.size() <= kTextKeptMax) text_ = std::string();
  const bool whole = lock->aead.Open(nonce, packet.substr(kSealedHeaderBytes), text_);
  if (!whole && !base::Mutant("gossip-seal-unchecked"))
    return {.verdict = Verdict::kBroken, .way = key};
  return {.verdict = Verdict::kOpened, .way = key, .body = text_};
}

}  // namespace starling::gossip
