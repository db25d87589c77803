// benchmarks/micro/gossip_bench.cc: what a packet of gossip costs a node that knows 1,000 members.
// The target is 2 µs a packet, decoding and the answer's encoding included.
#include <benchmark/benchmark.h>

#include <chrono>
#include <ctime>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
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
constexpr std::int64_t kClaimsPerPacket = 6;
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

  std::string Say(std::uint64_t from, Body body, std::vector<Claim> claims = {}) {
    std::string bytes;
    envelope_.Begin(envelope_.way(), bytes);
    Encode({.header = {Host(from), 1, 0}, .body = body, .claims = std::move(claims)}, bytes);
    envelope_.Close(envelope_.way(), bytes);
    return bytes;
  }
  // The nonce of the ping in a packet of node 1.
  std::uint64_t NonceIn(const std::string& packet) {
    Message ping;
    CHECK(Decode(envelope_.Open(packet).body, {}, ping).ok());
    return std::get<Ping>(ping.body).nonce;
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
    gossip.OnDatagram(now, AddressOf(2), mouth.Say(2, Spread{1}, SomeClaims(next, 0, kMembers)));
    while (gossip.next_tick() < base::Instant{std::chrono::hours(1)}) {
      now = gossip.next_tick();
      gossip.OnTick(now);
      gossip.outputs().Clear();
    }
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
BENCHMARK(HandlePing)->ArgNames({"sealed", "claims"})->ArgsProduct({{0, 1}, {0, kClaimsPerPacket}});

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

}  // namespace
}  // namespace starling::gossip
