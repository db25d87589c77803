// server/node.h: a whole node: control and its workers over one engine. Wires actors; decides
// nothing.
//
//   Node node(config, identity, engine, guard, [&](ActorId id) -> World& { ... });
//   node.ForEachActor([&](ActorId id, Actor& actor) { ...attach it to its World... });
//
// Thread:    constructed and destroyed while no actor runs. In the simulator destroying it is a
// kill. Ownership: the configuration, the engine and the guard must outlive it. Read next:
// server/control.h, server/worker.h
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/world.h"
#include "server/config.h"
#include "server/control.h"
#include "server/keyring_file.h"
#include "server/node_shared.h"
#include "server/worker.h"
#include "storage/engine.h"

namespace starling::server {

class Node {
 public:
  // Called once an actor, control first: what that actor lives in.
  using MakeWorld = std::function<base::World&(base::ActorId)>;

  Node(const Config& config, const NodeIdentity& identity, storage::Engine& engine,
       storage::Guard& guard, const MakeWorld& make_world, const NodeKeys& keys = {},
       LookUp look_up = SystemLookUp, LookAtDisk look_at_disk = {});
  ~Node();

  std::size_t actors() const { return workers_.size() + 1; }
  base::Actor& actor(base::ActorId id);
  // Calls visit(id, actor) for each, control first.
  template <typename Visit>
  void ForEachActor(Visit&& visit) {
    for (std::size_t i = 0; i < actors(); ++i) {
      const base::ActorId id{static_cast<std::uint16_t>(i)};
      visit(id, actor(id));
    }
  }
  Control& control() { return *control_; }
  // It ended because its data directory needs another life, with a higher boot number.
  bool begins_again() const { return shared_.begins_again; }
  // Once it has ended: the damaged table for which it begins again; empty: for something else.
  const std::string& ended_for() const { return shared_.ended_for; }

 private:
  const Config config_;
  NodeShared shared_;
  std::unique_ptr<Control> control_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

// Reads who this node is from its engine, drawing a new host id for an empty directory, and begins
// a life of it (server/absence.h). FailedPrecondition: the directory is another cluster's (both
// names are told) or a newer format's.
base::Result<NodeIdentity> PrepareIdentity(storage::Engine& engine, storage::Guard& guard,
                                           const std::optional<storage::GuardRecord>& last,
                                           const std::string& cluster_name, base::Random& random);

}  // namespace starling::server
