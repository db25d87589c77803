// base/mutants.h: planted mistakes, which the simulator must catch (tests/sim/mutants_test.cc).
//
//   if (base::Mutant("skip-hint")) return;
//
// Only a build with STARLING_MUTANTS has them, one at a time and chosen by name at run time; in
// all others the test is `false` to the compiler. The names are in kMutants, each with its mistake.
//
// Thread: SetMutant before any thread that asks; Mutant from any.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

#include "base/check.h"

namespace starling::base {

struct MutantName {
  std::string_view name;
  std::string_view mistake;
};

inline constexpr std::array<MutantName, 8> kMutants{{
    {"skip-hint", "no hint is kept for a replica that is down"},
    {"drop-restamp", "a superseded write is acknowledged instead of being stamped again"},
    {"forget-leaf", "a write does not change its leaf of the tree"},
    {"accept-older", "an older version replaces a newer one"},
    {"ack-before-wal", "a write is acknowledged before the sync that covers it"},
    {"repair-superseded-ok", "a read repair counts `superseded` as ok"},
    {"retry-restamped", "a retry that came with its stamp is stamped again"},
    {"never-held-after-restart", "`never held` is answered of what was before a restart"},
}};

#ifdef STARLING_MUTANTS

namespace internal {
inline std::string_view chosen_mutant;
}  // namespace internal

// Chooses one of kMutants; none with an empty name.
inline void SetMutant(std::string_view name) {
  const auto same = [&](const MutantName& known) { return known.name == name; };
  const auto found = std::find_if(kMutants.begin(), kMutants.end(), same);
  CHECK(name.empty() || found != kMutants.end());
  internal::chosen_mutant = name.empty() ? std::string_view{} : found->name;
}

inline bool Mutant(std::string_view name) { return name == internal::chosen_mutant; }

#else

constexpr bool Mutant(std::string_view) { return false; }

#endif

}  // namespace starling::base
