// Goal:   reads are tried elsewhere and puts never, each within its deadline.
// Method: the test plays a cluster of three nodes, frame by frame, on a clock that it moves.
#include "client/session.h"

#include "tests/client/session_harness.h"

namespace starling::client {
namespace {

using base::Code;
using base::milliseconds;
using wire::Kind;

TEST_SUITE("client/session: tries") {
  TEST_CASE("a read that is not answered is asked of another node") {
    Harness h;
    h.Settle();
    h.session.Get({.key = "k"}, 1);
    const auto [silent, first] = h.TakeOne(Kind::kGet);
    h.Pass(milliseconds(1100));
    const auto [other, second] = h.TakeOne(Kind::kGet);
    EXPECT(h.PeerOf(other) != h.PeerOf(silent));
    SUBCASE("and either answer will do") {
      h.Answer(silent, first.request_id, Found("v"), "v");
      EXPECT(h.told.at(1).value == "v");
      h.Answer(other, second.request_id, Found("v"), "v");
    }
    SUBCASE("but the first node's error no longer counts") {
      h.Answer(silent, first.request_id, Error(Code::kTimeout));
      EXPECT(h.told.empty());
      h.Answer(other, second.request_id, Found("v"), "v");
      EXPECT(h.told.at(1).value == "v");
    }
    SUBCASE("and at last it is a timeout") {
      h.Pass(milliseconds(6000));
      EXPECT(h.told.at(1).status.code() == Code::kTimeout);
      EXPECT(h.session.in_flight() == 0);
    }
  }

  TEST_CASE("a node that owes an answer for a second is passed by") {
    Harness h;
    h.Settle();
    h.session.Put({.key = "k", .value = "v"}, 1);
    EXPECT(h.PeerOf(h.TakeOne(Kind::kPut).first) == NodeAddress(1));
    h.Pass(milliseconds(1200));
    h.session.Put({.key = "k", .value = "v"}, 2);
    EXPECT(h.PeerOf(h.TakeOne(Kind::kPut).first) == NodeAddress(2));
  }

  TEST_CASE("a put without an answer is a timeout without a stamp, and is not sent again") {
    Harness h;
    h.Settle();
    h.session.Put({.key = "k", .value = "v"}, 1);
    const auto conn = h.TakeOne(Kind::kPut).first;
    SUBCASE("when the connection ends") { h.Close(conn); }
    SUBCASE("when the deadline passes") { h.Pass(milliseconds(6000)); }
    REQUIRE(h.told.contains(1));
    EXPECT(h.told.at(1).status.code() == Code::kTimeout);
    EXPECT(h.told.at(1).status.message().find("outcome is unknown") != std::string::npos);
    EXPECT(h.told.at(1).stamp.empty());
    h.Settle();
    h.Pass(milliseconds(3000));
    EXPECT(h.TakeAll(Kind::kPut).empty());
  }

  TEST_CASE("a put that the node timed out has a stamp, under which it is the same write again") {
    Harness h;
    h.Settle();
    h.session.Put({.key = "k", .value = "v"}, 1);
    const auto [conn, frame] = h.TakeOne(Kind::kPut);
    h.Answer(conn, frame.request_id, Error(Code::kTimeout, "1 of 2", kVersion));
    EXPECT(h.told.at(1).status.code() == Code::kTimeout);
    REQUIRE(h.told.at(1).stamp == kVersion);
    EXPECT(h.TakeAll(Kind::kPut).empty());
    h.session.Put({.key = "k", .value = "v", .stamp = kVersion}, 2);
    EXPECT(wire::Decode<wire::PutRequest>(h.TakeOne(Kind::kPut).second.header)->stamp == kVersion);
  }

  TEST_CASE("errors keep their class, and only a timeout has a stamp") {
    for (const Code code : {Code::kUnavailable, Code::kOverloaded, Code::kInvalidArgument}) {
      Harness h;
      h.Settle();
      h.session.Put({.key = "k", .value = "v"}, 1);
      const auto [conn, frame] = h.TakeOne(Kind::kPut);
      h.Answer(conn, frame.request_id, Error(code, "why", kVersion));
      EXPECT(h.told.at(1).status == base::Status(code, "why"));
      EXPECT(h.told.at(1).stamp.empty());
    }
  }

  TEST_CASE("a read refused for overload is not pressed upon another node") {
    Harness h;
    h.Settle();
    h.session.Get({.key = "k"}, 1);
    const auto [conn, frame] = h.TakeOne(Kind::kGet);
    h.Answer(conn, frame.request_id, Error(Code::kOverloaded));
    EXPECT(h.told.at(1).status.code() == Code::kOverloaded);
  }

  TEST_CASE("a read survives the end of its connection") {
    Harness h;
    h.Settle();
    h.session.Get({.key = "k"}, 1);
    h.Close(h.TakeOne(Kind::kGet).first);
    const auto [conn, frame] = h.TakeOne(Kind::kGet);
    h.Answer(conn, frame.request_id, wire::GetReply{.version = {}, .replicas = {}});
    EXPECT(h.told.at(1).status.ok());
    EXPECT(!h.told.at(1).found);
  }

  TEST_CASE("a read whose connections end goes on until its deadline, with pauses") {
    Harness h;
    h.Settle();
    h.session.Get({.key = "k", .timeout = milliseconds(3000)}, 1);
    int attempts = 0;
    for (int round = 0; round < 40 && h.told.empty(); ++round) {
      for (const auto& [conn, frame] : h.TakeAll(Kind::kGet)) {
        ++attempts;
        h.Close(conn);
      }
      h.Pass(milliseconds(50));
      h.Settle();
    }
    EXPECT(attempts > 4);   // Not given up after a few.
    EXPECT(attempts < 20);  // Nor pressed.
    SUBCASE("and is answered by whoever is back") {
      h.Pass(milliseconds(500));
      h.Settle();
      const auto [conn, frame] = h.TakeOne(Kind::kGet);
      h.Answer(conn, frame.request_id, Found("v"), "v");
      EXPECT(h.told.at(1).value == "v");
    }
    SUBCASE("which ends it") {
      h.Pass(milliseconds(2000));
      EXPECT(h.told.at(1).status.code() == Code::kTimeout);
      EXPECT(h.session.in_flight() == 0);
    }
  }

  TEST_CASE("a read that nodes answer with errors is asked three times, the last after a pause") {
    Harness h;
    h.Settle();
    h.session.Get({.key = "k"}, 1);
    for (int attempt = 0; attempt < 2; ++attempt) {
      const auto [conn, frame] = h.TakeOne(Kind::kGet);
      h.Answer(conn, frame.request_id, Error(Code::kUnavailable, "too few"));
    }
    EXPECT(h.TakeAll(Kind::kGet).empty());
    EXPECT(h.told.empty());
    h.Pass(milliseconds(50));
    const auto [conn, frame] = h.TakeOne(Kind::kGet);
    SUBCASE("and no more") {
      h.Answer(conn, frame.request_id, Error(Code::kUnavailable, "too few"));
      EXPECT(h.told.at(1).status == base::Unavailable("too few"));
    }
    SUBCASE("and may be answered") {
      h.Answer(conn, frame.request_id, Found("v"), "v");
      EXPECT(h.told.at(1).value == "v");
    }
  }

  TEST_CASE("a page of a scan that has too few replicas waits for them, until its deadline") {
    Harness h;
    h.Settle();
    h.session.Scan({.timeout = milliseconds(5000)}, 1);
    unsigned attempts = 0;
    for (int round = 0; round < 60 && h.told.empty(); ++round) {
      for (const auto& [conn, frame] : h.TakeAll(Kind::kScan)) {
        ++attempts;
        h.Answer(conn, frame.request_id, Error(Code::kUnavailable, "too few"));
      }
      h.Pass(milliseconds(50));
    }
    EXPECT(attempts > 4);   // Not given up after a few.
    EXPECT(attempts < 20);  // Nor pressed.
    SUBCASE("and is answered by whoever is back") {
      h.Pass(milliseconds(500));
      const auto [conn, frame] = h.TakeOne(Kind::kScan);
      h.Answer(
          conn, frame.request_id,
          wire::ScanReply{.done = true, .next_after_key = {}, .payload_digest = base::Hash64("")});
      EXPECT(h.told.at(1).status.ok());
    }
    SUBCASE("which ends it with the reason") {
      for (int round = 0; round < 100 && h.told.empty(); ++round) {
        for (const auto& [conn, frame] : h.TakeAll(Kind::kScan))
          h.Answer(conn, frame.request_id, Error(Code::kUnavailable, "too few"));
        h.Pass(milliseconds(50));
      }
      EXPECT(h.told.at(1).status.message().find("too few") != std::string::npos);
    }
  }

  TEST_CASE("a read that waits to be asked again ends at its deadline with what went wrong") {
    Harness h;
    h.Settle();
    h.session.Get({.key = "k", .timeout = milliseconds(20)}, 1);
    for (int attempt = 0; attempt < 2; ++attempt) {
      const auto [conn, frame] = h.TakeOne(Kind::kGet);
      h.Answer(conn, frame.request_id, Error(Code::kUnavailable, "too few"));
    }
    EXPECT(h.told.empty());
    h.Pass(milliseconds(50));
    EXPECT(h.TakeAll(Kind::kGet).empty());
    EXPECT(h.told.at(1).status == base::Unavailable("too few"));
  }

  TEST_CASE("attempts of a read wait longer each time") {
    Harness h;
    h.Settle();
    h.session.Get({.key = "k", .timeout = milliseconds(10'000)}, 1);
    int attempts = 0;
    for (int i = 0; i < 220 && h.told.empty(); ++i) {
      attempts += static_cast<int>(h.TakeAll(Kind::kGet).size());
      h.Pass(milliseconds(50));
    }
    EXPECT(h.told.at(1).status.code() == Code::kTimeout);
    EXPECT(attempts == 4);  // After 0, 1, 3 and 7 seconds.
  }
}

}  // namespace
}  // namespace starling::client
