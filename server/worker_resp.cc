// server/worker_resp.cc: the RESP port's operations on keys.
#include "server/worker.h"
#include "storage/entry.h"

namespace starling::server {

void Worker::RunKeyOp(const ReplyTo& reply, const KeyOp& op) {
  const topology::Keyspace* keyspace =
      snapshot_ == nullptr ? nullptr
                           : snapshot_->topology->FindKeyspace(shared_.config.resp.keyspace);
  if (keyspace == nullptr) {
    ReplyError(reply, {base::Code::kUnavailable,
                       snapshot_ == nullptr ? "this node is not in a cluster yet"
                                            : "the keyspace of resp.keyspace does not exist",
                       {}});
    return;
  }
  const base::Token token = base::TokenOf(op.key, snapshot_->topology->token_seed);
  const unsigned owner = base::WorkerOf(base::BucketOf(token), shared_.workers);
  if (owner != number_) {
    auto mail = std::make_unique<KeyOpMail>();
    mail->reply = reply;
    mail->op = op;
    world_.Post(WorkerActor(owner), std::move(mail));
    return;
  }
  const wire::Consistency level = shared_.config.resp.consistency;
  if (!op.is_write) {
    coordinator_.Get(reply, {keyspace->id, op.key, level, 0, op.want_value}, token);
    return;
  }
  wire::PutRequest put;
  put.keyspace = keyspace->id;
  put.key = op.key;
  put.tombstone = op.tombstone;
  put.ttl_ms = op.ttl_ms;
  put.level = level;
  put.value_digest = storage::ValueDigest(op.value);
  coordinator_.Put(reply, put, token, op.value);
}

void Worker::SendKeyResult(const ReplyTo& to, KeyResult result) {
  if (to.home == id_) {
    DeliverKeyResult(to.conn, to.request_id, std::move(result));
    return;
  }
  auto mail = std::make_unique<KeyResultMail>();
  mail->conn = to.conn;
  mail->request_id = to.request_id;
  mail->result = std::move(result);
  world_.Post(to.home, std::move(mail));
}

void Worker::DeliverKeyResult(base::ConnId, std::uint64_t, KeyResult) {}

}  // namespace starling::server
