// gossip/gossip.h: SWIM membership and rumors behind one door, without any I/O.
//
// The shell (a node's control actor, or gossip-sim) hands in datagrams, answers, and the time, and
// after each call carries out what outputs() holds, then clears it. Same calls with the same
// seed, same outputs. Knows nothing of what metadata and rumors mean.
//
//   Gossip gossip(options, self, seed, now);
//   gossip.Join(now, seeds);
//   ... gossip.OnDatagram(now, from, bytes); ... gossip.OnTick(now) at next_tick() ...
//   for (Datagram& d : gossip.outputs().datagrams) Send(d.to, d.bytes);   // and streams, events
//   gossip.outputs().Clear();
//
// Thread:    confined to one thread; no call blocks or calls back.
// Ownership: keeps copies only.
// Read next: docs/gossip.md, then gossip/membership.h, prober.h, rumors.h, exchange.h, envelope.h.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "base/host_id.h"
#include "base/random.h"
#include "base/status.h"
#include "base/time.h"
#include "gossip/comparer.h"
#include "gossip/contacts.h"
#include "gossip/courier.h"
#include "gossip/envelope.h"
#include "gossip/exchange.h"
#include "gossip/goodbye.h"
#include "gossip/keyring.h"
#include "gossip/member.h"
#include "gossip/membership.h"
#include "gossip/options.h"
#include "gossip/outputs.h"
#include "gossip/passing_rumors.h"
#include "gossip/passing_spreader.h"
#include "gossip/prober.h"
#include "gossip/refusals.h"
#include "gossip/report.h"
#include "gossip/rumors.h"
#include "gossip/spreader.h"
#include "gossip/unanswered.h"
#include "gossip/vitals.h"

namespace starling::gossip {

struct Self {
  base::HostId host;
  std::uint64_t generation = 0;  // The boot counter, synced to disk before it is handed in.
  base::Address address;         // Where this node takes datagrams and streams.
  std::string cluster_name;      // Packets of another cluster are dropped.
  Keyring keyring{};             // What seals packets and opens them. Empty: they are plain.
  std::string metadata;          // What changes slowly: SetMetadata. What changes fast: SetVitals.
  std::uint32_t domain = 0;      // What fails together (a rack), as a number. 0: not said.
};

class Gossip {
 public:
  // REQUIRES: options.Validate().ok(); metadata within metadata_bytes_max. `now` is never less
  // than in an earlier call, here and below.
  // Cores on one thread may share a roster, and so what they know of members.
  Gossip(const GossipOptions& options, const Self& self, std::uint64_t seed, base::Instant now,
         std::shared_ptr<Roster> roster = nullptr);
  Gossip(const Gossip&) = delete;
  Gossip& operator=(const Gossip&) = delete;

  // Calls all seeds every second until one answers, and for ever now and then those that are no
  // member. May be called again with other seeds.
  void Join(base::Instant now, std::span<const base::Address> seeds);

  // Members known from before a restart, as alive, dead or left: taken without events, and told to
  // nobody, since others know them. What has changed since, they and probes will say.
  void Restore(base::Instant now, std::span<const Claim> members);

  // Garbage is counted in counters().rejected, and changes nothing.
  void OnDatagram(base::Instant now, base::Address from, base::Bytes bytes);
  // The answer to send back; "" to garbage, to another cluster, and to what is not for us. `from`
  // is for what is told of a packet that is refused: who sends with an old key?
  std::string OnStreamRequest(base::Instant now, base::Bytes request, base::Address from = {});
  // "" too, if the peer answered nothing: that is told once it is no accident.
  void OnStreamReply(base::Instant now, base::Bytes reply, base::Address from = {});
  // A stream of ours came to nothing. Only a refusal says something: no process listens there.
  enum class StreamFailure : std::uint8_t { kRefused, kOther };
  void OnStreamFailed(base::Instant now, base::Address to, StreamFailure failure);

  // Does nothing before next_tick(). A late tick shows that this process was slow: it then drops
  // its probes instead of accusing others; and one late by two probe intervals, that it was asleep:
  // it compares its table before it accuses anybody.
  void OnTick(base::Instant now);
  base::Instant next_tick() const;

  // A data connection to the member was reset or refused: it is probed at once.
  void ReportConnectionLost(base::Instant now, base::HostId host);

  // Tells all members, those that join later included. A higher version of a key replaces; an
  // equal or lower one than is known is ignored. Gives no event here.
  // REQUIRES: key of 1 to 255 bytes, not IsPassing, payload within rumor_payload_bytes_max.
  void Publish(base::Instant now, const std::string& key, std::uint64_t version,
               std::string payload);

  // From now on packets are sealed and opened by these keys.
  void SetKeyring(const Keyring& keyring);

  // Tells the members that are here now, once; whom that leaves out is for another mechanism to
  // find (gossip/passing_rumors.h). False: refused, too much being told already.
  // REQUIRES: IsPassing(key), of at most 255 bytes.
  bool PublishPassing(base::Instant now, const std::string& key, std::uint64_t version,
                      std::string payload);

  // What changes slowly: all are told, under a new incarnation. REQUIRES: within
  // metadata_bytes_max.
  void SetMetadata(base::Instant now, std::string metadata);

  // Where this node's cluster has noted it: of two with one identity the one that is there stays.
  void SetHome(base::Address home) { membership_.SetHome(home); }

  // Where those are who found a member silent, for the log. Looks at all members.
  std::string Name(const Accusers& accusers) const { return membership_.Name(accusers); }

  // What changes all the time: told in acks alone, to whoever pings this node.
  // REQUIRES: at most kVitalsBytesMax bytes.
  void SetVitals(std::string vitals) { prober_.SetVitals(std::move(vitals)); }
  // As a member last said them to this node; nullptr: it has not, in its present generation. Valid
  // until the next call.
  const Vitals* VitalsOf(base::HostId host) const { return prober_.VitalsOf(host); }

  // Says goodbye, until enough members have acknowledged it or 5 s are over; nothing is probed any
  // more. The process had better stay until said_goodbye().
  void Leave(base::Instant now);
  bool said_goodbye(base::Instant now) const { return yielded() || goodbye_.said(now); }

  // Another node has this identity, and this one gave way to it (gossip/rivalry.h): all inputs are
  // ignored from then on, and nothing goes out.
  bool yielded() const { return membership_.yielded(); }

  // nullopt: never heard of, or forgotten, or this node itself.
  std::optional<MemberInfo> Find(base::HostId host) const;
  // Without copies; the metadata is valid until the next call.
  std::optional<Member> View(base::HostId host) const { return membership_.Find(host); }
  // All known, the dead and left included, this node not; by host id.
  std::vector<MemberInfo> members() const { return membership_.members(); }
  // visit(Member) for this node and all members, without copies and in no order of hosts.
  template <typename Visit>
  void ForEach(Visit visit) const {
    membership_.ForEach(visit);
  }
  const MemberInfo& self() const { return membership_.self(); }
  // Of how many members there is something to tell others, and how many places are held for that.
  std::size_t pending_news() const { return membership_.pending_updates(); }
  std::size_t news_slots() const { return membership_.update_slots(); }
  std::size_t size() const { return membership_.size(); }  // Of members().
  // Of this node and all members as they are believed: equal tables have equal digests.
  std::uint64_t digest() const { return membership_.digest(); }
  bool has_news() const { return membership_.has_updates() || rumors_.hot(); }

  Outputs& outputs() { return outputs_; }
  const Counters& counters() const { return counters_; }
  // For operators; costs a copy of all members.
  Report report() const;
  std::int64_t health_score() const { return membership_.health().score(); }  // 0: sound.
  const GossipOptions& options() const { return options_; }

 private:
  // A message, and the way it came; nullptr: none that is for us, and that is counted.
  struct Letter {
    const Message* message = nullptr;
    Envelope::Way way{};
  };
  Letter Read(base::Instant now, const Sender& from, base::Bytes bytes);
  std::string Answer(base::Instant now, const Message& message);
  void OnAnswer(base::Instant now, const Message& message);
  void OnFeedback(const Feedback& feedback);
  void OnAck(base::Instant now, const Header& header, const Ack& ack, Prober::Way way);
  void HearHowSeen(base::Instant now, const Header& header, const Ack& ack);
  void WarnOfStreamOnly(base::Instant now, base::HostId host);
  void HearClaims(base::Instant now, base::Address from, const Message& message);
  void NoticeLateness(base::Instant now);
  bool IsStranger(base::Address from, const Header& header, Envelope::Way way) const;
  void StopEars();
  void HearNews(base::Instant now, base::Address from, const Message& message);
  void NoticeSender(base::Instant now, base::Address from, const Header& header, bool stranger);

  const GossipOptions options_;
  base::Random random_;
  Envelope envelope_;
  Outputs outputs_;
  Counters counters_;
  Membership membership_;
  Rumors rumors_;
  PassingRumors passing_;
  Courier courier_;
  Prober prober_;
  Exchange exchange_;
  Contacts contacts_;
  Spreader spreader_;
  PassingSpreader passing_spreader_;
  Goodbye goodbye_;
  Comparer comparer_;
  Refusals refusals_;
  Unanswered unanswered_;
  Message message_;  // The one being handled; its room is used for one after another.
  std::optional<base::Instant> last_stream_warning_;
  base::Instant noticed_;  // Until then this process's lateness is dealt with.
};

}  // namespace starling::gossip
