#include "formats/json/json_format.h"

#include <algorithm>
#include <iterator>

#include "formats/json/confluent_frame.h"
#include "formats/json/debezium_decoder.h"
#include "formats/json/json_decoder.h"
#include "formats/json/json_schema_columns.h"

namespace weir {
namespace {

constexpr int64_t kHardMaxSize = 1 << 30;
constexpr int64_t kHardMaxDepth = 1024;  // the walk is recursive in the schema, skipping is not

std::vector<OptionSpec> json_options() {
  using enum OptionType;
  return {
      one_of("json.unknown-fields", {"ignore", "reject", "keep"},
             "fields that the table does not have; keep: the top-level ones go into json.rest-column"),
      option("json.rest-column", string, "", "STRING column for unknown fields, as one JSON object"),
      one_of("json.duplicate-keys", {"reject", "last", "first"},
             "which of a key's values counts when it is given twice"),
      option("json.max-size", size, "1 mb", "largest payload, at most 1 gb"),
      option("json.max-depth", integer, "64", "deepest nesting of objects and arrays, at most 1024"),
      one_of("json.timestamp-format", {"iso8601", "epoch-s", "epoch-ms", "epoch-us"},
             "text, or integers since 1970-01-01 UTC"),
      one_of("json.binary-encoding", {"base64", "utf8"}, "what the strings of BYTES columns hold"),
      option("json.allow-strings-as-numbers", boolean, "false",
             "numbers may also be given as strings: \"12\""),
      option("json.allow-numbers-as-strings", boolean, "false",
             "STRING columns also take numbers, as they are written"),
      option("json.allow-integral-floats", boolean, "false", "integer columns also take 1.0 and 1e3"),
      option("json.null-literals", string, "", "strings that mean null, separated by commas: N/A,-"),
      one_of("json.framing", {"none", "confluent"},
             "confluent: a zero byte and the id of a schema in the registry stand before the document"),
      option("json.schema-file", string, "",
             "a JSON Schema that makes the columns and CHECKs of a table without a column list"),
      one_of("json.schema-unsupported", {"refuse", "ignore"},
             "words of a schema that no column and no CHECK can express"),
  };
}

std::vector<std::string> split_at_commas(const std::string& text) {
  std::vector<std::string> parts;
  if (text.empty()) return parts;
  size_t begin = 0;
  for (size_t comma = text.find(','); comma != std::string::npos; comma = text.find(',', begin)) {
    parts.push_back(text.substr(begin, comma - begin));
    begin = comma + 1;
  }
  parts.push_back(text.substr(begin));
  return parts;
}

Result<json::Settings> settings_of(const Options& options) {
  json::Settings settings;
  const std::string unknown = options.string("json.unknown-fields");
  settings.unknown_fields = unknown == "reject" ? json::UnknownFields::reject
                            : unknown == "keep" ? json::UnknownFields::keep
                                                : json::UnknownFields::ignore;
  const std::string duplicates = options.string("json.duplicate-keys");
  settings.duplicate_keys = duplicates == "last"    ? json::DuplicateKeys::last
                            : duplicates == "first" ? json::DuplicateKeys::first
                                                    : json::DuplicateKeys::reject;
  const std::string format = options.string("json.timestamp-format");
  settings.timestamp_format = format == "epoch-s"    ? json::TimestampFormat::epoch_s
                              : format == "epoch-ms" ? json::TimestampFormat::epoch_ms
                              : format == "epoch-us" ? json::TimestampFormat::epoch_us
                                                     : json::TimestampFormat::iso8601;
  settings.max_size = options.size("json.max-size");
  if (settings.max_size < 1 || settings.max_size > kHardMaxSize) {
    return Status::invalid("json.max-size is " + std::to_string(settings.max_size) +
                           " bytes, expected 1 byte to 1 gb");
  }
  const int64_t depth = options.integer("json.max-depth");
  if (depth < 1 || depth > kHardMaxDepth) {
    return Status::invalid("json.max-depth is " + std::to_string(depth) + ", expected 1 to " +
                           std::to_string(kHardMaxDepth));
  }
  settings.max_depth = static_cast<int>(depth);
  settings.binary_is_base64 = options.string("json.binary-encoding") == "base64";
  settings.strings_as_numbers = options.boolean("json.allow-strings-as-numbers");
  settings.numbers_as_strings = options.boolean("json.allow-numbers-as-strings");
  settings.integral_floats = options.boolean("json.allow-integral-floats");
  settings.null_literals = split_at_commas(options.string("json.null-literals"));
  return settings;
}

bool ignores_unsupported(const Options& options) {
  return options.string("json.schema-unsupported") == "ignore";
}

Result<std::unique_ptr<Decoder>> create_json(const FormatContext& context) {
  const Options& options = *context.options;
  auto settings = settings_of(options);
  if (!settings.ok()) return settings.status();
  const std::string rest = options.string("json.rest-column");
  const bool keep = settings->unknown_fields == json::UnknownFields::keep;
  if (keep == rest.empty()) {
    return Status::invalid(
        keep ? "json.unknown-fields = 'keep' needs json.rest-column, the STRING column to keep them in"
             : "json.rest-column needs json.unknown-fields = 'keep'");
  }
  if (!context.columns_described && options.has("json.schema-file")) {
    return Status::invalid(
        "json.schema-file makes the columns and CHECKs of a table that declares none, this one does: leave "
        "out one of them");
  }
  std::unique_ptr<json::ConfluentFrame> frame;
  if (options.string("json.framing") == "confluent") {
    if (!options.has("schema-registry.url")) {
      return Status::invalid("'json.framing' = 'confluent' needs 'schema-registry.url'");
    }
    frame = std::make_unique<json::ConfluentFrame>(context, ignores_unsupported(options));
  }
  return json::JsonDecoder::create(context.columns, std::move(*settings), rest, std::move(frame));
}

Result<DescribedTable> describe_json(const FormatContext& context) {
  const Options& options = *context.options;
  const std::string file = options.string("json.schema-file");
  if (!file.empty()) {
    SchemaText schema;
    schema.kind = SchemaKind::json;
    WEIR_ASSIGN(schema.text, context.schemas->file(file));
    return json::describe_json_schema(schema, file, ignores_unsupported(options));
  }
  if (options.string("json.framing") != "confluent") {
    return Status::invalid(
        "write the event's fields as a column list, for instance (id BIGINT NOT NULL, name STRING), or name "
        "a JSON Schema with 'json.schema-file'");
  }
  if (context.subject.empty()) {
    return Status::invalid("'schema-registry.subject' is needed to find the schema of its columns");
  }
  return json::describe_latest(*context.schemas, context.subject, ignores_unsupported(options));
}

// The options of 'json' that say how values are written, under another prefix.
constexpr const char* kDebezium = "debezium-json.";
constexpr const char* kValueOptions[] = {"max-size",
                                         "max-depth",
                                         "timestamp-format",
                                         "binary-encoding",
                                         "allow-strings-as-numbers",
                                         "allow-numbers-as-strings",
                                         "allow-integral-floats",
                                         "null-literals"};

std::vector<OptionSpec> debezium_options() {
  std::vector<OptionSpec> options = {
      one_of("debezium-json.as", {"changelog", "rows"},
             "changelog: inserts and retractions, for sinks that apply changes; rows: a row an operation (a "
             "delete's is what was deleted), for every sink"),
      option("debezium-json.op-column", OptionType::string, "",
             "STRING column that takes the operation: c, r, u or d"),
      one_of("debezium-json.schema-include", {"auto", "true", "false"},
             "whether the envelope stands in 'payload', beside its 'schema'"),
  };
  for (OptionSpec spec : json_options()) {
    const std::string name = spec.name.substr(std::string("json.").size());
    if (std::find(std::begin(kValueOptions), std::end(kValueOptions), name) == std::end(kValueOptions))
      continue;
    spec.name = kDebezium + name;
    options.push_back(std::move(spec));
  }
  return options;
}

Result<std::unique_ptr<Decoder>> create_debezium(const FormatContext& context) {
  const Options& options = *context.options;
  std::map<std::string, OptionValue> values;
  for (const char* name : kValueOptions) {
    const auto given = options.values().find(std::string(kDebezium) + name);
    if (given != options.values().end()) values[std::string("json.") + name] = given->second;
  }
  WEIR_ASSIGN(auto settings, settings_of(Options(json_options(), std::move(values))));
  json::DebeziumSettings debezium;
  const std::string include = options.string("debezium-json.schema-include");
  debezium.wrapper = include == "true"    ? json::DebeziumSettings::Wrapper::with_schema
                     : include == "false" ? json::DebeziumSettings::Wrapper::without_schema
                                          : json::DebeziumSettings::Wrapper::automatic;
  debezium.changelog = options.string("debezium-json.as") == "changelog";
  debezium.op_column = options.string("debezium-json.op-column");
  return json::DebeziumDecoder::create(context.columns, std::move(settings), std::move(debezium));
}

}  // namespace

FormatInfo debezium_json_format() {
  FormatInfo format;
  format.name = "debezium-json";
  format.summary = "change events of Debezium in JSON, as a changelog or as a row an operation";
  format.options = debezium_options();
  format.create = create_debezium;
  format.changelog = true;
  return format;
}

FormatInfo json_format() {
  FormatInfo format;
  format.name = "json";
  format.summary = "one JSON object an event, checked strictly against the table's columns";
  format.options = json_options();
  format.create = create_json;
  format.describe = describe_json;
  format.uses_registry = true;
  return format;
}

}  // namespace weir
