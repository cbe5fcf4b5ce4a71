// One event's walk: from text to one row of the columns, checking everything on the way.
//
// The text is read once, left to right, by recursive descent along the columns' types; what the table does
// not have is validated and skipped. There is no index of the structure and no tree: the schema says what
// comes next.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "formats/column.h"
#include "formats/json/object_plan.h"
#include "schema/error_record.h"

namespace weir::json {

enum class UnknownFields { ignore, reject, keep };
enum class DuplicateKeys { reject, last, first };
enum class TimestampFormat { iso8601, epoch_s, epoch_ms, epoch_us };

struct Settings {
  UnknownFields unknown_fields = UnknownFields::ignore;
  DuplicateKeys duplicate_keys = DuplicateKeys::reject;
  TimestampFormat timestamp_format = TimestampFormat::iso8601;
  int64_t max_size = 1 << 20;
  int max_depth = 64;
  bool strings_as_numbers = false;
  bool numbers_as_strings = false;
  bool integral_floats = false;
  bool binary_is_base64 = true;
  std::vector<std::string> null_literals;
};

class Walk {
 public:
  explicit Walk(Settings settings);

  // Writes the event to `row` of the root's columns, which have room for it. False: `error` has code,
  // message, field and byte, and the row's content is to be overwritten. `rest`: the column for unknown
  // fields, or null. 64 bytes after the payload must be readable; their content does not matter.
  bool read_event(ObjectPlan& root, Column* rest, std::string_view payload, int64_t row, ErrorRecord* error);

 private:
  struct RestMember {
    std::string key;
    std::string_view raw_key;  // with quotes, as in the payload
    std::string_view raw_value;
  };

  // Readers take the first byte of a value and give the byte after it, or null after fail().
  const char* value(Column& column, const char* at, int64_t row);
  const char* object(ObjectPlan& plan, const char* at, int64_t row, bool is_root);
  const char* member(ObjectPlan& plan, Slot* slot, const char* key, const char* at, int64_t row,
                     bool is_root);
  const char* unknown_member(std::string_view key, bool again, const char* key_at, const char* at,
                             bool is_root);
  bool put_rest(Column& column, int64_t row);
  Slot* surprising_key(ObjectPlan& plan, const char** at, std::string_view* key);
  bool fill_missing(ObjectPlan& plan, const char* brace, int64_t row);
  const char* list(Column& column, const char* at, int64_t row);
  const char* map(Column& column, const char* at, int64_t row);
  const char* map_entries(Column& column, const char* at, int64_t row);
  bool map_key(Column& keys, std::string_view key, const char* at, int64_t row);
  template <typename T>
  const char* integer(Column& column, const char* at, int64_t row);
  const char* float64(Column& column, const char* at, int64_t row);
  const char* number(Column& column, const char* at, int64_t row);
  const char* decimal(Column& column, const char* at, int64_t row);
  const char* boolean(Column& column, const char* at, int64_t row);
  const char* text(Column& column, const char* at, int64_t row);
  const char* binary(Column& column, const char* at, int64_t row);
  const char* date(Column& column, const char* at, int64_t row);
  const char* time(Column& column, const char* at, int64_t row);
  const char* timestamp(Column& column, const char* at, int64_t row);
  const char* epoch(Column& column, const char* at, int64_t row);

  // null, null literals, and what does not fit the column's type.
  const char* other(Column& column, const char* at, int64_t row);
  const char* put_number(Column& column, std::string_view token, const char* at, const char* end,
                         int64_t row);
  const char* put_integer(Column& column, __int128 value, const char* at, const char* end, int64_t row);
  bool date_days(Column& column, std::string_view text, int64_t* days);
  const char* time_failure(Column& column, int outcome, const char* at);

  // From the byte after the opening quote to the byte after the closing one, unescaped at out[*size].
  const char* read_string(const char* at, GrowingBytes& out, int64_t* size);
  // The same as a view, of the payload or of scratch_ (until the next call).
  const char* string_view_of(const char* at, std::string_view* text);
  const char* unescape(const char* at, uint8_t* out, int64_t* written);
  // Validates a value of any type and gives the byte after it.
  const char* skip_value(const char* at);
  const char* skip_string(const char* at);
  bool is_null_literal(std::string_view text) const;

  const char* fail(ErrorCode code, const char* at, std::string message);
  const char* fail_syntax(const char* at, const char* expected);
  const char* fail_type(Column& column, const char* at);
  void under(std::string_view key);
  void under(int64_t index);
  std::string describe(const char* at);

  const Settings settings_;
  const char* begin_ = nullptr;
  const char* end_ = nullptr;
  int depth_ = 0;
  ErrorRecord* error_ = nullptr;
  GrowingBytes scratch_;
  std::string padded_;            // a copy of a payload that does not end in '}'
  std::vector<char> open_;        // brackets that skip_value has open
  std::vector<RestMember> rest_;  // unknown fields of the current event
};

// Byte offset of the first byte that is not UTF-8 (an incomplete character at the end: its first byte).
size_t first_invalid_utf8(std::string_view text);

}  // namespace weir::json
