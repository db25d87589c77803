// server/tree_page.h: what a slice's trees are made anew from: a page of its entries, as digests.
//
// Thread:    any; on the background lane.
// Read next: server/tree_making.h, server/tree_rebuild.h
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "merkle/digest.h"
#include "storage/engine.h"
#include "storage/entry.h"

namespace starling::server {

struct TreePage {
  struct Found {
    std::string stored_key;
    storage::EntryHeader header;  // Without a version: it is no entry.
    merkle::Digest digest;
    bool damaged = false;  // That, or its value does not fit its digest.
  };
  std::vector<Found> found;
  std::string upto;  // All of the slice before this stored key is in it; empty: to its end.
  std::uint64_t bytes_read = 0;
  std::uint64_t damaged = 0;
  base::Status first_damage;
  base::Status status;  // Corruption or Io: it can't be read on, and the page counts for nothing.
};

// Of a page. Higher: fewer changes of threads; lower: who else waits for the lane waits less.
struct TreePageLimits {
  std::size_t entries_max = 1024;
  std::size_t seeks_max = 256;  // A slice has a run of entries in every 256th bucket.
  std::uint64_t bytes_max = 1 << 20;
};

// The slice's entries of all keyspaces from the stored key `from` on; empty: from the beginning.
TreePage ReadTreePage(storage::Engine& engine, std::uint8_t slice, base::Bytes from,
                      std::uint64_t digest_seed, const TreePageLimits& limits = {});

}  // namespace starling::server
