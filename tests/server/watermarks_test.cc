// Goal:   a write counts as handled only when it and all before it are, both ends count alike, and
//         what is told costs next to nothing.
// Method: a Watermarks and a WriteCounter with the messages between them as bytes.
#include "server/watermarks.h"

#include "server/unhandled_writes.h"
#include "server/wire/codec.h"
#include "server/wire/frame.h"
#include "server/write_number.h"
#include "tests/test.h"

namespace starling::server {
namespace {

constexpr base::NodeNumber kMarkedPeer = 2;
constexpr std::uint64_t kConnection = 7;

base::Instant AtUs(std::int64_t us) { return base::Instant{base::microseconds(us)}; }

wire::ReplicaWrite Direct() {
  return {.keyspace = 1,
          .key = "user:0000000042",
          .version = {1ULL << 56, 1, 1U << 31},
          .value_digest = ~0ULL,
          .epoch = 3};
}

// One more write to the peer; its number, and what goes out.
wire::ReplicaWrite WriteMarked(Watermarks& marks, base::Instant now,
                               std::uint64_t connection = kConnection) {
  wire::ReplicaWrite write = Direct();
  marks.Tell(now, kMarkedPeer, connection, marks.Next(kMarkedPeer), &write);
  return write;
}

TEST_SUITE("server/watermarks") {
  TEST_CASE("a watermark waits for the oldest write that is not handled") {
    Watermarks marks;
    for (int i = 0; i < 3; ++i) marks.Next(kMarkedPeer);
    marks.Handled(kMarkedPeer, 2);
    marks.Handled(kMarkedPeer, 3);
    EXPECT(marks.below(kMarkedPeer) == 1);
    marks.Handled(kMarkedPeer, 1);
    EXPECT(marks.below(kMarkedPeer) == 4);
  }

  TEST_CASE("both ends count alike, also over a new connection and after what did not go out") {
    Watermarks marks;
    WriteCounter counter({1, 1, 0});
    std::uint64_t number = 0;
    for (int i = 0; i < 100; ++i) {
      if (i == 50) counter = WriteCounter({1, 1, 0});
      ++number;
      if (i % 10 == 7) {  // Refused: the peer never sees it.
        WriteMarked(marks, AtUs(i), i < 50 ? 1 : 2);
        marks.NotSent(kMarkedPeer);
        continue;
      }
      EXPECT(counter.Count(WriteMarked(marks, AtUs(i), i < 50 ? 1 : 2)).number == number);
    }
    wire::ReplicaWrite hint = Direct();
    hint.origin = static_cast<std::uint8_t>(storage::Origin::kHint);
    EXPECT(counter.Count(hint).number == 0);
    EXPECT(counter.Count(WriteMarked(marks, AtUs(100), 2)).number == number + 1);
    wire::ReplicaWrite restored =
        WriteMarked(marks, AtUs(101), 2);  // It is a coordinator's own, too.
    restored.origin = static_cast<std::uint8_t>(storage::Origin::kRestore);
    EXPECT(counter.Count(restored).number == number + 2);
  }

  TEST_CASE("the peer never takes for handled what is not") {
    Watermarks marks;
    WriteCounter counter({1, 1, 0});
    for (std::uint64_t i = 1; i <= 1000; ++i) {
      const WriteNumber seen =
          counter.Count(WriteMarked(marks, AtUs(static_cast<std::int64_t>(i))));
      EXPECT(seen.handled_below <= marks.below(kMarkedPeer));
      if (i > 40) {
        marks.Handled(kMarkedPeer, i - 40);
        EXPECT(seen.handled_below + 40 + Watermarks::kToldEach >= i - 1);  // And not much less.
      }
    }
  }

  TEST_CASE("at 20,000 writes a second it takes no message and less than 1 % of the bytes") {
    Watermarks marks;
    std::size_t with = 0;
    std::size_t without = 0;
    constexpr std::uint64_t kOpen = 500;  // 25 ms of them are on their way.
    const std::string value(100, 'v');
    for (std::uint64_t i = 1; i <= 20'000; ++i) {
      std::string frame;
      wire::AppendFrame(frame, i, WriteMarked(marks, AtUs(static_cast<std::int64_t>(i) * 50)),
                        value);
      with += frame.size();
      frame.clear();
      wire::AppendFrame(frame, i, Direct(), value);
      without += frame.size();
      if (i > kOpen) marks.Handled(kMarkedPeer, i - kOpen);
      EXPECT(marks.TakeIdle(AtUs(static_cast<std::int64_t>(i) * 50)).empty());
    }
    DOCTEST_MESSAGE((with - without), " of ", with, " bytes for 20,000 writes of 100 bytes");
    EXPECT(with > without);
    EXPECT((with - without) * 100 < without);
  }

  TEST_CASE("a peer that got no write for a second is told once, when all are handled") {
    Watermarks marks;
    WriteMarked(marks, AtUs(0));
    WriteMarked(marks, AtUs(0));
    marks.Handled(kMarkedPeer, 1);
    EXPECT(marks.TakeIdle(AtUs(2'000'000)).empty());
    marks.Handled(kMarkedPeer, 2);
    EXPECT(marks.TakeIdle(AtUs(900'000)).empty());
    const auto idle = marks.TakeIdle(AtUs(1'000'000));
    REQUIRE(idle.size() == 1);
    EXPECT(idle[0].below == 3);
    EXPECT(marks.TakeIdle(AtUs(5'000'000)).empty());
  }
}

TEST_SUITE("server/unhandled_writes") {
  TEST_CASE("it gives back what was put in, oldest first, and drops what is handled") {
    UnhandledWrites writes;
    EXPECT(writes.empty());
    for (std::uint64_t i = 1; i <= 5000; ++i) {
      const std::string key = "key " + std::to_string(i);
      writes.Add({i, 4, {i << 16, 1, 2}, key});
    }
    writes.DropBelow(4000);
    for (std::uint64_t i = 4000; i <= 5000; ++i) {
      REQUIRE(!writes.empty());
      EXPECT(writes.Front().number == i);
      EXPECT(writes.Front().keyspace == 4);
      EXPECT(writes.Front().version == base::Version{i << 16, 1, 2});
      EXPECT(writes.Front().key == "key " + std::to_string(i));
      writes.PopFront();
    }
    EXPECT(writes.empty());
    EXPECT(writes.bytes() == 0);
  }
}

}  // namespace
}  // namespace starling::server
