// gossip/crypto.h: AES-256-GCM and a fingerprint. gossip/crypto.cc alone knows libcrypto.
//
// Thread:    an Aead is confined to one thread; Fingerprint is a free function.
// Ownership: an Aead keeps the key in contexts of libcrypto, set up once: a packet costs no
//            allocation and no key schedule.
// Read next: gossip/envelope.h
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"

struct evp_cipher_ctx_st;  // libcrypto's EVP_CIPHER_CTX.

namespace starling::gossip {

inline constexpr std::size_t kKeyBytes = 32;
inline constexpr std::size_t kNonceBytes = 12;
inline constexpr std::size_t kSealBytes = 16;  // GCM's tag, in full length.

using KeyBytes = std::array<unsigned char, kKeyBytes>;
using Nonce = std::array<unsigned char, kNonceBytes>;

// The first 32 bits of a SHA-256 over a label and the key: tells keys apart and gives none away.
std::uint32_t Fingerprint(const KeyBytes& key);

class Aead {
 public:
  // `associated` is authenticated with every packet, and not part of it.
  Aead(const KeyBytes& key, std::string associated);

  // Encrypts packet[from..] where it is, and appends the seal. REQUIRES: a nonce never used before
  // with this key.
  void Seal(const Nonce& nonce, std::size_t from, std::string& packet);

  // What was encrypted, in `text`, whose room is used; false, with `text` of no use, if key, nonce,
  // associated data or any bit of it is another.
  bool Open(const Nonce& nonce, base::Bytes sealed, std::string& text);

 private:
  struct Free {
    void operator()(evp_cipher_ctx_st* context) const;
  };
  using Context = std::unique_ptr<evp_cipher_ctx_st, Free>;

  const std::string associated_;
  Context sealing_, opening_;
};

}  // namespace starling::gossip
