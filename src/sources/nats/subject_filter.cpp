#include "sources/nats/subject_filter.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>

namespace weir {
namespace {

constexpr size_t kMostPartitions = 1024;

std::vector<std::string> split(const std::string& text, const char* separators) {
  std::vector<std::string> parts;
  size_t begin = 0;
  while (begin <= text.size()) {
    const size_t end = std::min(text.find_first_of(separators, begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::optional<int64_t> parse_count(const std::string& text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || number < 0) return {};
  return number;
}

// The first range of `filter` written out, and so on until there is none.
Status expand_ranges(const std::string& filter, std::vector<std::string>& expanded) {
  const size_t open = filter.find('{');
  if (open == std::string::npos) {
    if (expanded.size() >= kMostPartitions) {
      return Status::invalid("'scan.partitions' names more than " + std::to_string(kMostPartitions) +
                             " subject filters");
    }
    expanded.push_back(filter);
    return {};
  }
  const size_t close = filter.find('}', open);
  const size_t dots = filter.find("..", open);
  if (close == std::string::npos || dots == std::string::npos || dots > close) {
    return Status::invalid("'" + filter + "': expected a range of numbers such as {0..7}");
  }
  const std::string first = filter.substr(open + 1, dots - open - 1);
  const std::optional<int64_t> begin = parse_count(first);
  const std::optional<int64_t> end = parse_count(filter.substr(dots + 2, close - dots - 2));
  if (!begin.has_value() || !end.has_value() || *begin > *end) {
    return Status::invalid("'" + filter + "': expected a range of numbers such as {0..7}, found '" +
                           filter.substr(open, close - open + 1) + "'");
  }
  for (int64_t number = *begin; number <= *end; ++number) {
    std::string text = std::to_string(number);
    if (first.size() > 1 && first.front() == '0' && text.size() < first.size()) {
      text.insert(0, first.size() - text.size(), '0');
    }
    WEIR_TRY(expand_ranges(filter.substr(0, open) + text + filter.substr(close + 1), expanded));
  }
  return {};
}

}  // namespace

Status check_subject_filter(const std::string& filter) {
  const std::vector<std::string> tokens = split(filter, ".");
  for (size_t i = 0; i < tokens.size(); ++i) {
    const std::string& token = tokens[i];
    const bool wildcard = token == "*" || (token == ">" && i + 1 == tokens.size());
    if (wildcard) continue;
    if (token.empty() || token.find_first_of("*> \t\r\n") != std::string::npos) {
      return Status::invalid("'" + filter +
                             "' is not a subject filter: expected tokens between dots, '*' for one " +
                             "token, '>' only at the end");
    }
  }
  return {};
}

bool filters_overlap(const std::string& left, const std::string& right) {
  const std::vector<std::string> a = split(left, ".");
  const std::vector<std::string> b = split(right, ".");
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (a[i] == ">" || b[i] == ">") return true;
    if (a[i] != b[i] && a[i] != "*" && b[i] != "*") return false;
  }
  return a.size() == b.size();
}

Result<std::vector<std::string>> parse_partition_filters(const std::string& list) {
  std::vector<std::string> written;
  for (std::string filter : split(list, ",;")) {
    filter.erase(0, filter.find_first_not_of(" \t\n"));
    filter.erase(filter.find_last_not_of(" \t\n") + 1);
    if (!filter.empty()) WEIR_TRY(expand_ranges(filter, written));
  }
  std::vector<std::string> filters;
  for (std::string& filter : written) {
    WEIR_TRY(check_subject_filter(filter));
    for (const std::string& other : filters) {
      if (filters_overlap(filter, other)) {
        return Status::invalid("the partitions '" + other + "' and '" + filter +
                               "' overlap: a message would be read twice");
      }
    }
    filters.push_back(std::move(filter));
  }
  return filters;
}

}  // namespace weir
