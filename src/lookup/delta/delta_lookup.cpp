#include "lookup/delta/delta_lookup.h"

#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <arrow/type.h>

#include <utility>

#include "bridge/bridge.h"
#include "lookup/declared_rows.h"
#include "lookup/full_table.h"
#include "lookup/lookup_options.h"

namespace weir {
namespace {

std::string quoted(const std::string& name) {
  std::string result = "\"";
  for (const char c : name) result += c == '"' ? std::string("\"\"") : std::string(1, c);
  return result + "\"";
}

class DeltaTableSource final : public FullTableSource {
 public:
  explicit DeltaTableSource(const LookupContext& context)
      : schema_(context.schema),
        uri_(context.options.string("path")),
        storage_(bridge::storage_options(context.storage)) {}

  Result<std::string> stamp() override {
    if (handle_ == nullptr) {
      WEIR_ASSIGN(handle_, bridge::DeltaTable::open(uri_, storage_));
    } else {
      WEIR_TRY(handle_->refresh());
    }
    return std::to_string(handle_->version());
  }

  Result<std::shared_ptr<arrow::RecordBatch>> load() override {
    const std::string what = "Delta table '" + uri_ + "'";
    WEIR_ASSIGN(auto existing, handle_->schema());
    std::string columns;
    for (const auto& field : schema_->fields()) {
      if (existing->GetFieldByName(field->name()) == nullptr)
        return Status::invalid(what + " has no column '" + field->name() + "'");
      columns += (columns.empty() ? "" : ", ") + quoted(field->name());
    }
    WEIR_ASSIGN(auto reader,
                bridge::query({{"", "looked_up", uri_, storage_}}, "SELECT " + columns + " FROM looked_up"));
    auto table = reader->ToTable();
    if (!table.ok()) return Status::unavailable(what + ": " + table.status().message());
    return declared_rows(**table, schema_, what);
  }

 private:
  std::shared_ptr<arrow::Schema> schema_;
  std::string uri_;
  bridge::StorageOptions storage_;
  std::unique_ptr<bridge::DeltaTable> handle_;
};

}  // namespace

LookupConnector delta_lookup_connector() {
  LookupConnector connector;
  connector.name = "delta";
  connector.summary = "a Delta Lake table on local disk or S3, held in memory and read anew when it changes";
  connector.options = {
      required(option("path", OptionType::string, "", "folder of the table: local, or s3://bucket/path"))};
  for (OptionSpec& spec : lookup_option_specs({"FULL"}, "10 s")) connector.options.push_back(std::move(spec));
  for (OptionSpec& spec : s3_option_specs()) connector.options.push_back(std::move(spec));
  connector.check = check_lookup_options;
  connector.create = [](LookupContext context) -> Result<std::shared_ptr<LookupTable>> {
    return std::shared_ptr<LookupTable>(std::make_shared<FullTable>(
        full_table_settings(context), std::make_unique<DeltaTableSource>(context)));
  };
  return connector;
}

}  // namespace weir
