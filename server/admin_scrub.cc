// server/admin_scrub.cc: `nodetool scrub` and `scrubstatus`: reading all tables in search of
// damage.
#include <algorithm>

#include "server/admin.h"
#include "server/control.h"

namespace starling::server {

using base::Json;

namespace {

std::uint64_t BytesOf(const std::vector<storage::Table>& tables) {
  std::uint64_t bytes = 0;
  for (const storage::Table& table : tables) bytes += table.bytes;
  return bytes;
}

// At that rate; null: as fast as the disk goes.
Json MsFor(std::uint64_t bytes, std::uint64_t bytes_per_second) {
  if (bytes_per_second == 0) return {};
  return static_cast<std::int64_t>(static_cast<double>(bytes) * 1000 /
                                   static_cast<double>(bytes_per_second));
}

}  // namespace

// Answered at once: a pass takes as long as there is data, and goes on whoever asked for it.
void Admin::StartScrub(const ReplyTo& to, bool dry_run) {
  Scrub& scrub = control_.scrub_;
  const std::vector<storage::Table> tables = control_.shared_.engine.Tables();
  if (!dry_run && !scrub.Ask(control_.world_.Now()))
    return Fail(to, base::Overloaded("all tables of this node are being read already: "
                                     "nodetool scrubstatus says how far that is"));
  const std::uint64_t bytes = BytesOf(tables);
  Answer(to, {{"begun", !dry_run},
              {"tables", tables.size()},
              {"size_bytes", bytes},
              {"takes_ms", MsFor(bytes, scrub.options().bytes_per_second)}});
}

Json Admin::ScrubStatus() const {
  const Scrub& scrub = control_.scrub_;
  const ScrubProgress& progress = scrub.progress();
  const bool reading = scrub.running();
  const base::Instant next = scrub.next_pass();
  const base::Duration until = std::max(next - control_.world_.Now(), base::Duration::zero());
  const std::string& damage = scrub.damage();
  const std::string waits = damage.empty() ? std::string() : control_.WhyNotHeal();
  Json damages = Json::Array();
  for (const Scrub::Damage& each : scrub.damages())
    damages.Append({{"table", each.table}, {"problem", each.what}});
  Json left;
  if (reading && !scrub.hurried())
    left = MsFor(progress.bytes_left, scrub.options().bytes_per_second);
  return {
      {"reading", reading},
      {"tables", progress.tables},
      {"tables_read", progress.tables_read},
      {"tables_replaced", progress.tables_replaced},
      {"tables_unread", progress.tables_unread},
      {"why_unread", progress.why_unread.empty() ? Json() : Json(progress.why_unread)},
      {"size_bytes", progress.bytes},
      {"read_bytes", progress.bytes_read},
      {"left_ms", left},
      {"passes", progress.passes},
      {"last_end_ms", progress.last_end_ms < 0 ? Json() : Json(progress.last_end_ms)},
      {"next_in_ms", next == base::Instant::Never() ? Json() : Json(base::ToMs(until))},
      {"damaged_tables", progress.damaged},
      {"damage", damage.empty() ? Json() : Json(damage)},
      {"healing", damage.empty() ? Json()
                                 : Json(waits.empty() ? "waits for its turn: nodes have 10 s each"
                                                      : "waits: " + waits)},
      {"damages_untold", scrub.damages_untold()},
      {"damages", damages}};
}

}  // namespace starling::server
