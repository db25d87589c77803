// gossip/keyring.h: the keys that seal a cluster's packets: one seals, each of them opens.
//
// With several keys a cluster changes its key without losing a member: add the new one on all
// nodes, use it on all, remove the old one from all. A node without a primary key sends unsealed;
// one that does not require seals takes unsealed packets as well: so a running cluster begins to
// seal. Knows nothing of files (server/keyring_file.h). Messages and Print() aside, no key leaves
// it.
//
// Thread:    a value.
// Read next: gossip/envelope.h, docs/gossip.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "gossip/crypto.h"

namespace starling::gossip {

using KeyId = std::uint32_t;  // The key's fingerprint.

std::string PrintKeyId(KeyId id);                        // "1a2b3c4d"
base::Result<KeyId> ParseKeyId(base::Bytes text);        // InvalidArgument if it is none.
base::Result<KeyBytes> ParseKey(base::Bytes in_base64);  // Likewise; never repeats the text.

class Keyring {
 public:
  static constexpr std::size_t kKeysMax = 8;

  struct Key {
    KeyId id;
    KeyBytes bytes;
  };

  // No key: packets are sent and taken unsealed.
  Keyring() = default;
  // One key that seals, and without its seal nothing is taken.
  explicit Keyring(const KeyBytes& key);

  // What Print() gave. InvalidArgument names the line.
  static base::Result<Keyring> Parse(base::Bytes text);
  std::string Print() const;  // With the keys themselves: for a file that only its owner reads.

  // Each leaves the keyring as it was if it fails, and changes nothing if it was done before.
  base::Status Add(const KeyBytes& key);  // FailedPrecondition: full, or two keys of one id.
  base::Status Use(KeyId id);             // It seals from now on. NotFound: not installed.
  base::Status Remove(KeyId id);          // FailedPrecondition: it is the primary.
  base::Status Require();                 // Unsealed packets are dropped. FailedPrecondition: no
                                          // primary.

  const std::vector<Key>& keys() const { return keys_; }
  std::optional<KeyId> primary() const { return primary_; }
  bool required() const { return required_; }
  bool Has(KeyId id) const { return Find(id) != nullptr; }

 private:
  const Key* Find(KeyId id) const;

  std::vector<Key> keys_;  // As they were added.
  std::optional<KeyId> primary_;
  bool required_ = false;
};

}  // namespace starling::gossip
