// Small JSON documents from outside (schemas, a registry's bodies) as a tree, within bounds. Events are
// decoded in formats/, not here.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/status.h"

namespace weir {

using OrderedJson = nlohmann::ordered_json;  // objects keep the order of their keys

inline constexpr size_t kMostJsonDepth = 128;

// invalid with words for anything that is not one JSON document, or is nested deeper than `max_depth`.
Result<OrderedJson> parse_bounded_json(std::string_view text, size_t max_depth = kMostJsonDepth);

// The same document without white space between its tokens; numbers and strings stay as they are written.
// `text` is a JSON document.
std::string minified_json(std::string_view text);

}  // namespace weir
