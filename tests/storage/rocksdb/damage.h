// tests/storage/rocksdb/damage.h: databases of entries whose tables are hurt, and what is left.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/place.h"
#include "storage/engine.h"
#include "storage/irreplaceable.h"
#include "storage/rocksdb/damaged_tables.h"
#include "tests/storage/rocksdb/rocksdb_machine.h"
#include "tests/storage/rocksdb/unsynced_fs.h"

namespace starling::storage {

// What is stored under the key of number `number`; of a keyspace its keys are in no order.
std::string KeyOf(int number, base::KeyspaceId keyspace = 1);
std::string EntryOf(int number, std::uint32_t version);

// Every `step`th of `count` entries of that version, in a table of their own; and a record.
void Fill(Engine& engine, std::uint32_t version, int count, int step = 1,
          base::KeyspaceId keyspace = 1);

std::string LargestTable(const std::string& directory);
void FlipBit(const std::string& path, double share);

base::Result<TakenOut> TakeOut(const std::string& directory, const Irreplaceable& keep = {},
                               std::shared_ptr<UnsyncedFs> fs = nullptr);
// All of Family::kData.
std::map<std::string, std::string> AllOf(Engine& engine);

}  // namespace starling::storage
