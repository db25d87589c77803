#include "merkle/digest.h"

namespace starling::merkle {

void Digest::StoreTo(char* at) const {
  base::StoreLittle(at, count);
  base::StoreLittle(at + 8, low);
  base::StoreLittle(at + 16, high);
}

Digest Digest::LoadFrom(const char* at) {
  return {base::LoadLittle<std::uint64_t>(at), base::LoadLittle<std::uint64_t>(at + 8),
          base::LoadLittle<std::uint64_t>(at + 16)};
}

Digest DigestOf(base::Bytes key, const EntryFacts& facts, std::uint64_t seed) {
  return DigestOf(KeyHashOf(key, seed), facts, seed);
}

base::Hash128Value KeyHashOf(base::Bytes key, std::uint64_t seed) {
  return base::Hash128(key, seed);
}

Digest DigestOf(const base::Hash128Value& key_hash, const EntryFacts& facts, std::uint64_t seed) {
  constexpr std::size_t kFactsBytes = 16 + base::Version::kSize + 8 + 8 + 1;
  // The key goes in as its own hash, so that the whole has one length: no allocation, and no key
  // can be mistaken for another's facts.
  char bytes[kFactsBytes];
  base::StoreLittle(bytes, key_hash.low);
  base::StoreLittle(bytes + 8, key_hash.high);
  facts.version.StoreTo(bytes + 16);
  base::StoreLittle(bytes + 32, facts.expiry_ms);
  base::StoreLittle(bytes + 40, facts.value_digest);
  base::StoreLittle(bytes + 48, facts.flags);
  const base::Hash128Value hash = base::Hash128({bytes, sizeof bytes}, seed);
  return {1, hash.low, hash.high};
}

}  // namespace starling::merkle
