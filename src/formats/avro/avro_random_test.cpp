// Random schemas and values: what a small encoder here writes, with blocks of either kind, is read back; what
// is cut short or has a byte more is an error and leaves its neighbours alone.
#include <random>

#include "formats/avro/avro_test_table.h"

namespace weir::avro {
namespace {

using Random = std::mt19937_64;

// A type in Avro and in SQL, and a way to make a value: its encoding and how Arrow prints it.
struct RandomType {
  std::string avro, sql;
  virtual ~RandomType() = default;
  virtual std::string make(Random& random, std::string* printed) const = 0;
};
using TypeHandle = std::unique_ptr<RandomType>;

struct Scalar : RandomType {
  explicit Scalar(int which, int name) : kind(which) {
    static const std::pair<const char*, const char*> types[] = {
        {R"("boolean")", "BOOLEAN"},
        {R"("int")", "INT"},
        {R"("int")", "BIGINT"},
        {R"("long")", "BIGINT"},
        {R"("float")", "DOUBLE"},
        {R"("double")", "DOUBLE"},
        {R"("string")", "STRING"},
        {R"("bytes")", "BYTES"},
        {R"({"type":"bytes","logicalType":"decimal","precision":18,"scale":0})", "DECIMAL(18, 0)"},
        {"", "STRING"},
        {"", "BYTES"},
    };
    avro = types[kind].first;
    sql = types[kind].second;
    const std::string label = std::to_string(name);
    if (kind == 9) avro = R"({"type":"enum","name":"E)" + label + R"(","symbols":["A","B","C"]})";
    if (kind == 10) avro = R"({"type":"fixed","name":"F)" + label + R"(","size":5})";
  }
  static constexpr int kKinds = 11;

  std::string make(Random& random, std::string* printed) const override {
    const int64_t number = static_cast<int64_t>(random()) >> (random() % 64);
    switch (kind) {
      case 0: *printed = number & 1 ? "true" : "false"; return std::string(1, static_cast<char>(number & 1));
      case 1:
      case 2:
        *printed = std::to_string(static_cast<int32_t>(number));
        return zigzag(static_cast<int32_t>(number));
      case 3: *printed = std::to_string(number); return zigzag(number);
      case 4:
        *printed = arrow::DoubleScalar(static_cast<float>(number % 1000) / 8).ToString();
        return raw_bytes(static_cast<float>(number % 1000) / 8);
      case 5:
        *printed = arrow::DoubleScalar(static_cast<double>(number)).ToString();
        return raw_bytes(static_cast<double>(number));
      case 6:
      case 7: {
        static const std::string pieces[] = {"a", "text ", "ä", "€", "𝄞", "0123456789012345678901234567890"};
        for (uint64_t i = random() % 6; i > 0; --i) *printed += pieces[random() % 6];
        return text_bytes(*printed);
      }
      case 8: {
        const int64_t value = number % 1'000'000'000'000'000'000;
        *printed = std::to_string(value);
        const uint64_t swapped = __builtin_bswap64(static_cast<uint64_t>(value));
        std::string bytes = raw_bytes(swapped);
        while (bytes.size() > 1 && ((bytes[0] == 0 && bytes[1] >= 0) || (bytes[0] == -1 && bytes[1] < 0))) {
          bytes.erase(0, 1);
        }
        return text_bytes(bytes);
      }
      case 9:
        *printed = std::string(1, static_cast<char>('A' + (number & 3) % 3));
        return zigzag((number & 3) % 3);
      default: *printed = "five" + std::to_string(number & 7); return *printed;
    }
  }
  int kind;
};

struct Nullable : RandomType {
  Nullable(TypeHandle type, bool first) : inner(std::move(type)), null_first(first) {
    avro = null_first ? R"(["null",)" + inner->avro + "]" : "[" + inner->avro + R"(,"null"])";
    sql = inner->sql;
  }
  std::string make(Random& random, std::string* printed) const override {
    if (random() % 3 != 0) return zigzag(null_first ? 1 : 0) + inner->make(random, printed);
    *printed = "null";
    return zigzag(null_first ? 0 : 1);
  }
  TypeHandle inner;
  bool null_first;
};

struct Items : RandomType {
  Items(TypeHandle type, bool map) : inner(std::move(type)), is_map(map) {
    avro = is_map ? R"({"type":"map","values":)" + inner->avro + "}"
                  : R"({"type":"array","items":)" + inner->avro + "}";
    sql = (is_map ? "MAP<STRING, " : "ARRAY<") + inner->sql + ">";
  }
  std::string make(Random& random, std::string* printed) const override {
    std::string bytes;
    uint64_t left = random() % 4, key = 0;
    while (left > 0) {
      const uint64_t count = 1 + random() % left;
      left -= count;
      std::string block;
      for (uint64_t i = 0; i < count; ++i) {
        std::string value;
        if (is_map) block += text_bytes("k" + std::to_string(key));
        block += inner->make(random, &value);
        *printed += (key == 0 ? "" : ", ") + (is_map ? "k" + std::to_string(key) + "=" + value : value);
        ++key;
      }
      const int64_t signed_count = static_cast<int64_t>(count);
      bytes += random() % 2 ? zigzag(signed_count) + block
                            : zigzag(-signed_count) + zigzag(static_cast<int64_t>(block.size())) + block;
    }
    *printed = "[" + *printed + "]";
    return bytes + zigzag(0);
  }
  TypeHandle inner;
  bool is_map;
};

struct Record : RandomType {
  Record(std::vector<TypeHandle> types, int name) : inner(std::move(types)) {
    avro = R"({"type":"record","name":"R)" + std::to_string(name) + R"(","fields":[)";
    for (size_t i = 0; i < inner.size(); ++i) {
      avro +=
          (i == 0 ? "" : ",") + (R"({"name":"f)" + std::to_string(i) + R"(","type":)") + inner[i]->avro + "}";
    }
    avro += "]}";
    // The columns stand in another order, and every third field has none.
    for (size_t i = inner.size(); i-- > 0;) {
      if (i % 3 == 2) continue;
      kept.push_back(i);
      sql += (sql.empty() ? "" : ", ") + ("f" + std::to_string(i) + " ") + inner[i]->sql;
    }
    sql = "ROW<" + sql + ">";
  }
  std::string fields(Random& random, std::vector<std::string>* values) const {
    std::string bytes;
    for (const TypeHandle& type : inner) {
      values->emplace_back();
      bytes += type->make(random, &values->back());
    }
    return bytes;
  }
  std::string make(Random& random, std::string* printed) const override {
    std::vector<std::string> values;
    const std::string bytes = fields(random, &values);
    for (size_t i : kept) *printed += (i == kept.front() ? "" : "; ") + values[i];
    *printed = "{" + *printed + "}";
    return bytes;
  }
  std::vector<TypeHandle> inner;
  std::vector<size_t> kept;
};

TypeHandle random_type(Random& random, int depth, int* names) {
  const uint64_t choice = random() % 10;
  if (depth > 0 && choice == 0) {
    std::vector<TypeHandle> fields;
    for (uint64_t i = 1 + random() % 4; i > 0; --i) fields.push_back(random_type(random, depth - 1, names));
    return std::make_unique<Record>(std::move(fields), ++*names);
  }
  if (depth > 0 && choice <= 2)
    return std::make_unique<Items>(random_type(random, depth - 1, names), choice == 1);
  if (depth > 0 && choice <= 5) {
    TypeHandle inner = random_type(random, depth - 1, names);
    if (inner->avro[0] == '[') return inner;
    return std::make_unique<Nullable>(std::move(inner), random() % 2 == 0);
  }
  return std::make_unique<Scalar>(static_cast<int>(random() % Scalar::kKinds), ++*names);
}

// As RandomType prints it.
std::string print(const arrow::Array& array, int64_t row) {
  if (array.IsNull(row)) return "null";
  switch (array.type_id()) {
    case arrow::Type::LIST:
    case arrow::Type::MAP: {
      const auto& list = static_cast<const arrow::ListArray&>(array);
      std::string text;
      for (int64_t i = list.value_offset(row); i < list.value_offset(row + 1); ++i) {
        if (i > list.value_offset(row)) text += ", ";
        if (array.type_id() == arrow::Type::MAP) {
          const auto& map = static_cast<const arrow::MapArray&>(array);
          text += print(*map.keys(), i) + "=" + print(*map.items(), i);
        } else {
          text += print(*list.values(), i);
        }
      }
      return "[" + text + "]";
    }
    case arrow::Type::STRUCT: {
      const auto& fields = static_cast<const arrow::StructArray&>(array);
      std::string text;
      for (int i = 0; i < fields.num_fields(); ++i)
        text += (i == 0 ? "" : "; ") + print(*fields.field(i), row);
      return "{" + text + "}";
    }
    default: return (*array.GetScalar(row))->ToString();
  }
}

TEST(AvroRandom, WhatIsWrittenIsRead) {
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    int names = 0;
    std::vector<TypeHandle> fields;
    for (uint64_t i = 1 + random() % 8; i > 0; --i) fields.push_back(random_type(random, 4, &names));
    const Record root(std::move(fields), 0);
    SCOPED_TRACE(root.avro);
    ColumnTexts columns;
    for (size_t i : root.kept) columns.emplace_back("f" + std::to_string(i), root.inner[i]->sql);
    Table table(OptionTexts{{"avro.schema", root.avro}});
    const Status made = table.create(columns);
    ASSERT_TRUE(made.ok()) << made.message();

    std::vector<std::string> payloads;
    std::vector<std::vector<std::string>> expected;
    for (int event = 0; event < 30; ++event) {
      std::vector<std::string> values;
      payloads.push_back(root.fields(random, &values));
      if (event % 5 == 3) payloads.back() += '\0';
      if (event % 5 == 4 && !payloads.back().empty()) payloads.back().pop_back();
      expected.push_back(std::move(values));
    }
    const DecodedRows decoded = table.decode(payloads);
    ASSERT_EQ(decoded.errors.size(), 12u);
    for (const ErrorRecord& error : decoded.errors) {
      EXPECT_EQ(error.code, ErrorCode::malformed) << error.message;
      EXPECT_GE(error.event % 5, 3u);
    }
    for (int64_t row = 0; row < decoded.rows->num_rows(); ++row) {
      const auto& values = expected[decoded.event_of_row[static_cast<size_t>(row)]];
      for (size_t c = 0; c < root.kept.size(); ++c) {
        ASSERT_EQ(print(*decoded.rows->column(static_cast<int>(c)), row), values[root.kept[c]]);
      }
    }
  }
}

}  // namespace
}  // namespace weir::avro
