// gossip/crypto.cc: libcrypto's contexts, made once and started anew with each nonce.
#include "gossip/crypto.h"

#include <openssl/evp.h>

#include <string_view>
#include <utility>

#include "base/check.h"

namespace starling::gossip {
namespace {

constexpr std::string_view kLabel = "starling gossip key";

unsigned char* Raw(char* bytes) { return reinterpret_cast<unsigned char*>(bytes); }
const unsigned char* Raw(const char* bytes) {
  return reinterpret_cast<const unsigned char*>(bytes);
}

}  // namespace

std::uint32_t Fingerprint(const KeyBytes& key) {
  std::string text(kLabel);
  text.append(reinterpret_cast<const char*>(key.data()), key.size());
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  CHECK(EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr) == 1);
  return std::uint32_t{digest[0]} << 24 | std::uint32_t{digest[1]} << 16 |
         std::uint32_t{digest[2]} << 8 | std::uint32_t{digest[3]};
}

void Aead::Free::operator()(evp_cipher_ctx_st* context) const { EVP_CIPHER_CTX_free(context); }

Aead::Aead(const KeyBytes& key, std::string associated)
    : associated_(std::move(associated)),
      sealing_(EVP_CIPHER_CTX_new()),
      opening_(EVP_CIPHER_CTX_new()) {
  CHECK(sealing_ != nullptr);
  CHECK(opening_ != nullptr);
  const EVP_CIPHER* const cipher = EVP_aes_256_gcm();  // Its nonces are of 12 bytes.
  CHECK(EVP_EncryptInit_ex(sealing_.get(), cipher, nullptr, key.data(), nullptr) == 1);
  CHECK(EVP_DecryptInit_ex(opening_.get(), cipher, nullptr, key.data(), nullptr) == 1);
}

void Aead::Seal(const Nonce& nonce, std::size_t from, std::string& packet) {
  CHECK(from <= packet.size());
  EVP_CIPHER_CTX* const context = sealing_.get();
  unsigned char* const text = Raw(packet.data()) + from;
  const int length = static_cast<int>(packet.size() - from);
  int written = 0;
  CHECK(EVP_EncryptInit_ex(context, nullptr, nullptr, nullptr, nonce.data()) == 1);
  CHECK(EVP_EncryptUpdate(context, nullptr, &written, Raw(associated_.data()),
                          static_cast<int>(associated_.size())) == 1);
  CHECK(EVP_EncryptUpdate(context, text, &written, text, length) == 1);
  CHECK(written == length);
  CHECK(EVP_EncryptFinal_ex(context, text + length, &written) == 1);
  CHECK(written == 0);
  std::array<unsigned char, kSealBytes> seal{};
  CHECK(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kSealBytes, seal.data()) == 1);
  packet.append(reinterpret_cast<const char*>(seal.data()), seal.size());
}

bool Aead::Open(const Nonce& nonce, base::Bytes sealed, std::string& text) {
  if (sealed.size() < kSealBytes) return false;
  EVP_CIPHER_CTX* const context = opening_.get();
  const std::size_t length = sealed.size() - kSealBytes;
  std::array<unsigned char, kSealBytes> seal{};
  sealed.copy(reinterpret_cast<char*>(seal.data()), kSealBytes, length);
  text.resize(length);
  int written = 0;
  CHECK(EVP_DecryptInit_ex(context, nullptr, nullptr, nullptr, nonce.data()) == 1);
  CHECK(EVP_DecryptUpdate(context, nullptr, &written, Raw(associated_.data()),
                          static_cast<int>(associated_.size())) == 1);
  CHECK(EVP_DecryptUpdate(context, Raw(text.data()), &written, Raw(sealed.data()),
                          static_cast<int>(length)) == 1);
  CHECK(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kSealBytes, seal.data()) == 1);
  return EVP_DecryptFinal_ex(context, Raw(text.data()) + length, &written) == 1;
}

}  // namespace starling::gossip
