// Goal:   with a key, what is not sealed with it changes nothing, is counted, and told of seldom.
// Method: one core by hand; clusters of real cores whose keys change one node at a time, with loss.
#include "tests/gossip/gossip_net.h"
#include "tests/gossip/hand.h"
#include "tests/test.h"

namespace starling::gossip {
namespace {

KeyBytes Key(unsigned char first) { return KeyBytes{first}; }
KeyId IdOf(unsigned char first) { return Fingerprint(Key(first)); }

std::uint64_t Count(const Cluster& cluster, std::uint64_t Counters::*counter) {
  std::uint64_t sum = 0;
  for (NodeIndex node = 0; node < cluster.net.size(); ++node) {
    if (cluster.net.running(node)) sum += cluster.net.core(node).counters().*counter;
  }
  return sum;
}

// Changes the keyring of every running node, one a second.
template <typename Change>
void OnEach(Cluster& cluster, std::vector<Keyring>& keyrings, Change change) {
  for (NodeIndex node = 0; node < cluster.net.size(); ++node) {
    REQUIRE(change(keyrings[node]).ok());
    if (cluster.net.running(node))
      cluster.net.With(node, [&](Gossip& core, base::Instant) { core.SetKeyring(keyrings[node]); });
    cluster.net.RunFor(base::seconds(1));
  }
}

TEST_SUITE("gossip/seal") {
  TEST_CASE("F20: with a key, plain and broken packets change nothing, and are counted") {
    Hand hand({}, 7, KeyringOf(1));
    hand.Hear(At(0), 2, Spread{1}, {ClaimBy(2)});
    REQUIRE(hand.core->Find(Host(2)));
    const std::string plain = Say(3, Spread{1}, {ClaimBy(3)});
    std::string broken = Say(3, Spread{1}, {ClaimBy(3)}, {}, kCluster, KeyringOf(1));
    broken.back() = static_cast<char>(broken.back() ^ 1);
    const std::string foreign = Say(3, Spread{1}, {ClaimBy(3)}, {}, kCluster, KeyringOf(2));
    hand.Forget();
    for (const std::string& packet : {plain, broken, foreign}) {
      hand.Do([&](Gossip& core) { core.OnDatagram(At(1), AddressOf(3), packet); });
      EXPECT(hand.Do([&](Gossip& core) { return core.OnStreamRequest(At(1), packet); }) == "");
      hand.Do([&](Gossip& core) { core.OnStreamReply(At(1), packet); });
    }
    EXPECT(!hand.core->Find(Host(3)));
    EXPECT(hand.datagrams.empty());
    EXPECT(hand.core->counters().unsealed == 3);
    EXPECT(hand.core->counters().unopened == 6);
    EXPECT(hand.core->counters().rejected == 0);  // Nothing of them was parsed.
  }

  TEST_CASE(
      "F20: packets that are not opened are told of at most once in 10 s, with their reason") {
    Hand hand({}, 7, KeyringOf(1));
    const std::string foreign = Say(3, Spread{1}, {}, {}, kCluster, KeyringOf(2));
    for (const std::int64_t ms : {0, 1, 9999})
      hand.Do([&](Gossip& core) { core.OnDatagram(At(ms), AddressOf(3), foreign); });
    hand.Do([](Gossip& core) { core.OnDatagram(At(10000), AddressOf(3), Say(3, Spread{1})); });
    REQUIRE(hand.EventKinds() == std::vector{Event::kUnopened, Event::kUnopened});
    EXPECT(hand.events[0].reason == "a packet from 10.0.0.3:7700 is sealed with key " +
                                        PrintKeyId(IdOf(2)) + ", which is not installed here");
    EXPECT(hand.events[1].reason == "a packet from 10.0.0.3:7700 is not sealed");
  }

  TEST_CASE("who sends what is not opened over a stream is named by its host") {
    Hand hand({}, 7, KeyringOf(1));
    const std::string plain = Say(3, Spread{1});
    hand.Do([&](Gossip& core) { return core.OnStreamRequest(At(0), plain, {0x0a000003, 51234}); });
    hand.Do([&](Gossip& core) { core.OnStreamReply(At(10000), plain, AddressOf(4)); });
    REQUIRE(hand.events.size() == 2);
    EXPECT(hand.events[0].reason == "a packet from a stream of 10.0.0.3 is not sealed");
    EXPECT(hand.events[0].member.address == base::Address{0x0a000003, 51234});
    EXPECT(hand.events[1].reason == "a packet from a stream of 10.0.0.4 is not sealed");
  }

  TEST_CASE("an answer goes the way of its question, plain or sealed, by datagram and by stream") {
    Keyring both;
    REQUIRE(both.Add(Key(1)).ok());
    Hand hand({}, 7, both);
    for (const Keyring& asker : {Keyring(), KeyringOf(1)}) {
      const char version = asker.primary() ? '\2' : '\1';
      const std::string ping = Say(2, Ping{1, Host(1)}, {}, {}, kCluster, asker);
      hand.core->OnDatagram(At(1), AddressOf(2), ping);
      REQUIRE(hand.core->outputs().datagrams.size() == 1);
      EXPECT(hand.core->outputs().datagrams[0].bytes[0] == version);
      EXPECT(hand.core->outputs().datagrams[0].bytes.size() <= ping.size());
      hand.core->outputs().Clear();
      EXPECT(hand.core->OnStreamRequest(At(1), ping)[0] == version);
    }
  }

  TEST_CASE("F11: no sealed datagram is over 1,200 bytes, and nothing of a cluster is plain") {
    Cluster cluster(24, {.gossip = {}, .seed = 4, .loss = 0.05, .keyring = KeyringOf(1)});
    bool plain = false;
    cluster.net.on_delivery = [&](base::Instant, NodeIndex, NodeIndex, const std::string& bytes) {
      plain = plain || bytes[0] != '\2';
    };
    REQUIRE(cluster.AgreesWithin(base::seconds(10)));
    for (std::uint64_t key = 0; key < 20; ++key) {
      cluster.net.With(static_cast<NodeIndex>(key), [&](Gossip& core, base::Instant now) {
        core.Publish(now, "key" + std::to_string(key), 1, std::string(500, 'v'));
      });
    }
    cluster.net.RunFor(base::seconds(10));
    EXPECT(!plain);
    EXPECT(cluster.net.largest_datagram() > 1000);
    EXPECT(cluster.net.largest_datagram() <= 1200);
    EXPECT(Count(cluster, &Counters::unopened) == 0);
  }

  TEST_CASE("F19: a key is changed node by node at 5 % loss, and nobody is suspected") {
    Cluster cluster(32, {.gossip = {}, .seed = 5, .loss = 0.05, .keyring = KeyringOf(1)});
    REQUIRE(cluster.AgreesWithin(base::seconds(10)));
    cluster.net.RunFor(base::seconds(10));
    const std::uint64_t before = Count(cluster, &Counters::suspicions);
    std::vector<Keyring> keyrings(32, KeyringOf(1));
    OnEach(cluster, keyrings, [](Keyring& keyring) { return keyring.Add(Key(2)); });
    OnEach(cluster, keyrings, [](Keyring& keyring) { return keyring.Use(IdOf(2)); });
    OnEach(cluster, keyrings, [](Keyring& keyring) { return keyring.Remove(IdOf(1)); });
    cluster.net.RunFor(base::seconds(10));
    EXPECT(Count(cluster, &Counters::suspicions) == before);
    EXPECT(Count(cluster, &Counters::unopened) == 0);
    EXPECT(cluster.net.AllAgree());
  }

  // What the order add, use, remove is for.
  TEST_CASE("F19: a key that is used before all have it cuts its node off") {
    Cluster cluster(5, {.gossip = {}, .seed = 6, .keyring = KeyringOf(1)});
    REQUIRE(cluster.AgreesWithin(base::seconds(10)));
    cluster.net.With(3, [](Gossip& core, base::Instant) { core.SetKeyring(KeyringOf(2)); });
    EXPECT(cluster.net.RunUntil(base::seconds(15),
                                [&] { return cluster.AllSee(3, Liveness::kDead); }));
    EXPECT(Count(cluster, &Counters::unopened) > 0);
  }

  TEST_CASE("F19: a plain cluster comes to require seals node by node, and nobody is suspected") {
    Cluster cluster(16, {.gossip = {}, .seed = 7, .loss = 0.05});
    REQUIRE(cluster.AgreesWithin(base::seconds(10)));
    cluster.net.RunFor(base::seconds(10));
    const std::uint64_t before = Count(cluster, &Counters::suspicions);
    std::vector<Keyring> keyrings(16);
    OnEach(cluster, keyrings, [](Keyring& keyring) { return keyring.Add(Key(1)); });
    OnEach(cluster, keyrings, [](Keyring& keyring) { return keyring.Use(IdOf(1)); });
    OnEach(cluster, keyrings, [](Keyring& keyring) { return keyring.Require(); });
    cluster.net.RunFor(base::seconds(10));
    EXPECT(Count(cluster, &Counters::suspicions) == before);
    EXPECT(Count(cluster, &Counters::unsealed) == 0);
    EXPECT(Count(cluster, &Counters::unopened) == 0);
    EXPECT(cluster.net.AllAgree());
  }

  TEST_CASE("F17: two clusters of one key and other names do not merge") {
    Cluster cluster(4, {.gossip = {}, .seed = 8, .keyring = KeyringOf(1)});
    REQUIRE(cluster.AgreesWithin(base::seconds(10)));
    const std::string packet = Say(77, Spread{1}, {ClaimBy(77)}, {}, "another", KeyringOf(1));
    cluster.net.Inject(0, AddressOf(77), packet);
    std::string forged = packet;  // Under our tag.
    base::StoreLittle(forged.data() + 1, ClusterTag(NetworkOptions{}.cluster_name));
    cluster.net.Inject(0, AddressOf(77), forged);
    EXPECT(!cluster.net.core(0).Find(Host(77)));
    EXPECT(cluster.net.core(0).counters().other_cluster == 1);
    EXPECT(cluster.net.core(0).counters().unopened == 1);
  }
}

}  // namespace
}  // namespace starling::gossip
