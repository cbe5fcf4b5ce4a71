// What has been appended since the last cut, and the commit requests that follow from it. No I/O.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "plan/pipeline_plan.h"
#include "runtime/set_state.h"
#include "sinks/sink.h"

namespace weir {

struct CutPartition {
  std::shared_ptr<PartitionState> partition;
  int64_t from = 0;
  int64_t next = 0;
  std::vector<InsertCounts> counts;  // by SetPlan::inserts
};

struct Cut {
  std::map<std::string, CutPartition> partitions;  // by app id; only those that moved
  int64_t events = 0, rows = 0, errors = 0, filtered = 0;

  bool empty() const { return partitions.empty(); }
  void add(const Unit& unit);
  void add(const Cut& later);
  // For the table of `sink` (an index into set.sinks): the ranges above its stand. The authority's ledger
  // holds the entries of all INSERTs of the set, another table's those of its own.
  CommitRequest request(const SetPlan& set, size_t sink, bool authority) const;
  // For the error lake of one source.
  CommitRequest error_request(size_t source) const;
};

}  // namespace weir
