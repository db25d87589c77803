// server/value_pieces.h: a value that comes in pieces: what of it is here, and what may be added.
//
// Pieces come in order, each asked for once the one before is here. What was lost is asked for
// again, from where it broke off; a piece that comes twice, or out of its place, changes nothing;
// one of another version never does. Whether the whole is what was announced, its digest tells,
// where it is taken.
//
// Thread:    confined.
// Read next: server/repair_pull_values.cc, server/open_values.h
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/mutants.h"
#include "base/version.h"

namespace starling::server {

class ValuePieces {
 public:
  ValuePieces(const base::Version& version, std::uint32_t bytes)
      : version_(version), bytes_(bytes) {}

  const base::Version& version() const { return version_; }
  std::uint32_t bytes() const { return bytes_; }  // Of the whole.
  // Where the next piece begins.
  std::uint32_t next() const { return static_cast<std::uint32_t>(value_.size()); }
  bool whole() const { return value_.size() == bytes_; }
  base::Bytes value() const { return value_; }  // What is here.

  // Takes its memory: from here on pieces may come.
  void Open() { value_.reserve(bytes_); }
  // False: it is not the next piece of this version, and nothing was changed.
  bool Add(const base::Version& version, std::uint32_t offset, base::Bytes piece) {
    const bool ours = version == version_ || base::Mutant("repair-pieces-mixed");
    if (!ours || offset != next() || piece.empty() || piece.size() > bytes_ - next()) return false;
    value_.append(piece);
    return true;
  }

 private:
  const base::Version version_;
  const std::uint32_t bytes_;
  std::string value_;
};

}  // namespace starling::server
