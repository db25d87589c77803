// server/compare_soon.h: the nodes that a worker wants compared before their turn.
//
// When writes are dropped from a bounded table, hints included, somebody may lack them. Comparison
// finds which by itself: what has to be queued is only with whom. Control hears of it at most once
// a second.
//
// Thread:    confined to its worker.
// Read next: server/repair.h
#pragma once

#include <memory>
#include <set>

#include "base/world.h"
#include "server/mail.h"

namespace starling::server {

class CompareSoon {
 public:
  explicit CompareSoon(base::World& world) : world_(world) {}

  void Add(base::NodeNumber node) { nodes_.insert(node); }

  // To be called now and then.
  void OnTick(base::Instant now) {
    if (nodes_.empty() || now < not_before_) return;
    not_before_ = now + base::seconds(1);
    auto mail = std::make_unique<CompareSoonMail>();
    mail->nodes.swap(nodes_);
    world_.Post(base::kControlActor, std::move(mail));
  }

 private:
  base::World& world_;
  std::set<base::NodeNumber> nodes_;
  base::Instant not_before_;
};

}  // namespace starling::server
