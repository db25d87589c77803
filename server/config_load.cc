// server/config_load.cc: a Config from its three sources, and the file that shows all keys.
//
// toml++ stays in here. Values reach the table as text, whatever they came from, so that there is
// one set of rules for all sources.
#include <fmt/core.h>
#include <unistd.h>

#include <toml++/toml.h>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <set>

#include "base/nearest_name.h"
#include "server/config.h"
#include "server/config_keys.h"
#include "server/config_units.h"

namespace starling::server {
namespace {

using base::InvalidArgument;

constexpr std::size_t kFileBytesMax = 1 << 20;
constexpr long kWorkersByDefaultMax = 64;
constexpr std::string_view kPrefix = "STARLING_";

base::Result<std::string> ReadFile(const std::string& path) {
  const auto fail = [&](std::string_view why) {
    return base::Fail(
        InvalidArgument(fmt::format("cannot read the configuration file {}: {}", path, why)));
  };
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "r"),
                                                             &std::fclose);
  if (!file) return fail(std::strerror(errno));
  std::string content(kFileBytesMax + 1, '\0');
  content.resize(std::fread(content.data(), 1, content.size(), file.get()));
  if (std::ferror(file.get()) != 0) return fail(std::strerror(errno));
  if (content.size() > kFileBytesMax) return fail("it is larger than 1 MiB");
  return content;
}

std::string At(const std::string& file, const toml::source_region& where) {
  return fmt::format("{}:{}", file, where.begin.line);
}

// A scalar as text, or the items of an array with commas between; what the table's parsers read.
base::Result<std::string> TextOf(const toml::node& node, const ConfigKey& key) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return fmt::format("{}", number->get());
  if (const auto* flag = node.as_boolean()) return std::string(flag->get() ? "true" : "false");
  const toml::array* items = node.as_array();
  if (items == nullptr || !key.is_list())
    return base::Fail(InvalidArgument(key.is_list() ? "must be a list of strings, as in [\"a\"]"
                                                    : "must be a string, a whole number or a "
                                                      "boolean"));
  std::string out;
  for (const toml::node& item : *items) {
    const auto* text = item.as_string();
    if (text == nullptr || text->get().find(',') != std::string::npos)
      return base::Fail(InvalidArgument("must be a list of strings without commas"));
    if (!out.empty()) out += ',';
    out += text->get();
  }
  return out;
}

// What --set and the environment give of a list: as in the file, ["a", "b"], or a,b.
base::Result<std::string> ListAsText(const ConfigKey& key, std::string_view text) {
  if (!key.is_list() || !text.starts_with('[')) return std::string(text);
  try {
    const toml::table table = toml::parse(fmt::format("list = {}", text));
    if (table.size() == 1) return TextOf(*table.get("list"), key);
  } catch (const toml::parse_error&) {
  }
  return base::Fail(
      InvalidArgument(fmt::format("'{}' is no list: write a,b or [\"a\", \"b\"]", text)));
}

base::Status SetFromText(Config& config, const ConfigKey& key, std::string_view text) {
  ASSIGN_OR_RETURN(const std::string value, ListAsText(key, text));
  return SetConfigKey(config, key, value);
}

// `name` = `text` as `origin` gave it; the failure names all three.
base::Status Set(Config& config, std::string_view origin, std::string_view name,
                 std::string_view text) {
  const auto key = FindConfigKey(name);
  if (!key) return InvalidArgument(fmt::format("{}: {}: {}", origin, name, key.error().message()));
  base::Status set = SetFromText(config, **key, text);
  if (set.ok()) return set;
  return InvalidArgument(fmt::format("{}: {}: {}", origin, name, set.message()));
}

base::Status SetFromToml(Config& config, const std::string& file, const std::string& name,
                         const toml::node& node) {
  const std::string origin = At(file, node.source());
  const auto key = FindConfigKey(name);
  if (!key) return InvalidArgument(fmt::format("{}: {}: {}", origin, name, key.error().message()));
  const auto text = TextOf(node, **key);
  if (!text)
    return InvalidArgument(fmt::format("{}: {}: {}", origin, name, text.error().message()));
  return Set(config, origin, name, *text);
}

base::Status CheckSection(const std::string& file, std::string_view name, const toml::node& node) {
  std::set<std::string_view> sections;
  for (const ConfigKey& key : ConfigKeys()) sections.insert(key.section());
  if (sections.contains(name)) {
    if (node.is_table()) return base::Ok();
    return InvalidArgument(
        fmt::format("{}: {} is a section: write [{}]", At(file, node.source()), name, name));
  }
  if (!node.is_table()) return base::Ok();  // A key outside of any section: reported as a key.
  const std::vector<std::string_view> choices(sections.begin(), sections.end());
  const std::string_view nearest = base::NearestName(name, choices);
  return InvalidArgument(fmt::format("{}: [{}]: unknown section; {}", At(file, node.source()), name,
                                     nearest.empty()
                                         ? std::string("starlingd --print-config shows all")
                                         : fmt::format("did you mean [{}]?", nearest)));
}

base::Status LoadTable(Config& config, const std::string& file, const toml::table& root) {
  for (const auto& [section, node] : root) {
    const std::string name(section.str());
    RETURN_IF_ERROR(CheckSection(file, name, node));
    const toml::table* table = node.as_table();
    if (table == nullptr) {
      RETURN_IF_ERROR(SetFromToml(config, file, name, node));
      continue;
    }
    for (const auto& [leaf, value] : *table)
      RETURN_IF_ERROR(SetFromToml(config, file, name + '.' + std::string(leaf.str()), value));
  }
  return base::Ok();
}

base::Status LoadFile(Config& config, const std::string& file) {
  ASSIGN_OR_RETURN(const std::string content, ReadFile(file));
  try {
    return LoadTable(config, file, toml::parse(content, file));
  } catch (const toml::parse_error& error) {
    return InvalidArgument(fmt::format("{}: {}", At(file, error.source()), error.description()));
  }
}

// STARLING_NODE_DATA_DIR for node.data_dir
std::string VariableOf(std::string_view name) {
  std::string variable(kPrefix);
  for (const char c : name)
    variable += c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return variable;
}

// Variables of our sections must be known; other STARLING_... belong to other programs.
base::Status LoadVariable(Config& config, std::string_view name, std::string_view text) {
  std::vector<std::string> variables;
  bool ours = false;
  for (const ConfigKey& key : ConfigKeys()) {
    variables.push_back(VariableOf(key.name));
    if (variables.back() == name) {
      const base::Status set = SetFromText(config, key, text);
      return set.ok() ? set : InvalidArgument(fmt::format("{}: {}", name, set.message()));
    }
    ours = ours || name.starts_with(VariableOf(key.section()) + '_');
  }
  if (!ours) return base::Ok();
  const std::vector<std::string_view> choices(variables.begin(), variables.end());
  const std::string_view nearest = base::NearestName(name, choices);
  return InvalidArgument(
      fmt::format("{} in the environment: no such key{}", name,
                  nearest.empty() ? "" : fmt::format("; did you mean {}?", nearest)));
}

// What 0 comes to where it leaves the choice to the node; empty: the key is what it says.
std::string InEffect(const Config& config, std::string_view key) {
  if (key == "storage.block_cache") return FormatSize(StorageMemoryOf(config).block_cache_bytes);
  if (key == "storage.memtables") return FormatSize(StorageMemoryOf(config).memtables_bytes);
  if (key == "node.workers") return fmt::format("{} on this machine", WorkersOf(config));
  return {};
}

}  // namespace

base::Result<Config> LoadConfig(const ConfigSources& sources) {
  Config config;
  if (!sources.file.empty()) RETURN_IF_ERROR(LoadFile(config, sources.file));
  for (const std::string& variable : sources.environment) {
    const std::size_t equals = variable.find('=');
    if (equals == std::string::npos || !variable.starts_with(kPrefix)) continue;
    const std::string_view view = variable;
    RETURN_IF_ERROR(LoadVariable(config, view.substr(0, equals), view.substr(equals + 1)));
  }
  for (const auto& [name, text] : sources.settings)
    RETURN_IF_ERROR(Set(config, "--set", name, text));
  RETURN_IF_ERROR(CheckConfig(config));
  return config;
}

std::string PrintConfig() {
  const Config defaults;
  std::string out =
      "# Starling: every key with its default. A key may also be set as STARLING_SECTION_KEY in\n"
      "# the environment, and over that by --set section.key=value.\n";
  std::string_view section;
  for (const ConfigKey& key : ConfigKeys()) {
    if (key.section() != section) out += fmt::format("\n[{}]\n", section = key.section());
    std::string_view meaning = key.meaning;
    while (!meaning.empty()) {
      const std::size_t line = std::min(meaning.find('\n'), meaning.size());
      out += fmt::format("# {}\n", meaning.substr(0, line));
      meaning.remove_prefix(std::min(line + 1, meaning.size()));
    }
    out += fmt::format("{} = {}", key.leaf(), PrintConfigKey(defaults, key));
    if (const std::string effect = InEffect(defaults, key.name); !effect.empty())
      out += "  # in effect: " + effect;
    out += '\n';
  }
  return out;
}

// A memtable saves rewriting up to some size, and lengthens every start: a third is enough of it.
StorageMemory StorageMemoryOf(const Config& config) {
  const auto& storage = config.storage;
  const std::uint64_t third = storage.memory_bytes / 3;
  return {storage.block_cache_bytes != 0 ? storage.block_cache_bytes : storage.memory_bytes - third,
          storage.memtables_bytes != 0 ? storage.memtables_bytes : third};
}

std::uint32_t WorkersOf(const Config& config) {
  if (config.node.workers != 0) return config.node.workers;
  const long cores = sysconf(_SC_NPROCESSORS_ONLN);
  return static_cast<std::uint32_t>(std::clamp(cores / 2, 1L, kWorkersByDefaultMax));
}

}  // namespace starling::server
