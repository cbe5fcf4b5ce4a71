#include "flink/flink_table.h"

#include <arrow/type.h>

#include <algorithm>
#include <array>
#include <set>

#include "clients/kafka_properties.h"
#include "config/data_type.h"
#include "config/query_text.h"

namespace weir {
namespace {

// The jar that clusters have, flink-sql-connector-kafka, holds Kafka's client under this package.
constexpr const char* kSecurity = "org.apache.flink.kafka.shaded.org.apache.kafka.common.security.";
// A broker refuses what is longer than its transaction.max.timeout.ms, 15 minutes unless set.
constexpr const char* kTransactionTimeoutMs = "900000";

// What librdkafka and Java's client call the same.
constexpr std::array<std::string_view, 24> kSameProperties = {"bootstrap.servers",
                                                              "client.id",
                                                              "client.rack",
                                                              "group.id",
                                                              "isolation.level",
                                                              "security.protocol",
                                                              "sasl.mechanism",
                                                              "sasl.oauthbearer.token.endpoint.url",
                                                              "ssl.key.password",
                                                              "ssl.keystore.location",
                                                              "ssl.keystore.password",
                                                              "ssl.endpoint.identification.algorithm",
                                                              "ssl.cipher.suites",
                                                              "fetch.min.bytes",
                                                              "fetch.max.bytes",
                                                              "fetch.max.wait.ms",
                                                              "max.partition.fetch.bytes",
                                                              "metadata.max.age.ms",
                                                              "reconnect.backoff.ms",
                                                              "reconnect.backoff.max.ms",
                                                              "request.timeout.ms",
                                                              "retry.backoff.ms",
                                                              "session.timeout.ms",
                                                              "connections.max.idle.ms"};

std::string with_options(const FlinkOptions& options, bool masked) {
  std::string text = ") WITH (\n";
  for (size_t i = 0; i < options.size(); ++i) {
    const std::string value = masked && options[i].secret ? "***" : options[i].value;
    text += "  " + flink_literal(options[i].name) + " = " + flink_literal(value);
    text += i + 1 == options.size() ? "\n)" : ",\n";
  }
  return text;
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return text;
}

std::string quoted_for_jaas(const std::string& value) {
  std::string text = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + '"';
}

// One text that grows, and the places in the file of what was put into it.
class StatementText {
 public:
  void add(const std::string& text) {
    statement_.text += text;
    line_ += static_cast<int>(std::count(text.begin(), text.end(), '\n'));
  }
  // On lines of its own, so that Flink's places can be told from the others.
  void add_written(const std::string& text, const Location& location) {
    add("\n");
    statement_.parts.push_back({line_, location});
    add(text + "\n");
    statement_.parts.push_back({line_, {}});
  }
  FlinkStatement finish(const FlinkOptions& options, const Location& location) {
    statement_.shown = statement_.text + with_options(options, true);
    statement_.text += with_options(options, false);
    statement_.location = location;
    return std::move(statement_);
  }

 private:
  FlinkStatement statement_;
  int line_ = 1;
};

struct Refusal {
  const char* option;
  const char* words;
};

// Options of a Kafka source and its format that change what is read, and that Flink does not have.
constexpr std::array<Refusal, 14> kRefused = {{
    {"scan.partitions", "Flink reads every partition of a topic"},
    {"json.unknown-fields", "Flink leaves unknown fields out; only 'ignore' is the same"},
    {"json.rest-column", "Flink has no column for unknown fields"},
    {"json.timestamp-format",
     "Flink's JSON has no times as numbers: declare the column BIGINT, and a computed one "
     "with TO_TIMESTAMP_LTZ"},
    {"json.null-literals", "Flink's JSON knows null alone; write NULLIF in the query"},
    {"json.framing", "Flink's JSON takes no frame in front of it"},
    {"json.schema-file", "Flink takes its columns from the file: write the column list"},
    {"debezium-json.as", "Flink reads it as a changelog only"},
    {"debezium-json.op-column", "Flink has no column for the operation"},
    {"debezium-json.timestamp-format", "Flink's JSON has no times as numbers"},
    {"debezium-json.null-literals", "Flink's JSON knows null alone; write NULLIF in the query"},
    {"payload.compression", "Flink reads payloads as they are"},
    {"payload.envelope", "Flink reads payloads as they are"},
    {"payload.envelope.field", "Flink reads payloads as they are"},
}};

void check_source_options(const SourcePlan& source, Diagnostics& diagnostics) {
  for (const Refusal& refusal : kRefused) {
    const auto given = source.table.options.find(refusal.option);
    if (given == source.table.options.end()) continue;
    const std::string& value = given->second.text;
    if (value == "ignore" || value == "none" || value == "iso8601" || value == "changelog") continue;
    const Location& at =
        given->second.name_location.line > 0 ? given->second.name_location : given->second.location;
    diagnostics.error(
        at, std::string("Flink cannot read this table: '") + refusal.option + "': " + refusal.words);
  }
}

FlinkOptions format_options(const SourcePlan& source, bool skip_bad_events, Diagnostics& diagnostics) {
  const std::string& format = source.format->name;
  if (format == "raw") return {{"format", "raw"}};
  if (format != "json" && format != "debezium-json") {
    const auto given = source.table.options.find("format");
    diagnostics.error(given == source.table.options.end() ? source.table.location : given->second.location,
                      "format '" + format +
                          "' is not carried over to Flink: of its formats 'json', "
                          "'debezium-json' and 'raw' are; write the events as JSON first, with a stateless "
                          "INSERT into a Kafka topic");
    return {};
  }
  FlinkOptions options = {{"format", format},
                          {format + ".timestamp-format.standard", "ISO-8601"},
                          {format + ".ignore-parse-errors", skip_bad_events ? "true" : "false"}};
  if (format == "debezium-json") {
    const std::string include = source.options.string("debezium-json.schema-include");
    options.push_back({"debezium-json.schema-include", include == "true" ? "true" : "false"});
  }
  return options;
}

// The scan.* options that Flink has under the same name, and 'topic'.
FlinkOptions scan_options(const SourcePlan& source) {
  FlinkOptions options = {{"connector", "kafka"}};
  for (const char* name : {"topic", "topic-pattern"}) {
    if (source.options.has(name)) options.push_back({name, source.options.string(name)});
  }
  // Written out: Flink's default is another one.
  options.push_back({"scan.startup.mode", source.options.string("scan.startup.mode")});
  for (const char* name : {"scan.startup.timestamp-millis", "scan.startup.specific-offsets",
                           "scan.bounded.mode", "scan.topic-partition-discovery.interval"}) {
    const auto given = source.table.options.find(name);
    if (given != source.table.options.end()) options.push_back({name, given->second.text});
  }
  if (!source.table.watermark_column.empty()) {
    const auto idle = source.options.duration("scan.watermark.idle-timeout").count();
    if (idle > 0) options.push_back({"scan.watermark.idle-timeout", std::to_string(idle) + " ms"});
  }
  return options;
}

// Flink's key of a METADATA column, or nothing with an error. `key_column` takes the column of the record's
// key, which Flink reads as a physical one.
std::optional<std::string> metadata_key(const ColumnSpec& column, std::string& key_column,
                                        Diagnostics& diagnostics) {
  const std::string& key = column.metadata_key;
  if (key == "key") {
    key_column = column.name;
    return std::string();
  }
  if (key == "offset" || key == "partition" || key == "topic" || key == "timestamp" || key == "headers") {
    return key;
  }
  if (key == "subject") return "topic";
  diagnostics.error(column.location, "Flink's Kafka connector has no METADATA '" + key +
                                         "'; it has topic, partition, offset, timestamp and headers");
  return std::nullopt;
}

// The conditions under which Weir takes an event: NOT NULL columns and CHECKs.
std::vector<FlinkStatement> filtering_view(const SourcePlan& source, const std::string& read_table) {
  FlinkStatement view;
  std::string columns;
  for (const ColumnSpec& column : source.table.columns) {
    columns += (columns.empty() ? "" : ", ") + flink_identifier(column.name);
  }
  view.text = "CREATE TEMPORARY VIEW " + flink_identifier(source.table.name) + " AS\nSELECT " + columns +
              "\nFROM " + flink_identifier(read_table) + "\nWHERE TRUE";
  int line = 4;
  for (const ColumnSpec& column : source.physical) {
    if (!column.nullable) view.text += " AND " + flink_identifier(column.name) + " IS NOT NULL";
  }
  for (const CheckSpec& check : source.table.checks) {
    view.text += " AND (\n";
    view.parts.push_back({++line, check.location});
    view.text += check.expression + "\n) IS NOT FALSE";
    line += 1 + static_cast<int>(std::count(check.expression.begin(), check.expression.end(), '\n'));
    view.parts.push_back({line, {}});
  }
  view.shown = view.text;
  view.location = source.table.location;
  return {std::move(view)};
}

}  // namespace

std::string flink_identifier(const std::string& name) {
  std::string text = "`";
  for (const char c : name) text += c == '`' ? "``" : std::string(1, c);
  return text + "`";
}

std::string flink_literal(const std::string& value) {
  std::string text = "'";
  for (const char c : value) text += c == '\'' ? "''" : std::string(1, c);
  return text + "'";
}

Location FlinkStatement::place(int line, int column) const {
  const Part* within = nullptr;
  for (const Part& part : parts) {
    if (part.line <= line) within = &part;
  }
  if (line < 1 || within == nullptr || within->location.line == 0) return location;
  return offset_location(within->location, line - within->line + 1, std::max(1, column));
}

FlinkOptions flink_kafka_properties(const Options& options, Diagnostics& diagnostics) {
  FlinkOptions result;
  auto given = options.with_prefix("properties.");
  const auto take = [&](const std::string& name) {
    const auto found = given.find(name);
    const std::string value = found == given.end() ? "" : found->second;
    if (found != given.end()) given.erase(found);
    return value;
  };
  const auto add = [&](const std::string& name, std::string value, bool secret = false) {
    result.push_back({"properties." + name, std::move(value), secret});
  };
  const std::string mechanisms = take("sasl.mechanisms");
  if (!mechanisms.empty()) given.emplace("sasl.mechanism", mechanisms);
  const std::string user = take("sasl.username"), password = take("sasl.password");
  if (!user.empty()) {
    const bool scram = given["sasl.mechanism"].rfind("SCRAM", 0) == 0;
    add("sasl.jaas.config",
        std::string(kSecurity) + (scram ? "scram.ScramLoginModule" : "plain.PlainLoginModule") +
            " required username=" + quoted_for_jaas(user) + " password=" + quoted_for_jaas(password) + ";",
        true);
  }
  const std::string ca_file = take("ssl.ca.location"), ca_text = take("ssl.ca.pem");
  if (!ca_file.empty() || !ca_text.empty()) add("ssl.truststore.type", "PEM");
  if (!ca_file.empty()) add("ssl.truststore.location", ca_file);
  if (!ca_text.empty()) add("ssl.truststore.certificates", ca_text);
  const std::string certificate = take("ssl.certificate.pem"), key = take("ssl.key.pem");
  if (!certificate.empty()) {
    add("ssl.keystore.type", "PEM");
    add("ssl.keystore.certificate.chain", certificate);
    add("ssl.keystore.key", key, true);
  }
  if (!given["security.protocol"].empty()) given["security.protocol"] = upper(given["security.protocol"]);
  for (const auto& [name, value] : given) {
    if (value.empty()) continue;
    const bool secret = options.secret("properties." + name) || kafka_property_is_secret(name);
    if (std::find(kSameProperties.begin(), kSameProperties.end(), name) != kSameProperties.end()) {
      add(name, value, secret);
      continue;
    }
    diagnostics.warning(options.location("properties." + name),
                        "'properties." + name + "' is librdkafka's: Flink's Kafka client does without it");
  }
  std::sort(result.begin(), result.end(),
            [](const FlinkOption& a, const FlinkOption& b) { return a.name < b.name; });
  return result;
}

std::vector<FlinkStatement> flink_source(const SourcePlan& source, bool skip_bad_events,
                                         Diagnostics& diagnostics) {
  const TableSpec& table = source.table;
  if (table.connector != "kafka") {
    diagnostics.error(table.connector_location.line > 0 ? table.connector_location : table.location,
                      "Flink cannot read '" + table.name + "', whose connector is '" + table.connector +
                          "': only Kafka tables move to Flink. Bring its events into a topic first, with a "
                          "pipeline of its own: INSERT INTO a table with 'connector' = 'kafka'");
    return {};
  }
  check_source_options(source, diagnostics);
  const bool filters =
      !table.checks.empty() || std::any_of(source.physical.begin(), source.physical.end(),
                                           [](const ColumnSpec& column) { return !column.nullable; });
  const std::string read_table = filters ? "weir_read_" + table.name : table.name;
  StatementText text;
  text.add("CREATE TEMPORARY TABLE " + flink_identifier(read_table) + " (\n");
  std::string key_column;
  for (size_t i = 0; i < table.columns.size(); ++i) {
    const ColumnSpec& column = table.columns[i];
    text.add((i == 0 ? "  " : ",\n  ") + flink_identifier(column.name) + " ");
    if (column.kind == ColumnKind::computed) {
      text.add("AS ");
      text.add_written(column.expression, column.expression_location);
      continue;
    }
    // Nullable, as Flink's JSON does not look after NOT NULL: the view does.
    text.add(column.type.text);
    if (column.kind == ColumnKind::physical) continue;
    const auto key = metadata_key(column, key_column, diagnostics);
    if (key && !key->empty()) text.add(" METADATA FROM " + flink_literal(*key) + " VIRTUAL");
  }
  if (!table.watermark_column.empty()) {
    text.add(",\n  WATERMARK FOR " + flink_identifier(table.watermark_column) + " AS ");
    text.add_written(table.watermark_expression, table.watermark_location);
  }
  FlinkOptions options = scan_options(source);
  for (FlinkOption& more : flink_kafka_properties(source.options, diagnostics)) {
    options.push_back(std::move(more));
  }
  FlinkOptions format = format_options(source, skip_bad_events, diagnostics);
  if (!key_column.empty() && !format.empty()) {
    // With a key there are two formats, told apart by their prefix.
    for (FlinkOption& more : format) more.name = "value." + more.name;
    options.push_back({"key.format", "raw"});
    options.push_back({"key.fields", key_column});
    options.push_back({"value.fields-include", "EXCEPT_KEY"});
  }
  for (FlinkOption& more : format) options.push_back(std::move(more));
  std::vector<FlinkStatement> statements = {text.finish(options, table.location)};
  if (!filters) return statements;
  for (FlinkStatement& view : filtering_view(source, read_table)) statements.push_back(std::move(view));
  return statements;
}

FlinkStatement flink_sink(const FlinkSink& sink, const arrow::Schema& schema, const FlinkOptions& cluster,
                          const FlinkOptions& format_options, const Location& location) {
  StatementText text;
  text.add("CREATE TEMPORARY TABLE " + flink_identifier(sink.table) + " (\n");
  for (int i = 0; i < schema.num_fields(); ++i) {
    text.add((i == 0 ? "  " : ",\n  ") + flink_identifier(schema.field(i)->name()) + " " +
             sql_type(*schema.field(i)->type()));
  }
  FlinkOptions options = {{"connector", "kafka"}, {"topic", sink.topic}};
  static const std::set<std::string> reading = {"properties.group.id", "properties.isolation.level"};
  for (const FlinkOption& property : cluster) {
    if (reading.count(property.name) == 0 && property.name.rfind("properties.fetch.", 0) != 0) {
      options.push_back(property);
    }
  }
  options.push_back({"properties.transaction.timeout.ms", kTransactionTimeoutMs});
  options.push_back({"sink.delivery-guarantee", "exactly-once"});
  options.push_back({"sink.transactional-id-prefix", sink.transactional_id_prefix});
  if (!format_options.empty()) {
    options.insert(options.end(), format_options.begin(), format_options.end());
  } else {
    const std::string format = sink.changelog ? "debezium-json" : "json";
    options.push_back({"format", format});
    options.push_back({format + ".timestamp-format.standard", "ISO-8601"});
    options.push_back({format + ".encode.decimal-as-plain-number", "true"});
  }
  return text.finish(options, location);
}

FlinkOptions flink_kafka_sink_format(const Options& options, const Location& location,
                                     Diagnostics& diagnostics) {
  for (const char* name : {"topic.from-column", "headers.column", "timestamp.column"}) {
    if (options.string(name).empty()) continue;
    diagnostics.error(options.location(name).line > 0 ? options.location(name) : location,
                      std::string("'") + name +
                          "' has no counterpart in Flink: write such rows with a "
                          "pipeline of their own that reads Flink's topic");
  }
  const std::string format = options.string("value.format");
  const std::string keys = options.string("key.fields");
  const std::string prefix = keys.empty() ? "" : "value.";
  FlinkOptions result;
  if (!keys.empty()) {
    result.push_back({"key.format", keys.find(';') == std::string::npos ? "raw" : "json"});
    result.push_back({"key.fields", keys});
    result.push_back({"value.fields-include", options.string("value.fields-include")});
  }
  result.push_back({prefix + "format", format});
  if (format == "json") {
    result.push_back({prefix + "json.timestamp-format.standard", "ISO-8601"});
    result.push_back({prefix + "json.encode.decimal-as-plain-number", "true"});
  }
  return result;
}

}  // namespace weir
