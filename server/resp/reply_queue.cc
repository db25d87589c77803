#include "server/resp/reply_queue.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "server/resp/reply.h"

namespace starling::resp {
namespace {

constexpr std::size_t kRepliesMin = 16;
constexpr std::size_t kErrorBytesMax = 1024;

// As Redis rounds: a key with 400 ms left has 0 s.
std::int64_t TimeLeft(ReplyKind kind, const KeyResult& result, std::int64_t wall_ms) {
  if (!result.found) return -2;
  if (result.expiry_ms == 0) return -1;
  const std::int64_t left =
      std::max<std::int64_t>(0, static_cast<std::int64_t>(result.expiry_ms) - wall_ms);
  return kind == ReplyKind::kSeconds ? (left + 500) / 1000 : left;
}

}  // namespace

// Unavailable and overloaded mean that nothing was changed: libraries know TRYAGAIN. After a
// timeout the outcome is unknown, and nobody should try again by himself.
std::string ErrorText(const base::Status& status) {
  const bool unchanged =
      status.code() == base::Code::kUnavailable || status.code() == base::Code::kOverloaded;
  return fmt::format("{} {}: {}", unchanged ? "TRYAGAIN" : "ERR", base::CodeName(status.code()),
                     base::Bytes(status.message()).substr(0, kErrorBytesMax));
}

std::string& ReplyQueue::Text(std::string& out) {
  if (empty()) return out;
  Reply& last = At(end_ - 1);
  if (last.kind == ReplyKind::kText) return last.text;
  return Push().text;
}

std::size_t ReplyQueue::held_bytes() {
  if (empty()) return held_bytes_;
  if (Reply& last = At(end_ - 1); last.kind == ReplyKind::kText) {
    held_bytes_ += last.text.size() - last.held_bytes;
    last.held_bytes = last.text.size();
  }
  return held_bytes_;
}

std::uint64_t ReplyQueue::Add(ReplyKind kind, std::uint32_t keys) {
  CHECK(kind != ReplyKind::kText);
  CHECK(keys > 0);
  Reply& reply = Push();
  reply.kind = kind;
  reply.keys = reply.open = keys;
  return end_ - 1;
}

ReplyQueue::Reply& ReplyQueue::Push() {
  if (size() == ring_.size()) {
    std::vector<Reply> larger(std::max(kRepliesMin, ring_.size() * 2));
    for (std::uint64_t n = first_; n != end_; ++n)
      larger[n & (larger.size() - 1)] = std::move(At(n));
    ring_ = std::move(larger);
  }
  return At(end_++);
}

void ReplyQueue::Take(std::uint64_t number, std::uint32_t index, const KeyResult& result,
                      std::int64_t wall_ms, std::string& out) {
  CHECK(number >= first_);
  CHECK(number < end_);
  Reply& reply = At(number);
  CHECK(reply.open > 0);
  --reply.open;
  if (number == first_ && reply.kind == ReplyKind::kValue && result.status.ok()) {
    if (result.found)
      AppendBulk(out, result.value);
    else
      AppendNull(out);
    reply = {};
    ++first_;
  } else {
    Apply(reply, index, result, wall_ms);
  }
  if (number <= first_) Drain(out);
}

void ReplyQueue::Apply(Reply& reply, std::uint32_t index, const KeyResult& result,
                       std::int64_t wall_ms) {
  if (!result.status.ok()) {
    if (++reply.failed == 1) reply.error = result.status;
    return;
  }
  switch (reply.kind) {
    case ReplyKind::kText:
    case ReplyKind::kOk: return;
    case ReplyKind::kValue:
    case ReplyKind::kValues: Keep(reply, index, result); return;
    case ReplyKind::kCount: reply.count += result.found ? 1 : 0; return;
    case ReplyKind::kSeconds:
    case ReplyKind::kMilliseconds: reply.count = TimeLeft(reply.kind, result, wall_ms); return;
  }
}

void ReplyQueue::Keep(Reply& reply, std::uint32_t index, const KeyResult& result) {
  if (reply.values.empty()) reply.values.resize(reply.keys);
  if (reply.held_bytes + result.value.size() > kValuesBytesMax) {
    if (++reply.failed == 1)
      reply.error = base::InvalidArgument(
          fmt::format("the values of these {} keys are over {} bytes together: ask for fewer",
                      reply.keys, kValuesBytesMax));
    return;
  }
  reply.held_bytes += result.value.size();
  held_bytes_ += result.value.size();
  reply.values[index] = {result.found, std::string(result.value)};
}

void ReplyQueue::Drain(std::string& out) {
  while (!empty() && At(first_).open == 0) {
    Reply& reply = At(first_++);
    Write(reply, out);
    held_bytes_ -= reply.held_bytes;
    reply = {};
  }
}

void ReplyQueue::Write(const Reply& reply, std::string& out) {
  if (reply.failed > 0) {
    if (reply.keys == 1) return AppendError(out, ErrorText(reply.error));
    return AppendError(
        out,
        ErrorText(reply.error.Annotate(fmt::format(
            "{} of {} keys failed, each is on its own; the first", reply.failed, reply.keys))));
  }
  switch (reply.kind) {
    case ReplyKind::kText: out += reply.text; return;
    case ReplyKind::kOk: AppendSimple(out, "OK"); return;
    case ReplyKind::kValues: AppendArray(out, reply.keys); [[fallthrough]];
    case ReplyKind::kValue:
      for (const Value& value : reply.values) {
        if (value.found)
          AppendBulk(out, value.bytes);
        else
          AppendNull(out);
      }
      return;
    case ReplyKind::kCount:
    case ReplyKind::kSeconds:
    case ReplyKind::kMilliseconds: AppendInteger(out, reply.count); return;
  }
}

}  // namespace starling::resp
