// server/control_seeds.cc: looking up the names of seeds, and what follows when they lead
// elsewhere.
#include <algorithm>

#include "base/log.h"
#include "server/control.h"
#include "server/control_jobs.h"

namespace starling::server {
namespace {

constexpr base::Duration kLookUpSoon = base::seconds(2);         // While the seeds are needed,
constexpr base::Duration kLookUpNowAndThen = base::seconds(60);  // and else.
constexpr base::Duration kSayGap = base::seconds(10);

}  // namespace

void Control::SeedJob::Done() { control.OnSeedsLookedUp(); }

bool Control::NeedsSeeds() const {
  if (snapshot_ == nullptr || !seed_book_.complete()) return true;
  const auto members = snapshot_->topology->members();
  return std::ranges::none_of(members, [this](const topology::Node* member) {
    return member->host != shared_.identity.host && SeemsAlive(*member);
  });
}

// Off the loop, since resolvers block; the maintenance lane, since nobody waits for what is there.
void Control::LookUpSeeds() {
  const base::Instant now = world_.Now();
  if (seed_job_ != nullptr || now < next_look_up_) return;
  std::vector<std::string> names = seed_book_.names();
  next_look_up_ = names.empty() ? base::Instant::Never()
                                : now + (NeedsSeeds() ? kLookUpSoon : kLookUpNowAndThen);
  if (names.empty()) return;
  seed_job_ = std::make_unique<SeedJob>(*this, std::move(names));
  world_.Offload(base::Lane::kMaintenance, *seed_job_);
}

void Control::OnSeedsLookedUp() {
  const std::unique_ptr<SeedJob> done = std::move(seed_job_);
  const bool changed = seed_book_.Learn(done->found);
  const base::Instant now = world_.Now();
  if (!seed_book_.complete() && now >= next_seed_word_) {
    next_seed_word_ = now + kSayGap;
    base::log::Warn("seeds", "{}; trying again", seed_book_.problem());
  }
  if (changed) {
    std::string list;
    for (const base::Address seed : seed_book_.addresses())
      list += (list.empty() ? "" : ", ") + seed.ToString();
    base::log::Info("seeds", "now at {}", list);
  }
  if (joining_)
    for (const base::Address seed : seed_book_.addresses())
      joining_->AddContact(seed, self_.cluster);
  if (changed && gossip_ != nullptr) JoinGossip();
  if (acceptor_->known() == nullptr && snapshot_ == nullptr && !joining_) FoundBySeeds();
}

// Founding needs all seeds' addresses, and begins anew when they change; not while its proposal is
// under way, which ends by itself.
void Control::FoundBySeeds() {
  if (!seed_book_.complete() || proposer_) return;
  if (founding_ && founding_seeds_ == seed_book_.addresses()) return;
  StartFounding();
}

}  // namespace starling::server
