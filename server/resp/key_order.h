// server/resp/key_order.h: which keys a connection has operations under way on.
//
// Redis runs the commands of a connection one after the other; here their operations on keys are
// under way together. The difference must not show, so an operation waits while an earlier one of
// its connection on the same key is open, unless both only read. Keys are known by their hash: two
// that collide wait for each other, which is harmless.
//
// Thread: confined.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace starling::resp {

class KeyOrder {
 public:
  enum class Access : std::uint8_t { kRead, kWrite };

  // False: it has to wait, and nothing changed.
  bool TryBegin(std::uint64_t hash, Access access);
  // REQUIRES: a TryBegin with the same arguments succeeded, and was not ended.
  void End(std::uint64_t hash, Access access);

  std::size_t keys() const { return keys_; }

 private:
  // Open addressing. A cell is free when nobody reads or writes.
  struct Cell {
    std::uint64_t hash = 0;
    std::uint32_t readers = 0;
    bool written = false;
    bool free() const { return readers == 0 && !written; }
  };

  std::size_t HomeOf(std::uint64_t hash) const { return hash & (cells_.size() - 1); }
  Cell& CellOf(std::uint64_t hash);
  void Resize(std::size_t cells);
  void Free(std::size_t index);

  std::vector<Cell> cells_;  // A power of two, or none; at most half are in use.
  std::size_t keys_ = 0;
};

}  // namespace starling::resp
