#include "server/meta_records.h"

namespace starling::server {
namespace {

constexpr base::Bytes kTopologyKey = "topology";
constexpr base::Bytes kPaxosKey = "paxos";
constexpr base::Bytes kReadyKey = "ready";
constexpr base::Bytes kPeerMarksKey = "peer_marks";

// Empty when there is none.
base::Result<std::string> GetOrEmpty(storage::Engine& engine, base::Bytes key) {
  auto found = storage::GetOne(engine, storage::Family::kMeta, key);
  if (!found && found.error().code() == base::Code::kNotFound) return std::string();
  return found;
}

}  // namespace

base::Result<StoredTopology> LoadTopology(storage::Engine& engine) {
  StoredTopology stored;
  ASSIGN_OR_RETURN(stored.topology, GetOrEmpty(engine, kTopologyKey));
  ASSIGN_OR_RETURN(stored.acceptor, GetOrEmpty(engine, kPaxosKey));
  ASSIGN_OR_RETURN(const std::string ready, GetOrEmpty(engine, kReadyKey));
  stored.ready = ready == std::string(1, '\1');
  ASSIGN_OR_RETURN(stored.peer_marks, GetOrEmpty(engine, kPeerMarksKey));
  return stored;
}

void SaveTopology(storage::Batch& batch, base::Bytes topology, base::Bytes acceptor) {
  if (!topology.empty()) batch.Put(storage::Family::kMeta, kTopologyKey, topology);
  batch.Put(storage::Family::kMeta, kPaxosKey, acceptor);
}

void SaveReady(storage::Batch& batch, bool ready) {
  batch.Put(storage::Family::kMeta, kReadyKey, std::string(1, ready ? '\1' : '\0'));
}

void SavePeerMarks(storage::Batch& batch, base::Bytes marks) {
  batch.Put(storage::Family::kMeta, kPeerMarksKey, marks);
}

}  // namespace starling::server
