#include "plan/lookup_plan.h"

#include <arrow/type.h>

#include <utility>

namespace weir {
namespace {

LookupContext context_of(const LookupPlan& plan) {
  LookupContext context;
  context.table = plan.table.name;
  context.columns = plan.table.columns;
  context.schema = plan.schema;
  context.primary_key = plan.table.primary_key;
  context.options = plan.options;
  context.format_name = plan.format_name;
  context.format = plan.format;
  context.storage = plan.storage;
  return context;
}

// A lookup's rows are taken as they are.
bool nothing_added(const TableSpec& table, Diagnostics& diagnostics) {
  const std::string name = "'" + table.name + "' is looked up (FOR SYSTEM_TIME AS OF), and ";
  if (!table.checks.empty()) {
    diagnostics.error(table.checks[0].location, name +
                                                    "its rows are taken as they are: put this into the ON "
                                                    "or WHERE of the query");
    return false;
  }
  if (!table.watermark_column.empty()) {
    diagnostics.error(table.watermark_location,
                      name + "has no event time: it is read as it is at that moment; leave WATERMARK out");
    return false;
  }
  return true;
}

}  // namespace

std::unique_ptr<LookupPlan> make_lookup_plan(const TableSpec& table, const Registry& registry,
                                             const std::map<std::string, std::string>& storage,
                                             Diagnostics& diagnostics) {
  const LookupConnector* connector = registry.lookup(table.connector);
  if (connector == nullptr) {
    std::string names;
    for (const LookupConnector& one : registry.lookups)
      names += (names.empty() ? "'" : ", '") + one.name + "'";
    diagnostics.error(table.connector_location,
                      "a table of the connector '" + table.connector +
                          "' cannot be looked up (FOR SYSTEM_TIME AS OF): only those "
                          "of " +
                          names + " can");
    return nullptr;
  }
  if (!nothing_added(table, diagnostics)) return nullptr;
  auto plan = std::make_unique<LookupPlan>();
  plan->table = table;
  plan->connector = connector;
  std::vector<OptionSpec> specs = connector->options;
  if (!connector->formats.empty()) {
    specs.push_back(one_of("format", connector->formats, "what the file holds"));
    const auto given = table.options.find("format");
    plan->format_name = given == table.options.end() ? connector->formats[0] : given->second.text;
    plan->format = registry.format(plan->format_name);
    if (plan->format != nullptr)
      specs.insert(specs.end(), plan->format->options.begin(), plan->format->options.end());
  }
  plan->options = validate_options("connector '" + connector->name + "'", specs, table.options,
                                   table.connector_location, diagnostics);
  if (diagnostics.has_errors()) return nullptr;
  arrow::FieldVector fields;
  for (const ColumnSpec& column : table.columns)
    fields.push_back(arrow::field(column.name, column.type.arrow, column.nullable));
  plan->schema = arrow::schema(std::move(fields));
  plan->storage = storage;
  for (const auto& [name, value] : plan->options.with_prefix("s3.")) plan->storage[name] = value;
  Status status = connector->check(context_of(*plan));
  if (!status.ok()) {
    diagnostics.error(table.location, status);
    return nullptr;
  }
  return plan;
}

Result<std::shared_ptr<LookupTable>> open_lookup(const LookupPlan& plan, const Clock& clock,
                                                 std::function<void(const std::string&)> log) {
  LookupContext context = context_of(plan);
  context.clock = &clock;
  context.log = std::move(log);
  return plan.connector->create(std::move(context));
}

}  // namespace weir
