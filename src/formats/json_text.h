// JSON as text: is it whole and valid, where is it not, and where its parts lie. Nothing is converted.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace weir {

struct JsonFault {
  size_t offset = 0;  // of the first bad byte
  std::string reason;
};

// Nothing when `text` is one JSON value with nothing but white space around it, in UTF-8, with at most
// `max_depth` containers in one another. Numbers may have any size; names may come twice.
std::optional<JsonFault> find_json_fault(std::string_view text, int max_depth);

std::string_view trim_json_space(std::string_view text);

// The members of a valid object, in order, the name and the value as written (the name without its quotes),
// until `member` returns false. False when `text` is no object.
bool for_each_member(std::string_view text,
                     const std::function<bool(std::string_view, std::string_view)>& member);
// The elements of a valid array. False when `text` is no array.
bool for_each_element(std::string_view text, const std::function<bool(std::string_view)>& element);

// The inside of a valid JSON string, without its quotes, decoded. A lone surrogate becomes U+FFFD; then
// append_json_unescaped gives false.
bool append_json_unescaped(std::string_view inside, std::string& out);
std::string json_unescaped(std::string_view inside);

// `text` as a JSON string with its quotes. What is not UTF-8 becomes U+FFFD.
std::string json_quoted(std::string_view text);
void append_json_quoted(std::string_view text, std::string& out);

// Whether a Content-Type says JSON: "application/json; charset=utf-8", "text/json", "application/vnd.x+json".
bool is_json_type(std::string_view content_type);

// The value of a hexadecimal digit, or -1.
int hex_digit(char c);

// Length of the well-formed UTF-8 character at the beginning of `text`, or 0. Not for an empty text.
size_t utf8_length(std::string_view text);
bool is_utf8(std::string_view text);

}  // namespace weir
