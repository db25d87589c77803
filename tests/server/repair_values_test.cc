// Goal:   large values are pulled in pieces, a bounded amount at a time; whatever happens to one on
//         its way, it comes whole, in one version, or not at all, and nothing else stays away.
// Method: a real worker is ordered to pull; the test plays the peer from a store of its own, which
//         changes, damages or loses values between two pieces.
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/server/pulled_peer.h"

namespace starling::server {
namespace {

constexpr std::uint32_t kPiece = 4096;

Config SmallPieces() {
  Config config;
  config.repair.piece_bytes = kPiece;
  return config;
}

std::string Pattern(std::size_t bytes, char first) {
  std::string value(bytes, first);
  for (std::size_t i = 0; i < bytes; ++i) value[i] = static_cast<char>(first + i * 31 % 17);
  return value;
}

// What the node has under a key; nullopt: nothing.
std::optional<std::string> ValueOf(OneWorker& node, const std::string& key) {
  std::string data_key;
  storage::EncodeDataKeyTo({kDefault, node.TokenOf(key), key}, data_key);
  const auto stored = storage::GetOne(node.engine, storage::Family::kData, data_key);
  if (!stored) return std::nullopt;
  const auto entry = storage::DecodeEntry(*stored);
  REQUIRE(entry.has_value());
  REQUIRE(storage::VerifyValue(*entry).ok());
  return std::string(entry->value);
}

TEST_SUITE("server/repair_pull: large values") {
  TEST_CASE("what is larger than a piece comes in pieces, all else in pages, each entry once") {
    OneWorker node(topology::FoundedBy(2), SmallPieces());
    PeerStore peer(node);
    std::map<std::string, std::string> values;
    for (int i = 0; i < 300; ++i) {
      const std::size_t sizes[] = {5, kPiece, kPiece + 1, 3 * kPiece, 10 * kPiece + 7};
      values[Key(i)] = Pattern(i % 10 < 5 ? sizes[i % 5] : 5, static_cast<char>('a' + i % 26));
      peer.Put(Key(i), values[Key(i)]);
    }
    node.Start({kPeer});
    const auto done = PullAll(node);
    EXPECT(done->status.ok());
    EXPECT(done->entries == 300);
    EXPECT(peer.sent == 300);
    EXPECT(peer.offsets.size() == 30 * (2 + 3 + 11));
    EXPECT(peer.largest_piece == kPiece);
    for (const auto& each : values) EXPECT(ValueOf(node, each.first) == each.second);
    EXPECT(PullAll(node)->entries == 0);
    EXPECT(peer.sent == 300);
  }

  TEST_CASE("a peer that knows no pieces sends values whole") {
    OneWorker node(topology::FoundedBy(2), SmallPieces());
    PeerStore peer(node);
    peer.knows_pieces = false;
    const std::string value = Pattern(10 * kPiece, 'a');
    peer.Put("key", value);
    node.Start({kPeer});
    EXPECT(PullAll(node)->entries == 1);
    EXPECT(peer.offsets.empty());
    EXPECT(ValueOf(node, "key") == value);
  }

  TEST_CASE("one of the largest values is on its way at a time, a piece of it") {
    OneWorker node(topology::FoundedBy(2));  // Pieces of 256 KiB.
    PeerStore peer(node);
    const std::string largest = Pattern(storage::kValueBytesMax, 'a');
    constexpr int kEntries = 4;
    for (int i = 0; i < kEntries; ++i) peer.Put(Key(i), largest);
    std::set<std::string> begun, ended;
    std::size_t most = 0;
    peer.before_piece = [&](const wire::ValuePiece& ask) {
      begun.insert(std::string(ask.key));
      most = std::max(most, begun.size() - ended.size());
      if (ask.offset + ask.bytes_max >= ask.value_bytes) ended.insert(std::string(ask.key));
    };
    node.Start({kPeer});
    EXPECT(PullAll(node)->entries == kEntries);
    EXPECT(most == 1);
    EXPECT(peer.largest_piece == 256 << 10);
    EXPECT(node.Stats().repair.piece_bytes == 0);
    for (int i = 0; i < kEntries; ++i) EXPECT(ValueOf(node, Key(i)) == largest);
  }

  TEST_CASE("no more of a value is asked for than repair.rate lets through") {
    Config config;
    config.repair.bytes_per_second = 1 << 20;
    OneWorker node(topology::FoundedBy(2), config);
    PeerStore peer(node);
    peer.Put("key", Pattern(8 << 20, 'a'));
    node.Start({kPeer});
    const base::Instant began = node.Now();
    node.Tell(OrderOfAll());
    node.RunFor(base::seconds(4));
    EXPECT(peer.offsets.size() > 8);  // Of 32 pieces.
    EXPECT(peer.offsets.size() < 24);
    EXPECT(node.Hear<PullDoneMail>()->entries == 1);
    EXPECT(node.Now() - began > base::seconds(6));
  }

  TEST_CASE("pieces of two versions are never put together") {
    OneWorker node(topology::FoundedBy(2), SmallPieces());
    PeerStore peer(node);
    const std::string first = Pattern(3 * kPiece, 'a'), second = Pattern(3 * kPiece, 'A');
    peer.Put("key", first);
    // A peer that does not look what version it is asked for: the value changed in between.
    SUBCASE("as it says itself") {
      peer.spoil_piece = [&](wire::ValuePieceReply& reply, std::string& piece) {
        if (reply.offset == 0) return;
        ++reply.version.timestamp;
        piece = second.substr(reply.offset, kPiece);
      };
    }
    SUBCASE("without a word") {
      peer.spoil_piece = [&](wire::ValuePieceReply& reply, std::string& piece) {
        if (reply.offset > 0) piece = second.substr(reply.offset, kPiece);
      };
    }
    node.Start({kPeer});
    const auto done = PullAll(node);
    EXPECT(done->status.code() == base::Code::kCorruption);
    EXPECT(done->entries == 0);
    EXPECT(Held(node) == 0);
    peer.spoil_piece = {};
    EXPECT(PullAll(node)->entries == 1);
    EXPECT(ValueOf(node, "key") == first);
  }

  TEST_CASE("a value that is replaced or removed meanwhile is passed by, and all others come") {
    OneWorker node(topology::FoundedBy(2), SmallPieces());
    PeerStore peer(node);
    for (int i = 0; i < 50; ++i) peer.Put(Key(i), Pattern(3 * kPiece, 'a'));
    bool changed = false;
    const std::string key = Key(7), newer = Pattern(2 * kPiece, 'A');
    bool removed = false;
    SUBCASE("replaced") {}
    SUBCASE("removed") { removed = true; }
    peer.before_piece = [&](const wire::ValuePiece& ask) {
      if (ask.key != key || ask.offset == 0 || changed) return;
      changed = true;
      if (removed)
        peer.Erase(key);
      else
        peer.Put(key, newer);
    };
    node.Start({kPeer});
    const auto done = PullAll(node);
    EXPECT(changed);
    EXPECT(done->status.ok());
    EXPECT(done->entries == 49);
    EXPECT(!ValueOf(node, key).has_value());
    // The slice is not called settled: it is looked at again.
    const std::uint8_t slice = base::SliceOf(base::BucketOf(node.TokenOf(key)));
    for (const auto& settled : done->settled) EXPECT(settled.second != slice);
    EXPECT(PullAll(node)->entries == (removed ? 0 : 1));
    if (!removed) EXPECT(ValueOf(node, key) == newer);
  }

  TEST_CASE("a transfer that breaks off goes on from the piece it had") {
    OneWorker node(topology::FoundedBy(2), SmallPieces());
    PeerStore peer(node);
    const std::string value = Pattern(5 * kPiece, 'a');
    peer.Put("key", value);
    int broken = 0;
    SUBCASE("with the connection") {
      node.peer(kPeer).hangs_up = [&](const wire::Frame& asked) {
        return asked.kind == wire::Kind::kValuePiece && peer.offsets.size() == 2 && broken++ < 3;
      };
    }
    SUBCASE("when the peer has no room for a while") {
      peer.refuse_piece = [&](const wire::ValuePiece&) {
        if (peer.offsets.size() == 1 || ++broken > 3) return base::Ok();
        peer.offsets.pop_back();
        return base::Overloaded("no room");
      };
    }
    node.Start({kPeer});
    const auto done = PullAll(node);
    EXPECT(broken >= 3);
    EXPECT(done->status.ok());
    EXPECT(done->entries == 1);
    EXPECT(peer.offsets ==
           std::vector<std::uint32_t>{0, kPiece, 2 * kPiece, 3 * kPiece, 4 * kPiece});
    EXPECT(ValueOf(node, "key") == value);
  }

  TEST_CASE("a transfer that does not go on is given up, and begins anew with the next pull") {
    OneWorker node(topology::FoundedBy(2), SmallPieces());
    PeerStore peer(node);
    peer.Put("key", Pattern(5 * kPiece, 'a'));
    bool away = true;
    bool dead = false;
    SUBCASE("the peer has no room for long") {}
    SUBCASE("the peer is dead") { dead = true; }
    node.peer(kPeer).hangs_up = [&](const wire::Frame& asked) {
      return dead && away && asked.kind == wire::Kind::kValuePiece && peer.offsets.size() == 2;
    };
    peer.refuse_piece = [&](const wire::ValuePiece& ask) {
      return !dead && away && ask.offset > 0 ? base::Overloaded("no room") : base::Ok();
    };
    node.Start({kPeer});
    const base::Instant began = node.Now();
    node.Tell(OrderOfAll());
    if (dead) {
      REQUIRE(node.Await(base::seconds(10), [&] { return peer.offsets.size() == 2; }));
      node.Publish({});
    }
    const auto done = node.Hear<PullDoneMail>(base::seconds(60));
    EXPECT(!done->status.ok());
    EXPECT(node.Now() - began < base::seconds(dead ? 5 : 15));
    EXPECT(Held(node) == 0);
    EXPECT(node.Stats().repair.piece_bytes == 0);
    away = false;
    node.Publish({kPeer});
    node.RunFor(base::seconds(1));
    EXPECT(PullAll(node)->entries == 1);
    EXPECT(Held(node) == 1);
  }

  TEST_CASE("a value that is damaged there, or on its way, is told of, and all others come") {
    OneWorker node(topology::FoundedBy(2), SmallPieces());
    PeerStore peer(node);
    for (int i = 0; i < 50; ++i) peer.Put(Key(i), Pattern(3 * kPiece, 'a'));
    bool damage = true;
    SUBCASE("its block cannot be read any more") {
      peer.refuse_piece = [&](const wire::ValuePiece& ask) {
        return damage && ask.key == Key(7) ? base::Corruption("a block") : base::Ok();
      };
    }
    SUBCASE("a byte of it changes on its way") {
      peer.spoil_piece = [&](wire::ValuePieceReply& reply, std::string& piece) {
        if (damage && reply.offset == kPiece && peer.offsets.size() > 70) {
          damage = false;
          piece[5] = '!';
        }
      };
    }
    node.Start({kPeer});
    const auto done = PullAll(node);
    damage = false;
    EXPECT(done->status.code() == base::Code::kCorruption);
    EXPECT(done->entries == 49);
    EXPECT(node.Stats().repair.unreadable == 1);
    EXPECT(PullAll(node)->entries == 1);
    EXPECT(Held(node) == 50);
  }

  TEST_CASE("a bucket is adopted once its large values are here, and not while one stays away") {
    OneWorker node(topology::FoundedBy(2), SmallPieces());
    PeerStore peer(node);
    constexpr std::uint64_t kStampMs = 1'600'000'000'000;
    std::set<std::uint16_t> buckets;
    for (int i = 0; i < 40; ++i) {
      peer.PutAt(Key(i), Pattern(i % 2 == 0 ? 3 * kPiece : 5, 'a'), kStampMs);
      buckets.insert(base::BucketOf(node.TokenOf(Key(i))));
    }
    peer.purged = (kStampMs + 1) << 16;
    bool away = true;
    peer.refuse_piece = [&](const wire::ValuePiece& ask) {
      return away && ask.key == Key(8) ? base::NotFound("another version") : base::Ok();
    };
    node.Start({kPeer});
    EXPECT(PullAll(node)->entries == 39);
    EXPECT(node.Stats().adopted == buckets.size() - 1);
    away = false;
    EXPECT(PullAll(node)->entries == 1);
    EXPECT(node.Stats().adopted == buckets.size());
    EXPECT(node.Stats().quarantined == 0);
    EXPECT(Held(node) == 40);
  }
}

}  // namespace
}  // namespace starling::server
