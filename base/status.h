// base/status.h: how an operation that the world can spoil says so.
//
// Status is for what the world does wrong: disks, peers, users, bytes off the network. A mistake
// of ours is a CHECK (base/check.h), never a Status. The message says what was attempted, on what,
// and why it failed, so that an operator can act on it.
//
//   Result<Config> Load(const std::string& path);
//   ASSIGN_OR_RETURN(Config config, Load(path));
//   RETURN_IF_ERROR(config.Validate());
//
// Thread:    a value; as thread-safe as any other.
// Read next: base/check.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace starling::base {

// The classes of failure that callers tell apart; the wire carries the same numbers, so they are
// never reused.
enum class Code : std::uint8_t {
  kOk = 0,
  kNotFound = 1,
  kInvalidArgument = 2,
  kUnavailable = 3,  // Not enough replicas to try: nothing was changed.
  kTimeout = 4,      // Tried, and the outcome is unknown.
  kOverloaded = 5,   // Refused for want of room: nothing was changed, try later.
  kCorruption = 6,
  kIo = 7,
  kAlreadyExists = 8,
  kFailedPrecondition = 9,
};

// "Unavailable", "InvalidArgument", ...: the name without its k, as shown to users.
std::string_view CodeName(Code code);

class [[nodiscard]] Status {
 public:
  Status() = default;  // Ok.
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  const std::string& message() const { return message_; }

  // "Unavailable: keyspace 'default' needs 2 of 3 replicas, 1 is up"; "Ok" when ok.
  std::string ToString() const;

  // The same code with `context` and ": " before the message. An ok status stays as it is.
  Status Annotate(std::string_view context) const;

  // For a failure that may be ignored. The call site says why in a comment.
  void IgnoreError() const {}

  bool operator==(const Status&) const = default;

 private:
  Code code_ = Code::kOk;
  std::string message_;
};

inline Status Ok() { return {}; }
Status NotFound(std::string message);
Status InvalidArgument(std::string message);
Status Unavailable(std::string message);
Status Timeout(std::string message);
Status Overloaded(std::string message);
Status Corruption(std::string message);
Status Io(std::string message);
Status AlreadyExists(std::string message);
Status FailedPrecondition(std::string message);

template <typename T>
using Result = tl::expected<T, Status>;

// A Status as the failure of a Result: `return base::Fail(base::NotFound("..."))`.
inline tl::unexpected<Status> Fail(Status status) {
  return tl::unexpected<Status>(std::move(status));
}

}  // namespace starling::base

#define STARLING_CONCAT_INNER(a, b) a##b
#define STARLING_CONCAT(a, b) STARLING_CONCAT_INNER(a, b)

// In a function that returns Status or Result<T>: leaves it with the failure, if `expr` is one.
#define RETURN_IF_ERROR(expr)                                                     \
  do {                                                                            \
    if (::starling::base::Status status_of_expr_ = (expr); !status_of_expr_.ok()) \
      return ::starling::base::internal::Propagate{std::move(status_of_expr_)};   \
  } while (false)

#define ASSIGN_OR_RETURN(lhs, expr) \
  STARLING_ASSIGN_OR_RETURN(STARLING_CONCAT(result_of_expr_, __LINE__), lhs, expr)
#define STARLING_ASSIGN_OR_RETURN(tmp, lhs, expr)                                 \
  auto tmp = (expr);                                                              \
  if (!tmp) return ::starling::base::internal::Propagate{std::move(tmp).error()}; \
  lhs = *std::move(tmp)

namespace starling::base::internal {

// Converts to whatever the enclosing function returns.
struct Propagate {
  Status status;
  operator Status() && { return std::move(status); }  // NOLINT(google-explicit-constructor)
  template <typename T>
  operator tl::expected<T, Status>() && {  // NOLINT(google-explicit-constructor)
    return Fail(std::move(status));
  }
};

}  // namespace starling::base::internal
