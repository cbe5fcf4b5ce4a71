// One datum's walk: from Avro's binary encoding to one row of the columns, along a compiled plan.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "formats/avro/avro_plan.h"
#include "schema/error_record.h"

namespace weir::avro {

class Walk {
 public:
  explicit Walk(int64_t max_items) : max_items_(max_items) {}

  // The event that the next datums belong to: bytes [begin, end), of which 64 more are readable. Errors go to
  // `error`, with bytes counted from `origin`; without one they have no place.
  void start(const uint8_t* origin, const uint8_t* end, ErrorRecord* error) {
    origin_ = origin;
    end_ = end;
    error_ = error;
    items_left_ = max_items_;
  }
  // Other bytes of the same event.
  void move_to(const uint8_t* origin, const uint8_t* end) {
    origin_ = origin;
    end_ = end;
  }

  // Reads a datum at `at` into `row` of the plan's columns, which have room for it, and gives the byte behind
  // it. Null: the error is set, and the row's content is to be overwritten.
  const uint8_t* datum(const Plan& plan, const uint8_t* at, int64_t row) {
    return fields(plan.fields, at, row);
  }

  // Null after an error.
  const uint8_t* read_long(const uint8_t* at, int64_t* value);
  // A length and as many bytes.
  const uint8_t* read_bytes(const uint8_t* at, std::string_view* bytes);
  std::nullptr_t fail(ErrorCode code, const uint8_t* at, std::string message);

 private:
  const uint8_t* fields(const std::vector<Step>& steps, const uint8_t* at, int64_t row);
  const uint8_t* value(const Step& step, const uint8_t* at, int64_t row);
  const uint8_t* null_branch(const Step& step, const uint8_t* at, int64_t row, bool* is_null);
  const uint8_t* put_null(const Step& step, const uint8_t* at, int64_t row);
  const uint8_t* text(const Step& step, const uint8_t* at, int64_t row);
  const uint8_t* binary(const Step& step, const uint8_t* at, int64_t row);
  const uint8_t* fixed_binary(const Step& step, const uint8_t* at, int64_t row);
  const uint8_t* uuid_text(const Step& step, const uint8_t* at, int64_t row);
  const uint8_t* decimal(const Step& step, const uint8_t* at, int64_t row);
  const uint8_t* decimal_value(const Step& step, const uint8_t* at, int64_t size, int64_t row);
  const uint8_t* scaled(const Step& step, const uint8_t* at, int64_t value, int64_t* result);
  const uint8_t* time(const Step& step, const uint8_t* at, int64_t row);
  const uint8_t* timestamp(const Step& step, const uint8_t* at, int64_t row);
  const uint8_t* enumeration(const Step& step, const uint8_t* at, int64_t row);
  const uint8_t* items(const Step& step, const uint8_t* at, int64_t row);
  const uint8_t* block(int64_t min_bytes, const uint8_t* at, int64_t* count, int64_t* bytes);
  const uint8_t* union_of(const Step& step, const uint8_t* at, int64_t row);
  const uint8_t* put_default(const Step& step, const uint8_t* at, int64_t row);
  const uint8_t* skip(const Skip& skip, const uint8_t* at, int depth);
  const uint8_t* skip_items(const Skip& skip, const uint8_t* at, int depth);
  bool distinct_keys(const Column& keys, int64_t begin, int64_t end, const uint8_t* at);

  template <typename T>
  const uint8_t* small_integer(const Step& step, const uint8_t* at, int64_t row);
  const uint8_t* read_int(const uint8_t* at, int32_t* value);
  const uint8_t* truncated(const uint8_t* at, const char* what);
  const uint8_t* bad_long(const uint8_t* at);
  const uint8_t* bad_length(const uint8_t* at, int64_t size, int64_t left);
  bool append(Column& column, int64_t row, const char* bytes, int64_t size);
  void under(std::string_view name);

  const int64_t max_items_;
  const uint8_t* origin_ = nullptr;
  const uint8_t* end_ = nullptr;
  ErrorRecord* error_ = nullptr;
  int64_t items_left_ = 0;
  std::vector<std::string_view> keys_;
};

}  // namespace weir::avro
