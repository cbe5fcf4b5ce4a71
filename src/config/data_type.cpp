#include "config/data_type.h"

#include <arrow/type.h>

#include <cstdlib>
#include <set>
#include <utility>

#include "base/text.h"

namespace weir {
namespace {

constexpr int kMaxTypeDepth = 64;
constexpr int kUnbounded = 2147483647;  // VARCHAR(2147483647) is STRING in Flink

struct ForeignType {
  const char* name;
  const char* ours;
};

// What people write who come from other systems.
constexpr ForeignType kForeignTypes[] = {
    {"BOOL", "BOOLEAN"},       {"INT8", "TINYINT"},
    {"INT16", "SMALLINT"},     {"INT32", "INT"},
    {"INT64", "BIGINT"},       {"LONG", "BIGINT"},
    {"SHORT", "SMALLINT"},     {"BYTE", "TINYINT"},
    {"REAL", "FLOAT"},         {"FLOAT32", "FLOAT"},
    {"FLOAT64", "DOUBLE"},     {"FLOAT4", "FLOAT"},
    {"FLOAT8", "DOUBLE"},      {"TEXT", "STRING"},
    {"UUID", "STRING"},        {"JSON", "STRING"},
    {"JSONB", "STRING"},       {"UTF8", "STRING"},
    {"BLOB", "BYTES"},         {"BYTEA", "BYTES"},
    {"DATETIME", "TIMESTAMP"}, {"TIMESTAMPTZ", "TIMESTAMP_LTZ"},
    {"STRUCT", "ROW"},         {"LIST", "ARRAY"},
};

arrow::TimeUnit::type time_unit(int precision) {
  if (precision <= 3) return arrow::TimeUnit::MILLI;
  return precision <= 6 ? arrow::TimeUnit::MICRO : arrow::TimeUnit::NANO;
}

std::string with_nullability(const ParsedType& parsed) {
  return parsed.type.text + (parsed.nullable ? "" : " NOT NULL");
}

DataType simple_type(std::string text, std::shared_ptr<arrow::DataType> arrow) {
  DataType type;
  type.text = std::move(text);
  type.arrow = std::move(arrow);
  return type;
}

class TypeParser {
 public:
  explicit TypeParser(TokenCursor& cursor) : cursor_(cursor) {}

  std::optional<ParsedType> parse(int depth) {
    const Token& start = cursor_.peek();
    if (depth > kMaxTypeDepth) {
      cursor_.error(start, "types are nested more than " + std::to_string(kMaxTypeDepth) + " deep");
      return std::nullopt;
    }
    if (start.kind != TokenKind::word) {
      cursor_.expected("a type");
      return std::nullopt;
    }
    std::optional<DataType> type = parse_named(depth);
    if (!type) return std::nullopt;
    ParsedType parsed{std::move(*type), true};
    if (cursor_.peek().is_word("NOT")) {
      cursor_.next();
      if (!cursor_.expect_word("NULL")) return std::nullopt;
      parsed.nullable = false;
    } else {
      cursor_.accept_word("NULL");
    }
    return parsed;
  }

 private:
  std::optional<DataType> parse_named(int depth) {
    const Token& name = cursor_.next();
    if (name.is_word("BOOLEAN")) return simple_type("BOOLEAN", arrow::boolean());
    if (name.is_word("TINYINT")) return simple_type("TINYINT", arrow::int8());
    if (name.is_word("SMALLINT")) return simple_type("SMALLINT", arrow::int16());
    if (name.is_word("INT") || name.is_word("INTEGER")) return simple_type("INT", arrow::int32());
    if (name.is_word("BIGINT")) return simple_type("BIGINT", arrow::int64());
    if (name.is_word("FLOAT")) return simple_type("FLOAT", arrow::float32());
    if (name.is_word("DOUBLE")) {
      cursor_.accept_word("PRECISION");
      return simple_type("DOUBLE", arrow::float64());
    }
    if (name.is_word("DATE")) return simple_type("DATE", arrow::date32());
    if (name.is_word("DECIMAL") || name.is_word("DEC") || name.is_word("NUMERIC")) return parse_decimal();
    if (name.is_word("STRING")) return simple_type("STRING", arrow::utf8());
    if (name.is_word("BYTES")) return simple_type("BYTES", arrow::binary());
    if (name.is_word("CHAR")) return parse_sized("CHAR", arrow::utf8(), false);
    if (name.is_word("VARCHAR")) return parse_sized("VARCHAR", arrow::utf8(), true);
    if (name.is_word("BINARY")) return parse_sized("BINARY", arrow::binary(), false);
    if (name.is_word("VARBINARY")) return parse_sized("VARBINARY", arrow::binary(), true);
    if (name.is_word("TIME")) return parse_time();
    if (name.is_word("TIMESTAMP")) return parse_timestamp();
    if (name.is_word("TIMESTAMP_LTZ")) {
      std::optional<int> precision = parse_precision("TIMESTAMP_LTZ", 6);
      if (!precision) return std::nullopt;
      return timestamp_type(*precision, true);
    }
    if (name.is_word("ARRAY")) return parse_array(depth);
    if (name.is_word("MAP")) return parse_map(depth);
    if (name.is_word("ROW")) return parse_row(depth);
    refuse(name);
    return std::nullopt;
  }

  void refuse(const Token& name) {
    std::string message = "unknown type " + name.text + ".";
    for (const ForeignType& foreign : kForeignTypes) {
      if (name.is_word(foreign.name)) {
        return cursor_.error(name, message + " Did you mean '" + foreign.ours + "'?");
      }
    }
    std::string near = suggestion(name.text, type_names());
    if (!near.empty()) return cursor_.error(name, message + near);
    message += " Expected one of ";
    for (const std::string& known : type_names())
      message += known + (&known == &type_names().back() ? "" : ", ");
    cursor_.error(name, message);
  }

  // The whole number that must stand here, within [low, high].
  std::optional<int> parse_number(const std::string& what, int low, int high) {
    const Token& token = cursor_.peek();
    bool whole =
        token.kind == TokenKind::number && token.text.find_first_not_of("0123456789") == std::string::npos;
    long value = whole && token.text.size() <= 10 ? std::strtol(token.text.c_str(), nullptr, 10) : -1;
    if (value < low || value > high) {
      cursor_.expected(what + ", a whole number from " + std::to_string(low) + " to " + std::to_string(high));
      return std::nullopt;
    }
    cursor_.next();
    return static_cast<int>(value);
  }

  std::optional<int> parse_precision(const std::string& type, int otherwise) {
    if (!cursor_.accept_symbol('(')) return otherwise;
    std::optional<int> precision = parse_number("the precision of " + type, 0, 9);
    if (!precision || !cursor_.expect_symbol(')')) return std::nullopt;
    return precision;
  }

  std::optional<DataType> parse_decimal() {
    int precision = 10, scale = 0;
    if (cursor_.accept_symbol('(')) {
      std::optional<int> number = parse_number("the precision of DECIMAL", 1, 38);
      if (!number) return std::nullopt;
      precision = *number;
      if (cursor_.accept_symbol(',')) {
        number = parse_number("the scale of DECIMAL(" + std::to_string(precision) + ", …)", 0, precision);
        if (!number) return std::nullopt;
        scale = *number;
      }
      if (!cursor_.expect_symbol(')')) return std::nullopt;
    }
    return simple_type("DECIMAL(" + std::to_string(precision) + ", " + std::to_string(scale) + ")",
                       arrow::decimal128(precision, scale));
  }

  std::optional<DataType> parse_sized(const std::string& name, std::shared_ptr<arrow::DataType> arrow,
                                      bool varying) {
    const std::string unbounded = arrow->id() == arrow::Type::STRING ? "STRING" : "BYTES";
    const Token& word = cursor_.at(cursor_.position() - 1);
    int length = 1;
    if (cursor_.accept_symbol('(')) {
      std::optional<int> number = parse_number("the length of " + name, 1, kUnbounded);
      if (!number || !cursor_.expect_symbol(')')) return std::nullopt;
      length = *number;
    } else if (varying) {
      cursor_.diagnostics().warning(cursor_.location(word), name + " without a length is taken as " +
                                                                unbounded + ", but Flink takes it as " +
                                                                name + "(1): write " + unbounded +
                                                                " or give a length");
      return simple_type(unbounded, std::move(arrow));
    }
    if (varying && length == kUnbounded) return simple_type(unbounded, std::move(arrow));
    DataType type = simple_type(name + "(" + std::to_string(length) + ")", std::move(arrow));
    type.max_length = length;
    return type;
  }

  enum class Zone { none, local, refused };  // refused: the error is reported
  Zone parse_zone() {
    if (cursor_.peek().is_word("WITHOUT")) {
      cursor_.next();
      return cursor_.expect_word("TIME") && cursor_.expect_word("ZONE") ? Zone::none : Zone::refused;
    }
    if (!cursor_.peek().is_word("WITH")) return Zone::none;
    const Token& with = cursor_.next();
    if (cursor_.peek().is_word("TIME")) {
      cursor_.error(with, "TIMESTAMP WITH TIME ZONE is not supported. Did you mean 'TIMESTAMP_LTZ'?");
      return Zone::refused;
    }
    bool ok = cursor_.expect_word("LOCAL") && cursor_.expect_word("TIME") && cursor_.expect_word("ZONE");
    return ok ? Zone::local : Zone::refused;
  }

  std::optional<DataType> parse_time() {
    std::optional<int> precision = parse_precision("TIME", 0);
    if (!precision) return std::nullopt;
    if (cursor_.peek().is_word("WITHOUT") && parse_zone() == Zone::refused) return std::nullopt;
    arrow::TimeUnit::type unit = time_unit(*precision);
    return simple_type("TIME(" + std::to_string(*precision) + ")",
                       unit == arrow::TimeUnit::MILLI ? arrow::time32(unit) : arrow::time64(unit));
  }

  static DataType timestamp_type(int precision, bool local) {
    std::string name = local ? "TIMESTAMP_LTZ(" : "TIMESTAMP(";
    return simple_type(name + std::to_string(precision) + ")",
                       arrow::timestamp(time_unit(precision), local ? "UTC" : ""));
  }

  std::optional<DataType> parse_timestamp() {
    std::optional<int> precision = parse_precision("TIMESTAMP", 6);
    if (!precision) return std::nullopt;
    Zone zone = parse_zone();
    if (zone == Zone::refused) return std::nullopt;
    return timestamp_type(*precision, zone == Zone::local);
  }

  std::optional<DataType> parse_array(int depth) {
    if (!cursor_.expect_symbol('<', "after ARRAY")) return std::nullopt;
    std::optional<ParsedType> element = parse(depth + 1);
    if (!element || !cursor_.expect_symbol('>', "to close ARRAY<")) return std::nullopt;
    DataType type = simple_type("ARRAY<" + with_nullability(*element) + ">",
                                arrow::list(arrow::field("item", element->type.arrow, element->nullable)));
    type.children.push_back(std::move(element->type));
    return type;
  }

  std::optional<DataType> parse_map(int depth) {
    if (!cursor_.expect_symbol('<', "after MAP")) return std::nullopt;
    std::optional<ParsedType> key = parse(depth + 1);
    if (!key || !cursor_.expect_symbol(',', "and the type of the map's values")) return std::nullopt;
    std::optional<ParsedType> value = parse(depth + 1);
    if (!value || !cursor_.expect_symbol('>', "to close MAP<")) return std::nullopt;
    DataType type =
        simple_type("MAP<" + with_nullability(*key) + ", " + with_nullability(*value) + ">",
                    arrow::map(key->type.arrow, arrow::field("value", value->type.arrow, value->nullable)));
    type.children.push_back(std::move(key->type));
    type.children.push_back(std::move(value->type));
    return type;
  }

  std::optional<DataType> parse_row(int depth) {
    char close = '>';
    if (cursor_.accept_symbol('(')) {
      close = ')';
    } else if (!cursor_.expect_symbol('<', "after ROW")) {
      return std::nullopt;
    }
    std::vector<std::shared_ptr<arrow::Field>> fields;
    std::set<std::string> names;
    DataType type;
    std::string text;
    do {
      const Token& place = cursor_.peek();
      std::optional<std::string> name = cursor_.expect_identifier("the name of a ROW field");
      if (!name) return std::nullopt;
      if (!names.insert(*name).second) {
        cursor_.error(place, "the ROW has two fields named " + *name);
        return std::nullopt;
      }
      std::optional<ParsedType> field = parse(depth + 1);
      if (!field) return std::nullopt;
      if (cursor_.peek().kind == TokenKind::string) cursor_.next();  // Flink's comment on a field
      text += (text.empty() ? "`" : ", `") + *name + "` " + with_nullability(*field);
      fields.push_back(arrow::field(*name, field->type.arrow, field->nullable));
      type.children.push_back(std::move(field->type));
    } while (cursor_.accept_symbol(','));
    if (!cursor_.expect_symbol(close, "or ',' in ROW")) return std::nullopt;
    type.text = "ROW<" + text + ">";
    type.arrow = arrow::struct_(fields);
    return type;
  }

  TokenCursor& cursor_;
};

}  // namespace

const std::vector<std::string>& type_names() {
  static const std::vector<std::string> names = {
      "BOOLEAN",   "TINYINT", "SMALLINT", "INT",       "INTEGER",       "BIGINT",  "FLOAT", "DOUBLE",
      "DECIMAL",   "DEC",     "NUMERIC",  "STRING",    "CHAR",          "VARCHAR", "BYTES", "BINARY",
      "VARBINARY", "DATE",    "TIME",     "TIMESTAMP", "TIMESTAMP_LTZ", "ARRAY",   "MAP",   "ROW"};
  return names;
}

std::optional<ParsedType> parse_type(TokenCursor& cursor) { return TypeParser(cursor).parse(0); }

Result<ParsedType> parse_type_text(const std::string& text) {
  TokenList list = tokenize(text);
  if (list.error) return Status::invalid(list.error->message);
  Diagnostics diagnostics;
  TokenCursor cursor("", text, std::move(list.tokens), diagnostics);
  std::optional<ParsedType> parsed = parse_type(cursor);
  if (parsed && !cursor.at_end()) cursor.expected("the end of the type");
  if (diagnostics.has_errors()) return diagnostics.status();
  return std::move(*parsed);
}

static const char* unit_digits(arrow::TimeUnit::type unit) {
  static constexpr const char* kDigits[] = {"(0)", "(3)", "(6)", "(9)"};
  return kDigits[static_cast<int>(unit)];
}

std::string sql_type(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::BOOL: return "BOOLEAN";
    case arrow::Type::INT8: return "TINYINT";
    case arrow::Type::INT16: return "SMALLINT";
    case arrow::Type::INT32: return "INT";
    case arrow::Type::INT64: return "BIGINT";
    case arrow::Type::UINT8: return "TINYINT UNSIGNED";
    case arrow::Type::UINT16: return "SMALLINT UNSIGNED";
    case arrow::Type::UINT32: return "INT UNSIGNED";
    case arrow::Type::UINT64: return "BIGINT UNSIGNED";
    case arrow::Type::FLOAT: return "FLOAT";
    case arrow::Type::DOUBLE: return "DOUBLE";
    case arrow::Type::STRING:
    case arrow::Type::LARGE_STRING:
    case arrow::Type::STRING_VIEW: return "STRING";
    case arrow::Type::BINARY:
    case arrow::Type::LARGE_BINARY:
    case arrow::Type::BINARY_VIEW: return "BYTES";
    case arrow::Type::DATE32:
    case arrow::Type::DATE64: return "DATE";
    case arrow::Type::TIME32:
    case arrow::Type::TIME64:
      return std::string("TIME") + unit_digits(static_cast<const arrow::TimeType&>(type).unit());
    case arrow::Type::FIXED_SIZE_BINARY:
      return "BINARY(" + std::to_string(static_cast<const arrow::FixedSizeBinaryType&>(type).byte_width()) +
             ")";
    case arrow::Type::NA: return "NULL";
    case arrow::Type::DECIMAL32:
    case arrow::Type::DECIMAL64:
    case arrow::Type::DECIMAL128:
    case arrow::Type::DECIMAL256: {
      const auto& decimal = static_cast<const arrow::DecimalType&>(type);
      return "DECIMAL(" + std::to_string(decimal.precision()) + ", " + std::to_string(decimal.scale()) + ")";
    }
    case arrow::Type::TIMESTAMP: {
      const auto& timestamp = static_cast<const arrow::TimestampType&>(type);
      return std::string(timestamp.timezone().empty() ? "TIMESTAMP" : "TIMESTAMP_LTZ") +
             unit_digits(timestamp.unit());
    }
    case arrow::Type::LIST:
    case arrow::Type::LARGE_LIST:
    case arrow::Type::FIXED_SIZE_LIST: return "ARRAY<" + sql_type(*type.field(0)->type()) + ">";
    case arrow::Type::MAP: {
      const auto& map = static_cast<const arrow::MapType&>(type);
      return "MAP<" + sql_type(*map.key_type()) + ", " + sql_type(*map.item_type()) + ">";
    }
    case arrow::Type::STRUCT: {
      std::string text;
      for (const auto& child : type.fields()) {
        text += (text.empty() ? "" : ", ") + child->name() + " " + sql_type(*child->type());
      }
      return "ROW<" + text + ">";
    }
    default: return type.ToString();
  }
}

}  // namespace weir
