// For tests: records in memory, and appends that fail on order.
#pragma once

#include <string>
#include <vector>

#include "registry/append_log.h"

namespace weir {

struct MemoryRecords {
  std::vector<std::string> records;
  Status next_append;                // fails the next append
  bool stored_all_the_same = false;  // although it fails
  bool readable = true;
};

class MemoryLog final : public AppendLog {
 public:
  explicit MemoryLog(MemoryRecords& records) : records_(records) {}

  Result<int64_t> read(int64_t from, const std::function<Status(std::string_view)>& each) override {
    if (!records_.readable) return Status::unavailable("the disk does not answer");
    for (auto i = static_cast<size_t>(from); i < records_.records.size(); ++i) {
      WEIR_TRY(each(records_.records[i]));
    }
    return static_cast<int64_t>(records_.records.size());
  }

  Result<int64_t> append(std::string_view record) override {
    const Status status = std::exchange(records_.next_append, Status());
    if (status.ok() || records_.stored_all_the_same) records_.records.emplace_back(record);
    if (!status.ok()) return status;
    return static_cast<int64_t>(records_.records.size());
  }

 private:
  MemoryRecords& records_;
};

}  // namespace weir
