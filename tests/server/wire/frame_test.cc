// Goal:   a damaged or oversized frame is never taken for a good one, nor waited for.
// Method: cut every prefix of a good frame, and the frame with each single bit turned over.
#include "server/wire/frame.h"

#include "base/hash.h"
#include "tests/test.h"

namespace starling::wire {
namespace {

constexpr std::string_view kValue = "the value of the put, of some length";

// A put of kValue under request id 77.
std::string PutFrame() {
  std::string bytes;
  AppendFrame(
      bytes, 77,
      PutRequest{.keyspace = 1, .key = "user1", .value_digest = base::Hash64(kValue), .stamp = {}},
      kValue);
  return bytes;
}

// What a receiver concludes: the frame is cut and its payload matches the digest in its header.
bool Accepts(base::Bytes bytes) {
  Frame frame;
  const auto size = CutFrame(bytes, &frame);
  if (!size || *size == 0) return false;
  const auto put = Decode<PutRequest>(frame.header);
  return put && put->value_digest == base::Hash64(frame.payload);
}

TEST_SUITE("server/wire/frame") {
  TEST_CASE("a frame is cut from the front of a stream") {
    const std::string one = PutFrame();
    const std::string stream = one + "the next frame's first bytes";
    Frame frame;
    const auto size = CutFrame(stream, &frame);
    REQUIRE(size.has_value());
    EXPECT(*size == one.size());
    EXPECT(frame.kind == Kind::kPut);
    EXPECT(frame.request_id == 77);
    EXPECT(frame.payload == kValue);
    EXPECT(Decode<PutRequest>(frame.header)->key == "user1");
  }

  TEST_CASE("a frame of an empty header and no payload is 32 bytes") {
    std::string bytes;
    AppendFrame(bytes, 1, PingRequest{});
    EXPECT(bytes.size() == kFrameBytes);
    Frame frame;
    EXPECT(*CutFrame(bytes, &frame) == kFrameBytes);
    EXPECT(frame.kind == Kind::kPing);
  }

  TEST_CASE("every truncation of a frame needs more bytes") {
    const std::string whole = PutFrame();
    Frame frame;
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const auto cut = CutFrame(base::Bytes(whole).substr(0, size), &frame);
      REQUIRE(cut.has_value());
      REQUIRE(*cut == 0);
    }
  }

  TEST_CASE("no frame with one bit turned over is accepted") {
    const std::string whole = PutFrame();
    REQUIRE(Accepts(whole));
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
      std::string damaged = whole;
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
      REQUIRE(!Accepts(damaged));
    }
  }

  TEST_CASE("a damaged header is refused before its payload is waited for") {
    std::string bytes = PutFrame();
    bytes.resize(bytes.size() - kValue.size());
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    Frame frame;
    EXPECT(!CutFrame(bytes, &frame).has_value());
  }

  TEST_CASE("4 GiB are refused from the first 32 bytes") {
    std::string head = PutFrame().substr(0, kFrameBytes);
    Frame frame;
    SUBCASE("as a payload") {
      base::StoreLittle(head.data() + 20, std::uint32_t{0xffffffff});
      const auto cut = CutFrame(head, &frame);
      REQUIRE(!cut.has_value());
      EXPECT(cut.error().code() == base::Code::kInvalidArgument);
      EXPECT(cut.error().message().find("4294967295") != std::string::npos);
    }
    SUBCASE("as a header") {
      base::StoreLittle(head.data() + 16, std::uint32_t{0xffffffff});
      EXPECT(!CutFrame(head, &frame).has_value());
    }
    SUBCASE("and so is one byte over the limits") {
      base::StoreLittle(head.data() + 20, static_cast<std::uint32_t>(kPayloadBytesMax + 1));
      EXPECT(!CutFrame(head, &frame).has_value());
      base::StoreLittle(head.data() + 20, static_cast<std::uint32_t>(kPayloadBytesMax));
      EXPECT(*CutFrame(head, &frame) == 0);
    }
  }

  TEST_CASE("another protocol is refused from its first 32 bytes") {
    Frame frame;
    EXPECT(!CutFrame("GET / HTTP/1.1\r\nHost: starling.example\r\n\r\n", &frame).has_value());
    EXPECT(!CutFrame(std::string(kFrameBytes, '\0'), &frame).has_value());
  }

  TEST_CASE("another protocol is refused from its first bytes, however few come") {
    Frame frame;
    EXPECT(CutFrame("G", &frame).value() == 0);
    EXPECT(!CutFrame("GE", &frame).has_value());
    EXPECT(!CutFrame("GET /", &frame).has_value());
    const std::string_view begun("\x01\x53\x00", 3);  // As a frame does.
    EXPECT(CutFrame(begun, &frame).value() == 0);
  }

  TEST_CASE("flags that nobody knows are refused") {
    std::string bytes = PutFrame();
    bytes[4] = 1;
    Frame frame;
    EXPECT(!CutFrame(bytes, &frame).has_value());
  }
}

}  // namespace
}  // namespace starling::wire
