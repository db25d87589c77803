// Goal:   commands that need no key answer as Redis does, wrong use of any gets Redis's error, and
//         what Starling cannot do is refused with the reason.
// Method: one request each to a session; replies byte by byte where clients depend on them.
#include "server/resp/commands.h"

#include "tests/server/resp/client.h"

namespace starling::resp {
namespace {

std::string Ask(const Words& words) { return Client().Ask(words); }

std::string WrongNumber(const std::string& name) {
  return fmt::format("-ERR wrong number of arguments for '{}' command\r\n", name);
}

bool Contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST_SUITE("server/resp/commands") {
  TEST_CASE("every command refuses too few and too many arguments by its name") {
    for (const Command& command : Commands()) {
      const int fewest = command.arity < 0 ? -command.arity : command.arity;
      if (fewest > 1)
        EXPECT(Ask({std::string(command.name)}) == WrongNumber(std::string(command.name)));
      if (fewest > 2)
        EXPECT(Ask({std::string(command.name), "k"}) == WrongNumber(std::string(command.name)));
      if (command.arity > 0) {
        Words words(static_cast<std::size_t>(command.arity) + 1, "k");
        words[0] = command.name;
        EXPECT(Ask(words) == WrongNumber(std::string(command.name)));
      }
    }
    EXPECT(Ask({"PING", "a", "b"}) == WrongNumber("ping"));
    EXPECT(Ask({"MSET", "a", "1", "b"}) == WrongNumber("mset"));
  }

  TEST_CASE("names are found in any case, and no others") {
    REQUIRE(FindCommand("GeT") != nullptr);
    EXPECT(FindCommand("GeT")->id == CommandId::kGet);
    for (const char* name : {"", "ge", "gett", "get ", "a name longer than any command"})
      EXPECT(FindCommand(name) == nullptr);
    for (const Command& command : Commands()) EXPECT(FindCommand(command.name) == &command);
  }

  TEST_CASE("PING, ECHO and SELECT") {
    EXPECT(Ask({"PING"}) == "+PONG\r\n");
    EXPECT(Ask({"ping", "hello"}) == "$5\r\nhello\r\n");
    EXPECT(Ask({"ECHO", "a\r\nb"}) == "$4\r\na\r\nb\r\n");
    EXPECT(Ask({"SELECT", "0"}) == "+OK\r\n");
    EXPECT(Ask({"SELECT", "1"}) == "-ERR DB index is out of range\r\n");
    EXPECT(Ask({"SELECT", "-1"}) == "-ERR DB index is out of range\r\n");
    EXPECT(Ask({"SELECT", "x"}) == "-ERR value is not an integer or out of range\r\n");
  }

  TEST_CASE("a command that Redis does not know is refused in its words") {
    EXPECT(Ask({"FOO"}) == "-ERR unknown command 'FOO', with args beginning with: \r\n");
    EXPECT(Ask({"foo", "a", "b c"}) ==
           "-ERR unknown command 'foo', with args beginning with: 'a' 'b c' \r\n");
    EXPECT(Ask({"foo", "a\r\nb"}) ==
           "-ERR unknown command 'foo', with args beginning with: 'a  b' \r\n");
    const std::string text = Ask({std::string(500, 'f'), std::string(500, 'x'), "y"});
    EXPECT(Contains(text, "'" + std::string(128, 'f') + "', with"));
    EXPECT(text.ends_with(": '" + std::string(128, 'x') + "' \r\n"));
  }

  TEST_CASE("what needs an atomic read-modify-write is refused with the reason") {
    for (const char* name : {"INCR", "append", "SetNX", "GETSET", "EXPIRE", "persist", "DECRBY"}) {
      const std::string refusal = Ask({name, "k", "1"});
      EXPECT(refusal.starts_with("-ERR '"));
      EXPECT(Contains(refusal, "atomic read-modify-write"));
    }
  }

  TEST_CASE("COMMAND counts and describes them; there are no docs") {
    const std::size_t count = Commands().size();
    EXPECT(Ask({"COMMAND", "COUNT"}) == fmt::format(":{}\r\n", count));
    EXPECT(Ask({"COMMAND", "DOCS"}) == "*0\r\n");
    EXPECT(Ask({"COMMAND", "DOCS", "get"}) == "*0\r\n");
    EXPECT(Ask({"COMMAND"}).starts_with(fmt::format("*{}\r\n", count)));
    EXPECT(Ask({"COMMAND", "INFO", "mset", "foo"}) ==
           "*2\r\n*6\r\n$4\r\nmset\r\n:-3\r\n*1\r\n+write\r\n:1\r\n:-1\r\n:2\r\n*-1\r\n");
    EXPECT(
        Ask({"COMMAND", "FOO"}) ==
        "-ERR unknown subcommand 'FOO': COMMAND is answered with INFO, COUNT and DOCS alone\r\n");
  }

  TEST_CASE("CONFIG GET takes patterns, and settings cannot be changed") {
    EXPECT(Ask({"CONFIG", "GET", "save"}) == "*2\r\n$4\r\nsave\r\n$0\r\n\r\n");
    EXPECT(Ask({"CONFIG", "GET", "APPEND*"}) == "*2\r\n$10\r\nappendonly\r\n$3\r\nyes\r\n");
    EXPECT(Ask({"CONFIG", "GET", "nothing"}) == "*0\r\n");
    EXPECT(Ask({"CONFIG", "GET", "save", "s*"}) == "*2\r\n$4\r\nsave\r\n$0\r\n\r\n");
    EXPECT(Ask({"CONFIG", "GET", "*"}).starts_with("*6\r\n"));
    EXPECT(Ask({"CONFIG", "GET"}) == WrongNumber("config|get"));
    EXPECT(Ask({"CONFIG", "SET", "save", ""}).starts_with("-ERR CONFIG SET is not supported"));
    EXPECT(Ask({"CONFIG", "FOO"}) ==
           "-ERR unknown subcommand 'FOO': CONFIG is answered with GET alone\r\n");
  }

  TEST_CASE("patterns are Redis's") {
    for (const auto& [pattern, text] :
         std::initializer_list<std::pair<const char*, const char*>>{{"*", ""},
                                                                    {"*", "abc"},
                                                                    {"a*c", "abbc"},
                                                                    {"a?c", "abc"},
                                                                    {"A", "a"},
                                                                    {"[a-c]x", "bx"},
                                                                    {"[c-a]x", "bx"},
                                                                    {"[^a]x", "bx"},
                                                                    {"\\*", "*"},
                                                                    {"a*b*c", "aXbXbXc"},
                                                                    {"[\\]]", "]"},
                                                                    {"**", "x"},
                                                                    {"[a", "a"}})
      EXPECT(MatchesPattern(pattern, text));
    for (const auto& [pattern, text] :
         std::initializer_list<std::pair<const char*, const char*>>{{"", "a"},
                                                                    {"a", ""},
                                                                    {"?", ""},
                                                                    {"a*c", "ab"},
                                                                    {"[a-c]", "d"},
                                                                    {"[^a]", "a"},
                                                                    {"\\*", "x"},
                                                                    {"a", "ab"},
                                                                    {"[", "a"},
                                                                    {"a\\", "a"}})
      EXPECT(!MatchesPattern(pattern, text));
    // A pattern that would take for ever by trying all ways.
    std::string stars;
    for (int i = 0; i < 50; ++i) stars += "a*";
    EXPECT(!MatchesPattern(stars + "b", std::string(5000, 'a')));
  }

  TEST_CASE("CLIENT keeps a name, and refuses one that has spaces") {
    Client client;
    EXPECT(client.Ask({"CLIENT", "GETNAME"}) == "$-1\r\n");
    EXPECT(client.Ask({"CLIENT", "SETNAME", "worker-1"}) == "+OK\r\n");
    EXPECT(client.Ask({"CLIENT", "GETNAME"}) == "$8\r\nworker-1\r\n");
    EXPECT(client.Ask({"CLIENT", "SETNAME", "a b"}).starts_with("-ERR Client names cannot"));
    EXPECT(client.Ask({"CLIENT", "SETNAME", std::string(1025, 'n')}).starts_with("-ERR Client"));
    EXPECT(client.Ask({"CLIENT", "GETNAME"}) == "$8\r\nworker-1\r\n");
    EXPECT(client.Ask({"CLIENT", "SETNAME", ""}) == "+OK\r\n");
    EXPECT(client.Ask({"CLIENT", "GETNAME"}) == "$-1\r\n");
    EXPECT(client.Ask({"CLIENT", "SETINFO", "LIB-NAME", "x"}) == "+OK\r\n");
    EXPECT(client.Ask({"CLIENT", "SETINFO", "foo", "x"}) == "-ERR Unrecognized option 'foo'\r\n");
    EXPECT(client.Ask({"CLIENT", "ID"}) == ":1\r\n");
    EXPECT(client.Ask({"CLIENT", "SETNAME"}) == WrongNumber("client|setname"));
    EXPECT(
        client.Ask({"CLIENT", "FOO"}) ==
        "-ERR unknown subcommand 'FOO': CLIENT is answered with SETNAME, GETNAME, SETINFO and ID "
        "alone\r\n");
  }

  TEST_CASE("HELLO speaks version 2 and no other") {
    Client client;
    EXPECT(client.Ask({"HELLO"}).starts_with("*14\r\n$6\r\nserver\r\n$8\r\nstarling\r\n"));
    EXPECT(Contains(client.Ask({"HELLO", "2"}), "$5\r\nproto\r\n:2\r\n"));
    EXPECT(client.Ask({"HELLO", "3"}) == "-NOPROTO unsupported protocol version\r\n");
    EXPECT(client.Ask({"HELLO", "x"}).starts_with("-ERR Protocol version is not an integer"));
    EXPECT(client.Ask({"HELLO", "2", "SETNAME", "me"}).starts_with("*14\r\n"));
    EXPECT(client.Ask({"CLIENT", "GETNAME"}) == "$2\r\nme\r\n");
    EXPECT(client.Ask({"HELLO", "2", "AUTH", "u", "p"}).starts_with("-ERR AUTH is not supported"));
    EXPECT(client.Ask({"HELLO", "2", "SETNAME"}).starts_with("-ERR Syntax error in HELLO"));
  }

  TEST_CASE("INFO has sections, all or those asked for") {
    const std::string all = Ask({"INFO"});
    for (const char* part : {"# Server\r\n", "redis_version:", "# Cluster\r\n", "# Worker\r\n"})
      EXPECT(Contains(all, part));
    EXPECT(Ask({"INFO", "everything"}) == all);
    const std::string server = Ask({"INFO", "SERVER"});
    EXPECT(Contains(server, "# Server\r\n"));
    EXPECT(!Contains(server, "# Worker"));
    EXPECT(Ask({"INFO", "nothing"}) == "$0\r\n\r\n");
  }
}

}  // namespace
}  // namespace starling::resp
