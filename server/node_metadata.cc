// server/node_metadata.cc: to bytes and back.
#include "server/node_metadata.h"

#include "base/check.h"

namespace starling::server {
namespace {

constexpr std::size_t kMetadataBytes = sizeof(std::uint64_t) + 1;

}  // namespace

std::string EncodeMetadata(const NodeMetadata& metadata) {
  std::string out;
  base::AppendLittle(out, metadata.epoch);
  out.push_back(metadata.ready ? '\1' : '\0');
  if (metadata.disk_full) out.push_back('\1');
  return out;
}

NodeMetadata ParseMetadata(base::Bytes bytes) {
  if (bytes.size() < kMetadataBytes) return {};
  return {.epoch = base::LoadLittle<std::uint64_t>(bytes.data()),
          .ready = bytes[sizeof(std::uint64_t)] == 1,
          .disk_full = bytes.size() > kMetadataBytes && bytes[kMetadataBytes] == 1};
}

std::string EncodeVitals(const NodeVitals& vitals) {
  CHECK(vitals.load_bytes >= 0);
  std::string out;
  base::AppendLittle(out, vitals.load_bytes);
  while (out.size() > 1 && out.back() == '\0') out.pop_back();
  return out;
}

std::optional<NodeVitals> ParseVitals(base::Bytes bytes) {
  std::string whole(bytes);
  if (whole.empty() || whole.size() > sizeof(std::int64_t)) return std::nullopt;
  whole.resize(sizeof(std::int64_t), '\0');
  const NodeVitals vitals{base::LoadLittle<std::int64_t>(whole.data())};
  if (vitals.load_bytes < 0) return std::nullopt;
  return vitals;
}

}  // namespace starling::server
