// server/replica_fill.cc: how a run of pulled entries becomes tables of its own.
//
// What a write decides by looking up its old version, is decided here for the run as a whole.
// Operations on its buckets wait, so once all that was carried out before is committed, what is
// stored of these buckets stays as it is. Then a job looks at those buckets that hold anything:
// an entry whose key is stored is written as any other afterwards. The rest becomes tables, and
// only then counts in the trees, whose record is in the next commit. Between the two a crash would
// leave trees that lack what is stored. So a record says that this may be (server/pulled_run.h),
// put by the commit before and dropped by the one behind, and a start that finds it makes the trees
// anew.
//
// To everyone else the entries came when the run was begun: a bucket in which it is under way
// proves nothing meanwhile (server/purger.cc, server/adoption.cc).
#include "server/replica_fill.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/mutants.h"
#include "server/replica_commit.h"
#include "server/replica_fetch.h"

namespace starling::server {

using storage::EntryHeader;
using storage::Family;

bool Replica::MayFill() const {
  return filling_ == nullptr && rest_ == nullptr && making_.left() == 0 && !disk_full() &&
         room_for_runs();
}

bool Replica::FillsBucket(base::KeyspaceId keyspace, std::uint16_t bucket) const {
  return filling_ != nullptr && filling_->fill->keyspace() == keyspace &&
         filling_->fill->buckets().Contains(bucket);
}

std::unique_ptr<PulledRun> Replica::TakeRest() {
  return filling_ == nullptr ? std::move(rest_) : nullptr;
}

void Replica::StartFill(std::unique_ptr<PulledRun> fill) {
  CHECK(MayFill());
  const base::KeyspaceId keyspace = fill->keyspace();
  // What does not simply enter is not for tables.
  rest_ = fill->Split([&](const PulledRun::Entry& entry) {
    const std::uint16_t bucket = base::BucketOf(entry.token);
    const purge::Mark mark = marks_.Of(keyspace, bucket);
    return mark.closed == 0 ||
           purge::Admit(fill->Decoded(entry).header, mark, RemovingIn(keyspace, bucket),
                        fill->SourceOf(entry), epoch_) == purge::Admission::kEnters;
  });
  world_.Again();  // So that what is left is taken, or the record handed over.
  if (fill->empty()) return;
  filling_ = std::make_unique<Filling>(*this, std::move(fill));
  if (const merkle::Tree* tree = TreeOf(keyspace); tree != nullptr)
    for (std::uint32_t bucket = 0; bucket < base::kBuckets; ++bucket)
      if (const auto each = static_cast<std::uint16_t>(bucket);
          filling_->fill->buckets().Contains(each) && !tree->Leaf(each).empty())
        filling_->begun.push_back(each);
  Commit& commit = OpenCommit();
  // Tables survive a power loss, so what tells of them must.
  commit.must_sync = !base::Mutant("repair-run-unsynced");
  if (!base::Mutant("repair-run-crash-unnoticed"))
    commit.batch.Put(Family::kMeta, FillingKey(options_.worker), "\1");
  filling_->after = last_commit_;
}

void Replica::GoOnFilling() {
  if (filling_ == nullptr || filling_->started || !Committed(filling_->after)) return;
  filling_->started = true;
  world_.Offload(base::Lane::kBackground, *filling_);
}

void Replica::Filling::Run() noexcept {
  fill->Sort();
  added.assign(fill->entries().size(), false);
  digests.assign(fill->entries().size(), {});
  const auto stored = StoredKeys();
  if (stored)
    AddAllBut(*stored);
  else
    status = stored.error();
}

// Ascending.
base::Result<std::vector<std::string>> Replica::Filling::StoredKeys() const {
  std::vector<std::string> keys;
  if (base::Mutant("repair-run-covers-newer")) return keys;
  for (const std::uint16_t bucket : begun) {
    const std::string begin = storage::BucketBegin(fill->keyspace(), bucket);
    const auto cursor =
        replica.engine_.Scan(Family::kData, begin, storage::BucketEnd(fill->keyspace(), bucket));
    for (cursor->Seek(begin); cursor->Valid(); cursor->Next()) keys.emplace_back(cursor->key());
    RETURN_IF_ERROR(cursor->status());
  }
  return keys;
}

// No table reaches over a stored key: it would be merged with what holds that.
void Replica::Filling::AddAllBut(const std::vector<std::string>& stored) {
  const std::vector<PulledRun::Entry>& entries = fill->entries();
  std::vector<storage::SortedEntry> sorted;
  std::vector<std::size_t> ends;  // Of tables, in `sorted`.
  sorted.reserve(entries.size());
  auto following = stored.begin();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const base::Bytes key = fill->StoredKey(entries[i]);
    if (i > 0 && key == fill->StoredKey(entries[i - 1])) continue;  // A lower version.
    const auto before = following;
    while (following != stored.end() && base::Bytes(*following) < key) ++following;
    if (following != before && !sorted.empty() && (ends.empty() || ends.back() != sorted.size()))
      ends.push_back(sorted.size());
    if (following != stored.end() && base::Bytes(*following) == key) continue;
    sorted.push_back({key, fill->Stored(entries[i])});
    added[i] = true;
  }
  if (sorted.empty()) return;
  if (ends.empty() || ends.back() != sorted.size()) ends.push_back(sorted.size());
  std::vector<std::span<const storage::SortedEntry>> tables;
  std::size_t begin = 0;
  for (const std::size_t end : ends) {
    tables.emplace_back(sorted.data() + begin, end - begin);
    begin = end;
  }
  // Among many keys that are there already, tables would be too small to be worth it.
  const bool worth =
      tables.size() == 1 || fill->bytes() / tables.size() >= replica.options_.table_bytes_min;
  if (worth) status = replica.engine_.AddTables(Family::kData, tables);
  if (!worth || !status.ok()) {
    added.assign(entries.size(), false);
    return;
  }
  for (std::size_t i = 0; i < entries.size(); ++i)
    if (added[i])
      digests[i] = replica.DigestOf(replica.KeyHashOf(fill->StoredKey(entries[i])),
                                    fill->Decoded(entries[i]).header);
}

void Replica::OnFilled() {
  const std::unique_ptr<Filling> done = std::move(filling_);
  const PulledRun& fill = *done->fill;
  if (!done->status.ok())
    base::log::Warn("repair",
                    "entries could not be stored as tables, and are written one by one: {}",
                    done->status.message());
  Commit& commit = OpenCommit();
  commit.batch.Delete(Family::kMeta, FillingKey(options_.worker));
  if (rest_ == nullptr) rest_ = std::make_unique<PulledRun>(fill.keyspace());
  merkle::History& history = HistoryFor(fill.keyspace());
  const std::vector<PulledRun::Entry>& entries = fill.entries();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const PulledRun::Entry& entry = entries[i];
    if (!done->added[i]) {
      rest_->Add(fill, entry);
      continue;
    }
    const base::Bytes stored_key = fill.StoredKey(entry);
    const EntryHeader header = fill.Decoded(entry).header;
    const std::uint16_t bucket = base::BucketOf(entry.token);
    history.Change(bucket, merkle::FiledUnder(header.version.wall_ms(), ArrivalMs()),
                   done->digests[i], {});
    dead_.Add(fill.keyspace(), bucket, header, stored_key.size());
    held_.NotePulled(fill.keyspace(), entry.token, header.version);
    ++counters_.writes;
    ++counters_.filled;
    fresh_.Fresh(stored_key, true);
    if (entry.adoption == 0) continue;
    if (!commit.releases.empty() && commit.releases.back().ticket.kind == Ticket::Kind::kPull &&
        commit.releases.back().ticket.b == entry.adoption)
      ++commit.releases.back().ticket.c;
    else
      commit.releases.push_back({{Ticket::Kind::kPull, 0, entry.adoption, 0}, {}, {}});
  }
  if (rest_->empty()) rest_ = nullptr;
  // What they found is older than the tables.
  for (const auto& [key, fetch] : fetching_)
    if (fill.buckets().Contains(
            base::BucketOf(base::LoadBig<base::Token>(key.data() + sizeof(base::KeyspaceId)))))
      fetch->overtaken = true;
  PutFirst(done->waiting, 0);
}

}  // namespace starling::server
