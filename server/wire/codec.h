// server/wire/codec.h: the headers of messages to Protobuf and back.
//
// EncodeTo appends; the encoding of a valid message cannot fail. Decode is the only way in: it
// validates everything that the types do not (known enum values, lengths, required fields) and
// fails with InvalidArgument, naming the message and the field.
//
// Thread:    any; each thread reuses its own Protobuf messages, so decoded Bytes fields live until
//            the thread's next Decode of the same type.
// Read next: server/wire/client.proto, server/wire/peer.proto
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/status.h"
#include "server/wire/client_messages.h"
#include "server/wire/peer_messages.h"

namespace starling::wire {

void EncodeTo(const Hello& message, std::string& out);
void EncodeTo(const HelloReply& message, std::string& out);
void EncodeTo(const ErrorReply& message, std::string& out);
void EncodeTo(const PutRequest& message, std::string& out);
void EncodeTo(const PutReply& message, std::string& out);
void EncodeTo(const GetRequest& message, std::string& out);
void EncodeTo(const GetReply& message, std::string& out);
void EncodeTo(const ScanRequest& message, std::string& out);
void EncodeTo(const ScanReply& message, std::string& out);
void EncodeTo(const ClusterMapRequest& message, std::string& out);
void EncodeTo(const ClusterMapReply& message, std::string& out);
void EncodeTo(const ClusterMap& message, std::string& out);  // A payload, as is what Decode takes.
void EncodeTo(const CreateKeyspaceRequest& message, std::string& out);
void EncodeTo(const CreateKeyspaceReply& message, std::string& out);
void EncodeTo(const AdminRequest& message, std::string& out);
void EncodeTo(const AdminReply& message, std::string& out);
void EncodeTo(const PingRequest& message, std::string& out);
void EncodeTo(const PongReply& message, std::string& out);
void EncodeTo(const ReplicaWrite& message, std::string& out);
void EncodeTo(const ReplicaWriteReply& message, std::string& out);
void EncodeTo(const ReplicaRead& message, std::string& out);
void EncodeTo(const ReplicaReadReply& message, std::string& out);
void EncodeTo(const ReplicaScan& message, std::string& out);
void EncodeTo(const ReplicaScanReply& message, std::string& out);
void EncodeTo(const SliceHashesRequest& message, std::string& out);
void EncodeTo(const SliceHashesReply& message, std::string& out);
void EncodeTo(const BucketParts& message, std::string& out);
void EncodeTo(const BucketPartsReply& message, std::string& out);
void EncodeTo(const BucketPull& message, std::string& out);
void EncodeTo(const BucketPullReply& message, std::string& out);
void EncodeTo(const ValuePiece& message, std::string& out);
void EncodeTo(const ValuePieceReply& message, std::string& out);
void EncodeTo(const Handled& message, std::string& out);
void EncodeTo(const HandledReply& message, std::string& out);
void EncodeTo(const ControlRequest& message, std::string& out);
void EncodeTo(const ControlReply& message, std::string& out);

// Decode<PutRequest>(frame.header)
template <typename Message>
base::Result<Message> Decode(base::Bytes header);

}  // namespace starling::wire
