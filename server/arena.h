// server/arena.h: bytes that live until the end of the turn.
//
// What came in with a frame is a view into the connection's buffer, valid during one call; an
// operation that waits for the end of its turn keeps its bytes here instead. Reset() keeps the
// blocks, so that a busy worker allocates nothing.
//
// Thread: confined.
#pragma once

#include <cstring>
#include <memory>
#include <vector>

#include "base/bytes.h"

namespace starling::server {

class Arena {
 public:
  // Room for `size` bytes that do not move until Reset.
  char* Room(std::size_t size) {
    if (size > kBlockBytes / 4) return Large(size);
    if (block_ == 0 || used_ + size > kBlockBytes) NextBlock();
    char* at = blocks_[block_ - 1].get() + used_;
    used_ += size;
    return at;
  }

  base::Bytes Copy(base::Bytes bytes) {
    if (bytes.empty()) return {};
    char* at = Room(bytes.size());
    std::memcpy(at, bytes.data(), bytes.size());
    return {at, bytes.size()};
  }

  void Reset() {
    block_ = 0;
    used_ = kBlockBytes;
    large_.clear();
    if (blocks_.size() > kBlocksKept) blocks_.resize(kBlocksKept);
  }

 private:
  static constexpr std::size_t kBlockBytes = 256 * 1024;
  static constexpr std::size_t kBlocksKept = 16;

  char* Large(std::size_t size) {
    large_.push_back(std::make_unique_for_overwrite<char[]>(size));
    return large_.back().get();
  }
  void NextBlock() {
    if (block_ == blocks_.size())
      blocks_.push_back(std::make_unique_for_overwrite<char[]>(kBlockBytes));
    ++block_;
    used_ = 0;
  }

  std::vector<std::unique_ptr<char[]>> blocks_;
  std::vector<std::unique_ptr<char[]>> large_;
  std::size_t block_ = 0;  // Blocks in use; the last of them is being filled.
  std::size_t used_ = kBlockBytes;
};

}  // namespace starling::server
