// tests/fuzz/input.h: a fuzzer's input, cut into numbers and pieces.
//
// Thread:    free functions, and values of one thread.
// Ownership: pieces are views into the input, which outlives them.
// Read next: tests/fuzz/round_trip.h
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>

#include "base/bytes.h"

namespace starling::fuzz {

// A copy in an allocation of its own size, so that AddressSanitizer sees what is read beyond it.
class Exact {
 public:
  explicit Exact(base::Bytes bytes) : place_(new char[bytes.size()]), size_(bytes.size()) {
    std::copy(bytes.begin(), bytes.end(), place_.get());
  }
  base::Bytes bytes() const { return {place_.get(), size_}; }

 private:
  std::unique_ptr<char[]> place_;
  std::size_t size_;
};

// Never fails: of an input that is used up, numbers are 0 and pieces empty.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size)
      : rest_(reinterpret_cast<const char*>(data), size) {}

  bool empty() const { return rest_.empty(); }

  std::uint8_t Byte() { return Number<std::uint8_t>(); }
  template <typename T>
  T Number() {
    char bytes[sizeof(T)] = {};
    const base::Bytes taken = Take(sizeof(T));
    std::copy(taken.begin(), taken.end(), bytes);
    return base::LoadLittle<T>(bytes);
  }

  // At most as many bytes as are left.
  base::Bytes Take(std::size_t size) {
    const base::Bytes taken = rest_.substr(0, size);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  // With its length before it: a byte, or two.
  base::Bytes ShortPiece() { return Take(Byte()); }
  base::Bytes Piece() { return Take(Number<std::uint16_t>()); }
  base::Bytes Rest() { return Take(rest_.size()); }

 private:
  base::Bytes rest_;
};

}  // namespace starling::fuzz
