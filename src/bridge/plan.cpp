#include <arrow/c/abi.h>
#include <arrow/c/bridge.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <utility>

#include "bridge/abi.h"
#include "bridge/bridge.h"

namespace weir::bridge {

namespace {

using nlohmann::json;
using PlanHandle = std::unique_ptr<WeirPlan, HandleFree<WeirPlan, weir_plan_free>>;
using FragmentHandle = std::unique_ptr<WeirFragment, HandleFree<WeirFragment, weir_fragment_free>>;

class CompiledFragment final : public Fragment {
 public:
  explicit CompiledFragment(FragmentHandle handle) : handle_(std::move(handle)) {}

  Result<std::shared_ptr<arrow::RecordBatch>> eval(const std::shared_ptr<arrow::RecordBatch>& rows,
                                                   int64_t now_us) const override {
    ArrowArray array{};
    ArrowSchema schema{};
    if (auto exported = arrow::ExportRecordBatch(*rows, &array, &schema); !exported.ok()) {
      return Status::internal(exported.ToString());
    }
    ArrowArray result{};
    ArrowSchema result_schema{};
    AbiError error;
    const int32_t code =
        weir_fragment_eval(handle_.get(), &array, &schema, now_us, &result, &result_schema, error.get());
    if (array.release != nullptr) array.release(&array);
    if (schema.release != nullptr) schema.release(&schema);
    if (code != WEIR_OK) return error.status(code);
    auto batch = arrow::ImportRecordBatch(&result, &result_schema);
    if (!batch.ok()) return Status::internal(batch.status().ToString());
    return batch.MoveValueUnsafe();
  }

 private:
  FragmentHandle handle_;
};

// Schemas on their way to Rust; releases those that Rust did not take.
class ExportedSchemas {
 public:
  ExportedSchemas() = default;
  ExportedSchemas(const ExportedSchemas&) = delete;
  ExportedSchemas& operator=(const ExportedSchemas&) = delete;
  ~ExportedSchemas() {
    for (auto& schema : schemas_) {
      if (schema->release != nullptr) schema->release(schema.get());
    }
  }
  Status add(const arrow::Schema& schema) {
    schemas_.push_back(std::make_unique<ArrowSchema>());
    if (auto exported = arrow::ExportSchema(schema, schemas_.back().get()); !exported.ok()) {
      return Status::invalid(exported.ToString());
    }
    return {};
  }
  std::vector<ArrowSchema*> pointers() const {
    std::vector<ArrowSchema*> result;
    for (const auto& schema : schemas_) result.push_back(schema.get());
    return result;
  }

 private:
  std::vector<std::unique_ptr<ArrowSchema>> schemas_;
};

json request_json(const PlanRequest& request) {
  json tables = json::array();
  for (const PlanTable& table : request.tables) {
    json computed = json::array();
    for (const auto& [name, expression] : table.computed) computed.push_back({name, expression});
    tables.push_back({{"name", table.name},
                      {"computed", computed},
                      {"order", table.order},
                      {"time_column", table.time_column},
                      {"changelog", table.changelog},
                      {"lookup", table.lookup}});
  }
  json views = json::array();
  for (const PlanView& view : request.views) views.push_back({{"name", view.name}, {"query", view.query}});
  return {
      {"tables", tables}, {"views", views}, {"query", request.query}, {"target", request.target != nullptr}};
}

// ---- the graph, as rust/bridge/src/graph.rs describes it

template <typename Value>
Result<Value> named(const std::string& name, std::initializer_list<std::pair<const char*, Value>> values) {
  for (const auto& [text, value] : values) {
    if (name == text) return value;
  }
  return Status::internal("the bridge's plan has an unknown '" + name + "'");
}

Result<WindowSpec> read_window(const json& described) {
  using Assigner = WindowSpec::Assigner;
  WindowSpec window;
  auto assigner = named<Assigner>(described["assigner"], {{"tumble", Assigner::tumble},
                                                          {"hop", Assigner::hop},
                                                          {"cumulate", Assigner::cumulate},
                                                          {"session", Assigner::session},
                                                          {"attached", Assigner::attached}});
  if (!assigner.ok()) return assigner.status();
  window.assigner = *assigner;
  window.size_us = described["size_us"];
  window.slide_us = described["slide_us"];
  window.gap_us = described["gap_us"];
  window.offset_us = described["offset_us"];
  window.time_column = described["time_column"];
  window.start_column = described["start_column"];
  window.end_column = described["end_column"];
  window.processing_time = described["processing_time"];
  window.tick_us = described["tick_us"];
  return window;
}

Status read_aggregates(const json& described, PlanNode& node) {
  for (const auto& name : described["window_columns"]) {
    auto column = named<WindowColumn>(
        name, {{"start", WindowColumn::start}, {"end", WindowColumn::end}, {"time", WindowColumn::time}});
    if (!column.ok()) return column.status();
    node.window_columns.push_back(*column);
  }
  for (const auto& call : described["aggregates"]) {
    AggregateCall aggregate;
    aggregate.function = call["function"];
    aggregate.arguments = call["arguments"].get<std::vector<int>>();
    aggregate.filter = call["filter"];
    aggregate.distinct = call["distinct"];
    aggregate.separator = call["separator"];
    const size_t column = node.keys.size() + node.window_columns.size() + node.aggregates.size();
    aggregate.type = node.schema->field(static_cast<int>(column))->type();
    node.aggregates.push_back(std::move(aggregate));
  }
  return {};
}

Status read_node(const json& described, PlanNode& node) {
  auto kind = named<NodeKind>(described["kind"], {{"scan", NodeKind::scan},
                                                  {"fragment", NodeKind::fragment},
                                                  {"union_all", NodeKind::union_all},
                                                  {"window_aggregate", NodeKind::window_aggregate},
                                                  {"aggregate", NodeKind::aggregate},
                                                  {"window_join", NodeKind::window_join},
                                                  {"interval_join", NodeKind::interval_join},
                                                  {"join", NodeKind::join},
                                                  {"lookup_join", NodeKind::lookup_join},
                                                  {"window_top_n", NodeKind::window_top_n}});
  if (!kind.ok()) return kind.status();
  node.kind = *kind;
  node.inputs = described["inputs"].get<std::vector<int>>();
  node.changelog = described["changelog"];
  node.detail = described["detail"];
  node.source = described["source"];
  node.fragment = described["fragment"];
  for (auto [name, window] :
       {std::pair("window", &node.window), std::pair("right_window", &node.right_window)}) {
    if (described[name].is_null()) continue;
    auto spec = read_window(described[name]);
    if (!spec.ok()) return spec.status();
    *window = *spec;
  }
  node.keys = described["keys"].get<std::vector<int>>();
  WEIR_TRY(read_aggregates(described, node));
  node.left_keys = described["left_keys"].get<std::vector<int>>();
  node.right_keys = described["right_keys"].get<std::vector<int>>();
  node.condition = described["condition"];
  node.left_time = described["left_time"];
  node.right_time = described["right_time"];
  node.lower_us = described["lower_us"];
  node.upper_us = described["upper_us"];
  node.left_outer = described["left_outer"];
  for (const auto& sort : described["order"]) {
    node.order.push_back({sort["column"], sort["descending"], sort["nulls_first"]});
  }
  node.limit = described["limit"];
  node.with_rank = described["with_rank"];
  node.timed = described["timed"];
  node.late_hold_us = described["late_hold_us"];
  node.late_by_window = described["late_by_window"];
  node.time_column = described["time_column"];
  node.unbounded = described["unbounded"];
  node.line = described["line"];
  node.column = described["column"];
  return {};
}

Result<std::shared_ptr<arrow::Schema>> imported(ArrowSchema* schema) {
  auto result = arrow::ImportSchema(schema);
  if (!result.ok()) return Status::internal(result.status().ToString());
  return result.MoveValueUnsafe();
}

Result<std::unique_ptr<Fragment>> take_fragment(WeirPlan* handle, size_t index) {
  AbiError error;
  WeirFragment* fragment = nullptr;
  WEIR_TRY(error.status(weir_plan_take_fragment(handle, index, &fragment, error.get())));
  return std::unique_ptr<Fragment>(std::make_unique<CompiledFragment>(FragmentHandle(fragment)));
}

Status read_graph(WeirPlan* handle, const json& described, StreamPlan& plan) {
  int fragments = 0;
  for (const auto& entry : described["nodes"]) {
    PlanNode node;
    AbiError error;
    ArrowSchema schema{};
    WEIR_TRY(error.status(weir_plan_node_schema(handle, plan.graph.size(), &schema, error.get())));
    auto columns = imported(&schema);
    if (!columns.ok()) return columns.status();
    node.schema = *std::move(columns);
    WEIR_TRY(read_node(entry, node));
    fragments = std::max({fragments, node.fragment + 1, node.condition + 1});
    plan.graph.push_back(std::move(node));
  }
  for (int index = 0; index < fragments; ++index) {
    auto fragment = take_fragment(handle, static_cast<size_t>(index));
    if (!fragment.ok()) return fragment.status();
    plan.fragments.push_back(*std::move(fragment));
  }
  plan.changelog = !plan.graph.empty() && plan.graph.back().changelog;
  for (const auto& source : described["sources"]) plan.branches.push_back({source, nullptr});
  return {};
}

Result<StreamPlan> read_plan(WeirPlan* handle) {
  AbiError error;
  StreamPlan plan;
  ArrowSchema schema{};
  WEIR_TRY(error.status(weir_plan_schema(handle, &schema, error.get())));
  auto columns = imported(&schema);
  if (!columns.ok()) return columns.status();
  plan.schema = *std::move(columns);
  WeirText text{};
  WEIR_TRY(error.status(weir_plan_describe(handle, &text, error.get())));
  const json described = json::parse(take(text), nullptr, false);
  if (described.is_discarded()) return Status::internal("the bridge described a plan in broken JSON");
  plan.tree_json = described["tree"].dump();
  plan.deterministic = described["deterministic"].get<bool>();
  if (!described["nodes"].is_null()) {
    WEIR_TRY(read_graph(handle, described, plan));
    return plan;
  }
  size_t branch = 0;
  for (const auto& source : described["sources"]) {
    auto fragment = take_fragment(handle, branch++);
    if (!fragment.ok()) return fragment.status();
    plan.branches.push_back({source.get<std::string>(), *std::move(fragment)});
  }
  return plan;
}

}  // namespace

PlanResult plan_query(const PlanRequest& request) {
  PlanResult result;
  ExportedSchemas schemas;
  auto export_all = [&]() -> Status {
    for (const PlanTable& table : request.tables) WEIR_TRY(schemas.add(*table.schema));
    if (request.target) WEIR_TRY(schemas.add(*request.target));
    return {};
  };
  if (Status exported = export_all(); !exported.ok()) {
    result.error.status = exported;
    return result;
  }
  const auto pointers = schemas.pointers();
  std::string text;
  try {
    text = request_json(request).dump();
  } catch (const json::exception&) {
    result.error.status = Status::invalid("the query is not valid UTF-8");
    return result;
  }
  AbiError error;
  WeirPlan* raw = nullptr;
  const int32_t code = weir_plan(slice(text), pointers.data(), pointers.size(), &raw, error.get());
  PlanHandle handle(raw);
  if (code != WEIR_OK) {
    result.error = {error.status(code), error.line(), error.column(), error.view()};
    return result;
  }
  auto plan = read_plan(handle.get());
  if (plan.ok()) {
    result.plan = *std::move(plan);
  } else {
    result.error.status = plan.status();
  }
  return result;
}

std::vector<std::string> scalar_functions() {
  AbiError error;
  WeirText text{};
  if (weir_scalar_functions(&text, error.get()) != WEIR_OK) return {};
  return json::parse(take(text)).get<std::vector<std::string>>();
}

}  // namespace weir::bridge
