// One batch of events of one source -> rows for every INSERT that reads it, error records and ledger counts.
//
// The only place where decoding, metadata columns, CHECKs and SQL fragments meet; the live path and replay
// share it.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "formats/decoder.h"
#include "formats/payload_stage.h"
#include "plan/pipeline_plan.h"
#include "runtime/event_time.h"
#include "schema/error_record.h"
#include "schema/event_batch.h"

namespace weir {

struct InsertCounts {
  int64_t read = 0, kept = 0, filtered = 0, errored = 0, emitted = 0;  // read = kept + filtered + errored

  void add(const InsertCounts& other);
};

struct ProcessedEvents {
  // By index into the inserts given to create: rows with the sink's columns, then _weir_partition and
  // _weir_offset, and _weir_weight of a changelog; null when there are none.
  std::vector<std::shared_ptr<arrow::RecordBatch>> rows;
  // By insert, of the stateful ones: what their operators get. A stateful INSERT has no `rows`.
  std::vector<std::vector<FeedRows>> feeds;
  int64_t watermark_us = kNoWatermark;  // the highest of the events, where the set keeps state
  std::vector<InsertCounts> counts;
  // ErrorRecord::event indexes the EventBatch. An error without a sink keeps the event from every INSERT; one
  // with a sink only from that INSERT, wholly (also the other rows it would have fanned out to).
  std::vector<ErrorRecord> errors;
};

// Not thread-safe: one per partition task.
class EventProcessor {
 public:
  // `inserts`: those of a set; the ones that do not read `source` give no rows. Both must outlive the
  // processor. `replaying`: rows for an INSERT that keeps state become `late`: its windows have told their
  // results.
  static Result<std::unique_ptr<EventProcessor>> create(const SourcePlan& source,
                                                        std::vector<InsertPlan*> inserts,
                                                        bool replaying = false);

  // Events [begin, end). `active[i]` false: INSERT i is left out (its table holds these offsets already).
  Result<ProcessedEvents> process(const EventBatch& batch, size_t begin, size_t end,
                                  const std::string& partition, const std::vector<bool>& active,
                                  int64_t now_us);
  // The same without the events `set_aside` (indexes in [begin, end), ascending): those are not decoded and
  // become errors `producer_paused`.
  Result<ProcessedEvents> process_without(const std::vector<uint32_t>& set_aside, const EventBatch& batch,
                                          size_t begin, size_t end, const std::string& partition,
                                          const std::vector<bool>& active, int64_t now_us);

 private:
  EventProcessor(const SourcePlan& source, std::vector<InsertPlan*> inserts,
                 std::unique_ptr<PayloadStage> payloads, std::unique_ptr<Decoder> decoder);

  // The same for events whose payloads are what the decoder takes.
  Result<ProcessedEvents> process_unwrapped(const EventBatch& batch, size_t begin, size_t end,
                                            const std::string& partition, const std::vector<bool>& active,
                                            int64_t now_us);
  // `errors` of events that came no further, in the order of the batch: they join `out`.
  void add_failed(std::vector<ErrorRecord> errors, const std::vector<bool>& active, ProcessedEvents& out);

  bool reads(size_t insert) const;
  Result<std::shared_ptr<arrow::RecordBatch>> source_rows(const EventBatch& batch,
                                                          const DecodedRows& decoded);
  Result<std::shared_ptr<arrow::RecordBatch>> refuse_bad_texts(std::shared_ptr<arrow::RecordBatch> rows,
                                                               const EventBatch& batch,
                                                               std::vector<ErrorRecord>& errors);
  Result<std::shared_ptr<arrow::RecordBatch>> apply_checks(std::shared_ptr<arrow::RecordBatch> rows,
                                                           int64_t now_us, std::vector<ErrorRecord>& errors);
  Status run_insert(size_t index, const EventBatch& batch, const std::shared_ptr<arrow::RecordBatch>& rows,
                    const std::string& partition, int64_t now_us, ProcessedEvents& out);
  // What stateful INSERTs get: rows without those whose time is too far ahead, and the watermark that they
  // make.
  Result<std::shared_ptr<arrow::RecordBatch>> event_times(std::shared_ptr<arrow::RecordBatch> rows,
                                                          const std::vector<bool>& active, int64_t now_us,
                                                          ProcessedEvents& out);
  Result<std::shared_ptr<arrow::RecordBatch>> row_of_highest_time(
      const std::shared_ptr<arrow::RecordBatch>& rows, const arrow::RecordBatch& times) const;
  uint32_t highest_event(const arrow::RecordBatch& rows) const;
  Status run_stateful_insert(size_t index, const EventBatch& batch,
                             const std::shared_ptr<arrow::RecordBatch>& rows, int64_t now_us,
                             ProcessedEvents& out);
  // What a value of "_weir_row" stands for: the event itself, or a row of a changelog's, which may be several
  // an event.
  uint32_t event_of(int32_t row) const {
    return source_.changelog ? event_of_row_[static_cast<size_t>(row)] : static_cast<uint32_t>(row);
  }
  Result<std::shared_ptr<arrow::RecordBatch>> without_failed(const std::shared_ptr<arrow::RecordBatch>& rows,
                                                             const std::vector<uint8_t>& failed) const;
  std::shared_ptr<arrow::Array> partition_column(const std::string& partition, int64_t rows);

  const SourcePlan& source_;
  std::vector<InsertPlan*> inserts_;
  std::unique_ptr<PayloadStage> payloads_;  // null: payloads are decoded as they come
  std::unique_ptr<Decoder> decoder_;
  bool replaying_ = false;
  bool stateful_ = false;               // one of the INSERTs that read the source is
  std::vector<uint32_t> event_of_row_;  // of the changelog rows that are being processed
  std::vector<int8_t> weight_of_row_;
  std::string cached_partition_;
  std::shared_ptr<arrow::Array> cached_partition_column_;
};

}  // namespace weir
