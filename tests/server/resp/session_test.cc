// Goal:   a connection's commands seem to run one after the other, whatever order the store answers
//         in; requests of many keys gather; and neither a client nor a store can make it hold much.
// Method: drive the core by hand, answering its operations in the order that hurts.
#include "server/resp/session.h"

#include "tests/server/resp/client.h"
#include "tests/server/resp/replies.h"

namespace starling::resp {
namespace {

TEST_SUITE("server/resp/session") {
  TEST_CASE("replies come in the order of the requests, not of the results") {
    Client client;
    client.store["b"] = {"2", 0};
    client.Send(Words{"SET", "a", "1"});
    client.Send(Words{"GET", "b"});
    client.Send(Words{"PING"});
    client.Send(Words{"GET", "c"});
    REQUIRE(client.open.size() == 3);
    client.Answer(2);
    client.Answer(1);
    EXPECT(client.Take().empty());
    client.Answer(0);
    EXPECT(client.Take() == kOk + Bulk("2") + "+PONG\r\n" + kNull);
  }

  TEST_CASE("a reply leaves as soon as those before it have") {
    Client client;
    client.store["b"] = {"2", 0};
    client.Send(Words{"GET", "a"});
    client.Send(Words{"GET", "b"});
    client.Send(Words{"GET", "c"});
    client.Answer(0);
    EXPECT(client.Take() == kNull);
    client.Answer(0);
    EXPECT(client.Take() == Bulk("2"));
    client.Answer(0);
    EXPECT(client.Take() == kNull);
  }

  TEST_CASE("what follows a write of the same key waits for it, and other keys do not") {
    Client client;
    client.Send(Words{"SET", "other", "0"});
    client.Send(Words{"SET", "k", "1"});
    client.Send(Words{"GET", "k"});
    client.Send(Words{"SET", "k", "2"});
    client.Send(Words{"GET", "k"});
    REQUIRE(client.open.size() == 2);
    EXPECT(client.session.waiting());
    client.Answer(1);
    REQUIRE(client.open.size() == 2);
    EXPECT(client.open[1].op.is_write == false);
    client.AnswerAll();
    EXPECT(client.Take() == kOk + kOk + Bulk("1") + kOk + Bulk("2"));
  }

  TEST_CASE("reads of the same key are under way together") {
    Client client;
    for (int i = 0; i < 5; ++i) client.Send(Words{"GET", "k"});
    EXPECT(client.open.size() == 5);
    EXPECT(!client.session.waiting());
  }

  TEST_CASE("values are bytes of any kind, and may be empty") {
    Client client;
    const std::string binary("\0\r\n\xff$3", 6);
    EXPECT(client.Ask({"SET", binary, binary}) == kOk);
    EXPECT(client.Ask({"GET", binary}) == Bulk(binary));
    EXPECT(client.Ask({"SET", "empty", ""}) == kOk);
    EXPECT(client.Ask({"GET", "empty"}) == Bulk(""));
    EXPECT(client.Ask({"MGET", "empty", "absent"}) == "*2\r\n" + Bulk("") + kNull);
  }

  TEST_CASE("MGET asks for all keys at once and gathers their values in its own order") {
    Client client;
    client.store["a"] = {"1", 0};
    client.store["c"] = {"3", 0};
    client.Send(Words{"MGET", "a", "b", "c", "a"});
    REQUIRE(client.open.size() == 4);
    client.Answer(3);
    client.Answer(2);
    client.Answer(1);
    EXPECT(client.Take().empty());
    client.Answer(0);
    EXPECT(client.Take() == "*4\r\n" + Bulk("1") + kNull + Bulk("3") + Bulk("1"));
  }

  TEST_CASE("MSET writes each key once, with its last value") {
    for (const std::size_t others : {0U, 100U}) {  // Few keys and many are told apart differently.
      Client client;
      Words words{"MSET", "k", "1", "b", "2", "k", "3"};
      for (std::size_t i = 0; i < others; ++i) {
        words.push_back(fmt::format("other{}", i));
        words.push_back("x");
      }
      client.Send(words);
      client.AnswerAll();
      EXPECT(client.asked_ever == others + 2);
      EXPECT(client.Take() == kOk);
      EXPECT(client.store.at("k").value == "3");
      EXPECT(client.store.at("b").value == "2");
    }
  }

  TEST_CASE("EXISTS counts a key as often as it is named, DEL once") {
    Client client;
    client.store["a"] = {"1", 0};
    client.store["b"] = {"2", 0};
    EXPECT(client.Ask({"EXISTS", "a", "a", "b", "c"}) == ":3\r\n");
    EXPECT(client.Ask({"DEL", "a", "a", "b", "c"}) == ":2\r\n");
    EXPECT(client.Ask({"EXISTS", "a", "b"}) == ":0\r\n");
  }

  TEST_CASE("DEL reads, then writes, and what follows on the key waits for both") {
    Client client;
    client.store["k"] = {"1", 0};
    client.Send(Words{"DEL", "k"});
    client.Send(Words{"SET", "k", "2"});
    REQUIRE(client.open.size() == 1);
    EXPECT(!client.open[0].op.is_write);
    EXPECT(!client.open[0].op.want_value);
    client.Answer(0);
    REQUIRE(client.open.size() == 1);
    EXPECT(client.open[0].op.tombstone);
    EXPECT(client.open[0].key == "k");
    client.AnswerAll();
    EXPECT(client.Take() == ":1\r\n" + kOk);
    EXPECT(client.store.at("k").value == "2");
  }

  TEST_CASE("DEL of a key that its read did not find deletes it all the same") {
    Client client;
    client.Send(Words{"DEL", "k"});
    client.Answer(0);
    REQUIRE(client.open.size() == 1);
    EXPECT(client.open[0].op.tombstone);
    client.AnswerAll();
    EXPECT(client.Take() == ":0\r\n");
  }

  TEST_CASE("EX and PX give a time to live, which TTL and PTTL tell") {
    Client client;
    EXPECT(client.Ask({"SET", "s", "v", "EX", "100"}) == kOk);
    EXPECT(client.Ask({"SET", "ms", "v", "px", "1499"}) == kOk);
    EXPECT(client.Ask({"SET", "ever", "v"}) == kOk);
    EXPECT(client.Ask({"TTL", "s"}) == ":100\r\n");
    EXPECT(client.Ask({"PTTL", "s"}) == ":100000\r\n");
    EXPECT(client.Ask({"PTTL", "ms"}) == ":1499\r\n");
    EXPECT(client.Ask({"TTL", "ms"}) == ":1\r\n");
    EXPECT(client.Ask({"TTL", "ever"}) == ":-1\r\n");
    EXPECT(client.Ask({"PTTL", "absent"}) == ":-2\r\n");
    client.facts.wall_ms += 1000;
    EXPECT(client.Ask({"PTTL", "ms"}) == ":499\r\n");
    EXPECT(client.Ask({"TTL", "ms"}) == ":0\r\n");
    client.facts.wall_ms += 1000;
    EXPECT(client.Ask({"PTTL", "ms"}) == ":0\r\n");  // The store still says that it is there.
  }

  TEST_CASE("options of SET that make no sense are refused as by Redis, and ask for nothing") {
    const auto refusal = [](Words options) {
      Client client;
      options.insert(options.begin(), {"SET", "k", "v"});
      client.Send(options);
      EXPECT(client.open.empty());
      return client.Take();
    };
    EXPECT(refusal({"EX"}) == "-ERR syntax error\r\n");
    EXPECT(refusal({"FOO"}) == "-ERR syntax error\r\n");
    EXPECT(refusal({"EX", "1", "PX", "1"}) == "-ERR syntax error\r\n");
    EXPECT(refusal({"EX", "abc"}) == "-ERR value is not an integer or out of range\r\n");
    EXPECT(refusal({"EX", "99999999999999999999"}) ==
           "-ERR value is not an integer or out of range\r\n");
    for (const char* count : {"0", "-1", "9223372036854775807", "9223372036854776"})
      EXPECT(refusal({"EX", count}) == "-ERR invalid expire time in 'set' command\r\n");
    for (const char* option : {"NX", "xx", "GET", "KeepTTL"}) {
      const std::string reason = refusal({option});
      EXPECT(reason.find("atomic read-modify-write") != std::string::npos);
      EXPECT(reason.find(option) != std::string::npos);
    }
    EXPECT(refusal({"EXAT", "1"}).find("EXAT is not supported") != std::string::npos);
  }

  TEST_CASE("keys that no store can hold are refused before anything is asked for") {
    Client client;
    const std::string most(32 * 1024, 'k');
    EXPECT(client.Ask({"GET", most}) == kNull);
    for (const Words& words : {Words{"GET", ""}, Words{"GET", most + "k"},
                               Words{"MSET", "a", "1", "", "2"}, Words{"DEL", "a", most + "k"}}) {
      client.Send(words);
      EXPECT(client.open.empty());
      EXPECT(client.Take().starts_with("-ERR InvalidArgument: a key of "));
    }
  }

  TEST_CASE("a value over the limit is refused, and the connection goes on") {
    SessionOptions options;
    options.value_bytes_max = 10;
    Client client(options);
    EXPECT(client.Ask({"SET", "k", std::string(10, 'v')}) == kOk);
    for (const Words& words : {Words{"SET", "k", std::string(11, 'w')},
                               Words{"MSET", "a", "1", "k", std::string(11, 'w')}}) {
      client.Send(words);
      EXPECT(client.open.empty());
      EXPECT(client.Take() ==
             "-ERR InvalidArgument: a value of 11 bytes, the limit is 10 (limits.value)\r\n");
    }
    EXPECT(client.Ask({"GET", "k"}) == Bulk(std::string(10, 'v')));
  }

  TEST_CASE("a failure of the store tells class and reason, and what to do about it") {
    const auto told = [](const base::Status& status) {
      Client client;
      client.Send(Words{"GET", "k"});
      client.Answer(0, status);
      return client.Take();
    };
    EXPECT(told(base::Unavailable("1 of 3 is up")) == "-TRYAGAIN Unavailable: 1 of 3 is up\r\n");
    EXPECT(told(base::Overloaded("full")) == "-TRYAGAIN Overloaded: full\r\n");
    EXPECT(told(base::Timeout("nobody\r\nanswered")) == "-ERR Timeout: nobody  answered\r\n");
    EXPECT(told(base::Corruption("bad digest")) == "-ERR Corruption: bad digest\r\n");
    EXPECT(told(base::Io(std::string(5000, 'x'))).size() < 1100);
  }

  TEST_CASE("one failed key fails a request of many, with how many failed") {
    Client client;
    client.Send(Words{"MSET", "a", "1", "b", "2", "c", "3"});
    client.Send(Words{"MGET", "d", "e"});
    client.Send(Words{"DEL", "f"});
    client.Answer(5, base::Timeout("slow"));
    client.Answer(3, base::Timeout("slow"));
    client.Answer(2, base::Unavailable("down"));
    client.AnswerAll();
    EXPECT(client.Take() ==
           "-TRYAGAIN Unavailable: 1 of 3 keys failed, each is on its own; the first: down\r\n"
           "-ERR Timeout: 1 of 2 keys failed, each is on its own; the first: slow\r\n"
           "-ERR Timeout: slow\r\n");
  }

  TEST_CASE("a key whose operation failed is free again, and a failed DEL writes nothing") {
    Client client;
    client.store["k"] = {"1", 0};
    client.Send(Words{"DEL", "k"});
    client.Answer(0, base::Timeout("slow"));
    EXPECT(client.open.empty());
    client.Take();
    EXPECT(client.Ask({"GET", "k"}) == Bulk("1"));
  }

  TEST_CASE("before the node is in a cluster only what needs no key is answered") {
    Client client;
    client.facts.loading = true;
    EXPECT(client.Ask({"GET", "k"}).starts_with("-LOADING "));
    EXPECT(client.Ask({"PING"}) == "+PONG\r\n");
  }

  TEST_CASE("more operations than may be under way wait, within a request too") {
    Client client = SmallClient(3);
    Words words{"MGET"};
    for (int i = 0; i < 10; ++i) words.push_back(fmt::format("k{}", i));
    client.store["k9"] = {"9", 0};
    client.Send(words);
    client.Send(Words{"PING"});
    std::size_t answered = 0;
    for (; !client.open.empty(); ++answered) {
      EXPECT(client.open.size() <= 3);
      client.Answer(client.open.size() - 1);
    }
    EXPECT(answered == 10);
    std::string reply = "*10\r\n";
    for (int i = 0; i < 9; ++i) reply += kNull;
    EXPECT(client.Take() == reply + Bulk("9") + "+PONG\r\n");
  }

  TEST_CASE("large values make fewer operations go at once") {
    const std::size_t half = resp::SessionOptions{}.results_bytes_max / 2;
    Client client;
    client.store["large"] = {std::string(half, 'v'), 0};
    client.Ask({"GET", "large"});
    for (int i = 0; i < 100; ++i) client.Send(Words{"GET", "large"});
    EXPECT(client.open.size() == 2);
    EXPECT(client.session.waiting());
    EXPECT(client.unused());
    client.AnswerAll();
    EXPECT(client.Take().size() > 100 * half);
  }

  TEST_CASE("an MGET of more bytes than may gather is refused, and the next request is served") {
    Client client;
    client.store["large"] = {std::string(8 << 20, 'v'), 0};
    Words words{"MGET"};
    for (int i = 0; i < 9; ++i) words.push_back("large");
    EXPECT(client.Ask(words).starts_with("-ERR InvalidArgument: "));
    words.pop_back();
    EXPECT(client.Ask(words).size() > 8 * (8U << 20));
  }

  TEST_CASE("replies behind a slow one are held up to a limit, and no request is taken above it") {
    Client client;
    client.Send(Words{"GET", "slow"});
    const std::string text(64 * 1024, 'e');
    for (int i = 0; i < 100; ++i) client.Send(Words{"ECHO", text});
    EXPECT(client.session.waiting());
    EXPECT(client.unused());
    client.AnswerAll();
    EXPECT(!client.unused());
    std::string expected = kNull;
    for (int i = 0; i < 100; ++i) expected += Bulk(text);
    EXPECT(client.Take() == expected);
  }

  TEST_CASE("many replies to one read are handed over in parts") {
    Client client;
    std::string requests;
    for (int i = 0; i < 10'000; ++i) requests += "COMMAND\r\n";
    std::size_t used = 0;
    std::size_t most = 0;
    do {
      used += client.session.Consume(base::Bytes(requests).substr(used), client.facts);
      most = std::max(most, client.session.outputs().bytes.size());
      client.session.outputs().bytes.clear();
    } while (client.session.more());
    EXPECT(used == requests.size());
    EXPECT(most < (2U << 20));
  }

  TEST_CASE("QUIT is answered after all before it, and nothing after it is run") {
    Client client;
    client.Send(Encode({"GET", "a"}) + Encode({"QUIT"}) + Encode({"SET", "b", "1"}));
    EXPECT(client.session.closing());
    EXPECT(!client.session.finished());
    REQUIRE(client.open.size() == 1);
    client.AnswerAll();
    EXPECT(client.Take() == kNull + kOk);
    EXPECT(client.session.finished());
    client.Send(Words{"SET", "b", "1"});
    EXPECT(client.open.empty());
    EXPECT(client.Take().empty());
  }

  TEST_CASE("a client that sends nothing more has its answers, and then the end") {
    Client client;
    client.Send(Words{"GET", "a"});
    client.session.End();
    EXPECT(!client.session.finished());
    client.AnswerAll();
    EXPECT(client.Take() == kNull);
    EXPECT(client.session.finished());
  }

  TEST_CASE("what is no Redis gets an error in its turn, and then the end") {
    Client client;
    client.Send(Encode({"GET", "a"}) + "*1\r\nrubbish\r\n" + Encode({"PING"}));
    client.AnswerAll();
    EXPECT(client.Take() == kNull + "-ERR Protocol error: expected '$', got 'r'\r\n");
    EXPECT(client.session.finished());
  }

  TEST_CASE("a result that nobody waits for changes nothing") {
    Client client;
    client.Send(Words{"GET", "a"});
    client.session.OnResult(client.open[0].op.id + 1, {}, 0);
    client.session.OnResult(0, {}, 0);
    EXPECT(client.session.in_flight() == 1);
    EXPECT(client.session.outputs().bytes.empty());
  }

  TEST_CASE("requests typed as lines are served, one after the other") {
    Client client;
    client.Send("SET k \"a b\"\r\nSET l 2\r\n\r\nGET k\nget l\r\nMGET k l\r\n");
    client.AnswerAll();
    EXPECT(client.Take() ==
           kOk + kOk + Bulk("a b") + Bulk("2") + "*2\r\n" + Bulk("a b") + Bulk("2"));
  }
}

}  // namespace
}  // namespace starling::resp
