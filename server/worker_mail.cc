// server/worker_mail.cc: what the other actors of the node want of a worker.
#include <algorithm>
#include <cstdint>

#include "base/check.h"
#include "base/mutants.h"
#include "base/unreachable.h"
#include "server/worker.h"
#include "storage/entry.h"

namespace starling::server {

void Worker::OnMail(std::unique_ptr<base::Mail> mail) {
  switch (static_cast<MailKind>(mail->kind)) {
    case MailKind::kFrame: {
      const auto& given = static_cast<const FrameMail&>(*mail);
      UncountMail(given.counted);
      const wire::Frame frame{given.frame_kind, given.reply.request_id, given.header,
                              given.payload};
      if (given.peer == 0)
        HandleClient(given.reply, frame);
      else
        HandlePeer(given.reply, given.peer, frame, given.numbered);
      return;
    }
    case MailKind::kReply: {
      DeliverReply(static_cast<const ReplyMail&>(*mail));
      return;
    }
    case MailKind::kSnapshot: Adopt(static_cast<const SnapshotMail&>(*mail).snapshot); return;
    case MailKind::kKeyOp: {
      const auto& given = static_cast<const KeyOpMail&>(*mail);
      UncountMail(given.counted);
      RunKeyOp(given.reply, given.op);
      return;
    }
    case MailKind::kKeyResult: {
      const auto& given = static_cast<const KeyResultMail&>(*mail);
      UncountMail(given.counted);
      DeliverKeyResult(given.conn, given.request_id, given.result);
      return;
    }
    case MailKind::kDigestQuery: AnswerDigests(static_cast<const DigestQueryMail&>(*mail)); return;
    case MailKind::kRangeSumsQuery:
      AnswerRangeSums(static_cast<const RangeSumsQueryMail&>(*mail));
      return;
    case MailKind::kPull: repair_.Start(static_cast<const PullMail&>(*mail)); return;
    case MailKind::kHandled: {
      const auto& given = static_cast<const HandledMail&>(*mail);
      orphans_.Handled(given.source, given.below);
      return;
    }
    case MailKind::kRumoredWrite:
      TakeRumor(static_cast<const RumoredWriteMail&>(*mail).payload);
      return;
    case MailKind::kPurgeDueQuery:
      purger_.OnDueQuery(static_cast<const PurgeDueQueryMail&>(*mail));
      return;
    case MailKind::kPurgeStep: purger_.OnStep(static_cast<const PurgeStepMail&>(*mail)); return;
    case MailKind::kStopClients: StopClients(); return;
    case MailKind::kStatsQuery: AnswerStats(static_cast<const StatsQueryMail&>(*mail)); return;
    case MailKind::kLinkLost:
    case MailKind::kDigestAnswer:
    case MailKind::kRangeSums:
    case MailKind::kPullDone:
    case MailKind::kCompareSoon:
    case MailKind::kSpread:
    case MailKind::kStats:
    case MailKind::kPurgeDueAnswer:
    case MailKind::kPurgeStepDone:
    case MailKind::kStop: break;
  }
  UNREACHABLE("a mail that workers do not get");
}

// A write that another node told of. What is not taken here, repair finds.
void Worker::TakeRumor(base::Bytes payload) {
  const auto write = ReadWriteRumor(payload);
  CHECK(write.has_value());  // Control has read it.
  const wire::PackedEntry& entry = write->entry;
  if (snapshot_ == nullptr || !snapshot_->ring->everywhere(write->keyspace)) return;
  if (storage::ValueDigest(entry.value) != entry.value_digest) return;
  if (!replica_.HasRoom(entry.key.size() + entry.value.size())) {
    ++refused_writes_;
    return;
  }
  const storage::EntryHeader header{entry.version, entry.expiry_ms, entry.value_digest,
                                    storage::Origin::kRumor, entry.flags};
  replica_.Write({write->keyspace,
                  base::TokenOf(entry.key, snapshot_->topology->token_seed),
                  entry.key,
                  header,
                  entry.value,
                  false,
                  {}});
}

// Of those that control may compare: none that is being made anew.
std::size_t Worker::UnmadeSlices() const {
  return base::Mutant("repair-anew-compared") ? 0 : replica_.making().left();
}

void Worker::AnswerDigests(const DigestQueryMail& query) {
  auto answer = std::make_unique<DigestAnswerMail>();
  answer->serial = query.serial;
  answer->oldest = INT64_MIN;
  answer->unmade = UnmadeSlices();
  const topology::Node* peer = snapshot_->topology->FindNumber(query.peer);
  for (const topology::Keyspace& keyspace : snapshot_->topology->keyspaces) {
    answer->oldest = std::max(answer->oldest, replica_.OldestCut(keyspace.id));
    if (query.cut < answer->oldest || answer->unmade > 0) continue;
    merkle::History::Sums sums;
    const merkle::History* history = replica_.HistoryOf(keyspace.id);
    if (history != nullptr && peer != nullptr) {
      const auto index = static_cast<std::size_t>(peer - snapshot_->topology->nodes.data());
      sums = history->SliceSumsAt(shared_buckets_.Of(*snapshot_, index, keyspace.id), query.cut);
    }
    SliceDigests& slices = answer->slices[keyspace.id];
    for (unsigned slice = number_; slice < base::kSlices; slice += shared_.workers)
      slices.emplace_back(static_cast<std::uint8_t>(slice), sums[slice]);
  }
  digests_.emplace_back(replica_.last_commit(), std::move(answer));
}

void Worker::AnswerRangeSums(const RangeSumsQueryMail& query) {
  auto answer = std::make_unique<RangeSumsMail>();
  answer->serial = query.serial;
  answer->epoch = snapshot_->topology->epoch;
  answer->oldest = INT64_MIN;
  answer->unmade = UnmadeSlices();
  for (const topology::Keyspace& keyspace : snapshot_->topology->keyspaces) {
    answer->oldest = std::max(answer->oldest, replica_.OldestCut(keyspace.id));
    if (query.cut >= answer->oldest && answer->unmade == 0)
      AddRangeSums(*snapshot_, keyspace.id, replica_.HistoryOf(keyspace.id), query.cut,
                   answer->sums);
  }
  digests_.emplace_back(replica_.last_commit(), std::move(answer));
}

// What a sum comprises must not be lost after it was told: it would prove what is no longer so.
void Worker::SendDigests() {
  while (!digests_.empty() && replica_.Committed(digests_.front().first)) {
    world_.Post(base::kControlActor, std::move(digests_.front().second));
    digests_.pop_front();
  }
}

void Worker::AnswerStats(const StatsQueryMail& query) {
  auto mail = std::make_unique<StatsMail>();
  mail->serial = query.serial;
  WorkerStats& stats = mail->stats;
  stats = coordinator_.stats();
  const Replica::Counters& counters = replica_.counters();
  stats.replica_writes = counters.writes;
  stats.superseded = counters.superseded;
  stats.replica_reads = counters.reads;
  stats.fetches = counters.fetches;
  stats.commits = counters.commits;
  stats.connections = conns_.size();
  stats.in_flight = coordinator_.in_flight() + scans_.in_flight();
  stats.overloaded += scans_.overloaded() + refused_writes_ + refused_answers_;
  stats.expired = page_lane_.dropped() + expired_reads_;
  stats.repair = repair_.stats();
  stats.repair.piece_bytes += open_values_.bytes();
  stats.repair.entries_in_tables = counters.filled;
  stats.cut_bytes = replica_.cut_bytes();
  stats.making = trees_.progress();
  stats.hints = hints_.stats();
  stats.orphans = orphans_.stats();
  stats.rumors_refused = spread_.refused();
  stats.too_old = counters.too_old;
  stats.purged = counters.removed;
  stats.quarantined = counters.quarantined;
  stats.adopted = adoption_.adopted();
  if (snapshot_ != nullptr)
    for (const topology::Keyspace& keyspace : snapshot_->topology->keyspaces)
      stats.purge[keyspace.id] = purger_.StatsOf(keyspace.id);
  if (snapshot_ != nullptr)
    for (const topology::Keyspace& keyspace : snapshot_->topology->keyspaces)
      if (const merkle::Tree* tree = replica_.TreeOf(keyspace.id))
        stats.entries[keyspace.id] = tree->Sum(merkle::BucketSet::All()).count;
  world_.Post(base::kControlActor, std::move(mail));
}

}  // namespace starling::server
