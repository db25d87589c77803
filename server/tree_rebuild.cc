#include "server/tree_rebuild.h"

#include <fmt/core.h>

#include <string>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "server/tree_making.h"
#include "server/tree_page.h"

namespace starling::server {

using storage::Family;

void UnmakeTrees(storage::Batch& batch, DamagedEntries damaged) {
  for (std::uint32_t slice = 0; slice < base::kSlices; ++slice)
    batch.Put(Family::kMeta, TreeMaking::RecordKey(static_cast<std::uint8_t>(slice)),
              TreeMaking::RecordOf(damaged));
}

base::Status CheckTreesMade(storage::Engine& engine) {
  const base::Bytes prefix = TreeMaking::kPrefix;
  std::size_t left = 0;
  const auto cursor = engine.Scan(Family::kMeta, prefix, {});
  for (cursor->Seek(prefix); cursor->Valid() && cursor->key().starts_with(prefix); cursor->Next())
    ++left;
  RETURN_IF_ERROR(cursor->status());
  if (left == 0) return base::Ok();
  return TreesUnmade(left);
}

base::Status TreesUnmade(std::size_t slices) {
  return base::FailedPrecondition(
      fmt::format("the trees of {} of {} slices are being made anew: try again once netstats says "
                  "that none is left",
                  slices, base::kSlices));
}

struct TreeRebuild::PageJob final : base::Job {
  PageJob(TreeRebuild& home, TreeMaking::Step begun)
      : rebuild(home), step(std::move(begun)), seed(home.parts_.replica.digest_seed()) {}
  void Run() noexcept override {
    page = ReadTreePage(rebuild.parts_.engine, step.slice, step.from, seed, rebuild.parts_.limits);
  }
  void Done() override { rebuild.OnPage(*this); }

  TreeRebuild& rebuild;
  const TreeMaking::Step step;
  const std::uint64_t seed;
  TreePage page;
};

TreeRebuild::TreeRebuild(const TreeRebuildParts& parts) : parts_(parts) {}
TreeRebuild::~TreeRebuild() = default;

void TreeRebuild::Start() {
  if (started_) return;
  started_ = true;
  slices_ = parts_.replica.making().left();
  began_ = told_ = parts_.world.Now();
  if (slices_ > 0)
    base::log::Info("storage", "the trees of {} slices are made anew from their entries", slices_);
}

void TreeRebuild::OnTurnEnd() {
  if (!started_ || job_ != nullptr || parts_.replica.making().left() == 0) return;
  const base::Instant now = parts_.world.Now();
  if (now < not_before_ || !parts_.replica.HasRoomForRepair() || !parts_.rate.Ready(now)) return;
  job_ = std::make_unique<PageJob>(*this, parts_.replica.BeginTreeStep());
  parts_.world.Offload(base::Lane::kBackground, *job_);
}

void TreeRebuild::OnPage(PageJob& job) {
  CHECK(job_.get() == &job);
  const std::unique_ptr<PageJob> done = std::move(job_);
  const TreePage& page = done->page;
  const base::Instant now = parts_.world.Now();
  parts_.rate.Count(now, page.bytes_read);
  if (!page.status.ok()) {
    if (parts_.replica.making().put_aside() == 0)  // Of several, the first each time.
      base::log::Warn("storage", "the trees of slice {:02x} cannot be made anew yet: {}",
                      done->step.slice, page.status.message());
    parts_.met_damage.Note(page.status);
    if (!parts_.replica.GiveUpTreeStep()) not_before_ = now + kAgainAfter;
    return;
  }
  if (page.damaged > 0) NoteDamage(done->step.slice, page);
  entries_ += page.found.size();
  parts_.replica.EndTreeStep(done->step.slice, page);
  Tell(now);
}

void TreeRebuild::NoteDamage(std::uint8_t slice, const TreePage& page) {
  const bool drops = parts_.replica.making().damaged(slice) == DamagedEntries::kDrop;
  base::log::Warn("storage", "{} damaged entries of slice {:02x}{}, the first: {}", page.damaged,
                  slice, drops ? " are removed" : "", page.first_damage.message());
  if (!drops) parts_.met_damage.Note(page.first_damage);
}

void TreeRebuild::Tell(base::Instant now) {
  const std::size_t left = parts_.replica.making().left();
  if (left > 0 && now < told_ + kTellEvery) return;
  told_ = now;
  base::log::Info("storage", "the trees of {} of {} slices are made anew, of {} entries in {} ms",
                  slices_ - left, slices_, entries_, base::ToMs(now - began_));
}

SliceProgress TreeRebuild::progress() const {
  const std::size_t left = parts_.replica.making().left();
  if (!started_ || left == 0) return {left, 0, {}};
  return {slices_, slices_ - left, parts_.world.Now() - began_};
}

}  // namespace starling::server
