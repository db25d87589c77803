#include "storage/irreplaceable.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>

#include "storage/entry.h"

namespace starling::storage {
namespace {

// Of a key that is none of ours, which may be of any.
constexpr base::KeyspaceId kFirst = 0, kLast = ~base::KeyspaceId{0};

base::KeyspaceId KeyspaceOf(base::Bytes key, base::KeyspaceId otherwise) {
  const auto decoded = DecodeDataKey(key);
  return decoded ? decoded->keyspace : otherwise;
}

bool LowerId(const LoneKeyspace& a, const LoneKeyspace& b) { return a.id < b.id; }

}  // namespace

std::string Irreplaceable::Have() const {
  if (keyspaces.empty()) return "some keyspace has";
  std::string names;
  for (const LoneKeyspace& keyspace : keyspaces)
    names += fmt::format("{}'{}'", names.empty() ? "" : ", ", keyspace.name);
  if (more) names += " and others";
  return keyspaces.size() == 1 && !more ? fmt::format("keyspace {} has", names)
                                        : fmt::format("keyspaces {} have", names);
}

Irreplaceable Irreplaceable::Between(base::Bytes first, base::Bytes last) const {
  const base::KeyspaceId from = KeyspaceOf(first, kFirst), to = KeyspaceOf(last, kLast);
  Irreplaceable found{.keyspaces = {}, .more = more};
  std::copy_if(keyspaces.begin(), keyspaces.end(), std::back_inserter(found.keyspaces),
               [&](const LoneKeyspace& each) { return from <= each.id && each.id <= to; });
  return found;
}

Irreplaceable Union(const Irreplaceable& a, const Irreplaceable& b) {
  Irreplaceable both{.keyspaces = {}, .more = a.more || b.more};
  std::set_union(a.keyspaces.begin(), a.keyspaces.end(), b.keyspaces.begin(), b.keyspaces.end(),
                 std::back_inserter(both.keyspaces), LowerId);
  return both;
}

}  // namespace starling::storage
