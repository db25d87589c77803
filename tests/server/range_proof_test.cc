// Goal:   the record of a proof comes back as it was written, and anything else is refused.
// Method: a law over drawn proofs; each length of a good record cut short.
#include "server/range_proof.h"

#include <rapidcheck.h>

#include "base/random.h"
#include "tests/test.h"

namespace starling::server {
namespace {

RangeProof Draw(std::uint64_t seed) {
  base::Random random(seed);
  RangeProof proof;
  proof.keyspace = static_cast<base::KeyspaceId>(random.Next());
  proof.first_bucket = static_cast<std::uint16_t>(random.Below(40'000));
  proof.last_bucket = static_cast<std::uint16_t>(proof.first_bucket + random.Below(20'000));
  for (std::uint64_t i = random.Below(6); i > 0; --i)
    proof.replicas.push_back(static_cast<base::NodeNumber>(random.Next()));
  proof.epoch = random.Next();
  proof.through = static_cast<merkle::Generation>(random.Next());
  proof.digest = {random.Next(), random.Next(), random.Next()};
  proof.proved_ms = static_cast<std::int64_t>(random.Next());
  return proof;
}

TEST_SUITE("server/range_proof") {
  TEST_CASE("law: a proof comes back as it was encoded, and lies among the proofs") {
    EXPECT(rc::check([](std::uint64_t seed) {
      const RangeProof proof = Draw(seed);
      const std::string key = ProofKey(proof.keyspace, proof.first_bucket);
      RC_ASSERT(key >= kProofsBegin);
      RC_ASSERT(key < kProofsEnd);
      const auto again = DecodeProof(key, EncodeProof(proof));
      RC_ASSERT(again.has_value());
      RC_ASSERT(*again == proof);
    }));
  }

  TEST_CASE("a record that is cut short, too long or of another format is Corruption") {
    RangeProof proof = Draw(7);
    proof.replicas = {1, 2, 3};
    const std::string key = ProofKey(proof.keyspace, proof.first_bucket);
    const std::string value = EncodeProof(proof);
    for (std::size_t size = 0; size < value.size(); ++size)
      EXPECT(!DecodeProof(key, value.substr(0, size)).has_value());
    EXPECT(!DecodeProof(key, value + "x").has_value());
    EXPECT(!DecodeProof(key, "\x02" + value.substr(1)).has_value());
    EXPECT(!DecodeProof(key + "x", value).has_value());
    EXPECT(!DecodeProof("proof.123456", value).has_value());
    EXPECT(DecodeProof("", value).error().code() == base::Code::kCorruption);
  }
}

}  // namespace
}  // namespace starling::server
