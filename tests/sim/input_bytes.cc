#include "tests/sim/input_bytes.h"

#include <utility>

#include "server/wire/frame.h"

namespace starling::sim {

using base::Random;
using wire::Kind;

std::string Noise(Random& random, std::size_t size_max) {
  std::string bytes(random.Below(size_max + 1), '\0');
  for (char& c : bytes) c = static_cast<char>(random.Below(256));
  return bytes;
}

std::uint64_t Odd(Random& random) {
  switch (random.Below(6)) {
    case 0: return 0;
    case 1: return ~0ULL >> random.Below(64);
    case 2: return 1ULL << random.Below(64);
    case 3: return random.Below(300);
    default: return random.Next();
  }
}

void Mutate(Random& random, std::string& bytes) {
  for (std::uint64_t n = 1 + random.Below(4); n > 0; --n) {
    if (bytes.empty() || random.Chance(0.05)) bytes += Noise(random, 8);
    if (bytes.empty()) continue;
    const std::size_t at = random.Below(bytes.size());
    switch (random.Below(6)) {
      case 0: bytes[at] = static_cast<char>(bytes[at] ^ 1 << random.Below(8)); break;
      case 1: bytes[at] = static_cast<char>(random.Below(256)); break;
      case 2: bytes.erase(at, 1 + random.Below(9)); break;
      case 3: bytes.insert(at, Noise(random, 9)); break;
      case 4: bytes.resize(at); break;
      case 5:
        bytes.insert(at, bytes.substr(random.Below(bytes.size()), 1 + random.Below(40)));
        break;
    }
  }
}
std::string Mutated(Random& random, std::string bytes, double chance) {
  if (random.Chance(chance)) Mutate(random, bytes);
  return bytes;
}

std::string FrameOf(Kind kind, std::uint64_t id, base::Bytes header, base::Bytes payload) {
  std::string frame(wire::kFrameBytes, '\0');
  wire::StoreFrameHead(frame.data(), kind, id, header, payload.size());
  return frame.append(header).append(payload);
}

}  // namespace starling::sim
