#include "merkle/records.h"

#include <fmt/core.h>

namespace starling::merkle {
namespace {

base::Status WrongSize(std::string_view what, base::Bytes bytes, std::size_t expected) {
  return base::Corruption(
      fmt::format("{} {} has {} bytes, not {}", what, base::ToHex(bytes), bytes.size(), expected));
}

}  // namespace

std::string PageKey(const PagePlace& place) {
  std::string key;
  base::AppendBig(key, place.keyspace);
  key.push_back(static_cast<char>(place.slice));
  return key;
}

base::Result<PagePlace> ParsePageKey(base::Bytes key) {
  if (key.size() != kPageKeyBytes)
    return base::Fail(WrongSize("the key of a page's record", key, kPageKeyBytes));
  return PagePlace{base::LoadBig<base::KeyspaceId>(key.data()),
                   static_cast<std::uint8_t>(key.back())};
}

void EncodePageTo(const Tree& tree, std::uint8_t slice, std::string& out) {
  std::size_t at = out.size();
  out.resize(at + kPageBytes);
  for (std::uint32_t leaf = 0; leaf < base::kLeavesPerSlice; ++leaf) {
    tree.Leaf(base::BucketAt(slice, static_cast<std::uint8_t>(leaf))).StoreTo(out.data() + at);
    at += Digest::kSize;
  }
}

base::Status LoadPage(base::Bytes value, std::uint8_t slice, Tree& tree) {
  if (value.size() != kPageBytes)
    return base::Corruption(
        fmt::format("a page's record has {} bytes, not {}", value.size(), kPageBytes));
  for (std::uint32_t leaf = 0; leaf < base::kLeavesPerSlice; ++leaf)
    tree.Load(base::BucketAt(slice, static_cast<std::uint8_t>(leaf)),
              Digest::LoadFrom(value.data() + leaf * Digest::kSize));
  return base::Ok();
}

std::string JournalKey(const JournalSlot& slot) {
  std::string key;
  base::AppendBig(key, slot.stream);
  base::AppendBig(key, slot.slot);
  return key;
}

base::Result<JournalSlot> ParseJournalKey(base::Bytes key) {
  if (key.size() != kJournalKeyBytes)
    return base::Fail(WrongSize("the key of a journal's record", key, kJournalKeyBytes));
  return JournalSlot{base::LoadBig<std::uint16_t>(key.data()),
                     base::LoadBig<std::uint16_t>(key.data() + sizeof(std::uint16_t))};
}

void JournalHeader::StoreTo(char* at) const {
  base::StoreLittle(at, number);
  base::StoreLittle(at + sizeof number, oldest);
}

base::Result<JournalHeader> JournalHeader::Decode(base::Bytes record) {
  if (record.size() < kSize) return base::Fail(internal::JournalIsCutOff());
  const JournalHeader header{base::LoadLittle<std::uint64_t>(record.data()),
                             base::LoadLittle<std::uint64_t>(record.data() + sizeof number)};
  if (header.oldest == 0 || header.oldest > header.number)
    return base::Fail(base::Corruption(fmt::format(
        "record {} of the trees' journal needs those from {} on", header.number, header.oldest)));
  return header;
}

void AppendChanged(const Tree& tree, std::string& record) {
  const auto leaves = static_cast<std::uint32_t>(tree.dirty().size());
  std::size_t at = record.size();
  record.resize(at + internal::kRunHeaderBytes + leaves * internal::kChangedBytes);
  base::StoreLittle(record.data() + at, tree.keyspace());
  base::StoreLittle(record.data() + at + sizeof(base::KeyspaceId), leaves);
  at += internal::kRunHeaderBytes;
  for (const std::uint16_t bucket : tree.dirty()) {
    base::StoreLittle(record.data() + at, bucket);
    tree.Leaf(bucket).StoreTo(record.data() + at + sizeof bucket);
    at += internal::kChangedBytes;
  }
}

base::Status internal::JournalIsCutOff() {
  return base::Corruption("a record of the trees' journal is cut off");
}

}  // namespace starling::merkle
