// base/nearest_name.h: what a person who mistyped a name probably meant.
//
// Thread: a free function.
#pragma once

#include <span>
#include <string_view>

namespace starling::base {

// Of those given, the one that differs from `name` in the fewest letters; empty when there is none
// or all are too far off to have been meant.
std::string_view NearestName(std::string_view name, std::span<const std::string_view> choices);

}  // namespace starling::base
