#include "cli/sample_type.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "formats/time_text.h"

namespace weir {
namespace {

// Objects are a MAP when they have so many different keys, each in so few of them.
constexpr size_t kMapKeys = 12;
constexpr double kMapCoverage = 0.4;
constexpr int kMostPlaces = 4;  // of numbers that are exact decimals rather than measurements
constexpr int kRoom = 3;        // digits that a DECIMAL has beyond the largest seen
constexpr size_t kMostFields = 1000;

// Digits of the seconds' fraction without zeros at the end; -1 when it is no timestamp.
int second_places(std::string_view text) {
  int64_t days = 0;
  int64_t units = 0;
  if (text.size() < 16 || parse_date(text.substr(0, 10), &days) != TimeOutcome::ok) return -1;
  const TimeOutcome outcome = parse_after_date(text.substr(10), days, 9, &units);
  if (outcome == TimeOutcome::not_iso) return -1;
  const size_t point = text.find('.');
  if (point == std::string_view::npos) return 0;
  size_t end = point + 1;
  while (end < text.size() && std::isdigit(static_cast<unsigned char>(text[end])) != 0) ++end;
  while (end > point + 1 && text[end - 1] == '0') --end;
  return static_cast<int>(end - point - 1);
}

struct NumberText {
  bool sound = false;
  bool exponent = false;
  int digits = 0;  // before the point, without zeros in front
  int places = 0;
  bool fraction = false;
  bool leading_zero = false;
};

NumberText read_number(std::string_view text) {
  NumberText number;
  if (!text.empty() && text[0] == '-') text.remove_prefix(1);
  size_t at = 0;
  const auto digits = [&] {
    const size_t begin = at;
    while (at < text.size() && std::isdigit(static_cast<unsigned char>(text[at])) != 0) ++at;
    return static_cast<int>(at - begin);
  };
  const int before = digits();
  if (before == 0) return number;
  number.leading_zero = before > 1 && text[0] == '0';
  number.digits = text[0] == '0' ? 0 : before;
  if (at < text.size() && text[at] == '.') {
    ++at;
    number.fraction = true;
    number.places = digits();
    if (number.places == 0) return number;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    number.exponent = true;
    ++at;
    if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
    if (digits() == 0) return number;
  }
  number.sound = at == text.size();
  return number;
}

bool fits_bigint(std::string_view text) {
  const bool negative = !text.empty() && text[0] == '-';
  if (negative) text.remove_prefix(1);
  while (text.size() > 1 && text[0] == '0') text.remove_prefix(1);
  const std::string_view most = negative ? "9223372036854775808" : "9223372036854775807";
  return text.size() < most.size() || (text.size() == most.size() && text <= most);
}

const std::set<std::string>& reserved_words() {
  static const std::set<std::string> words = {
      "all",       "and",          "as",        "by",    "case",   "check",  "constraint", "create",
      "cross",     "current_date", "distinct",  "else",  "end",    "except", "exists",     "false",
      "foreign",   "from",         "full",      "group", "having", "in",     "inner",      "insert",
      "intersect", "into",         "is",        "join",  "left",   "like",   "limit",      "natural",
      "not",       "null",         "offset",    "on",    "or",     "order",  "outer",      "primary",
      "right",     "select",       "set",       "table", "then",   "true",   "union",      "unique",
      "using",     "values",       "watermark", "when",  "where",  "window", "with"};
  return words;
}

}  // namespace

bool is_plain_name(const std::string& name) {
  return !name.empty() && name.size() <= 200 && name.find_first_of(" ,;{}()=`\"\\/") == std::string::npos &&
         std::none_of(name.begin(), name.end(), [](char c) { return c >= 0 && (c < ' ' || c == 0x7F); });
}

std::string quoted_name(const std::string& name) {
  const bool word = !name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) == 0 &&
                    std::all_of(name.begin(), name.end(), [](char c) {
                      return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
                    });
  std::string lower = name;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  if (word && !reserved_words().contains(lower)) return name;
  std::string quoted = "`";
  for (const char c : name) quoted += c == '`' ? std::string("``") : std::string(1, c);
  return quoted + "`";
}

void SampledType::add(const SampledValue& value) {
  switch (value.kind) {
    case SampledValue::Kind::null: ++nulls_; break;
    case SampledValue::Kind::boolean: ++booleans_; break;
    case SampledValue::Kind::number: add_number(value.text); break;
    case SampledValue::Kind::string: add_string(value.text); break;
    case SampledValue::Kind::array:
      ++arrays_;
      if (element_ == nullptr) element_ = std::make_unique<SampledType>();
      for (const SampledValue& item : value.items) element_->add(item);
      break;
    case SampledValue::Kind::object:
      ++objects_;
      for (const auto& [name, member] : value.members) {
        auto found = members_.find(name);
        if (found == members_.end()) {
          if (members_.size() >= kMostFields) continue;
          names_.push_back(name);
          found = members_.try_emplace(name).first;
        }
        found->second.add(member);
      }
      break;
  }
}

void SampledType::add_number(std::string_view text) {
  ++numbers_;
  const NumberText number = read_number(text);
  most_digits_ = std::max(most_digits_, number.digits);
  most_places_ = std::max(most_places_, number.places);
  exponents_ = exponents_ || number.exponent;
  if (number.fraction || number.exponent) {
    ++fractions_;
  } else if (!fits_bigint(text)) {
    beyond_bigint_ = true;
  }
}

void SampledType::add_string(std::string_view text) {
  ++strings_;
  int64_t days = 0;
  if (parse_date(text, &days) == TimeOutcome::ok) {
    ++dates_;
    return;
  }
  const int places = second_places(text);
  if (places < 0) return;
  ++timestamps_;
  most_second_places_ = std::max(most_second_places_, places);
}

void SampledType::add_text(std::string_view text) {
  from_text_ = true;
  if (text.empty()) {
    ++nulls_;
    return;
  }
  if (text == "true" || text == "false") {
    ++booleans_;
    return;
  }
  const NumberText number = read_number(text);
  // A leading zero is of a code (postal, article), not of a number.
  if (number.sound && !number.leading_zero) {
    add_number(text);
  } else {
    add_string(text);
  }
}

void SampledType::merge(const SampledType& other) {
  nulls_ += other.nulls_;
  booleans_ += other.booleans_;
  numbers_ += other.numbers_;
  strings_ += other.strings_;
  arrays_ += other.arrays_;
  objects_ += other.objects_;
  fractions_ += other.fractions_;
  exponents_ = exponents_ || other.exponents_;
  beyond_bigint_ = beyond_bigint_ || other.beyond_bigint_;
  most_digits_ = std::max(most_digits_, other.most_digits_);
  most_places_ = std::max(most_places_, other.most_places_);
  dates_ += other.dates_;
  timestamps_ += other.timestamps_;
  most_second_places_ = std::max(most_second_places_, other.most_second_places_);
  if (other.element_ != nullptr) {
    if (element_ == nullptr) element_ = std::make_unique<SampledType>();
    element_->merge(*other.element_);
  }
  for (const std::string& name : other.names_) {
    const auto [mine, fresh] = members_.try_emplace(name);
    if (fresh) names_.push_back(name);
    mine->second.merge(other.members_.at(name));
  }
}

std::string SampledType::number_type() const {
  if (fractions_ == 0) {
    if (!beyond_bigint_) return "BIGINT";
    return most_digits_ <= 38 ? "DECIMAL(38, 0)" : "DOUBLE";
  }
  if (exponents_ || most_places_ > kMostPlaces) return "DOUBLE";
  for (const int precision : {12, 18, 28, 38}) {
    if (most_digits_ + most_places_ + kRoom > precision) continue;
    return "DECIMAL(" + std::to_string(precision) + ", " + std::to_string(most_places_) + ")";
  }
  return "DOUBLE";
}

std::string SampledType::string_type() const {
  if (dates_ == strings_) return "DATE";
  if (timestamps_ == strings_ && most_second_places_ <= 6) {
    return most_second_places_ <= 3 ? "TIMESTAMP(3)" : "TIMESTAMP(6)";
  }
  return "STRING";
}

std::string SampledType::kinds() const {
  std::string text;
  const auto say = [&](int64_t count, const char* name) {
    if (count > 0) text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + name;
  };
  say(strings_, "strings");
  say(numbers_, "numbers");
  say(booleans_, "booleans");
  say(arrays_, "arrays");
  say(objects_, "objects");
  return text;
}

bool SampledType::is_map() const {
  if (names_.empty()) return true;  // a ROW needs a field
  if (names_.size() < kMapKeys || objects_ < 2) return false;
  int64_t uses = 0;
  for (const auto& [name, member] : members_) uses += member.values();
  return static_cast<double>(uses) <
         kMapCoverage * static_cast<double>(objects_) * static_cast<double>(names_.size());
}

ChosenType SampledType::object_type() const {
  ChosenType chosen;
  if (is_map()) {
    SampledType all;
    for (const auto& [name, member] : members_) all.merge(member);
    const ChosenType value = all.choose();
    chosen.sql = "MAP<STRING, " + value.sql + ">";
    chosen.numbers_as_strings = value.numbers_as_strings;
    chosen.remark = names_.empty() ? "only empty objects were seen"
                                   : std::to_string(names_.size()) + " different keys" +
                                         (value.remark.empty() ? "" : "; values: " + value.remark);
    return chosen;
  }
  for (const std::string& name : names_) {
    if (!is_plain_name(name)) {
      chosen.remark = "a field whose name cannot be stored is left out";
      continue;
    }
    const SampledType& member = members_.at(name);
    const ChosenType type = member.choose();
    chosen.sql += (chosen.sql.empty() ? "" : ", ") + quoted_name(name) + " " + type.sql;
    if (member.present() == objects_) chosen.sql += " NOT NULL";
    chosen.numbers_as_strings = chosen.numbers_as_strings || type.numbers_as_strings;
    if (!type.remark.empty() && chosen.remark.empty()) chosen.remark = name + ": " + type.remark;
  }
  chosen.sql = chosen.sql.empty() ? "MAP<STRING, STRING>" : "ROW<" + chosen.sql + ">";
  return chosen;
}

ChosenType SampledType::choose() const {
  ChosenType chosen;
  const int64_t seen = present();
  if (seen == 0) {
    chosen.sql = "STRING";
    chosen.remark = "only null was seen";
  } else if (numbers_ == seen) {
    chosen.sql = number_type();
    if (chosen.sql == "DOUBLE" && fractions_ == 0) chosen.remark = "integers of more than 38 digits";
  } else if (strings_ == seen) {
    chosen.sql = string_type();
    if (timestamps_ == seen && chosen.sql == "STRING") {
      chosen.remark = "timestamps of more than 6 digits, which sinks cannot store";
    }
  } else if (booleans_ == seen) {
    chosen.sql = "BOOLEAN";
  } else if (arrays_ == seen) {
    const ChosenType item = element_->choose();
    chosen = item;
    chosen.sql = "ARRAY<" + item.sql + ">";
    if (element_->values() == 0) chosen.remark = "only empty arrays were seen";
  } else if (objects_ == seen) {
    chosen = object_type();
  } else {
    chosen.sql = "STRING";
    if (!from_text_) chosen.remark = "mixed: " + kinds();
    chosen.numbers_as_strings = numbers_ > 0 && !from_text_;
  }
  return chosen;
}

}  // namespace weir
