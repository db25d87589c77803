#include "server/node.h"

#include <fmt/core.h>

#include "base/check.h"
#include "storage/identity.h"

namespace starling::server {
namespace {

topology::NodeInfo InfoOf(const Config& config, const NodeIdentity& identity) {
  const auto at = [&](std::uint16_t port) {
    const auto address = base::ParseAddress(config.node.listen, port);
    CHECK(address.has_value());  // LoadConfig has looked.
    return *address;
  };
  return {identity.host,  at(config.ports.cluster), at(config.ports.client), at(config.ports.resp),
          config.node.dc, config.node.rack,         config.node.vnodes};
}

}  // namespace

Node::Node(const Config& config, const NodeIdentity& identity, storage::Engine& engine,
           storage::Guard& guard, const MakeWorld& make_world, const NodeKeys& keys, LookUp look_up,
           LookAtDisk look_at_disk)
    : config_(config), shared_(config_, identity, engine, guard, WorkersOf(config), keys) {
  shared_.look_up = std::move(look_up);
  shared_.look_at_disk = std::move(look_at_disk);
  control_ = std::make_unique<Control>(make_world(base::kControlActor), shared_,
                                       InfoOf(config_, identity));
  for (unsigned worker = 0; worker < shared_.workers; ++worker)
    workers_.push_back(std::make_unique<Worker>(make_world(WorkerActor(worker)), shared_, worker));
}

Node::~Node() = default;

base::Actor& Node::actor(base::ActorId id) {
  if (id == base::kControlActor) return *control_;
  return *workers_.at(static_cast<std::size_t>(id) - 1);
}

base::Result<NodeIdentity> PrepareIdentity(storage::Engine& engine, storage::Guard& guard,
                                           const std::optional<storage::GuardRecord>& last,
                                           const std::string& cluster_name, base::Random& random) {
  ASSIGN_OR_RETURN(std::optional<storage::Identity> stored, storage::LoadIdentity(engine));
  if (!stored) {
    stored = storage::Identity{last ? last->host : base::HostId::Draw(random), cluster_name, {}};
    storage::Batch batch;
    storage::SaveIdentity(batch, *stored);
    const storage::Batch* batches[] = {&batch};
    RETURN_IF_ERROR(engine.Write(batches, storage::Sync::kYes));
  }
  if (stored->cluster_name != cluster_name)
    return base::Fail(base::FailedPrecondition(
        fmt::format("the data directory belongs to cluster '{}', and cluster.name is '{}'",
                    stored->cluster_name, cluster_name)));
  return BeginLife(engine, guard, {.identity = *stored, .last = last});
}

}  // namespace starling::server
