// Random tables and values, written as JSON by one program text and read back by another; and random damage.
#include <arrow/util/decimal.h>

#include <cinttypes>
#include <random>
#include <sstream>

#include "formats/json/json_test_table.h"

namespace weir {
namespace {

using Engine = std::mt19937_64;

size_t below(Engine& random, size_t limit) { return random() % limit; }

std::string hex(std::string_view bytes) {
  std::string text = "x";
  for (char c : bytes) {
    char buffer[3];
    std::snprintf(buffer, sizeof(buffer), "%02x", static_cast<unsigned char>(c));
    text += buffer;
  }
  return text;
}

std::string exact(double value) {
  char buffer[64];
  std::snprintf(buffer, sizeof(buffer), "%a", value);
  return buffer;
}

// What an array holds at `i`, in a form of its own.
std::string canonical(const arrow::Array& array, int64_t i) {
  if (array.IsNull(i)) return "null";
  switch (array.type_id()) {
    case arrow::Type::BOOL: return static_cast<const arrow::BooleanArray&>(array).Value(i) ? "T" : "F";
    case arrow::Type::INT8: return std::to_string(static_cast<const arrow::Int8Array&>(array).Value(i));
    case arrow::Type::INT16: return std::to_string(static_cast<const arrow::Int16Array&>(array).Value(i));
    case arrow::Type::INT32: return std::to_string(static_cast<const arrow::Int32Array&>(array).Value(i));
    case arrow::Type::INT64: return std::to_string(static_cast<const arrow::Int64Array&>(array).Value(i));
    case arrow::Type::DOUBLE: return exact(static_cast<const arrow::DoubleArray&>(array).Value(i));
    case arrow::Type::FLOAT:
      return exact(static_cast<double>(static_cast<const arrow::FloatArray&>(array).Value(i)));
    case arrow::Type::DECIMAL128: return static_cast<const arrow::Decimal128Array&>(array).FormatValue(i);
    case arrow::Type::STRING: return hex(static_cast<const arrow::StringArray&>(array).GetView(i));
    case arrow::Type::DATE32: return std::to_string(static_cast<const arrow::Date32Array&>(array).Value(i));
    case arrow::Type::TIMESTAMP:
      return std::to_string(static_cast<const arrow::TimestampArray&>(array).Value(i));
    case arrow::Type::LIST: {
      const auto& list = static_cast<const arrow::ListArray&>(array);
      std::string text = "[";
      for (int64_t k = list.value_offset(i); k < list.value_offset(i + 1); ++k)
        text += canonical(*list.values(), k) + ";";
      return text + "]";
    }
    case arrow::Type::MAP: {
      const auto& map = static_cast<const arrow::MapArray&>(array);
      std::string text = "<";
      for (int64_t k = map.value_offset(i); k < map.value_offset(i + 1); ++k) {
        text += canonical(*map.keys(), k) + "=" + canonical(*map.items(), k) + ";";
      }
      return text + ">";
    }
    case arrow::Type::STRUCT: {
      const auto& row = static_cast<const arrow::StructArray&>(array);
      std::string text = "(";
      for (int k = 0; k < row.num_fields(); ++k) text += canonical(*row.field(k), i) + ";";
      return text + ")";
    }
    default: ADD_FAILURE() << array.type()->ToString(); return "";
  }
}

struct Value {
  std::string json;
  std::string canonical;
};

// A type with a generator of values for it.
struct Type {
  std::string text;
  enum { boolean, integer, float64, float32, decimal, text_, date, timestamp, list, map, row } kind;
  int bits = 64;
  std::vector<Type> children;
  std::vector<std::string> names;
};

Type random_type(Engine& random, int depth) {
  const size_t choice = below(random, depth > 0 ? 12 : 9);
  if (choice == 0) return {"BOOLEAN", Type::boolean, 0, {}, {}};
  if (choice == 1) return {"TINYINT", Type::integer, 8, {}, {}};
  if (choice == 2) return {"INT", Type::integer, 32, {}, {}};
  if (choice == 3) return {"BIGINT", Type::integer, 64, {}, {}};
  if (choice == 4) return {"DOUBLE", Type::float64, 0, {}, {}};
  if (choice == 5) return {"FLOAT", Type::float32, 0, {}, {}};
  if (choice == 6) return {"DECIMAL(20,3)", Type::decimal, 0, {}, {}};
  if (choice == 7) return {"STRING", Type::text_, 0, {}, {}};
  if (choice == 8)
    return below(random, 2) ? Type{"DATE", Type::date, 0, {}, {}}
                            : Type{"TIMESTAMP(3)", Type::timestamp, 0, {}, {}};
  Type child = random_type(random, depth - 1);
  if (choice == 9) return {"ARRAY<" + child.text + ">", Type::list, 0, {child}, {}};
  if (choice == 10) return {"MAP<STRING, " + child.text + ">", Type::map, 0, {child}, {}};
  Type row{"ROW<", Type::row, 0, {}, {}};
  const size_t fields = 1 + below(random, 4);
  for (size_t i = 0; i < fields; ++i) {
    row.children.push_back(random_type(random, depth - 1));
    row.names.push_back("f" + std::to_string(i));
    row.text += (i ? ", " : "") + row.names.back() + " " + row.children.back().text;
  }
  row.text += ">";
  return row;
}

const char* space(Engine& random) {
  static const char* const kSpaces[] = {"", "", "", " ", "\n", " \t\r\n "};
  return kSpaces[below(random, 6)];
}

Value random_text(Engine& random) {
  static const std::pair<const char*, const char*> kPieces[] = {
      {"a", "a"},   {"xyz", "xyz"}, {"é", "é"},     {"\\u00e9", "é"}, {"\\ud83d\\ude00", "😀"},
      {"😀", "😀"}, {"\\\"", "\""}, {"\\\\", "\\"}, {"\\n", "\n"},    {"\\/", "/"},
      {"}", "}"},   {"{[", "{["},   {",:", ",:"},
  };
  Value value{"\"", ""};
  std::string plain;
  const size_t pieces = below(random, 4) == 0 ? below(random, 60) : below(random, 6);
  for (size_t i = 0; i < pieces; ++i) {
    const auto& [json, text] = kPieces[below(random, std::size(kPieces))];
    value.json += json;
    plain += text;
  }
  value.json += "\"";
  value.canonical = hex(plain);
  return value;
}

Value random_date(Engine& random, bool with_time) {
  const int64_t days = static_cast<int64_t>(below(random, 80000)) - 20000;
  const int64_t ms = static_cast<int64_t>(below(random, 86400000));
  const time_t seconds = days * 86400;
  tm parts{};
  gmtime_r(&seconds, &parts);
  char buffer[64];
  std::strftime(buffer, sizeof(buffer), "%Y-%m-%d", &parts);
  std::string json = std::string("\"") + buffer;
  if (!with_time) return {json + "\"", std::to_string(days)};
  const int64_t offset = static_cast<int64_t>(below(random, 25)) - 12;
  std::snprintf(buffer, sizeof(buffer), "%c%02" PRId64 ":%02" PRId64 ":%02" PRId64 ".%03" PRId64 "%+03d:00\"",
                below(random, 2) ? 'T' : ' ', ms / 3600000, ms / 60000 % 60, ms / 1000 % 60, ms % 1000,
                static_cast<int>(offset));
  return {json + buffer, std::to_string(days * 86400000 + ms - offset * 3600000)};
}

Value random_value(Engine& random, const Type& type);

Value random_object(Engine& random, const std::vector<std::string>& names, const std::vector<Type>& types) {
  std::vector<std::string> members;
  Value value{"{", "("};
  for (size_t i = 0; i < names.size(); ++i) {
    if (below(random, 8) == 0) {
      value.canonical += "null;";
      continue;
    }
    const Value field = random_value(random, types[i]);
    value.canonical += field.canonical + ";";
    members.push_back("\"" + names[i] + "\"" + space(random) + ":" + space(random) + field.json);
  }
  if (below(random, 4) == 0) {
    members.push_back("\"unknown" + std::to_string(below(random, 1000)) + "\":{\"a\":[1,\"x\\n\",null]}");
  }
  if (below(random, 3) == 0) std::shuffle(members.begin(), members.end(), random);
  for (size_t i = 0; i < members.size(); ++i)
    value.json += (i ? "," : "") + std::string(space(random)) + members[i] + space(random);
  value.json += "}";
  value.canonical += ")";
  return value;
}

Value random_value(Engine& random, const Type& type) {
  if (below(random, 10) == 0) return {"null", "null"};
  char buffer[64];
  switch (type.kind) {
    case Type::boolean: return below(random, 2) ? Value{"true", "T"} : Value{"false", "F"};
    case Type::integer: {
      int64_t number = static_cast<int64_t>(random()) >> (64 - type.bits);
      if (below(random, 2)) number >>= below(random, static_cast<size_t>(type.bits));
      return {std::to_string(number), std::to_string(number)};
    }
    case Type::float64: {
      const double number =
          below(random, 2)
              ? static_cast<double>(static_cast<int64_t>(random()) % 1000000) / 100
              : std::ldexp(static_cast<double>(random()), static_cast<int>(below(random, 1800)) - 900);
      std::snprintf(buffer, sizeof(buffer), below(random, 2) ? "%.17g" : "%.17E", number);
      return {buffer, exact(number)};
    }
    case Type::float32: {
      const float number =
          std::ldexp(static_cast<float>(random() % 16777216), static_cast<int>(below(random, 200)) - 120);
      std::snprintf(buffer, sizeof(buffer), "%.9g", static_cast<double>(number));
      return {buffer, exact(static_cast<double>(number))};
    }
    case Type::decimal: {
      std::snprintf(buffer, sizeof(buffer), "%s%" PRIu64 ".%03d", below(random, 2) ? "-" : "",
                    1 + random() % 10000000000000000u, static_cast<int>(below(random, 1000)));
      return {below(random, 2) ? buffer : "\"" + std::string(buffer) + "\"", buffer};
    }
    case Type::text_: return random_text(random);
    case Type::date: return random_date(random, false);
    case Type::timestamp: return random_date(random, true);
    case Type::list: {
      Value value{"[", "["};
      const size_t count = below(random, 5);
      for (size_t i = 0; i < count; ++i) {
        const Value element = random_value(random, type.children[0]);
        value.json += (i ? "," : "") + std::string(space(random)) + element.json + space(random);
        value.canonical += element.canonical + ";";
      }
      return {value.json + "]", value.canonical + "]"};
    }
    case Type::map: {
      Value value{"{", "<"};
      const size_t count = below(random, 5);
      for (size_t i = 0; i < count; ++i) {
        const std::string key = "k" + std::to_string(i);
        const Value element = random_value(random, type.children[0]);
        value.json +=
            (i ? "," : "") + std::string(space(random)) + "\"" + key + "\":" + element.json + space(random);
        value.canonical += hex(key) + "=" + element.canonical + ";";
      }
      return {value.json + "}", value.canonical + ">"};
    }
    case Type::row: return random_object(random, type.names, type.children);
  }
  return {};
}

struct RandomTable {
  ColumnTexts columns;
  std::vector<std::string> names;
  std::vector<Type> types;

  explicit RandomTable(Engine& random) {
    const size_t count = 1 + below(random, 8);
    for (size_t i = 0; i < count; ++i) {
      names.push_back("column_" + std::to_string(i));
      types.push_back(random_type(random, 3));
      columns.push_back({names.back(), types.back().text});
    }
  }
};

std::string canonical_row(const arrow::RecordBatch& rows, int64_t i) {
  std::string text = "(";
  for (int column = 0; column < rows.num_columns(); ++column)
    text += canonical(*rows.column(column), i) + ";";
  return text + ")";
}

TEST(JsonRandom, ValuesComeBackAsTheyWere) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    Engine random(seed);
    const RandomTable shape(random);
    JsonTable table(shape.columns, {});
    for (int round = 0; round < 2; ++round) {  // the second one finds buffers and orders of the first
      std::vector<Value> values;
      std::vector<std::string> payloads;
      for (int i = 0; i < 30; ++i) {
        values.push_back(random_object(random, shape.names, shape.types));
        payloads.push_back(values.back().json);
      }
      const DecodedRows decoded = table.decode(payloads);
      ASSERT_TRUE(decoded.errors.empty())
          << "seed " << seed << ": " << decoded.errors[0].message << " at " << decoded.errors[0].byte
          << " of " << payloads[decoded.errors[0].event];
      for (size_t i = 0; i < values.size(); ++i) {
        ASSERT_EQ(canonical_row(*decoded.rows, static_cast<int64_t>(i)), values[i].canonical)
            << "seed " << seed << ": " << payloads[i];
      }
    }
  }
}

void damage(Engine& random, std::string* payload) {
  static const std::string kBytes =
      std::string("{}[]\",:\\0123456789.eE+-tfnu \n\xff\xc3\x80\x01", 35) + '\0';
  const size_t times = 1 + below(random, 3);
  for (size_t i = 0; i < times && !payload->empty(); ++i) {
    const size_t at = below(random, payload->size());
    switch (below(random, 4)) {
      case 0: (*payload)[at] = kBytes[below(random, kBytes.size())]; break;
      case 1: payload->erase(at, 1 + below(random, 5)); break;
      case 2: payload->insert(at, 1, kBytes[below(random, kBytes.size())]); break;
      default: payload->resize(at); break;
    }
  }
}

TEST(JsonRandom, DamageStaysInItsRow) {
  size_t refused = 0;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    Engine random(seed * 977);
    const RandomTable shape(random);
    JsonTable table(shape.columns, {});
    std::vector<std::string> payloads;
    std::map<uint32_t, std::string> expected;
    for (uint32_t i = 0; i < 60; ++i) {
      const Value value = random_object(random, shape.names, shape.types);
      payloads.push_back(value.json);
      if (i % 2 == 0) {
        expected[i] = value.canonical;
      } else {
        damage(random, &payloads.back());
      }
    }
    const DecodedRows decoded = table.decode(payloads);
    size_t found = 0;
    for (size_t row = 0; row < decoded.event_of_row.size(); ++row) {
      const auto good = expected.find(decoded.event_of_row[row]);
      if (good == expected.end()) continue;
      ++found;
      ASSERT_EQ(canonical_row(*decoded.rows, static_cast<int64_t>(row)), good->second) << "seed " << seed;
    }
    ASSERT_EQ(found, expected.size()) << "seed " << seed;
    refused += decoded.errors.size();
    for (const ErrorRecord& error : decoded.errors) {
      ASSERT_LE(error.byte, static_cast<int64_t>(payloads[error.event].size()));
      ASSERT_FALSE(error.message.empty());
      // What is refused among others is refused alone, for the same reason.
      const ErrorRecord alone = table.error(payloads[error.event]);
      ASSERT_EQ(alone.code, error.code) << payloads[error.event];
      ASSERT_EQ(alone.byte, error.byte);
      ASSERT_EQ(alone.message, error.message);
    }
  }
  EXPECT_GT(refused, 5000u);
}

}  // namespace
}  // namespace weir
