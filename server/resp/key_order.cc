#include "server/resp/key_order.h"

#include "base/check.h"

namespace starling::resp {
namespace {

constexpr std::size_t kCellsMin = 16;
constexpr std::size_t kCellsKept = 1024;  // A connection without open operations keeps no more.

}  // namespace

// The key's cell, or the free one where it belongs.
KeyOrder::Cell& KeyOrder::CellOf(std::uint64_t hash) {
  std::size_t at = HomeOf(hash);
  while (!cells_[at].free() && cells_[at].hash != hash) at = (at + 1) & (cells_.size() - 1);
  return cells_[at];
}

void KeyOrder::Resize(std::size_t cells) {
  std::vector<Cell> old(cells);
  std::swap(old, cells_);
  for (const Cell& cell : old)
    if (!cell.free()) CellOf(cell.hash) = cell;
}

bool KeyOrder::TryBegin(std::uint64_t hash, Access access) {
  if (keys_ * 2 >= cells_.size()) Resize(std::max(kCellsMin, cells_.size() * 2));
  Cell& cell = CellOf(hash);
  if (cell.free()) {
    cell.hash = hash;
    ++keys_;
  } else if (cell.written || access == Access::kWrite) {
    return false;
  }
  if (access == Access::kWrite)
    cell.written = true;
  else
    ++cell.readers;
  return true;
}

void KeyOrder::End(std::uint64_t hash, Access access) {
  CHECK(keys_ > 0);
  Cell& cell = CellOf(hash);
  if (access == Access::kWrite) {
    CHECK(cell.written);
    cell.written = false;
  } else {
    CHECK(cell.readers > 0);
    --cell.readers;
  }
  if (!cell.free()) return;
  --keys_;
  Free(static_cast<std::size_t>(&cell - cells_.data()));
  if (keys_ == 0 && cells_.size() > kCellsKept) cells_ = {};
}

// Closes the gap that a cell leaves: those behind it that would no longer be found move up.
void KeyOrder::Free(std::size_t index) {
  const std::size_t mask = cells_.size() - 1;
  std::size_t gap = index;
  for (std::size_t at = (index + 1) & mask; !cells_[at].free(); at = (at + 1) & mask) {
    const std::size_t home = HomeOf(cells_[at].hash);
    if (((at - home) & mask) < ((at - gap) & mask)) continue;  // Its home lies behind the gap.
    cells_[gap] = cells_[at];
    cells_[at] = {};
    gap = at;
  }
}

}  // namespace starling::resp
