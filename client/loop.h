// client/loop.h: the thread of a Client: an event loop with a Session, and the way into it.
//
// Other threads hand in tasks; a job of the World waits for them, so that the loop wakes without
// anything but the World's own interface. Each request of the Session carries a function that takes
// its result.
//
// Thread:    Submit and the destructor from any; all else runs on the loop's own thread.
// Ownership: a task's captures live until it ran or was dropped, a handler's until it was called.
// Read next: client/client.cc, client/session.h.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <variant>
#include <vector>

#include "base/slab.h"
#include "base/timers.h"
#include "client/session.h"

namespace starling::client {

// On the loop's thread: the Session, asked by functions.
class LoopActor final : public base::Actor, private Session::Listener, private base::Job {
 public:
  using Task = std::function<void(LoopActor&)>;
  using PutHandler = std::function<void(const PutResult&)>;
  using GetHandler = std::function<void(const GetResult&)>;
  using ScanHandler = std::function<void(const ScanResult&)>;
  using KeyspaceHandler = std::function<void(const CreateKeyspaceResult&)>;
  using AdminHandler = std::function<void(const AdminResult&)>;
  using StatusHandler = std::function<void(const base::Status&)>;

  LoopActor(base::World& world, SessionOptions options);

  // --- any thread ---
  void Submit(Task task);
  // The loop ends soon after; tasks and requests that are open get kUnavailable.
  void Close();

  // --- in a task or handler ---
  void Put(const PutArgs& args, PutHandler handler);
  void Get(const GetArgs& args, GetHandler handler);
  void Scan(const ScanArgs& args, ScanHandler handler);
  void CreateKeyspace(const CreateKeyspaceArgs& args, KeyspaceHandler handler);
  void Admin(const AdminArgs& args, AdminHandler handler);
  void Ping(StatusHandler handler);
  void FetchMap(StatusHandler handler);
  // Ok once the time has passed.
  void After(base::Duration time, StatusHandler handler);
  base::Instant now() const { return world_.Now(); }
  const wire::ClusterMap& map() const { return session_.routing().map(); }

  // --- from the World ---
  void OnStart() override;
  void OnOpen(base::ConnId conn, base::Address peer, base::ListenerId listener) override;
  std::size_t OnBytes(base::ConnId conn, base::Bytes bytes) override;
  void OnClose(base::ConnId conn, base::CloseReason reason) override;
  void OnDatagram(base::Address from, base::Bytes bytes) override;
  void OnMail(std::unique_ptr<base::Mail> mail) override;
  void OnWake() override;
  void OnTurnEnd() override;

 private:
  using Handler = std::variant<StatusHandler, PutHandler, GetHandler, ScanHandler, KeyspaceHandler,
                               AdminHandler>;

  std::uint64_t Keep(Handler handler);
  template <typename T>
  void Tell(std::uint64_t tag, const T& result);
  void FailAll();

  // The job: waits for tasks; then they are run in a turn.
  void Run() noexcept override;
  void Done() override;

  void OnPut(std::uint64_t tag, const PutResult& result) override;
  void OnGet(std::uint64_t tag, const GetResult& result) override;
  void OnScan(std::uint64_t tag, const ScanResult& result) override;
  void OnCreateKeyspace(std::uint64_t tag, const CreateKeyspaceResult& result) override;
  void OnAdmin(std::uint64_t tag, const AdminResult& result) override;
  void OnPing(std::uint64_t tag, const base::Status& status) override;
  void OnMap(std::uint64_t tag, const base::Status& status) override;

  // Loop's thread only.
  base::World& world_;
  Session session_;
  base::Slab<Handler> handlers_;  // By tag.
  base::Timers timers_;           // Of After: tags.

  std::mutex mutex_;
  std::condition_variable filled_;
  std::vector<Task> tasks_;  // Guarded by mutex_.
  bool closing_ = false;     // Likewise.
};

}  // namespace starling::client
