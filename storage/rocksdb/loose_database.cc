#include "storage/rocksdb/loose_database.h"

#include <fmt/core.h>

#include "storage/rocksdb/to_status.h"
#include "storage/rocksdb/tuning.h"

namespace starling::storage {

Files::Files(const RocksDbOptions& options)
    : own_(options.file_system ? rocksdb::NewCompositeEnv(options.file_system) : nullptr) {}

rocksdb::DBOptions LooseOptions(const RocksDbOptions& options, const Files& files) {
  rocksdb::DBOptions database = DatabaseOptions(options, &files.env());
  database.create_if_missing = false;
  database.create_missing_column_families = false;
  database.paranoid_checks = false;
  return database;
}

std::vector<rocksdb::ColumnFamilyDescriptor> LooseFamilies(const RocksDbOptions& options) {
  auto families = FamilyDescriptors(options);
  for (auto& family : families) family.options.disable_auto_compactions = true;
  return families;
}

LooseDatabase::~LooseDatabase() {
  for (rocksdb::ColumnFamilyHandle* family : families)
    db->DestroyColumnFamilyHandle(family).PermitUncheckedError();  // Frees memory only.
}

rocksdb::ColumnFamilyHandle* LooseDatabase::Family(const std::string& name) const {
  for (rocksdb::ColumnFamilyHandle* family : families)
    if (family->GetName() == name) return family;
  return nullptr;
}

rocksdb::ColumnFamilyOptions LooseDatabase::OptionsOf(const std::string& name) const {
  for (const auto& descriptor : descriptors)
    if (descriptor.name == name) return descriptor.options;
  return {};
}

base::Result<LooseDatabase> OpenLoosely(const RocksDbOptions& options, const Files& files,
                                        Mode mode) {
  LooseDatabase opened;
  opened.descriptors = LooseFamilies(options);
  const rocksdb::DBOptions database = LooseOptions(options, files);
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status =
      mode == Mode::kRead ? rocksdb::DB::OpenForReadOnly(database, options.directory,
                                                         opened.descriptors, &opened.families, &db)
                          : rocksdb::DB::Open(database, options.directory, opened.descriptors,
                                              &opened.families, &db);
  opened.db.reset(db);
  RETURN_IF_ERROR(
      ToOpenStatus(status, fmt::format("opening {} beside its damaged tables", options.directory)));
  return opened;
}

}  // namespace starling::storage
