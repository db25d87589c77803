#include "server/write_rumor.h"

#include "base/hash.h"
#include "gossip/passing_rumors.h"

namespace starling::server {

WriteRumor MakeWriteRumor(base::KeyspaceId keyspace, const wire::PackedEntry& entry) {
  std::string name;
  base::AppendLittle(name, keyspace);
  base::AppendLittle(name, entry.version.node);
  name.append(entry.key);
  WriteRumor rumor;
  rumor.key.push_back(gossip::kPassingMark);
  base::AppendLittle(rumor.key, base::Hash64(name));
  rumor.version = entry.version.timestamp;
  base::AppendLittle(rumor.payload, keyspace);
  wire::PackEntryTo(entry, rumor.payload);
  return rumor;
}

base::Result<RumoredWrite> ReadWriteRumor(base::Bytes payload) {
  if (payload.size() <= sizeof(base::KeyspaceId))
    return base::Fail(base::InvalidArgument("a rumored write is cut short"));
  RumoredWrite write;
  write.keyspace = base::LoadLittle<base::KeyspaceId>(payload.data());
  payload.remove_prefix(sizeof(base::KeyspaceId));
  ASSIGN_OR_RETURN(write.entry, wire::UnpackEntry(payload));
  if (!payload.empty())
    return base::Fail(base::InvalidArgument("a rumored write has bytes after its entry"));
  return write;
}

}  // namespace starling::server
