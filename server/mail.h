// server/mail.h: what the actors of one node send each other.
//
// Thread:    a mail belongs to whoever holds it.
// Read next: server/worker.h, server/control.h
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/actor.h"
#include "base/status.h"
#include "merkle/digest.h"
#include "merkle/recent.h"
#include "server/purge/round.h"
#include "server/range_sums.h"
#include "server/resp/key_op.h"
#include "server/snapshot.h"
#include "server/stats.h"
#include "server/wire/frame.h"
#include "server/write_number.h"
#include "server/write_rumor.h"

namespace starling::server {

enum class MailKind : std::uint16_t {
  kFrame = 1,
  kReply,
  kKeyOp,
  kKeyResult,
  kSnapshot,
  kLinkLost,
  kDigestQuery,
  kDigestAnswer,
  kRangeSumsQuery,
  kRangeSums,
  kPull,
  kPullDone,
  kHandled,
  kCompareSoon,
  kSpread,
  kRumoredWrite,
  kStatsQuery,
  kStats,
  kStopClients,
  kPurgeDueQuery,
  kPurgeDueAnswer,
  kPurgeStep,
  kPurgeStepDone,
  kStop,  // From outside: a signal. Ends the node in order.
};

// The typed mail of a kind: `static constexpr MailKind kKind` in each.
template <MailKind kOfAll>
struct MailOf : base::Mail {
  static constexpr MailKind kKind = kOfAll;
  MailOf() : base::Mail(static_cast<std::uint16_t>(kOfAll)) {}
};

// Where an answer goes: to a request on a connection of one of our actors.
struct ReplyTo {
  enum class Protocol : std::uint8_t { kNative, kResp };
  base::ActorId home{};
  base::ConnId conn{};
  std::uint64_t request_id = 0;
  Protocol protocol = Protocol::kNative;
  base::Instant arrived{};  // Of another node's request: its deadline counts from here.
  // How large the values were that the connection was lately answered with, at most.
  std::uint32_t value_bytes_expected = 0;
};

// A frame for the actor whose business it is.
struct FrameMail final : MailOf<MailKind::kFrame> {
  ReplyTo reply;
  wire::Kind frame_kind{};
  base::NodeNumber peer = 0;  // Of the sending node; 0: a client.
  WriteNumber numbered;       // Of a coordinator's write to a replica.
  std::string header;
  std::string payload;
  std::size_t counted = 0;  // In NodeShared::mail_bytes, by its sender.
};

// An answer, encoded, for the actor that has the connection.
struct ReplyMail final : MailOf<MailKind::kReply> {
  base::ConnId conn{};
  std::uint64_t request_id = 0;
  bool is_value = false;  // The answer of a read: it gives way when the connection takes nothing.
  bool refused = false;   // It is an error.
  std::string frame;
  std::size_t counted = 0;  // In NodeShared::mail_bytes, by its sender.
};

// One key's operation, as the RESP port asks for it: to the worker that owns the key, and back.
struct KeyOpMail final : MailOf<MailKind::kKeyOp> {
  ReplyTo reply;
  resp::KeyOp op;  // Its key and value are those below.
  std::string key;
  std::string value;
  std::size_t counted = 0;  // In NodeShared::mail_bytes, by its sender.
};
struct KeyResultMail final : MailOf<MailKind::kKeyResult> {
  base::ConnId conn{};
  std::uint64_t request_id = 0;
  resp::KeyResult result;  // Its value is the one below.
  std::string value;
  std::size_t counted = 0;  // In NodeShared::mail_bytes, by its sender.
};

struct SnapshotMail final : MailOf<MailKind::kSnapshot> {
  SnapshotPtr snapshot;
};

// A data connection broke: evidence for SWIM.
struct LinkLostMail final : MailOf<MailKind::kLinkLost> {
  base::HostId host;
};

// What do you and `peer` share, summed by slice, as of a cut? Answered once all of it is committed.
struct DigestQueryMail final : MailOf<MailKind::kDigestQuery> {
  std::uint64_t serial = 0;
  base::NodeNumber peer = 0;
  merkle::Generation cut = 0;
};
using SliceDigests = std::vector<std::pair<std::uint8_t, merkle::Digest>>;
struct DigestAnswerMail final : MailOf<MailKind::kDigestAnswer> {
  std::uint64_t serial = 0;
  merkle::Generation oldest = 0;  // The oldest cut that can be answered: no sums if it is later.
  std::size_t unmade = 0;  // Slices whose trees are being made anew: no sums if there are any.
  std::map<base::KeyspaceId, SliceDigests> slices;  // Of the slices that this worker owns.
};

// What are the digests of our ranges as of a cut? Answered as the one above.
struct RangeSumsQueryMail final : MailOf<MailKind::kRangeSumsQuery> {
  std::uint64_t serial = 0;
  merkle::Generation cut = 0;
};
struct RangeSumsMail final : MailOf<MailKind::kRangeSums> {
  std::uint64_t serial = 0;
  std::uint64_t epoch = 0;
  merkle::Generation oldest = 0;  // As above,
  std::size_t unmade = 0;         // and this.
  RangeSums sums;                 // Of the slices that this worker owns.
};

// Pull from `peer` what we lack in these slices.
// What a look finds of a range, in the slices that it was told of.
struct RangeDifference {
  base::KeyspaceId keyspace = 0;
  std::uint16_t first_bucket = 0;  // Of the range,
  std::uint16_t last_bucket = 0;
  std::uint64_t buckets = 0;       // of which so many differ,
  std::uint64_t entries_here = 0;  // and so many entries are in these here.
};
struct PullMail final : MailOf<MailKind::kPull> {
  std::uint64_t serial = 0;
  base::NodeNumber peer = 0;
  merkle::Generation ahead = 0;  // So much is the peer's clock ahead of ours: 0 if they agree.
  std::vector<std::pair<base::KeyspaceId, std::uint8_t>> slices;
  bool only_look = false;  // Leaves are compared, and nothing is read or moved.
};
struct PullDoneMail final : MailOf<MailKind::kPullDone> {
  std::uint64_t serial = 0;
  std::uint64_t entries = 0;
  // Of the slices, those in which the peer has nothing that we lack, nor has purged further.
  std::vector<std::pair<base::KeyspaceId, std::uint8_t>> settled;
  std::vector<RangeDifference> differing;  // If it was to look only.
  base::Status status;
};

// A node's worker says that its writes are handled; its connection leads to one worker of ours.
struct HandledMail final : MailOf<MailKind::kHandled> {
  WriteSource source;
  std::uint64_t below = 0;
};

// Compare with these before their turn: something that they should have may have been dropped.
struct CompareSoonMail final : MailOf<MailKind::kCompareSoon> {
  std::set<base::NodeNumber> nodes;
};

// A write that is synced here: tell the others.
struct SpreadMail final : MailOf<MailKind::kSpread> {
  WriteRumor rumor;
  std::uint64_t counted = 0;  // In NodeShared::rumor_mail_bytes, by its sender.
};
// A write that gossip heard of, to the worker that owns the key.
struct RumoredWriteMail final : MailOf<MailKind::kRumoredWrite> {
  std::string payload;  // Of the rumor; it was read without an error.
};

// In which of your buckets may something go at a horizon?
struct PurgeDueQueryMail final : MailOf<MailKind::kPurgeDueQuery> {
  std::uint64_t serial = 0;
  std::uint64_t horizon = 0;
};
struct PurgeDueAnswerMail final : MailOf<MailKind::kPurgeDueAnswer> {
  std::uint64_t serial = 0;
  std::map<base::KeyspaceId, std::vector<std::uint16_t>> due;
};

// A purge round's step, for those of its buckets that the worker owns.
struct PurgeStepMail final : MailOf<MailKind::kPurgeStep> {
  std::uint64_t serial = 0;
  purge::Request request;
};
struct PurgeStepDoneMail final : MailOf<MailKind::kPurgeStepDone> {
  std::uint64_t serial = 0;
  base::Status status;
  std::vector<merkle::Digest> digests;  // PROVE: in the order of the buckets.
};

struct StatsQueryMail final : MailOf<MailKind::kStatsQuery> {
  std::uint64_t serial = 0;
};
struct StatsMail final : MailOf<MailKind::kStats> {
  std::uint64_t serial = 0;
  WorkerStats stats;
};

// Read nothing more from clients; what they have asked for is still answered.
struct StopClientsMail final : MailOf<MailKind::kStopClients> {};

struct StopMail final : MailOf<MailKind::kStop> {};

}  // namespace starling::server
