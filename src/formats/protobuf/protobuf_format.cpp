#include "formats/protobuf/protobuf_format.h"

#include "base/text.h"
#include "formats/protobuf/message_columns.h"
#include "formats/protobuf/protobuf_decoder.h"

namespace weir {
namespace {

using protobuf::DecoderSettings;
using protobuf::ProtobufDecoder;
using protobuf::ProtoSchema;
using protobuf::SchemaOrigin;

constexpr int64_t kHardMaxSize = 1 << 30;
constexpr int64_t kHardMaxDepth = 512;  // the walk is recursive

std::vector<OptionSpec> protobuf_options() {
  using enum OptionType;
  return {
      option("protobuf.schema-file", string, "",
             "a .proto file, or a descriptor set of protoc --include_imports --descriptor_set_out"),
      option(
          "protobuf.include", string, "",
          "folders where the imports of a .proto file are looked for, separated by commas; its own is one"),
      option("protobuf.message", string, "",
             "full name of the events' message; the schema's first when absent"),
      one_of("protobuf.framing", {"none", "confluent"},
             "confluent: a magic byte, the schema's id in the registry and message indexes stand in front"),
      one_of("protobuf.unknown-fields", {"ignore", "reject"}, "fields that the event's schema does not have"),
      one_of("protobuf.excess-nanos", {"reject", "truncate"},
             "digits of a Timestamp or Duration beyond what the column holds"),
      option("protobuf.max-size", size, "1 mb", "largest payload, at most 1 gb"),
      option("protobuf.max-depth", integer, "64", "deepest nesting of messages, at most 512"),
  };
}

Result<DecoderSettings> settings_of(const FormatContext& context) {
  const Options& options = *context.options;
  DecoderSettings settings;
  settings.walk.max_size = options.size("protobuf.max-size");
  if (settings.walk.max_size < 1 || settings.walk.max_size > kHardMaxSize) {
    return Status::invalid("protobuf.max-size is " + std::to_string(settings.walk.max_size) +
                           " bytes, expected 1 byte to 1 gb");
  }
  const int64_t depth = options.integer("protobuf.max-depth");
  if (depth < 1 || depth > kHardMaxDepth) {
    return Status::invalid("protobuf.max-depth is " + std::to_string(depth) + ", expected 1 to " +
                           std::to_string(kHardMaxDepth));
  }
  settings.walk.max_depth = static_cast<int>(depth);
  settings.walk.reject_unknown_fields = options.string("protobuf.unknown-fields") == "reject";
  settings.walk.truncate_times = options.string("protobuf.excess-nanos") == "truncate";
  settings.confluent = options.string("protobuf.framing") == "confluent";
  settings.registry = options.has("schema-registry.url");
  settings.message = options.string("protobuf.message");
  settings.subject = context.subject;
  settings.columns_described = context.columns_described && !options.has("protobuf.schema-file");
  return settings;
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}

Result<SchemaOrigin> schema_of_file(const FormatContext& context, const DecoderSettings& settings) {
  const std::string path = context.options->string("protobuf.schema-file");
  std::vector<std::string> folders = split_list(context.options->string("protobuf.include"));
  for (std::string& folder : folders) {
    if (folder.back() != '/') folder += '/';
  }
  folders.insert(folders.begin(), folder_of(path));
  const ProtoSchema::Imports imports = [&](const std::string& name) -> Result<std::string> {
    Status status(Code::not_found, name);
    for (const std::string& folder : folders) {
      auto text = context.schemas->file(folder + name);
      if (text.ok() || text.status().code() != Code::not_found) return text;
    }
    return status;
  };
  WEIR_ASSIGN(const std::string content, context.schemas->file(path));
  auto schema = ProtoSchema::from_file(path, content, imports);
  if (!schema.ok()) return schema.status();
  WEIR_ASSIGN(const auto* message, (*schema)->message(settings.message));
  return SchemaOrigin{*schema, message, path, path};
}

Status no_schema() {
  return Status::invalid(
      "nothing names a schema: set 'protobuf.schema-file', or 'schema-registry.url' with the schema in the "
      "table's subject ('schema-registry.subject')");
}

// invalid: nothing in the options names a schema.
Result<SchemaOrigin> schema_of(const FormatContext& context, const DecoderSettings& settings) {
  if (context.options->has("protobuf.schema-file")) return schema_of_file(context, settings);
  if (!settings.registry || settings.subject.empty()) return no_schema();
  return protobuf::latest_schema(*context.schemas, settings.subject, settings.message);
}

Result<std::unique_ptr<Decoder>> create_protobuf(const FormatContext& context) {
  WEIR_ASSIGN(DecoderSettings settings, settings_of(context));
  if (!settings.registry && context.options->has("protobuf.include") &&
      !context.options->has("protobuf.schema-file")) {
    return Status::invalid("protobuf.include needs protobuf.schema-file");
  }
  SchemaOrigin reader;
  auto found = schema_of(context, settings);
  if (found.ok()) {
    reader = std::move(*found);
  } else {
    // Events bring their schemas' ids; a registry that is away, or a subject that is still empty, can wait.
    const Code code = found.status().code();
    const bool later = code == Code::unavailable || code == Code::not_found;
    const bool by_id_only = settings.confluent && settings.registry && settings.subject.empty();
    if (context.options->has("protobuf.schema-file") || (!later && !by_id_only)) return found.status();
  }
  return ProtobufDecoder::create(context.columns, std::move(settings), std::move(reader), context.schemas);
}

Result<DescribedTable> describe_protobuf(const FormatContext& context) {
  WEIR_ASSIGN(const DecoderSettings settings, settings_of(context));
  WEIR_ASSIGN(const SchemaOrigin origin, schema_of(context, settings));
  DescribedTable table;
  WEIR_ASSIGN(table.columns, protobuf::describe_columns(*origin.message));
  table.schema_name = origin.name;
  table.schema_version = origin.version;
  return table;
}

}  // namespace

FormatInfo protobuf_format() {
  FormatInfo format;
  format.name = "protobuf";
  format.summary = "one Protobuf message an event, by a .proto file, a descriptor set or a schema registry";
  format.options = protobuf_options();
  format.create = create_protobuf;
  format.describe = describe_protobuf;
  format.uses_registry = true;
  return format;
}

}  // namespace weir
