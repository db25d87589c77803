// Goal:   the newest header of each key is found from when it is noted until its commit is
//         forgotten, and every key of a commit is told once when it is.
// Method: random histories of commits over few keys, whose tokens share low bits so that they push
//         each other on in the table, against a list of what each commit wrote; sizes around its
//         growth.
#include "server/uncommitted.h"

#include <rapidcheck.h>

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/test.h"

namespace starling::server {
namespace {

std::string KeyOf(base::KeyspaceId keyspace, base::Token token) {
  std::string key;
  storage::EncodeDataKeyTo({keyspace, token, "key"}, key);
  return key;
}

storage::EntryHeader HeaderOf(std::uint64_t number) {
  storage::EntryHeader header;
  header.version.timestamp = number;
  return header;
}

// What a commit wrote, the newest of each key.
using Written = std::map<std::string, std::uint64_t>;

struct Model {
  std::uint64_t first_commit = 1;
  std::deque<Written> commits = {{}};

  std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> Newest() const {
    std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> newest;
    for (std::size_t i = 0; i < commits.size(); ++i)
      for (const auto& [key, number] : commits[i]) newest[key] = {number, first_commit + i};
    return newest;
  }
};

void Write(Uncommitted& uncommitted, Model& model, const std::string& key, std::uint64_t number) {
  const std::uint64_t commit = model.first_commit + model.commits.size() - 1;
  const auto [written, fresh] = model.commits.back().try_emplace(key);
  written->second = number;
  const Uncommitted::Record* newest = uncommitted.Find(key);
  RC_ASSERT(fresh == (newest == nullptr || newest->commit != commit));
  if (fresh)
    uncommitted.Note({written->first, HeaderOf(number), commit});
  else
    uncommitted.NoteAgain(*newest, HeaderOf(number));
}

void ForgetOldest(Uncommitted& uncommitted, Model& model) {
  std::vector<std::string> told;
  uncommitted.Forget(model.first_commit, [&](base::Bytes key) { told.emplace_back(key); });
  std::sort(told.begin(), told.end());
  std::vector<std::string> expected;
  for (const auto& [key, number] : model.commits.front()) expected.push_back(key);
  RC_ASSERT(told == expected);
  model.commits.pop_front();
  ++model.first_commit;
  if (model.commits.empty()) model.commits.emplace_back();
}

void Compare(const Uncommitted& uncommitted, const Model& model,
             const std::vector<std::string>& keys) {
  const auto newest = model.Newest();
  std::size_t seen = 0;
  uncommitted.ForEach([&](const Uncommitted::Record& record) {
    ++seen;
    RC_ASSERT(newest.at(std::string(record.stored_key)) ==
              std::pair(record.header.version.timestamp, record.commit));
  });
  RC_ASSERT(seen == newest.size());
  for (const std::string& key : keys) {
    const Uncommitted::Record* found = uncommitted.Find(key);
    RC_ASSERT((found != nullptr) == newest.contains(key));
    if (found != nullptr) RC_ASSERT(found->header.version.timestamp == newest.at(key).first);
  }
}

TEST_SUITE("server/uncommitted") {
  TEST_CASE("law: the newest of each key is found until its commit is forgotten") {
    EXPECT(rc::check([](std::uint64_t seed) {
      base::Random random(seed);
      // Few low bits: most keys want the same places of the table.
      const std::uint64_t low_bits = random.Below(2) == 0 ? 0x3 : 0xffffff;
      std::vector<std::string> keys;
      for (base::Token token = 0; token < 200; ++token)
        keys.push_back(KeyOf(1 + static_cast<base::KeyspaceId>(random.Below(2)),
                             token << 32 | (random.Next() & low_bits)));
      Uncommitted uncommitted;
      Model model;
      for (std::uint64_t number = 1; number <= 600; ++number) {
        Write(uncommitted, model, keys[random.Below(keys.size())], number);
        if (random.Chance(0.1)) model.commits.emplace_back();
        if (random.Chance(0.09)) ForgetOldest(uncommitted, model);
        if (number % 50 == 0) Compare(uncommitted, model, keys);
      }
      while (!uncommitted.empty()) ForgetOldest(uncommitted, model);
      Compare(uncommitted, {}, keys);
    }));
  }

  TEST_CASE("it grows while its ring goes on, and gives back what a peak took") {
    Uncommitted uncommitted;
    std::deque<std::string> keys;
    std::uint64_t commit = 0;
    const auto write = [&](std::size_t count) {
      ++commit;
      for (std::size_t i = 0; i < count; ++i) {
        keys.push_back(KeyOf(1, keys.size() * 7919));
        uncommitted.Note({keys.back(), HeaderOf(keys.size()), commit});
      }
    };
    const auto ignore = [](base::Bytes) {};
    write(200);
    write(50);
    uncommitted.Forget(1, ignore);  // The ring begins in its middle,
    write(190);                     // goes over its end,
    write(40'000);                  // and grows.
    EXPECT(uncommitted.size() == 50 + 190 + 40'000);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const Uncommitted::Record* found = uncommitted.Find(keys[i]);
      EXPECT((found != nullptr) == (i >= 200));
      if (found != nullptr) EXPECT(found->header.version.timestamp == i + 1);
    }
    uncommitted.Forget(commit, ignore);
    EXPECT(uncommitted.empty());
    EXPECT(uncommitted.Find(keys.back()) == nullptr);
    write(1);
    EXPECT(uncommitted.Find(keys.back()) != nullptr);
    EXPECT(uncommitted.Find(keys.front()) == nullptr);
  }
}

}  // namespace
}  // namespace starling::server
