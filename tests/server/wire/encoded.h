// tests/server/wire/encoded.h: a message's bytes, and whether they say all of it.
//
// Thread: free functions.
#pragma once

#include <string>

#include "server/wire/codec.h"

namespace starling::wire {

template <typename Message>
std::string Encoded(const Message& message) {
  std::string out;
  EncodeTo(message, out);
  return out;
}

// Views of the decoded message must hold while it is encoded again.
template <typename Message>
bool RoundTrips(const Message& message) {
  const std::string once = Encoded(message);
  const auto decoded = Decode<Message>(once);
  return decoded && Encoded(*decoded) == once;
}

}  // namespace starling::wire
