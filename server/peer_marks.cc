#include "server/peer_marks.h"

#include <algorithm>

#include "base/bytes.h"

namespace starling::server {
namespace {

// Node u32 | boot u64 | sequence u64, little-endian.
constexpr std::size_t kRecordBytes = 20;

}  // namespace

void PeerMarks::Note(base::NodeNumber node, const Mark& mark) {
  if (mark.boot == 0) return;  // Of a program that does not say.
  const std::lock_guard lock(mutex_);
  Mark& kept = marks_[node];
  kept = std::max(kept, mark);
}

Mark PeerMarks::Of(base::NodeNumber node) const {
  const std::lock_guard lock(mutex_);
  const auto found = marks_.find(node);
  return found == marks_.end() ? Mark{} : found->second;
}

std::string PeerMarks::Encode() const {
  const std::lock_guard lock(mutex_);
  std::string out;
  for (const auto& [node, mark] : marks_) {
    base::AppendLittle(out, static_cast<std::uint32_t>(node));
    base::AppendLittle(out, mark.boot);
    base::AppendLittle(out, mark.sequence);
  }
  return out;
}

base::Status PeerMarks::Load(base::Bytes bytes) {
  if (bytes.size() % kRecordBytes != 0)
    return base::Corruption("the record 'peer_marks' has a length that none has");
  for (; !bytes.empty(); bytes.remove_prefix(kRecordBytes))
    Note(base::LoadLittle<std::uint32_t>(bytes.data()),
         {base::LoadLittle<std::uint64_t>(bytes.data() + 4),
          base::LoadLittle<std::uint64_t>(bytes.data() + 12)});
  return base::Ok();
}

}  // namespace starling::server
