// gossip/keyring.cc: which changes a keyring allows, and how it is written.
#include "gossip/keyring.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "base/base64.h"

namespace starling::gossip {
namespace {

// A file that lost its end, or all, would else be a keyring that requires no seals.
constexpr std::string_view kHead =
    "# Keys of Starling's gossip, up to `# end`. Written by the node: change it by `nodetool "
    "keyring`.\n";
constexpr std::string_view kEnd = "# end\n";
// Of files without an end, written by earlier builds.
constexpr std::string_view kEarlierHead =
    "# Keys of Starling's gossip. Written by the node: change it by `nodetool keyring`.\n";
constexpr std::size_t kIdDigits = 8;

base::Status NotInstalled(KeyId id) {
  return base::NotFound(fmt::format("key {} is not installed here", PrintKeyId(id)));
}

base::Bytes CutLine(base::Bytes& text) {
  const base::Bytes line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

// One line of a printed keyring.
base::Status Take(base::Bytes line, Keyring& keyring) {
  const std::size_t space = std::min(line.find(' '), line.size());
  const base::Bytes word = line.substr(0, space);
  const base::Bytes rest = line.substr(std::min(space + 1, line.size()));
  if (word == "key") {
    ASSIGN_OR_RETURN(const KeyBytes key, ParseKey(rest));
    return keyring.Add(key);
  }
  if (word == "primary") {
    ASSIGN_OR_RETURN(const KeyId id, ParseKeyId(rest));
    return keyring.Use(id);
  }
  if (line == "required") return keyring.Require();
  return base::InvalidArgument("it is neither key, primary nor required");
}

}  // namespace

std::string PrintKeyId(KeyId id) { return fmt::format("{:08x}", id); }

base::Result<KeyId> ParseKeyId(base::Bytes text) {
  KeyId id = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, id, 16);
  if (text.size() != kIdDigits || error != std::errc{} || rest != end)
    return base::Fail(base::InvalidArgument(
        fmt::format("'{}' is no key id: {} hexadecimal digits, as `nodetool keyring list` shows",
                    text.substr(0, 2 * kIdDigits), kIdDigits)));
  return id;
}

base::Result<KeyBytes> ParseKey(base::Bytes in_base64) {
  const auto bytes = base::FromBase64(in_base64);
  if (!bytes) return base::Fail(base::InvalidArgument("a key is 32 bytes in base64; this is none"));
  if (bytes->size() != kKeyBytes)
    return base::Fail(base::InvalidArgument(
        fmt::format("a key is {} bytes in base64; this is {}", kKeyBytes, bytes->size())));
  KeyBytes key{};
  std::copy(bytes->begin(), bytes->end(), key.begin());
  return key;
}

Keyring::Keyring(const KeyBytes& key)
    : keys_{{Fingerprint(key), key}}, primary_(keys_[0].id), required_(true) {}

base::Result<Keyring> Keyring::Parse(base::Bytes text) {
  const bool whole =
      text.starts_with(kEarlierHead) || (text.starts_with(kHead) && text.ends_with(kEnd));
  Keyring keyring;
  for (int number = 1; !text.empty(); ++number) {
    const base::Bytes line = CutLine(text);
    if (line.empty() || line.front() == '#') continue;
    const base::Status taken = Take(line, keyring);
    if (!taken.ok())
      return base::Fail(base::InvalidArgument(fmt::format("line {}: {}", number, taken.message())));
  }
  if (!whole)
    return base::Fail(base::InvalidArgument(
        "it is cut off: a keyring ends with the line '# end'. Put back a copy, or remove it, and "
        "security.gossip_key_file is read"));
  return keyring;
}

std::string Keyring::Print() const {
  std::string out(kHead);
  for (const Key& key : keys_) {
    const base::Bytes bytes(reinterpret_cast<const char*>(key.bytes.data()), key.bytes.size());
    out += fmt::format("key {}\n", base::ToBase64(bytes));
  }
  if (primary_) out += fmt::format("primary {}\n", PrintKeyId(*primary_));
  if (required_) out += "required\n";
  return out.append(kEnd);
}

const Keyring::Key* Keyring::Find(KeyId id) const {
  const auto found = std::ranges::find(keys_, id, &Key::id);
  return found == keys_.end() ? nullptr : &*found;
}

base::Status Keyring::Add(const KeyBytes& key) {
  const KeyId id = Fingerprint(key);
  if (const Key* const known = Find(id)) {
    if (known->bytes == key) return base::Ok();
    return base::FailedPrecondition(fmt::format(
        "another key with the id {} is installed here: generate a new one", PrintKeyId(id)));
  }
  if (keys_.size() == kKeysMax)
    return base::FailedPrecondition(
        fmt::format("{} keys are installed here, no more are taken: remove one", kKeysMax));
  keys_.push_back({id, key});
  return base::Ok();
}

base::Status Keyring::Use(KeyId id) {
  if (!Has(id)) return NotInstalled(id);
  primary_ = id;
  return base::Ok();
}

base::Status Keyring::Remove(KeyId id) {
  if (primary_ == id)
    return base::FailedPrecondition(
        fmt::format("key {} is the primary: packets are sealed with it; use another one first",
                    PrintKeyId(id)));
  std::erase_if(keys_, [id](const Key& key) { return key.id == id; });
  return base::Ok();
}

base::Status Keyring::Require() {
  if (!primary_)
    return base::FailedPrecondition(
        "no key is in use here: this node would drop what nodes like it send");
  required_ = true;
  return base::Ok();
}

}  // namespace starling::gossip
