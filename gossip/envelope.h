// gossip/envelope.h: what is around a message: the clear header, and the seal.
//
//   plain   version 1 | tag u32 | message
//   sealed  version 2 | tag u32 | key id u32 | nonce 12 bytes | message, encrypted | seal 16 bytes
//
// All of the clear header and the whole name of the cluster are authenticated. A packet is opened,
// or dropped, before anything of it is parsed.
//
// A nonce is 8 bytes drawn for this process and a count of 4. Nodes and boots share a key, and two
// that drew the same 8 bytes would repeat nonces: with P boots in the life of a key that has a
// chance of P^2 / 2^65, below NIST's 2^-32 up to 92,000 boots. Wholly random nonces would reach
// that bound after 2^32 packets, a week of 1,000 idle nodes. A count that is used up draws new
// bytes.
//
// Thread:    confined to one thread.
// Ownership: what Open() returns points into the packet, or into a buffer of this until the next.
// Read next: gossip/keyring.h, gossip/crypto.h
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/host_id.h"
#include "base/random.h"
#include "gossip/crypto.h"
#include "gossip/keyring.h"

namespace starling::gossip {

// Tells clusters apart: the low 32 bits of the name's hash. No secret and no protection.
std::uint32_t ClusterTag(base::Bytes cluster_name);

// What a sealed packet has beyond a plain one.
inline constexpr std::size_t kSealedBytesMore = sizeof(KeyId) + kNonceBytes + kSealBytes;

class Envelope {
 public:
  // Plain, or sealed with a key.
  using Way = std::optional<KeyId>;

  // `host` and `generation` go into the nonces, so that a poor `seed` alone does not repeat them.
  struct Origin {
    base::HostId host;
    std::uint64_t generation;
    std::uint64_t seed;
  };
  Envelope(std::string cluster_name, const Keyring& keyring, const Origin& origin);
  Envelope(const Envelope&) = delete;
  Envelope& operator=(const Envelope&) = delete;

  void SetKeyring(const Keyring& keyring);
  const Keyring& keyring() const { return keyring_; }
  const std::string& cluster_name() const { return cluster_name_; }

  // How this node sends what it says unasked. An answer goes the way its question came, which its
  // asker can open for sure; and a seal would make it larger than a plain question.
  Way way() const { return keyring_.primary(); }
  // Whether that way is open: the key may be removed before an answer is due.
  bool Has(Way way) const { return !way || keyring_.Has(*way); }
  static std::size_t TailBytes(Way way) { return way ? kSealBytes : 0; }

  // Begins a packet in the room of `packet`; its message is to be appended; Close() seals it, which
  // appends TailBytes(way). REQUIRES: Has(way).
  void Begin(Way way, std::string& packet) const;
  void Close(Way way, std::string& packet);

  enum class Verdict : std::uint8_t {
    kOpened,
    kNoPacket,      // Nothing of ours, or too large.
    kOtherCluster,  // Another's tag.
    kOtherVersion,  // Our tag, which follows the version in all formats to come, too.
    kUnsealed,      // And this node requires a seal.
    kUnknownKey,    // Sealed with a key that is not installed here.
    kBroken,        // Damaged, forged, or of another cluster that has the key as well.
  };
  struct Opened {
    Verdict verdict = Verdict::kNoPacket;
    Way way{};                 // Of kUnknownKey and kBroken, too.
    base::Bytes body{};        // Of kOpened: the message.
    std::uint8_t version = 0;  // Of kOtherVersion.
  };
  Opened Open(base::Bytes packet);

 private:
  struct Lock {
    KeyId id;
    Aead aead;
  };
  Lock* Find(KeyId id);
  Opened OpenSealed(base::Bytes packet);
  void DrawPrefix();
  Nonce NextNonce();

  const std::string cluster_name_;
  const std::uint32_t tag_;
  const Origin origin_;
  Keyring keyring_;
  std::vector<Lock> locks_;  // By key, in the keyring's order.
  base::Random random_;
  std::uint64_t prefix_ = 0;
  std::uint32_t count_ = 0;
  std::string text_;  // Of the packet opened last.
};

}  // namespace starling::gossip
