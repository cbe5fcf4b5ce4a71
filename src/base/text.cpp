#include "base/text.h"

#include <algorithm>
#include <cctype>
#include <optional>

namespace weir {
namespace {

struct Unit {
  std::string_view name;
  int64_t factor;
};

constexpr int64_t kSecond = 1000, kMinute = 60 * kSecond, kHour = 60 * kMinute, kDay = 24 * kHour;
constexpr Unit kDurationUnits[] = {{"", 1},
                                   {"ms", 1},
                                   {"milli", 1},
                                   {"millis", 1},
                                   {"millisecond", 1},
                                   {"milliseconds", 1},
                                   {"s", kSecond},
                                   {"sec", kSecond},
                                   {"secs", kSecond},
                                   {"second", kSecond},
                                   {"seconds", kSecond},
                                   {"m", kMinute},
                                   {"min", kMinute},
                                   {"minute", kMinute},
                                   {"minutes", kMinute},
                                   {"h", kHour},
                                   {"hour", kHour},
                                   {"hours", kHour},
                                   {"d", kDay},
                                   {"day", kDay},
                                   {"days", kDay}};

constexpr int64_t kKilo = 1024, kMega = kKilo * 1024, kGiga = kMega * 1024, kTera = kGiga * 1024;
constexpr Unit kSizeUnits[] = {{"", 1},        {"b", 1},       {"byte", 1},    {"bytes", 1},
                               {"k", kKilo},   {"kb", kKilo},  {"kib", kKilo}, {"m", kMega},
                               {"mb", kMega},  {"mib", kMega}, {"g", kGiga},   {"gb", kGiga},
                               {"gib", kGiga}, {"t", kTera},   {"tb", kTera},  {"tib", kTera}};

char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

bool is_blank(char c) { return c == ' ' || c == '\t'; }

template <size_t N>
std::optional<int64_t> parse_amount(std::string_view text, const Unit (&units)[N]) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  size_t digits = 0;
  int64_t amount = 0;
  for (; digits < text.size() && std::isdigit(static_cast<unsigned char>(text[digits])); ++digits) {
    if (__builtin_mul_overflow(amount, 10, &amount)) return std::nullopt;
    if (__builtin_add_overflow(amount, text[digits] - '0', &amount)) return std::nullopt;
  }
  if (digits == 0) return std::nullopt;
  text.remove_prefix(digits);
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  std::string name;
  for (char c : text) name += lower(c);
  for (const Unit& unit : units) {
    if (unit.name != name) continue;
    if (__builtin_mul_overflow(amount, unit.factor, &amount)) return std::nullopt;
    return amount;
  }
  return std::nullopt;
}

// Names differ little when only case or the separator does.
std::string folded(std::string_view name) {
  std::string result;
  for (char c : name) result += c == '_' ? '-' : lower(c);
  return result;
}

// Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours count one each.
size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> before_last(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t changed = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({changed, last[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
    std::swap(before_last, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

}  // namespace

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  std::optional<int64_t> amount = parse_amount(text, kDurationUnits);
  if (amount) return std::chrono::milliseconds(*amount);
  return Status::invalid("'" + std::string(text) +
                         "' is not a duration: expected a whole number and a unit, such as '200 ms', '10 s', "
                         "'5 min', '2 h' or '1 d'");
}

Result<int64_t> parse_size(std::string_view text) {
  std::optional<int64_t> amount = parse_amount(text, kSizeUnits);
  if (amount) return *amount;
  return Status::invalid(
      "'" + std::string(text) +
      "' is not a size: expected a whole number and a unit, such as '512 kb', '64 mb' or '1 gb'");
}

std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates) {
  std::string wanted = folded(name);
  size_t limit = wanted.size() <= 3 ? 1 : wanted.size() <= 6 ? 2 : 3;
  size_t best = limit + 1;
  std::string result;
  for (const std::string& candidate : candidates) {
    size_t length = std::max(candidate.size(), wanted.size()) - std::min(candidate.size(), wanted.size());
    if (length >= best) continue;
    size_t distance = edit_distance(wanted, folded(candidate));
    // A name that shares nothing with the candidate is not near it, however short both are.
    if (distance >= best || distance >= std::min(wanted.size(), candidate.size())) continue;
    best = distance;
    result = candidate;
  }
  return result;
}

std::string suggestion(std::string_view name, const std::vector<std::string>& candidates) {
  std::string near = nearest_name(name, candidates);
  if (near.empty()) return "";
  return " Did you mean '" + near + "'?";
}

std::string with_thousands(int64_t number) {
  std::string digits = std::to_string(number);
  size_t first = digits[0] == '-' ? 1 : 0;
  for (size_t i = digits.size(); i > first + 3;) {
    i -= 3;
    digits.insert(i, ",");
  }
  return digits;
}

std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> names;
  size_t at = 0;
  while (at <= text.size()) {
    size_t end = std::min(text.find(',', at), text.size());
    size_t first = text.find_first_not_of(" \t\n", at);
    if (first < end) {
      size_t last = text.find_last_not_of(" \t\n", end - 1);
      names.push_back(text.substr(first, last - first + 1));
    }
    at = end + 1;
  }
  return names;
}

}  // namespace weir
