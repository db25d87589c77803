#include "merkle/stored_trees.h"

#include <fmt/core.h>

#include <iterator>

namespace starling::merkle {

Tree& StoredTrees::TreeOf(base::KeyspaceId keyspace) {
  std::unique_ptr<Tree>& tree = trees_[keyspace];
  if (tree == nullptr) tree = std::make_unique<Tree>(keyspace);
  return *tree;
}

base::Status StoredTrees::Take(base::Bytes key, base::Bytes value) {
  switch (key.size()) {
    case kPageKeyBytes: {
      ASSIGN_OR_RETURN(const PagePlace place, ParsePageKey(key));
      return LoadPage(value, place.slice, TreeOf(place.keyspace));
    }
    case kLeafKeyBytes: {
      ASSIGN_OR_RETURN(const LeafPlace place, ParseLeafKey(key));
      ASSIGN_OR_RETURN(const Digest leaf, DecodeLeaf(value));
      leaves_.emplace_back(place, leaf);
      leaf_keys_.emplace_back(key);
      return base::Ok();
    }
    default: {
      ASSIGN_OR_RETURN(const JournalSlot slot, ParseJournalKey(key));
      ASSIGN_OR_RETURN(const JournalHeader header, JournalHeader::Decode(value));
      journal_keys_.emplace_back(key);
      const bool fresh = streams_[slot.stream].emplace(header.number, value).second;
      if (fresh) return base::Ok();
      return base::Corruption(
          fmt::format("the trees' journal has its record {} twice", header.number));
    }
  }
}

base::Status StoredTrees::Finish() {
  for (const auto& [stream, records] : streams_) RETURN_IF_ERROR(ApplyStream(records));
  streams_.clear();
  for (const auto& [place, leaf] : leaves_) Set(place.keyspace, place.bucket, leaf);
  leaves_.clear();
  return base::Ok();
}

base::Status StoredTrees::ApplyStream(const Records& records) {
  ASSIGN_OR_RETURN(const JournalHeader last, JournalHeader::Decode(records.rbegin()->second));
  const auto first = records.lower_bound(last.oldest);
  const auto there = static_cast<std::uint64_t>(std::distance(first, records.end()));
  const std::uint64_t needed = last.number - last.oldest + 1;
  if (there != needed)
    return base::Corruption(
        fmt::format("of the records {} to {} of the trees' journal, {} are lost", last.oldest,
                    last.number, needed - there));
  for (auto it = first; it != records.end(); ++it)
    RETURN_IF_ERROR(
        ForEachChanged(it->second, [this](base::KeyspaceId keyspace, std::uint16_t bucket,
                                          const Digest& leaf) { Set(keyspace, bucket, leaf); }));
  return base::Ok();
}

void StoredTrees::Set(base::KeyspaceId keyspace, std::uint16_t bucket, const Digest& leaf) {
  TreeOf(keyspace).Load(bucket, leaf);
  changed_.insert({keyspace, base::SliceOf(bucket)});
}

}  // namespace starling::merkle
