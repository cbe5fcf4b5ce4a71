#include <arrow/c/abi.h>
#include <arrow/c/bridge.h>
#include <arrow/type.h>

#include <nlohmann/json.hpp>

#include "bridge/abi.h"
#include "bridge/bridge.h"

namespace weir::bridge {

namespace {

using nlohmann::json;
using DeltaHandle = std::unique_ptr<WeirDelta, HandleFree<WeirDelta, weir_delta_free>>;

class RustDeltaTable final : public DeltaTable {
 public:
  explicit RustDeltaTable(DeltaHandle handle) : handle_(std::move(handle)) {}

  Status refresh() override {
    AbiError error;
    return error.status(weir_delta_refresh(handle_.get(), error.get()));
  }

  int64_t version() const override {
    AbiError error;
    int64_t version = -1;
    WEIR_CHECK(weir_delta_version(handle_.get(), &version, error.get()) == WEIR_OK,
               "an open table has a version");
    return version;
  }

  Result<std::shared_ptr<arrow::Schema>> schema() const override {
    AbiError error;
    ArrowSchema schema{};
    WEIR_TRY(error.status(weir_delta_schema(handle_.get(), &schema, error.get())));
    auto imported = arrow::ImportSchema(&schema);
    if (!imported.ok()) return Status::internal(imported.status().ToString());
    return imported.MoveValueUnsafe();
  }

  std::vector<std::string> partition_columns() const override {
    AbiError error;
    WeirText text{};
    const int32_t code = weir_delta_partition_columns(handle_.get(), &text, error.get());
    WEIR_CHECK(code == WEIR_OK, "an open table has partition columns");
    return json::parse(take(text)).get<std::vector<std::string>>();
  }

  Result<std::vector<AddFile>> files() const override {
    AbiError error;
    WeirText text{};
    WEIR_TRY(error.status(weir_delta_files(handle_.get(), &text, error.get())));
    std::vector<AddFile> files;
    for (const json& entry : json::parse(take(text))) {
      AddFile file;
      file.path = entry.at("path").get<std::string>();
      file.size = entry.at("size").get<int64_t>();
      file.modified_ms = entry.at("modified_ms").get<int64_t>();
      for (const auto& [column, value] : entry.at("partition_values").items()) {
        std::optional<std::string> text_of_value;
        if (!value.is_null()) text_of_value = value.get<std::string>();
        file.partition_values.emplace_back(column, std::move(text_of_value));
      }
      file.stats_json = entry.at("stats").get<std::string>();
      files.push_back(std::move(file));
    }
    return files;
  }

  Result<std::optional<int64_t>> transaction_version(const std::string& app_id) const override {
    WEIR_ASSIGN(auto found, read_transactions(app_id, true));
    if (found.empty()) return std::optional<int64_t>();
    return std::optional<int64_t>(found.begin()->second);
  }

  Result<std::map<std::string, int64_t>> transactions(const std::string& prefix) const override {
    return read_transactions(prefix, false);
  }

  Result<int64_t> commit(const DeltaCommit& commit) override {
    json adds = json::array();
    for (const AddFile& file : commit.adds) {
      json values = json::object();
      for (const auto& [column, value] : file.partition_values) {
        values[column] = value ? json(*value) : json(nullptr);
      }
      adds.push_back({{"path", file.path},
                      {"size", file.size},
                      {"modified_ms", file.modified_ms},
                      {"partition_values", std::move(values)},
                      {"stats", file.stats_json}});
    }
    json transactions = json::array();
    for (const auto& [id, version] : commit.transactions) transactions.push_back({id, version});
    json info = json::parse(commit.info_json, nullptr, false);
    if (!info.is_object()) return Status::internal("commit info is not a JSON object");
    json request = {
        {"adds", adds}, {"removes", commit.removes}, {"transactions", transactions}, {"info", info}};
    if (!commit.merge_on.empty()) request["merge_on"] = commit.merge_on;
    std::string text;
    try {
      text = request.dump();
    } catch (const json::exception& failure) {
      return Status::invalid(std::string("a commit holds text that is not UTF-8: ") + failure.what());
    }
    ArrowSchema schema{};
    if (commit.new_schema) {
      if (auto exported = arrow::ExportSchema(*commit.new_schema, &schema); !exported.ok()) {
        return Status::invalid(exported.ToString());
      }
    }
    AbiError error;
    int64_t version = -1;
    const int32_t code = weir_delta_commit(handle_.get(), slice(text), commit.new_schema ? &schema : nullptr,
                                           &version, error.get());
    if (commit.new_schema && schema.release != nullptr) schema.release(&schema);
    if (code != WEIR_OK) return error.status(code);
    return version;
  }

 private:
  Result<std::map<std::string, int64_t>> read_transactions(const std::string& prefix, bool exact) const {
    AbiError error;
    WeirText text{};
    WEIR_TRY(error.status(weir_delta_transactions(handle_.get(), slice(prefix), exact, &text, error.get())));
    return json::parse(take(text)).get<std::map<std::string, int64_t>>();
  }

  DeltaHandle handle_;
};

}  // namespace

Result<std::unique_ptr<DeltaTable>> DeltaTable::open(const std::string& uri, const StorageOptions& storage) {
  AbiError error;
  WeirDelta* raw = nullptr;
  WEIR_TRY(error.status(weir_delta_open(slice(uri), slice(options_json(storage)), &raw, error.get())));
  return std::unique_ptr<DeltaTable>(std::make_unique<RustDeltaTable>(DeltaHandle(raw)));
}

Result<std::unique_ptr<DeltaTable>> DeltaTable::create(const std::string& uri, const StorageOptions& storage,
                                                       const std::shared_ptr<arrow::Schema>& schema,
                                                       const std::vector<std::string>& partition_by,
                                                       const std::map<std::string, std::string>& properties) {
  ArrowSchema exported{};
  if (auto done = arrow::ExportSchema(*schema, &exported); !done.ok())
    return Status::invalid(done.ToString());
  const std::string request = json({{"partition_by", partition_by}, {"properties", properties}}).dump();
  AbiError error;
  WeirDelta* raw = nullptr;
  const int32_t code = weir_delta_create(slice(uri), slice(options_json(storage)), &exported, slice(request),
                                         &raw, error.get());
  if (exported.release != nullptr) exported.release(&exported);
  if (code != WEIR_OK) return error.status(code);
  return std::unique_ptr<DeltaTable>(std::make_unique<RustDeltaTable>(DeltaHandle(raw)));
}

}  // namespace weir::bridge
