// storage/irreplaceable.h: the keyspaces whose data no other node has: those of one replica.
//
// What is damaged of them can be fetched from nowhere, so a start lets go of it at an operator's
// word only. It must know them before the database can be opened, so the guard keeps them.
//
// Thread:    values.
// Read next: storage/guard.h, tools/starlingd/store.h
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/place.h"

namespace starling::storage {

struct LoneKeyspace {
  base::KeyspaceId id = 0;
  std::string name;

  bool operator==(const LoneKeyspace&) const = default;
};

struct Irreplaceable {
  std::vector<LoneKeyspace> keyspaces;  // By id.
  bool more = false;                    // And others, which are not known.

  bool any() const { return more || !keyspaces.empty(); }
  bool operator==(const Irreplaceable&) const = default;

  // All of them for an operator, as "keyspace 'a' has" or "keyspaces 'a', 'b' have"; "some keyspace
  // has" when none is known.
  std::string Have() const;
  // Those that may have entries in a table whose keys go from `first` to `last`, both of
  // Family::kData; with `more` that is any table.
  Irreplaceable Between(base::Bytes first, base::Bytes last) const;
};

// Those of either.
Irreplaceable Union(const Irreplaceable& a, const Irreplaceable& b);

}  // namespace starling::storage
