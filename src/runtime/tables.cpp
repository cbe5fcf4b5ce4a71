#include "runtime/tables.h"

#include "runtime/refused_rows.h"
#include "sinks/delta/delta_connector.h"
#include "sinks/error_lake/error_lake.h"

namespace weir {
namespace {

// A Delta table of Weir's own (error lake, resolutions) with default options.
SinkContext own_table(const PipelinePlan& plan, const std::string& name, const std::string& uri,
                      std::shared_ptr<arrow::Schema> schema, const Clock& clock) {
  SinkContext context;
  context.pipeline = plan.spec.name;
  context.table = name;
  context.schema = std::move(schema);
  std::map<std::string, OptionValue> values;
  values["path"].text = uri;
  values["positions"].text = "false";
  context.options = Options(delta_option_specs(), std::move(values));
  context.storage = plan.storage;
  context.clock = &clock;
  return context;
}

Result<std::unique_ptr<ObjectStore>> open_objects(const PipelinePlan& plan, const std::string& root) {
  if (root.starts_with("s3://")) return bridge::open_s3_objects(root, bridge::storage_options(plan.storage));
  return open_local_objects(root);
}

}  // namespace

SinkContext sink_context(const PipelinePlan& plan, const SinkPlan& sink, const Clock& clock) {
  SinkContext context;
  context.pipeline = plan.spec.name;
  context.table = sink.name;
  context.schema = sink.schema;
  context.options = sink.options;
  context.primary_key = sink.primary_key;
  context.changelog = sink.changelog;
  context.storage = sink.storage;
  context.clock = &clock;
  return context;
}

SinkContext error_sink_context(const PipelinePlan& plan, const SourcePlan& source, const Clock& clock) {
  const std::string root = plan.spec.settings.string("error-lake.path");
  return own_table(plan, "errors." + source.table.name,
                   error_table_uri(root, plan.spec.name, source.table.name), error_lake_schema(), clock);
}

SinkContext resolution_sink_context(const PipelinePlan& plan, const Clock& clock) {
  const std::string root = plan.spec.settings.string("error-lake.path");
  return own_table(plan, "errors._resolved", resolved_table_uri(root, plan.spec.name), resolution_schema(),
                   clock);
}

Result<std::unique_ptr<Sink>> create_sink(const PipelinePlan& plan, const SinkPlan& sink, const Clock& clock,
                                          const std::function<void(const std::string&)>& log) {
  SinkContext context = sink_context(plan, sink, clock);
  context.log = log;
  context.open_state = [&plan, name = sink.name] {
    return open_objects(plan,
                        plan.spec.settings.string("state.path") + "/" + plan.spec.name + "/sinks/" + name);
  };
  context.store_refused = [&plan, &clock, name = sink.name](const RefusedRows& refused) {
    return store_refused_rows(plan, name, refused, clock);
  };
  return sink.connector->create(std::move(context));
}

Result<std::unique_ptr<Sink>> create_error_sink(const PipelinePlan& plan, const SourcePlan& source,
                                                const Clock& clock) {
  WEIR_ASSIGN(auto sink, create_delta_sink(error_sink_context(plan, source, clock)));
  return std::unique_ptr<Sink>(std::move(sink));
}

Result<std::unique_ptr<Sink>> create_resolution_sink(const PipelinePlan& plan, const Clock& clock) {
  WEIR_ASSIGN(auto sink, create_delta_sink(resolution_sink_context(plan, clock)));
  return std::unique_ptr<Sink>(std::move(sink));
}

Result<std::unique_ptr<ObjectStore>> open_state_objects(const PipelinePlan& plan) {
  return open_objects(plan, plan.spec.settings.string("state.path"));
}

Result<std::unique_ptr<ObjectStore>> open_error_objects(const PipelinePlan& plan) {
  return open_objects(plan, plan.spec.settings.string("error-lake.path"));
}

std::vector<bridge::QueryTable> query_tables(const PipelinePlan& plan) {
  std::vector<bridge::QueryTable> tables;
  for (const auto& sink : plan.sinks) {
    // A path with {column} in it is many tables.
    if (sink->connector->name != "delta" || sink->options.string("path").find('{') != std::string::npos)
      continue;
    tables.push_back({"", sink->name, sink->options.string("path"), bridge::storage_options(sink->storage)});
  }
  const std::string root = plan.spec.settings.string("error-lake.path");
  auto storage = bridge::storage_options(plan.storage);
  for (const auto& source : plan.sources) {
    tables.push_back(
        {"errors", source->table.name, error_table_uri(root, plan.spec.name, source->table.name), storage});
  }
  tables.push_back({"errors", "_resolved", resolved_table_uri(root, plan.spec.name), storage});
  return tables;
}

}  // namespace weir
