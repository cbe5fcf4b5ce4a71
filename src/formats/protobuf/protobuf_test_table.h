// For tests: schemas in memory, messages written by libprotobuf, and what the decoder makes of them.
#pragma once

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "config/data_type.h"
#include "formats/protobuf/proto_schema.h"
#include "formats/protobuf/protobuf_format.h"

namespace weir {

using ColumnTexts = std::vector<std::pair<std::string, std::string>>;
using OptionTexts = std::map<std::string, std::string>;

// Files and a registry that can be away.
class MemorySchemas final : public SchemaLookup {
 public:
  Result<std::string> file(const std::string& path) override {
    const auto found = files.find(path);
    if (found == files.end()) return Status(Code::not_found, "there is no file '" + path + "'");
    return found->second;
  }
  Result<SchemaPointer> by_id(int32_t id) override {
    if (away) return Status::unavailable("the registry is away");
    for (const auto& schema : registered) {
      if (schema->id == id) return schema;
    }
    return Status(Code::not_found, "no schema with this id");
  }
  Result<SchemaPointer> latest(const std::string& subject) override {
    if (away) return Status::unavailable("the registry is away");
    SchemaPointer found;
    for (const auto& schema : registered) {
      if (schema->subject == subject) found = schema;
    }
    if (!found) return Status(Code::not_found, "no such subject");
    return found;
  }
  Result<SchemaPointer> version(const std::string&, int32_t) override {
    return Status(Code::not_found, "not asked for");
  }
  // The next version of `subject`.
  void add(int32_t id, const std::string& subject, const std::string& text,
           std::vector<SchemaText::Needed> needed = {}) {
    int32_t version = 1;
    for (const auto& schema : registered) version += schema->subject == subject ? 1 : 0;
    registered.push_back(std::make_shared<RegisteredSchema>(
        RegisteredSchema{id, subject, version, {SchemaKind::protobuf, text, std::move(needed)}}));
  }

  std::map<std::string, std::string> files;
  std::vector<SchemaPointer> registered;
  bool away = false;
};

inline std::vector<ColumnSpec> column_specs(const ColumnTexts& columns) {
  std::vector<ColumnSpec> specs;
  for (const auto& [name, text] : columns) {
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

inline Result<Options> protobuf_test_options(const OptionTexts& options) {
  std::vector<OptionSpec> specs = protobuf_format().options;
  specs.push_back(option("schema-registry.url", OptionType::string, "", ""));
  std::map<std::string, OptionValue> values;
  for (const auto& [name, text] : options) values[name].text = text;
  Diagnostics diagnostics;
  Options validated = validate_options("format 'protobuf'", specs, values, {}, diagnostics);
  if (diagnostics.has_errors()) return diagnostics.status();
  return validated;
}

inline Result<std::unique_ptr<Decoder>> make_protobuf_decoder(const std::vector<ColumnSpec>& columns,
                                                              const OptionTexts& options,
                                                              std::shared_ptr<SchemaLookup> schemas,
                                                              bool described = false) {
  auto validated = protobuf_test_options(options);
  if (!validated.ok()) return validated.status();
  return protobuf_format().create({columns, &*validated, std::move(schemas), "t-value", described});
}

// Payloads touch each other, and what follows the last one looks like more of it.
inline EventBatch protobuf_batch(const std::vector<std::string>& payloads) {
  EventBatch batch;
  std::string bytes;
  for (const std::string& payload : payloads) {
    Event event;
    event.payload = {static_cast<uint32_t>(bytes.size()), static_cast<int32_t>(payload.size())};
    event.offset = static_cast<int64_t>(batch.events.size());
    batch.events.push_back(event);
    bytes += payload;
  }
  bytes += std::string(EventBatch::kPadding, '\x08');
  std::shared_ptr<char[]> copy(new char[bytes.size()]);
  std::memcpy(copy.get(), bytes.data(), bytes.size());
  batch.bytes = copy;
  return batch;
}

inline void check_decoded(const DecodedRows& decoded, size_t events) {
  ASSERT_NE(decoded.rows, nullptr);
  const auto status = decoded.rows->ValidateFull();
  ASSERT_TRUE(status.ok()) << status.ToString();
  ASSERT_EQ(static_cast<size_t>(decoded.rows->num_rows()), decoded.event_of_row.size());
  ASSERT_EQ(decoded.event_of_row.size() + decoded.errors.size(), events);
  for (size_t i = 1; i < decoded.errors.size(); ++i)
    ASSERT_LT(decoded.errors[i - 1].event, decoded.errors[i].event);
}

// Rows as (a, b), lists as [a, b], maps as {k: v}, bytes in hex.
// `sorted`: a map's entries by their text.
inline std::string value_text(const arrow::Array& array, int64_t i, bool sorted = false) {
  if (array.IsNull(i)) return "null";
  std::string text;
  switch (array.type_id()) {
    case arrow::Type::STRUCT: {
      const auto& row = static_cast<const arrow::StructArray&>(array);
      for (int f = 0; f < row.num_fields(); ++f)
        text += (f == 0 ? "" : ", ") + value_text(*row.field(f), i, sorted);
      return "(" + text + ")";
    }
    case arrow::Type::LIST: {
      const auto& list = static_cast<const arrow::ListArray&>(array);
      for (int64_t j = list.value_offset(i); j < list.value_offset(i + 1); ++j) {
        text += (j == list.value_offset(i) ? "" : ", ") + value_text(*list.values(), j, sorted);
      }
      return "[" + text + "]";
    }
    case arrow::Type::MAP: {
      const auto& map = static_cast<const arrow::MapArray&>(array);
      std::vector<std::string> entries;
      for (int64_t j = map.value_offset(i); j < map.value_offset(i + 1); ++j) {
        entries.push_back(value_text(*map.keys(), j, sorted) + ": " + value_text(*map.items(), j, sorted));
      }
      if (sorted) std::sort(entries.begin(), entries.end());
      for (const std::string& entry : entries) text += (text.empty() ? "" : ", ") + entry;
      return "{" + text + "}";
    }
    case arrow::Type::BINARY:
      for (const char c : static_cast<const arrow::BinaryArray&>(array).GetView(i)) {
        char hex[3];
        std::snprintf(hex, sizeof(hex), "%02X", static_cast<unsigned>(static_cast<uint8_t>(c)));
        text += hex;
      }
      return text;
    default: return (*array.GetScalar(i))->ToString();
  }
}

inline std::string row_text(const arrow::RecordBatch& rows, int64_t row, bool sorted = false) {
  std::string text;
  for (int i = 0; i < rows.num_columns(); ++i) {
    text += (i == 0 ? "" : "|") + value_text(*rows.column(i), row, sorted);
  }
  return text;
}

class ProtobufTable {
 public:
  // `proto` is the file t.proto; imports go into `schemas.files` before.
  ProtobufTable(const std::string& proto, const ColumnTexts& columns, OptionTexts options = {},
                std::shared_ptr<MemorySchemas> schemas = std::make_shared<MemorySchemas>()) {
    schemas->files["t.proto"] = proto;
    options.emplace("protobuf.schema-file", "t.proto");
    auto made = make_protobuf_decoder(column_specs(columns), options, schemas);
    EXPECT_TRUE(made.ok()) << made.status().message();
    decoder_ = std::move(*made);
    auto parsed = protobuf::ProtoSchema::from_file(
        "t.proto", proto, [schemas](const std::string& path) { return schemas->file(path); });
    schema_ = *parsed;
    message_ = *schema_->message(options.count("protobuf.message") ? options["protobuf.message"] : "");
  }

  // A message in protobuf's text format, as bytes.
  std::string bytes(const std::string& text) {
    std::unique_ptr<google::protobuf::Message> message(factory_.GetPrototype(message_)->New());
    google::protobuf::TextFormat::Parser parser;
    parser.AllowPartialMessage(true);
    EXPECT_TRUE(parser.ParseFromString(text, message.get())) << text;
    return message->SerializePartialAsString();
  }
  DecodedRows decode(const std::vector<std::string>& payloads) {
    const EventBatch batch = protobuf_batch(payloads);
    auto decoded = decoder_->decode(batch, 0, batch.events.size());
    EXPECT_TRUE(decoded.ok()) << decoded.status().message();
    check_decoded(*decoded, payloads.size());
    return std::move(*decoded);
  }
  // The only payload's values as text, or the error's code and field.
  std::string row(const std::string& payload) {
    const DecodedRows decoded = decode({payload});
    if (!decoded.errors.empty()) {
      return std::string(error_code_name(decoded.errors[0].code)) + " " + decoded.errors[0].field;
    }
    return row_text(*decoded.rows, 0);
  }
  std::string text_row(const std::string& text) { return row(bytes(text)); }
  ErrorRecord error(const std::string& payload) {
    DecodedRows decoded = decode({payload});
    EXPECT_EQ(decoded.errors.size(), 1u);
    return decoded.errors.empty() ? ErrorRecord{} : decoded.errors[0];
  }
  Decoder& decoder() { return *decoder_; }
  const google::protobuf::Descriptor& message() const { return *message_; }

 private:
  std::unique_ptr<Decoder> decoder_;
  std::shared_ptr<const protobuf::ProtoSchema> schema_;
  const google::protobuf::Descriptor* message_ = nullptr;
  google::protobuf::DynamicMessageFactory factory_;
};

}  // namespace weir
