#include "server/range_proof.h"

namespace starling::server {
namespace {

constexpr std::uint8_t kProofFormat = 1;
constexpr std::size_t kProofHeadBytes = 1 + 2 + 8 + 8 + 8 + merkle::Digest::kSize + 2;

}  // namespace

std::string ProofKey(base::KeyspaceId keyspace, std::uint16_t first_bucket) {
  std::string key(kProofsBegin);
  base::AppendBig(key, keyspace);
  base::AppendBig(key, first_bucket);
  return key;
}

std::string EncodeProof(const RangeProof& proof) {
  std::string out;
  base::AppendLittle(out, kProofFormat);
  base::AppendLittle(out, proof.last_bucket);
  base::AppendLittle(out, proof.epoch);
  base::AppendLittle(out, static_cast<std::uint64_t>(proof.through));
  base::AppendLittle(out, static_cast<std::uint64_t>(proof.proved_ms));
  out.resize(out.size() + merkle::Digest::kSize);
  proof.digest.StoreTo(out.data() + out.size() - merkle::Digest::kSize);
  base::AppendLittle(out, static_cast<std::uint16_t>(proof.replicas.size()));
  for (const base::NodeNumber number : proof.replicas) base::AppendLittle(out, number);
  return out;
}

base::Result<RangeProof> DecodeProof(base::Bytes key, base::Bytes value) {
  const base::Status bad = base::Corruption("the record of a range's proof is malformed");
  if (key.size() != kProofsBegin.size() + 6 || key.substr(0, kProofsBegin.size()) != kProofsBegin)
    return base::Fail(bad);
  if (value.size() < kProofHeadBytes || static_cast<std::uint8_t>(value[0]) != kProofFormat)
    return base::Fail(bad);
  RangeProof proof;
  proof.keyspace = base::LoadBig<base::KeyspaceId>(key.data() + kProofsBegin.size());
  proof.first_bucket = base::LoadBig<std::uint16_t>(key.data() + kProofsBegin.size() + 4);
  const char* at = value.data() + 1;
  proof.last_bucket = base::LoadLittle<std::uint16_t>(at);
  proof.epoch = base::LoadLittle<std::uint64_t>(at + 2);
  proof.through = static_cast<merkle::Generation>(base::LoadLittle<std::uint64_t>(at + 10));
  proof.proved_ms = static_cast<std::int64_t>(base::LoadLittle<std::uint64_t>(at + 18));
  proof.digest = merkle::Digest::LoadFrom(at + 26);
  const auto count = base::LoadLittle<std::uint16_t>(at + 26 + merkle::Digest::kSize);
  if (value.size() != kProofHeadBytes + std::size_t{count} * 4 ||
      proof.last_bucket < proof.first_bucket)
    return base::Fail(bad);
  for (std::size_t i = 0; i < count; ++i)
    proof.replicas.push_back(
        base::LoadLittle<base::NodeNumber>(value.data() + kProofHeadBytes + i * 4));
  return proof;
}

}  // namespace starling::server
