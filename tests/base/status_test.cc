// Goal:   a failure reaches whoever can act on it, whole, and a success is not in its way.
// Method: small functions that fail where told, through the macros and without them.
#include "base/status.h"

#include <memory>
#include <utility>

#include "tests/test.h"

namespace starling::base {
namespace {

Status Twice(const Status& first, const Status& second, int& reached) {
  RETURN_IF_ERROR(first);
  ++reached;
  RETURN_IF_ERROR(second);
  ++reached;
  return Ok();
}

Result<int> AsResult(const Status& status) {
  RETURN_IF_ERROR(status);
  return 1;
}

Result<std::unique_ptr<int>> Boxed(Result<int> number) {
  ASSIGN_OR_RETURN(const int value, std::move(number));
  return std::make_unique<int>(value);
}

// Two results of different types in one function, which itself returns a third.
Status Add(Result<std::unique_ptr<int>> a, Result<int> b, int& sum) {
  ASSIGN_OR_RETURN(const std::unique_ptr<int> boxed, std::move(a));
  ASSIGN_OR_RETURN(sum, std::move(b));
  sum += *boxed;
  return Ok();
}

TEST_SUITE("base/status") {
  TEST_CASE("a status is ok until a failure is made of it") {
    EXPECT(Status().ok());
    EXPECT(Ok() == Status());
    EXPECT(Ok().ToString() == "Ok");
    const Status failed = Unavailable("1 of 3 replicas is up");
    EXPECT(!failed.ok());
    EXPECT(failed.code() == Code::kUnavailable);
    EXPECT(failed.message() == "1 of 3 replicas is up");
    EXPECT(failed.ToString() == "Unavailable: 1 of 3 replicas is up");
  }

  TEST_CASE("each code has its maker, its name, and its number on the wire") {
    const struct {
      Status status;
      Code code;
      int number;
      const char* name;
    } codes[] = {
        {Ok(), Code::kOk, 0, "Ok"},
        {NotFound("m"), Code::kNotFound, 1, "NotFound"},
        {InvalidArgument("m"), Code::kInvalidArgument, 2, "InvalidArgument"},
        {Unavailable("m"), Code::kUnavailable, 3, "Unavailable"},
        {Timeout("m"), Code::kTimeout, 4, "Timeout"},
        {Overloaded("m"), Code::kOverloaded, 5, "Overloaded"},
        {Corruption("m"), Code::kCorruption, 6, "Corruption"},
        {Io("m"), Code::kIo, 7, "Io"},
        {AlreadyExists("m"), Code::kAlreadyExists, 8, "AlreadyExists"},
        {FailedPrecondition("m"), Code::kFailedPrecondition, 9, "FailedPrecondition"},
    };
    for (const auto& each : codes) {
      EXPECT(each.status.code() == each.code);
      EXPECT(static_cast<int>(each.code) == each.number);
      EXPECT(CodeName(each.code) == each.name);
      EXPECT(each.status.ok() == (each.number == 0));
    }
    EXPECT(CodeName(static_cast<Code>(200)) == "Unknown");
  }

  TEST_CASE("a context goes before the message, the code stays, and ok stays ok") {
    const Status status = Io("no space left").Annotate("counting start 3").Annotate("opening");
    EXPECT(status == Io("opening: counting start 3: no space left"));
    EXPECT(Ok().Annotate("opening") == Ok());
  }

  TEST_CASE("statuses are equal when code and message are") {
    EXPECT(Io("a") == Io("a"));
    EXPECT(Io("a") != Io("b"));
    EXPECT(Io("a") != Corruption("a"));
  }
}

TEST_SUITE("base/status: RETURN_IF_ERROR and ASSIGN_OR_RETURN") {
  TEST_CASE("the first failure leaves the function, and what comes before it has happened") {
    int reached = 0;
    SUBCASE("none") {
      EXPECT(Twice(Ok(), Ok(), reached).ok());
      EXPECT(reached == 2);
    }
    SUBCASE("the second") {
      EXPECT(Twice(Ok(), Io("b"), reached) == Io("b"));
      EXPECT(reached == 1);
    }
    SUBCASE("the first of two") {
      EXPECT(Twice(Io("a"), Io("b"), reached) == Io("a"));
      EXPECT(reached == 0);
    }
  }

  TEST_CASE("a Status leaves a function that returns a Result, as its error") {
    EXPECT(AsResult(Ok()).value() == 1);
    EXPECT(AsResult(Timeout("late")).error() == Timeout("late"));
  }

  TEST_CASE("a Result gives its value, which need not be copyable, or its error") {
    EXPECT(*Boxed(7).value() == 7);
    EXPECT(Boxed(Fail(NotFound("key"))).error() == NotFound("key"));
    int sum = 0;
    EXPECT(Add(Boxed(7), 5, sum).ok());
    EXPECT(sum == 12);
  }

  TEST_CASE("an assignment that fails leaves its target alone") {
    int sum = 3;
    EXPECT(Add(Boxed(7), Fail(Io("b")), sum) == Io("b"));
    EXPECT(Add(Boxed(Fail(Io("a"))), 5, sum) == Io("a"));
    EXPECT(sum == 3);
  }

  TEST_CASE("an expression is evaluated once") {
    int calls = 0;
    const auto count = [&]() -> Result<int> { return ++calls; };
    const auto run = [&]() -> Status {
      ASSIGN_OR_RETURN(const int first, count());
      RETURN_IF_ERROR(first == 1 ? Ok() : Io("evaluated again"));
      return Ok();
    };
    EXPECT(run().ok());
    EXPECT(calls == 1);
  }
}

}  // namespace
}  // namespace starling::base
