// Nexmark's stream of persons, auctions and bids, born as columns.
//
// The benchmark: Tucker, Tufte, Papadimos, Maier, "NEXMark: A Benchmark for Queries over Data Streams"
// (2002); the proportions, hot ratios and identifier windows are those that Beam's and Flink's Nexmark use.
// What is drawn is our own: every field of event n is a function of (seed, n), so that reading may begin
// anywhere. bench/peers/flink holds the same functions in Java: a change here is a change there.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "config/pipeline_spec.h"

namespace weir {

struct NexmarkSettings {
  uint64_t seed = 1;
  int64_t start_us = 0;        // event time of event 0
  int64_t event_rate = 10000;  // events a second of event time
  int64_t person_share = 1, auction_share = 3, bid_share = 46;
  // One in n is not for the hot one.
  int64_t hot_auction_ratio = 2, hot_bidder_ratio = 4, hot_seller_ratio = 4;
  int64_t in_flight_auctions = 100, active_people = 1000;
  int64_t person_bytes = 200, auction_bytes = 500, bid_bytes = 100;  // mean size, by `extra`
};

// event_type INT, person ROW<…>, auction ROW<…>, bid ROW<…>: the table of Flink's Nexmark.
const std::shared_ptr<arrow::Schema>& nexmark_schema();

class NexmarkEvents {
 public:
  // `physical`: some of nexmark_schema()'s columns, with some of their fields, in any order; only these are
  // made. invalid: another name or type, or settings out of range.
  static Result<std::shared_ptr<const NexmarkEvents>> create(const NexmarkSettings& settings,
                                                             const std::vector<ColumnSpec>& physical);

  // The events first, first + stride, … : a row each, by the columns given to create. `times_us` (of `count`)
  // receives their event times, which are cut to milliseconds in the rows. first >= 0. Thread-safe.
  std::shared_ptr<arrow::RecordBatch> make(int64_t first, int64_t stride, int64_t count,
                                           int64_t* times_us) const;

 private:
  struct Rows;
  struct Texts {  // text i is bytes[ends[i - 1], ends[i])
    std::string bytes;
    std::vector<int32_t> ends;
  };
  struct Column {
    std::shared_ptr<arrow::Field> field;
    int entity = -1;          // -1: event_type
    std::vector<int> fields;  // of the entity, by their place in nexmark_schema()
  };

  explicit NexmarkEvents(const NexmarkSettings& settings);

  Rows rows_of(int64_t first, int64_t stride, int64_t count, int64_t* times_us) const;
  std::shared_ptr<arrow::ArrayData> entity_column(const Column& column, const Rows& rows) const;
  std::shared_ptr<arrow::ArrayData> person_field(int field, const Rows& rows) const;
  std::shared_ptr<arrow::ArrayData> auction_field(int field, const Rows& rows) const;
  std::shared_ptr<arrow::ArrayData> bid_field(int field, const Rows& rows) const;

  int64_t active_person(int64_t last_person, uint32_t draw) const;
  int64_t open_auction(int64_t last_auction, uint32_t draw) const;
  int64_t price(uint32_t draw) const;
  uint32_t extra_size(int64_t mean, int64_t used, uint64_t draw) const;

  NexmarkSettings settings_;
  uint64_t key_ = 0;        // of the seed
  int64_t cycle_ = 50;      // events until the kinds repeat
  int64_t horizon_ms_ = 0;  // event time in which in_flight_auctions are opened
  std::vector<int64_t> prices_;
  Texts channels_, urls_;  // the four hot ones, then those that are drawn evenly
  std::shared_ptr<arrow::Schema> schema_;
  std::vector<Column> columns_;
};

}  // namespace weir
