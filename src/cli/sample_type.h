// Which type takes all that a sample holds in one place.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/sample_value.h"

namespace weir {

// A type of the dialect with a remark on what was seen ("" when there is nothing to say).
struct ChosenType {
  std::string sql;
  std::string remark;
  bool numbers_as_strings = false;  // STRING was chosen though numbers came too
};

// What was seen in one place: a column, a field of a ROW, the elements of an ARRAY. Grows value by value.
class SampledType {
 public:
  void add(const SampledValue& value);
  // A field of CSV, which has text only; "" is null.
  void add_text(std::string_view text);

  int64_t values() const { return nulls_ + present(); }
  int64_t present() const { return booleans_ + numbers_ + strings_ + arrays_ + objects_; }
  // The fields of objects, in the order in which they were first seen.
  const std::vector<std::string>& names() const { return names_; }
  const SampledType& member(const std::string& name) const { return members_.at(name); }

  ChosenType choose() const;

 private:
  void add_number(std::string_view text);
  void add_string(std::string_view text);
  void merge(const SampledType& other);
  std::string number_type() const;
  std::string string_type() const;
  ChosenType object_type() const;
  bool is_map() const;
  std::string kinds() const;

  int64_t nulls_ = 0;
  int64_t booleans_ = 0;
  int64_t numbers_ = 0;
  int64_t strings_ = 0;
  int64_t arrays_ = 0;
  int64_t objects_ = 0;

  int64_t fractions_ = 0;  // numbers with a fraction or an exponent
  bool exponents_ = false;
  bool beyond_bigint_ = false;
  int most_digits_ = 0;  // before the point
  int most_places_ = 0;  // behind it

  int64_t dates_ = 0;       // strings that are one
  int64_t timestamps_ = 0;  // strings that are one
  int most_second_places_ = 0;

  bool from_text_ = false;  // of CSV: whatever does not agree is still text
  std::unique_ptr<SampledType> element_;
  std::vector<std::string> names_;
  std::map<std::string, SampledType> members_;
};

// Whether `name` can be a field of a ROW or a column everywhere it is stored.
bool is_plain_name(const std::string& name);
// As the dialect writes it: in backticks where it has to be.
std::string quoted_name(const std::string& name);

}  // namespace weir
