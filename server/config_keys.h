// server/config_keys.h: the one table of what can be set: name, meaning, place in Config, range.
//
// Loading, the errors for unknown names and --print-config are all made from it. For this folder's
// own use; everybody else includes server/config.h.
//
// Thread:    constant.
// Read next: server/config_load.cc
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/status.h"
#include "server/config.h"

namespace starling::server {

// Where a value is kept; its type decides how it is read and written. A std::uint64_t is a size.
using ConfigField =
    std::variant<std::string*, std::vector<std::string>*, std::uint16_t*, std::uint32_t*,
                 std::uint64_t*, base::Duration*, bool*, Durability*, wire::Consistency*>;

// Both ends included: of a number, of bytes, of milliseconds. Text and choices have none.
struct ConfigRange {
  std::uint64_t min = 0;
  std::uint64_t max = std::numeric_limits<std::uint64_t>::max();
};

struct ConfigKey {
  std::string_view name;  // "node.data_dir"
  ConfigField (*field)(Config&);
  ConfigRange range;
  std::string_view meaning;

  std::string_view section() const { return name.substr(0, name.find('.')); }
  std::string_view leaf() const { return name.substr(name.find('.') + 1); }
  bool is_list() const;
};

// All keys, those of a section together.
std::span<const ConfigKey> ConfigKeys();

// NotFound names the key that was probably meant.
base::Result<const ConfigKey*> FindConfigKey(std::string_view name);

// Sets one key from text; a list's items are parted by commas. InvalidArgument says what the value
// may be, and leaves `config` as it was.
base::Status SetConfigKey(Config& config, const ConfigKey& key, std::string_view text);

// The value as TOML writes it: "group" with its quotes, 16, true, ["a", "b"].
std::string PrintConfigKey(const Config& config, const ConfigKey& key);

}  // namespace starling::server
