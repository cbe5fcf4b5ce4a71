#include "formats/csv/csv_format.h"

#include "formats/csv/csv_decoder.h"

namespace weir {
namespace {

constexpr int64_t kHardMaxSize = 1 << 30;

std::vector<OptionSpec> csv_options() {
  using enum OptionType;
  return {
      option("csv.delimiter", string, ",", "the character between fields; \\t is a tab"),
      option("csv.quote", string, "\"",
             "the character around fields that hold a delimiter; none: no quoting"),
      option("csv.escape", string, "",
             "in quoted fields, the character before one to take as it is; a doubled quote always is one"),
      one_of("csv.header", {"none", "names", "first"},
             "names: a record of exactly the columns' names is left out; first: the event at offset 0 is "
             "(the first line of a file)"),
      option("csv.null-literal", string, "", "an unquoted field of this text is null; default: an empty one"),
      option("csv.allow-missing-columns", boolean, "false", "a shorter record's last columns are null"),
      option("csv.ignore-extra-columns", boolean, "false", "a longer record's last fields are left out"),
      option("csv.trim", boolean, "false", "spaces and tabs around fields do not count"),
      one_of("csv.timestamp-format", {"iso8601", "epoch-s", "epoch-ms", "epoch-us"},
             "text, or integers since 1970-01-01 UTC"),
      one_of("csv.binary-encoding", {"base64", "utf8"}, "what the fields of BYTES columns hold"),
      option("csv.max-size", size, "1 mb", "largest payload, at most 1 gb"),
  };
}

// A single character that no number, date or word of a value is made of.
Result<char> character(const Options& options, const std::string& name) {
  std::string text = options.string(name);
  if (text == "\\t") text = "\t";
  static constexpr std::string_view kTaken = "+-.:\r\n";
  const auto byte = text.size() == 1 ? static_cast<unsigned char>(text[0]) : 0;
  const bool letter = (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z');
  if (byte == 0 || byte >= 0x80 || letter || kTaken.find(text[0]) != std::string_view::npos) {
    return Status::invalid("'" + name + "' = '" + text +
                           "', expected one ASCII character such as ',' ';' '|' or '\\t', and none that "
                           "values are made of");
  }
  return text[0];
}

Result<std::unique_ptr<Decoder>> create_csv(const FormatContext& context) {
  const Options& options = *context.options;
  csv::Settings settings;
  csv::Dialect& dialect = settings.dialect;
  WEIR_ASSIGN(dialect.delimiter, character(options, "csv.delimiter"));
  dialect.quoting = options.string("csv.quote") != "none";
  if (dialect.quoting) {
    WEIR_ASSIGN(dialect.quote, character(options, "csv.quote"));
  }
  if (options.has("csv.escape")) {
    WEIR_ASSIGN(dialect.escape, character(options, "csv.escape"));
  }
  if (dialect.delimiter == dialect.escape || (dialect.quoting && dialect.delimiter == dialect.quote)) {
    return Status::invalid("csv.delimiter is also csv.quote or csv.escape");
  }
  if (!dialect.quoting && dialect.escape != 0) {
    return Status::invalid("csv.escape needs quoted fields: 'csv.quote' is 'none'");
  }
  dialect.trim = options.boolean("csv.trim");
  const std::string header = options.string("csv.header");
  settings.header = header == "names"   ? csv::Header::names
                    : header == "first" ? csv::Header::first
                                        : csv::Header::none;
  const std::string format = options.string("csv.timestamp-format");
  settings.timestamp_format = format == "epoch-s"    ? csv::TimestampFormat::epoch_s
                              : format == "epoch-ms" ? csv::TimestampFormat::epoch_ms
                              : format == "epoch-us" ? csv::TimestampFormat::epoch_us
                                                     : csv::TimestampFormat::iso8601;
  settings.null_literal = options.string("csv.null-literal");
  settings.allow_missing = options.boolean("csv.allow-missing-columns");
  settings.ignore_extra = options.boolean("csv.ignore-extra-columns");
  settings.binary_is_base64 = options.string("csv.binary-encoding") == "base64";
  settings.max_size = options.size("csv.max-size");
  if (settings.max_size < 1 || settings.max_size > kHardMaxSize) {
    return Status::invalid("csv.max-size is " + std::to_string(settings.max_size) +
                           " bytes, expected 1 byte to 1 gb");
  }
  return csv::CsvDecoder::create(context.columns, std::move(settings));
}

}  // namespace

FormatInfo csv_format() {
  FormatInfo format;
  format.name = "csv";
  format.summary = "one CSV record (RFC 4180) an event, its fields in the order of the table's columns";
  format.options = csv_options();
  format.create = create_csv;
  return format;
}

}  // namespace weir
