#include "formats/avro/avro_format.h"

#include "base/text.h"
#include "formats/avro/avro_decoder.h"
#include "formats/avro/avro_describe.h"
#include "formats/registry_frame.h"

namespace weir {
namespace {

using avro::Framing;
using avro::NamedSchema;

constexpr int64_t kHardMaxSize = 1 << 30;
constexpr int64_t kHardMaxItems = 100'000'000;
constexpr const char* kPlain = "avro.";
constexpr const char* kConfluent = "avro-confluent.";

std::vector<OptionSpec> shared_options(const std::string& prefix) {
  using enum OptionType;
  return {
      option(prefix + "reader-schema-file", string, "",
             "schema whose defaults, aliases and enums count; also makes the columns of a table without any"),
      option(prefix + "max-size", size, "16 mb", "largest payload, at most 1 gb"),
      option(prefix + "max-items", integer, "1000000",
             "most items of arrays and maps, and datums of a container, in an event"),
  };
}

std::vector<OptionSpec> avro_options() {
  using enum OptionType;
  std::vector<OptionSpec> options = {
      one_of(
          "avro.framing", {"none", "confluent", "single-object", "container"},
          "what an event is: a datum; a datum behind a registry's schema id or behind a fingerprint; a whole "
          "object container file"),
      option("avro.schema", string, "", "the writer's schema, as JSON"),
      option(
          "avro.schema-file", string, "",
          "file with the writer's schema; with single-object several, separated by commas, the newest last"),
      option("avro.max-inflated-size", size, "64 mb",
             "most bytes that a container inflates to, at most 1 gb"),
  };
  for (OptionSpec& each : shared_options(kPlain)) options.push_back(std::move(each));
  return options;
}

Result<avro::Settings> settings_of(const Options& options, const std::string& prefix) {
  avro::Settings settings;
  settings.option_prefix = prefix;
  settings.framing = Framing::confluent;
  if (prefix == kPlain) {
    const std::string framing = options.string("avro.framing");
    settings.framing = framing == "confluent"       ? Framing::confluent
                       : framing == "single-object" ? Framing::single_object
                       : framing == "container"     ? Framing::container
                                                    : Framing::none;
    settings.max_inflated = options.size("avro.max-inflated-size");
  }
  settings.max_size = options.size(prefix + "max-size");
  settings.max_items = options.integer(prefix + "max-items");
  for (const auto& [name, size] :
       {std::pair{"max-size", settings.max_size}, std::pair{"max-inflated-size", settings.max_inflated}}) {
    if (size >= 1 && size <= kHardMaxSize) continue;
    return Status::invalid(prefix + name + " is " + std::to_string(size) + " bytes, expected 1 byte to 1 gb");
  }
  if (settings.max_items < 1 || settings.max_items > kHardMaxItems) {
    return Status::invalid(prefix + "max-items is " + std::to_string(settings.max_items) +
                           ", expected 1 to 100000000");
  }
  return settings;
}

Result<NamedSchema> parse_named(const std::string& text, const std::string& label) {
  SchemaText schema;
  schema.text = text;
  auto parsed = avro::parse_schema(schema);
  if (!parsed.ok()) return parsed.status().with_context(label);
  return NamedSchema{*parsed, label};
}

Result<NamedSchema> schema_of_file(const FormatContext& context, const std::string& path) {
  WEIR_ASSIGN(const std::string text, context.schemas->file(path));
  return parse_named(text, path);
}

// Of avro.schema and avro.schema-file.
Result<std::vector<NamedSchema>> written_schemas(const FormatContext& context, Framing framing) {
  const std::string text = context.options->string("avro.schema");
  const std::vector<std::string> files = split_list(context.options->string("avro.schema-file"));
  const bool fits = framing == Framing::none || framing == Framing::single_object;
  if (!fits && (!text.empty() || !files.empty())) {
    return Status::invalid(
        std::string("avro.schema and avro.schema-file are the writer's schema, which an event ") +
        (framing == Framing::container ? "brings itself" : "names by its id") +
        ": a reader's is avro.reader-schema-file");
  }
  if (fits && text.empty() == files.empty()) {
    return Status::invalid(text.empty()
                               ? "format 'avro' needs avro.schema or avro.schema-file, the writer's schema"
                               : "avro.schema and avro.schema-file are both given");
  }
  if (framing == Framing::none && files.size() > 1) {
    return Status::invalid(
        "avro.schema-file names several files, and without framing nothing tells them apart");
  }
  std::vector<NamedSchema> schemas;
  if (!text.empty()) {
    WEIR_ASSIGN(NamedSchema schema, parse_named(text, "avro.schema"));
    schemas.push_back(std::move(schema));
  }
  for (const std::string& file : files) {
    WEIR_ASSIGN(NamedSchema schema, schema_of_file(context, file));
    schemas.push_back(std::move(schema));
  }
  return schemas;
}

Result<NamedSchema> reader_schema(const FormatContext& context, const std::string& prefix) {
  const std::string file = context.options->string(prefix + "reader-schema-file");
  if (file.empty()) return NamedSchema{};
  return schema_of_file(context, file);
}

Result<std::unique_ptr<Decoder>> create_avro(const FormatContext& context, const std::string& prefix) {
  WEIR_ASSIGN(const avro::Settings settings, settings_of(*context.options, prefix));
  WEIR_ASSIGN(NamedSchema reader, reader_schema(context, prefix));
  std::vector<NamedSchema> writers;
  if (prefix == kPlain) {
    WEIR_ASSIGN(writers, written_schemas(context, settings.framing));
  }
  if (settings.framing == Framing::confluent && !context.options->has("schema-registry.url")) {
    return Status::invalid("Confluent's framing needs schema-registry.url");
  }
  if (settings.framing == Framing::single_object && reader.schema) writers.push_back(reader);
  // Of several versions the newest is what the others are read as.
  if (settings.framing == Framing::single_object && !reader.schema && writers.size() > 1)
    reader = writers.back();
  return avro::AvroDecoder::create(context, settings, writers, std::move(reader));
}

Result<DescribedTable> described(const NamedSchema& schema, std::string name, int32_t version) {
  auto columns = avro::describe_schema(*schema.schema);
  if (!columns.ok()) return columns.status().with_context(schema.label);
  DescribedTable table;
  table.columns = std::move(*columns);
  table.schema_name = std::move(name);
  table.schema_version = version;
  return table;
}

Result<DescribedTable> describe_avro(const FormatContext& context, const std::string& prefix) {
  WEIR_ASSIGN(const avro::Settings settings, settings_of(*context.options, prefix));
  WEIR_ASSIGN(const NamedSchema reader, reader_schema(context, prefix));
  if (reader.schema) return described(reader, reader.label, 0);
  if (settings.framing == Framing::container) {
    return Status::invalid("write a column list, or name a schema in avro.reader-schema-file");
  }
  if (settings.framing != Framing::confluent) {
    WEIR_ASSIGN(const std::vector<NamedSchema> writers, written_schemas(context, settings.framing));
    return described(writers.back(), writers.back().label, 0);
  }
  if (context.subject.empty()) {
    return Status::invalid("write a column list, or name the registry's subject in schema-registry.subject");
  }
  auto latest = context.schemas->latest(context.subject);
  if (!latest.ok()) return latest.status().with_context("subject '" + context.subject + "'");
  const RegisteredSchema& registered = **latest;
  if (auto problem = wrong_kind(registered, SchemaKind::avro)) return Status::invalid(*std::move(problem));
  auto parsed = avro::parse_schema(registered.schema);
  if (!parsed.ok()) return parsed.status().with_context(registered.label());
  return described({*parsed, registered.label()}, context.subject, registered.version);
}

FormatInfo format_of(std::string name, std::string summary, std::vector<OptionSpec> options,
                     const std::string& prefix) {
  FormatInfo format;
  format.name = std::move(name);
  format.summary = std::move(summary);
  format.options = std::move(options);
  format.create = [prefix](const FormatContext& context) { return create_avro(context, prefix); };
  format.describe = [prefix](const FormatContext& context) { return describe_avro(context, prefix); };
  format.uses_registry = true;
  return format;
}

}  // namespace

FormatInfo avro_format() {
  return format_of("avro", "Avro's binary encoding, resolved from the writer's schema to the table's columns",
                   avro_options(), kPlain);
}

FormatInfo avro_confluent_format() {
  return format_of("avro-confluent", "avro with avro.framing = 'confluent', by Flink's name",
                   shared_options(kConfluent), kConfluent);
}

}  // namespace weir
