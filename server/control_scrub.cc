// server/control_scrub.cc: reads the tables in the background, and has what is damaged rebuilt.
//
// Damage is a loss like others: what this node acknowledged may be in it. So the node begins
// another life, which takes the damaged tables out and is named as back
// (server/control_absence.cc); until it has compared with the others it serves no read.
#include <fmt/core.h>

#include <algorithm>

#include "base/log.h"
#include "base/mutants.h"
#include "server/control_jobs.h"

namespace starling::server {
namespace {

// Nodes take turns, so that two which find damage at once do not both stop serving.
constexpr std::int64_t kTurnMs = 10'000;
constexpr std::int64_t kBeginWithinMs = 2'000;  // Of its turn: the others have to hear of it.
constexpr std::string_view kOnYourWord =
    " (to go on without what cannot be read, start this node once with --accept-data-loss)";

}  // namespace

void Control::ScrubJob::Done() {
  const auto done = std::move(control.scrub_job_);
  if (status.code() == base::Code::kCorruption)
    base::log::Error("scrub", "damage found: {}", status.message());
  else if (!status.ok() && status.code() != base::Code::kNotFound)
    base::log::Warn("scrub", "a table could not be looked at: {}", status.message());
  // It may have been begun anew meanwhile.
  if (control.scrub_pass_ == pass)
    control.scrub_.OnRead(control.world_.Now(), control.world_.WallMs(), status);
}

void Control::ScrubSoon() {
  const base::Instant now = world_.Now();
  if (shared_.met_damage.Take() && scrub_.damage().empty() && scrub_.Hurry(now))
    base::log::Warn("scrub", "somebody met data that cannot be read: all tables are looked at");
  if (scrub_.Due(now)) {
    ++scrub_pass_;
    scrub_.Begin(now, world_.WallMs(), shared_.engine.Tables());
  }
  const storage::Table* next = scrub_job_ == nullptr ? scrub_.Next(now) : nullptr;
  if (next != nullptr) {
    scrub_job_ = std::make_unique<ScrubJob>(*this, next->name, scrub_pass_);
    world_.Offload(base::Lane::kMaintenance, *scrub_job_);
  }
  HealDamage();
}

// Why not, or empty.
std::string Control::WhyNotHeal() const {
  // What is wrong with it is not what a start can see, or comes and goes.
  std::string again =
      WhyNotAgain(shared_.identity.healed_in_vain, scrub_.damaged_table(), world_.WallMs());
  if (!again.empty()) return again;
  const auto members = snapshot_->topology->members();
  // What is taken out could let an older version show, which nobody would correct.
  if (members.size() == 1) return fmt::format("no other node has the data{}", kOnYourWord);
  if (const storage::Irreplaceable lone = IrreplaceableIn(*snapshot_->topology); lone.any())
    return fmt::format("{} one replica{}", lone.Have(), kOnYourWord);
  // After a loss it serves nothing that could show, and cannot catch up with what it cannot read.
  if (loss_.any()) return {};
  if (!serves()) return "this node is catching up";
  for (const topology::Node* member : members)
    if (member->host != shared_.identity.host && (!SeemsAlive(*member) || !LookOf(*member).ready))
      return fmt::format("{} is not up and ready", member->cluster.ToString());
  return {};
}

void Control::HealDamage() {
  if (scrub_.damage().empty() || found_loss_ || base::Mutant("repair-damage-left")) return;
  const std::string why = WhyNotHeal();
  if (!why.empty() && why != heal_waits_for_)
    base::log::Warn("scrub", "the damage stays for now, as {}: {}", why, scrub_.damage());
  heal_waits_for_ = why;
  if (!why.empty()) return;
  const auto members = snapshot_->topology->members();
  const auto count = static_cast<std::int64_t>(members.size());
  const auto mine = std::find_if(members.begin(), members.end(),
                                 [&](const topology::Node* each) {
                                   return each->host == shared_.identity.host;
                                 }) -
                    members.begin();
  const std::int64_t wall_ms = world_.WallMs();
  if (wall_ms / kTurnMs % count != mine || wall_ms % kTurnMs > kBeginWithinMs) return;
  shared_.ended_for = scrub_.damaged_table();
  FoundLoss({}, scrub_.damage());
}

}  // namespace starling::server
