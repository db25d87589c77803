#include "server/open_values.h"

#include <utility>

#include "base/check.h"

namespace starling::server {

OpenValues::~OpenValues() {
  for (auto it = values_.begin(); it != values_.end();) it = Erase(it);
}

OpenValues::Values::iterator OpenValues::Erase(Values::iterator it) {
  bytes_ -= it->second.bytes;
  memory_.Give(it->second.bytes);
  return values_.erase(it);
}

const std::string* OpenValues::Find(const Id& id, base::Instant now) {
  const auto it = values_.find(id);
  if (it == values_.end() || !it->second.open) return nullptr;
  it->second.asked = now;
  return &it->second.value;
}

bool OpenValues::Begin(const Id& id, std::uint64_t bytes) {
  if (bytes_ > 0 && bytes_ + bytes > kBytesMax) return false;
  if (values_.contains(id) || !memory_.HasRoom(bytes)) return false;
  memory_.Take(bytes);
  bytes_ += bytes;
  values_[id].bytes = bytes;
  return true;
}

void OpenValues::Open(const Id& id, std::string value, base::Instant now) {
  Value& begun = values_.at(id);
  CHECK(!begun.open);
  begun.value = std::move(value);
  begun.open = true;
  begun.asked = now;
}

void OpenValues::Close(const Id& id) {
  if (const auto it = values_.find(id); it != values_.end()) Erase(it);
}

void OpenValues::OnTick(base::Instant now) {
  for (auto it = values_.begin(); it != values_.end();)
    it = it->second.open && now >= it->second.asked + kIdleMax ? Erase(it) : std::next(it);
}

}  // namespace starling::server
