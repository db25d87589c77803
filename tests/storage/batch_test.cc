// Goal:   a batch gives back what was put into it, in order, and reuses its memory.
// Method: a visitor that writes down what it sees, against a list kept by the test.
#include "storage/batch.h"

#include <rapidcheck.h>

#include "tests/test.h"

namespace starling::storage {
namespace {

struct Op {
  Family family = Family::kData;
  bool deletes = false;
  std::string key, value;
  bool operator==(const Op&) const = default;
};

struct Recorder {
  std::vector<Op> ops;
  void Put(Family family, base::Bytes key, base::Bytes value) {
    ops.push_back({family, false, std::string(key), std::string(value)});
  }
  void Delete(Family family, base::Bytes key) {
    ops.push_back({family, true, std::string(key), ""});
  }
};

std::vector<Op> OpsOf(const Batch& batch) {
  Recorder recorder;
  batch.ForEach(recorder);
  return recorder.ops;
}

Op DrawOp() {
  return {static_cast<Family>(*rc::gen::inRange(0, static_cast<int>(kFamilies))),
          *rc::gen::arbitrary<bool>(), *rc::gen::arbitrary<std::string>(),
          *rc::gen::arbitrary<std::string>()};
}

TEST_SUITE("storage/batch") {
  TEST_CASE("any list of changes is visited as it was given") {
    EXPECT(rc::check([] {
      std::vector<Op> ops;
      Batch batch;
      const int count = *rc::gen::inRange(0, 20);
      for (int i = 0; i < count; ++i) {
        Op op = DrawOp();
        if (op.deletes) {
          op.value.clear();
          batch.Delete(op.family, op.key);
        } else if (*rc::gen::arbitrary<bool>()) {
          batch.Put(op.family, op.key, op.value);
        } else {
          batch.BeginPut(op.family, op.key).append(op.value);
          batch.EndPut();
        }
        ops.push_back(op);
      }
      RC_ASSERT(batch.count() == ops.size());
      RC_ASSERT(batch.empty() == ops.empty());
      RC_ASSERT(OpsOf(batch) == ops);
    }));
  }

  TEST_CASE("a put in place may be empty, and may be the first change") {
    Batch batch;
    batch.BeginPut(Family::kHints, "k");
    batch.EndPut();
    EXPECT(OpsOf(batch) == std::vector<Op>{{Family::kHints, false, "k", ""}});
  }

  TEST_CASE("a cleared batch is empty and forgets a put that was never ended") {
    Batch batch;
    batch.BeginPut(Family::kData, "half").append("done");
    batch.Clear();
    EXPECT(batch.empty());
    EXPECT(batch.bytes() == 0);
    batch.Put(Family::kData, "k", "v");
    EXPECT(OpsOf(batch) == std::vector<Op>{{Family::kData, false, "k", "v"}});
  }
}

}  // namespace
}  // namespace starling::storage
