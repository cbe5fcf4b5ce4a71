#include "sinks/clickhouse/clickhouse_connector.h"

#include <arrow/type.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "clients/clickhouse_options.h"
#include "config/options.h"
#include "sinks/clickhouse/changelog_rows.h"
#include "sinks/clickhouse/clickhouse_sink.h"

namespace weir {
namespace {

std::vector<OptionSpec> make_specs() {
  OptionSpec compression = one_of("compression", compression_names(), "of what is sent");
  compression.default_value = "lz4";
  std::vector<OptionSpec> specs = clickhouse_server_option_specs();
  const std::vector<OptionSpec> own = {
      option("database", OptionType::string, "default", "created when it is missing"),
      option(
          "table", OptionType::string, "",
          "name in ClickHouse; the table's name in this file when absent. 'events_{tenant}' is a table for "
          "each value of the STRING column tenant"),
      one_of(
          "delivery", {"exactly-once", "at-least-once"},
          "exactly-once: a log in state.path and deduplication tokens; at-least-once: neither, for servers "
          "and tables that cannot deduplicate"),
      option("commit-interval", OptionType::duration, "1 s", "how often rows become visible"),
      option("batch.max-rows", OptionType::integer, "1000000", "a block with this many rows is sent at once"),
      option("batch.max-bytes", OptionType::size, "64 mb", "a block with this many bytes is sent at once"),
      compression,
      option("engine", OptionType::string, "MergeTree",
             "of a table that is created, such as 'ReplacingMergeTree(version)'; for a changelog always "
             "ReplacingMergeTree(_weir_version, _weir_deleted)"),
      option("order-by", OptionType::string, "",
             "sorting key of a table that is created; the PRIMARY KEY, else the first NOT NULL columns of a "
             "declared column list, else tuple(), when absent"),
      option("partition-by", OptionType::string, "",
             "partition key of a table that is created, such as 'toYYYYMM(placed_at)'"),
      option("ttl", OptionType::string, "",
             "TTL of a table that is created, such as 'placed_at + INTERVAL 30 DAY'"),
      option("settings.*", OptionType::string, "",
             "settings of a table that is created: 'settings.index_granularity'"),
      option("column.*", OptionType::string, "",
             "ClickHouse type of a column that is created: 'column.id' = 'UUID'"),
      option("low-cardinality", OptionType::string, "",
             "columns that are created as LowCardinality, separated by commas"),
      option("positions", OptionType::boolean, "true",
             "a table that is created gets the columns _weir_partition, _weir_offset and _weir_seq, so that "
             "every row can be traced to its event and recovery can ask for its rows"),
      one_of("schema-evolution", {"add", "none"},
             "add: columns that the table lacks are added to it, nullable; none: they stop the pipeline"),
      option("max-tables", OptionType::integer, "100",
             "most tables that a {column} in 'table' makes; rows beyond go to the error lake"),
      option("retry.max-attempts", OptionType::integer, "10",
             "of one block, before the sink is opened anew; that goes on without end"),
      option("retry.first-wait", OptionType::duration, "100 ms", "between two attempts; doubles each time"),
      option("retry.longest-wait", OptionType::duration, "5 s", "between two attempts"),
  };
  specs.insert(specs.end(), own.begin(), own.end());
  for (OptionSpec& spec : clickhouse_transport_option_specs()) specs.push_back(std::move(spec));
  return specs;
}

TableDefaults table_defaults(const SinkContext& context) {
  const Options& options = context.options;
  TableDefaults defaults;
  defaults.engine = options.string("engine");
  defaults.order_by = options.string("order-by");
  if (defaults.order_by.empty()) {
    for (const std::string& name : context.primary_key)
      defaults.order_by += (defaults.order_by.empty() ? "" : ", ") + quoted_identifier(name);
  }
  defaults.partition_by = options.string("partition-by");
  defaults.ttl = options.string("ttl");
  defaults.settings = options.with_prefix("settings.");
  defaults.column_types = options.with_prefix("column.");
  defaults.low_cardinality = split_list(options.string("low-cardinality"));
  defaults.positions = options.boolean("positions");
  defaults.deduplicate = defaults.sequence = options.string("delivery") == "exactly-once";
  return defaults;
}

// What a table must be for a changelog, whether it is made or there.
Status shape_for_changelog(const SinkContext& context, TargetSettings& target) {
  TableDefaults& defaults = target.defaults;
  const std::vector<std::string>& key = context.primary_key;
  target.changelog_key = key;
  if (!context.options.string("order-by").empty())
    return Status::invalid("'order-by': a changelog's table is sorted by its PRIMARY KEY, leave it out");
  for (const auto& field : context.schema->fields()) {
    if (std::count(key.begin(), key.end(), field->name()) != 0 ||
        !expression_names(defaults.partition_by, field->name()))
      continue;
    return Status::invalid("'partition-by': '" + field->name() +
                           "' is no key column: rows of one key would lie in several partitions, which "
                           "never replace each other");
  }
  WEIR_ASSIGN(defaults.engine, changelog_engine(defaults.engine));
  defaults.versions = true;
  defaults.sequence = false;
  return {};
}

// `patient` false: a server that does not answer is given up soon, because the caller goes on without it.
Result<ClickHouseSinkSettings> settings_of(const SinkContext& context, bool patient) {
  const Options& options = context.options;
  ClickHouseSinkSettings settings;
  settings.pipeline = context.pipeline;
  settings.target.sink = context.table;
  settings.target.schema = context.schema;
  settings.target.database = options.string("database");
  settings.target.table = options.string("table").empty() ? context.table : options.string("table");
  settings.target.defaults = table_defaults(context);
  settings.target.add_columns = options.string("schema-evolution") == "add";
  settings.target.exactly_once = options.string("delivery") == "exactly-once";
  settings.target.max_tables = options.integer("max-tables");
  WEIR_ASSIGN(settings.compression, parse_compression(options.string("compression")));
  settings.max_rows = options.integer("batch.max-rows");
  settings.max_bytes = options.size("batch.max-bytes");
  settings.retry.max_attempts = static_cast<int>(options.integer("retry.max-attempts"));
  settings.retry.first_wait = options.duration("retry.first-wait");
  settings.retry.longest_wait = options.duration("retry.longest-wait");
  settings.clock = context.clock != nullptr ? context.clock : &Clock::real();
  settings.open_state = context.open_state;
  settings.store_refused = context.store_refused;
  settings.log = context.log;
  auto wrong = [&](const std::string& name, const std::string& expected) {
    return Status::invalid("table '" + context.table + "': '" + name + "' must be " + expected);
  };
  if (settings.max_rows < 1) return wrong("batch.max-rows", "1 or more");
  if (settings.max_bytes < 1) return wrong("batch.max-bytes", "1 byte or more");
  if (settings.target.max_tables < 1 || settings.target.max_tables > 10'000)
    return wrong("max-tables", "1 to 10000");
  if (settings.retry.max_attempts < 1) return wrong("retry.max-attempts", "1 or more");
  if (settings.target.database.empty()) return wrong("database", "a name");
  const std::string& engine = settings.target.defaults.engine;
  if (engine.empty()) return wrong("engine", "an engine, such as MergeTree");
  if (context.changelog)
    WEIR_TRY(shape_for_changelog(context, settings.target).with_context("table '" + context.table + "'"));
  if (settings.target.exactly_once && engine.find("MergeTree") == std::string::npos)
    return wrong("engine",
                 "of the MergeTree family for exactly once; 'delivery' = 'at-least-once' takes others");
  auto server = clickhouse_server(options);
  if (!server.ok()) return server.status().with_context("table '" + context.table + "'");
  if (server->servers.urls.size() > 1 && settings.target.table.find('{') != std::string::npos)
    return wrong("url", "one server where 'table' holds a {column}: fail-over is checked table by table");
  if (!patient)
    server->http.connect_timeout = std::min(server->http.connect_timeout, std::chrono::milliseconds(2000));
  settings.connect = [server = *server] { return server.connect(); };
  return settings;
}

// Asks the target without changing it. `all_urls`: those for fail-over too.
Status ask_target(const SinkContext& context, bool patient, bool all_urls) {
  WEIR_ASSIGN(ClickHouseSinkSettings settings, settings_of(context, patient));
  WEIR_TRY(parse_table_pattern(settings.target.table, *settings.target.schema)
               .status()
               .with_context("table '" + context.table + "'"));
  WEIR_ASSIGN(auto connection, settings.connect());
  auto ask = [&]() -> Status {
    // Before the server is asked, so that options are checked even when it is away.
    WEIR_TRY(create_statement({settings.target.database, settings.target.table}, *settings.target.schema,
                              settings.target.defaults)
                 .status());
    WEIR_TRY(connection->greet());
    WEIR_ASSIGN(auto tables, TargetTables::create(settings.target, *connection));
    WEIR_TRY(tables->check());
    return all_urls ? tables->pin_servers("").status() : Status();
  };
  return ask().with_context("table '" + context.table + "'");
}

}  // namespace

SinkConnector clickhouse_connector() {
  SinkConnector connector;
  connector.name = "clickhouse";
  connector.summary = "ClickHouse table over HTTP; exactly once by a log of intents and deduplication tokens";
  connector.options = make_specs();
  connector.takes_changelog = connector.changelog_by_key = true;
  connector.create = [](const SinkContext& context) -> Result<std::unique_ptr<Sink>> {
    WEIR_ASSIGN(ClickHouseSinkSettings settings, settings_of(context, true));
    const bool exactly_once = settings.target.exactly_once;
    if (exactly_once) return std::unique_ptr<Sink>(std::make_unique<ClickHouseSink>(std::move(settings)));
    return std::unique_ptr<Sink>(std::make_unique<ClickHousePlainSink>(std::move(settings)));
  };
  connector.check = [](const SinkContext& context) -> Status {
    Status status = ask_target(context, false, false);
    // An unreachable server is for `check --connect` to tell.
    return status.code() == Code::invalid ? status : Status();
  };
  connector.probe = [](const SinkContext& context) { return ask_target(context, true, true); };
  connector.guarantee = [](const Options& options) -> std::string {
    if (options.string("delivery") == "exactly-once") {
      return "exactly once: each block is an entry of a log in state.path before it is sent, under a token "
             "that "
             "the table remembers; when state.path is lost, at least once at that seam";
    }
    return "at least once: 'delivery' = 'at-least-once' was chosen; rows may come again after a crash or a "
           "lost "
           "answer";
  };
  return connector;
}

}  // namespace weir
