#include "tests/sim/history.h"

#include <fmt/core.h>

#include <map>
#include <set>

#include "base/bytes.h"
#include "base/random.h"

namespace starling::sim {

History::Id History::Begin(std::uint32_t client, std::string key, Operation::Kind kind,
                           std::uint64_t value, base::Instant now) {
  Record& record = records_.emplace_back();
  record.key = std::move(key);
  record.operation = {.client = client, .kind = kind, .value = value, .invoked = now};
  return records_.size() - 1;
}

std::optional<std::string> History::Check() const {
  std::map<std::string, std::vector<Operation>> by_key;
  for (const Record& record : records_)
    if (!record.refused) by_key[record.key].push_back(record.operation);
  for (const auto& [key, operations] : by_key)
    if (const auto violation = CheckLinearizable(operations))
      return fmt::format("key {} is not linearizable: {}", key, violation->text);
  return std::nullopt;
}

std::vector<std::string> History::Keys() const {
  std::set<std::string> keys;
  for (const Record& record : records_)
    if (record.operation.kind != Operation::Kind::kGet) keys.insert(record.key);
  return {keys.begin(), keys.end()};
}

History::Summary History::Summarize() const {
  Summary summary;
  for (const Record& record : records_) {
    ++summary.operations;
    if (record.refused) {
      ++summary.refused;
    } else if (record.operation.open()) {
      ++summary.unknown;
    } else {
      ++summary.acknowledged;
    }
  }
  return summary;
}

namespace {

// Most are small; some take several reads of a socket to arrive.
std::size_t SizeOf(std::uint64_t value) {
  const std::uint64_t draw = base::Mix64(value);
  return sizeof value + (draw % 50 == 0 ? draw % 40'000 : draw % 100);
}

}  // namespace

std::string ValueBytes(std::uint64_t value) {
  std::string bytes;
  base::AppendLittle(bytes, value);
  bytes.resize(SizeOf(value), static_cast<char>('a' + value % 26));
  return bytes;
}

std::optional<std::uint64_t> ParseValue(base::Bytes bytes) {
  if (bytes.size() < sizeof(std::uint64_t)) return std::nullopt;
  const auto value = base::LoadLittle<std::uint64_t>(bytes.data());
  if (bytes.size() != SizeOf(value) || bytes != ValueBytes(value)) return std::nullopt;
  return value;
}

}  // namespace starling::sim
