#include "storage/identity.h"

#include <fmt/core.h>

#include "base/check.h"

namespace starling::storage {
namespace {

constexpr base::Bytes kFormatKey = "format";
constexpr base::Bytes kIdentityKey = "identity";
constexpr base::Bytes kBootKey = "boot";
constexpr base::Bytes kClockBoundKey = "clock_bound";
constexpr std::size_t kHostIdBytes = 16;

// nullopt: no such record.
base::Result<std::optional<std::string>> LoadRecord(Engine& engine, base::Bytes key) {
  base::Result<std::string> record = GetOne(engine, Family::kMeta, key);
  if (record) return std::optional(*std::move(record));
  if (record.error().code() == base::Code::kNotFound) return std::optional<std::string>();
  return base::Fail(record.error().Annotate(fmt::format("reading the record '{}'", key)));
}

template <typename T>
base::Result<std::optional<T>> LoadNumber(Engine& engine, base::Bytes key) {
  ASSIGN_OR_RETURN(const std::optional<std::string> record, LoadRecord(engine, key));
  if (!record) return std::optional<T>();
  if (record->size() != sizeof(T))
    return base::Fail(base::Corruption(
        fmt::format("the record '{}' has {} bytes, not {}", key, record->size(), sizeof(T))));
  return std::optional(base::LoadLittle<T>(record->data()));
}

template <typename T>
void SaveNumber(Batch& batch, base::Bytes key, T number) {
  base::AppendLittle(batch.BeginPut(Family::kMeta, key), number);
  batch.EndPut();
}

void AppendHostId(std::string& out, const base::HostId& id) {
  base::AppendLittle(out, id.high);
  base::AppendLittle(out, id.low);
}

base::HostId LoadHostId(const char* at) {
  return {base::LoadLittle<std::uint64_t>(at), base::LoadLittle<std::uint64_t>(at + 8)};
}

base::Result<Identity> DecodeIdentity(base::Bytes record) {
  if (record.size() < 2 * kHostIdBytes)
    return base::Fail(
        base::Corruption(fmt::format("the record '{}' has {} bytes, fewer than its {} of ids",
                                     kIdentityKey, record.size(), 2 * kHostIdBytes)));
  Identity identity{.host = LoadHostId(record.data()),
                    .cluster_name = std::string(record.substr(2 * kHostIdBytes)),
                    .cluster_id = LoadHostId(record.data() + kHostIdBytes)};
  if (identity.host.empty())
    return base::Fail(base::Corruption(fmt::format("the record '{}' names no host", kIdentityKey)));
  return identity;
}

}  // namespace

base::Result<std::optional<Identity>> LoadIdentity(Engine& engine) {
  ASSIGN_OR_RETURN(const auto format, LoadNumber<std::uint32_t>(engine, kFormatKey));
  if (format && *format > kDirectoryFormat)
    return base::Fail(base::FailedPrecondition(
        fmt::format("the data directory has format {}, written by a newer program; this one reads "
                    "formats up to {}",
                    *format, kDirectoryFormat)));
  if (format && *format == 0)
    return base::Fail(base::Corruption("the data directory has format 0, which never was"));
  ASSIGN_OR_RETURN(const auto record, LoadRecord(engine, kIdentityKey));
  if (format.has_value() != record.has_value())
    return base::Fail(base::Corruption(fmt::format("the record '{}' is missing, its pair is there",
                                                   format ? kIdentityKey : kFormatKey)));
  if (!record) return std::optional<Identity>();
  ASSIGN_OR_RETURN(Identity identity, DecodeIdentity(*record));
  return std::optional(std::move(identity));
}

void SaveFormat(Batch& batch) { SaveNumber(batch, kFormatKey, kDirectoryFormat); }

void SaveIdentity(Batch& batch, const Identity& identity) {
  CHECK(!identity.host.empty());
  SaveFormat(batch);
  std::string& out = batch.BeginPut(Family::kMeta, kIdentityKey);
  AppendHostId(out, identity.host);
  AppendHostId(out, identity.cluster_id);
  out.append(identity.cluster_name);
  batch.EndPut();
}

base::Result<std::uint64_t> LastBoot(Engine& engine) {
  ASSIGN_OR_RETURN(const auto last, LoadNumber<std::uint64_t>(engine, kBootKey));
  return last.value_or(0);
}

void SaveBoot(Batch& batch, std::uint64_t boot) { SaveNumber(batch, kBootKey, boot); }

base::Result<std::uint64_t> LoadClockBound(Engine& engine) {
  ASSIGN_OR_RETURN(const auto bound, LoadNumber<std::uint64_t>(engine, kClockBoundKey));
  return bound.value_or(0);
}

void SaveClockBound(Batch& batch, std::uint64_t timestamp) {
  SaveNumber(batch, kClockBoundKey, timestamp);
}

}  // namespace starling::storage
