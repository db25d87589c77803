// Goal:   a keyring on disk is whole, its owner's alone, and read back; what is not is refused.
// Method: a folder of its own for each case; files spoiled by hand.
#include "server/keyring_file.h"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/test.h"

namespace starling::server {
namespace {

constexpr std::string_view kKeyLine = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";

class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "keyring-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
    config.node.data_dir = pattern;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string Write(const char* name, std::string_view text, mode_t mode = 0600) const {
    const std::string path = (path_ / name).string();
    std::ofstream(path) << text;
    REQUIRE(::chmod(path.c_str(), mode) == 0);
    return path;
  }
  std::string keyring() const { return (path_ / "gossip-keyring").string(); }
  std::string beside() const { return (path_ / "gossip-keyring.new").string(); }
  mode_t ModeOf(const std::string& path) const {
    struct stat about {};
    REQUIRE(::stat(path.c_str(), &about) == 0);
    return about.st_mode & 07777U;
  }

  Config config;

 private:
  std::filesystem::path path_;
};

std::string ErrorOf(const Config& config) {
  const auto keys = LoadKeys(config);
  return keys ? "" : keys.error().message();
}

bool Says(const std::string& text, std::string_view words) {
  return text.find(words) != std::string::npos;
}

TEST_SUITE("server/keyring_file") {
  TEST_CASE("without files there are no keys") {
    const Folder folder;
    const auto keys = LoadKeys(folder.config);
    REQUIRE(keys.has_value());
    EXPECT(keys->keyring.keys().empty());
    EXPECT(keys->file == folder.keyring());
    EXPECT(!std::filesystem::exists(folder.keyring()));
  }

  TEST_CASE("the first key is kept in the data directory, and the file is not needed again") {
    Folder folder;
    folder.config.security.gossip_key_file = folder.Write("key", kKeyLine);
    REQUIRE(LoadKeys(folder.config).has_value());
    EXPECT(folder.ModeOf(folder.keyring()) == 0600);
    folder.config.security.gossip_key_file.clear();
    const auto again = LoadKeys(folder.config);
    REQUIRE(again.has_value());
    EXPECT(again->keyring.required());
    EXPECT(again->keyring.keys().size() == 1);
  }

  TEST_CASE("a keyring that is there counts, whatever the key file says") {
    Folder folder;
    gossip::Keyring keyring(gossip::KeyBytes{7});
    REQUIRE(SaveKeyring(folder.keyring(), keyring).ok());
    folder.config.security.gossip_key_file = folder.Write("key", kKeyLine);
    const auto keys = LoadKeys(folder.config);
    REQUIRE(keys.has_value());
    EXPECT(keys->keyring.primary() == keyring.primary());
    EXPECT(keys->keyring.keys().size() == 1);
  }

  TEST_CASE("a save replaces the file, also over what a crash left, and leaves nothing beside it") {
    const Folder folder;
    gossip::Keyring keyring(gossip::KeyBytes{1});
    REQUIRE(SaveKeyring(folder.keyring(), keyring).ok());
    folder.Write("gossip-keyring.new", "half", 0644);
    REQUIRE(keyring.Add(gossip::KeyBytes{2}).ok());
    REQUIRE(SaveKeyring(folder.keyring(), keyring).ok());
    EXPECT(LoadKeys(folder.config)->keyring.keys().size() == 2);
    EXPECT(folder.ModeOf(folder.keyring()) == 0600);
    EXPECT(!std::filesystem::exists(folder.beside()));
  }

  TEST_CASE("what cannot be written is named, and the file stays as it was") {
    const Folder folder;
    REQUIRE(SaveKeyring(folder.keyring(), gossip::Keyring(gossip::KeyBytes{1})).ok());
    std::filesystem::create_directory(folder.beside());
    const base::Status saved = SaveKeyring(folder.keyring(), {});
    EXPECT(saved.code() == base::Code::kIo);
    EXPECT(Says(saved.message(), folder.beside()));
    EXPECT(LoadKeys(folder.config)->keyring.keys().size() == 1);
  }

  TEST_CASE("files that are spoiled, or open to others, are refused by name") {
    Folder folder;
    SUBCASE("a keyring of another format") {
      folder.Write("gossip-keyring", "nonsense\n");
      EXPECT(Says(ErrorOf(folder.config), folder.keyring()));
      EXPECT(Says(ErrorOf(folder.config), "line 1"));
    }
    SUBCASE("an empty keyring, or a cut one, which would take unsealed packets") {
      for (const std::string& text :
           {std::string(), std::string("# Keys of Star"), fmt::format("key {}", kKeyLine)}) {
        folder.Write("gossip-keyring", text);
        EXPECT(Says(ErrorOf(folder.config), folder.keyring()));
        EXPECT(Says(ErrorOf(folder.config), "cut off"));
      }
    }
    SUBCASE("a keyring that all can read") {
      folder.Write("gossip-keyring", "", 0644);
      EXPECT(Says(ErrorOf(folder.config), "open to every user (mode 0644)"));
    }
    SUBCASE("a key file that is none") {
      folder.config.security.gossip_key_file = folder.Write("key", "c2hvcnQ=");
      EXPECT(Says(ErrorOf(folder.config), "security.gossip_key_file"));
      EXPECT(Says(ErrorOf(folder.config), "a key is 32 bytes in base64; this is 5"));
    }
    SUBCASE("a key file that is not there") {
      folder.config.security.gossip_key_file = "/nowhere/key";
      EXPECT(Says(ErrorOf(folder.config), "/nowhere/key does not exist"));
    }
    SUBCASE("a key file that is too large") {
      folder.config.security.gossip_key_file = folder.Write("key", std::string(100'000, 'A'));
      EXPECT(Says(ErrorOf(folder.config), "more than 65536 bytes"));
    }
  }
}

}  // namespace
}  // namespace starling::server
