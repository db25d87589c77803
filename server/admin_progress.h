// server/admin_progress.h: how far work is, as nodes tell operators: the same in every answer.
//
// Thread:    free functions.
// Read next: server/progress.h
#pragma once

#include <optional>

#include "base/json.h"
#include "server/progress.h"

namespace starling::server {

// Null: too early to say.
inline base::Json MsOf(const std::optional<base::Duration>& left) {
  return left ? base::Json(base::ToMs(*left)) : base::Json();
}

inline void SetPulling(base::Json& json, const SliceProgress& pulling) {
  json.Set("slices_to_pull", pulling.slices);
  json.Set("slices_pulled", pulling.done);
  json.Set("pulling_ms", base::ToMs(pulling.elapsed));
  json.Set("left_ms", MsOf(pulling.Left()));
}

inline base::Json ShowMaking(const SliceProgress& making) {
  return {{"slices_to_make", making.slices},
          {"slices_made", making.done},
          {"making_ms", base::ToMs(making.elapsed)},
          {"left_ms", MsOf(making.Left())}};
}

}  // namespace starling::server
