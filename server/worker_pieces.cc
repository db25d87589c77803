// server/worker_pieces.cc: large values that other nodes fetch in pieces, port 7700.
#include <fmt/core.h>

#include <algorithm>
#include <string>
#include <utility>

#include "base/hash.h"
#include "server/entry_page.h"
#include "server/page_lane.h"
#include "server/worker.h"
#include "server/worker_page.h"

namespace starling::server {
namespace {

constexpr const char* kNoRoom =
    "other values that are fetched in pieces, or requests of clients, leave no room for it: try "
    "again";

}  // namespace

// A value that is to be opened, with the piece that was asked for first.
class Worker::ValueRead final : public PageWork {
 public:
  ValueRead(Worker& worker, const ReplyTo& to, OpenValues::Id id, base::Token token,
            std::uint32_t offset, std::uint32_t bytes_max)
      : worker_(worker),
        to_(to),
        ends_(worker.world_.Now() + kPullAnswerMax / 2),
        id_(std::move(id)),
        token_(token),
        offset_(offset),
        bytes_max_(bytes_max) {}

  void Run() noexcept override {
    read_ = ReadValue(worker_.shared_.engine, {id_.keyspace, token_, id_.key}, id_.version,
                      id_.value_digest);
  }

 private:
  friend class Worker;
  bool connected() const { return to_.home != worker_.id_ || worker_.conns_.contains(to_.conn); }
  bool Wanted() const override { return connected() && worker_.world_.Now() < ends_; }
  void Take() override { worker_.OnValueRead(*this); }
  void Drop() override {
    worker_.open_values_.Close(id_);
    if (connected()) worker_.Reply(to_, wire::ErrorReply{base::Code::kOverloaded, kPaced, {}});
  }
  bool paced() const override { return true; }
  std::uint64_t bytes_read() const override { return read_.bytes_read; }

  Worker& worker_;
  const ReplyTo to_;
  const base::Instant ends_;
  const OpenValues::Id id_;
  const base::Token token_;
  const std::uint32_t offset_;
  const std::uint32_t bytes_max_;
  OneValue read_;
};

void Worker::HandleValuePiece(const ReplyTo& reply, const wire::Frame& frame) {
  const auto ask = wire::Decode<wire::ValuePiece>(frame.header);
  if (!ask) return Reply(reply, wire::ErrorOf(ask.error()));
  const base::Token token = base::TokenOf(ask->key, snapshot_->topology->token_seed);
  const std::uint16_t bucket = base::BucketOf(token);
  if (HandOver(bucket, reply, snapshot_->me().number, frame)) return;
  if (const base::Status status = CheckOwner(ask->keyspace, bucket, ask->epoch); !status.ok())
    return Reply(reply, wire::ErrorOf(status));
  OpenValues::Id id{ask->keyspace, std::string(ask->key), ask->version, ask->value_digest};
  if (const std::string* value = open_values_.Find(id, world_.Now()))
    return SendPiece(reply, id, ask->offset, ask->bytes_max, *value);
  if (!open_values_.Begin(id, ask->value_bytes))
    return Reply(reply, wire::ErrorReply{base::Code::kOverloaded, kNoRoom, {}});
  auto work = std::make_unique<ValueRead>(*this, reply, id, token, ask->offset, ask->bytes_max);
  if (page_lane_.Add(std::move(work))) return;
  open_values_.Close(id);
  Reply(reply, wire::ErrorReply{base::Code::kOverloaded, "too many pages wait to be read", {}});
}

void Worker::OnValueRead(ValueRead& read) {
  OneValue& found = read.read_;
  repair_.mutable_stats().data_bytes_read += found.bytes_read;
  shared_.met_damage.Note(found.status);
  if (!found.status.ok()) {
    open_values_.Close(read.id_);
    return Reply(read.to_, wire::ErrorOf(found.status));
  }
  open_values_.Open(read.id_, std::move(found.value), world_.Now());
  SendPiece(read.to_, read.id_, read.offset_, read.bytes_max_,
            *open_values_.Find(read.id_, world_.Now()));
}

// A page read it already. If there is no room for it, the first piece will have it read again.
void Worker::KeepAnnounced(PeerPage& page) {
  Announced& announced = *page.page_.announced;
  const OpenValues::Id id{page.request_.keyspace, page.page_.last_read_key,
                          announced.header.version, announced.header.value_digest};
  if (open_values_.Begin(id, announced.value.size()))
    open_values_.Open(id, std::move(announced.value), world_.Now());
}

void Worker::SendPiece(const ReplyTo& reply, const OpenValues::Id& id, std::uint32_t offset,
                       std::uint32_t bytes_max, base::Bytes value) {
  if (offset >= value.size())
    return Reply(reply,
                 wire::ErrorReply{base::Code::kInvalidArgument,
                                  fmt::format("a piece from byte {} on is asked for, of a value of "
                                              "{} bytes",
                                              offset, value.size()),
                                  {}});
  const base::Bytes piece =
      value.substr(offset, std::min<std::size_t>(bytes_max, kPageBytesStandard));
  const bool last = offset + piece.size() == value.size();
  RepairStats& stats = repair_.mutable_stats();
  stats.bytes_sent += piece.size();
  if (last) ++stats.entries_sent;
  Reply(reply, wire::ValuePieceReply{id.version, offset, base::Hash64(piece)}, piece);
  if (last) open_values_.Close(id);
}

}  // namespace starling::server
