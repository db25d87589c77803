// benchmarks/micro/gossip_bench.cc: what a packet of gossip costs a node that knows 1,000 members,
// each kind that nodes send, with what real ones carry.
// The target is 2 µs a packet, decoding and the answer's encoding included.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/hash.h"
#include "benchmarks/micro/allocations.h"
#include "gossip/codec.h"
#include "gossip/envelope.h"
#include "gossip/gossip.h"

namespace starling::gossip {
namespace {

using micro::AllocationCount;
using micro::Allocations;

constexpr std::uint64_t kMembers = 1000;
constexpr base::Bytes kMetadata = "ninebytes";  // As many as a node's control actor sets.
constexpr base::Bytes kVitals = "12345";        // A load of up to 1 TiB.
constexpr std::int64_t kClaimsPerPacket = 6;
constexpr std::int64_t kClaimsPerFullPacket = 13;  // 1,200 bytes have room for no more.
constexpr char kCluster[] = "bench";
constexpr char kTarget[] = "target: 2 us";

base::HostId Host(std::uint64_t number) { return {1, number}; }
base::Address AddressOf(std::uint64_t number) {
  return {0x0a000000 + static_cast<std::uint32_t>(number), 7700};
}
Claim ClaimBy(std::uint64_t number, std::uint32_t incarnation) {
  return {.host = Host(number),
          .generation = 1,
          .incarnation = incarnation,
          .address = AddressOf(number),
          .metadata = kMetadata};
}
enum class Seal : std::int64_t { kNone, kSealed };
Keyring KeyringOf(Seal seal) { return seal == Seal::kSealed ? Keyring(KeyBytes{1}) : Keyring(); }

// What the members send.
class Mouth {
 public:
  explicit Mouth(Seal seal) : envelope_(kCluster, KeyringOf(seal), {Host(2), 1, 2}) {}

  std::string Say(std::uint64_t from, Body body, std::vector<Claim> claims = {},
                  std::vector<RumorItem> rumors = {}) {
    std::string bytes;
    envelope_.Begin(envelope_.way(), bytes);
    Encode({.header = {Host(from), 1, 0},
            .body = body,
            .claims = std::move(claims),
            .rumors = std::move(rumors)},
           bytes);
    envelope_.Close(envelope_.way(), bytes);
    return bytes;
  }
  // The nonce of the ping in a packet of node 1.
  std::uint64_t NonceIn(const std::string& packet) {
    Message ping;
    CHECK(Decode(envelope_.Open(packet).body, {}, ping).ok());
    return std::get<Ping>(ping.body).nonce;
  }
  // Of one that tells a rumor; nullopt: it does not.
  std::optional<std::uint64_t> SpreadNonceIn(const std::string& packet) {
    Message message;
    CHECK(Decode(envelope_.Open(packet).body, {}, message).ok());
    const auto* spread = std::get_if<Spread>(&message.body);
    if (spread == nullptr || message.rumors.empty()) return std::nullopt;
    return spread->nonce;
  }

 private:
  Envelope envelope_;
};

// Claims about the next few members, in turn.
std::vector<Claim> SomeClaims(std::uint64_t& next, std::uint32_t incarnation, std::size_t count) {
  std::vector<Claim> claims;
  for (std::size_t i = 0; i < count; ++i)
    claims.push_back(ClaimBy(2 + next++ % kMembers, incarnation));
  return claims;
}

// Node 1, which knows 2..1001, and has passed on all that it has to say. It speaks only when
// spoken to: all that it does by itself comes once a day.
struct Idle {
  explicit Idle(Seal seal)
      : mouth(seal),
        gossip({.probe_interval = std::chrono::hours(24),
                .guards = 0,
                .push_pull_interval = std::chrono::hours(24),
                .dead_contact_interval = std::chrono::hours(24)},
               {.host = Host(1),
                .generation = 1,
                .address = AddressOf(1),
                .cluster_name = kCluster,
                .keyring = KeyringOf(seal),
                .metadata = std::string(kMetadata)},
               1, base::Instant{}) {
    std::uint64_t next = 0;
    gossip.OnStreamRequest(now, mouth.Say(2, Push{}, SomeClaims(next, 0, kMembers)));
    while (gossip.next_tick() < base::Instant{std::chrono::hours(1)}) {
      now = gossip.next_tick();
      gossip.OnTick(now);
      gossip.outputs().Clear();
    }
    gossip.SetVitals(std::string(kVitals));
    for (const MemberInfo& member : gossip.members()) CHECK(member.liveness == Liveness::kAlive);
  }

  Mouth mouth;
  Gossip gossip;
  base::Instant now;
};

Seal SealOf(const benchmark::State& state) { return Seal{state.range(0)}; }

// A ping, and the ack that it is answered with; range(1) known claims ride on the ping.
void HandlePing(benchmark::State& state) {
  Idle idle(SealOf(state));
  std::vector<std::string> pings;
  std::uint64_t next = 0;
  for (std::uint64_t from = 2; from < 2 + kMembers; ++from)
    pings.push_back(idle.mouth.Say(from, Ping{from, Host(1)},
                                   SomeClaims(next, 0, static_cast<std::size_t>(state.range(1)))));
  std::uint64_t from = 2;
  const AllocationCount count;
  for (auto _ : state) {
    idle.gossip.OnDatagram(idle.now, AddressOf(from), pings[from - 2]);
    if (idle.gossip.outputs().datagrams.size() != 1) state.SkipWithError("a ping got no ack");
    idle.gossip.outputs().Clear();
    from = from == 1 + kMembers ? 2 : from + 1;
  }
  count.Report(state);
  state.SetLabel(kTarget);
}
BENCHMARK(HandlePing)
    ->ArgNames({"sealed", "claims"})
    ->ArgsProduct({{0, 1}, {0, kClaimsPerPacket, kClaimsPerFullPacket}});

// A packet of each member in turn, as `say(mouth, from)` makes it, which is answered by `answers`
// datagrams. What it costs does not depend on having come before.
template <typename Say>
void HandlePackets(benchmark::State& state, Say say, std::size_t answers) {
  Idle idle(SealOf(state));
  std::vector<std::string> packets;
  for (std::uint64_t from = 2; from < 2 + kMembers; ++from) packets.push_back(say(idle, from));
  idle.gossip.outputs().Clear();
  std::uint64_t from = 2;
  const auto handle = [&] {
    idle.gossip.OnDatagram(idle.now, AddressOf(from), packets[from - 2]);
    if (idle.gossip.outputs().datagrams.size() != answers)
      state.SkipWithError("a packet was not answered as it should be");
    idle.gossip.outputs().Clear();
    from = from == 1 + kMembers ? 2 : from + 1;
  };
  for (std::uint64_t turn = 0; turn < kMembers; ++turn)
    handle();  // The first are none like others.
  const AllocationCount count;
  for (auto _ : state) handle();
  count.Report(state);
  if (idle.gossip.counters().rejected > 0) state.SkipWithError("a packet was refused");
  state.SetLabel(kTarget);
}

// News that it passes on or has had: claims and a rumor fill the packet, the answer is feedback.
RumorItem SomeRumor() {
  const std::string payload(100, 'x');
  return {.key = "topology", .version = 7, .hash = base::Hash64(payload), .payload = payload};
}

void HandleSpread(benchmark::State& state) {
  std::uint64_t next = 0;
  HandlePackets(
      state,
      [&](Idle& idle, std::uint64_t from) {
        return idle.mouth.Say(from, Spread{from},
                              SomeClaims(next, 0, static_cast<std::size_t>(state.range(1))));
      },
      0);
}
BENCHMARK(HandleSpread)
    ->ArgNames({"sealed", "claims"})
    ->ArgsProduct({{0, 1}, {0, kClaimsPerPacket, kClaimsPerFullPacket}});

// Of a rumor that it knows, as all are but once.
void HandleSpreadOfKnownRumor(benchmark::State& state) {
  HandlePackets(
      state,
      [&](Idle& idle, std::uint64_t from) {
        return idle.mouth.Say(from, Spread{from}, {}, {SomeRumor()});
      },
      1);
}
BENCHMARK(HandleSpreadOfKnownRumor)->ArgName("sealed")->Arg(0)->Arg(1);

void HandleNack(benchmark::State& state) {
  HandlePackets(
      state, [](Idle& idle, std::uint64_t from) { return idle.mouth.Say(from, Nack{from}); }, 0);
}
BENCHMARK(HandleNack)->ArgName("sealed")->Arg(0)->Arg(1);

void HandleFarewell(benchmark::State& state) {
  HandlePackets(
      state, [](Idle& idle, std::uint64_t from) { return idle.mouth.Say(from, Farewell{from}); },
      1);
}
BENCHMARK(HandleFarewell)->ArgName("sealed")->Arg(0)->Arg(1);

std::int64_t CpuNanos() {
  timespec time{};
  CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// Acks to our own probes, 64 at a time, of which only the handling is timed. `claims()` are what
// rides on the next.
template <typename Claims>
void HandleAcks(benchmark::State& state, Claims claims) {
  constexpr std::uint64_t kAtOnce = 64;  // As many probes as may be under way.
  Idle idle(SealOf(state));
  std::uint64_t turn = 0;
  std::uint64_t allocations = 0;
  std::vector<std::pair<base::Address, std::string>> acks;
  while (state.KeepRunningBatch(kAtOnce)) {
    acks.clear();
    for (std::uint64_t i = 0; i < kAtOnce; ++i) {
      const std::uint64_t peer = 2 + turn++ % kMembers;
      idle.gossip.ReportConnectionLost(idle.now, Host(peer));  // Starts a probe.
      CHECK(idle.gossip.outputs().datagrams.size() == 1);
      const std::uint64_t nonce = idle.mouth.NonceIn(idle.gossip.outputs().datagrams[0].bytes);
      acks.emplace_back(AddressOf(peer), idle.mouth.Say(peer, Ack{nonce}, claims()));
      idle.gossip.outputs().Clear();
    }

    const std::uint64_t allocated = Allocations();
    const std::int64_t began = CpuNanos();
    for (const auto& [from, ack] : acks) {
      idle.gossip.OnDatagram(idle.now, from, ack);
      idle.gossip.outputs().Clear();
    }
    state.SetIterationTime(1e-9 * static_cast<double>(CpuNanos() - began));
    allocations += Allocations() - allocated;
  }
  idle.gossip.OnTick(idle.now + base::seconds(2));  // Unanswered probes would fail now.
  if (idle.gossip.counters().probes_failed > 0) state.SkipWithError("an ack was not taken");
  AllocationCount::Report(state, allocations);
  state.SetLabel(kTarget);
}

void HandleAck(benchmark::State& state) {
  std::uint64_t next = 0;
  HandleAcks(state, [&] { return SomeClaims(next, 0, static_cast<std::size_t>(state.range(1))); });
}
BENCHMARK(HandleAck)
    ->ArgNames({"sealed", "claims"})
    ->ArgsProduct({{0, 1}, {0, kClaimsPerPacket}})
    ->UseManualTime();

// Each claim is news: taken, told as an event where it changes something, and queued to be passed
// on.
void HandleAckWithNews(benchmark::State& state) {
  std::uint64_t next = 0;
  std::uint32_t incarnation = 0;
  HandleAcks(state, [&] { return SomeClaims(next, ++incarnation, kClaimsPerPacket); });
}
BENCHMARK(HandleAckWithNews)->ArgName("sealed")->Arg(0)->Arg(1)->UseManualTime();

// Packets that make this node ping another, some at a time, of which only the handling is timed (as
// one: to ask for the time takes a tenth of what a packet does): the answers that end what they
// began are not.
template <typename BodyFor>
void HandleAskings(benchmark::State& state, BodyFor body_for) {
  constexpr std::uint64_t kAtOnce = 16;  // Of outputs, as many as a turn of a loop may bring.
  Idle idle(SealOf(state));
  std::uint64_t turn = 0;
  std::uint64_t allocations = 0;
  std::vector<std::pair<base::Address, std::string>> askings, acks;
  while (state.KeepRunningBatch(kAtOnce)) {
    askings.clear();
    acks.clear();
    for (std::uint64_t i = 0; i < kAtOnce; ++i) {
      const std::uint64_t from = 2 + turn % kMembers, target = 2 + (turn + 500) % kMembers;
      ++turn;
      askings.emplace_back(AddressOf(from), idle.mouth.Say(from, body_for(turn, target)));
    }
    idle.gossip.outputs().Clear();
    const std::uint64_t before = Allocations();
    const std::int64_t began = CpuNanos();
    for (const auto& [from, asking] : askings) idle.gossip.OnDatagram(idle.now, from, asking);
    state.SetIterationTime(1e-9 * static_cast<double>(CpuNanos() - began));
    allocations += Allocations() - before;
    if (idle.gossip.outputs().datagrams.size() != kAtOnce)
      return state.SkipWithError("somebody was not pinged, or more than once");
    for (const Datagram& ping : idle.gossip.outputs().datagrams) {
      const std::uint64_t target = ping.to.ip - AddressOf(0).ip;
      acks.emplace_back(ping.to, idle.mouth.Say(target, Ack{idle.mouth.NonceIn(ping.bytes)}));
    }
    idle.gossip.outputs().Clear();
    for (const auto& [from, ack] : acks) {
      idle.gossip.OnDatagram(idle.now, from, ack);
      idle.gossip.outputs().Clear();
    }
  }
  AllocationCount::Report(state, allocations);
  state.SetLabel(kTarget);
}

void HandlePingRequest(benchmark::State& state) {
  HandleAskings(state, [](std::uint64_t nonce, std::uint64_t target) {
    return PingRequest{nonce, Host(target), AddressOf(target)};
  });
}
BENCHMARK(HandlePingRequest)->ArgName("sealed")->Arg(0)->Arg(1)->UseManualTime();

void HandleConfirm(benchmark::State& state) {
  HandleAskings(state, [](std::uint64_t, std::uint64_t target) { return Confirm{Host(target)}; });
}
BENCHMARK(HandleConfirm)->ArgName("sealed")->Arg(0)->Arg(1)->UseManualTime();

// Of those that this node told a rumor, and that had not known it: so it goes on telling it.
void HandleFeedback(benchmark::State& state) {
  Idle idle(SealOf(state));
  const RumorItem rumor = SomeRumor();
  idle.gossip.Publish(idle.now, rumor.key, rumor.version, *rumor.payload);
  std::uint64_t allocations = 0;
  std::vector<std::pair<base::Address, std::string>> told;
  while (state.KeepRunningBatch(GossipOptions{}.rumor_fanout)) {
    idle.now = std::max(idle.now, idle.gossip.next_tick());
    idle.gossip.outputs().Clear();
    idle.gossip.OnTick(idle.now);
    told.clear();
    for (const Datagram& datagram : idle.gossip.outputs().datagrams) {
      const std::uint64_t from = datagram.to.ip - AddressOf(0).ip;
      const std::optional<std::uint64_t> nonce = idle.mouth.SpreadNonceIn(datagram.bytes);
      if (nonce) told.emplace_back(datagram.to, idle.mouth.Say(from, Feedback{*nonce, 0}));
    }
    idle.gossip.outputs().Clear();
    const std::uint64_t allocated = Allocations();
    const std::int64_t began = CpuNanos();
    for (const auto& [from, feedback] : told) idle.gossip.OnDatagram(idle.now, from, feedback);
    const std::int64_t nanos = CpuNanos() - began;
    allocations += Allocations() - allocated;
    // Rounds in which it told its digest alone count for nothing.
    state.SetIterationTime(told.empty() ? 0 : 1e-9 * static_cast<double>(nanos));
  }
  AllocationCount::Report(state, allocations);
  state.SetLabel(kTarget);
}
BENCHMARK(HandleFeedback)->ArgName("sealed")->Arg(0)->Arg(1)->UseManualTime()->Iterations(20000);

}  // namespace
}  // namespace starling::gossip
