#include "server/resp/session.h"

#include <fmt/core.h>

#include <algorithm>
#include <unordered_set>

#include "base/check.h"
#include "base/hash.h"
#include "server/resp/integer.h"
#include "server/resp/reply.h"
#include "server/wire/limits.h"

namespace starling::resp {
namespace {

// Replies that wait for earlier ones, or to be taken by the shell. Above it no request is taken.
constexpr std::size_t kReplyBytesMax = 1024 * 1024;
// Before anything came. With the standard options a new connection may have 8 operations under way,
// and 4096 after some hundred small results.
constexpr std::size_t kResultBytesGuess = 1024 * 1024;
constexpr std::size_t kResultBytesMin = 1024;
// Below so many keys, comparing each with all is quicker than hashing.
constexpr std::size_t kFewKeys = 16;

// Redis refuses what would overflow; Starling, what the native protocol does.
constexpr auto kTtlMsMax = static_cast<std::int64_t>(wire::kTtlMsMax);

constexpr std::string_view kSyntaxError = "ERR syntax error";
constexpr std::string_view kBadExpiry = "ERR invalid expire time in 'set' command";

ReplyKind ReplyKindOf(CommandId id) {
  switch (id) {
    case CommandId::kGet: return ReplyKind::kValue;
    case CommandId::kMget: return ReplyKind::kValues;
    case CommandId::kSet:
    case CommandId::kMset: return ReplyKind::kOk;
    case CommandId::kDel:
    case CommandId::kExists: return ReplyKind::kCount;
    case CommandId::kTtl: return ReplyKind::kSeconds;
    case CommandId::kPttl: return ReplyKind::kMilliseconds;
    default: return ReplyKind::kText;
  }
}

}  // namespace

Session::Session(const SessionOptions& options)
    : options_(options),
      parser_(options.parser),
      client_{.id = options.client_id, .name = {}},
      result_bytes_(kResultBytesGuess) {
  CHECK(options.in_flight_max > 0);
}

// --- requests ---

std::size_t Session::Consume(base::Bytes bytes, const Facts& facts) {
  std::size_t used = 0;
  waiting_ = more_ = false;
  for (;;) {
    if (closing_) return bytes.size();
    if (outputs_.bytes.size() > kReplyBytesMax) {
      more_ = true;
      return used;
    }
    // A request that has begun goes on: its own reply may be what is held.
    const bool full =
        replies_.held_bytes() > kReplyBytesMax || replies_.size() > options_.in_flight_max;
    if (full && !begun_) {
      waiting_ = true;
      return used;
    }
    switch (parser_.Parse(bytes.substr(used))) {
      case Parser::Outcome::kNeedMore: return used;
      case Parser::Outcome::kError:
        AppendError(Text(), "ERR " + parser_.error());
        closing_ = true;
        return bytes.size();
      case Parser::Outcome::kRequest: break;
    }
    if (Handle(facts) == Progress::kWaits) {
      waiting_ = true;
      return used;
    }
    used += parser_.size();
    parser_.Next();
    // The words of an inline request live until the next Parse().
    if (parser_.is_inline() && !outputs_.ops.empty()) {
      more_ = true;
      return used;
    }
  }
}

Session::Progress Session::Handle(const Facts& facts) {
  if (begun_) return AskKeys();
  if (parser_.args() == 0) return Progress::kDone;
  const Command* command = FindCommand(parser_.arg(0));
  if (command == nullptr) {
    AppendError(Text(), RefuseCommand(parser_));
  } else if (!command->takes(parser_.args())) {
    AppendError(Text(), WrongArity(command->name));
  } else if (command->first_key == 0) {
    AnswerWithoutKeys(*command, parser_, facts, client_, Text());
    closing_ = command->id == CommandId::kQuit;
  } else if (Begin(*command, facts)) {
    return AskKeys();
  }
  return Progress::kDone;
}

bool Session::Refuse(base::Bytes error) {
  AppendError(Text(), error);
  return false;
}

bool Session::Begin(const Command& command, const Facts& facts) {
  current_.kind = ReplyKindOf(command.id);
  current_.writes = command.id == CommandId::kSet || command.id == CommandId::kMset;
  current_.deletes = command.id == CommandId::kDel;
  current_.step = static_cast<std::size_t>(command.key_step);
  current_.next = 0;
  current_.ttl_ms = 0;
  current_.overwritten.clear();
  if (command.id == CommandId::kMset && parser_.args() % 2 == 0)
    return Refuse(WrongArity(command.name));
  current_.keys = command.last_key == 1 ? 1 : (parser_.args() - 1) / current_.step;
  if (command.id == CommandId::kSet && !ParseSetOptions()) return false;
  if (!CheckKeys(facts)) return false;
  std::size_t asked = current_.keys;
  if (command.id == CommandId::kMset && current_.keys > 1) asked -= FindOverwritten();
  current_.reply = replies_.Add(current_.kind, static_cast<std::uint32_t>(asked));
  begun_ = true;
  return true;
}

// All of them first: what is refused has changed nothing.
bool Session::CheckKeys(const Facts& facts) {
  if (facts.loading)
    return Refuse("LOADING this node is not in a cluster yet: it waits for its seeds");
  for (std::size_t i = 0; i < current_.keys; ++i) {
    const std::size_t size = parser_.arg(1 + i * current_.step).size();
    if (size == 0 || size > options_.key_bytes_max)
      return Refuse(fmt::format("ERR InvalidArgument: a key of {} bytes: keys have 1 to {}", size,
                                options_.key_bytes_max));
    if (!current_.writes) continue;
    const std::size_t value = parser_.arg(2 + i * current_.step).size();
    if (value > options_.value_bytes_max)
      return Refuse(
          fmt::format("ERR InvalidArgument: a value of {} bytes, the limit is {} "
                      "(limits.value)",
                      value, options_.value_bytes_max));
  }
  return true;
}

// SET key value [EX seconds | PX milliseconds].
bool Session::ParseSetOptions() {
  for (std::size_t i = 3; i < parser_.args(); ++i) {
    const base::Bytes option = parser_.arg(i);
    for (const std::string_view atomic : {"nx", "xx", "get", "keepttl"})
      if (EqualsIgnoringCase(option, atomic))
        return Refuse(
            fmt::format("ERR SET with {} is not supported: it needs an atomic "
                        "read-modify-write, which Starling does not offer",
                        option));
    for (const std::string_view absolute : {"exat", "pxat"})
      if (EqualsIgnoringCase(option, absolute))
        return Refuse(fmt::format(
            "ERR SET with {} is not supported: Starling takes a time to live, EX or PX", option));
    const bool seconds = EqualsIgnoringCase(option, "ex");
    if (!seconds && !EqualsIgnoringCase(option, "px")) return Refuse(kSyntaxError);
    if (current_.ttl_ms != 0 || ++i == parser_.args()) return Refuse(kSyntaxError);
    const auto count = ParseInteger(parser_.arg(i));
    if (!count) return Refuse(kNotAnInteger);
    if (*count <= 0 || *count > kTtlMsMax / (seconds ? 1000 : 1)) return Refuse(kBadExpiry);
    current_.ttl_ms = static_cast<std::uint64_t>(seconds ? *count * 1000 : *count);
  }
  return true;
}

// Which values of an MSET are replaced by a later one of the same MSET, and how many. Redis would
// never show them; writing them would only make each key wait for itself.
std::size_t Session::FindOverwritten() {
  current_.overwritten.assign(current_.keys, false);
  const auto key = [&](std::size_t i) { return parser_.arg(1 + i * current_.step); };
  std::size_t found = 0;
  std::unordered_set<base::Bytes> later;
  for (std::size_t i = current_.keys; i-- > 0;) {
    bool again = false;
    if (current_.keys > kFewKeys)
      again = !later.insert(key(i)).second;
    else
      for (std::size_t j = i + 1; j < current_.keys && !again; ++j) again = key(i) == key(j);
    if (!again) continue;
    current_.overwritten[i] = true;
    ++found;
  }
  return found;
}

// --- operations ---

// So many that what they bring fits, and always one.
std::size_t Session::Window() const {
  return std::clamp<std::size_t>(options_.results_bytes_max / result_bytes_, 1,
                                 options_.in_flight_max);
}

Session::Progress Session::AskKeys() {
  for (; current_.next < current_.keys; ++current_.next) {
    const std::size_t i = current_.next;
    if (!current_.overwritten.empty() && current_.overwritten[i]) continue;
    if (ops_.size() >= Window() || !AskKey(i)) return Progress::kWaits;
  }
  begun_ = false;
  return Progress::kDone;
}

// False: an earlier operation on the key is under way.
bool Session::AskKey(std::size_t index) {
  const base::Bytes key = parser_.arg(1 + index * current_.step);
  const std::uint64_t hash = base::Hash64(key);
  const bool changes = current_.writes || current_.deletes;
  const auto access = changes ? KeyOrder::Access::kWrite : KeyOrder::Access::kRead;
  if (!order_.TryBegin(hash, access)) return false;
  const auto [id, op] = ops_.Add();
  op->reply = current_.reply;
  op->index = static_cast<std::uint32_t>(index);
  op->access = access;
  op->deletes = current_.deletes;
  op->hash = hash;
  if (current_.deletes) op->key = key;
  KeyOp& asked = outputs_.ops.emplace_back();
  asked.id = id;
  asked.is_write = current_.writes;
  asked.want_value = current_.kind == ReplyKind::kValue || current_.kind == ReplyKind::kValues;
  asked.ttl_ms = current_.ttl_ms;
  asked.key = key;
  if (current_.writes) asked.value = parser_.arg(2 + index * current_.step);
  return true;
}

void Session::OnResult(std::uint64_t op_id, const KeyResult& result, std::int64_t wall_ms) {
  Op* op = ops_.Find(op_id);
  if (op == nullptr) return;
  if (op->deletes && !op->writing && result.status.ok()) {
    op->existed = result.found;
    op->writing = true;
    KeyOp& asked = outputs_.ops.emplace_back();
    asked.id = op_id;
    asked.is_write = asked.tombstone = true;
    asked.key = op->key;
    return;
  }
  waiting_ = false;
  result_bytes_ =
      std::max({result.value.size(), result_bytes_ - result_bytes_ / 16, kResultBytesMin});
  order_.End(op->hash, op->access);
  if (op->deletes && result.status.ok()) {
    KeyResult deleted;
    deleted.found = op->existed;
    replies_.Take(op->reply, op->index, deleted, wall_ms, outputs_.bytes);
  } else {
    replies_.Take(op->reply, op->index, result, wall_ms, outputs_.bytes);
  }
  ops_.Remove(op_id);
}

}  // namespace starling::resp
