// One JSON document as a small tree: what `weir init` looks at. Numbers keep the digits they are written
// with.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir {

struct SampledValue {
  enum class Kind { null, boolean, number, string, array, object };
  Kind kind = Kind::null;
  std::string text;  // of a string (at most some hundred bytes are kept) or a number
  std::vector<SampledValue> items;
  std::vector<std::pair<std::string, SampledValue>> members;
};

// Nothing when the text is no JSON, nests deeper than 64 levels, or gives a key of one object twice: what the
// format 'json' refuses. `why` then says so.
std::optional<SampledValue> parse_sampled_json(std::string_view text, std::string& why);

}  // namespace weir
