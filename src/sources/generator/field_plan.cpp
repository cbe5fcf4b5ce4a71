#include "sources/generator/field_plan.h"

#include <arrow/type.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

namespace weir {
namespace {

constexpr int64_t kUsPerDay = 86'400'000'000;
constexpr char kLetters[] = "abcdefghijklmnopqrstuvwxyz012345";  // 32: one letter takes five bits
constexpr char kBase64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void append_integer(int64_t value, std::string& out) {
  char digits[20];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
  out.append(digits, end);
}

void append_two(int value, std::string& out) {
  out += static_cast<char>('0' + value / 10);
  out += static_cast<char>('0' + value % 10);
}

void append_date(int64_t days, std::string& out) {
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{days}}};
  const int year = static_cast<int>(date.year());
  append_two(year / 100, out);
  append_two(year % 100, out);
  out += '-';
  append_two(static_cast<int>(static_cast<unsigned>(date.month())), out);
  out += '-';
  append_two(static_cast<int>(static_cast<unsigned>(date.day())), out);
}

void append_time(int64_t second_of_day, std::string& out) {
  append_two(static_cast<int>(second_of_day / 3600), out);
  out += ':';
  append_two(static_cast<int>(second_of_day / 60 % 60), out);
  out += ':';
  append_two(static_cast<int>(second_of_day % 60), out);
}

// `value` counts units of the last of `scale` digits.
void append_fixed(int64_t value, int scale, std::string& out) {
  if (scale == 0) return append_integer(value, out);
  if (value < 0) out += '-';
  uint64_t magnitude = value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  char digits[48];
  char* end = digits + sizeof digits;
  char* at = end;
  for (int i = 0; i < scale; ++i, magnitude /= 10) *--at = static_cast<char>('0' + magnitude % 10);
  *--at = '.';
  do {
    *--at = static_cast<char>('0' + magnitude % 10);
    magnitude /= 10;
  } while (magnitude > 0);
  out.append(at, end);
}

void append_text(size_t length, const char* alphabet, int bits, RowRandom& random, std::string& out) {
  const size_t begin = out.size();
  out.resize(begin + length);
  char* at = out.data() + begin;
  const int per_draw = 60 / bits;
  const uint64_t mask = (uint64_t{1} << bits) - 1;
  for (size_t i = 0; i < length;) {
    uint64_t drawn = random.next();
    for (int n = 0; n < per_draw && i < length; ++n, drawn >>= bits) at[i++] = alphabet[drawn & mask];
  }
}

int64_t draw(const FieldPlan& plan, const RowTime& at, RowRandom& random) {
  const uint64_t span = static_cast<uint64_t>(plan.max) - static_cast<uint64_t>(plan.min) + 1;
  const uint64_t step =
      plan.sequence ? (span == 0 ? static_cast<uint64_t>(at.row) : static_cast<uint64_t>(at.row) % span)
      : span == 0   ? random.next()
                    : random.below(span);
  return static_cast<int64_t>(static_cast<uint64_t>(plan.min) + step);
}

int64_t power_of_ten(int exponent) {
  int64_t power = 1;
  for (int i = 0; i < exponent; ++i) power *= 10;
  return power;
}

// Kind, width and usual bounds by the type.
Status set_type(FieldPlan& plan, const arrow::DataType& type) {
  using arrow::Type;
  using Kind = FieldPlan::Kind;
  const auto integer = [&](int bits) {
    plan.kind = Kind::integer;
    plan.bits = bits;
    plan.max = bits == 8 ? 100 : bits == 16 ? 10'000 : 1'000'000;
  };
  switch (type.id()) {
    case Type::BOOL: plan.kind = Kind::boolean; return {};
    case Type::INT8: integer(8); return {};
    case Type::INT16: integer(16); return {};
    case Type::INT32: integer(32); return {};
    case Type::INT64: integer(64); return {};
    case Type::FLOAT:
    case Type::DOUBLE:
      plan.kind = Kind::real;
      plan.scale = 3;
      plan.max = 1'000'000;
      return {};
    case Type::DECIMAL128: {
      const auto& decimal = static_cast<const arrow::Decimal128Type&>(type);
      plan.kind = Kind::decimal;
      plan.precision = decimal.precision();
      plan.scale = decimal.scale();
      plan.max = power_of_ten(std::min({plan.precision, plan.scale + 4, 18})) - 1;
      return {};
    }
    case Type::STRING: plan.kind = Kind::text; return {};
    case Type::BINARY: plan.kind = Kind::base64; return {};
    case Type::DATE32: plan.kind = Kind::date; return {};
    case Type::TIME32:
    case Type::TIME64: plan.kind = Kind::time; return {};
    case Type::TIMESTAMP:
      plan.kind = Kind::timestamp;
      plan.zoned = !static_cast<const arrow::TimestampType&>(type).timezone().empty();
      return {};
    case Type::LIST: plan.kind = Kind::list; return {};
    case Type::MAP: plan.kind = Kind::map; return {};
    case Type::STRUCT: plan.kind = Kind::row; return {};
    default: return Status::invalid("connector 'generator' cannot draw values of type " + type.ToString());
  }
}

std::string json_literal(const FieldPlan& plan, std::string text) {
  text.erase(0, text.find_first_not_of(' '));
  text.erase(text.find_last_not_of(' ') + 1);
  using Kind = FieldPlan::Kind;
  const bool bare = plan.kind == Kind::integer || plan.kind == Kind::decimal || plan.kind == Kind::real ||
                    plan.kind == Kind::boolean;
  if (bare && nlohmann::json::accept(text)) return text;
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// A bound as written ("12.5") in units of the last digit.
Result<int64_t> parse_bound(const std::string& name, const std::string& text, int scale) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const double scaled = value * std::pow(10.0, scale);
  if (error != std::errc() || end != text.data() + text.size() || std::abs(scaled) > 9.2e18) {
    return Status::invalid("'fields." + name + "' is '" + text + "', expected a number in range");
  }
  int64_t exact = 0;  // doubles do not hold every BIGINT
  const auto [exact_end, exact_error] = std::from_chars(text.data(), text.data() + text.size(), exact);
  if (scale == 0 && exact_error == std::errc() && exact_end == text.data() + text.size()) return exact;
  return static_cast<int64_t>(std::llround(scaled));
}

Status set_options(FieldPlan& plan, const std::string& path,
                   const std::map<std::string, std::string>& options,
                   std::map<std::string, std::string>& unused) {
  const auto find = [&](const char* name) -> const std::string* {
    const auto found = options.find(path + "." + name);
    if (found == options.end()) return nullptr;
    unused.erase(found->first);
    return &found->second;
  };
  if (const std::string* text = find("min")) {
    WEIR_ASSIGN(plan.min, parse_bound(path + ".min", *text, plan.scale));
    plan.max = std::max(plan.max, plan.min);
  }
  if (const std::string* text = find("max")) {
    WEIR_ASSIGN(plan.max, parse_bound(path + ".max", *text, plan.scale));
  }
  if (plan.max < plan.min) return Status::invalid("'fields." + path + ".max' is below its 'min'");
  if (const std::string* text = find("length")) {
    WEIR_ASSIGN(const int64_t length, parse_bound(path + ".length", *text, 0));
    if (length < 0 || length > 1 << 20)
      return Status::invalid("'fields." + path + ".length' must be between 0 and 1048576");
    plan.length = static_cast<size_t>(length);
  }
  if (const std::string* text = find("kind")) {
    if (*text != "sequence" && *text != "random") {
      return Status::invalid("'fields." + path + ".kind' is '" + *text +
                             "', expected 'sequence' or 'random'");
    }
    plan.sequence = *text == "sequence";
    if (plan.sequence && find("max") == nullptr && plan.kind == FieldPlan::Kind::integer) {
      plan.max = plan.bits == 64 ? INT64_MAX : (int64_t{1} << (plan.bits - 1)) - 1;
    }
  }
  if (const std::string* text = find("values")) {
    for (size_t begin = 0; begin <= text->size();) {
      const size_t end = std::min(text->find(',', begin), text->size());
      plan.values.push_back(json_literal(plan, text->substr(begin, end - begin)));
      begin = end + 1;
    }
  }
  return {};
}

void append_list(const FieldPlan& plan, const RowTime& at, double null_share, RowRandom& random,
                 std::string& out) {
  out += '[';
  const uint64_t count = random.below(4);
  for (uint64_t i = 0; i < count; ++i) {
    if (i > 0) out += ',';
    append_value(plan.children[0], at, null_share, random, out);
  }
  out += ']';
}

void append_object(const FieldPlan& plan, const RowTime& at, double null_share, RowRandom& random,
                   std::string& out) {
  out += '{';
  const bool map = plan.kind == FieldPlan::Kind::map;
  const size_t count = map ? random.below(3) : plan.children.size();
  for (size_t i = 0; i < count; ++i) {
    if (i > 0) out += ',';
    if (map) {
      out += i == 0 ? "\"k0\":" : "\"k1\":";
    } else {
      out += plan.children[i].key;
    }
    append_value(plan.children[map ? 0 : i], at, null_share, random, out);
  }
  out += '}';
}

}  // namespace

void append_timestamp(int64_t time_us, std::string& out) {
  const int64_t days = time_us >= 0 ? time_us / kUsPerDay : (time_us - kUsPerDay + 1) / kUsPerDay;
  const int64_t of_day = time_us - days * kUsPerDay;
  append_date(days, out);
  out += 'T';
  append_time(of_day / 1'000'000, out);
  out += '.';
  const int milliseconds =
      static_cast<int>(of_day / 1000 % 1000);  // three digits fit every TIMESTAMP(p >= 3)
  out += static_cast<char>('0' + milliseconds / 100);
  append_two(milliseconds % 100, out);
}

Result<FieldPlan> plan_field(const std::string& path, const arrow::Field& field,
                             const std::map<std::string, std::string>& options,
                             std::map<std::string, std::string>& unused) {
  FieldPlan plan;
  plan.name = field.name();
  plan.key = nlohmann::json(field.name()).dump() + ":";
  plan.nullable = field.nullable();
  const Status typed = set_type(plan, *field.type());
  if (!typed.ok()) return typed.with_context("column '" + path + "'");
  WEIR_TRY(set_options(plan, path, options, unused));
  if (plan.kind == FieldPlan::Kind::map) {
    const auto& map = static_cast<const arrow::MapType&>(*field.type());
    if (map.key_type()->id() != arrow::Type::STRING) {
      return Status::invalid("column '" + path + "': connector 'generator' only draws maps with STRING keys");
    }
    WEIR_ASSIGN(FieldPlan child, plan_field(path + ".value", *map.item_field(), options, unused));
    plan.children.push_back(std::move(child));
    return plan;
  }
  for (const std::shared_ptr<arrow::Field>& below : field.type()->fields()) {
    const std::string name = plan.kind == FieldPlan::Kind::list ? "element" : below->name();
    WEIR_ASSIGN(FieldPlan child, plan_field(path + "." + name, *below, options, unused));
    plan.children.push_back(std::move(child));
  }
  return plan;
}

void append_value(const FieldPlan& plan, const RowTime& at, double null_share, RowRandom& random,
                  std::string& out) {
  using Kind = FieldPlan::Kind;
  if (plan.nullable && null_share > 0 && random.share() < null_share) {
    out += "null";
    return;
  }
  if (!plan.values.empty()) {
    const uint64_t count = plan.values.size();
    out += plan.values[plan.sequence ? static_cast<uint64_t>(at.row) % count : random.below(count)];
    return;
  }
  switch (plan.kind) {
    case Kind::boolean: out += random.next() & 1 ? "true" : "false"; return;
    case Kind::integer: append_integer(draw(plan, at, random), out); return;
    case Kind::decimal:
    case Kind::real: append_fixed(draw(plan, at, random), plan.scale, out); return;
    case Kind::text:
      out += '"';
      if (plan.sequence) {
        out += plan.name;
        out += '-';
        append_integer(at.row, out);
      } else {
        append_text(plan.length, kLetters, 5, random, out);
      }
      out += '"';
      return;
    case Kind::base64:
      out += '"';
      append_text((plan.length + 3) / 4 * 4, kBase64, 6, random, out);
      out += '"';
      return;
    case Kind::date:
      out += '"';
      append_date(at.time_us / kUsPerDay, out);
      out += '"';
      return;
    case Kind::time:
      out += '"';
      append_time(static_cast<int64_t>(random.below(86'400)), out);
      out += '"';
      return;
    case Kind::timestamp:
      out += '"';
      append_timestamp(at.time_us, out);
      out += plan.zoned ? "Z\"" : "\"";
      return;
    case Kind::list: append_list(plan, at, null_share, random, out); return;
    case Kind::map:
    case Kind::row: append_object(plan, at, null_share, random, out); return;
  }
}

}  // namespace weir
