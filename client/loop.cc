#include "client/loop.h"

#include <algorithm>
#include <utility>

namespace starling::client {

LoopActor::LoopActor(base::World& world, SessionOptions options)
    : world_(world), session_(world, *this, std::move(options)) {}

void LoopActor::Submit(Task task) {
  const std::lock_guard lock(mutex_);
  tasks_.push_back(std::move(task));
  filled_.notify_one();
}

void LoopActor::Close() {
  const std::lock_guard lock(mutex_);
  closing_ = true;
  filled_.notify_one();
}

void LoopActor::Put(const PutArgs& args, PutHandler handler) {
  session_.Put(args, Keep(std::move(handler)));
}
void LoopActor::Get(const GetArgs& args, GetHandler handler) {
  session_.Get(args, Keep(std::move(handler)));
}
void LoopActor::Scan(const ScanArgs& args, ScanHandler handler) {
  session_.Scan(args, Keep(std::move(handler)));
}
void LoopActor::CreateKeyspace(const CreateKeyspaceArgs& args, KeyspaceHandler handler) {
  session_.CreateKeyspace(args, Keep(std::move(handler)));
}
void LoopActor::Admin(const AdminArgs& args, AdminHandler handler) {
  session_.Admin(args, Keep(std::move(handler)));
}
void LoopActor::Ping(StatusHandler handler) { session_.Ping(Keep(std::move(handler))); }
void LoopActor::FetchMap(StatusHandler handler) { session_.FetchMap(Keep(std::move(handler))); }

void LoopActor::After(base::Duration time, StatusHandler handler) {
  timers_.Add(world_.Now() + time, Keep(std::move(handler)));
}

void LoopActor::OnStart() {
  session_.Start();
  world_.Offload(base::Lane::kRead, *this);
}
void LoopActor::OnOpen(base::ConnId conn, base::Address, base::ListenerId) {
  session_.OnOpen(conn);
}
std::size_t LoopActor::OnBytes(base::ConnId conn, base::Bytes bytes) {
  return session_.OnBytes(conn, bytes);
}
void LoopActor::OnClose(base::ConnId conn, base::CloseReason reason) {
  session_.OnClose(conn, reason);
}
void LoopActor::OnDatagram(base::Address, base::Bytes) {}
void LoopActor::OnMail(std::unique_ptr<base::Mail>) {}
void LoopActor::OnWake() {
  for (std::uint64_t tag = 0; timers_.PopDue(world_.Now(), &tag);) Tell(tag, base::Ok());
  session_.OnWake();
}
void LoopActor::OnTurnEnd() {
  session_.OnTurnEnd();
  world_.WakeAt(std::min(session_.next_wake(), timers_.next()));
}

void LoopActor::Run() noexcept {
  std::unique_lock lock(mutex_);
  filled_.wait(lock, [this] { return closing_ || !tasks_.empty(); });
}

void LoopActor::Done() {
  std::vector<Task> tasks;
  bool closing = false;
  {
    const std::lock_guard lock(mutex_);
    tasks.swap(tasks_);
    closing = closing_;
  }
  for (const Task& task : tasks) task(*this);
  if (!closing) return world_.Offload(base::Lane::kRead, *this);
  FailAll();
  world_.Exit(base::Ok());
}

std::uint64_t LoopActor::Keep(Handler handler) {
  const auto [tag, kept] = handlers_.Add();
  *kept = std::move(handler);
  return tag;
}

// A tag that is not there belongs to a request that FailAll ended.
template <typename T>
void LoopActor::Tell(std::uint64_t tag, const T& result) {
  Handler* kept = handlers_.Find(tag);
  if (kept == nullptr) return;
  const auto handler = std::get<std::function<void(const T&)>>(std::move(*kept));
  handlers_.Remove(tag);
  handler(result);
}

void LoopActor::FailAll() {
  const base::Status closing = base::Unavailable("the client is being closed");
  std::vector<Handler> open;
  handlers_.ForEach([&](std::uint64_t tag, Handler& handler) {
    open.push_back(std::move(handler));
    handlers_.Remove(tag);
  });
  for (const Handler& handler : open) {
    std::visit(
        [&]<typename T>(const std::function<void(const T&)>& take) {
          if constexpr (std::is_same_v<T, base::Status>) {
            take(closing);
          } else {
            T result;
            result.status = closing;
            take(result);
          }
        },
        handler);
  }
}

void LoopActor::OnPut(std::uint64_t tag, const PutResult& result) { Tell(tag, result); }
void LoopActor::OnGet(std::uint64_t tag, const GetResult& result) { Tell(tag, result); }
void LoopActor::OnScan(std::uint64_t tag, const ScanResult& result) { Tell(tag, result); }
void LoopActor::OnCreateKeyspace(std::uint64_t tag, const CreateKeyspaceResult& result) {
  Tell(tag, result);
}
void LoopActor::OnAdmin(std::uint64_t tag, const AdminResult& result) { Tell(tag, result); }
void LoopActor::OnPing(std::uint64_t tag, const base::Status& status) { Tell(tag, status); }
void LoopActor::OnMap(std::uint64_t tag, const base::Status& status) { Tell(tag, status); }

}  // namespace starling::client
