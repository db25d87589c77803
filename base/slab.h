// base/slab.h: objects in flight, found by an id that goes stale with them.
//
// The id is slot and generation, so it can travel over a wire or wait in a timer: when the object
// has gone, Find says so, and a new object in the slot is never mistaken for it. Objects do not
// move. A removed object is kept and used again: with `void Reset()` T says what of it to keep
// (buffers, say); without, it is destroyed and made anew.
//
// Thread:    confined to one thread.
// Ownership: the slab's; a T* is valid until Remove of its id.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/check.h"

namespace starling::base {

template <typename T>
class Slab {
 public:
  Slab() = default;
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;

  // A default-constructed (or Reset) object and its id, which is never 0.
  std::pair<std::uint64_t, T*> Add() {
    if (free_.empty()) Grow();
    const std::uint32_t slot = free_.back();
    free_.pop_back();
    Cell& cell = At(slot);
    cell.live = true;
    ++size_;
    return {IdOf(slot, cell), &cell.item};
  }

  // nullptr when the id was removed, or is none of ours.
  T* Find(std::uint64_t id) {
    Cell* cell = Live(id);
    return cell == nullptr ? nullptr : &cell->item;
  }
  const T* Find(std::uint64_t id) const { return const_cast<Slab*>(this)->Find(id); }

  // A stale id changes nothing.
  void Remove(std::uint64_t id) {
    Cell* cell = Live(id);
    if (cell == nullptr) return;
    cell->live = false;
    if (++cell->generation == 0) cell->generation = 1;
    --size_;
    if constexpr (requires(T & item) { item.Reset(); }) {
      cell->item.Reset();
    } else {
      std::destroy_at(&cell->item);
      std::construct_at(&cell->item);
    }
    // Last: the destructor of an item may use the slab.
    free_.push_back(static_cast<std::uint32_t>(id));
  }

  // Calls `visit(id, item)` in the order of slots. It may remove any object; whether one that it
  // adds is visited is left open.
  template <typename Visit>
  void ForEach(Visit&& visit) {
    for (std::uint32_t slot = 0; slot < slots_; ++slot) {
      Cell& cell = At(slot);
      if (cell.live) visit(IdOf(slot, cell), cell.item);
    }
  }

  std::size_t size() const { return size_; }

 private:
  static constexpr std::uint32_t kChunk = 64;  // Slots that are allocated at once.

  struct Cell {
    T item{};
    std::uint32_t generation = 1;
    bool live = false;
  };

  static std::uint64_t IdOf(std::uint32_t slot, const Cell& cell) {
    return static_cast<std::uint64_t>(cell.generation) << 32 | slot;
  }
  Cell& At(std::uint32_t slot) { return chunks_[slot / kChunk][slot % kChunk]; }
  Cell* Live(std::uint64_t id) {
    const auto slot = static_cast<std::uint32_t>(id);
    if (slot >= slots_) return nullptr;
    Cell& cell = At(slot);
    return cell.live && cell.generation == id >> 32 ? &cell : nullptr;
  }
  void Grow() {
    CHECK(slots_ <= UINT32_MAX - kChunk);
    chunks_.push_back(std::make_unique<Cell[]>(kChunk));
    slots_ += kChunk;
    // The lowest slot on top, so that a young slab stays dense.
    for (std::uint32_t i = 1; i <= kChunk; ++i) free_.push_back(slots_ - i);
  }

  std::vector<std::unique_ptr<Cell[]>> chunks_;
  std::vector<std::uint32_t> free_;
  std::uint32_t slots_ = 0;
  std::size_t size_ = 0;
};

}  // namespace starling::base
