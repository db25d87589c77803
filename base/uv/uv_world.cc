#include "base/uv/uv_world.h"

#include <fmt/core.h>
#include <pthread.h>

#include <csignal>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/uv/loop.h"

namespace starling::base {

UvSystem::UvSystem(std::uint64_t seed, UvOptions options)
    : seed_(seed), options_(options), node_(std::make_unique<uv::Node>(options.read_threads)) {
  // A write to a connection that the peer has reset is an error to handle, not a death.
  std::signal(SIGPIPE, SIG_IGN);
}

UvSystem::~UvSystem() = default;

World& UvSystem::MakeWorld(ActorId id) {
  CHECK(static_cast<std::size_t>(id) == node_->loops.size());
  const std::uint64_t seed = Mix64(seed_ ^ Mix64(static_cast<std::uint64_t>(id)));
  node_->loops.push_back(std::make_unique<uv::Loop>(id, *node_, seed));
  return *node_->loops.back();
}

void UvSystem::Attach(ActorId id, Actor& actor) {
  CHECK(static_cast<std::size_t>(id) < node_->loops.size());
  node_->loops[static_cast<std::size_t>(id)]->Attach(actor);
}

Status UvSystem::Run() {
  CHECK(!node_->loops.empty());
  if (options_.stop_mail_kind) node_->loops[0]->CatchSignals(*options_.stop_mail_kind);
  node_->lanes.Start();
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < node_->loops.size(); ++i) {
    threads.emplace_back([&loop = *node_->loops[i]] { loop.Run(); });
    pthread_setname_np(threads.back().native_handle(), fmt::format("worker-{}", i).c_str());
  }
  node_->loops[0]->Run();
  for (std::thread& thread : threads) thread.join();
  node_->lanes.Stop();
  const std::lock_guard lock(node_->mutex);
  return node_->why;
}

void UvSystem::RequestStop() {
  node_->stop_requested = true;
  node_->loops[0]->Wake();
}

std::uint16_t UvSystem::PortOf(ActorId id, ListenerId listener) const {
  return node_->loops[static_cast<std::size_t>(id)]->PortOf(listener);
}

}  // namespace starling::base
