// Any bytes between two good events, in each framing, and as a schema: no crash, valid arrays, neighbours
// unharmed.
#include <arrow/array.h>
#include <arrow/record_batch.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "config/data_type.h"
#include "formats/avro/avro_compatibility.h"
#include "formats/avro/avro_format.h"

namespace weir {
namespace {

// Every type, with a field of each that the table does not have.
constexpr const char* kSchema = R"({"type":"record","name":"R","fields":[
  {"name":"id","type":"long"},
  {"name":"b","type":"boolean"},
  {"name":"t","type":["null","int"]},
  {"name":"f","type":["float","null"]},
  {"name":"p","type":{"type":"bytes","logicalType":"decimal","precision":20,"scale":4}},
  {"name":"s","type":["null","string"]},
  {"name":"e","type":{"type":"enum","name":"E","symbols":["A","B"]}},
  {"name":"u","type":["null","int","string",{"type":"array","items":"null"}]},
  {"name":"ts","type":{"type":"long","logicalType":"timestamp-micros"}},
  {"name":"at","type":{"type":"int","logicalType":"time-millis"}},
  {"name":"tree","type":{"type":"record","name":"T","fields":[
    {"name":"kids","type":{"type":"array","items":"T"}},{"name":"next","type":["null","T"]}]}},
  {"name":"l","type":{"type":"array","items":{"type":"record","name":"I","fields":[
    {"name":"x","type":"string"},{"name":"y","type":["null",{"type":"fixed","name":"F","size":3}]}]}}},
  {"name":"m","type":{"type":"map","values":{"type":"map","values":"double"}}},
  {"name":"gone","type":{"type":"map","values":["null","bytes","E"]}}]})";

constexpr const char* kColumns[][2] = {
    {"id", "BIGINT NOT NULL"},
    {"b", "BOOLEAN"},
    {"t", "TINYINT"},
    {"f", "DOUBLE"},
    {"p", "DECIMAL(18,2)"},
    {"s", "VARCHAR(20)"},
    {"e", "STRING"},
    {"u", "BIGINT"},
    {"ts", "TIMESTAMP(3)"},
    {"at", "TIME(3)"},
    {"l", "ARRAY<ROW<x STRING NOT NULL, y BYTES, z INT>>"},
    {"m", "MAP<STRING, MAP<STRING, DOUBLE>>"},
    {"absent", "STRING"},
};

// Holds one schema under id 7 and no other.
class OneSchema final : public SchemaLookup {
 public:
  Result<std::string> file(const std::string&) override { return std::string(kSchema); }
  Result<SchemaPointer> by_id(int32_t id) override {
    if (id != 7) return Status(Code::not_found, "none");
    auto schema = std::make_shared<RegisteredSchema>();
    schema->id = id;
    schema->schema.text = kSchema;
    return SchemaPointer(schema);
  }
  Result<SchemaPointer> latest(const std::string&) override { return by_id(7); }
  Result<SchemaPointer> version(const std::string&, int32_t) override { return by_id(7); }
};

void require(bool condition) {
  if (!condition) std::abort();
}

std::unique_ptr<Decoder> make(const std::string& framing) {
  std::map<std::string, OptionValue> values;
  values["avro.framing"].text = framing;
  values["avro.max-items"].text = "1000";
  values["avro.max-inflated-size"].text = "64 kb";
  values["schema-registry.url"].text = "http://localhost";
  if (framing == "none" || framing == "single-object") values["avro.schema-file"].text = "a";
  const FormatInfo format = avro_format();
  std::vector<OptionSpec> specs = format.options;
  specs.push_back(option("schema-registry.url", OptionType::string, "", ""));
  Diagnostics diagnostics;
  const Options options = validate_options("format 'avro'", specs, values, {}, diagnostics);
  FormatContext context;
  for (const auto& [name, type] : kColumns) {
    auto parsed = parse_type_text(type);
    ColumnSpec column;
    column.name = name;
    column.type = parsed->type;
    column.nullable = parsed->nullable;
    context.columns.push_back(std::move(column));
  }
  context.options = &options;
  context.schemas = std::make_shared<OneSchema>();
  return std::move(*format.create(context));
}

// A datum of kSchema.
std::string good_datum() {
  return std::string("\x0e\x01\x02\x04\x02", 5) + std::string("\x04\x00\x64\x02\x04", 5) + "hi" +
         std::string("\x02\x02\x0a\x00\x06", 5) + std::string("\x00\x00", 2) +
         std::string("\x02\x02x\x02zzz\x00", 8) + std::string("\x00\x00", 2);
}

// `framed`: the neighbours are what the decoder expects.
void decode(Decoder& decoder, const std::string& prefix, const std::string& middle, bool framed) {
  const std::string good = prefix + good_datum();
  const std::string bytes = good + middle + good;
  std::shared_ptr<char[]> copy(new char[bytes.size() + EventBatch::kPadding]());
  std::memcpy(copy.get(), bytes.data(), bytes.size());
  EventBatch batch;
  batch.bytes = copy;
  uint32_t at = 0;
  for (size_t size : {good.size(), middle.size(), good.size()}) {
    Event event;
    event.payload = {at, static_cast<int32_t>(size)};
    batch.events.push_back(event);
    at += static_cast<uint32_t>(size);
  }
  const DecodedRows decoded = *decoder.decode(batch, 0, 3);
  const auto rows = decoded.rows;
  require(rows->ValidateFull().ok());
  require(static_cast<size_t>(rows->num_rows()) == decoded.event_of_row.size());
  for (const ErrorRecord& error : decoded.errors) {
    require(!error.message.empty());
    require(error.byte >= -1 && error.byte <= static_cast<int64_t>(std::max(middle.size(), good.size())));
  }
  if (!framed) return;
  require(decoded.event_of_row.size() + decoded.errors.size() == 3);
  require(decoded.event_of_row.front() == 0 && decoded.event_of_row.back() == 2);
  require(rows->Slice(0, 1)->Equals(*rows->Slice(rows->num_rows() - 1, 1)));
}

}  // namespace
}  // namespace weir

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::unique_ptr<weir::Decoder> plain = weir::make("none");
  static const std::unique_ptr<weir::Decoder> confluent = weir::make("confluent");
  static const std::unique_ptr<weir::Decoder> single = weir::make("single-object");
  static const std::unique_ptr<weir::Decoder> container = weir::make("container");
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::string framed = std::string("\0\0\0\0\7", 5);
  weir::decode(*plain, "", text, true);
  weir::decode(*confluent, framed, text, true);
  weir::decode(*confluent, framed, framed + text, true);
  weir::decode(*single, framed, text, false);
  weir::decode(*container, framed, text, false);
  if (!text.empty() && (text[0] == '{' || text[0] == '[' || text[0] == '"')) {
    weir::SchemaText schema;
    schema.text = text;
    const auto form = weir::avro_canonical_form(schema);
    if (form.ok()) {
      weir::SchemaText canonical;
      canonical.text = *form;
      weir::require(*weir::avro_canonical_form(canonical) == *form);
      weir::require(weir::avro_incompatibilities(schema, schema).ok());
    }
  }
  return 0;
}
