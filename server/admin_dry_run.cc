// server/admin_dry_run.cc: what `nodetool flush` and `compact` would write.
#include "server/admin.h"
#include "server/control.h"

namespace starling::server {

using base::Json;

Json Admin::DryFlush() const {
  Json families = Json::Array();
  std::uint64_t bytes = 0;
  for (const storage::FamilySize& family : control_.shared_.engine.Families()) {
    bytes += family.memtable_bytes;
    families.Append({{"family", family.name},
                     {"changes", family.memtable_entries},
                     {"in_memory_bytes", family.memtable_bytes}});
  }
  return {{"dry_run", true}, {"in_memory_bytes", bytes}, {"families", families}};
}

// All tables are merged anew, each family by itself, and what is in memory is flushed before. Until
// a family is done its old tables stay: the disk needs room for the largest one again.
Json Admin::DryCompact() const {
  Json families = Json::Array();
  std::uint64_t tables = 0, on_disk = 0, in_memory = 0;
  for (const storage::FamilySize& family : control_.shared_.engine.Families()) {
    tables += family.tables;
    on_disk += family.table_bytes;
    in_memory += family.memtable_bytes;
    families.Append({{"family", family.name},
                     {"tables", family.tables},
                     {"on_disk_bytes", family.table_bytes},
                     {"in_memory_bytes", family.memtable_bytes}});
  }
  return {{"dry_run", true},
          {"tables", tables},
          {"on_disk_bytes", on_disk},
          {"in_memory_bytes", in_memory},
          {"disk_free_bytes", control_.disk_.space().free_bytes},
          {"families", families}};
}

}  // namespace starling::server
