// tests/sim/input_bytes.h: bytes and numbers that no decoder expects.
//
// Thread: free functions.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/random.h"
#include "server/wire/messages.h"

namespace starling::sim {

// Up to `size_max` bytes of no meaning.
std::string Noise(base::Random& random, std::size_t size_max);

// A number at the edge of some range, or any.
std::uint64_t Odd(base::Random& random);

// A few bytes of it are changed, taken out, doubled or put in.
void Mutate(base::Random& random, std::string& bytes);
std::string Mutated(base::Random& random, std::string bytes, double chance);

// A frame whose checksum is right, whatever its header.
std::string FrameOf(wire::Kind kind, std::uint64_t id, base::Bytes header, base::Bytes payload);

}  // namespace starling::sim
