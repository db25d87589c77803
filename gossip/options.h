// gossip/options.h: every knob of gossip, what it does, and what raising or lowering it costs.
//
// The formulas that the comments name are in docs/gossip.md with measured figures.
//
// Thread: a value, constant after start.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/status.h"
#include "base/time.h"
#include "gossip/features.h"

namespace starling::gossip {

struct GossipOptions {
  Mode mode = Mode::kStarling;
  constexpr Features features() const { return FeaturesOf(mode); }

  // One member is probed each interval, in round robin over a shuffled list: each member waits at
  // most 2N-1 intervals for its turn with one prober, 1.58 intervals on average for any of N.
  // Raise: fewer packets (two an interval and node), later detection. Lower: the reverse; below
  // 3 * ack_timeout probes overlap, which is allowed.
  base::Duration probe_interval = base::seconds(1);

  // Silence after a ping until helpers and a stream are tried. The probe fails at 3 * ack_timeout,
  // since the way through a helper is twice as long.
  // Raise: slow peers are accused less. Lower: detection is earlier by three times as much. Must
  // be above the round trip plus the worst stall of a peer's control thread.
  base::Duration ack_timeout = base::milliseconds(300);

  // Members that this node probes every interval, beside the one in turn: so each has as many
  // guards. Raise: an earlier first ping (1/(guards+1) intervals on average), two more packets an
  // interval and guard. 0: SWIM's turns alone.
  std::uint32_t guards = 2;

  // Helpers asked to ping a silent member. A false accusation needs all ways to fail: with loss p
  // and q = 1-(1-p)^2, which is a ping's or its ack's, q^n * (1-(1-p)^2 * (1-q^2))^helpers, and the
  // stream's failure. n pings: 4 where all helpers say nack, up to 7.
  // Raise: fewer false accusations, more packets for each failed probe. 0: the stream alone.
  std::uint32_t indirect_helpers = 3;

  // Members that the first accuser asks to probe the accused now. Raise: confirmed earlier under
  // loss; packets for each suspicion.
  std::uint32_t confirmers = 8;

  // From suspect to dead where others confirm it: time for the accused to refute. It does not
  // grow with log N: spreading takes gossip_interval * log_{1+fanout} N, about 1 s at 1,000
  // members, so this must be above twice that, and above the pauses that a live process may take.
  // With fewer accusers it is up to three times as long, and nobody is dead unconfirmed.
  // Raise: longer pauses are survived. Lower: dead is sure earlier. Routing waits for none of it:
  // it goes around who is unreachable. (kStarling only.)
  base::Duration suspicion_timeout = base::seconds(4);

  // The suspicion time of kSwim, max(1, log10 N) * suspicion_mult intervals, and how many times
  // as long kLifeguard waits with a single accuser.
  std::uint32_t suspicion_mult = 4;
  std::uint32_t suspicion_max_mult = 6;

  // Updates and rumors that wait are sent this often, each time to the next gossip_fanout
  // members. An idle node sends none. Spreading takes about gossip_interval * log_{1+fanout} N.
  // Raise: less peak traffic. Lower: faster spreading; packets grow as 1/interval.
  base::Duration gossip_interval = base::milliseconds(200);
  std::uint32_t gossip_fanout = 3;

  // One random member is compared with, digest first, each interval (10 % jitter). Catches what
  // gossip did not deliver; a node that was away is up to date after one.
  // Raise: less idle traffic (some 131 bytes an exchange). Lower: gaps close earlier.
  base::Duration push_pull_interval = base::seconds(10);

  // One dead member and one seed that is not a known member are contacted each interval, so
  // that a healed partition is noticed: each of D dead ones by N live ones every D/N intervals.
  // Raise: fewer packets into the void. Lower: partitions heal earlier.
  base::Duration dead_contact_interval = base::seconds(5);

  // While nobody else is known, all seeds are asked this often.
  base::Duration join_interval = base::seconds(1);

  // A dead or left member is remembered this long, so that old packets can't revive it.
  // Raise: longer partitions heal without seeds; costs memory and digest work only.
  base::Duration dead_kept = std::chrono::hours(24);

  // Members that a hot rumor is pushed to each gossip_interval, and how many contacts in a row
  // that already knew it make this node stop. Residue (nodes that push alone does not reach)
  // falls as e^-sends: at counter 1, 2, 3 and fanout 1: 17 %, 3.7 %, 1.1 % of 1,000 nodes.
  // Raise: fewer nodes wait for a digest to show it, more packets. Lower: the reverse.
  std::uint32_t rumor_fanout = 2;
  std::uint32_t rumor_counter_k = 2;

  // Every packet has a digest of its sender's rumors that are older than this, and a node whose
  // digest changes tells so to rumor_fanout members, twice. Where it is another than the
  // receiver's, that one compares and pulls. Push is done after some two gossip_intervals, since
  // the first hops wait for none. Raise: fewer nodes pull what push would have brought. Lower: whom
  // push left out hears earlier.
  base::Duration rumor_digest_lag = base::milliseconds(500);

  // A larger payload is advertised by key, version and hash, and pulled over a stream.
  // Raise: fewer streams. Lower: rumors leave more room for each other in a packet.
  std::size_t inline_payload_max = 512;
  std::size_t rumor_payload_bytes_max = 1 << 20;  // Larger ones from peers are refused.
  std::uint32_t rumors_max = 4096;                // Keys; those beyond are refused, and counted.

  // Passing rumors, writes to keyspaces that are everywhere: of a size to fit in a datagram each is
  // told in rounds of passing_interval to rumor_fanout members, in at most passing_packets_max
  // datagrams each: at most 2 * 4 * 1,200 bytes in 20 ms. The counter is higher than that of
  // rumors, since no digest finds whom push left out: of 31 others 0.4 % of rumors leave one out at
  // 8, 11 % at 4. Raise the interval: less traffic under load, slower there. Raise the counter:
  // fewer are left to repair, more packets.
  base::Duration passing_interval = base::milliseconds(20);
  std::uint32_t passing_packets_max = 4;
  std::uint32_t passing_counter_k = 8;
  // Keys, and bytes of payload, that are remembered for as long as they are told, and 10 s at most.
  // What finds no room is not told. Raise: larger bursts spread by rumor; memory.
  std::uint32_t passing_rumors_max = 8192;
  std::size_t passing_bytes_max = 8 << 20;
  std::size_t passing_payload_max = 1 << 20;

  // No datagram is ever larger, whatever the input. 1,200 passes every common path unfragmented.
  std::size_t datagram_bytes_max = 1200;

  std::uint32_t members_max = 16384;     // Hosts beyond are refused, and counted.
  std::size_t metadata_bytes_max = 512;  // A claim with more is refused. Travels in each claim.

  // InvalidArgument naming the first knob whose value can't work, and why.
  base::Status Validate() const;
};

}  // namespace starling::gossip
