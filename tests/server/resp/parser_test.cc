// Goal:   requests are cut out of a stream the same way however it arrives, and what is no Redis
//         is refused with Redis's words before its bytes are waited for.
// Method: streams whole, byte by byte, and cut where RapidCheck says; limits at and one over.
#include "server/resp/parser.h"

#include <fmt/core.h>
#include <rapidcheck.h>

#include <cstring>
#include <memory>

#include "tests/test.h"

namespace starling::resp {
namespace {

using Outcome = Parser::Outcome;
using Words = std::vector<std::string>;

constexpr ParserLimits kSmall{.args_max = 8, .bulk_bytes_max = 64, .request_bytes_max = 256};

// What a stream was understood as: its requests, and the error at its end if there is one.
struct Heard {
  std::vector<Words> requests;
  std::string error;
  bool operator==(const Heard&) const = default;
};

Words WordsOf(const Parser& parser) {
  Words words;
  for (std::size_t i = 0; i < parser.args(); ++i) words.emplace_back(parser.arg(i));
  return words;
}

// Feeds `stream` in pieces of these sizes, and the rest at once. Each time the bytes lie elsewhere,
// in an allocation of their exact size, so that a stale view or a read beyond shows.
Heard Hear(base::Bytes stream, const std::vector<std::size_t>& cuts, ParserLimits limits = {}) {
  Parser parser(limits);
  Heard heard;
  std::string unused;
  std::size_t at = 0;
  for (std::size_t i = 0; i <= cuts.size(); ++i) {
    const std::size_t size = i < cuts.size() ? cuts[i] : stream.size();
    unused += stream.substr(at, size);
    at = std::min(at + size, stream.size());
    for (bool more = true; more;) {
      const auto place = std::make_unique<char[]>(unused.size());
      std::memcpy(place.get(), unused.data(), unused.size());
      switch (parser.Parse({place.get(), unused.size()})) {
        case Outcome::kNeedMore: more = false; break;
        case Outcome::kError: heard.error = parser.error(); return heard;
        case Outcome::kRequest:
          heard.requests.push_back(WordsOf(parser));
          unused.erase(0, parser.size());
          parser.Next();
          break;
      }
    }
  }
  return heard;
}

Heard HearWhole(base::Bytes stream, ParserLimits limits = {}) { return Hear(stream, {}, limits); }

Heard HearByBytes(base::Bytes stream, ParserLimits limits = {}) {
  return Hear(stream, std::vector<std::size_t>(stream.size(), 1), limits);
}

// Both ways, which have to agree.
Heard HearBothWays(base::Bytes stream, ParserLimits limits = {}) {
  const Heard whole = HearWhole(stream, limits);
  const Heard bytes = HearByBytes(stream, limits);
  EXPECT(whole.requests == bytes.requests);
  EXPECT(whole.error == bytes.error);
  return whole;
}

std::string Encode(const Words& words) {
  std::string out = fmt::format("*{}\r\n", words.size());
  for (const std::string& word : words) out += fmt::format("${}\r\n{}\r\n", word.size(), word);
  return out;
}

// Bytes that mean something to the parser come often.
std::string DrawBytes() {
  return *rc::gen::container<std::string>(rc::gen::weightedOneOf<char>(
      {{3, rc::gen::arbitrary<char>()},
       {2, rc::gen::elementOf(std::string("*$\r\n\"'\\ x01239-+abc"))}}));
}

TEST_SUITE("server/resp/parser") {
  TEST_CASE("requests of bulk strings follow each other, bytes of any kind in them") {
    const std::string binary("\r\n\0$*", 5);
    const Heard heard = HearBothWays(Encode({"SET", "k", binary}) + Encode({"PING"}) +
                                     Encode({"GET", ""}) + "*2\r\n$3\r\nGE");
    EXPECT(heard.requests == std::vector<Words>{{"SET", "k", binary}, {"PING"}, {"GET", ""}});
    EXPECT(heard.error.empty());
  }

  TEST_CASE("arguments are views into the bytes, not copies") {
    const std::string stream = Encode({"SET", "key", "value"});
    Parser parser({});
    REQUIRE(parser.Parse(stream) == Outcome::kRequest);
    EXPECT(parser.size() == stream.size());
    EXPECT(parser.arg(2).data() == stream.data() + stream.find("value"));
  }

  TEST_CASE("a request that is looked at again after its bytes moved is still the same") {
    const std::string first = Encode({"GET", "key"});
    const std::string moved = first + Encode({"PING"});
    Parser parser({});
    REQUIRE(parser.Parse(first) == Outcome::kRequest);
    REQUIRE(parser.Parse(moved) == Outcome::kRequest);
    EXPECT(parser.arg(1).data() == moved.data() + moved.find("key"));
    EXPECT(parser.size() == first.size());
  }

  TEST_CASE("a line is words, quoted or not, and an empty one is nothing") {
    const auto line = [](const std::string& text) {
      const Heard heard = HearBothWays(text + "\r\n");
      REQUIRE(heard.requests.size() == 1);
      return heard.requests[0];
    };
    EXPECT(line("PING") == Words{"PING"});
    EXPECT(line("  SET  k\tv  ") == Words{"SET", "k", "v"});
    EXPECT(line(R"(SET "a b" 'c d')") == Words{"SET", "a b", "c d"});
    EXPECT(line(R"("\x41\n\r\t\b\a\"\\\q" "")") == Words{"A\n\r\t\b\a\"\\q", ""});
    EXPECT(line(R"('it\'s' '\n' 'a\\b')") == Words{"it's", "\\n", "a\\\\b"});
    EXPECT(line(R"("\xzz" "\x4")") == Words{"xzz", "x4"});
    EXPECT(line("").empty());
    EXPECT(line("   ").empty());
    EXPECT(line("\"\"") == Words{""});
    EXPECT(HearBothWays("PING\nECHO a\n").requests == std::vector<Words>{{"PING"}, {"ECHO", "a"}});
  }

  TEST_CASE("quotes that are not closed, or run into a word, are refused") {
    for (const char* text :
         {"GET \"a", "GET 'a", "GET \"a\"b", "GET 'a'b", "GET \"a\\\"", "'", "'a\\\\'"})
      EXPECT(HearBothWays(std::string(text) + "\r\n").error ==
             "Protocol error: unbalanced quotes in request");
  }

  TEST_CASE("an array of no arguments, or of fewer, is nothing") {
    const Heard heard = HearBothWays("*0\r\n*-1\r\n\r\n" + Encode({"PING"}));
    EXPECT(heard.requests == std::vector<Words>{{}, {}, {}, {"PING"}});
  }

  TEST_CASE("counts that are none are refused") {
    for (const char* text : {"*x\r\n", "*\r\n", "*1 \r\n", "*+1\r\n", "*01\r\n", "*1\n", "*-\r\n",
                             "*99999999999999999999\r\n", "*1048577\r\n", "*2147483648\r\n"})
      EXPECT(HearBothWays(text).error == "Protocol error: invalid multibulk length");
    for (const char* text : {"*1\r\n$x\r\n", "*1\r\n$-1\r\n", "*1\r\n$\r\n", "*1\r\n$1\n",
                             "*1\r\n$99999999999999999999\r\n", "*1\r\n$01\r\n"})
      EXPECT(HearBothWays(text).error == "Protocol error: invalid bulk length");
  }

  TEST_CASE("what is no bulk string where one has to be is refused") {
    EXPECT(HearBothWays("*1\r\nPING\r\n").error == "Protocol error: expected '$', got 'P'");
    EXPECT(HearBothWays("*1\r\n:1\r\n").error == "Protocol error: expected '$', got ':'");
    EXPECT(HearBothWays(std::string("*1\r\n\0", 5)).error ==
           "Protocol error: expected '$', got '\\x00'");
    EXPECT(HearBothWays("*1\r\n$4\r\nPINGxx").error ==
           "Protocol error: expected CRLF after a bulk of 4 bytes");
  }

  TEST_CASE("every limit holds at its value and refuses one more, before the bytes come") {
    EXPECT(HearBothWays(Encode(Words(8, "a")), kSmall).requests.size() == 1);
    EXPECT(HearBothWays("*9\r\n", kSmall).error == "Protocol error: invalid multibulk length");
    const std::string large(64, 'v');
    EXPECT(HearBothWays(Encode({large}), kSmall).requests.size() == 1);
    EXPECT(HearBothWays("*1\r\n$65\r\n", kSmall).error ==
           "Protocol error: invalid bulk length: 65 bytes, the limit is 64");
    EXPECT(HearBothWays(Encode({large, large, large}), kSmall).requests.size() == 1);
    EXPECT(HearBothWays(Encode({large, large, large, large}), kSmall).error ==
           "Protocol error: too big request: the limit is 256 bytes");
  }

  TEST_CASE("a line may have 64 KiB and no byte more, with its end in sight or not") {
    const std::string most(kLineBytesMax, 'a');
    EXPECT(HearWhole(most + "\n").requests.size() == 1);
    EXPECT(HearByBytes(most + "\n").requests.size() == 1);
    EXPECT(HearWhole(most).error.empty());
    for (const char* end : {"", "\n", "a\r\n"}) {
      EXPECT(HearWhole(most + "a" + end).error == "Protocol error: too big inline request");
      EXPECT(HearByBytes(most + "a" + end).error == "Protocol error: too big inline request");
    }
    EXPECT(HearWhole("*" + most).error == "Protocol error: too big mbulk count string");
    EXPECT(HearWhole("*1\r\n$" + most).error == "Protocol error: too big bulk count string");
  }

  TEST_CASE("after an error nothing is understood any more") {
    Parser parser({});
    REQUIRE(parser.Parse("*x\r\n") == Outcome::kError);
    EXPECT(parser.Parse(Encode({"PING"})) == Outcome::kError);
    EXPECT(parser.error() == "Protocol error: invalid multibulk length");
  }

  TEST_CASE("any requests come back as they were sent, however the stream is cut") {
    EXPECT(rc::check("requests",
                     [](const std::vector<Words>& sent, const std::vector<std::uint8_t>& sizes) {
                       std::string stream;
                       for (const Words& words : sent) stream += Encode(words);
                       const std::vector<std::size_t> cuts(sizes.begin(), sizes.end());
                       const Heard heard = Hear(stream, cuts);
                       RC_ASSERT(heard.requests == sent);
                       RC_ASSERT(heard.error.empty());
                       RC_ASSERT(HearByBytes(stream) == heard);
                     }));
  }

  TEST_CASE("any bytes at all are understood the same, however the stream is cut") {
    EXPECT(rc::check("bytes", [] {
      std::string stream = DrawBytes();
      // Often garbage within what began well.
      if (*rc::gen::arbitrary<bool>()) stream = "*3\r\n$2\r\nab\r\n" + stream;
      const auto sizes = *rc::gen::arbitrary<std::vector<std::uint8_t>>();
      const Heard whole = HearWhole(stream, kSmall);
      RC_ASSERT(HearByBytes(stream, kSmall) == whole);
      RC_ASSERT(Hear(stream, {sizes.begin(), sizes.end()}, kSmall) == whole);
    }));
  }
}

}  // namespace
}  // namespace starling::resp
