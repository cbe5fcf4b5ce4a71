#include "sinks/clickhouse/column_type.h"

#include <cstdlib>
#include <optional>
#include <set>

#include "base/text.h"

namespace weir {
namespace {

constexpr int kMaxTypeDepth = 64;

struct SimpleType {
  const char* name;
  ClickHouseKind kind;
};

// Types without parameters; the first name of a kind is the one that is printed.
constexpr SimpleType kSimpleTypes[] = {
    {"Bool", ClickHouseKind::boolean},    {"Int8", ClickHouseKind::int8},
    {"Int16", ClickHouseKind::int16},     {"Int32", ClickHouseKind::int32},
    {"Int64", ClickHouseKind::int64},     {"Int128", ClickHouseKind::int128},
    {"Int256", ClickHouseKind::int256},   {"UInt8", ClickHouseKind::uint8},
    {"UInt16", ClickHouseKind::uint16},   {"UInt32", ClickHouseKind::uint32},
    {"UInt64", ClickHouseKind::uint64},   {"UInt128", ClickHouseKind::uint128},
    {"UInt256", ClickHouseKind::uint256}, {"BFloat16", ClickHouseKind::bfloat16},
    {"Float32", ClickHouseKind::float32}, {"Float64", ClickHouseKind::float64},
    {"String", ClickHouseKind::string},   {"Date", ClickHouseKind::date},
    {"Date32", ClickHouseKind::date32},   {"Time", ClickHouseKind::time},
    {"UUID", ClickHouseKind::uuid},       {"IPv4", ClickHouseKind::ipv4},
    {"IPv6", ClickHouseKind::ipv6},
};

// Types that are names for a composition of others.
struct NamedType {
  const char* name;
  const char* meaning;
};
constexpr NamedType kNamedTypes[] = {
    {"Point", "Tuple(Float64, Float64)"},     {"Ring", "Array(Point)"},   {"LineString", "Array(Point)"},
    {"MultiLineString", "Array(LineString)"}, {"Polygon", "Array(Ring)"}, {"MultiPolygon", "Array(Polygon)"},
};

// Types that Weir does not write, and what to do instead.
constexpr NamedType kRefusedTypes[] = {
    {"Variant", "a Variant column cannot be written: give the column one type, or make it String or JSON"},
    {"Dynamic", "a Dynamic column cannot be written: give the column one type, or make it String or JSON"},
    {"Object", "Object('json') was replaced by JSON: make the column JSON or String"},
    {"AggregateFunction",
     "a state of an aggregate function cannot be written: write to the table that its view reads, or use "
     "SimpleAggregateFunction"},
    {"Nothing", "a Nothing column has no values"},
    {"QBit", "a QBit column cannot be written: use Array(Float32)"},
    {"Geometry", "a Geometry column cannot be written: use Point, Ring, LineString, Polygon or MultiPolygon"},
};

bool is_word_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

void append_escaped(std::string_view text, char quote, std::string& out) {
  out += quote;
  for (char c : text) {
    switch (c) {
      case '\n': out += "\\n"; break;
      case '\t': out += "\\t"; break;
      case '\r': out += "\\r"; break;
      case '\0': out += "\\0"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      default:
        if (c == quote || c == '\\') out += '\\';
        out += c;
    }
  }
  out += quote;
}

class TypeTextParser {
 public:
  explicit TypeTextParser(std::string_view text) : text_(text) {}

  Result<ClickHouseType> whole() {
    WEIR_ASSIGN(ClickHouseType type, parse(0));
    skip_space();
    if (at_ != text_.size()) return bad("the end of the type");
    return type;
  }

 private:
  Status bad(const std::string& expected) const {
    std::string found = at_ < text_.size() ? "'" + std::string(text_.substr(at_)) + "'" : "its end";
    return Status::invalid("in the ClickHouse type " + std::string(text_) + ": expected " + expected +
                           ", found " + found);
  }

  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
  }
  bool peek(char c) {
    skip_space();
    return at_ < text_.size() && text_[at_] == c;
  }
  bool accept(char c) {
    if (!peek(c)) return false;
    ++at_;
    return true;
  }
  Status expect(char c) { return accept(c) ? Status() : bad(std::string("'") + c + "'"); }

  std::string_view word() {
    skip_space();
    size_t start = at_;
    while (at_ < text_.size() && is_word_byte(text_[at_])) ++at_;
    return text_.substr(start, at_ - start);
  }

  Result<int64_t> number(int64_t low, int64_t high) {
    skip_space();
    size_t start = at_;
    if (at_ < text_.size() && text_[at_] == '-') ++at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    std::string digits(text_.substr(start, at_ - start));
    int64_t value =
        digits.empty() || digits.size() > 12 ? high + 1 : std::strtoll(digits.c_str(), nullptr, 10);
    if (digits.empty() || digits == "-" || value < low || value > high) {
      at_ = start;
      return bad("a number from " + std::to_string(low) + " to " + std::to_string(high));
    }
    return value;
  }

  // Text between quotes, with the server's backslash escapes and doubled quotes.
  Result<std::string> quoted(char quote) {
    WEIR_TRY(expect(quote));
    std::string out;
    while (at_ < text_.size()) {
      char c = text_[at_++];
      if (c == quote) {
        if (at_ >= text_.size() || text_[at_] != quote) return out;
        ++at_;
      } else if (c == '\\' && at_ < text_.size()) {
        c = text_[at_++];
        switch (c) {
          case 'n': c = '\n'; break;
          case 't': c = '\t'; break;
          case 'r': c = '\r'; break;
          case '0': c = '\0'; break;
          case 'b': c = '\b'; break;
          case 'f': c = '\f'; break;
          case 'x': {
            if (at_ + 2 > text_.size()) return bad("two hexadecimal digits");
            c = static_cast<char>(std::strtol(std::string(text_.substr(at_, 2)).c_str(), nullptr, 16));
            at_ += 2;
            break;
          }
          default: break;
        }
      }
      out += c;
    }
    return bad(std::string("'") + quote + "'");
  }

  // Past the parenthesis that closes the one just opened.
  Status skip_parentheses() {
    for (int depth = 1; at_ < text_.size();) {
      char c = text_[at_];
      if (c == '\'' || c == '`' || c == '"') {
        WEIR_ASSIGN(std::string ignored, quoted(c));
        continue;
      }
      ++at_;
      if (c == '(') ++depth;
      if (c == ')' && --depth == 0) return {};
    }
    return bad("')'");
  }

  Result<ClickHouseType> parse(int depth) {
    if (depth > kMaxTypeDepth) return Status::invalid("the ClickHouse type is nested too deeply");
    skip_space();
    size_t start = at_;
    std::string_view name = word();
    if (name.empty()) return bad("a type");
    for (const SimpleType& simple : kSimpleTypes) {
      if (name != simple.name || (simple.kind == ClickHouseKind::time && peek('('))) continue;
      return ClickHouseType::of(simple.kind);
    }
    for (const NamedType& named : kNamedTypes) {
      if (name != named.name) continue;
      WEIR_ASSIGN(ClickHouseType type, TypeTextParser(named.meaning).whole());
      type.alias = named.name;
      return type;
    }
    for (const NamedType& refused : kRefusedTypes) {
      if (name == refused.name) return Status::invalid(refused.meaning);
    }
    if (name.starts_with("Interval")) {
      return Status::invalid("a column of the type " + std::string(name) +
                             " cannot be written: make it Int64");
    }
    if (name == "Nullable") return parse_around(ClickHouseKind::nullable, 1, depth);
    if (name == "LowCardinality") return parse_around(ClickHouseKind::low_cardinality, 1, depth);
    if (name == "Array") return parse_around(ClickHouseKind::array, 1, depth);
    if (name == "Map") return parse_around(ClickHouseKind::map, 2, depth);
    if (name == "Tuple") return parse_elements(ClickHouseKind::tuple, depth);
    if (name == "Nested") return parse_elements(ClickHouseKind::nested, depth);
    if (name.starts_with("Decimal")) return parse_decimal(name, start);
    if (name == "DateTime" || name == "DateTime32" || name == "DateTime64") return parse_date_time(name);
    if (name == "Time64") return parse_time64();
    if (name == "FixedString") return parse_fixed_string();
    if (name == "Enum8" || name == "Enum16") return parse_enum(name);
    if (name == "JSON") return parse_json(start);
    if (name == "SimpleAggregateFunction") return parse_simple_aggregate(start, depth);
    at_ = start;
    std::vector<std::string> known = {"Nullable", "LowCardinality", "Array",    "Map",        "Tuple",
                                      "Nested",   "Decimal",        "DateTime", "DateTime64", "Time64",
                                      "Enum8",    "Enum16",         "JSON",     "FixedString"};
    for (const SimpleType& simple : kSimpleTypes) known.emplace_back(simple.name);
    return Status::invalid("Weir does not know the ClickHouse type " + std::string(name) + "." +
                           suggestion(std::string(name), known));
  }

  Result<ClickHouseType> parse_around(ClickHouseKind kind, int count, int depth) {
    ClickHouseType type = ClickHouseType::of(kind);
    WEIR_TRY(expect('('));
    for (int i = 0; i < count; ++i) {
      if (i > 0) WEIR_TRY(expect(','));
      WEIR_ASSIGN(ClickHouseType child, parse(depth + 1));
      type.children.push_back(std::move(child));
    }
    WEIR_TRY(expect(')'));
    return type;
  }

  // `name Type` or `Type`; the name is left empty for the latter.
  Result<std::string> element_name() {
    if (peek('`')) return quoted('`');
    if (peek('"')) return quoted('"');
    size_t start = at_;
    // A flattened path such as a.b is a name too.
    while (at_ < text_.size() && (is_word_byte(text_[at_]) || text_[at_] == '.')) ++at_;
    std::string name(text_.substr(start, at_ - start));
    skip_space();
    if (at_ < text_.size() && text_[at_] != '(' && text_[at_] != ',' && text_[at_] != ')') return name;
    at_ = start;
    return std::string();
  }

  Result<ClickHouseType> parse_elements(ClickHouseKind kind, int depth) {
    ClickHouseType type = ClickHouseType::of(kind);
    WEIR_TRY(expect('('));
    if (accept(')')) return type;
    std::set<std::string> seen;
    do {
      WEIR_ASSIGN(std::string name, element_name());
      if ((name.empty() && (kind == ClickHouseKind::nested || !type.names.empty())) ||
          (!name.empty() && type.names.size() != type.children.size())) {
        return bad("a name for each element, or for none");
      }
      if (!name.empty()) type.names.push_back(std::move(name));
      WEIR_ASSIGN(ClickHouseType child, parse(depth + 1));
      type.children.push_back(std::move(child));
    } while (accept(','));
    WEIR_TRY(expect(')'));
    return type;
  }

  Result<ClickHouseType> parse_decimal(std::string_view name, size_t start) {
    ClickHouseType type = ClickHouseType::of(ClickHouseKind::decimal);
    WEIR_TRY(expect('('));
    if (name == "Decimal") {
      WEIR_ASSIGN(int64_t precision, number(1, 76));
      type.precision = static_cast<int>(precision);
    } else {
      constexpr std::pair<const char*, int> kSized[] = {
          {"Decimal32", 9}, {"Decimal64", 18}, {"Decimal128", 38}, {"Decimal256", 76}};
      for (auto [sized, digits] : kSized) {
        if (name == sized) type.precision = digits;
      }
      if (type.precision == 0) {
        at_ = start;
        return bad("Decimal, Decimal32, Decimal64, Decimal128 or Decimal256");
      }
    }
    if (name != "Decimal" || accept(',')) {
      WEIR_ASSIGN(int64_t scale, number(0, type.precision));
      type.scale = static_cast<int>(scale);
    }
    WEIR_TRY(expect(')'));
    return type;
  }

  Result<ClickHouseType> parse_date_time(std::string_view name) {
    bool fine = name == "DateTime64";
    ClickHouseType type = ClickHouseType::of(fine ? ClickHouseKind::date_time64 : ClickHouseKind::date_time);
    if (fine) {
      type.precision = 3;
      if (!accept('(')) return type;
      WEIR_ASSIGN(int64_t precision, number(0, 9));
      type.precision = static_cast<int>(precision);
      if (accept(',')) {
        WEIR_ASSIGN(type.time_zone, quoted('\''));
      }
    } else {
      if (!accept('(')) return type;
      WEIR_ASSIGN(type.time_zone, quoted('\''));
    }
    WEIR_TRY(expect(')'));
    return type;
  }

  Result<ClickHouseType> parse_time64() {
    ClickHouseType type = ClickHouseType::of(ClickHouseKind::time64);
    WEIR_TRY(expect('('));
    WEIR_ASSIGN(int64_t precision, number(0, 9));
    type.precision = static_cast<int>(precision);
    WEIR_TRY(expect(')'));
    return type;
  }

  Result<ClickHouseType> parse_fixed_string() {
    ClickHouseType type = ClickHouseType::of(ClickHouseKind::fixed_string);
    WEIR_TRY(expect('('));
    WEIR_ASSIGN(type.length, number(1, 0xFFFFFF));
    WEIR_TRY(expect(')'));
    return type;
  }

  Result<ClickHouseType> parse_enum(std::string_view name) {
    bool small = name == "Enum8";
    ClickHouseType type = ClickHouseType::of(small ? ClickHouseKind::enum8 : ClickHouseKind::enum16);
    WEIR_TRY(expect('('));
    do {
      WEIR_ASSIGN(std::string value_name, quoted('\''));
      WEIR_TRY(expect('='));
      WEIR_ASSIGN(int64_t value, number(small ? -128 : -32768, small ? 127 : 32767));
      type.enum_values.emplace_back(std::move(value_name), static_cast<int16_t>(value));
    } while (accept(','));
    WEIR_TRY(expect(')'));
    return type;
  }

  Result<ClickHouseType> parse_json(size_t start) {
    ClickHouseType type = ClickHouseType::of(ClickHouseKind::json);
    if (accept('(')) {
      WEIR_TRY(skip_parentheses());
      type.alias = std::string(text_.substr(start, at_ - start));
    }
    return type;
  }

  // SimpleAggregateFunction(function[(parameters)], T): T on the wire.
  Result<ClickHouseType> parse_simple_aggregate(size_t start, int depth) {
    WEIR_TRY(expect('('));
    if (word().empty()) return bad("the name of an aggregate function");
    if (accept('(')) WEIR_TRY(skip_parentheses());
    WEIR_TRY(expect(','));
    WEIR_ASSIGN(ClickHouseType type, parse(depth + 1));
    WEIR_TRY(expect(')'));
    type.alias = std::string(text_.substr(start, at_ - start));
    return type;
  }

  std::string_view text_;
  size_t at_ = 0;
};

std::string element_name_text(const std::string& name) {
  bool plain = !name.empty() && !(name[0] >= '0' && name[0] <= '9');
  for (char c : name) plain = plain && is_word_byte(c);
  return plain ? name : quoted_identifier(name);
}

std::string children_text(const ClickHouseType& type) {
  std::string out = "(";
  for (size_t i = 0; i < type.children.size(); ++i) {
    if (i > 0) out += ", ";
    if (!type.names.empty()) out += element_name_text(type.names[i]) + " ";
    out += type.children[i].to_string();
  }
  return out + ")";
}

std::string enum_text(const ClickHouseType& type) {
  std::string out = type.kind == ClickHouseKind::enum8 ? "Enum8(" : "Enum16(";
  for (const auto& [name, value] : type.enum_values) {
    if (out.back() != '(') out += ", ";
    append_escaped(name, '\'', out);
    out += " = " + std::to_string(value);
  }
  return out + ")";
}

}  // namespace

std::string quoted_identifier(std::string_view name) {
  std::string out;
  append_escaped(name, '`', out);
  return out;
}

Result<ClickHouseType> ClickHouseType::parse(std::string_view text) { return TypeTextParser(text).whole(); }

ClickHouseType ClickHouseType::of(ClickHouseKind kind) {
  ClickHouseType type;
  type.kind = kind;
  return type;
}

ClickHouseType ClickHouseType::nullable(ClickHouseType of) {
  ClickHouseType type = ClickHouseType::of(ClickHouseKind::nullable);
  type.children.push_back(std::move(of));
  return type;
}

ClickHouseType ClickHouseType::array(ClickHouseType element) {
  ClickHouseType type = ClickHouseType::of(ClickHouseKind::array);
  type.children.push_back(std::move(element));
  return type;
}

std::string ClickHouseType::to_string() const {
  if (!alias.empty()) return alias;
  std::string zone;
  if (!time_zone.empty()) append_escaped(time_zone, '\'', zone);
  switch (kind) {
    case ClickHouseKind::nullable: return "Nullable" + children_text(*this);
    case ClickHouseKind::low_cardinality: return "LowCardinality" + children_text(*this);
    case ClickHouseKind::array: return "Array" + children_text(*this);
    case ClickHouseKind::map: return "Map" + children_text(*this);
    case ClickHouseKind::tuple: return "Tuple" + children_text(*this);
    case ClickHouseKind::nested: return "Nested" + children_text(*this);
    case ClickHouseKind::decimal:
      return "Decimal(" + std::to_string(precision) + ", " + std::to_string(scale) + ")";
    case ClickHouseKind::date_time: return zone.empty() ? "DateTime" : "DateTime(" + zone + ")";
    case ClickHouseKind::date_time64:
      return "DateTime64(" + std::to_string(precision) + (zone.empty() ? ")" : ", " + zone + ")");
    case ClickHouseKind::time64: return "Time64(" + std::to_string(precision) + ")";
    case ClickHouseKind::fixed_string: return "FixedString(" + std::to_string(length) + ")";
    case ClickHouseKind::enum8:
    case ClickHouseKind::enum16: return enum_text(*this);
    case ClickHouseKind::json: return "JSON";
    default: break;
  }
  for (const SimpleType& simple : kSimpleTypes) {
    if (simple.kind == kind) return simple.name;
  }
  return "?";
}

const ClickHouseType& ClickHouseType::inner() const {
  bool wrapped = kind == ClickHouseKind::nullable || kind == ClickHouseKind::low_cardinality;
  return wrapped ? children[0].inner() : *this;
}

bool ClickHouseType::takes_null() const {
  if (kind == ClickHouseKind::low_cardinality) return children[0].takes_null();
  return kind == ClickHouseKind::nullable;
}

int64_t ClickHouseType::fixed_width_bytes() const {
  switch (kind) {
    case ClickHouseKind::boolean:
    case ClickHouseKind::int8:
    case ClickHouseKind::uint8:
    case ClickHouseKind::enum8: return 1;
    case ClickHouseKind::int16:
    case ClickHouseKind::uint16:
    case ClickHouseKind::bfloat16:
    case ClickHouseKind::date:
    case ClickHouseKind::enum16: return 2;
    case ClickHouseKind::int32:
    case ClickHouseKind::uint32:
    case ClickHouseKind::float32:
    case ClickHouseKind::date32:
    case ClickHouseKind::date_time:
    case ClickHouseKind::time:
    case ClickHouseKind::ipv4: return 4;
    case ClickHouseKind::int64:
    case ClickHouseKind::uint64:
    case ClickHouseKind::float64:
    case ClickHouseKind::date_time64:
    case ClickHouseKind::time64: return 8;
    case ClickHouseKind::int128:
    case ClickHouseKind::uint128:
    case ClickHouseKind::uuid:
    case ClickHouseKind::ipv6: return 16;
    case ClickHouseKind::int256:
    case ClickHouseKind::uint256: return 32;
    case ClickHouseKind::decimal: return precision <= 9 ? 4 : precision <= 18 ? 8 : precision <= 38 ? 16 : 32;
    case ClickHouseKind::fixed_string: return length;
    default: return 0;
  }
}

bool ClickHouseType::operator==(const ClickHouseType& other) const {
  return kind == other.kind && precision == other.precision && scale == other.scale &&
         length == other.length && time_zone == other.time_zone && enum_values == other.enum_values &&
         children == other.children && names == other.names && alias == other.alias;
}

}  // namespace weir
