// gossip/outputs.h: what gossip wants done, what it tells, and what it counts.
//
// Thread:    values.
//
// Read next: gossip/gossip.h
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/address.h"
#include "base/host_id.h"
#include "gossip/member.h"
#include "gossip/suspicion.h"

namespace starling::gossip {

struct Datagram {
  base::Address to;
  std::string bytes;
};

// To be sent over a stream; the answer comes back by OnStreamReply, a failure by OnStreamFailed.
// Losing it is fine.
struct StreamRequest {
  base::Address to;
  std::optional<base::HostId> host;  // Who is expected there. Absent: a seed, whoever it is.
  std::string bytes;
};

struct Event {
  enum Kind : std::uint8_t {
    kJoined,       // A host never heard of, or a new generation of one.
    kAlive,        // Suspect, unreachable or dead before, and refuted it.
    kSuspect,      // Somebody found it silent; it has suspicion_timeout to refute.
    kUnreachable,  // So did others: routing had better go around it.
    kDead,
    kLeft,        // By its own will.
    kUpdated,     // Alive as before, with new metadata or a new address.
    kRumor,       // A rumor of another node's: newer than what was known of its key.
    kConflict,    // Another node claims to be this one (member: as it claims). At most one in 10 s.
    kYielded,     // And this one gave way to it: it says and hears nothing any more.
    kStreamOnly,  // Its stream answers and datagrams do not. At most one in 5 minutes, of any.
    kClusterMismatch,  // Somebody of another cluster talks to us. At most one in 10 s.
    kUnopened,         // Somebody's packets are unsealed, or we cannot open them. Likewise.
    kMalformed,        // Somebody's packets are not what a sound node sends. Likewise.
    kOtherVersion,     // Of our cluster, in a format that this release does not read. At most one
                       // a minute of each address, and so many of all.
    kUnanswered,       // Streams of ours were opened, and brought no answer, several in a row. At
                       // most one a minute.
  };
  Kind kind = kJoined;
  MemberInfo member{};  // Of the last five the address alone; of kRumor nothing.
  std::string rumor_key{};
  std::uint64_t rumor_version = 0;
  std::string rumor_payload{};
  std::string reason{};  // For the log: what made it so.
  Accusers accusers{};   // Of kSuspect, kUnreachable and kDead: who found it silent.
};

struct Outputs {
  std::vector<Datagram> datagrams;
  std::vector<StreamRequest> streams;
  std::vector<Event> events;  // In the order in which they came true.

  // What datagrams and small requests took is used again for the next ones.
  void Clear() {
    for (Datagram& datagram : datagrams) Spare(datagram.bytes);
    for (StreamRequest& stream : streams) {
      if (stream.bytes.capacity() <= kSpareBytesMax) Spare(stream.bytes);
    }
    datagrams.clear();
    streams.clear();
    ClearEvents();
  }
  // Thousands that join at once, in one answer, are megabytes of events: that room is given back.
  void ClearEvents() {
    if (events.capacity() > kEventsKeptMax) events = std::vector<Event>();
    events.clear();
  }

  // Not for the shell: room for datagrams to come, and for requests that are as small.
  void Spare(std::string& bytes) {
    if (spare.size() < kSpareMax) spare.push_back(std::move(bytes));
  }
  static constexpr std::size_t kSpareMax = 64;
  static constexpr std::size_t kSpareBytesMax = 4096;  // Of a request.
  static constexpr std::size_t kEventsKeptMax = 256;
  std::vector<std::string> spare;
};

// Since construction. Bytes are payloads, without UDP, IP or TCP headers.
struct Counters {
  std::uint64_t datagrams_in = 0;
  std::uint64_t datagrams_out = 0;
  std::uint64_t datagram_bytes_in = 0;
  std::uint64_t datagram_bytes_out = 0;
  std::uint64_t streams_in = 0;
  std::uint64_t streams_out = 0;
  std::uint64_t stream_bytes_in = 0;  // Requests and answers.
  std::uint64_t stream_bytes_out = 0;
  std::uint64_t rejected = 0;          // Packets that could not be read, or were over a limit.
  std::uint64_t other_cluster = 0;     // Packets with another cluster's tag.
  std::uint64_t unsealed = 0;          // Packets without a seal, where one is required.
  std::uint64_t unopened = 0;          // Packets whose seal no key here opens.
  std::uint64_t strangers = 0;         // Unsealed datagrams of no member's whose news went unheard.
  std::uint64_t replies_withheld = 0;  // They would have been larger than what they reply to, or
                                       // the second in a second to somebody dead.
  std::uint64_t probes = 0;
  std::uint64_t probes_failed = 0;
  std::uint64_t nacks = 0;          // Helpers that answered our request with one.
  std::uint64_t confirms = 0;       // Members asked to probe somebody now.
  std::uint64_t suspicions = 0;     // Members that became suspect here, by own probe or hearsay.
  std::uint64_t unreachable = 0;    // Members that became unreachable here.
  std::uint64_t deaths = 0;         // Members that became dead here.
  std::uint64_t refutations = 0;    // Accusations of this node that it refuted.
  std::uint64_t conflicts = 0;      // Claims about this node that only another one could have made.
  std::uint64_t late = 0;           // Ticks so late that probes under way waited anew.
  std::uint64_t slept = 0;          // Times that this process found itself asleep.
  std::uint64_t rumors_sent = 0;    // Rumors in datagrams, advertisements included.
  std::uint64_t rumors_useful = 0;  // Of these, how many the receiver did not know.
  std::uint64_t rumors_taken = 0;   // Rumors of others that were news here.
  std::uint64_t passing_sent = 0;   // Passing rumors in datagrams, advertisements included.
  std::uint64_t passing_taken = 0;  // Those of others that were news here.
  std::uint64_t passing_refused = 0;  // Not told (on), for want of room: left to repair.
};

}  // namespace starling::gossip
