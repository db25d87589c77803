// Goal:   a keyring never gives up the key that seals, survives its file, and keeps keys to itself.
// Method: changes one by one; printed and parsed again; texts spoiled by hand.
#include "gossip/keyring.h"

#include "base/base64.h"
#include "tests/test.h"

namespace starling::gossip {
namespace {

KeyBytes KeyOf(unsigned char first) { return KeyBytes{first}; }
KeyId KeyIdOf(unsigned char first) { return Fingerprint(KeyOf(first)); }
std::string InBase64(unsigned char first) {
  const KeyBytes key = KeyOf(first);
  return base::ToBase64({reinterpret_cast<const char*>(key.data()), key.size()});
}

TEST_SUITE("gossip/keyring") {
  TEST_CASE("an empty keyring seals nothing and requires nothing; one of a key does both") {
    EXPECT(!Keyring().primary());
    EXPECT(!Keyring().required());
    EXPECT(Keyring(KeyOf(1)).primary() == KeyIdOf(1));
    EXPECT(Keyring(KeyOf(1)).required());
  }

  TEST_CASE("an added key opens only, until it is used") {
    Keyring keyring;
    REQUIRE(keyring.Add(KeyOf(1)).ok());
    EXPECT(keyring.Has(KeyIdOf(1)));
    EXPECT(!keyring.primary());
    REQUIRE(keyring.Use(KeyIdOf(1)).ok());
    EXPECT(keyring.primary() == KeyIdOf(1));
    EXPECT(!keyring.required());
  }

  TEST_CASE("what was done before is done: each change may be repeated") {
    Keyring keyring(KeyOf(1));
    EXPECT(keyring.Add(KeyOf(1)).ok());
    EXPECT(keyring.keys().size() == 1);
    EXPECT(keyring.Use(KeyIdOf(1)).ok());
    EXPECT(keyring.Require().ok());
    EXPECT(keyring.Remove(KeyIdOf(9)).ok());
  }

  TEST_CASE("the primary is not removed, and what is not installed not used") {
    Keyring keyring(KeyOf(1));
    EXPECT(keyring.Remove(KeyIdOf(1)).code() == base::Code::kFailedPrecondition);
    EXPECT(keyring.Use(KeyIdOf(2)).code() == base::Code::kNotFound);
    REQUIRE(keyring.Add(KeyOf(2)).ok());
    REQUIRE(keyring.Use(KeyIdOf(2)).ok());
    EXPECT(keyring.Remove(KeyIdOf(1)).ok());
    EXPECT(!keyring.Has(KeyIdOf(1)));
    EXPECT(keyring.primary() == KeyIdOf(2));
  }

  TEST_CASE("seals are not required before one is in use") {
    Keyring keyring;
    EXPECT(keyring.Require().code() == base::Code::kFailedPrecondition);
    REQUIRE(keyring.Add(KeyOf(1)).ok());
    EXPECT(keyring.Require().code() == base::Code::kFailedPrecondition);
    EXPECT(!keyring.required());
  }

  TEST_CASE("eight keys are taken, a ninth is not") {
    Keyring keyring;
    for (unsigned char first = 1; first <= 8; ++first) REQUIRE(keyring.Add(KeyOf(first)).ok());
    EXPECT(keyring.Add(KeyOf(9)).code() == base::Code::kFailedPrecondition);
    EXPECT(keyring.keys().size() == 8);
  }

  TEST_CASE("a printed keyring comes back the same") {
    for (const bool required : {false, true}) {
      Keyring keyring;
      REQUIRE(keyring.Add(KeyOf(1)).ok());
      REQUIRE(keyring.Add(KeyOf(2)).ok());
      REQUIRE(keyring.Use(KeyIdOf(2)).ok());
      if (required) REQUIRE(keyring.Require().ok());
      const auto read = Keyring::Parse(keyring.Print());
      REQUIRE(read.has_value());
      EXPECT(read->Print() == keyring.Print());
      EXPECT(read->primary() == KeyIdOf(2));
      EXPECT(read->required() == required);
      EXPECT(read->keys().size() == 2);
    }
    EXPECT(Keyring::Parse(Keyring().Print())->keys().empty());
  }

  TEST_CASE("a keyring that was cut off anywhere is refused: it might not require what it did") {
    const std::string whole = Keyring(KeyOf(1)).Print();
    for (std::size_t size = 0; size < whole.size(); ++size)
      EXPECT(!Keyring::Parse(base::Bytes(whole).substr(0, size)).has_value());
    EXPECT(Keyring::Parse("").error().message().find("it is cut off") != std::string::npos);
  }

  TEST_CASE("a keyring of an earlier build, without an end, is read") {
    const auto read = Keyring::Parse(
        "# Keys of Starling's gossip. Written by the node: change it by `nodetool keyring`.\nkey " +
        InBase64(1) + "\nprimary c86f07c3\nrequired\n");
    REQUIRE(read.has_value());
    EXPECT(read->required());
  }

  TEST_CASE("a spoiled keyring names its line, and never the key") {
    const auto fails_with = [](const std::string& text, std::string_view words) {
      const auto read = Keyring::Parse(text);
      REQUIRE(!read.has_value());
      EXPECT(read.error().message().find(words) != std::string::npos);
      EXPECT(read.error().message().find("AQAA") == std::string::npos);
    };
    fails_with("key AQAA\n", "line 1: a key is 32 bytes in base64; this is 3");
    fails_with("# x\nkey AQAA!\n", "line 2: a key is 32 bytes in base64; this is none");
    fails_with("primary 12345678\n", "line 1: key 12345678 is not installed here");
    fails_with("key " + InBase64(1) + "\nprimary 123\n", "line 2: '123' is no key id");
    fails_with("key " + InBase64(1) + "\nrequired\n", "line 2: no key is in use here");
    fails_with("keys\n", "line 1: it is neither key, primary nor required");
  }

  TEST_CASE("a key id is eight hexadecimal digits") {
    EXPECT(ParseKeyId(PrintKeyId(0x00abcdef)).value() == 0x00abcdef);
    EXPECT(PrintKeyId(0x00abcdef) == "00abcdef");
    for (const char* text : {"", "abc", "0xabcdef", "abcdefgh", "00abcdef0", "-0abcdef"})
      EXPECT(!ParseKeyId(text).has_value());
  }

  // A change of it would make installed keys unknown by their ids.
  TEST_CASE("the id of a key is SHA-256 of a label and the key, its first 32 bits") {
    EXPECT(PrintKeyId(KeyIdOf(1)) == "c86f07c3");
  }
}

}  // namespace
}  // namespace starling::gossip
