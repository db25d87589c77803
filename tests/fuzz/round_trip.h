// tests/fuzz/round_trip.h: what a decoder lets through can be said again, and is then the same.
//
// Thread: a free function.
#pragma once

#include <string>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "tests/fuzz/input.h"

namespace starling::fuzz {

// `decode(bytes)` gives a Result, `encode(value)` a string. A refusal says why. Not the bytes are
// the same but what they say: a sender may use more of them than we do. Whether it was let through.
template <typename Decode, typename Encode>
bool RoundTrip(base::Bytes bytes, Decode decode, Encode encode) {
  const Exact given(bytes);
  const auto first = decode(given.bytes());
  if (!first) {
    CHECK(!first.error().ok());
    CHECK(!first.error().message().empty());
    return false;
  }
  const Exact once(encode(*first));
  const auto second = decode(once.bytes());
  CHECK(second.has_value());
  CHECK(encode(*second) == once.bytes());
  return true;
}

}  // namespace starling::fuzz
