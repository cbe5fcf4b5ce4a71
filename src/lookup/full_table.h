// A lookup table that is held in memory as a whole and read anew when it has changed.
#pragma once

#include <arrow/type_fwd.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "operators/lookup_table.h"

namespace weir {

// Where the rows come from. Called by one thread at a time.
class FullTableSource {
 public:
  virtual ~FullTableSource() = default;
  // Changes whenever the rows may have: a version, a file's time and size. Cheap.
  virtual Result<std::string> stamp() = 0;
  // All rows, in the declared columns.
  virtual Result<std::shared_ptr<arrow::RecordBatch>> load() = 0;
};

struct FullTableSettings {
  std::string table;
  std::shared_ptr<arrow::Schema> schema;
  std::chrono::milliseconds reload_interval{0};  // between two looks at the stamp
  int max_retries = 3;
  const Clock* clock = nullptr;
  std::function<void(const std::string&)> log;
};

class FullTable final : public LookupTable {
 public:
  FullTable(FullTableSettings settings, std::unique_ptr<FullTableSource> source);
  ~FullTable() override;
  const std::shared_ptr<arrow::Schema>& schema() const override { return settings_.schema; }
  Result<LookupMatches> lookup(const arrow::RecordBatch& keys,
                               const std::vector<std::string>& columns) override;

 private:
  class Index;
  struct Snapshot;

  Result<std::shared_ptr<Snapshot>> current();
  Status refresh();

  FullTableSettings settings_;
  std::mutex mutex_;  // of what follows
  std::unique_ptr<FullTableSource> source_;
  std::shared_ptr<Snapshot> snapshot_;  // shared with lookups that are under way while it is replaced
  std::string stamp_;
  int64_t next_look_ns_ = 0;
};

}  // namespace weir
