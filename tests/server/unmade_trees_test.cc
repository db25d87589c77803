// Goal:   what is not known yet is told to nobody: neither digests nor proofs of trees that are
//         being made anew, while the worker serves.
// Method: one worker whose pages take long, asked as its control and as a peer do.
#include <memory>
#include <string>

#include "server/stored_trees.h"
#include "server/tree_rebuild.h"
#include "tests/server/one_worker.h"
#include "tests/test.h"

namespace starling::server {
namespace {

TEST_SUITE("server/unmade_trees") {
  TEST_CASE("a tree that is being made anew is told to nobody, and then it is") {
    OneWorker node(topology::FoundedBy(2));
    storage::Batch batch;
    UnmakeTrees(batch, DamagedEntries::kKeep);
    std::string key, entry;
    storage::EncodeDataKeyTo({1, base::FirstToken(0x0000), "key"}, key);
    storage::EncodeEntryTo(
        {.version = {1 << 16, 1, 1}, .value_digest = storage::ValueDigest("value")}, "value",
        entry);
    batch.Put(storage::Family::kData, key, entry);
    const storage::Batch* const batches[] = {&batch};
    REQUIRE(node.engine.Write(batches, storage::Sync::kYes).ok());
    node.faults().background_max = base::seconds(20);  // A page; and there are 256 at least.
    node.Start({2});
    node.RunFor(base::seconds(5));

    const auto digests = [&] {
      auto query = std::make_unique<DigestQueryMail>();
      query->peer = 2;
      query->cut = merkle::NewestCut(node.WallMs());
      node.Tell(std::move(query));
      return node.Hear<DigestAnswerMail>();
    };
    const auto ranges = [&] {
      auto query = std::make_unique<RangeSumsQueryMail>();
      query->cut = merkle::NewestCut(node.WallMs());
      node.Tell(std::move(query));
      return node.Hear<RangeSumsMail>();
    };
    const auto hashes = [&] {
      return AskAsPeer(node, wire::SliceHashesRequest{.keyspace = 1,
                                                      .slice = 0xff,
                                                      .epoch = node.topology().epoch,
                                                      .cut_s = merkle::NewestCut(node.WallMs())});
    };
    const auto prove = [&] {
      auto step = std::make_unique<PurgeStepMail>();
      step->request = {.step = purge::Step::kProve,
                       .epoch = node.topology().epoch,
                       .keyspace = 1,
                       .horizon = purge::HorizonAt(node.WallMs(), 3'600'000),
                       .buckets = {0xffff}};
      node.Tell(std::move(step));
      return node.Hear<PurgeStepDoneMail>()->status;
    };
    EXPECT(digests()->unmade > 0);
    EXPECT(digests()->slices.empty());
    EXPECT(ranges()->unmade > 0);
    EXPECT(ranges()->sums.empty());
    EXPECT(hashes().kind == wire::Kind::kError);
    EXPECT(prove().code() == base::Code::kUnavailable);
    EXPECT(node.Stats().making.slices > 200);
    const base::Bytes value = "another";
    const Told put = node.Ask(wire::PutRequest{.keyspace = 1,
                                               .key = "written meanwhile",
                                               .level = wire::Consistency::kOne,
                                               .value_digest = storage::ValueDigest(value),
                                               .stamp = {}},
                              value);
    EXPECT(put.kind == wire::Kind::kPutReply);

    node.faults().background_max = base::milliseconds(1);
    for (int i = 0; i < 600 && node.Stats().making.slices > 0; ++i) node.RunFor(base::seconds(1));
    node.RunFor(base::seconds(5));
    EXPECT(hashes().kind == wire::Kind::kSliceHashesReply);
    EXPECT(prove().ok());
    EXPECT(ranges()->unmade == 0);
    const auto told = digests();
    REQUIRE(told->unmade == 0);
    merkle::Digest sum;
    for (const auto& [slice, digest] : told->slices[1]) sum += digest;
    EXPECT(sum.count == 2);
  }
}

}  // namespace
}  // namespace starling::server
