// Options of connectors, formats and settings: declared once, beside the code that uses them.
//
// The declaration is what validation, `weir connectors`, the docs and later the console's forms read.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "config/source_text.h"

namespace weir {

enum class OptionType { string, integer, number, boolean, duration, size, choice };

struct OptionSpec {
  std::string name;  // may end in ".*": every option with that prefix
  OptionType type = OptionType::string;
  std::string default_value;  // text as a user would write it; empty: none
  std::string help;           // one line
  bool required = false;
  bool secret = false;               // its value appears in no log, plan, error or console
  std::vector<std::string> choices;  // for OptionType::choice
};

// A declaration with these four set; what else it needs is set on the result.
OptionSpec option(std::string name, OptionType type, std::string default_value, std::string help);
OptionSpec required(OptionSpec spec);
OptionSpec secret(OptionSpec spec);
// The first choice is the default.
OptionSpec one_of(std::string name, std::vector<std::string> choices, std::string help);

// One option as written: its value with ${env:X} and ${file:P} already replaced.
struct OptionValue {
  std::string text;
  Location location;       // of the value in its file
  Location name_location;  // of its name; may be empty
};

// Validated values. The getters of an absent option give its declared default; asking for a name
// or type that was not declared is a programmer's error.
class Options {
 public:
  Options() = default;
  Options(std::vector<OptionSpec> specs, std::map<std::string, OptionValue> values)
      : specs_(std::move(specs)), values_(std::move(values)) {}

  bool has(const std::string& name) const { return values_.count(name) != 0; }
  std::string string(const std::string& name) const;
  int64_t integer(const std::string& name) const;
  double number(const std::string& name) const;
  bool boolean(const std::string& name) const;
  std::chrono::milliseconds duration(const std::string& name) const;
  int64_t size(const std::string& name) const;
  // name without the prefix -> value, for every option that was given below `prefix` (such as "s3.").
  std::map<std::string, std::string> with_prefix(const std::string& prefix) const;
  // Where the option was written; an empty Location when it was not.
  Location location(const std::string& name) const;
  const std::map<std::string, OptionValue>& values() const { return values_; }
  // Its value is not to be shown.
  bool secret(const std::string& name) const;

 private:
  const OptionSpec& spec(const std::string& name, OptionType type) const;
  std::string text_of(const std::string& name, OptionType type) const;

  std::vector<OptionSpec> specs_;
  std::map<std::string, OptionValue> values_;
};

// Checks names (with a suggestion for the near one), types, choices and required options; every problem is
// one diagnostic. `owner` is how errors name it: "connector 'nats'". `where` is used for what is missing.
Options validate_options(const std::string& owner, const std::vector<OptionSpec>& specs,
                         const std::map<std::string, OptionValue>& values, const Location& where,
                         Diagnostics& diagnostics);

// The s3.* options that every object-storing connector and setting takes (endpoint, access-key, secret-key,
// region, path-style). Absent ones fall back to the AWS_* environment variables.
std::vector<OptionSpec> s3_option_specs();

}  // namespace weir
