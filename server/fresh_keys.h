// server/fresh_keys.h: which keys cannot be stored yet, on a node that began with nothing.
//
// A write looks up what it replaces. On a node that is new, or was emptied, nearly all of these
// lookups find nothing, and they were a third of what its worker does while it is filled. If
// nothing was stored when the process began, all that is stored came by way of its replicas. So a
// bucket that none wrote to is empty; and one that is filled in the order of its keys, as by a
// pull, has nothing behind the last of them. Of each slice only the bucket begun last is known so:
// that is how a pull goes. Of all others a lookup has to tell, as it does after a restart.
//
// It says nothing of trees: whether these are right does not matter to it.
//
// Thread:    confined to its worker.
// Ownership: 8 KiB a keyspace, and 64 bytes a slice of it.
// Read next: server/replica.cc (RunSome)
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/place.h"
#include "merkle/bucket_set.h"
#include "storage/engine.h"

namespace starling::server {

// Whether no entry is stored. To be asked before any worker writes.
bool HoldsNothing(storage::Engine& engine);

class FreshKeys {
 public:
  // `began_empty`: as HoldsNothing said when the process began. Else no key counts as fresh.
  explicit FreshKeys(bool began_empty) : began_empty_(began_empty) {}

  // Whether the key, as in storage, is neither stored nor on its way there. To be asked of each
  // operation, in their order: what `writes` counts as on its way from then on.
  bool Fresh(base::Bytes stored_key, bool writes);

 private:
  struct Keyspace {
    merkle::BucketSet begun;  // That were ever written to.
    struct Newest {
      std::uint16_t bucket = 0;
      std::string highest;  // Empty: none.
    };
    std::array<Newest, base::kSlices> newest;  // Of each slice the bucket begun last.
  };

  const bool began_empty_;
  std::map<base::KeyspaceId, std::unique_ptr<Keyspace>> keyspaces_;
};

}  // namespace starling::server
