#include "server/replica.h"

#include <fmt/core.h>

#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/mutants.h"
#include "server/replica_commit.h"

namespace starling::server {

using storage::EntryHeader;
using storage::Family;
using storage::Found;
using wire::WriteOutcome;

// Reads one entry from disk; the operations on its key wait here in order.
struct Replica::Fetch final : base::Job, storage::GetSink {
  explicit Fetch(Replica& home) : replica(home) {}

  void Run() noexcept override {
    const base::Bytes key = stored_key;
    replica.engine_.Get(Family::kData, {&key, 1}, storage::Tier::kAll, *this);
  }
  void Done() override { replica.OnFetched(*this); }
  void OnFound(std::size_t, Found result, base::Bytes bytes, const base::Status& why) override {
    found = result;
    value.assign(bytes);
    error = why;
  }

  Replica& replica;
  std::string stored_key;
  std::vector<Operation> waiting;
  bool overtaken = false;  // The key was written to after it began: what it found may be old.
  Found found = Found::kAbsent;
  std::string value;
  base::Status error;
};

Replica::Replica(base::World& world, storage::Engine& engine, Committer& committer,
                 ReplicaListener& listener, ReplicaOptions options)
    : world_(world),
      engine_(engine),
      committer_(committer),
      listener_(listener),
      options_(options),
      held_(options.held_records_max) {}

Replica::~Replica() = default;

base::Status Replica::Load() {
  first_cut_ = merkle::GenerationOf(ArrivalMs() + merkle::kSkewMs);
  const auto cursor = engine_.Scan(Family::kTree, {}, {});
  for (cursor->Seek({}); cursor->Valid(); cursor->Next()) {
    ASSIGN_OR_RETURN(const merkle::LeafPlace place, merkle::ParseLeafKey(cursor->key()));
    if (base::WorkerOf(place.bucket, options_.workers) != options_.worker) continue;
    ASSIGN_OR_RETURN(const merkle::Digest leaf, merkle::DecodeLeaf(cursor->value()));
    HistoryFor(place.keyspace).tree().Load(place.bucket, leaf);
  }
  RETURN_IF_ERROR(cursor->status());
  return LoadPurge();
}

void Replica::Write(const LocalWrite& write) {
  Operation operation;
  operation.is_write = true;
  operation.stamp = write.stamp;
  operation.keyspace = write.keyspace;
  operation.token = write.token;
  operation.header = write.header;
  operation.value = arena_.Copy(write.value);
  operation.source = write.source;
  operation.ticket = write.ticket;
  operation.stored_key = {arena_.Room(storage::kKeyPrefixBytes + write.key.size()),
                          storage::kKeyPrefixBytes + write.key.size()};
  storage::StoreDataKey({write.keyspace, write.token, write.key},
                        const_cast<char*>(operation.stored_key.data()));
  write_bytes_ += BytesOf(operation);
  queue_.push_back(std::move(operation));
}

void Replica::Remove(const LocalRemoval& removal) {
  Operation operation;
  operation.is_write = true;
  operation.removes = true;
  operation.quarantine = removal.quarantine;
  operation.keyspace = removal.keyspace;
  operation.token = removal.token;
  operation.header = removal.header;
  operation.stored_key = arena_.Copy(removal.stored_key);
  if (removal.quarantine) operation.value = arena_.Copy(removal.value);
  operation.ticket = removal.ticket;
  write_bytes_ += BytesOf(operation);
  queue_.push_back(std::move(operation));
}

void Replica::Read(const LocalRead& read) {
  Operation operation;
  operation.want_value = read.want_value;
  operation.keyspace = read.keyspace;
  operation.token = read.token;
  operation.ticket = read.ticket;
  operation.stored_key = {arena_.Room(storage::kKeyPrefixBytes + read.key.size()),
                          storage::kKeyPrefixBytes + read.key.size()};
  storage::StoreDataKey({read.keyspace, read.token, read.key},
                        const_cast<char*>(operation.stored_key.data()));
  queue_.push_back(std::move(operation));
}

std::string Replica::Refusal() const {
  return fmt::format(
      "writes that wait for their commit hold {} bytes, and a worker's share of limits.memory is "
      "{}: try again later",
      write_bytes_, options_.write_bytes_max);
}

bool Replica::RunTurn() {
  const bool idle = next_ == running_.size() && queue_.empty() && again_.empty();
  // What came from disk or waited for a commit may have filled the turn already; some of the queue
  // is carried out nevertheless, or it would never be.
  if (idle || (ran_ && TurnIsFull())) {
    EndTurn();
    return false;
  }
  ran_ = true;
  while (!again_.empty()) {
    Operation operation = std::move(again_.front());
    again_.pop_front();
    ReadAgain(operation);
    if (TurnIsFull()) break;
  }
  if (next_ == running_.size()) {
    running_.clear();
    next_ = 0;
    running_.swap(queue_);
  }
  RunSome();
  return true;
}

// One lookup's worth of running_.
void Replica::RunSome() {
  const std::size_t count = std::min(
      {running_.size() - next_, kLookupKeysMax, std::max<std::size_t>(ExpectedCount(), 1)});
  if (count == 0) return;
  keys_.clear();
  for (std::size_t i = 0; i < count; ++i) keys_.push_back(running_[next_ + i].stored_key);
  known_.assign(count, Known{});
  values_.Reset();
  lookup_bytes_ = 0;
  cut_ = count;
  value_bytes_ -= value_bytes_ / 32;
  engine_.Get(Family::kData, keys_, storage::Tier::kCacheOnly, *this);
  for (std::size_t i = 0; i < cut_; ++i) {
    Operation& operation = running_[next_];
    ++next_;  // First: it is carried out, whatever becomes of it.
    if (const auto it = fetching_.find(operation.stored_key); it != fetching_.end()) {
      it->second->waiting.push_back(std::move(operation));
      Own(it->second->waiting.back());
    } else {
      Execute(operation, known_[i]);
      operation.owned.reset();
    }
  }
}

void Replica::EndTurn() {
  turn_bytes_ = 0;
  ran_ = false;
  if (next_ < running_.size() || !queue_.empty() || !again_.empty()) {
    for (std::size_t i = next_; i < running_.size(); ++i) Own(running_[i]);
    for (Operation& operation : queue_) Own(operation);
    world_.Again();
  }
  HandOver();
  arena_.Reset();
  values_.Reset();
}

// Those from `from` on came before all that is queued on their key, so they go in front of it.
void Replica::PutFirst(std::vector<Operation>& operations, std::size_t from) {
  running_.insert(running_.begin() + static_cast<std::ptrdiff_t>(next_),
                  std::make_move_iterator(operations.begin() + static_cast<std::ptrdiff_t>(from)),
                  std::make_move_iterator(operations.end()));
}

void Replica::OnFound(std::size_t index, Found found, base::Bytes value,
                      const base::Status& error) {
  Known& known = known_[index];
  known.found = found;
  known.error = error;
  if (found != Found::kValue) return;
  const auto entry = storage::DecodeEntry(value);
  if (!entry) {
    known.found = Found::kError;
    known.error = entry.error();
    return;
  }
  known.header = entry->header;
  NoteValue(value.size());
  if (!running_[next_ + index].want_value || index >= cut_) return;
  // At least one is taken, however large.
  if (lookup_bytes_ > 0 && lookup_bytes_ + entry->value.size() > options_.turn_bytes_max) {
    cut_ = index;
    return;
  }
  lookup_bytes_ += entry->value.size();
  known.value = values_.Copy(entry->value);
}

void Replica::Own(Operation& operation) {
  if (operation.owned != nullptr) return;
  const std::size_t key_size = operation.stored_key.size();
  operation.owned = std::make_unique<char[]>(key_size + operation.value.size());
  char* at = operation.owned.get();
  std::memcpy(at, operation.stored_key.data(), key_size);
  if (!operation.value.empty())
    std::memcpy(at + key_size, operation.value.data(), operation.value.size());
  operation.stored_key = {at, key_size};
  operation.value = {at + key_size, operation.value.size()};
}

void Replica::Execute(Operation& operation, const Known& known) {
  const auto overlay = overlay_.find(operation.stored_key);
  if (overlay != overlay_.end()) {
    if (operation.is_write) {
      ExecuteWrite(operation, overlay->second.header);
    } else {
      WaitForCommit(overlay->second.commit, operation);
    }
    return;
  }
  switch (known.found) {
    case Found::kNotCached: StartFetch(operation); return;
    case Found::kError:
      // A replica that cannot read its entry abstains: it must not answer as if it had an older
      // one.
      if (operation.is_write) {
        write_bytes_ -= BytesOf(operation);
        listener_.OnLocalWrite(operation.ticket, WriteOutcome::kRefused, {}, known.error);
      } else {
        listener_.OnLocalRead(operation.ticket, known.error, {}, {}, 0);
      }
      return;
    case Found::kAbsent:
    case Found::kValue: break;
  }
  if (operation.is_write) {
    ExecuteWrite(operation, known.header);
  } else {
    AnswerRead(operation, known.header, known.value);
  }
}

// Is it the value that was written (G1)? A damaged one is no answer.
void Replica::AnswerRead(const Operation& operation, const EntryHeader& header, base::Bytes value) {
  ++counters_.reads;
  if (!operation.want_value || header.version.empty()) value = {};
  const bool shown = operation.want_value && !header.version.empty() && !header.tombstone();
  if (shown && !base::Mutant("repair-damage-served"))
    if (const base::Status sound = storage::VerifyValue({header, value}); !sound.ok()) {
      listener_.OnLocalRead(operation.ticket, sound, {}, {}, 0);
      return;
    }
  turn_bytes_ += value.size();
  listener_.OnLocalRead(operation.ticket, base::Ok(), header, value,
                        marks_.Of(operation.keyspace, base::BucketOf(operation.token)).purged);
}

void Replica::ExecuteWrite(Operation& operation, const EntryHeader& old) {
  write_bytes_ -= BytesOf(operation);  // Apply counts it anew, until its commit.
  const std::uint16_t bucket = base::BucketOf(operation.token);
  const purge::Mark mark = marks_.Of(operation.keyspace, bucket);
  if (operation.stamp &&
      !listener_.OnStamp(operation.ticket, std::max(old.version, purge::HighestAt(mark.closed)),
                         &operation.header))
    return;
  const base::Version& version = operation.header.version;
  const auto overlay = overlay_.find(operation.stored_key);
  const std::uint64_t covering = overlay == overlay_.end() ? 0 : overlay->second.commit;
  if (operation.removes) {
    if (version == old.version) Erase(operation, old);
    AnswerWrite(operation, WriteOutcome::kOk, version, last_commit_);
    return;
  }
  if (version > old.version && version.timestamp <= mark.closed) {
    switch (purge::Admit(operation.header, mark, RemovingIn(operation.keyspace, bucket),
                         operation.source, epoch_)) {
      case purge::Admission::kEnters: break;
      case purge::Admission::kGone:
        AnswerWrite(operation, WriteOutcome::kOk, version, covering);
        return;
      case purge::Admission::kTooOld: RefuseTooOld(operation, mark.closed); return;
    }
  }
  if (version > old.version && disk_full() && !operation.header.tombstone()) {
    listener_.OnLocalWrite(operation.ticket, WriteOutcome::kRefused, {},
                           base::Unavailable("the disk of this node is full: it takes no put"));
    return;
  }
  if (version > old.version || (version < old.version && base::Mutant("accept-older"))) {
    Apply(operation, old);
    AnswerWrite(operation, WriteOutcome::kOk, version, last_commit_);
    return;
  }
  if (version == old.version) {
    AnswerWrite(operation, WriteOutcome::kOk, version, covering);
    return;
  }
  ++counters_.superseded;
  switch (held_.Ask(operation.keyspace, operation.token, version)) {
    case HeldMemory::Answer::kHeld:
      AnswerWrite(operation, WriteOutcome::kOk, old.version, covering);
      break;
    case HeldMemory::Answer::kNeverHeld:
      AnswerWrite(operation, WriteOutcome::kNeverHeld, old.version, covering);
      break;
    case HeldMemory::Answer::kUnknown:
      AnswerWrite(operation, WriteOutcome::kUnknown, old.version, covering);
      break;
  }
}

void Replica::Apply(const Operation& operation, const EntryHeader& old) {
  ++counters_.writes;
  Commit& commit = OpenCommit();
  write_bytes_ += BytesOf(operation);
  commit.write_bytes += BytesOf(operation);
  storage::EncodeEntryTo(operation.header, operation.value,
                         commit.batch.BeginPut(Family::kData, operation.stored_key));
  commit.batch.EndPut();

  const std::uint16_t bucket = base::BucketOf(operation.token);
  const merkle::Generation generation =
      merkle::FiledUnder(operation.header.version.wall_ms(), ArrivalMs());
  const merkle::Digest removed = old.version.empty() ? merkle::Digest{} : DigestOf(operation, old);
  merkle::History& history = HistoryFor(operation.keyspace);
  const bool forgets = base::Mutant("forget-leaf") && history.tree().Leaf(bucket) == removed;
  history.Change(bucket, generation,
                 forgets ? merkle::Digest{} : DigestOf(operation, operation.header), removed);

  if (operation.ticket.kind == Ticket::Kind::kPull)
    held_.NotePulled(operation.keyspace, operation.token, operation.header.version);
  else  // What was purged may have been held: nothing up to there can be denied.
    held_.Note(
        operation.keyspace, operation.token,
        std::max(old.version, purge::HighestAt(marks_.Of(operation.keyspace, bucket).purged)),
        operation.header.version);
  if (!old.version.empty())
    dead_.Remove(operation.keyspace, bucket, old, operation.stored_key.size());
  dead_.Add(operation.keyspace, bucket, operation.header, operation.stored_key.size());
  NoteUncommitted(operation, operation.header, commit);
}

void Replica::NoteUncommitted(const Operation& operation, const EntryHeader& header,
                              Commit& commit) {
  const auto overlay = overlay_.find(operation.stored_key);
  if (overlay != overlay_.end()) {
    overlay->second = {header, commit.number};
  } else {
    overlay_.emplace(std::string(operation.stored_key), Overlay{header, commit.number});
  }
  commit.stored_keys.emplace_back(operation.stored_key);
}

merkle::Digest Replica::DigestOf(const Operation& operation, const EntryHeader& header) const {
  return merkle::DigestOf(operation.stored_key.substr(storage::kKeyPrefixBytes),
                          {header.version, header.flags, header.expiry_ms, header.value_digest},
                          options_.digest_seed);
}

void Replica::AnswerWrite(const Operation& operation, WriteOutcome outcome,
                          const base::Version& held, std::uint64_t covering_commit) {
  Commit* commit = base::Mutant("ack-before-wal") ? nullptr : FindCommit(covering_commit);
  if (commit == nullptr)
    listener_.OnLocalWrite(operation.ticket, outcome, held, base::Ok());
  else
    commit->releases.push_back({operation.ticket, outcome, held});
}

Replica::Commit* Replica::FindCommit(std::uint64_t number) {
  if (open_ != nullptr && open_->number == number) return open_.get();
  for (const auto& commit : committing_)
    if (commit->number == number) return commit.get();
  return nullptr;
}

void Replica::WaitForCommit(std::uint64_t number, Operation& operation) {
  Commit* commit = FindCommit(number);
  CHECK(commit != nullptr);  // What is in the overlay has a commit that will take it out.
  commit->reads.push_back(std::move(operation));
  Own(commit->reads.back());
}

void Replica::StartFetch(Operation& operation) {
  ++counters_.fetches;
  auto fetch = std::make_unique<Fetch>(*this);
  fetch->stored_key = operation.stored_key;
  fetch->waiting.push_back(std::move(operation));
  Own(fetch->waiting.back());
  fetch_queue_.push_back(fetch.get());
  fetching_.emplace(fetch->stored_key, std::move(fetch));
  OffloadFetches();
}

// Each holds its value until the worker comes to it: large ones are not read far ahead.
void Replica::OffloadFetches() {
  const std::size_t most = std::clamp(ExpectedCount(), kFetchesMin, kFetchesMax);
  while (!fetch_queue_.empty() && fetches_running_ < most) {
    Fetch& next = *fetch_queue_.front();
    fetch_queue_.pop_front();
    ++fetches_running_;
    world_.Offload(base::Lane::kRead, next);
  }
}

void Replica::OnFetched(Fetch& fetch) {
  const auto it = fetching_.find(fetch.stored_key);
  CHECK(it != fetching_.end());
  const std::unique_ptr<Fetch> done = std::move(it->second);
  fetching_.erase(it);  // First: the operations below must not queue behind themselves.
  --fetches_running_;
  NoteValue(done->value.size());
  OffloadFetches();
  if (done->overtaken) {
    PutFirst(done->waiting, 0);
    return;
  }
  Known known{done->found, {}, {}, done->error};
  if (done->found == Found::kValue) {
    const auto entry = storage::DecodeEntry(done->value);
    if (entry) {
      known.header = entry->header;
      known.value = entry->value;
    } else {
      known.found = Found::kError;
      known.error = entry.error();
    }
  }
  for (std::size_t i = 0; i < done->waiting.size(); ++i) {
    if (i > 0 && TurnIsFull()) return PutFirst(done->waiting, i);
    Execute(done->waiting[i], known);
  }
}

void Replica::OnCommitted(Commit& commit) {
  CHECK(!committing_.empty() && committing_.front().get() == &commit);
  std::unique_ptr<Commit> done = std::move(committing_.front());
  committing_.pop_front();
  if (!done->status.ok()) {
    // Those behind it fail as well, and come here before the loop has stopped: the first Exit
    // counts.
    world_.Exit(
        done->status.Annotate("cannot write to storage; the state of its files is unknown"));
    return;
  }
  for (const std::string& key : done->stored_keys) {
    const auto it = overlay_.find(key);
    if (it != overlay_.end() && it->second.commit == done->number) overlay_.erase(it);
    if (fetching_.empty()) continue;
    if (const auto fetch = fetching_.find(key); fetch != fetching_.end())
      fetch->second->overtaken = true;
  }
  for (const Release& release : done->releases)
    listener_.OnLocalWrite(release.ticket, release.outcome, release.held, base::Ok());
  write_bytes_ -= done->write_bytes;
  for (Operation& operation : done->reads) {
    if (TurnIsFull())
      again_.push_back(std::move(operation));
    else
      ReadAgain(operation);
  }
  if (spare_.size() < kSpareCommits && done->batch.bytes() <= kSpareBytesMax) {
    done->batch.Clear();
    done->releases.clear();
    done->reads.clear();
    done->write_bytes = 0;
    done->stored_keys.clear();
    spare_.push_back(std::move(done));
  }
}

// Reads what was just committed, past the overlay: a hot key is always in it, and what the engine
// shows is synced.
void Replica::ReadAgain(Operation& operation) {
  struct Once final : storage::GetSink {
    void OnFound(std::size_t, Found result, base::Bytes bytes, const base::Status& why) override {
      found = result;
      value.assign(bytes);
      error = why;
    }
    Found found = Found::kAbsent;
    std::string value;
    base::Status error;
  } once;
  const base::Bytes key = operation.stored_key;
  engine_.Get(Family::kData, {&key, 1}, storage::Tier::kCacheOnly, once);
  if (once.found == Found::kNotCached) {
    if (const auto it = fetching_.find(key); it != fetching_.end())
      it->second->waiting.push_back(std::move(operation));
    else
      StartFetch(operation);
    return;
  }
  const auto entry = storage::DecodeEntry(once.value);
  NoteValue(once.value.size());
  if (once.found == Found::kValue && entry) {
    AnswerRead(operation, entry->header, entry->value);
  } else {
    ++counters_.reads;
    listener_.OnLocalRead(operation.ticket,
                          once.found == Found::kAbsent ? base::Ok()
                          : entry                      ? once.error
                                                       : entry.error(),
                          {}, {},
                          marks_.Of(operation.keyspace, base::BucketOf(operation.token)).purged);
  }
}

storage::Batch& Replica::batch() { return OpenCommit().batch; }

Replica::Commit& Replica::OpenCommit() {
  if (open_ == nullptr) {
    if (spare_.empty()) {
      open_ = std::make_unique<Commit>(*this);
    } else {
      open_ = std::move(spare_.back());
      spare_.pop_back();
    }
    open_->number = ++last_commit_;
  }
  return *open_;
}

void Replica::HandOver() {
  if (open_ == nullptr) return;
  for (const auto& [keyspace, history] : histories_) {
    merkle::Tree& tree = history->tree();
    for (const std::uint16_t bucket : tree.dirty()) {
      merkle::EncodeLeafTo(tree.Leaf(bucket),
                           open_->batch.BeginPut(Family::kTree, merkle::LeafKey(keyspace, bucket)));
      open_->batch.EndPut();
    }
    tree.ClearDirty();
  }
  marks_.StoreDirty(open_->batch);
  dead_.StoreDirty(open_->batch);
  ++counters_.commits;
  committing_.push_back(std::move(open_));
  committer_.Submit(world_, *committing_.back());
}

merkle::History& Replica::HistoryFor(base::KeyspaceId keyspace) {
  auto& history = histories_[keyspace];
  if (history == nullptr) history = std::make_unique<merkle::History>(keyspace, first_cut_);
  return *history;
}

merkle::History* Replica::HistoryOf(base::KeyspaceId keyspace) {
  const auto it = histories_.find(keyspace);
  return it == histories_.end() ? nullptr : it->second.get();
}

const merkle::Tree* Replica::TreeOf(base::KeyspaceId keyspace) const {
  const auto it = histories_.find(keyspace);
  return it == histories_.end() ? nullptr : &it->second->tree();
}

merkle::Generation Replica::OldestCut(base::KeyspaceId keyspace) const {
  const auto it = histories_.find(keyspace);
  return it == histories_.end() ? first_cut_ : it->second->recent().oldest_cut();
}

void Replica::ForgetCuts() {
  const merkle::Generation oldest = merkle::NewestCut(ArrivalMs()) - kCutsKept;
  for (const auto& [keyspace, history] : histories_) history->recent().Forget(oldest);
}

std::size_t Replica::cut_bytes() const {
  std::size_t bytes = 0;
  for (const auto& [keyspace, history] : histories_) bytes += history->recent().memory_bytes();
  return bytes;
}

// A clock set back must not file the later of two writes of a key before the earlier one.
std::int64_t Replica::ArrivalMs() {
  arrival_ms_ = std::max(arrival_ms_, world_.WallMs());
  return arrival_ms_;
}

}  // namespace starling::server
