#include "schema/bounded_json.h"

#include <algorithm>

namespace weir {
namespace {

// Of brackets outside strings. The tree's own functions are recursive, so it is never built deeper.
size_t nesting(std::string_view text) {
  size_t depth = 0, deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth;
    }
  }
  return deepest;
}

}  // namespace

Result<OrderedJson> parse_bounded_json(std::string_view text, size_t max_depth) {
  if (nesting(text) > max_depth) {
    return Status::invalid("JSON that is nested deeper than " + std::to_string(max_depth));
  }
  try {
    return OrderedJson::parse(text);
  } catch (const nlohmann::json::parse_error& error) {
    return Status::invalid("not JSON: an error at byte " + std::to_string(error.byte));
  } catch (const std::exception&) {
    return Status::invalid("not JSON: a number is out of range");
  }
}

std::string minified_json(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (!in_string && (c == ' ' || c == '\t' || c == '\n' || c == '\r')) continue;
    result += c;
    if (in_string && c == '\\' && i + 1 < text.size()) {
      result += text[++i];
    } else if (c == '"') {
      in_string = !in_string;
    }
  }
  return result;
}

}  // namespace weir
