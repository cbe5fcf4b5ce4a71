#include "sources/nats/subject_filter.h"

#include <algorithm>

namespace weir {
namespace {

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
  std::vector<std::string> filters;
  for (std::string filter : split(list, ",;")) {
    filter.erase(0, filter.find_first_not_of(" \t\n"));
    filter.erase(filter.find_last_not_of(" \t\n") + 1);
    if (filter.empty()) continue;
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
