#include "runtime/cut.h"

#include <algorithm>

namespace weir {

void Cut::add(const Unit& unit) {
  CutPartition& entry = partitions[unit.partition->app_id];
  if (entry.partition == nullptr) {
    entry.partition = unit.partition;
    entry.from = unit.from;
    entry.counts.resize(unit.processed.counts.size());
  } else {
    WEIR_CHECK(entry.next == unit.from, "units of one partition must follow each other");
  }
  entry.next = unit.next;
  events += unit.events;
  errors += unit.failed;
  for (size_t i = 0; i < unit.processed.counts.size(); ++i) {
    entry.counts[i].add(unit.processed.counts[i]);
    rows += unit.processed.counts[i].emitted;
    filtered += unit.processed.counts[i].filtered;
  }
}

void Cut::add(const Cut& later) {
  for (const auto& [app_id, from] : later.partitions) {
    auto [entry, added] = partitions.try_emplace(app_id, from);
    if (added) continue;
    entry->second.next = from.next;
    for (size_t i = 0; i < from.counts.size(); ++i) entry->second.counts[i].add(from.counts[i]);
  }
  events += later.events;
  rows += later.rows;
  errors += later.errors;
  filtered += later.filtered;
}

CommitRequest Cut::request(const SetPlan& set, size_t sink, bool authority) const {
  CommitRequest request;
  request.authority = authority;
  auto sink_index = [&](const InsertPlan& insert) {
    return static_cast<size_t>(std::find(set.sinks.begin(), set.sinks.end(), insert.sink) -
                               set.sinks.begin());
  };
  for (const auto& [app_id, entry] : partitions) {
    int64_t from = std::max(entry.from, entry.partition->sink_stands[sink]);
    if (from < entry.next) request.ranges.push_back({app_id, from, entry.next});
    for (size_t i = 0; i < set.inserts.size(); ++i) {
      size_t target = sink_index(*set.inserts[i]);
      if (target != sink && !authority) continue;
      const auto& branches = set.inserts[i]->plan.branches;
      const std::string& source = set.sources[entry.partition->source]->table.name;
      bool reads =
          std::any_of(branches.begin(), branches.end(), [&](const auto& b) { return b.source == source; });
      int64_t start = std::max(entry.from, entry.partition->sink_stands[target]);
      if (!reads || start >= entry.next) continue;
      const InsertCounts& counts = entry.counts[i];
      request.ledger.push_back({set.inserts[i]->label, app_id, start, entry.next, counts.read, counts.kept,
                                counts.filtered, counts.errored, counts.emitted});
    }
  }
  return request;
}

CommitRequest Cut::error_request(size_t source) const {
  CommitRequest request;
  for (const auto& [app_id, entry] : partitions) {
    if (entry.partition->source != source) continue;
    int64_t from = std::max(entry.from, entry.partition->error_stand);
    if (from < entry.next) request.ranges.push_back({app_id, from, entry.next});
  }
  return request;
}

}  // namespace weir
