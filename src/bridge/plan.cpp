#include <arrow/c/abi.h>
#include <arrow/c/bridge.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <nlohmann/json.hpp>

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
    tables.push_back({{"name", table.name}, {"computed", computed}, {"order", table.order}});
  }
  json views = json::array();
  for (const PlanView& view : request.views) views.push_back({{"name", view.name}, {"query", view.query}});
  return {
      {"tables", tables}, {"views", views}, {"query", request.query}, {"target", request.target != nullptr}};
}

Result<StreamPlan> read_plan(WeirPlan* handle) {
  AbiError error;
  StreamPlan plan;
  ArrowSchema schema{};
  WEIR_TRY(error.status(weir_plan_schema(handle, &schema, error.get())));
  auto imported = arrow::ImportSchema(&schema);
  if (!imported.ok()) return Status::internal(imported.status().ToString());
  plan.schema = imported.MoveValueUnsafe();
  WeirText text{};
  WEIR_TRY(error.status(weir_plan_describe(handle, &text, error.get())));
  const json described = json::parse(take(text), nullptr, false);
  if (described.is_discarded()) return Status::internal("the bridge described a plan in broken JSON");
  plan.tree_json = described["tree"].dump();
  plan.deterministic = described["deterministic"].get<bool>();
  size_t branch = 0;
  for (const auto& source : described["sources"]) {
    WeirFragment* fragment = nullptr;
    WEIR_TRY(error.status(weir_plan_take_fragment(handle, branch++, &fragment, error.get())));
    plan.branches.push_back(
        {source.get<std::string>(), std::make_unique<CompiledFragment>(FragmentHandle(fragment))});
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
