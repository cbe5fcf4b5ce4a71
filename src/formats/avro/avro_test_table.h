// For tests: Avro's encoding by hand, and a table decoded from payloads that lie side by side in one buffer.
#pragma once

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "config/data_type.h"
#include "formats/avro/avro_format.h"

namespace weir::avro {

inline std::string zigzag(int64_t value) {
  uint64_t bits = (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
  std::string out;
  for (; bits >= 0x80; bits >>= 7) out += static_cast<char>(bits | 0x80);
  return out + static_cast<char>(bits);
}
inline std::string text_bytes(const std::string& text) {
  return zigzag(static_cast<int64_t>(text.size())) + text;
}
template <typename T>
std::string raw_bytes(T value) {
  std::string out(sizeof(T), '\0');
  std::memcpy(out.data(), &value, sizeof(T));
  return out;
}

using ColumnTexts = std::vector<std::pair<std::string, std::string>>;
using OptionTexts = std::map<std::string, std::string>;

inline std::vector<ColumnSpec> columns_of(const ColumnTexts& texts) {
  std::vector<ColumnSpec> specs;
  for (const auto& [name, text] : texts) {
    auto parsed = parse_type_text(text);
    EXPECT_TRUE(parsed.ok()) << text << ": " << parsed.status().message();
    ColumnSpec spec;
    spec.name = name;
    spec.type = parsed->type;
    spec.nullable = parsed->nullable;
    specs.push_back(std::move(spec));
  }
  return specs;
}

// A registry and files in memory.
class FakeLookup final : public SchemaLookup {
 public:
  Result<std::string> file(const std::string& path) override {
    const auto found = files.find(path);
    if (found == files.end()) return Status(Code::not_found, path + " is not there");
    return found->second;
  }
  Result<SchemaPointer> by_id(int32_t id) override {
    if (away) return Status::unavailable("the registry is away");
    for (const auto& [name, versions] : subjects) {
      for (const SchemaPointer& each : versions) {
        if (each->id == id) return each;
      }
    }
    return Status(Code::not_found, "no such id");
  }
  Result<SchemaPointer> latest(const std::string& subject) override {
    if (away) return Status::unavailable("the registry is away");
    if (subjects[subject].empty()) return Status(Code::not_found, "no such subject");
    return subjects[subject].back();
  }
  Result<SchemaPointer> version(const std::string& subject, int32_t number) override {
    if (away) return Status::unavailable("the registry is away");
    for (const SchemaPointer& each : subjects[subject]) {
      if (each->version == number) return each;
    }
    return Status(Code::not_found, "no such version");
  }
  void add(const std::string& subject, int32_t id, const std::string& text) {
    RegisteredSchema schema;
    schema.id = id;
    schema.subject = subject;
    schema.version = static_cast<int32_t>(subjects[subject].size()) + 1;
    schema.schema.text = text;
    subjects[subject].push_back(std::make_shared<RegisteredSchema>(schema));
  }

  std::map<std::string, std::string> files;
  std::map<std::string, std::vector<SchemaPointer>> subjects;
  bool away = false;
};

// Payloads touch each other, and what follows the last one looks like more Avro.
inline EventBatch batch_of(const std::vector<std::string>& payloads) {
  EventBatch batch;
  std::string bytes;
  for (const std::string& payload : payloads) {
    Event event;
    event.payload = {static_cast<uint32_t>(bytes.size()), static_cast<int32_t>(payload.size())};
    event.offset = static_cast<int64_t>(batch.events.size());
    batch.events.push_back(event);
    bytes += payload;
  }
  bytes += std::string(EventBatch::kPadding, '\x02');
  std::shared_ptr<char[]> copy(new char[bytes.size()]);
  std::memcpy(copy.get(), bytes.data(), bytes.size());
  batch.bytes = copy;
  return batch;
}

struct Table {
  explicit Table(OptionTexts option_texts, FormatInfo format_info = avro_format())
      : format(std::move(format_info)) {
    std::vector<OptionSpec> specs = format.options;
    specs.push_back(option("schema-registry.url", OptionType::string, "", ""));
    std::map<std::string, OptionValue> values;
    for (const auto& [name, text] : option_texts) values[name].text = text;
    Diagnostics diagnostics;
    options = validate_options("format 'avro'", specs, values, {}, diagnostics);
    EXPECT_FALSE(diagnostics.has_errors()) << diagnostics.status().message();
    context.options = &options;
    context.schemas = lookup;
    context.subject = "s-value";
  }
  Status create(const ColumnTexts& columns) {
    context.columns = columns_of(columns);
    return create();
  }
  Status create() {
    auto made = format.create(context);
    if (!made.ok()) return made.status();
    decoder = std::move(*made);
    return {};
  }
  Status describe() {
    auto described = format.describe(context);
    if (!described.ok()) return described.status();
    table = *described;
    context.columns = table.columns;
    context.columns_described = true;
    return create();
  }
  std::string described_columns() const {
    std::string text;
    for (const ColumnSpec& column : table.columns) {
      text += (text.empty() ? "" : ", ") + column.name + " " + column.type.text +
              (column.nullable ? "" : " NOT NULL");
    }
    return text;
  }

  DecodedRows decode(const std::vector<std::string>& payloads) {
    const EventBatch batch = batch_of(payloads);
    auto decoded = decoder->decode(batch, 0, batch.events.size());
    EXPECT_TRUE(decoded.ok()) << decoded.status().message();
    const auto valid = decoded->rows->ValidateFull();
    EXPECT_TRUE(valid.ok()) << valid.ToString();
    EXPECT_EQ(static_cast<size_t>(decoded->rows->num_rows()), decoded->event_of_row.size());
    return *decoded;
  }
  // The only payload's values as text, or the error: "code /field byte: message".
  std::string row(const std::string& payload) {
    const DecodedRows decoded = decode({payload});
    if (!decoded.errors.empty()) {
      const ErrorRecord& error = decoded.errors[0];
      return std::string(error_code_name(error.code)) + " " + error.field + " " + std::to_string(error.byte) +
             ": " + error.message;
    }
    return text_of_row(decoded, 0);
  }
  static std::string text_of_row(const DecodedRows& decoded, int64_t row) {
    std::string text;
    for (int i = 0; i < decoded.rows->num_columns(); ++i) {
      text += (i == 0 ? "" : "|") + (*decoded.rows->column(i)->GetScalar(row))->ToString();
    }
    return text;
  }

  FormatInfo format;
  Options options;
  std::shared_ptr<FakeLookup> lookup = std::make_shared<FakeLookup>();
  FormatContext context;
  DescribedTable table;
  std::unique_ptr<Decoder> decoder;
};

inline std::string record_schema(const std::string& fields) {
  return R"({"type":"record","name":"R","fields":[)" + fields + "]}";
}

}  // namespace weir::avro
