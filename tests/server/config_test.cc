// Goal:   a configuration is what its sources say, the later over the earlier, or an error that an
//         operator can act on without reading this code.
// Method: write TOML files to a directory of this test, load them with environments and settings
//         given as values, and read the whole messages.
#include "server/config.h"

#include <fmt/core.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "server/config_keys.h"
#include "tests/test.h"

namespace starling::server {
namespace {

// One file in a directory of its own, both gone at the end.
class TomlFile {
 public:
  explicit TomlFile(const std::string& content) {
    std::string pattern = std::filesystem::temp_directory_path() / "starling-config-XXXXXX";
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    directory_ = pattern;
    path_ = directory_ / "starling.toml";
    std::ofstream(path_, std::ios::binary) << content;
  }
  ~TomlFile() { std::filesystem::remove_all(directory_); }
  TomlFile(const TomlFile&) = delete;
  TomlFile& operator=(const TomlFile&) = delete;

  std::string path() const { return path_; }

 private:
  std::filesystem::path directory_;
  std::filesystem::path path_;
};

base::Result<Config> LoadToml(const std::string& content) {
  const TomlFile file(content);
  return LoadConfig({.file = file.path(), .environment = {}, .settings = {}});
}

base::Result<Config> LoadSetting(const std::string& key, const std::string& value) {
  return LoadConfig({.file = {}, .environment = {}, .settings = {{key, value}}});
}

// The message of a failure without the temporary directory; empty if it was none.
std::string Message(const base::Result<Config>& result) {
  if (result) return "";
  EXPECT(result.error().code() == base::Code::kInvalidArgument);
  const std::string& message = result.error().message();
  const std::size_t file = message.find("/starling.toml");
  const std::size_t start =
      file == std::string::npos ? std::string::npos : message.rfind(' ', file);
  if (file == std::string::npos) return message;
  const std::size_t cut = start == std::string::npos ? 0 : start + 1;
  return message.substr(0, cut) + message.substr(file + 1);
}

bool Says(const base::Result<Config>& result, const std::string& part) {
  const std::string message = Message(result);
  if (!message.empty() && message.find(part) != std::string::npos) return true;
  std::fputs(fmt::format("the message is: {}\n", message).c_str(), stderr);
  return false;
}

TEST_SUITE("server/config") {
  TEST_CASE("without any source the defaults hold, and are valid") {
    const auto config = LoadConfig({});
    REQUIRE(config.has_value());
    EXPECT(config->cluster.name == "starling");
    EXPECT(config->ports.resp == 7702);
    EXPECT(config->storage.durability == Durability::kGroup);
    EXPECT(CheckConfig(Config{}).ok());
  }

  TEST_CASE("every kind of value is read from a file") {
    const auto config = LoadToml(R"(
[cluster]
name = "birds of a feather"
seeds = ["127.0.0.1:7700", "seed.example:7700"]
[node]
listen = "127.0.0.9"
vnodes = 32
[ports]
resp = 6379
[storage]
durability = "periodic"
block_cache = "1GiB"
memtables = 67108864
[repair]
enabled = false
interval = "500ms"
[resp]
consistency = "local_quorum"
)");
    REQUIRE(Message(config) == "");
    EXPECT(config->cluster.name == "birds of a feather");
    EXPECT(config->cluster.seeds ==
           std::vector<std::string>{"127.0.0.1:7700", "seed.example:7700"});
    EXPECT(config->node.listen == "127.0.0.9");
    EXPECT(config->node.vnodes == 32);
    EXPECT(config->ports.resp == 6379);
    EXPECT(config->storage.durability == Durability::kPeriodic);
    EXPECT(config->storage.block_cache_bytes == 1ULL << 30);
    EXPECT(config->storage.memtables_bytes == 64ULL << 20);
    EXPECT(!config->repair.enabled);
    EXPECT(config->repair.interval == base::milliseconds(500));
    EXPECT(config->resp.consistency == wire::Consistency::kLocalQuorum);
  }

  TEST_CASE("the environment goes over the file, and settings over both") {
    const TomlFile file("[node]\ndc = \"file\"\nrack = \"file\"\nworkers = 1\n");
    const auto config =
        LoadConfig({.file = file.path(),
                    .environment = {"PATH=/bin", "STARLING_NODE_RACK=environment",
                                    "STARLING_NODE_WORKERS=2", "STARLING_HINTS_MAX_AGE=1h"},
                    .settings = {{"node.workers", "3"}, {"node.workers", "4"}}});
    REQUIRE(Message(config) == "");
    EXPECT(config->node.dc == "file");
    EXPECT(config->node.rack == "environment");
    EXPECT(config->node.workers == 4);
    EXPECT(config->hints.age_max == std::chrono::hours(1));
  }

  TEST_CASE("a list is parted by commas where there is no TOML") {
    const auto config = LoadSetting("cluster.seeds", "127.0.0.1:7700,127.0.0.2:7700");
    REQUIRE(config.has_value());
    EXPECT(config->cluster.seeds == std::vector<std::string>{"127.0.0.1:7700", "127.0.0.2:7700"});
    const auto as_toml = LoadSetting("cluster.seeds", R"(["127.0.0.1:7700", "127.0.0.2:7700"])");
    REQUIRE(as_toml.has_value());
    EXPECT(as_toml->cluster.seeds == config->cluster.seeds);
    EXPECT(Says(LoadSetting("cluster.seeds", "[127.0.0.1:7700"), "write a,b or"));
    EXPECT(Says(LoadSetting("cluster.seeds", "[7]"), "a list of strings"));
  }

  TEST_CASE("what --print-config prints is a file that sets every key to its default") {
    const auto config = LoadToml(PrintConfig());
    REQUIRE(Message(config) == "");
    for (const ConfigKey& key : ConfigKeys()) {
      EXPECT(PrintConfigKey(*config, key) == PrintConfigKey(Config{}, key));
      EXPECT(PrintConfig().find(fmt::format("\n{} = ", key.leaf())) != std::string::npos);
      EXPECT(!key.meaning.empty());
    }
  }

  TEST_CASE("where 0 leaves the choice to the node, --print-config says what is in effect") {
    const std::string printed = PrintConfig();
    EXPECT(printed.find("\nblock_cache = \"0B\"  # in effect: 256MiB\n") != std::string::npos);
    EXPECT(printed.find("\nmemtables = \"0B\"  # in effect: 128MiB\n") != std::string::npos);
    EXPECT(printed.find(fmt::format("\nworkers = 0  # in effect: {} on this machine\n",
                                    WorkersOf(Config{}))) != std::string::npos);
  }

  TEST_CASE("text of any characters survives printing and reading") {
    Config config;
    config.node.data_dir = "a\"b\\c\nd\x7f\xc3\xa9";
    const auto key = FindConfigKey("node.data_dir");
    REQUIRE(key.has_value());
    const auto again = LoadToml("[node]\ndata_dir = " + PrintConfigKey(config, **key));
    REQUIRE(Message(again) == "");
    EXPECT(again->node.data_dir == config.node.data_dir);
  }

  TEST_CASE("block cache and memtables are shares of storage.memory, unless they are set") {
    const auto memory_of = [](const std::vector<std::pair<std::string, std::string>>& settings) {
      const auto config = LoadConfig({.file = {}, .environment = {}, .settings = settings});
      REQUIRE(Message(config) == "");
      const StorageMemory memory = StorageMemoryOf(*config);
      return std::pair(memory.block_cache_bytes, memory.memtables_bytes);
    };
    const auto mib = [](std::uint64_t many) { return many << 20; };
    EXPECT(memory_of({}) == std::pair(mib(256), mib(128)));
    EXPECT(memory_of({{"storage.memory", "3GiB"}}) == std::pair(mib(2048), mib(1024)));
    EXPECT(memory_of({{"storage.memory", "3GiB"}, {"storage.memtables", "64MiB"}}) ==
           std::pair(mib(2048), mib(64)));
    EXPECT(memory_of({{"storage.memory", "3GiB"}, {"storage.block_cache", "1MiB"}}) ==
           std::pair(mib(1), mib(1024)));
  }

  TEST_CASE("a share of storage.memory is 0 or at least 1 MiB") {
    for (const char* key :
         {"storage.block_cache", "storage.memtables", "storage.compaction_rate", "scrub.rate"}) {
      const auto load = [&](const char* value) {
        return Message(LoadConfig({.file = {}, .environment = {}, .settings = {{key, value}}}));
      };
      EXPECT(load("0") == "");
      EXPECT(load("1MiB") == "");
      EXPECT(load("1048575").find(key) != std::string::npos);
      EXPECT(load("1").find("below 1MiB") != std::string::npos);
    }
    EXPECT(Message(LoadConfig(
                       {.file = {}, .environment = {}, .settings = {{"storage.memory", "2MiB"}}}))
               .find("storage.memory") != std::string::npos);
  }

  TEST_CASE("from scrub to scrub it is 0 or at least a second") {
    const auto load = [](const char* value) {
      return Message(
          LoadConfig({.file = {}, .environment = {}, .settings = {{"scrub.interval", value}}}));
    };
    EXPECT(load("0s") == "");
    EXPECT(load("1s") == "");
    EXPECT(load("999ms").find("scrub.interval (999 ms) is below 1s") != std::string::npos);
  }

  TEST_CASE("workers by default are at least one, and what is set otherwise") {
    Config config;
    EXPECT(WorkersOf(config) >= 1);
    config.node.workers = 7;
    EXPECT(WorkersOf(config) == 7);
  }
}

TEST_SUITE("server/config: unknown names") {
  TEST_CASE("a misspelt key names the line and the nearest key") {
    EXPECT(Message(LoadToml("[node]\nlisten = \"127.0.0.1\"\ndata_dri = \"x\"\n")) ==
           "starling.toml:3: node.data_dri: unknown key; did you mean node.data_dir?");
    EXPECT(Message(LoadSetting("storage.durabilty", "group")) ==
           "--set: storage.durabilty: unknown key; did you mean storage.durability?");
  }

  TEST_CASE("a key in the wrong section, or in none, names where it belongs") {
    EXPECT(Says(LoadSetting("cluster.listen", "127.0.0.1"), "did you mean node.listen?"));
    EXPECT(Says(LoadToml("listen = \"127.0.0.1\"\n"), "did you mean node.listen?"));
  }

  TEST_CASE("a name like no other points to the list of all") {
    EXPECT(Says(LoadSetting("turbo.boost_factor", "11"), "--print-config shows all"));
  }

  TEST_CASE("a misspelt section names the nearest") {
    EXPECT(Message(LoadToml("[clustr]\nname = \"x\"\n")) ==
           "starling.toml:1: [clustr]: unknown section; did you mean [cluster]?");
  }

  TEST_CASE("a section that is a value, and a value that is a section, are refused") {
    EXPECT(Says(LoadToml("node = 3\n"), "node is a section"));
    EXPECT(Says(LoadToml("[node.listen]\nx = 1\n"), "node.listen: must be a string"));
    EXPECT(Says(LoadToml("[[node]]\nlisten = \"127.0.0.1\"\n"), "node is a section"));
  }

  TEST_CASE("a misspelt variable of a section of ours is refused, those of others are not") {
    const auto load = [](std::string variable) {
      return LoadConfig({.file = {}, .environment = {std::move(variable)}, .settings = {}});
    };
    EXPECT(Says(load("STARLING_NODE_LISTN=127.0.0.1"), "did you mean STARLING_NODE_LISTEN?"));
    EXPECT(Says(load("STARLING_NODE_VNODES=x"), "STARLING_NODE_VNODES: 'x'"));
    EXPECT(load("STARLING_SIM_SEEDS=200").has_value());
    EXPECT(load("STARLINGS=many").has_value());
  }
}

TEST_SUITE("server/config: bad values") {
  TEST_CASE("a file that is not there or is no TOML says where and why") {
    EXPECT(
        Message(LoadConfig({.file = "/nowhere/starling.toml", .environment = {}, .settings = {}}))
            .ends_with("No such file or directory"));
    EXPECT(Says(LoadConfig({.file = "/", .environment = {}, .settings = {}}), "directory"));
    EXPECT(Says(LoadToml("[node]\n\nlisten = 127.0.0.1\n"), "starling.toml:3: "));
    EXPECT(Says(LoadToml("[node]\ndc = \"a\"\ndc = \"b\"\n"), "starling.toml:3: "));
    EXPECT(Says(LoadToml(std::string("\0\x01\xff", 3)), "starling.toml:1: "));
    EXPECT(Says(LoadToml(std::string((1 << 20) + 1, '#')), "larger than 1 MiB"));
  }

  TEST_CASE("a value of the wrong type or out of its range names the key and what it may be") {
    const std::pair<const char*, const char*> cases[] = {
        {"[node]\nvnodes = 0", "node.vnodes: '0' is not in 1 to 256"},
        {"[node]\nvnodes = 257", "'257' is not in 1 to 256"},
        {"[node]\nvnodes = -1", "a whole number in 1 to 256"},
        {"[node]\nvnodes = 1.5", "must be a string, a whole number"},
        {"[node]\nworkers = 65", "in 0 to 64"},
        {"[ports]\nclient = 0", "in 1 to 65535"},
        {"[ports]\nclient = 65536", "in 1 to 65535"},
        {"[ports]\nclient = 99999999999999999999", "starling.toml:2"},
        {"[hints]\nenabled = \"yes\"", "is not true or false"},
        {"[hints]\nmax_age = 5", "'5' is no duration"},
        {"[hints]\nmax_bytes = \"5 MB\"", "'5 MB' is no size"},
        {"[limits]\nvalue = \"17MiB\"", "in 1B to 16MiB"},
        {"[storage]\ndurability = \"never\"", "is not group or periodic"},
        {"[resp]\nconsistency = \"MOST\"", "QUORUM"},
        {"[node]\ndc = [\"a\"]", "node.dc: must be a string"},
        {"[node]\ndc = 2026-11-24", "node.dc: must be a string"},
        {"[cluster]\nseeds = [1]", "a list of strings"},
        {"[cluster]\nseeds = [\"a:1,b:2\"]", "without commas"},
        {"[log]\nlevel = \"loud\"", "log.level"},
    };
    for (const auto& [toml, message] : cases) EXPECT(Says(LoadToml(toml), message));
  }

  TEST_CASE("seeds are host:port, each once") {
    EXPECT(Says(LoadToml("[cluster]\nseeds = []"), "cluster.seeds is empty"));
    EXPECT(Says(LoadSetting("cluster.seeds", "127.0.0.1"), "has no port"));
    EXPECT(Says(LoadSetting("cluster.seeds", "127.0.0.1:0"), "1 to 65535"));
    EXPECT(Says(LoadSetting("cluster.seeds", "127.0.0.1:x"), "1 to 65535"));
    EXPECT(Says(LoadSetting("cluster.seeds", ":7700"), "no host name"));
    EXPECT(Says(LoadSetting("cluster.seeds", "::1:7700"), "no host name"));
    EXPECT(Says(LoadSetting("cluster.seeds", "a:1,,b:1"), "has no port"));
    EXPECT(Says(LoadSetting("cluster.seeds", "a:1,b:1,a:1"), "names a:1 twice"));
    std::string many = "h0:1";
    for (int i = 1; i < 17; ++i) many += fmt::format(",h{}:1", i);
    EXPECT(Says(LoadSetting("cluster.seeds", many), "16 is the limit"));
  }

  TEST_CASE("names are bounded and printable") {
    EXPECT(Says(LoadSetting("cluster.name", ""), "cluster.name"));
    EXPECT(Says(LoadSetting("cluster.name", "a\nb"), "cluster.name"));
    EXPECT(Says(LoadSetting("cluster.name", std::string(65, 'a')), "cluster.name"));
    EXPECT(LoadSetting("cluster.name", std::string(64, 'a')).has_value());
    EXPECT(Says(LoadSetting("node.dc", "a:b"), "node.dc"));
    EXPECT(Says(LoadSetting("node.rack", ""), "node.rack"));
    EXPECT(Says(LoadSetting("node.data_dir", ""), "node.data_dir is empty"));
    EXPECT(Says(LoadSetting("node.replace", "the-third"), "node.replace"));
    EXPECT(LoadSetting("node.replace", "127.0.0.3").has_value());
    EXPECT(LoadSetting("node.replace", "127.0.0.3:7700").has_value());
    EXPECT(LoadSetting("node.replace", base::HostId{1, 2}.ToString()).has_value());
    EXPECT(Says(LoadSetting("resp.keyspace", "No Way"), "resp.keyspace"));
  }

  TEST_CASE("only an IPv4 address is listened on, and beyond loopback only where that is allowed") {
    EXPECT(Says(LoadSetting("node.listen", "localhost"), "no IPv4 address"));
    EXPECT(Says(LoadSetting("node.listen", "::1"), "no IPv4 address"));
    EXPECT(Says(LoadSetting("node.listen", "127.0.0.1:7700"), "no IPv4 address"));
    EXPECT(Says(LoadSetting("node.listen", "0.0.0.0"), "one interface"));
    EXPECT(Says(LoadSetting("node.listen", "192.0.2.1"), "set security.insecure = true"));
    EXPECT(LoadConfig({.file = {},
                       .environment = {},
                       .settings = {{"node.listen", "192.0.2.1"}, {"security.insecure", "true"}}})
               .has_value());
  }

  TEST_CASE("values that contradict each other name both keys") {
    EXPECT(Says(LoadSetting("ports.client", "7700"), "ports.cluster and ports.client are both"));
    EXPECT(Says(LoadSetting("ports.resp", "7700"), "ports.cluster and ports.resp are both"));
    EXPECT(Says(LoadSetting("ports.resp", "7701"), "ports.client and ports.resp are both"));
    EXPECT(Says(LoadSetting("gossip.ack_timeout", "1s"), "below gossip.probe_interval"));
    EXPECT(Says(LoadSetting("gossip.suspicion_timeout", "400ms"), "at least"));
    EXPECT(Says(LoadSetting("limits.memory", "1MiB"), "limits.memory is below limits.value"));
  }
}

}  // namespace
}  // namespace starling::server
