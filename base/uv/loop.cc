#include "base/uv/loop.h"

#include <algorithm>
#include <csignal>
#include <ctime>

#include "base/check.h"

namespace starling::base::uv {
namespace {

template <typename Handle>
void CloseUnlessClosing(Handle& handle) {
  auto* base = reinterpret_cast<uv_handle_t*>(&handle);
  if (!uv_is_closing(base)) uv_close(base, nullptr);
}

}  // namespace

Loop::Loop(ActorId self, Node& node, std::uint64_t seed)
    : self_(self),
      node_(node),
      random_(seed),
      read_buffer_(kReadMargin + kReadSize),
      connections_(*this),
      datagrams_(*this) {
  CHECK(uv_prepare_init(uv(), &prepare_) == 0);
  CHECK(uv_idle_init(uv(), &idle_) == 0);
  CHECK(uv_timer_init(uv(), &alarm_) == 0);
  const auto on_wake_up = [](uv_async_t* async) { static_cast<Loop*>(async->data)->OnWakeUp(); };
  CHECK(uv_async_init(uv(), &wake_up_, on_wake_up) == 0);
  prepare_.data = idle_.data = alarm_.data = wake_up_.data = this;
}

Loop::~Loop() {
  if (!shut_down_) Shutdown();
  uv_run(uv(), UV_RUN_DEFAULT);  // The closing callbacks.
  for (Mail* mail = inbox_.TakeAll(); mail != nullptr;) delete std::exchange(mail, mail->next);
  for (auto& outbox : outboxes_) {
    if (outbox.empty()) continue;
    MpscQueue<Mail> unsent;
    unsent.Push(outbox);
    for (Mail* mail = unsent.TakeAll(); mail != nullptr;) delete std::exchange(mail, mail->next);
  }
}

void Loop::Attach(Actor& actor) {
  CHECK(actor_ == nullptr);
  actor_ = &actor;
}

void Loop::CatchSignals(std::uint16_t mail_kind) {
  signal_mail_kind_ = mail_kind;
  const auto on_signal = [](uv_signal_t* signal, int) {
    static_cast<Loop*>(signal->data)->OnSignal();
  };
  constexpr std::array kNumbers{SIGINT, SIGTERM, SIGHUP};
  for (std::size_t i = 0; i < signals_.size(); ++i) {
    CHECK(uv_signal_init(uv(), &signals_[i]) == 0);
    signals_[i].data = this;
    CHECK(uv_signal_start(&signals_[i], on_signal, kNumbers[i]) == 0);
  }
}

void Loop::Run() {
  CHECK(actor_ != nullptr);
  const auto on_prepare = [](uv_prepare_t* prepare) {
    static_cast<Loop*>(prepare->data)->EndTurn();
  };
  CHECK(uv_prepare_start(&prepare_, on_prepare) == 0);
  actor_->OnStart();
  uv_run(uv(), UV_RUN_DEFAULT);
}

// --- from other threads ---

void Loop::Deliver(MpscBatch<Mail>& batch) {
  if (inbox_.Push(batch)) Wake();
}

void Loop::Wake() { uv_async_send(&wake_up_); }

void Loop::Complete(Job& job) {
  if (completed_.Push(&job)) Wake();
}

void Loop::OnWakeUp() {
  for (Mail* mail = inbox_.TakeAll(); mail != nullptr;) {
    std::unique_ptr<Mail> taken(std::exchange(mail, mail->next));
    taken->next = nullptr;
    if (taken->kind == GivenConnection::kKind) {
      connections_.Adopt(static_cast<GivenConnection&>(*taken));
    } else {
      actor_->OnMail(std::move(taken));
    }
  }
  for (Job* job = completed_.TakeAll(); job != nullptr;) {
    Job& done = *std::exchange(job, job->next);
    done.next = nullptr;
    done.Done();
  }
  if (self_ == kControlActor && node_.stop_requested.exchange(false)) OnSignal();
}

void Loop::OnSignal() {
  if (!signal_mail_kind_) return Exit(Ok());
  if (signalled_)
    return Exit(Unavailable("stopped at the second request, before the first was carried out"));
  signalled_ = true;
  actor_->OnMail(std::make_unique<Mail>(*signal_mail_kind_));
}

// --- the turn ---

void Loop::EndTurn() {
  if (shut_down_) return;
  actor_->OnTurnEnd();
  connections_.Flush();
  PushMail();
  ++turn_;
  now_.reset();
  wall_ms_.reset();
  if (node_.stopping.load(std::memory_order_acquire)) return Shutdown();
  // An active idle handle keeps the poll from sleeping, and is where deferred inputs come from.
  const auto on_idle = [](uv_idle_t* idle) {
    static_cast<Loop*>(idle->data)->connections_.RunDeferred();
  };
  if (std::exchange(again_, false)) {
    uv_idle_start(&idle_, on_idle);
  } else {
    uv_idle_stop(&idle_);
  }
}

void Loop::PushMail() {
  for (std::size_t to = 0; to < outboxes_.size(); ++to)
    if (!outboxes_[to].empty()) node_.loops[to]->Deliver(outboxes_[to]);
}

// Every handle is closed rather than the loop stopped: a stopped loop polls once more, and would
// hand inputs to an actor that must not get another turn.
void Loop::Shutdown() {
  shut_down_ = true;
  connections_.Shutdown();
  datagrams_.Shutdown();
  if (signal_mail_kind_)
    for (uv_signal_t& signal : signals_) CloseUnlessClosing(signal);
  CloseUnlessClosing(prepare_);
  CloseUnlessClosing(idle_);
  CloseUnlessClosing(alarm_);
  CloseUnlessClosing(wake_up_);
}

// --- World ---

Instant Loop::Now() const {
  if (!now_) now_ = Instant{Duration(static_cast<std::int64_t>(uv_hrtime()))};
  return *now_;
}

std::int64_t Loop::WallMs() const {
  if (!wall_ms_) {
    timespec time{};
    clock_gettime(CLOCK_REALTIME, &time);
    wall_ms_ = static_cast<std::int64_t>(time.tv_sec) * 1000 + time.tv_nsec / 1'000'000;
  }
  return *wall_ms_;
}

void Loop::WakeAt(Instant when) {
  if (when == Instant::Never()) {
    uv_timer_stop(&alarm_);
    return;
  }
  // libuv counts whole milliseconds of the same clock, rounded down; rounded up here, so that the
  // alarm is never early.
  const auto due_ms = static_cast<std::uint64_t>(
      std::max<std::int64_t>(0, (when.since_start.count() + 999'999) / 1'000'000));
  const std::uint64_t now_ms = uv_now(uv());
  const auto on_alarm = [](uv_timer_t* alarm) {
    static_cast<Loop*>(alarm->data)->actor_->OnWake();
  };
  uv_timer_start(&alarm_, on_alarm, due_ms > now_ms ? due_ms - now_ms : 0, 0);
}

void Loop::Post(ActorId to, std::unique_ptr<Mail> mail) {
  CHECK(mail->kind != GivenConnection::kKind);
  PostInternal(to, mail.release());
}

void Loop::PostInternal(ActorId to, Mail* mail) {
  const auto index = static_cast<std::size_t>(to);
  CHECK(index < node_.loops.size());
  if (outboxes_.size() < node_.loops.size()) outboxes_.resize(node_.loops.size());
  mail->from = self_;
  outboxes_[index].Add(mail);
}

void Loop::Offload(Lane lane, Job& job) { node_.lanes.Offload(lane, job, *this); }

Status Loop::Listen(ListenerId listener, Address address) {
  return connections_.Listen(listener, address);
}

void Loop::Append(ConnId id, std::shared_ptr<const void> owner, Bytes bytes) {
  connections_.Append(id, std::move(owner), bytes);
}

void Loop::Exit(Status why) { node_.Stop(std::move(why)); }

// --- the node ---

Node::~Node() { lanes.Stop(); }  // Before the loops that completed jobs go home to.

void Node::Stop(Status status) {
  {
    const std::lock_guard lock(mutex);
    if (stopping) return;
    why = std::move(status);
    stopping.store(true, std::memory_order_release);
  }
  for (const auto& loop : loops) loop->Wake();
}

}  // namespace starling::base::uv
