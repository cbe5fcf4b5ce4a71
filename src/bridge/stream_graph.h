// What a stateful query becomes: a graph of nodes that the bridge returns and that operators run.
//
// Stateless work between two stateful nodes is one fragment (DataFusion, batch by batch). Keys, arguments and
// conditions are computed by the fragment in front of a node, so that an operator sees columns only, by
// index. Times are microseconds since 1970-01-01 UTC; TIMESTAMP columns come in their own unit and are
// converted by whoever reads them. A node's `schema` has its visible columns; rows of a changelog have an
// int8 column
// "_weir_weight" (+1 insert, -1 retract) behind them.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace weir {

// How a row comes to its windows. One value, one operator (operators/window_aggregate.h).
struct WindowSpec {
  enum class Assigner {
    tumble,    // [n*size + offset, …)
    hop,       // of `size`, one every `slide`
    cumulate,  // [start, start + k*slide) for k = 1 … size/slide, start as for tumble(size)
    session,   // until `gap` without an event of the key
    attached,  // the rows name their window in the columns start_column and end_column
  };
  Assigner assigner = Assigner::tumble;
  int64_t size_us = 0;
  int64_t slide_us = 0;                    // hop: between two starts; cumulate: the step
  int64_t gap_us = 0;                      // session
  int64_t offset_us = 0;                   // of windows against 1970-01-01; not for sessions
  int time_column = -1;                    // of the input; -1: attached
  int start_column = -1, end_column = -1;  // attached
  bool processing_time = false;            // rows are in the window of the moment at which they arrive
  // The least difference between two event times: 1000 for TIMESTAMP(3), 1 for (6). A window is complete when
  // watermark >= end - tick.
  int64_t tick_us = 1000;
};

// function: count, sum, avg, min, max, first_value, last_value, string_agg, array_agg, stddev_samp,
// stddev_pop, var_samp, var_pop. count without arguments counts rows.
struct AggregateCall {
  std::string function;
  std::vector<int> arguments;  // input columns
  int filter = -1;             // a BOOLEAN input column: FILTER (WHERE …)
  bool distinct = false;
  std::string separator;                  // string_agg
  std::shared_ptr<arrow::DataType> type;  // of the result, as DataFusion typed it
};

// A column of a window aggregate's output beside its keys and aggregates.
enum class WindowColumn { start, end, time };  // TIMESTAMP(3); time = end - 1 ms

struct SortColumn {
  int column = 0;
  bool descending = false;
  bool nulls_first = false;
};

enum class NodeKind {
  scan,              // rows of `source` after `fragment`
  fragment,          // `fragment` over the one input
  union_all,         // inputs have equal schemas
  window_aggregate,  // output: keys, then window_columns, then aggregates. Append-only, unless lateness is
                     // allowed
  aggregate,         // without a window. Output: keys, then aggregates; a changelog
  window_join,       // inner; rows of one window on both sides. Output: left columns, right columns
  interval_join,     // inner; left_time - right_time in [lower_us, upper_us]. Output: left, right
  join,              // inner, both sides kept for state_ttl. Output: left, right
  lookup_join,       // FOR SYSTEM_TIME AS OF: left rows against the table `source` as it is now
  window_top_n,      // of each window and partition the first `limit` rows by `order`; output: the input's
                 // columns, then the rank (int64) when `with_rank`
};

// Indexes into StreamPlan::graph are topologically ordered: a node's inputs come before it.
struct PlanNode {
  NodeKind kind = NodeKind::scan;
  std::vector<int> inputs;
  std::shared_ptr<arrow::Schema> schema;
  bool changelog = false;  // its rows carry weights
  std::string detail;      // for people: what `weir explain` and the metrics show, "window_aggregate auction"

  std::string source;  // scan, lookup_join: the table
  int fragment = -1;   // scan, fragment: index into StreamPlan::fragments

  WindowSpec window;  // window_aggregate; window_join and window_top_n: attached
  std::vector<int>
      keys;  // window_aggregate, aggregate: without the window; window_top_n: PARTITION BY without it
  std::vector<WindowColumn> window_columns;
  std::vector<AggregateCall> aggregates;

  std::vector<int> left_keys, right_keys;  // joins: equal column types pairwise; NULL matches nothing
  // A fragment over (left columns, right columns) that gives one BOOLEAN; -1: none. Index into fragments.
  int condition = -1;
  int left_time = -1, right_time = -1;  // interval_join
  int64_t lower_us = 0, upper_us = 0;   // inclusive
  WindowSpec right_window;              // window_join: attached, of the right side
  bool left_outer = false;              // lookup_join: LEFT JOIN keeps rows without a match

  std::vector<SortColumn> order;  // window_top_n
  int64_t limit = 0;
  bool with_rank = false;

  // Where a row of this scan stops being useful, for lateness: filled for scans whose consumer keeps time.
  // late: last window's end - tick (of `window` over time_column, as in the consumer), or for an interval
  // join time_column + late_hold_us, is at or below the watermark.
  bool timed = false;
  int64_t late_hold_us = 0;     // interval joins
  bool late_by_window = false;  // `window` above is filled in
  int time_column = -1;         // of the scan's output; its NULLs are errors

  // State that nothing bounds: said at the query's place unless a TTL is set.
  std::string unbounded;     // "the join on a.id = b.id keeps every row of both sides"; "" : bounded
  int line = 0, column = 0;  // where in the query that is said; 0: unknown
};

}  // namespace weir
