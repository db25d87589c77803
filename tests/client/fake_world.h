// tests/client/fake_world.h: a World for one actor, in which the test plays the network and time.
//
// Connections stay open() until the test answers them; bytes that the actor sent are cut into
// frames for the test to look at. Nothing happens by itself: the test calls the actor.
//
// Thread: the test's.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/world.h"
#include "server/wire/frame.h"

namespace starling::client {

class FakeWorld final : public base::World {
 public:
  struct Conn {
    base::Address peer;
    std::string out;  // Sent and not taken yet.
    bool closed = false;
  };
  // A frame that outlives the buffer it was cut from.
  struct SentFrame {
    wire::Kind kind{};
    std::uint64_t request_id = 0;
    std::string header, payload;
  };

  void Advance(base::Duration d) { now_ = now_ + d; }
  std::map<std::uint64_t, Conn>& conns() { return conns_; }

  // Those to `peer` that are not closed, oldest first.
  std::vector<base::ConnId> To(base::Address peer) const {
    std::vector<base::ConnId> ids;
    for (const auto& [id, conn] : conns_)
      if (conn.peer == peer && !conn.closed) ids.push_back(base::ConnId{id});
    return ids;
  }
  bool closed(base::ConnId id) const { return At(id).closed; }
  // What was handed to the lanes and has not been run, oldest first.
  const std::deque<base::Job*>& jobs() const { return jobs_; }
  void RunOldestJob() {
    base::Job* const job = jobs_.front();
    jobs_.pop_front();
    job->Run();
    job->Done();
  }
  const std::optional<base::Status>& exited() const { return exited_; }
  base::Instant alarm() const { return alarm_; }

  // Takes all frames sent on a connection since the last call.
  std::vector<SentFrame> Take(base::ConnId id) {
    std::string bytes = std::exchange(At(id).out, {});
    std::vector<SentFrame> frames;
    for (base::Bytes rest = bytes; !rest.empty();) {
      wire::Frame frame;
      const auto size = wire::CutFrame(rest, &frame);
      CHECK(size.has_value());
      CHECK(*size > 0);
      frames.push_back(
          {frame.kind, frame.request_id, std::string(frame.header), std::string(frame.payload)});
      rest.remove_prefix(*size);
    }
    return frames;
  }

  base::Instant Now() const override { return now_; }
  std::int64_t WallMs() const override { return base::ToMs(now_.since_start); }
  base::Random& random() override { return random_; }
  void WakeAt(base::Instant when) override { alarm_ = when; }
  void Again() override {}
  void Post(base::ActorId, std::unique_ptr<base::Mail>) override { CHECK(false); }
  void Offload(base::Lane, base::Job& job) override { jobs_.push_back(&job); }
  base::Status Listen(base::ListenerId, base::Address) override { return base::Ok(); }
  void StopListening() override {}
  base::ConnId Connect(base::Address peer) override {
    conns_[++last_id_] = {.peer = peer, .out = {}};
    return base::ConnId{last_id_};
  }
  void Give(base::ConnId, base::ActorId) override { CHECK(false); }
  std::span<char> Reserve(base::ConnId, std::size_t size) override {
    room_.resize(size);
    return room_;
  }
  void Commit(base::ConnId id, std::size_t used) override {
    if (!At(id).closed) At(id).out.append(room_.data(), used);
  }
  void Append(base::ConnId id, std::shared_ptr<const void>, base::Bytes bytes) override {
    At(id).out.append(bytes);
  }
  std::size_t Queued(base::ConnId id) const override { return At(id).out.size(); }
  void SetReading(base::ConnId, Reading) override {}
  void Close(base::ConnId id) override { At(id).closed = true; }
  base::Status BindDatagrams(base::Address) override { return base::Ok(); }
  void SendDatagram(base::Address, base::Bytes) override {}
  void Exit(base::Status why) override {
    if (!exited_) exited_ = std::move(why);
  }

 private:
  Conn& At(base::ConnId id) { return conns_.at(static_cast<std::uint64_t>(id)); }
  const Conn& At(base::ConnId id) const { return conns_.at(static_cast<std::uint64_t>(id)); }

  base::Instant now_{base::seconds(1)};
  base::Instant alarm_ = base::Instant::Never();
  std::deque<base::Job*> jobs_;
  std::optional<base::Status> exited_;
  base::Random random_{1};
  std::map<std::uint64_t, Conn> conns_;
  std::uint64_t last_id_ = 0;
  std::string room_;
};

}  // namespace starling::client
