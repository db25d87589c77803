// base/check.h: what must hold if our own code is right. A failed CHECK ends the process at once.
//
// Never CHECK what comes from a disk, a peer or a user: that is a Status. CHECK is on in every
// build; DCHECK only where NDEBUG is not defined, for hot loops and walks of whole structures.
// Tests reach doctest through tests/test.h alone, because doctest's own CHECK would replace this.
#pragma once

namespace starling::base::internal {

[[noreturn]] void CheckFailed(const char* file, int line, const char* condition);

}  // namespace starling::base::internal

#define CHECK(condition)                                                         \
  (__builtin_expect(!(condition), 0)                                             \
       ? ::starling::base::internal::CheckFailed(__FILE__, __LINE__, #condition) \
       : void(0))

#ifdef NDEBUG
#define DCHECK(condition) (void(sizeof(!(condition))))
#else
#define DCHECK(condition) CHECK(condition)
#endif
