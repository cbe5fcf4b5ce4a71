#include "sinks/delta/delta_connector.h"

#include <arrow/type.h>

#include <filesystem>

#include "base/text.h"
#include "bridge/bridge.h"
#include "config/data_type.h"
#include "config/options.h"
#include "sinks/delta/delta_tables.h"
#include "sinks/delta/delta_values.h"

namespace weir {
namespace {

bool is_remote(const std::string& uri) { return uri.find("://") != std::string::npos; }

DeltaAccess real_access(const std::map<std::string, std::string>& s3) {
  auto storage = bridge::storage_options(s3);
  DeltaAccess access;
  access.open = [storage](const std::string& uri) { return bridge::DeltaTable::open(uri, storage); };
  access.create = [storage](const std::string& uri, const std::shared_ptr<arrow::Schema>& schema,
                            const std::vector<std::string>& partition_by,
                            const std::map<std::string, std::string>& properties) {
    return bridge::DeltaTable::create(uri, storage, schema, partition_by, properties);
  };
  access.objects = [storage](const std::string& uri) {
    return is_remote(uri) ? bridge::open_s3_objects(uri, storage) : open_local_objects(uri);
  };
  return access;
}

std::vector<OptionSpec> make_specs() {
  OptionSpec path = option("path", OptionType::string, "",
                           "folder of the table: local, or s3://bucket/path; {column} in it makes a table of "
                           "each of the column's values");
  path.required = true;
  OptionSpec compression = option("compression", OptionType::choice, "zstd", "codec of the Parquet files");
  compression.choices = {"zstd", "snappy", "gzip", "lz4", "uncompressed"};
  OptionSpec evolution =
      option("schema-evolution", OptionType::choice, "add",
             "add: columns that the table lacks are added to it, nullable; none: they stop the pipeline");
  evolution.choices = {"add", "none"};
  std::vector<OptionSpec> specs = {
      path,
      option("partition-by", OptionType::string, "",
             "columns that cut the table into folders, separated by commas"),
      option("target-file-size", OptionType::size, "128 mb", "a file is ended when it has about this size"),
      compression,
      option("compression-level", OptionType::integer, "1", "of zstd (1 to 22) and gzip (1 to 9)"),
      option("commit-interval", OptionType::duration, "",
             "how often rows become visible; pipeline.commit-interval when absent"),
      option(
          "positions", OptionType::boolean, "true",
          "keep the columns _weir_partition and _weir_offset, so that every row can be traced to its event"),
      evolution,
      option("max-open-files", OptionType::integer, "64",
             "partitions written at once; beyond it the one idle longest is ended"),
      option("max-tables", OptionType::integer, "100",
             "most tables that a {column} in 'path' makes; rows for further ones go to 'overflow-table'"),
      option("overflow-table", OptionType::string, "_other", "what stands for {column} in that table's path"),
      option("table.*", OptionType::string, "",
             "Delta table properties for a table that is created: 'table.delta.appendOnly'"),
  };
  for (OptionSpec& spec : s3_option_specs()) specs.push_back(std::move(spec));
  return specs;
}

Result<DeltaSinkSettings> settings_of(const SinkContext& context) {
  const Options& options = context.options;
  DeltaSinkSettings settings;
  settings.pipeline = context.pipeline;
  settings.table = context.table;
  settings.uri = absolute_uri(options.string("path"));
  settings.schema = context.schema;
  settings.partition_by = split_list(options.string("partition-by"));
  if (context.changelog) settings.changelog_key = context.primary_key;
  settings.positions = options.boolean("positions");
  settings.add_columns = options.string("schema-evolution") == "add";
  settings.target_file_bytes = options.size("target-file-size");
  settings.max_open_files = static_cast<int>(options.integer("max-open-files"));
  settings.parquet.compression = options.string("compression");
  settings.parquet.compression_level = static_cast<int>(options.integer("compression-level"));
  settings.properties = options.with_prefix("table.");
  settings.clock = context.clock != nullptr ? context.clock : &Clock::real();
  auto wrong = [&](const std::string& name, const std::string& expected) {
    return Status::invalid("table '" + context.table + "': '" + name + "' must be " + expected);
  };
  if (options.string("path").empty()) return wrong("path", "a folder or an s3:// address");
  if (is_remote(settings.uri) && !settings.uri.starts_with("s3://")) return wrong("path", "local or s3://");
  if (settings.target_file_bytes < 1024) return wrong("target-file-size", "1 kb or more");
  if (settings.max_open_files < 1 || settings.max_open_files > 1000)
    return wrong("max-open-files", "1 to 1000");
  if (context.changelog) {
    if (settings.changelog_key.empty()) {
      return Status::invalid("table '" + context.table +
                             "': a changelog needs PRIMARY KEY (…) NOT ENFORCED, by which rows are changed");
    }
    const auto append_only = settings.properties.find("delta.appendOnly");
    if (append_only != settings.properties.end() && append_only->second == "true") {
      return Status::invalid("table '" + context.table +
                             "': a changelog changes rows, and 'table.delta.appendOnly' forbids that");
    }
  }
  int level = settings.parquet.compression_level;
  if (settings.parquet.compression == "zstd" && (level < 1 || level > 22))
    return wrong("compression-level", "1 to 22");
  if (settings.parquet.compression == "gzip" && (level < 1 || level > 9))
    return wrong("compression-level", "1 to 9");
  return settings;
}

}  // namespace

std::string absolute_uri(const std::string& path) {
  std::string local = path.starts_with("file://") ? path.substr(7) : path;
  if (local.empty() || is_remote(local)) return local;
  std::error_code error;
  auto absolute = std::filesystem::absolute(local, error).lexically_normal().string();
  if (error) return local;
  while (absolute.size() > 1 && absolute.back() == '/') absolute.pop_back();
  return absolute;
}

const std::vector<OptionSpec>& delta_option_specs() {
  static const std::vector<OptionSpec> specs = make_specs();
  return specs;
}

Result<std::unique_ptr<DeltaSink>> create_delta_sink(const SinkContext& context) {
  WEIR_ASSIGN(auto settings, settings_of(context));
  return std::make_unique<DeltaSink>(std::move(settings), real_access(context.storage));
}

Result<std::unique_ptr<DeltaTables>> create_delta_tables(const SinkContext& context) {
  DeltaTablesSettings settings;
  WEIR_ASSIGN(settings.each, settings_of(context));
  if (context.changelog) {
    return Status::invalid("table '" + context.table +
                           "': a changelog goes to one table; 'path' with {column} makes many, and a change "
                           "of that column would leave the old row where it is");
  }
  WEIR_ASSIGN(settings.columns, columns_in_path(settings.each.uri));
  settings.max_tables = static_cast<int>(context.options.integer("max-tables"));
  settings.overflow = context.options.string("overflow-table");
  const std::string table = "table '" + context.table + "': ";
  if (settings.max_tables < 1 || settings.max_tables > 10'000) {
    return Status::invalid(table + "'max-tables' must be 1 to 10000");
  }
  if (settings.overflow.empty() || settings.overflow.find_first_of("/{}") != std::string::npos) {
    return Status::invalid(table + "'overflow-table' must be a name without '/', '{' and '}'");
  }
  for (const std::string& column : settings.columns) {
    auto field = context.schema->GetFieldByName(column);
    if (field == nullptr) {
      return Status::invalid(table + "'path' names '" + column + "', which is not a column of the query");
    }
    if (!partitionable(*field->type())) {
      return Status::invalid(table + "no table can be named by '" + column + "', which is " +
                             sql_type(*field->type()));
    }
  }
  return std::make_unique<DeltaTables>(std::move(settings), real_access(context.storage), context.open_state);
}

bool names_many_tables(const SinkContext& context) {
  return context.options.string("path").find_first_of("{}") != std::string::npos;
}

SinkConnector delta_connector() {
  SinkConnector connector;
  connector.name = "delta";
  connector.summary = "Delta Lake table on local disk or S3; exactly once, positions kept in the table";
  connector.options = delta_option_specs();
  connector.takes_changelog = true;
  connector.changelog_by_key = true;
  connector.create = [](const SinkContext& context) -> Result<std::unique_ptr<Sink>> {
    if (names_many_tables(context)) {
      WEIR_ASSIGN(auto tables, create_delta_tables(context));
      return std::unique_ptr<Sink>(std::move(tables));
    }
    WEIR_ASSIGN(auto sink, create_delta_sink(context));
    return std::unique_ptr<Sink>(std::move(sink));
  };
  connector.check = [](const SinkContext& context) -> Status {
    if (names_many_tables(context)) WEIR_TRY(create_delta_tables(context).status());
    WEIR_ASSIGN(auto sink, create_delta_sink(context));
    Status status = sink->check_table();
    // Unreachable storage is for `check --connect` to tell.
    return status.code() == Code::invalid ? status : Status();
  };
  connector.probe = [](const SinkContext& context) -> Status {
    if (names_many_tables(context)) return create_delta_tables(context).status();
    WEIR_ASSIGN(auto sink, create_delta_sink(context));
    return sink->probe();
  };
  connector.guarantee = [](const Options&) {
    return "exactly once: positions are part of each commit of the table";
  };
  return connector;
}

}  // namespace weir
