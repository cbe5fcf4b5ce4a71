// The rows of one side of a join: kept, found by key, forgotten by time.
//
// Rows lie in the batches they came in; small batches are merged. Batches lie in segments, a new one whenever
// "now" (the watermark, or processing time) has moved on by roll_us, so that what is old is dropped with its
// index as a whole. An index is made for a batch only once looking through it has cost as much as indexing
// it would: a side that is rarely asked costs next to nothing a row.
//
// Memory is bounded by live rows: a segment of which less than a quarter is alive is written anew.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "state/key_index.h"
#include "state/row_chunks.h"
#include "state/row_keys.h"
#include "state/state_file.h"

namespace weir {

// Pairs of a row that asks and a row that is kept, handed on whenever there are `capacity` of them.
class RowPairs {
 public:
  explicit RowPairs(size_t capacity);
  // `full` uses the pairs; they are gone when it returns.
  void on_full(std::function<Status()> full) { full_ = std::move(full); }
  bool put(uint32_t probe, RowRef stored) {  // true: flush now
    probe_[size_] = probe;
    stored_[size_] = stored;
    return ++size_ == probe_.size();
  }
  Status flush();
  size_t size() const { return size_; }
  const uint32_t* probe() const { return probe_.data(); }
  const RowRef* stored() const { return stored_.data(); }

 private:
  std::vector<uint32_t> probe_;
  std::vector<RowRef> stored_;
  size_t size_ = 0;
  std::function<Status()> full_;
};

// stored time - asking row's time lies in [low_us, high_us].
struct MatchTimes {
  int64_t low_us = 0;
  int64_t high_us = 0;
};

// invalid: restored rows whose column types are not the query's.
Status same_types(const arrow::Schema& found, const arrow::Schema& expected);

class RowStore {
 public:
  // roll_us <= 0: one segment for ever. invalid: as RowKeys::create.
  static Result<RowStore> create(std::shared_ptr<arrow::Schema> schema, std::vector<int> keys,
                                 int time_column, int64_t roll_us);

  RowKeys& keys() { return keys_; }
  const RowChunks& chunks() const { return chunks_; }

  // At most kChunkRows rows, prepared by keys(). now_us never falls.
  Status add(KeyedRows rows, int64_t now_us);
  // Pairs of equal keys (RowKeys::exact() tells how equal), whose times are in `times` when it is given.
  // `probe_keys` are of the other side. Rows may not be added until it returns.
  Status match(KeyedRows& probe, RowKeys& probe_keys, const MatchTimes* times, RowPairs& pairs);
  // Indexes everything now: many are going to ask.
  void index_all();

  // Rows at or before this time are of no more use.
  Status expire(int64_t time_us);
  // Segments whose newest row came at or before this "now" are of no more use.
  void expire_arrivals(int64_t now_us);
  // When the oldest segment's newest row came; INT64_MAX: there are no rows.
  int64_t oldest_arrival() const;

  int64_t rows() const { return rows_; }
  int64_t bytes() const;
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches() const;

  // One section of this name.
  std::unique_ptr<StateSnapshot> snapshot(const std::string& name) const;
  // invalid: rows of other types.
  Status restore(StateReader& reader, const std::string& name);

 private:
  struct Kept {
    KeyedRows rows;
    std::vector<RowRef> next;  // indexed: by row, the next one of the same key
    bool indexed = false;
    int64_t debt = 0;  // what looking through it has cost so far, in quarters of a nanosecond
    int64_t now_us = 0;
  };
  struct Segment {
    std::vector<uint32_t> chunks;
    std::vector<uint32_t> unindexed;  // of `chunks`, in the same order
    size_t tail = 0;                  // chunks from here on are small, unindexed and may be merged
    KeyIndex index;
    int64_t rows = 0;
    int64_t first_now_us = 0, last_now_us = 0;
    int64_t min_time_us = std::numeric_limits<int64_t>::max();
    int64_t max_time_us = std::numeric_limits<int64_t>::min();
    int64_t next_check_us = std::numeric_limits<int64_t>::min();  // of how much is alive
  };

  RowStore(RowKeys keys, std::shared_ptr<arrow::Schema> schema);
  Result<uint32_t> keep(KeyedRows rows, int64_t now_us);
  Status append(Segment& segment, KeyedRows rows, int64_t now_us);
  Status merge_tail(Segment& segment);
  void index_chunk(Segment& segment, uint32_t chunk);
  void forget(uint32_t chunk);
  void drop(Segment& segment);
  Status rewrite(Segment segment, int64_t time_us);
  void index_where_cheaper(Segment& segment, size_t probe_rows, const KeyedRows& probe,
                           const MatchTimes* times);
  template <bool kTimed>
  Status match_index(const Segment& segment, const KeyedRows& probe, const MatchTimes& times,
                     RowPairs& pairs);
  template <bool kTimed>
  Status match_unindexed(const KeyedRows& probe, const MatchTimes& times, RowPairs& pairs);
  template <bool kTimed>
  Status match_few(const KeyedRows& probe, const MatchTimes& times, RowPairs& pairs);

  RowKeys keys_;
  RowChunks chunks_;
  int64_t roll_us_ = 0;
  std::vector<Kept> kept_;  // by chunk
  std::vector<Segment> segments_;
  int64_t rows_ = 0;
  int64_t bytes_ = 0;  // of chunks

  // Scratch of match
  std::vector<uint32_t> scan_;
  KeyIndex scratch_index_;
  KeyFilter scratch_filter_;
  std::vector<uint32_t> scratch_next_;
  std::vector<RowRef> scratch_rows_;
};

}  // namespace weir
