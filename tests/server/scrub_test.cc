// Goal:   every table is read once a pass, at no more than the rate; damage is kept; who met damage
//         has all tables read at once.
// Method: drive the core by hand.
#include "server/scrub.h"

#include "tests/test.h"

namespace starling::server {
namespace {

base::Instant At(double seconds) {
  return base::Instant{} + base::milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

constexpr std::uint64_t kMiB = 1 << 20;

Scrub Begun() {
  Scrub scrub({.interval = base::seconds(100), .bytes_per_second = kMiB}, At(0));
  scrub.Begin(At(0), 0, {{"a", 2 * kMiB}, {"b", kMiB}, {"c", kMiB}});
  return scrub;
}

TEST_SUITE("server/scrub") {
  TEST_CASE("passes follow each other after the interval; the first soon after the start") {
    Scrub scrub({.interval = base::seconds(5000), .bytes_per_second = 0}, At(0));
    EXPECT(!scrub.Due(At(599)));
    EXPECT(scrub.Due(At(600)));
    scrub.Begin(At(600), 0, {{"a", 1}});
    EXPECT(!scrub.Due(At(6000)));  // It runs.
    scrub.OnRead(At(700), 7, base::Ok());
    EXPECT(scrub.progress().passes == 1);
    EXPECT(scrub.progress().last_end_ms == 7);
    EXPECT(!scrub.Due(At(5699)));
    EXPECT(scrub.Due(At(5700)));
  }

  TEST_CASE("a pass without tables is over at once; without an interval none begins") {
    Scrub scrub({.interval = base::seconds(1), .bytes_per_second = 0}, At(0));
    scrub.Begin(At(1), 3, {});
    EXPECT(!scrub.running());
    EXPECT(scrub.progress().last_end_ms == 3);
    EXPECT(!scrub.Due(At(1.5)));
    EXPECT(scrub.Next(At(1)) == nullptr);
    EXPECT(!Scrub({}, At(0)).Due(At(1e6)));
  }

  TEST_CASE("no more than the rate is read, on the average") {
    Scrub scrub = Begun();
    REQUIRE(scrub.Next(At(1)) != nullptr);
    EXPECT(scrub.Next(At(1))->name == "a");
    scrub.OnRead(At(1), 0, base::Ok());
    EXPECT(scrub.Next(At(2)) == nullptr);
    REQUIRE(scrub.Next(At(3)) != nullptr);
    EXPECT(scrub.Next(At(3))->name == "b");
    EXPECT(scrub.progress().bytes_read == 2 * kMiB);
    EXPECT(scrub.progress().bytes == 4 * kMiB);
  }

  TEST_CASE("the first damage is kept, and the pass goes on") {
    Scrub scrub = Begun();
    scrub.OnRead(At(1), 0, base::Corruption("a is damaged"));
    scrub.OnRead(At(4), 0, base::Corruption("b is damaged"));
    scrub.OnRead(At(5), 0, base::Io("too many open files"));
    EXPECT(scrub.damage() == "a is damaged");
    EXPECT(scrub.damaged_table() == "a");
    EXPECT(scrub.progress().damaged == 2);
    EXPECT(scrub.progress().passes == 1);
  }

  TEST_CASE("each damaged table is told of once, whatever passes find it, and the rest counted") {
    std::vector<storage::Table> tables;
    for (std::size_t i = 0; i < Scrub::kDamagesMax + 3; ++i)
      tables.push_back({"table" + std::to_string(i), 1});
    Scrub scrub({}, At(0));
    for (int pass = 0; pass < 2; ++pass) {
      scrub.Begin(At(pass), 0, tables);
      for (const storage::Table& table : tables)
        scrub.OnRead(At(pass), 0, base::Corruption(table.name + " is damaged"));
    }
    REQUIRE(scrub.damages().size() == Scrub::kDamagesMax);
    EXPECT(scrub.damages()[0].what == "table0 is damaged");
    EXPECT(scrub.damages()[15].table == "table15");
    EXPECT(scrub.damages_untold() == 3);
    EXPECT(scrub.damaged_table() == "table0");
  }

  TEST_CASE("what could not be looked at, or was replaced, does not count as read") {
    Scrub scrub = Begun();
    scrub.OnRead(At(1), 0, base::Io("too many open files"));
    EXPECT(scrub.progress().tables_read == 0);
    EXPECT(scrub.progress().tables_unread == 1);
    EXPECT(scrub.progress().why_unread == "too many open files");
    EXPECT(scrub.progress().bytes_read == 0);
    EXPECT(scrub.progress().bytes_left == 2 * kMiB);
    REQUIRE(scrub.Next(At(1)) != nullptr);  // It took nothing of the rate either.
    scrub.OnRead(At(1), 0, base::NotFound("b was replaced"));
    EXPECT(scrub.progress().tables_replaced == 1);
    scrub.OnRead(At(1), 0, base::Ok());
    EXPECT(scrub.progress().tables_read == 1);
    EXPECT(scrub.progress().bytes_read == kMiB);
    EXPECT(scrub.progress().bytes_left == 0);
    EXPECT(scrub.damage().empty());
    scrub.Begin(At(9), 0, {{"a", 1}});
    EXPECT(scrub.progress().tables_unread == 0);
    EXPECT(scrub.progress().why_unread.empty());
  }

  TEST_CASE("who met damage has all tables read from the beginning, without a limit, once") {
    Scrub scrub = Begun();
    scrub.OnRead(At(1), 0, base::Ok());
    EXPECT(scrub.Hurry(At(1)));
    REQUIRE(scrub.Due(At(1)));
    scrub.Begin(At(1), 0, {{"a", 2 * kMiB}, {"b", kMiB}});
    scrub.OnRead(At(1), 0, base::Ok());
    EXPECT(!scrub.Hurry(At(1)));
    REQUIRE(scrub.Next(At(1)) != nullptr);
    EXPECT(scrub.Next(At(1))->name == "b");
    scrub.OnRead(At(2), 0, base::Ok());
    EXPECT(!scrub.Hurry(At(3)));
    EXPECT(!scrub.Due(At(3)));
    EXPECT(scrub.Hurry(At(63)));
    EXPECT(scrub.Due(At(63)));
  }

  TEST_CASE("an error that no table has takes a tenth of the disk at most") {
    Scrub scrub({}, At(0));
    EXPECT(scrub.Hurry(At(0)));
    scrub.Begin(At(0), 0, {{"a", 1}});
    scrub.OnRead(At(100), 0, base::Ok());
    EXPECT(!scrub.Hurry(At(1099)));
    EXPECT(!scrub.Due(At(1099)));
    EXPECT(scrub.Hurry(At(1100)));
    EXPECT(scrub.Due(At(1100)));
  }

  TEST_CASE("an operator has a pass begin at once and at the rate, unless one runs") {
    Scrub scrub({.interval = {}, .bytes_per_second = kMiB}, At(0));
    EXPECT(scrub.next_pass() == base::Instant::Never());
    EXPECT(scrub.Ask(At(5)));
    EXPECT(!scrub.Ask(At(5)));
    REQUIRE(scrub.Due(At(5)));
    scrub.Begin(At(5), 0, {{"a", 4 * kMiB}, {"b", kMiB}});
    EXPECT(!scrub.Ask(At(5)));
    scrub.OnRead(At(5), 0, base::Ok());
    EXPECT(scrub.Next(At(6)) == nullptr);
    REQUIRE(scrub.Next(At(9)) != nullptr);
    scrub.OnRead(At(9), 0, base::Ok());
    EXPECT(scrub.Ask(At(9)));
  }

  TEST_CASE("a node begins again once for a table in vain, and for three tables a day at most") {
    constexpr std::int64_t kNow = 1'764'000'000'000, kDay = 86'400'000;
    EXPECT(WhyNotAgain({}, "a", kNow).empty());
    EXPECT(WhyNotAgain({{"a", kNow}}, "b", kNow).empty());
    EXPECT(!WhyNotAgain({{"a", kNow}}, "a", kNow).empty());
    // What is found moves with each compaction to a table of another name.
    EXPECT(WhyNotAgain({{"a", kNow}, {"b", kNow}}, "c", kNow).empty());
    const HealedInVain three = {{"a", kNow - kDay + 1}, {"b", kNow}, {"c", kNow}};
    EXPECT(WhyNotAgain(three, "d", kNow).find("3 tables") != std::string::npos);
    EXPECT(WhyNotAgain(three, "d", kNow + 1).empty());
    EXPECT(!WhyNotAgain(three, "a", kNow + 2 * kDay).empty());
  }

  TEST_CASE("what lives before found is counted along, and is no damage of this one") {
    Scrub scrub({.damaged_before = 2}, At(0));
    scrub.Begin(At(0), 0, {{"a", 1}});
    scrub.OnRead(At(0), 0, base::Corruption("a is damaged"));
    EXPECT(scrub.progress().damaged == 3);
    EXPECT(Scrub({.damaged_before = 2}, At(0)).damage().empty());
  }
}

}  // namespace
}  // namespace starling::server
