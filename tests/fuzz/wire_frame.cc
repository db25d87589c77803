// Goal:   no bytes crash what reads the native protocol: frames are the same in one piece and in
//         many, and headers and payloads that are let through can be said again.
// Method: the first byte says what the rest is: a stream as it comes, frames whose checksums are
//         right, the header of one kind, or a payload. Where streams are cut is drawn by hash.
#include "server/wire/frame.h"

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "base/random.h"
#include "server/purge/purged_runs.h"
#include "server/purge/round.h"
#include "server/wire/codec.h"
#include "server/wire/entries.h"
#include "server/write_rumor.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/round_trip.h"

namespace starling::wire {
namespace {

using fuzz::Exact;
using fuzz::Input;
using fuzz::RoundTrip;

using Messages =
    std::tuple<Hello, HelloReply, ErrorReply, PutRequest, PutReply, GetRequest, GetReply,
               ScanRequest, ScanReply, ClusterMapRequest, ClusterMapReply, ClusterMap,
               CreateKeyspaceRequest, CreateKeyspaceReply, AdminRequest, AdminReply, PingRequest,
               PongReply, ReplicaWrite, ReplicaWriteReply, ReplicaRead, ReplicaReadReply,
               ReplicaScan, ReplicaScanReply, SliceHashesRequest, SliceHashesReply, BucketParts,
               BucketPartsReply, BucketPull, BucketPullReply, ValuePiece, ValuePieceReply, Handled,
               HandledReply, ControlRequest, ControlReply>;

struct Header {
  template <typename Message>
  static void Try(base::Bytes header) {
    RoundTrip(header, Decode<Message>, [](const Message& message) {
      std::string bytes;
      EncodeTo(message, bytes);
      return bytes;
    });
  }

  // Of the nth kind.
  template <std::size_t... kIndex>
  static void TryNth(std::size_t n, base::Bytes header, std::index_sequence<kIndex...>) {
    ((n == kIndex ? Try<std::tuple_element_t<kIndex, Messages>>(header) : void()), ...);
  }
};

void TryHeader(Input& in) {
  constexpr std::size_t kKinds = std::tuple_size_v<Messages>;
  const std::size_t n = in.Byte() % kKinds;
  Header::TryNth(n, in.Rest(), std::make_index_sequence<kKinds>());
}

struct Heard {
  struct One {
    Kind kind{};
    std::uint64_t id = 0;
    std::string header, payload;
    bool operator==(const One&) const = default;
  };
  std::vector<One> frames;
  std::string error;
  bool operator==(const Heard&) const = default;
};

// In pieces of drawn sizes, or whole.
Heard Hear(base::Bytes stream, base::Random* random) {
  Heard heard;
  std::string unused;
  while (!stream.empty()) {
    const std::size_t most = std::max<std::size_t>(stream.size() / 4, 40);
    const std::size_t size = random != nullptr ? 1 + random->Below(most) : stream.size();
    unused += stream.substr(0, size);
    stream.remove_prefix(std::min(size, stream.size()));
    for (;;) {
      const Exact bytes(unused);
      Frame frame;
      const base::Result<std::size_t> cut = CutFrame(bytes.bytes(), &frame);
      if (!cut) {
        heard.error = cut.error().message();
        return heard;
      }
      CHECK(*cut <= unused.size());
      if (*cut == 0) break;
      CHECK(*cut == kFrameBytes + frame.header.size() + frame.payload.size());
      heard.frames.push_back(
          {frame.kind, frame.request_id, std::string(frame.header), std::string(frame.payload)});
      unused.erase(0, *cut);
    }
  }
  return heard;
}

Heard HearBothWays(base::Bytes stream) {
  base::Random random(base::Hash64(stream));
  Heard whole = Hear(stream, nullptr);
  CHECK(Hear(stream, &random) == whole);
  return whole;
}

// What is behind them is no frame, or the beginning of one.
void TryFrames(Input& in) {
  std::string stream;
  Heard sent;
  for (std::size_t left = in.Byte() % 8; left > 0; --left) {
    const Kind kind{in.Byte()};
    const auto id = in.Number<std::uint32_t>();
    const base::Bytes header = in.ShortPiece(), payload = in.ShortPiece();
    std::string head(kFrameBytes, '\0');
    StoreFrameHead(head.data(), kind, id, header, payload.size());
    stream.append(head).append(header).append(payload);
    sent.frames.push_back({kind, id, std::string(header), std::string(payload)});
  }
  stream += in.Take(kFrameBytes - 1);
  const Heard heard = HearBothWays(stream);
  CHECK(heard.frames == sent.frames);
}

void TryEntries(base::Bytes payload) {
  const Exact given(payload);
  for (base::Bytes rest = given.bytes(); !rest.empty();) {
    const base::Bytes before = rest;
    const base::Result<PackedEntry> entry = UnpackEntry(rest);
    if (!entry) {
      CHECK(rest == before);
      return;
    }
    CHECK(PackedBytes(*entry) == before.size() - rest.size());
    std::string again;
    PackEntryTo(*entry, again);
    base::Bytes packed = again;
    CHECK(UnpackEntry(packed).has_value());
    CHECK(packed.empty());
  }
}

void TryPayload(Input& in) {
  namespace purge = server::purge;
  switch (in.Byte() % 5) {
    case 0: return TryEntries(in.Rest());
    case 1: RoundTrip(in.Rest(), purge::DecodeRequest, purge::EncodeRequest); return;
    case 2: RoundTrip(in.Rest(), purge::DecodeReport, purge::EncodeReport); return;
    case 3: {
      const auto first = in.Number<std::uint16_t>();
      const auto decode = [&](base::Bytes bytes) { return purge::DecodeRuns(bytes, first); };
      RoundTrip(in.Rest(), decode, purge::EncodeRuns);
      return;
    }
    case 4:
      RoundTrip(in.Rest(), server::ReadWriteRumor, [](const server::RumoredWrite& write) {
        return server::MakeWriteRumor(write.keyspace, write.entry).payload;
      });
      return;
  }
}

}  // namespace
}  // namespace starling::wire

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace starling::wire;
  Input in(data, size);
  switch (in.Byte() % 4) {
    case 0: HearBothWays(in.Rest()); break;
    case 1: TryFrames(in); break;
    case 2: TryHeader(in); break;
    case 3: TryPayload(in); break;
  }
  return 0;
}
