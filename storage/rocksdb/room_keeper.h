// storage/rocksdb/room_keeper.h: keeps room on the disk for what cannot wait.
//
// A log or a flush that finds no room ends the node; a compaction that finds none is made up for,
// and a table that is to be added (storage/rocksdb/table_adder.h) is so by its caller. So these
// end, as on a full disk, before they take the last of the room; and no file is preallocated out of
// it. A preallocation that finds too little room takes all there is for a moment, and a log that
// grows at that moment finds none.
//
// Thread:    any.
// Ownership: it shares the file system that it stands before.
// Read next: storage/rocksdb/rocksdb_engine.cc, docs/storage.md
#pragma once

#include <rocksdb/file_system.h>
#include <rocksdb/listener.h>

#include <cstdint>
#include <memory>
#include <string>

namespace starling::storage {

class RoomKeeper final : public rocksdb::FileSystemWrapper {
 public:
  // How much a compaction, or a table to be added, writes between two looks at the room.
  static constexpr std::uint64_t kLookEveryBytes = std::uint64_t{1} << 20;

  RoomKeeper(const std::shared_ptr<rocksdb::FileSystem>& files, std::uint64_t keep_free_bytes);

  // For DBOptions::listeners: without it no table is known to be a compaction's.
  const std::shared_ptr<rocksdb::EventListener>& listener() const { return listener_; }

  const char* Name() const override { return "RoomKeeper"; }
  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override;

 private:
  class File;
  class Compactions;

  // Whether `bytes` more leave what is to be kept free. True where the file system cannot say.
  bool HasRoomFor(std::uint64_t bytes, const std::string& path);

  const std::uint64_t keep_free_bytes_;
  const std::shared_ptr<Compactions> compactions_;
  const std::shared_ptr<rocksdb::EventListener> listener_;
};

}  // namespace starling::storage
