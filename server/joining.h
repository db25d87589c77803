// server/joining.h: a node's request to be admitted, while it asks for that.
//
// Thread:    confined to control.
// Read next: server/control_join.cc
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/time.h"
#include "server/topology/changes.h"

namespace starling::server {

struct Joining {
  std::vector<base::Address> contacts;  // Asked in turn. Empty: until a seed is resolved.
  std::size_t turn = 0;
  topology::Replaced replaced;
  bool asked = false;
  std::uint64_t serial = 0;  // Of the request that is open, or was the last.
  base::Instant ask_at;
  base::Instant answer_by;
  base::Instant say_at;
  std::string problem;  // With the last request that failed.

  base::Address via() const { return contacts[turn % contacts.size()]; }
  void AddContact(base::Address address, base::Address self) {
    if (address.port == 0 || address == self) return;
    if (std::find(contacts.begin(), contacts.end(), address) == contacts.end())
      contacts.push_back(address);
  }
};

}  // namespace starling::server
