// tests/storage/added_tables_suite.h: the part of the engines' suite that is about AddTables.
#pragma once

#include <string>

#include "tests/storage/engine_suite.h"

namespace starling::storage {

void CheckAddedTables(const MakeMachine& make_machine);

// `count` entries with numbered keys after `prefix`, from `first` on.
Entries NumberedEntries(const std::string& prefix, int first, int count, const std::string& value);

}  // namespace starling::storage
