// Any bytes between two good events: no crash, valid arrays, both neighbours unharmed. The same bytes as a
// schema's text: read or refused.
#include <arrow/array.h>
#include <arrow/record_batch.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "config/data_type.h"
#include "decoder_target.h"
#include "formats/protobuf/protobuf_compatibility.h"
#include "formats/protobuf/protobuf_format.h"

namespace weir {
namespace {

constexpr const char* kProto = R"(syntax = "proto3"; package p;
import "google/protobuf/timestamp.proto"; import "google/protobuf/duration.proto";
import "google/protobuf/wrappers.proto"; import "google/protobuf/struct.proto";
message M {
  int64 id = 1; sint32 small = 2; uint64 big = 3; float f = 4; string s = 5; bytes y = 6; E e = 7; bool b = 8;
  optional N n = 9; repeated N ns = 10; repeated int32 l = 11; map<string, N> m = 12; map<int32, string> k = 13;
  oneof o { string x1 = 14; N x2 = 15; int32 x3 = 16; }
  google.protobuf.Timestamp t = 17; google.protobuf.Duration d = 18; google.protobuf.Int64Value w = 19;
  google.protobuf.Struct j = 20; repeated google.protobuf.Value js = 21; fixed64 far = 5000;
}
message N { string x = 1; repeated string y = 2; N n = 3; map<bool, E> m = 4; }
enum E { ZERO = 0; ONE = 1; })";

constexpr const char* kColumns[][2] = {
    {"id", "BIGINT NOT NULL"},
    {"small", "TINYINT"},
    {"big", "DECIMAL(22,2)"},
    {"f", "DOUBLE"},
    {"s", "VARCHAR(20)"},
    {"y", "BYTES"},
    {"e", "STRING"},
    {"b", "BOOLEAN"},
    {"n", "ROW<x STRING, n ROW<x STRING, y ARRAY<STRING>>>"},
    {"ns", "ARRAY<ROW<x STRING, y ARRAY<STRING>, m MAP<BOOLEAN, STRING>>>"},
    {"l", "ARRAY<BIGINT>"},
    {"m", "MAP<STRING, ROW<x STRING, m MAP<BOOLEAN, INT>>>"},
    {"k", "MAP<INT, STRING>"},
    {"x1", "STRING"},
    {"x2", "ROW<x STRING>"},
    {"t", "TIMESTAMP_LTZ(6)"},
    {"d", "BIGINT"},
    {"w", "BIGINT"},
    {"j", "STRING"},
    {"js", "ARRAY<STRING>"},
    {"far", "BIGINT"},
};

// The file t.proto, and a registry that has it as the schema 1.
class OneSchema final : public SchemaLookup {
 public:
  Result<std::string> file(const std::string& path) override {
    if (path != "t.proto") return Status(Code::not_found, "no such file");
    return std::string(kProto);
  }
  Result<SchemaPointer> by_id(int32_t id) override {
    if (id != 1) return Status(Code::not_found, "no such schema");
    return schema_;
  }
  Result<SchemaPointer> latest(const std::string&) override { return schema_; }
  Result<SchemaPointer> version(const std::string&, int32_t) override { return schema_; }

 private:
  SchemaPointer schema_ = std::make_shared<RegisteredSchema>(
      RegisteredSchema{1, "t-value", 1, {SchemaKind::protobuf, kProto, {}}});
};

std::unique_ptr<Decoder> make(bool confluent) {
  std::vector<ColumnSpec> columns;
  for (const auto& [name, type] : kColumns) {
    auto parsed = parse_type_text(type);
    ColumnSpec column;
    column.name = name;
    column.type = parsed->type;
    column.nullable = parsed->nullable;
    columns.push_back(std::move(column));
  }
  std::map<std::string, OptionValue> values;
  if (confluent) {
    values["protobuf.framing"].text = "confluent";
    values["schema-registry.url"].text = "http://r";
    values["protobuf.excess-nanos"].text = "truncate";
  } else {
    values["protobuf.schema-file"].text = "t.proto";
    values["protobuf.unknown-fields"].text = "reject";
  }
  const FormatInfo format = protobuf_format();
  std::vector<OptionSpec> specs = format.options;
  specs.push_back(option("schema-registry.url", OptionType::string, "", ""));
  Diagnostics diagnostics;
  const Options options = validate_options("format 'protobuf'", specs, values, {}, diagnostics);
  auto made = format.create({columns, &options, std::make_shared<OneSchema>(), "t-value", false});
  if (!made.ok()) std::fprintf(stderr, "%s\n", made.status().message().c_str());
  return std::move(*made);
}

void decode(Decoder& decoder, const std::string& header, const std::string& middle) {
  using namespace std::string_literals;
  const std::string good = header + "\x08\x07\x2a\x04text\x52\x05\x0a\x01x\x12\x00\x62\x05\x0a\x01k\x12\x00"s;
  const DecodedRows decoded = decode_between(decoder, good, middle);
  require(decoded.event_of_row.size() + decoded.errors.size() == 3);
}

}  // namespace
}  // namespace weir

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace std::string_literals;
  static const std::unique_ptr<weir::Decoder> plain = weir::make(false);
  static const std::unique_ptr<weir::Decoder> framed = weir::make(true);
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::string header = "\0\0\0\0\x01\0"s;
  weir::decode(*plain, "", text);
  weir::decode(*framed, header, text);
  weir::decode(*framed, header, header + text);
  const weir::Status schema = weir::check_protobuf_schema({weir::SchemaKind::protobuf, text, {}});
  weir::require(schema.ok() || !schema.message().empty());
  return 0;
}
