#include "formats/json/json_format.h"

#include "formats/json/json_decoder.h"

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
  return json::JsonDecoder::create(context.columns, std::move(*settings), rest);
}

}  // namespace

FormatInfo json_format() {
  return {"json",
          "one JSON object an event, checked strictly against the table's columns",
          json_options(),
          create_json,
          {}};
}

}  // namespace weir
