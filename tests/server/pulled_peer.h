// tests/server/pulled_peer.h: what tests of pulls share: a peer with data, and a pull from it.
#pragma once

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/hash.h"
#include "merkle/compare.h"
#include "merkle/tree.h"
#include "server/bucket_parts.h"
#include "server/entry_page.h"
#include "server/purge/marks.h"
#include "server/wire/entries.h"
#include "storage/memory_engine.h"
#include "tests/server/one_worker.h"
#include "tests/test.h"

namespace starling::server {

inline constexpr base::NodeNumber kPeer = 2;

// The peer's data, answering as server/worker_peers.cc does.
struct PeerStore {
  explicit PeerStore(OneWorker& one) : node(one), tree(kDefault) {
    node.peer(kPeer).answer = [this](const wire::Frame& asked) { return Answer(asked); };
  }

  void Put(const std::string& key, const std::string& value) { PutAt(key, value, ++stamps); }
  void PutAt(const std::string& key, const std::string& value, std::uint64_t stamp_ms) {
    const base::Token token = node.TokenOf(key);
    const storage::EntryHeader header{.version = {stamp_ms << 16, 2, 1},
                                      .value_digest = storage::ValueDigest(value)};
    std::string data_key, entry;
    storage::EncodeDataKeyTo({kDefault, token, key}, data_key);
    storage::EncodeEntryTo(header, value, entry);
    PutRaw(data_key, entry);
    tree.Add(base::BucketOf(token),
             merkle::DigestOf(key, {header.version, 0, 0, header.value_digest},
                              node.topology().token_seed));
  }
  void PutRaw(base::Bytes key, base::Bytes value) {
    storage::Batch batch;
    batch.Put(storage::Family::kData, key, value);
    const storage::Batch* const batches[] = {&batch};
    REQUIRE(engine.Write(batches, storage::Sync::kNo).ok());
  }
  void Erase(const std::string& key) {
    std::string data_key;
    storage::EncodeDataKeyTo({kDefault, node.TokenOf(key), key}, data_key);
    storage::Batch batch;
    batch.Delete(storage::Family::kData, data_key);
    const storage::Batch* const batches[] = {&batch};
    REQUIRE(engine.Write(batches, storage::Sync::kNo).ok());
  }
  // Damages what is stored of a key.
  void Spoil(const std::string& key) {
    std::string data_key;
    storage::EncodeDataKeyTo({kDefault, node.TokenOf(key), key}, data_key);
    PutRaw(data_key, "no entry");
  }

  std::string Answer(const wire::Frame& asked) {
    if (asked.kind == wire::Kind::kSliceHashes) {
      const auto request = wire::Decode<wire::SliceHashesRequest>(asked.header);
      std::string hashes;
      for (const std::uint64_t hash :
           merkle::HashSlice(tree, request->slice, merkle::BucketSet::All(), request->salt))
        base::AppendLittle(hashes, static_cast<std::uint32_t>(hash));
      return FrameOf(asked.request_id, wire::SliceHashesReply{request->epoch, base::Hash64(hashes)},
                     hashes);
    }
    if (asked.kind == wire::Kind::kBucketParts) {
      const auto ask = wire::Decode<wire::BucketParts>(asked.header);
      REQUIRE(ask.has_value());
      hashes_of_parts += asked.payload.size();
      const PartsRead read =
          ReadParts(engine, {kDefault, ask->first_token, {}, ask->last_token},
                    static_cast<std::uint32_t>(asked.payload.size() / 4), ask->salt);
      std::string bits = DifferingParts(read.packed, asked.payload);
      if (purged > ask->purged && !narrows) bits.assign(bits.size(), '\xff');
      return FrameOf(asked.request_id, wire::BucketPartsReply{base::Hash64(bits)}, bits);
    }
    if (asked.kind == wire::Kind::kValuePiece) return AnswerPiece(asked);
    if (asked.kind != wire::Kind::kBucketPull)  // A client's read, when we abstain.
      return FrameOf(asked.request_id, wire::ErrorReply{});
    const auto pull = wire::Decode<wire::BucketPull>(asked.header);
    REQUIRE(pull.has_value());
    summaries.push_back(asked.payload.size());
    PageRequest request{kDefault, base::FirstToken(pull->bucket), {}, pull->last_token, page_bytes};
    if (!pull->after.empty()) {
      request.from_token = base::LoadBig<base::Token>(pull->after.data());
      request.after_key = pull->after.substr(8);
    }
    const bool names = purged > pull->purged;
    if (names) request.names_upto = purged;
    if (knows_pieces) request.whole_bytes_max = pull->whole_bytes_max;
    Page page = ReadMissing(engine, request, asked.payload);
    std::vector<WholeBucket> further;
    for (const char leaf : pull->further)
      further.push_back(
          {base::BucketAt(base::SliceOf(pull->bucket), static_cast<std::uint8_t>(leaf)),
           request.names_upto});
    ReadFurther(engine, request, further, page);
    sent += page.entries;
    if (spoil_page) spoil_page(page.packed);
    std::string after;
    if (!page.done) {
      base::AppendBig(after, endless ? request.from_token : page.last_read_token);
      after += endless ? request.after_key : page.last_read_key;
    }
    const std::string payload = page.names + page.packed;
    wire::BucketPullReply reply{.done = page.done,
                                .after = after,
                                .payload_digest = base::Hash64(payload),
                                .unreadable = page.unreadable.entries,
                                .epoch = purged == 0 ? 0 : pull->epoch,
                                .purged = purged,
                                .named_upto = request.names_upto,
                                .names_bytes = static_cast<std::uint32_t>(page.names.size()),
                                .further = {},
                                .announced = {}};
    if (page.announced) {
      const storage::EntryHeader& header = page.announced->header;
      reply.announced = {.version = header.version,
                         .value_digest = header.value_digest,
                         .value_bytes = static_cast<std::uint32_t>(page.announced->value.size())};
    }
    for (const ToldBucket& told : page.further)
      reply.further.push_back(
          {told.unreadable, purged, request.names_upto, told.names_bytes, told.bytes});
    if (spoil_reply) spoil_reply(reply);
    return FrameOf(asked.request_id, reply, payload);
  }

  std::string AnswerPiece(const wire::Frame& asked) {
    const auto ask = wire::Decode<wire::ValuePiece>(asked.header);
    REQUIRE(ask.has_value());
    offsets.push_back(ask->offset);
    if (before_piece) before_piece(*ask);
    if (refuse_piece) {
      if (const base::Status why = refuse_piece(*ask); !why.ok())
        return FrameOf(asked.request_id, wire::ErrorOf(why));
    }
    const std::string key(ask->key);
    const OneValue read =
        ReadValue(engine, {kDefault, node.TokenOf(key), key}, ask->version, ask->value_digest);
    if (!read.status.ok()) return FrameOf(asked.request_id, wire::ErrorOf(read.status));
    wire::ValuePieceReply reply{.version = ask->version, .offset = ask->offset};
    std::string piece = read.value.substr(ask->offset, ask->bytes_max);
    largest_piece = std::max(largest_piece, piece.size());
    if (ask->offset + piece.size() == ask->value_bytes) ++sent;
    if (spoil_piece) spoil_piece(reply, piece);
    reply.payload_digest = base::Hash64(piece);
    return FrameOf(asked.request_id, reply, piece);
  }

  OneWorker& node;
  merkle::Tree tree;
  std::shared_ptr<storage::MemoryDisk> disk = std::make_shared<storage::MemoryDisk>();
  storage::MemoryEngine engine{disk};
  std::uint64_t stamps = 1'700'000'000'000;
  std::size_t page_bytes = kPageBytesStandard;
  std::function<void(std::string&)> spoil_page;
  std::function<void(wire::BucketPullReply&)> spoil_reply;
  bool endless = false;
  bool knows_pieces = true;
  std::function<void(const wire::ValuePiece&)> before_piece;
  std::function<base::Status(const wire::ValuePiece&)> refuse_piece;
  std::function<void(wire::ValuePieceReply&, std::string&)> spoil_piece;
  std::vector<std::uint32_t> offsets;  // That pieces were asked for from.
  std::size_t largest_piece = 0;
  std::uint64_t purged = 0;  // Its mark of each bucket.
  bool narrows = false;      // To parts that differ, whatever the marks.
  std::uint64_t sent = 0;
  std::size_t hashes_of_parts = 0;     // Bytes.
  std::vector<std::size_t> summaries;  // Bytes of each pull's.
};

inline std::unique_ptr<PullMail> OrderOfAll() {
  auto order = std::make_unique<PullMail>();
  order->serial = 5;
  order->peer = kPeer;
  for (unsigned slice = 0; slice < base::kSlices; ++slice)
    order->slices.emplace_back(kDefault, static_cast<std::uint8_t>(slice));
  return order;
}

inline std::unique_ptr<PullDoneMail> PullAll(OneWorker& node) {
  node.Tell(OrderOfAll());
  auto done = node.Hear<PullDoneMail>();
  node.RunFor(base::seconds(1));  // What was taken is committed.
  return done;
}

inline std::size_t Held(OneWorker& node) {
  const Page page = ReadPage(node.engine, {kDefault, 0, {}, ~base::Token{0}, std::size_t{1} << 30});
  REQUIRE(page.status.ok());
  return page.entries;
}

// What a crash would leave.
inline std::uint64_t MarkOnDisk(OneWorker& node, std::uint16_t bucket) {
  purge::Marks marks;
  const auto cursor = node.engine.Scan(storage::Family::kMeta, purge::Marks::kPrefix, {});
  for (cursor->Seek(purge::Marks::kPrefix);
       cursor->Valid() && cursor->key().starts_with(purge::Marks::kPrefix); cursor->Next()) {
    const auto place = purge::Marks::ParseKey(cursor->key());
    REQUIRE(place.has_value());
    REQUIRE(marks.Load(place->first, place->second, cursor->value()).ok());
  }
  return marks.Of(kDefault, bucket).purged;
}

inline bool HasOnDisk(OneWorker& node, const std::string& key) {
  std::string data_key;
  storage::EncodeDataKeyTo({kDefault, node.TokenOf(key), key}, data_key);
  const auto cursor = node.engine.Scan(storage::Family::kData, data_key, {});
  cursor->Seek(data_key);
  return cursor->Valid() && cursor->key() == base::Bytes(data_key);
}

inline std::string Key(int i) { return fmt::format("key{}", i); }

}  // namespace starling::server
