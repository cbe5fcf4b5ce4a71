#include "config/options.h"

#include <strings.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>

#include "base/text.h"

namespace weir {
namespace {

bool is_wildcard(const OptionSpec& spec) {
  return spec.name.size() >= 2 && spec.name.compare(spec.name.size() - 2, 2, ".*") == 0;
}

std::string wildcard_prefix(const OptionSpec& spec) { return spec.name.substr(0, spec.name.size() - 1); }

bool matches(const OptionSpec& spec, const std::string& name) {
  if (!is_wildcard(spec)) return spec.name == name;
  std::string prefix = wildcard_prefix(spec);
  return name.size() > prefix.size() && name.compare(0, prefix.size(), prefix) == 0;
}

const OptionSpec* find_spec(const std::vector<OptionSpec>& specs, const std::string& name) {
  const OptionSpec* wildcard = nullptr;
  for (const OptionSpec& spec : specs) {
    if (!matches(spec, name)) continue;
    if (!is_wildcard(spec)) return &spec;
    wildcard = &spec;
  }
  return wildcard;
}

std::optional<int64_t> to_integer(const std::string& text) {
  if (text.empty() || text.find_first_not_of("-0123456789") != std::string::npos) return std::nullopt;
  errno = 0;
  char* end = nullptr;
  long long value = std::strtoll(text.c_str(), &end, 10);
  if (errno != 0 || *end != '\0' || end == text.c_str()) return std::nullopt;
  return value;
}

std::optional<double> to_number(const std::string& text) {
  if (text.empty() || text.find_first_not_of("+-.0123456789eE") != std::string::npos) return std::nullopt;
  char* end = nullptr;
  double value = std::strtod(text.c_str(), &end);
  if (*end != '\0' || end == text.c_str() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<bool> to_boolean(const std::string& text) {
  if (strcasecmp(text.c_str(), "true") == 0) return true;
  if (strcasecmp(text.c_str(), "false") == 0) return false;
  return std::nullopt;
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "'" : ", '") + name + "'";
  return text;
}

// What a value must look like, or nothing when `text` does.
std::optional<std::string> expectation(const OptionSpec& spec, const std::string& text) {
  switch (spec.type) {
    case OptionType::string: return std::nullopt;
    case OptionType::integer:
      if (to_integer(text)) return std::nullopt;
      return "a whole number";
    case OptionType::number:
      if (to_number(text)) return std::nullopt;
      return "a number";
    case OptionType::boolean:
      if (to_boolean(text)) return std::nullopt;
      return "'true' or 'false'";
    case OptionType::duration:
      if (parse_duration(text).ok()) return std::nullopt;
      return "a duration: a whole number and a unit, such as '200 ms', '10 s' or '5 min'";
    case OptionType::size:
      if (parse_size(text).ok()) return std::nullopt;
      return "a size: a whole number and a unit, such as '512 kb' or '64 mb'";
    case OptionType::choice:
      for (const std::string& choice : spec.choices) {
        if (choice == text) return std::nullopt;
      }
      return (spec.choices.size() > 1 ? "one of " : "") + listed(spec.choices);
  }
  return std::nullopt;
}

void report_unknown(const std::string& owner, const std::vector<OptionSpec>& specs, const std::string& name,
                    const Location& location, Diagnostics& diagnostics) {
  std::vector<std::string> known;
  for (const OptionSpec& spec : specs) {
    size_t dot = name.find('.');
    if (!is_wildcard(spec)) {
      known.push_back(spec.name);
    } else if (dot != std::string::npos) {
      known.push_back(wildcard_prefix(spec) + name.substr(dot + 1));
    }
  }
  std::string message = owner + " has no option '" + name + "'.";
  std::string near = suggestion(name, known);
  if (near.empty()) {
    std::vector<std::string> names;
    for (const OptionSpec& spec : specs) names.push_back(spec.name);
    near = names.empty() ? " It takes none." : " It takes " + listed(names);
  }
  diagnostics.error(location, message + near);
}

}  // namespace

OptionSpec option(std::string name, OptionType type, std::string default_value, std::string help) {
  OptionSpec spec;
  spec.name = std::move(name);
  spec.type = type;
  spec.default_value = std::move(default_value);
  spec.help = std::move(help);
  return spec;
}

OptionSpec required(OptionSpec spec) {
  spec.required = true;
  return spec;
}

OptionSpec secret(OptionSpec spec) {
  spec.secret = true;
  return spec;
}

OptionSpec one_of(std::string name, std::vector<std::string> choices, std::string help) {
  OptionSpec spec = option(std::move(name), OptionType::choice, choices.front(), std::move(help));
  spec.choices = std::move(choices);
  return spec;
}

const OptionSpec& Options::spec(const std::string& name, OptionType type) const {
  const OptionSpec* found = find_spec(specs_, name);
  WEIR_CHECK(found != nullptr, "option '" + name + "' is read but not declared");
  bool same = found->type == type || (type == OptionType::string && found->type == OptionType::choice);
  WEIR_CHECK(same, "option '" + name + "' is read as another type than declared");
  return *found;
}

std::string Options::text_of(const std::string& name, OptionType type) const {
  const OptionSpec& declared = spec(name, type);
  auto given = values_.find(name);
  return given == values_.end() ? declared.default_value : given->second.text;
}

std::string Options::string(const std::string& name) const { return text_of(name, OptionType::string); }

int64_t Options::integer(const std::string& name) const {
  std::string text = text_of(name, OptionType::integer);
  if (text.empty()) return 0;
  std::optional<int64_t> value = to_integer(text);
  WEIR_CHECK(value, "option '" + name + "' was not validated");
  return *value;
}

double Options::number(const std::string& name) const {
  std::string text = text_of(name, OptionType::number);
  if (text.empty()) return 0;
  std::optional<double> value = to_number(text);
  WEIR_CHECK(value, "option '" + name + "' was not validated");
  return *value;
}

bool Options::boolean(const std::string& name) const {
  std::string text = text_of(name, OptionType::boolean);
  if (text.empty()) return false;
  std::optional<bool> value = to_boolean(text);
  WEIR_CHECK(value, "option '" + name + "' was not validated");
  return *value;
}

std::chrono::milliseconds Options::duration(const std::string& name) const {
  std::string text = text_of(name, OptionType::duration);
  if (text.empty()) return std::chrono::milliseconds(0);
  Result<std::chrono::milliseconds> value = parse_duration(text);
  WEIR_CHECK(value.ok(), "option '" + name + "' was not validated");
  return *value;
}

int64_t Options::size(const std::string& name) const {
  std::string text = text_of(name, OptionType::size);
  if (text.empty()) return 0;
  Result<int64_t> value = parse_size(text);
  WEIR_CHECK(value.ok(), "option '" + name + "' was not validated");
  return *value;
}

std::map<std::string, std::string> Options::with_prefix(const std::string& prefix) const {
  std::map<std::string, std::string> result;
  for (auto entry = values_.lower_bound(prefix); entry != values_.end(); ++entry) {
    if (entry->first.compare(0, prefix.size(), prefix) != 0) break;
    if (entry->first.size() > prefix.size()) result[entry->first.substr(prefix.size())] = entry->second.text;
  }
  return result;
}

bool Options::secret(const std::string& name) const {
  return std::any_of(specs_.begin(), specs_.end(),
                     [&](const OptionSpec& spec) { return spec.name == name && spec.secret; });
}

Location Options::location(const std::string& name) const {
  auto given = values_.find(name);
  return given == values_.end() ? Location{} : given->second.location;
}

Options validate_options(const std::string& owner, const std::vector<OptionSpec>& specs,
                         const std::map<std::string, OptionValue>& values, const Location& where,
                         Diagnostics& diagnostics) {
  for (const auto& [name, value] : values) {
    const Location& name_place = value.name_location.line != 0 ? value.name_location : value.location;
    const OptionSpec* spec = find_spec(specs, name);
    if (spec == nullptr) {
      report_unknown(owner, specs, name, name_place, diagnostics);
      continue;
    }
    if (spec->required && value.text.empty()) {
      diagnostics.error(value.location, owner + ": option '" + name + "' must not be empty");
      continue;
    }
    std::optional<std::string> expected = expectation(*spec, value.text);
    if (!expected) continue;
    std::string found = spec->secret ? "a value that is not shown" : "'" + value.text + "'";
    std::string near = spec->secret ? "" : suggestion(value.text, spec->choices);
    diagnostics.error(value.location, owner + ": option '" + name + "': found " + found + ", expected " +
                                          *expected + (near.empty() ? "" : "." + near));
  }
  for (const OptionSpec& spec : specs) {
    if (!spec.required || is_wildcard(spec) || values.count(spec.name) != 0) continue;
    diagnostics.error(where, owner + " needs the option '" + spec.name + "'" +
                                 (spec.help.empty() ? "" : " (" + spec.help + ")"));
  }
  return Options(specs, values);
}

std::vector<OptionSpec> s3_option_specs() {
  auto text = [](std::string name, std::string help, bool secret) {
    OptionSpec spec;
    spec.name = std::move(name);
    spec.help = std::move(help);
    spec.secret = secret;
    return spec;
  };
  OptionSpec path_style;
  path_style.name = "s3.path-style";
  path_style.type = OptionType::boolean;
  path_style.help = "address buckets by path instead of host name, as MinIO needs it";
  return {
      text("s3.endpoint", "URL of the S3 service when it is not AWS, such as http://localhost:9000", false),
      text("s3.access-key", "access key; AWS_ACCESS_KEY_ID when absent", true),
      text("s3.secret-key", "secret key; AWS_SECRET_ACCESS_KEY when absent", true),
      text("s3.region", "region; AWS_REGION when absent", false), path_style};
}

}  // namespace weir
