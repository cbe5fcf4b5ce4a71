// Values that need more than a glance: exact numbers, dates and times, leniencies, and every failure's words.
#include <limits>
#include <string>

#include "formats/base64.h"
#include "formats/error_words.h"
#include "formats/excerpt.h"
#include "formats/json/walk.h"
#include "formats/json_text.h"
#include "formats/number.h"
#include "formats/scan.h"
#include "formats/time_text.h"

namespace weir::json {
namespace {

// Four hexadecimal digits, or -1.
int hex_unit(const char* at) {
  int unit = 0;
  for (int i = 0; i < 4; ++i) {
    const int digit = hex_digit(at[i]);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

int64_t put_utf8(uint32_t point, uint8_t* out) {
  if (point < 0x80) {
    out[0] = static_cast<uint8_t>(point);
    return 1;
  }
  const int more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
  static constexpr uint8_t kLead[] = {0, 0xC0, 0xE0, 0xF0};
  for (int i = more; i > 0; --i) {
    out[i] = static_cast<uint8_t>(0x80 | (point & 0x3F));
    point >>= 6;
  }
  out[0] = static_cast<uint8_t>(kLead[more] | point);
  return more + 1;
}

bool is_number_kind(Kind kind) { return (kind >= Kind::int8 && kind <= Kind::decimal); }

}  // namespace

// `at` is the backslash. Up to 4 bytes are written to `out`.
const char* Walk::unescape(const char* at, uint8_t* out, int64_t* written) {
  static constexpr std::string_view kFrom = "\"\\/bfnrt";
  static constexpr std::string_view kTo = "\"\\/\b\f\n\r\t";
  if (at[1] != 'u') {
    const size_t which = kFrom.find(at[1]);
    if (at[1] == 0 || which == std::string_view::npos)
      return fail_syntax(at + 1, "an escape such as \\n or \\u00e9");
    out[0] = static_cast<uint8_t>(kTo[which]);
    *written += 1;
    return at + 2;
  }
  const int unit = hex_unit(at + 2);
  if (unit < 0) return fail(ErrorCode::malformed, at, "expected four hexadecimal digits after \\u");
  uint32_t point = static_cast<uint32_t>(unit);
  const char* after = at + 6;
  if (unit >= 0xD800 && unit <= 0xDFFF) {
    const int low = unit < 0xDC00 && after[0] == '\\' && after[1] == 'u' ? hex_unit(after + 2) : -1;
    if (low < 0xDC00 || low > 0xDFFF) {
      return fail(ErrorCode::invalid_utf8, at, "half of a surrogate pair stands alone");
    }
    point = 0x10000 + ((point - 0xD800) << 10) + (static_cast<uint32_t>(low) - 0xDC00);
    after += 6;
  }
  *written += put_utf8(point, out);
  return after;
}

const char* Walk::other(Column& column, const char* at, int64_t row) {
  if (std::memcmp(at, "null", 4) == 0) {
    if (!column.nullable) return fail(ErrorCode::missing_required, at, "null, and its column is NOT NULL");
    column.put_null(row);
    return at + 4;
  }
  if (*at == '"') {
    std::string_view text;
    const char* after = string_view_of(at + 1, &text);
    if (after == nullptr) return nullptr;
    if (is_null_literal(text)) {
      if (!column.nullable) {
        return fail(ErrorCode::missing_required, at, "a null literal, and its column is NOT NULL");
      }
      column.put_null(row);
      return after;
    }
    if (settings_.strings_as_numbers && is_number_kind(column.kind)) {
      const std::string token(text);
      if (number_end(token.c_str()) == token.c_str() + token.size()) {
        return put_number(column, token, at, after, row);
      }
    }
  }
  if (settings_.numbers_as_strings && column.kind == Kind::text && (*at == '-' || is_digit(*at))) {
    const char* after = number_end(at);
    if (after == nullptr) return fail_syntax(at, "a number");
    const int64_t begin = column.offsets[row];
    const int64_t end = begin + (after - at);
    if (!column.data.grow_to(end)) return fail(ErrorCode::too_large, at, "the batch is full");
    std::memcpy(column.data.data + begin, at, static_cast<size_t>(after - at));
    column.put_text_end(row, end);
    if (column.max_length >= 0 && end - begin > column.max_length) {
      return fail(ErrorCode::out_of_range, at, "the number's text does not fit into " + column.type_text);
    }
    return after;
  }
  return fail_type(column, at);
}

bool Walk::is_null_literal(std::string_view text) const {
  for (const std::string& literal : settings_.null_literals) {
    if (literal == text) return true;
  }
  return false;
}

const char* Walk::number(Column& column, const char* at, int64_t row) {
  if (*at != '-' && !is_digit(*at)) return other(column, at, row);
  const char* after = number_end(at);
  if (after == nullptr) return fail_syntax(at, "a number");
  return put_number(column, {at, static_cast<size_t>(after - at)}, at, after, row);
}

// `token` is a number by the grammar; `at` and `end` are the value's place in the payload.
const char* Walk::put_number(Column& column, std::string_view token, const char* at, const char* end,
                             int64_t row) {
  NumberOutcome outcome = NumberOutcome::ok;
  if (column.kind == Kind::float32) {
    float result = 0;
    outcome = to_float32(token, &result);
    column.put(row, result);
  } else if (column.kind == Kind::float64) {
    double result = 0;
    outcome = to_float64(token, &result);
    column.put(row, result);
  } else if (column.kind == Kind::decimal) {
    __int128 result = 0;
    outcome = exact_decimal(token, column.precision, column.scale, &result);
    column.put(row, result);
  } else {
    __int128 result = 0;
    if (!settings_.integral_floats && token.find_first_of(".eE") != std::string_view::npos) {
      return fail_type(column, at);
    }
    outcome = exact_decimal(token, 19, 0, &result);
    if (outcome == NumberOutcome::excess_scale) return fail_type(column, at);
    if (outcome == NumberOutcome::ok) return put_integer(column, result, at, end, row);
  }
  if (outcome == NumberOutcome::ok) return end;
  const char* problem =
      outcome == NumberOutcome::excess_scale ? " has more decimal places than " : " does not fit into ";
  return fail(ErrorCode::out_of_range, at, describe(at) + problem + column.type_text);
}

const char* Walk::put_integer(Column& column, __int128 number, const char* at, const char* end, int64_t row) {
  const int bits = 8 * column.width;
  const __int128 limit = static_cast<__int128>(1) << (bits - 1);
  if (number < -limit || number >= limit) {
    return fail(ErrorCode::out_of_range, at, describe(at) + " does not fit into " + column.type_text);
  }
  switch (column.kind) {
    case Kind::int8: column.put(row, static_cast<int8_t>(number)); break;
    case Kind::int16: column.put(row, static_cast<int16_t>(number)); break;
    case Kind::int32: column.put(row, static_cast<int32_t>(number)); break;
    default: column.put(row, static_cast<int64_t>(number)); break;
  }
  return end;
}

const char* Walk::decimal(Column& column, const char* at, int64_t row) {
  if (*at != '"') return number(column, at, row);
  std::string_view text;
  const char* after = string_view_of(at + 1, &text);
  if (after == nullptr) return nullptr;
  // The text is followed by its quote or by a NUL, where the scan of a number stops.
  if (number_end(text.data()) != text.data() + text.size()) return other(column, at, row);
  return put_number(column, text, at, after, row);
}

const char* Walk::binary(Column& column, const char* at, int64_t row) {
  if (*at != '"') return other(column, at, row);
  std::string_view text;
  const char* after = string_view_of(at + 1, &text);
  if (after == nullptr) return nullptr;
  if (!settings_.null_literals.empty() && is_null_literal(text)) return other(column, at, row);
  const int64_t begin = column.offsets[row];
  if (!column.data.grow_to(begin + static_cast<int64_t>(text.size()))) {
    return fail(ErrorCode::too_large, at, "the batch is full");
  }
  int64_t size = static_cast<int64_t>(text.size());
  if (settings_.binary_is_base64) {
    size = decode_base64(text, column.data.data + begin);
    if (size < 0) return fail(ErrorCode::wrong_type, at, "expected base64, found " + describe(at));
  } else if (size > 0) {
    std::memcpy(column.data.data + begin, text.data(), text.size());
  }
  if (column.max_length >= 0 && size > column.max_length) {
    return fail(ErrorCode::out_of_range, at,
                std::to_string(size) + " bytes do not fit into " + column.type_text);
  }
  column.put_text_end(row, begin + size);
  return after;
}

// `text` begins with the date.
bool Walk::date_days(Column& column, std::string_view text, int64_t* days) {
  if (text.size() < 10) return false;
  if (std::memcmp(column.last_date, text.data(), 10) == 0) {
    *days = column.last_days;
    return true;
  }
  if (parse_date(text.substr(0, 10), days) != TimeOutcome::ok) return false;
  std::memcpy(column.last_date, text.data(), 10);
  column.last_days = *days;
  return true;
}

const char* Walk::time_failure(Column& column, int outcome, const char* at) {
  switch (static_cast<TimeOutcome>(outcome)) {
    case TimeOutcome::too_precise:
      return fail(ErrorCode::bad_timestamp, at,
                  describe(at) + " has more digits of a second than " + column.type_text);
    case TimeOutcome::out_of_range:
      return fail(ErrorCode::out_of_range, at, describe(at) + " does not fit into " + column.type_text);
    default:
      return fail(ErrorCode::bad_timestamp, at,
                  "expected " + column.type_text + " in ISO-8601, found " + describe(at));
  }
}

const char* Walk::date(Column& column, const char* at, int64_t row) {
  if (*at != '"') return other(column, at, row);
  std::string_view text;
  const char* after = string_view_of(at + 1, &text);
  if (after == nullptr) return nullptr;
  int64_t days = 0;
  if (text.size() != 10 || !date_days(column, text, &days)) {
    if (is_null_literal(text)) return other(column, at, row);
    return time_failure(column, static_cast<int>(TimeOutcome::not_iso), at);
  }
  column.put(row, static_cast<int32_t>(days));
  return after;
}

const char* Walk::time(Column& column, const char* at, int64_t row) {
  if (*at != '"') return other(column, at, row);
  std::string_view text;
  const char* after = string_view_of(at + 1, &text);
  if (after == nullptr) return nullptr;
  int64_t units = 0;
  const TimeOutcome outcome = parse_time(text, column.fraction_digits, &units);
  if (outcome != TimeOutcome::ok) {
    if (is_null_literal(text)) return other(column, at, row);
    return time_failure(column, static_cast<int>(outcome), at);
  }
  if (column.kind == Kind::time32) {
    column.put(row, static_cast<int32_t>(units));
  } else {
    column.put(row, units);
  }
  return after;
}

const char* Walk::timestamp(Column& column, const char* at, int64_t row) {
  if (settings_.timestamp_format != TimestampFormat::iso8601) return epoch(column, at, row);
  if (*at != '"') return other(column, at, row);
  std::string_view text;
  const char* after = string_view_of(at + 1, &text);
  if (after == nullptr) return nullptr;
  int64_t days = 0;
  int64_t units = 0;
  TimeOutcome outcome = TimeOutcome::not_iso;
  if (date_days(column, text, &days)) {
    outcome = parse_after_date(text.substr(10), days, column.fraction_digits, &units);
  }
  if (outcome != TimeOutcome::ok) {
    if (is_null_literal(text)) return other(column, at, row);
    return time_failure(column, static_cast<int>(outcome), at);
  }
  column.put(row, units);
  return after;
}

const char* Walk::epoch(Column& column, const char* at, int64_t row) {
  if (*at != '-' && !is_digit(*at)) return other(column, at, row);
  const char* after = number_end(at);
  if (after == nullptr) return fail_syntax(at, "a number");
  const std::string_view token(at, static_cast<size_t>(after - at));
  if (token.find_first_of(".eE") != std::string_view::npos) {
    return fail(ErrorCode::wrong_type, at,
                "expected an integer for " + column.type_text + ", found " + describe(at));
  }
  const int digits_given = settings_.timestamp_format == TimestampFormat::epoch_s    ? 0
                           : settings_.timestamp_format == TimestampFormat::epoch_ms ? 3
                                                                                     : 6;
  __int128 number = 0;
  if (exact_decimal(token, 19, 0, &number) != NumberOutcome::ok) {
    return time_failure(column, static_cast<int>(TimeOutcome::out_of_range), at);
  }
  for (int i = digits_given; i < column.fraction_digits; ++i) number *= 10;
  for (int i = column.fraction_digits; i < digits_given; ++i) {
    if (number % 10 != 0) return time_failure(column, static_cast<int>(TimeOutcome::too_precise), at);
    number /= 10;
  }
  if (number < std::numeric_limits<int64_t>::min() || number > std::numeric_limits<int64_t>::max()) {
    return time_failure(column, static_cast<int>(TimeOutcome::out_of_range), at);
  }
  column.put(row, static_cast<int64_t>(number));
  return after;
}

const char* Walk::fail(ErrorCode code, const char* at, std::string message) {
  error_->code = code;
  error_->message = std::move(message);
  error_->byte = at == nullptr ? -1 : std::min(at, end_) - begin_;
  return nullptr;
}

const char* Walk::fail_syntax(const char* at, const char* expected) {
  if (at >= end_) {
    return fail(ErrorCode::malformed, end_, std::string("the payload ends before ") + expected);
  }
  const char* stop = at;
  while (stop < end_ && stop - at < 8 && static_cast<unsigned char>(*stop) > ' ') ++stop;
  if (stop == at) ++stop;
  while (stop < end_ && (*stop & 0xC0) == 0x80) ++stop;
  return fail(ErrorCode::malformed, at,
              std::string("expected ") + expected + ", found '" +
                  excerpt({at, static_cast<size_t>(stop - at)}) + "'");
}

// The value is well-formed but not of this type; when it is not even that, says so instead.
const char* Walk::fail_type(Column& column, const char* at) {
  const char* after = skip_value(at);
  if (after == nullptr) return nullptr;
  return fail(ErrorCode::wrong_type, at, "expected " + column.type_text + ", found " + describe(at));
}

// JSON Pointer (RFC 6901), built from the inside out.
void Walk::under(std::string_view key) { error_->field.insert(0, "/" + pointer_token(key)); }

void Walk::under(int64_t index) { error_->field.insert(0, "/" + std::to_string(index)); }

std::string Walk::describe(const char* at) {
  switch (*at) {
    case '{': return "an object";
    case '[': return "an array";
    case 't': return "true";
    case 'f': return "false";
    case 'n': return "null";
    case '"': {
      const char* stop = at + 1;
      while (stop < end_ && *stop != '"') stop += *stop == '\\' ? 2 : 1;
      stop = std::min(stop, end_);
      return "string \"" + excerpt({at + 1, static_cast<size_t>(stop - at - 1)}) + "\"";
    }
    default: {
      const char* stop = number_end(at);
      if (stop == nullptr) stop = at + 1;
      return "number " + excerpt({at, static_cast<size_t>(stop - at)});
    }
  }
}

size_t first_invalid_utf8(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto more = [&](size_t i) { return (byte(i) & 0xC0) == 0x80; };
  size_t i = 0;
  while (i < text.size()) {
    const unsigned lead = byte(i);
    if (lead < 0x80) {
      i += 1;
    } else if (lead >= 0xC2 && lead <= 0xDF && more(i + 1)) {
      i += 2;
    } else if ((lead & 0xF0) == 0xE0 && more(i + 1) && more(i + 2) && !(lead == 0xE0 && byte(i + 1) < 0xA0) &&
               !(lead == 0xED && byte(i + 1) > 0x9F)) {
      i += 3;
    } else if (lead >= 0xF0 && lead <= 0xF4 && more(i + 1) && more(i + 2) && more(i + 3) &&
               !(lead == 0xF0 && byte(i + 1) < 0x90) && !(lead == 0xF4 && byte(i + 1) > 0x8F)) {
      i += 4;
    } else {
      return i;
    }
  }
  return i;
}

}  // namespace weir::json
