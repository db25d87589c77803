// server/spread_writes.h: hands acknowledged writes of keyspaces that are everywhere to gossip.
//
// Gossip is control's: a write goes there by mail once it is synced here. What these mails may hold
// at one time is bounded; a write over it, or too large for a rumor, is not told: repair brings it
// to the others, and it is counted. No client waits for any of this.
//
// Thread:    confined to its worker.
// Read next: server/write_rumor.h
#pragma once

#include <memory>

#include "base/world.h"
#include "server/mail.h"
#include "server/node_shared.h"
#include "server/write_rumor.h"

namespace starling::server {

class SpreadWrites {
 public:
  // Of all mails on their way to control, in bytes. Higher: larger bursts get as far as gossip,
  // which has a limit of its own.
  static constexpr std::uint64_t kMailBytesMax = 4 << 20;

  SpreadWrites(base::World& world, NodeShared& shared) : world_(world), shared_(shared) {}

  void Tell(base::KeyspaceId keyspace, const wire::PackedEntry& entry) {
    const std::uint64_t bytes = wire::PackedBytes(entry);
    if (shared_.rumor_mail_bytes.load(std::memory_order_relaxed) + bytes > kMailBytesMax) {
      ++refused_;
      return;
    }
    auto mail = std::make_unique<SpreadMail>();
    mail->rumor = MakeWriteRumor(keyspace, entry);
    mail->counted = bytes;
    shared_.rumor_mail_bytes.fetch_add(bytes, std::memory_order_relaxed);
    world_.Post(base::kControlActor, std::move(mail));
  }

  std::uint64_t refused() const { return refused_; }

 private:
  base::World& world_;
  NodeShared& shared_;
  std::uint64_t refused_ = 0;
};

}  // namespace starling::server
