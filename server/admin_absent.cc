// server/admin_absent.cc: an operator's word that a node is away for good, or for too long.
#include <fmt/core.h>

#include "base/log.h"
#include "server/admin.h"
#include "server/control.h"

namespace starling::server {

// By its address or its host id. That it is down is what failure detection says; that its process
// does not run on somewhere, where we cannot see it, is what the operator confirms.
void Admin::DeclareAbsent(const ReplyTo& to, const base::JsonObject& arguments) {
  const auto name = arguments.Text("node");
  const auto confirmed = arguments.Flag("confirm");
  const auto dry_run = arguments.Flag("dry_run");
  if (!name || !confirmed || !dry_run)
    return Fail(to, !name ? name.error() : !confirmed ? confirmed.error() : dry_run.error());
  const topology::Node* node = nullptr;
  for (const topology::Node* member : control_.snapshot_->topology->members())
    if (member->cluster.IpString() == *name || member->cluster.ToString() == *name ||
        member->host.ToString() == *name)
      node = member;
  if (node == nullptr)
    return Fail(to, base::NotFound(fmt::format("'{}' is no member: give its address or host id as "
                                               "nodetool status shows them",
                                               *name)));
  const base::HostId host = node->host;
  base::Status may = control_.MayDeclareAbsent(host);
  // Somebody who is merely silent may answer in a moment.
  const auto seen = control_.gossip_->View(host);
  if (may.ok() && seen && seen->liveness < gossip::Liveness::kDead)
    may = base::Unavailable(fmt::format("{} is silent, and not known to be dead yet", *name));
  if (!may.ok()) return Fail(to, may.Annotate("it cannot be declared absent"));
  const std::string address = node->cluster.IpString();
  if (*dry_run) return Answer(to, {{"address", address}, {"would_declare_absent", true}});
  if (!*confirmed)
    return Fail(to, base::InvalidArgument(fmt::format(
                        "{} will have to begin anew when it returns, and what it alone has of what "
                        "is purged until then goes to its quarantine. If its process is not "
                        "running, say --confirm",
                        address)));
  base::log::Warn("topology", "{} is declared absent by an operator's word", address);
  control_.ProposeAbsence(
      host, [this, to, address](const base::Status& status, const topology::TopologyPtr& chosen) {
        if (!status.ok()) return Fail(to, status);
        Answer(to, {{"address", address}, {"declared_absent", true}, {"epoch", chosen->epoch}});
      });
}

}  // namespace starling::server
