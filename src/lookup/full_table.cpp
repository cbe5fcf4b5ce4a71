#include "lookup/full_table.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <utility>

#include "lookup/key_batch.h"
#include "lookup/retry.h"
#include "state/key_table.h"

namespace weir {

// Rows by the values of some columns.
class FullTable::Index {
 public:
  static Result<std::unique_ptr<Index>> create(const arrow::RecordBatch& rows,
                                               const std::vector<std::string>& columns) {
    WEIR_ASSIGN(auto keys, LookupKeys::create(*rows.schema(), columns));
    std::unique_ptr<Index> index(new Index(std::move(keys)));
    WEIR_TRY(index->fill(rows));
    return index;
  }

  void find(const arrow::RecordBatch& keys, LookupMatches& matches) const {
    EncodedKeys encoded;
    keys_.encode(keys, encoded);
    const auto asked = rows_with_key(encoded);
    std::vector<uint32_t> entries(asked.size());
    table_.find(encoded, asked.data(), asked.size(), entries.data());
    matches.left.reserve(asked.size());
    matches.right.reserve(asked.size());
    for (size_t i = 0; i < asked.size(); ++i) {
      if (entries[i] == KeyTable::kNone) continue;
      for (uint32_t at = begins_[entries[i]]; at < begins_[entries[i] + 1]; ++at) {
        matches.left.push_back(static_cast<int32_t>(asked[i]));
        matches.right.push_back(static_cast<int32_t>(rows_[at]));
      }
    }
  }

 private:
  explicit Index(LookupKeys keys) : keys_(std::move(keys)), table_(keys_.width(), 8) {}

  // rows_ holds row numbers entry by entry, begins_[entry] where an entry's begin.
  Status fill(const arrow::RecordBatch& rows) {
    EncodedKeys encoded;
    keys_.encode(*keys_.pick(rows), encoded);
    const auto with_key = rows_with_key(encoded);
    std::vector<uint32_t> entries(with_key.size());
    WEIR_TRY(table_.find_or_insert(encoded, with_key.data(), with_key.size(), entries.data()));
    begins_.assign(table_.size() + 1, 0);
    for (const uint32_t entry : entries) ++begins_[entry + 1];
    for (size_t i = 1; i < begins_.size(); ++i) begins_[i] += begins_[i - 1];
    std::vector<uint32_t> at(begins_.begin(), begins_.end() - 1);
    rows_.resize(with_key.size());
    for (size_t i = 0; i < with_key.size(); ++i) rows_[at[entries[i]]++] = with_key[i];
    return {};
  }

  LookupKeys keys_;
  KeyTable table_;
  std::vector<uint32_t> begins_, rows_;
};

struct FullTable::Snapshot {
  std::shared_ptr<arrow::RecordBatch> rows;
  std::mutex mutex;                                                    // of indexes
  std::map<std::vector<std::string>, std::unique_ptr<Index>> indexes;  // by key columns; they only grow

  Result<const Index*> index(const std::vector<std::string>& columns) {
    std::lock_guard lock(mutex);
    auto found = indexes.find(columns);
    if (found == indexes.end()) {
      WEIR_ASSIGN(auto made, Index::create(*rows, columns));
      found = indexes.emplace(columns, std::move(made)).first;
    }
    return static_cast<const Index*>(found->second.get());
  }
};

FullTable::FullTable(FullTableSettings settings, std::unique_ptr<FullTableSource> source)
    : settings_(std::move(settings)), source_(std::move(source)) {}

FullTable::~FullTable() = default;

Result<LookupMatches> FullTable::lookup(const arrow::RecordBatch& keys,
                                        const std::vector<std::string>& columns) {
  WEIR_ASSIGN(auto snapshot, current());
  WEIR_ASSIGN(const Index* index, snapshot->index(columns));
  LookupMatches matches;
  matches.rows = snapshot->rows;
  index->find(keys, matches);
  return matches;
}

// The rows as they are now; old ones are never kept beyond the interval, so that a table that went away is
// noticed.
Result<std::shared_ptr<FullTable::Snapshot>> FullTable::current() {
  std::lock_guard lock(mutex_);
  if (snapshot_ == nullptr || settings_.clock->monotonic_ns() >= next_look_ns_) {
    WEIR_TRY(refresh());
    next_look_ns_ = settings_.clock->monotonic_ns() +
                    std::chrono::duration_cast<std::chrono::nanoseconds>(settings_.reload_interval).count();
  }
  return snapshot_;
}

Status FullTable::refresh() {
  auto stamp = with_retries(settings_.max_retries, *settings_.clock, [&] { return source_->stamp(); });
  if (!stamp.ok()) return stamp.status();
  if (snapshot_ != nullptr && *stamp == stamp_) return {};
  auto rows = with_retries(settings_.max_retries, *settings_.clock, [&] { return source_->load(); });
  if (!rows.ok()) return rows.status();
  auto fresh = std::make_shared<Snapshot>();
  fresh->rows = *std::move(rows);
  if (settings_.log && snapshot_ != nullptr) {
    settings_.log("table '" + settings_.table + "': changed, " + std::to_string(fresh->rows->num_rows()) +
                  " rows from now on");
  }
  snapshot_ = std::move(fresh);
  stamp_ = *std::move(stamp);
  return {};
}

}  // namespace weir
