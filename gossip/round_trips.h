// gossip/round_trips.h: how soon members answer this node's pings, and which way reaches them.
//
// For operators alone: nothing is decided by it. Only answers to a probe's first ping are timed,
// since of a later one nobody can tell which ping it answers (Karn). Bounded: of kMembersMax
// members, those heard lately. In larger clusters a node pings each of the others so rarely that an
// older figure would say nothing.
//
// Thread:    confined to one thread.
// Read next: gossip/prober.h
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/host_id.h"
#include "base/time.h"

namespace starling::gossip {

// What is known of the way to a member.
struct RoundTrip {
  base::Duration last{};
  base::Duration mean{};      // Smoothed: each answer counts 1/8, as TCP has it.
  base::Duration p99{};       // Of the last few hundred; up to a quarter too high.
  std::uint64_t samples = 0;  // 0: no answer was timed, and the figures say nothing.
  std::uint64_t late = 0;     // Probes whose first ping was not answered within ack_timeout.
  base::Instant answered{};   // When it last answered, by whichever way.
  // The last kStreamsInARow answers came by stream while datagrams got none.
  bool stream_only = false;
};

class RoundTrips {
 public:
  static constexpr std::size_t kMembersMax = 256;
  static constexpr int kStreamsInARow = 3;

  // The first ping of a probe was answered after `took`.
  void Answered(base::Instant now, base::HostId host, base::Duration took);
  // A datagram answered, after more pings than one.
  void AnsweredLate(base::Instant now, base::HostId host);
  // Datagrams were silent for an ack_timeout, and its stream answered.
  void AnsweredByStream(base::Instant now, base::HostId host);

  // nullopt: never answered, or too long ago.
  std::optional<RoundTrip> Of(base::HostId host) const;
  bool StreamOnly(base::HostId host) const;
  std::size_t stream_only() const;  // How many members are.

 private:
  // Times by quarters of a power of two, from 16 microseconds to half a minute.
  static constexpr std::size_t kBuckets = 84;
  using RowId = std::uint16_t;
  static_assert(kMembersMax < UINT16_MAX);
  static constexpr RowId kNone = UINT16_MAX;
  struct Row {
    base::HostId host;
    RowId older = kNone;  // Who was heard last before it, and first after it.
    RowId newer = kNone;
    base::Instant answered;
    std::uint32_t last_us = 0;
    std::uint32_t mean_us = 0;
    std::uint32_t samples = 0;
    std::uint32_t late = 0;
    std::uint8_t streams_in_a_row = 0;
    std::array<std::uint8_t, kBuckets> counts{};  // All are halved once one is full.
  };

  struct Place {
    base::HostId host;
    RowId row;
  };

  Row& RowOf(base::Instant now, base::HostId host);
  RowId MakeRoom();
  void Link(RowId id);
  void Unlink(RowId id);
  std::vector<Place>::const_iterator PlaceOf(base::HostId host) const;
  const Row* Find(base::HostId host) const;
  static void Count(Row& row, std::uint32_t took_us);
  static std::uint32_t P99(const Row& row);

  std::vector<Row> rows_;      // Each stays where it is.
  std::vector<Place> places_;  // By host: its row.
  RowId oldest_ = kNone;       // Of rows_, by when it was heard.
  RowId newest_ = kNone;
};

}  // namespace starling::gossip
