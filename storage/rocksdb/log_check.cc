#include "storage/rocksdb/log_check.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/log.h"

namespace starling::storage {
namespace {

using base::LoadLittle;

// RocksDB's log format, which every version reads: blocks of 32 KiB; in them pieces of
// checksum u32 | length u16 | kind u8 | bytes. A record is one whole piece, or a first one, middle
// ones and a last one. It begins with the sequence number of its first change u64, and how many
// there are u32.
constexpr std::size_t kBlockBytes = 32 * 1024;
constexpr std::size_t kPieceHeadBytes = 7;
constexpr std::size_t kLengthAt = 4, kKindAt = 6;
constexpr std::size_t kRecordHeadBytes = 12;
constexpr std::size_t kCountAt = 8;
enum PieceKind : std::uint8_t { kWhole = 1, kFirst = 2, kMiddle = 3, kLast = 4 };

using CrcTables = std::array<std::array<std::uint32_t, 256>, 8>;

// CRC32C by eight bytes at once: RocksDB's own is not among its public headers.
constexpr CrcTables MakeCrcTables() {
  constexpr std::uint32_t kPolynomial = 0x82f63b78;
  CrcTables tables{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
    tables[0][i] = crc;
  }
  for (std::size_t table = 1; table < tables.size(); ++table)
    for (std::size_t i = 0; i < 256; ++i) {
      const std::uint32_t before = tables[table - 1][i];
      tables[table][i] = (before >> 8) ^ tables[0][before & 0xff];
    }
  return tables;
}
constexpr CrcTables kCrc = MakeCrcTables();

std::uint32_t Crc32c(base::Bytes bytes) {
  std::uint32_t crc = ~std::uint32_t{0};
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
    const std::uint64_t eight = LoadLittle<std::uint64_t>(bytes.data()) ^ crc;
    crc = 0;
    for (std::size_t i = 0; i < 8; ++i) crc ^= kCrc[7 - i][(eight >> (8 * i)) & 0xff];
  }
  for (const char byte : bytes)
    crc = (crc >> 8) ^ kCrc[0][(crc ^ static_cast<std::uint8_t>(byte)) & 0xff];
  return ~crc;
}

// As it is stored: rotated, so that the checksum of bytes that hold one is no trap.
std::uint32_t Masked(std::uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8; }

struct Piece {
  PieceKind kind;
  base::Bytes bytes;
};

// The piece at the start of what is left of a block, if it is sound.
std::optional<Piece> ReadPiece(base::Bytes block) {
  if (block.size() < kPieceHeadBytes) return std::nullopt;
  const auto kind = static_cast<std::uint8_t>(block[kKindAt]);
  const std::size_t length = LoadLittle<std::uint16_t>(block.data() + kLengthAt);
  if (kind < kWhole || kind > kLast) return std::nullopt;
  if (length > block.size() - kPieceHeadBytes) return std::nullopt;
  const std::uint32_t crc = Crc32c(block.substr(kKindAt, 1 + length));
  if (LoadLittle<std::uint32_t>(block.data()) != Masked(crc)) return std::nullopt;
  return Piece{static_cast<PieceKind>(kind), block.substr(kPieceHeadBytes, length)};
}

// Follows the records of all logs, in order.
class Follower {
 public:
  // `sequence`: of the last change in tables.
  Follower(std::string directory, std::uint64_t sequence)
      : directory_(std::move(directory)), in_tables_(sequence) {}

  void BeginLog(std::string name) {
    name_ = std::move(name);
    offset_ = 0;
    record_.reset();
  }
  base::Status Block(base::Bytes block);
  void EndLog() {
    if (record_) NoteGap(offset_);  // It was never finished.
  }
  // Where what can be read ends, if not at the end of a log.
  const std::string& gap() const { return gap_; }

 private:
  void NoteGap(std::uint64_t at) {
    record_.reset();
    if (gap_.empty()) gap_ = fmt::format("{}/{} at byte {}", directory_, name_, at);
  }
  base::Status OnRecord(base::Bytes head);

  const std::string directory_;
  const std::uint64_t in_tables_;
  std::string name_;
  std::uint64_t offset_ = 0;           // Of the block in its log.
  std::optional<std::string> record_;  // The head of one whose last piece was not read yet.
  std::uint64_t next_ = 0;             // The sequence number that follows; 0: nothing was read yet.
  std::string gap_;  // Where the first unreadable bytes lie, if nothing followed yet.
};

base::Status Follower::Block(base::Bytes block) {
  std::size_t at = 0;
  while (block.size() - at >= kPieceHeadBytes) {
    const auto piece = ReadPiece(block.substr(at));
    if (!piece) {
      // Its length may be what was damaged: the next one can begin anywhere.
      if (block.find_first_not_of('\0', at) == base::Bytes::npos)
        at = block.size() - 1;
      else
        NoteGap(offset_ + at);
      ++at;
      continue;
    }
    if (piece->kind == kWhole || piece->kind == kFirst) {
      if (record_) NoteGap(offset_ + at);
      record_.emplace();
    }
    if (record_) record_->append(piece->bytes.substr(0, kRecordHeadBytes - record_->size()));
    if ((piece->kind == kWhole || piece->kind == kLast) && record_) {
      const std::string head = std::move(*record_);
      record_.reset();
      RETURN_IF_ERROR(OnRecord(head));
    }
    at += kPieceHeadBytes + piece->bytes.size();
  }
  if (at < block.size() && block.size() < kBlockBytes) NoteGap(offset_ + at);  // A torn head.
  offset_ += block.size();
  return base::Ok();
}

base::Status Follower::OnRecord(base::Bytes head) {
  if (head.size() < kRecordHeadBytes) return base::Ok();
  const auto sequence = LoadLittle<std::uint64_t>(head.data());
  const auto count = LoadLittle<std::uint32_t>(head.data() + kCountAt);
  if (gap_.empty() && next_ == 0 && sequence > in_tables_ + 1)
    return base::Corruption(
        fmt::format("the tables in {} end with change {}, and the log {} begins with change {}: "
                    "MANIFEST is an older one, or a log is missing",
                    directory_, in_tables_, name_, sequence));
  if (!gap_.empty()) {
    if (sequence > next_)
      return base::Corruption(fmt::format(
          "the log is damaged: {} cannot be read, and what was written later is still there, in "
          "{}/{}",
          gap_, directory_, name_));
    if (sequence < next_) return base::Ok();  // Left over from another log's life.
    gap_.clear();                             // RocksDB went on from here after an earlier start.
  }
  next_ = std::max(next_, sequence + count);
  return base::Ok();
}

// The logs from `first` on by number, which is the order of their records.
std::vector<std::string> LogsOf(const std::vector<std::string>& names, std::uint64_t first) {
  std::vector<std::pair<std::uint64_t, std::string>> logs;
  for (const std::string& name : names) {
    constexpr std::string_view kEnding = ".log";
    std::uint64_t number = 0;
    const char* end = name.data() + name.size();
    const auto [stop, error] = std::from_chars(name.data(), end, number);
    if (error == std::errc() && std::string_view(stop, end) == kEnding && number >= first)
      logs.emplace_back(number, name);
  }
  std::sort(logs.begin(), logs.end());
  std::vector<std::string> sorted;
  sorted.reserve(logs.size());
  for (auto& [number, name] : logs) sorted.push_back(std::move(name));
  return sorted;
}

base::Status FollowLog(rocksdb::Env& env, const std::string& path, Follower& follower) {
  const auto failed = [&path](const rocksdb::Status& status) {
    return base::Io(fmt::format("checking the log {}: {}", path, status.ToString()));
  };
  std::unique_ptr<rocksdb::SequentialFile> file;
  if (const auto status = env.NewSequentialFile(path, &file, rocksdb::EnvOptions()); !status.ok())
    return failed(status);
  std::vector<char> room(kBlockBytes);
  for (;;) {
    rocksdb::Slice block;
    if (const auto status = file->Read(kBlockBytes, &block, room.data()); !status.ok())
      return failed(status);
    RETURN_IF_ERROR(follower.Block({block.data(), block.size()}));
    if (block.size() < kBlockBytes) return base::Ok();
  }
}

}  // namespace

base::Status CheckLogs(rocksdb::Env& env, const std::string& directory, const Manifest& manifest) {
  std::vector<std::string> names;
  const rocksdb::Status listed = env.GetChildren(directory, &names);
  if (listed.IsNotFound()) return base::Ok();
  if (!listed.ok())
    return base::Io(fmt::format("listing the data directory {}: {}", directory, listed.ToString()));
  Follower follower(directory, manifest.sequence);
  for (const std::string& name : LogsOf(names, manifest.first_log)) {
    follower.BeginLog(name);
    RETURN_IF_ERROR(FollowLog(env, fmt::format("{}/{}", directory, name), follower));
    follower.EndLog();
  }
  if (!follower.gap().empty())
    base::log::Warn("storage",
                    "the log ends in a record that was not finished, {}: what a crash or a power "
                    "loss leaves behind, of writes that were not synced",
                    follower.gap());
  return base::Ok();
}

}  // namespace starling::storage
