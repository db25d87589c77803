#include "server/snapshot_manifest.h"

#include <fmt/core.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "base/hash.h"

namespace starling::server {
namespace {

using json = nlohmann::ordered_json;  // Fields stand as written here, for people to read.

constexpr std::uint32_t kFormat = 1;

std::string Hex(const merkle::Digest& digest) {
  return fmt::format("{:016x}{:016x}", digest.high, digest.low);
}

// The text, ended by its own checksum: XXH3 of all before that.
std::string Sealed(json object) {
  const std::uint64_t sum = base::Hash64(object.dump(2));
  object["checksum"] = fmt::format("{:016x}", sum);
  return object.dump(2) + "\n";
}

json ToJson(const SnapshotKeyspace& keyspace) {
  json ranges = json::array();
  for (const BucketRange& range : keyspace.ranges)
    ranges.push_back(fmt::format("{:04x}-{:04x}", range.first, range.last));
  return {{"id", keyspace.id},
          {"name", keyspace.name},
          {"replication", keyspace.replication},
          {"entries", keyspace.digest.count},
          {"digest", Hex(keyspace.digest)},
          {"ranges", ranges}};
}

// Digits of base 16, all of them.
base::Result<std::uint64_t> ParseHex(std::string_view text) {
  std::uint64_t value = 0;
  for (const char digit : text) {
    const auto at = std::string_view("0123456789abcdef").find(digit);
    if (at == std::string_view::npos)
      return base::Fail(base::Corruption(fmt::format("'{}' is no number of base 16", text)));
    value = value << 4 | at;
  }
  return value;
}

base::Result<BucketRange> ParseRange(const std::string& text) {
  if (text.size() != 9 || text[4] != '-')
    return base::Fail(base::Corruption(fmt::format("'{}' is no range of buckets", text)));
  ASSIGN_OR_RETURN(const std::uint64_t first, ParseHex(std::string_view(text).substr(0, 4)));
  ASSIGN_OR_RETURN(const std::uint64_t last, ParseHex(std::string_view(text).substr(5)));
  if (first > last)
    return base::Fail(base::Corruption("the range " + text + " ends before it begins"));
  return BucketRange{static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(last)};
}

base::Result<merkle::Digest> ParseDigest(std::uint64_t entries, const std::string& text) {
  if (text.size() != 32) return base::Fail(base::Corruption("'" + text + "' is no digest"));
  merkle::Digest digest{.count = entries};
  ASSIGN_OR_RETURN(digest.high, ParseHex(std::string_view(text).substr(0, 16)));
  ASSIGN_OR_RETURN(digest.low, ParseHex(std::string_view(text).substr(16)));
  return digest;
}

// Throws json::exception, as at() does, also if it is no whole number that T has room for: get()
// would cut it off.
template <typename T>
T WholeNumber(const json& value, std::string_view field) {
  const bool fits = value.is_number_unsigned()
                        ? std::in_range<T>(value.get<std::uint64_t>())
                        : value.is_number_integer() && std::in_range<T>(value.get<std::int64_t>());
  if (!fits)
    throw json::type_error::create(302, fmt::format("'{}' is no number that fits", field), &value);
  return value.get<T>();
}
template <typename T>
void TakeNumber(const json& object, const char* field, T& into) {
  into = WholeNumber<T>(object.at(field), field);
}

// May throw json::exception, whose words name the field.
base::Result<SnapshotKeyspace> KeyspaceIn(const json& object) {
  SnapshotKeyspace keyspace;
  TakeNumber(object, "id", keyspace.id);
  object.at("name").get_to(keyspace.name);
  object.at("replication").get_to(keyspace.replication);
  ASSIGN_OR_RETURN(keyspace.digest,
                   ParseDigest(WholeNumber<std::uint64_t>(object.at("entries"), "entries"),
                               object.at("digest").get<std::string>()));
  for (const json& range : object.at("ranges")) {
    ASSIGN_OR_RETURN(const BucketRange parsed, ParseRange(range.get<std::string>()));
    keyspace.ranges.push_back(parsed);
  }
  return keyspace;
}

// Likewise.
base::Result<SnapshotManifest> ManifestIn(const json& object) {
  const auto format = WholeNumber<std::uint32_t>(object.at("format"), "format");
  if (format > kFormat)
    return base::Fail(base::FailedPrecondition(fmt::format(
        "a newer release wrote it: its format is {}, this one knows {}", format, kFormat)));
  SnapshotManifest manifest;
  object.at("name").get_to(manifest.name);
  TakeNumber(object, "created_ms", manifest.created_ms);
  object.at("cluster").get_to(manifest.cluster_name);
  ASSIGN_OR_RETURN(manifest.cluster_id,
                   base::HostId::Parse(object.at("cluster_id").get<std::string>()));
  TakeNumber(object, "token_seed", manifest.token_seed);
  TakeNumber(object, "epoch", manifest.epoch);
  const json& node = object.at("node");
  ASSIGN_OR_RETURN(manifest.node.host, base::HostId::Parse(node.at("host_id").get<std::string>()));
  TakeNumber(node, "number", manifest.node.number);
  ASSIGN_OR_RETURN(manifest.node.cluster,
                   base::ParseAddress(node.at("address").get<std::string>()));
  node.at("dc").get_to(manifest.node.dc);
  node.at("rack").get_to(manifest.node.rack);
  for (const json& token : node.at("tokens"))
    manifest.node.tokens.push_back(WholeNumber<std::uint16_t>(token, "tokens"));
  for (const json& each : object.at("keyspaces")) {
    ASSIGN_OR_RETURN(SnapshotKeyspace keyspace, KeyspaceIn(each));
    manifest.keyspaces.push_back(std::move(keyspace));
  }
  return manifest;
}

}  // namespace

std::string ToJson(const SnapshotManifest& manifest) {
  json keyspaces = json::array();
  for (const SnapshotKeyspace& keyspace : manifest.keyspaces) keyspaces.push_back(ToJson(keyspace));
  const topology::Node& node = manifest.node;
  const json object = {{"format", kFormat},
                       {"name", manifest.name},
                       {"created_ms", manifest.created_ms},
                       {"cluster", manifest.cluster_name},
                       {"cluster_id", manifest.cluster_id.ToString()},
                       {"token_seed", manifest.token_seed},
                       {"epoch", manifest.epoch},
                       {"node",
                        {{"host_id", node.host.ToString()},
                         {"number", node.number},
                         {"address", node.cluster.ToString()},
                         {"dc", node.dc},
                         {"rack", node.rack},
                         {"tokens", node.tokens}}},
                       {"keyspaces", keyspaces}};
  return Sealed(object);
}

base::Result<SnapshotManifest> ParseManifest(std::string_view text, Damaged damaged) {
  const json object = json::parse(text, nullptr, false);
  if (object.is_discarded()) return base::Fail(base::Corruption("it is no JSON"));
  try {
    ASSIGN_OR_RETURN(SnapshotManifest manifest, ManifestIn(object));
    object.at("checksum").get_ref<const std::string&>();
    // Not the checksum alone: a byte may have changed in it, or between the fields.
    if (damaged == Damaged::kRefuse && ToJson(manifest) != text)
      return base::Fail(base::Corruption("its checksum does not fit: it was changed or damaged"));
    return manifest;
  } catch (const json::exception& error) {
    return base::Fail(base::Corruption(error.what()));
  }
}

base::Result<SnapshotManifest> ReadManifest(const std::string& directory, Damaged damaged) {
  const std::string path = directory + "/" + kManifestFile;
  std::ifstream file(path);
  if (!file)
    return base::Fail(base::NotFound(
        fmt::format("{} is no snapshot: there is no {} to read in it", directory, kManifestFile)));
  std::ostringstream text;
  text << file.rdbuf();
  auto manifest = ParseManifest(text.str(), damaged);
  if (!manifest) return base::Fail(manifest.error().Annotate(path));
  return manifest;
}

}  // namespace starling::server
