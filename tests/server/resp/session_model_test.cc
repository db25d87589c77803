// Goal:   a connection's commands give what they would give one by one.
// Method: random pipelines, answered in random order, against a plain map.
#include <fmt/core.h>
#include <rapidcheck.h>

#include <algorithm>
#include <map>
#include <string>

#include "tests/server/resp/client.h"
#include "tests/server/resp/replies.h"
#include "tests/test.h"

namespace starling::resp {
namespace {

// What Redis would say if nothing were ever under way together.
class Model {
 public:
  std::string Run(const Words& words) {
    const std::string& name = words[0];
    if (name == "PING") return "+PONG\r\n";
    if (name == "SET") {
      store_[words[1]] = words[2];
      return kOk;
    }
    if (name == "MSET") {
      for (std::size_t i = 1; i + 1 < words.size(); i += 2) store_[words[i]] = words[i + 1];
      return kOk;
    }
    if (name == "GET") return Value(words[1]);
    std::size_t count = 0;
    std::string values;
    for (std::size_t i = 1; i < words.size(); ++i) {
      if (name == "DEL") count += store_.erase(words[i]);
      if (name == "EXISTS") count += store_.count(words[i]);
      if (name == "MGET") values += Value(words[i]);
    }
    return name == "MGET" ? fmt::format("*{}\r\n", words.size() - 1) + values
                          : fmt::format(":{}\r\n", count);
  }

 private:
  std::string Value(const std::string& key) const {
    const auto it = store_.find(key);
    return it == store_.end() ? kNull : Bulk(it->second);
  }
  std::map<std::string, std::string> store_;
};

// Few keys, so that most commands meet another on theirs.
Words DrawCommand() {
  const auto key = [] { return fmt::format("k{}", *rc::gen::inRange(0, 4)); };
  const auto value = [] { return std::to_string(*rc::gen::inRange(0, 1000)); };
  Words words{
      *rc::gen::element<std::string>("PING", "SET", "GET", "DEL", "EXISTS", "MGET", "MSET")};
  if (words[0] == "PING") return words;
  const bool many = words[0] != "SET" && words[0] != "GET";
  const int keys = many ? *rc::gen::inRange(1, 5) : 1;
  for (int i = 0; i < keys; ++i) {
    words.push_back(key());
    if (words[0] == "SET" || words[0] == "MSET") words.push_back(value());
  }
  return words;
}

TEST_SUITE("server/resp/session_model") {
  TEST_CASE("a pipeline gives what its commands give one by one, whatever the order of results") {
    EXPECT(rc::check("pipelines", [] {
      Client client = SmallClient(static_cast<std::uint32_t>(*rc::gen::inRange(1, 12)));
      Model model;
      std::string expected;
      std::string stream;
      const int commands = *rc::gen::inRange(1, 40);
      for (int i = 0; i < commands; ++i) {
        const Words words = DrawCommand();
        expected += model.Run(words);
        stream += Encode(words);
      }
      base::Bytes rest = stream;
      while (!rest.empty() || !client.open.empty()) {
        if (!rest.empty() && (client.open.empty() || *rc::gen::arbitrary<bool>())) {
          const auto size =
              *rc::gen::inRange<std::size_t>(1, std::min<std::size_t>(rest.size(), 100) + 1);
          client.Send(rest.substr(0, size));
          rest.remove_prefix(size);
        } else {
          client.Answer(*rc::gen::inRange<std::size_t>(0, client.open.size()));
        }
      }
      RC_ASSERT(client.Take() == expected);
      RC_ASSERT(!client.unused());
      RC_ASSERT(client.session.in_flight() == 0u);
    }));
  }
}

}  // namespace
}  // namespace starling::resp
