// A Delta table whose commits meet with the network: for tests of the sink.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bridge/bridge.h"

namespace weir {

// What the network does to the next commits.
enum class Fate { arrives, answer_lost, request_lost, beaten };

class UnluckyTable final : public bridge::DeltaTable {
 public:
  UnluckyTable(std::unique_ptr<bridge::DeltaTable> table, std::vector<Fate>& fates,
               std::function<void()> rival)
      : table_(std::move(table)), fates_(fates), rival_(std::move(rival)) {}

  Status refresh() override { return table_->refresh(); }
  int64_t version() const override { return table_->version(); }
  Result<std::shared_ptr<arrow::Schema>> schema() const override { return table_->schema(); }
  std::vector<std::string> partition_columns() const override { return table_->partition_columns(); }
  Result<std::vector<bridge::AddFile>> files() const override { return table_->files(); }
  Result<std::optional<int64_t>> transaction_version(const std::string& app_id) const override {
    return table_->transaction_version(app_id);
  }
  Result<std::map<std::string, int64_t>> transactions(const std::string& prefix) const override {
    return table_->transactions(prefix);
  }
  Result<int64_t> commit(const bridge::DeltaCommit& commit) override {
    Fate fate = Fate::arrives;
    if (!fates_.empty()) {
      fate = fates_.front();
      fates_.erase(fates_.begin());
    }
    if (fate == Fate::request_lost) return Status::unavailable("the request was lost");
    if (fate == Fate::beaten) rival_();
    auto result = table_->commit(commit);
    if (fate == Fate::answer_lost) return Status::unavailable("the answer was lost");
    return result;
  }

 private:
  std::unique_ptr<bridge::DeltaTable> table_;
  std::vector<Fate>& fates_;
  std::function<void()> rival_;
};

}  // namespace weir
