// Goal:   operators see the layout that they know, and an answer with news in it still shows.
// Method: answers as nodes give them, written out, against the text expected.
#include "tools/nodetool/render.h"

#include "tests/test.h"
#include "tools/nodetool/units.h"

namespace starling::nodetool {
namespace {

constexpr std::int64_t kNowMs = 1'764'000'010'000;

std::string Show(std::string_view command, std::string_view answer) {
  const auto text = Render(command, answer, kNowMs);
  REQUIRE(text.has_value());
  return *text;
}

TEST_SUITE("tools/nodetool/render") {
  TEST_CASE("status has Cassandra's layout, a block a datacenter") {
    const std::string text = Show("status", R"({"cluster":"c","epoch":3,"nodes":[
      {"address":"127.0.0.1","status":"U","state":"N","load_bytes":1268776,"tokens":16,"owns":1.0,
       "host_id":"0a-1","dc":"dc1","rack":"rack1"},
      {"address":"127.0.0.20","status":"D","state":"J","load_bytes":0,"tokens":16,"owns":0.667,
       "host_id":"0a-2","dc":"dc1","rack":"rack1"}]})");
    EXPECT(text ==
           "Datacenter: dc1\n"
           "===============\n"
           "Status=Up/Down\n"
           "|/ State=Normal/Leaving/Joining/Moving\n"
           "--  Address     Load      Tokens  Owns (effective)  Host ID  Rack\n"
           "UN  127.0.0.1   1.21 MiB  16      100.0%            0a-1     rack1\n"
           "DJ  127.0.0.20  0 bytes   16      66.7%             0a-2     rack1\n");
    EXPECT(Show("status", R"({"nodes":[{"dc":"a"},{"dc":"b"}]})").find("\n\nDatacenter: b") !=
           std::string::npos);
  }

  TEST_CASE("status names the nodes whose disks are full, below") {
    const std::string text = Show("status", R"({"nodes":[
      {"address":"127.0.0.1","dc":"a","disk_full":false},
      {"address":"127.0.0.2","dc":"a","disk_full":true}]})");
    EXPECT(text.ends_with("\n127.0.0.2 is read-only but for deletes: its disk is full\n"));
    EXPECT(text.find("127.0.0.1 is read-only") == std::string::npos);
  }

  TEST_CASE("snapshots are a table with a sum; what is wrong with one shows only if something is") {
    EXPECT(Show("listsnapshots", R"({"snapshots":[]})") == "This node has no snapshots\n");
    const std::string sound = Show("listsnapshots", R"({"snapshots":[
      {"name":"a","keyspaces":["default"],"bytes":4096,"own_bytes":1024,"problem":null},
      {"name":"b","keyspaces":["default"],"bytes":4096,"own_bytes":2048,"problem":null}]})");
    EXPECT(sound.find("Problem") == std::string::npos);
    EXPECT(sound.ends_with("Total room that nothing else uses: 3.00 KiB\n"));
    const std::string damaged = Show("listsnapshots", R"({"snapshots":[
      {"name":"a","bytes":4096,"own_bytes":1024,"problem":"it is no JSON"}]})");
    EXPECT(damaged.find("it is no JSON") != std::string::npos);
  }

  TEST_CASE("endpoints are addresses, a line each, for scripts") {
    EXPECT(
        Show("getendpoints", R"({"token":5,"bucket":0,"endpoints":["127.0.0.1","127.0.0.2"]})") ==
        "127.0.0.1\n127.0.0.2\n");
  }

  TEST_CASE("repairstatus is a table with times, ages and a sum") {
    const std::string text = Show("repairstatus", R"({"ranges":[
      {"keyspace":"default","range":"0-9","replicas":["127.0.0.1","127.0.0.2"],"equal":true,
       "last_equal_ms":1764000005000,"proved_through_ms":null,"blocked_by":[]},
      {"keyspace":"default","range":"10-19","replicas":["127.0.0.1"],"equal":false,
       "last_equal_ms":null,"proved_through_ms":null,"blocked_by":["127.0.0.3"]}]})");
    EXPECT(text.find("Keyspace  Range  Replicas") != std::string::npos);
    EXPECT(text.find("2025-11-24 16:00:05Z (5.0 s ago)") != std::string::npos);
    EXPECT(text.ends_with("1 of 2 ranges equal\n"));
  }

  TEST_CASE("repairstatus says what runs and how long that takes, and nothing where nothing runs") {
    const std::string runs =
        Show("repairstatus",
             R"({"ranges":[{"range":"0-9","equal":false}],)"
             R"("repair":{"slices_to_pull":8,"slices_pulled":2,"pulling_ms":900,"left_ms":2700},)"
             R"("trees":{"slices_to_make":256,"slices_made":0,"making_ms":90,"left_ms":null},)"
             R"("oldest_proof_ms":null})");
    EXPECT(runs.find("0 of 1 ranges equal\n"
                     "pulling: 2 of 8 slices done, about 2.7 s left\n"
                     "making trees anew: 0 of 256 slices done\n") != std::string::npos);
    const std::string rests = Show("repairstatus", R"({"ranges":[{"range":"0-9","equal":true}],)"
                                                   R"("repair":null,"trees":null})");
    EXPECT(rests.ends_with("1 of 1 ranges equal\n"));
  }

  TEST_CASE("scrubstatus shows what is not known as a dash") {
    const std::string text =
        Show("scrubstatus",
             R"({"reading":true,"tables":7,"tables_read":3,"size_bytes":4096,"read_bytes":1024,)"
             R"("left_ms":2500,"passes":0,"last_end_ms":null,"next_in_ms":null,"damaged_tables":1,)"
             R"("damage":"table 12: checksum mismatch","healing":"waits: it is alone"})");
    for (const char* shown : {"2.5 s", "table 12: checksum mismatch", "waits: it is alone"})
      EXPECT(text.find(shown) != std::string::npos);
    EXPECT(text.find("null") == std::string::npos);
  }

  TEST_CASE("a dry run is no word of anything done") {
    const std::string flush = Show("flush", R"({"dry_run":true,"in_memory_bytes":4096,"families":[
             {"family":"data","changes":7,"in_memory_bytes":4096}]})");
    EXPECT(flush.find("done") == std::string::npos);
    EXPECT(flush.find("In memory : 4.00 KiB") != std::string::npos);
    EXPECT(flush.find("data    7        4.00 KiB") != std::string::npos);
    const std::string differs = Show("repair", R"({"dry_run":true,"differing":[
        {"peer":"10.0.0.2","range":"0000-0fff","buckets_differ":3}],"equal":false})");
    EXPECT(differs.find("0000-0fff") != std::string::npos);
    EXPECT(differs.find("nothing was moved") != std::string::npos);
    EXPECT(Show("repair", R"({"dry_run":true,"differing":[],"equal":true})")
               .ends_with("all ranges that were compared are equal\n"));
  }

  TEST_CASE("a repair that left out a peer fell short, and one that compared all did not") {
    EXPECT(FellShort("repair", R"({"compared":1,"peers":2,"reason":"10.0.0.3: it is down"})") ==
           "compared with 1 of 2 peers: 10.0.0.3: it is down");
    EXPECT(FellShort("repair", R"({"compared":2,"peers":2,"equal":false})").empty());
    EXPECT(FellShort("repair", R"({"compared":2})").empty());  // A node from before peers.
    EXPECT(FellShort("repair", "[]").empty());
    EXPECT(FellShort("status", R"({"compared":1,"peers":2})").empty());
  }

  TEST_CASE("why has the same columns whoever answers first, and none that is empty") {
    EXPECT(
        Show("why", R"({"key":"k","replicas":[
      {"address":"a","error":"it is down","wins":false},
      {"address":"b","version":"v1","wall_ms":1764000005000,"origin":"hint","tombstone":false,
       "wins":false},
      {"address":"c","version":"v2","wall_ms":1764000005000,"origin":"direct","tombstone":false,
       "wins":true}]})") ==
        "Address  Version  Wall                              Origin  Tombstone  Error       Wins\n"
        "a        -        -                                 -       -          it is down  no\n"
        "b        v1       2025-11-24 16:00:05Z (5.0 s ago)  hint    no         -           no\n"
        "c        v2       2025-11-24 16:00:05Z (5.0 s ago)  direct  no         -           yes\n"
        "\nKey : k\n");
    const std::string equal = Show("why", R"({"replicas":[
      {"address":"a","version":"v1","wins":true},{"address":"b","version":"v1","wins":true}]})");
    EXPECT(equal ==
           "Address  Version\n"
           "a        v1\n"
           "b        v1\n"
           "all replicas hold this version\n");
  }

  TEST_CASE("the ring is in the order of its tokens") {
    EXPECT(Show("ring", R"({"nodes":[{"address":"a","tokens":[9,100]},{"address":"b",
                            "tokens":[20]}]})") ==
           "Address  Token\n"
           "a                           9\n"
           "b                          20\n"
           "a                         100\n");
  }

  TEST_CASE("failuredetector shows its own health, then a line a member") {
    EXPECT(Show("failuredetector", R"({"health_score":1,"ack_timeout_ms":600,"members":[
      {"address":"a","liveness":"suspect","liveness_age_ms":400,"stream_only":true,
       "round_trip":{"answered_age_ms":3000,"late_answers":2,"samples":5,"last_us":310,
                     "mean_us":1250,"p99_us":2000000},
       "accusers":[{"address":"b","age_ms":400},{"address":"c","age_ms":100}],
       "verdict_in_ms":3600},
      {"address":"b","liveness":"alive","liveness_age_ms":9000,"stream_only":false,
       "round_trip":null,"accusers":[],"verdict_in_ms":null}]})") ==
           "Health score : 1\n"
           "Ack timeout  : 600 ms\n"
           "\n"
           "Address  State    Since   Answers by   Last     Mean     p99    Late  "
           "Accusers                        Dead in\n"
           "a        suspect  400 ms  stream only  0.31 ms  1.25 ms  2.0 s  2     "
           "b (400 ms ago), c (100 ms ago)  3.6 s\n"
           "b        alive    9.0 s   datagrams    -        -        -      -     "
           "-                               -\n");
  }

  TEST_CASE("fields that nobody knows are shown by their names") {
    EXPECT(Show("info", R"({"host_id":"h","load_bytes":2048,"news":{"of_tomorrow":true},
                            "list":[1,2]})") ==
           "Host id : h\n"
           "Load    : 2.00 KiB\n"
           "\n"
           "News\n"
           "Of tomorrow : yes\n"
           "List    : 1, 2\n");
    EXPECT(Show("flush", R"({"done":true,"tables":3})") == "done\n\nTables : 3\n");
    EXPECT(Show("a command of tomorrow", R"([{"a":1},{"b":null}])") == "A  B\n1\n   -\n");
    EXPECT(Show("version", R"({"version":"0.1.0"})") == "ReleaseVersion: 0.1.0\n");
  }

  TEST_CASE("answers of another shape than expected show too") {
    for (const std::string command :
         {"status", "ring", "gossipinfo", "failuredetector", "getendpoints", "repair",
          "repairstatus", "scrub", "scrubstatus", "listpendinghints", "flush", "version", "why"})
      for (const std::string answer :
           {"{}", "[]", "7", "null", "\"text\"", "{\"x\":[]}",
            "{\"nodes\":[7],\"members\":[7],\"ranges\":[7],\"targets\":7,\"endpoints\":{\"a\":1}}",
            "{\"nodes\":\"x\",\"members\":3,\"ranges\":{},\"equal\":\"maybe\",\"done\":[]}"})
        EXPECT(Render(command, answer, kNowMs).has_value());
  }

  TEST_CASE("what is no JSON is Corruption") {
    EXPECT(Render("status", "{", kNowMs).error().code() == base::Code::kCorruption);
  }

  TEST_CASE("no hints are said in Cassandra's words") {
    EXPECT(Show("listpendinghints", R"({"targets":[]})") ==
           "This node does not have any pending hints\n");
  }

  TEST_CASE("sizes and durations take the unit that suits them") {
    EXPECT(ShowSize(1023) == "1023 bytes");
    EXPECT(ShowSize(1024) == "1.00 KiB");
    EXPECT(ShowSize(5.5 * 1024 * 1024 * 1024) == "5.50 GiB");
    EXPECT(ShowDuration(999) == "999 ms");
    EXPECT(ShowDuration(12'340) == "12.3 s");
    EXPECT(ShowDuration(600'000) == "10 min");
    EXPECT(ShowTime(kNowMs + 2000, kNowMs).ends_with("(in 2.0 s)"));
  }
}

}  // namespace
}  // namespace starling::nodetool
