#include "runtime/event_processor.h"

#include <arrow/array.h>
#include <arrow/array/util.h>
#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <simdjson.h>

#include <algorithm>
#include <numeric>

#include "base/clock.h"
#include "runtime/output_rows.h"
#include "runtime/rows.h"

namespace weir {
namespace {

std::shared_ptr<arrow::Buffer> buffer_of(std::vector<int32_t> values) {
  return arrow::Buffer::FromVector(std::move(values));
}

// Where the bytes of a METADATA column lie that are shown as text; null for the others.
const Slice Event::* metadata_text(const ColumnSpec& column) {
  const std::string& key = column.metadata_key;
  if (key == "subject" || key == "topic") return &Event::subject;
  if (key == "key" && column.type.arrow->id() != arrow::Type::BINARY) return &Event::key;
  if (key == "headers") return &Event::headers;
  return nullptr;
}

Result<DecodedRows> born_typed(const EventBatch& batch, size_t begin, size_t end) {
  DecodedRows out;
  out.rows = batch.rows->Slice(static_cast<int64_t>(begin), static_cast<int64_t>(end - begin));
  out.event_of_row.resize(end - begin);
  std::iota(out.event_of_row.begin(), out.event_of_row.end(), static_cast<uint32_t>(begin));
  return out;
}

// Rows of the events `kept`, ascending.
Result<std::shared_ptr<arrow::RecordBatch>> rows_at(const arrow::RecordBatch& rows,
                                                    const std::vector<uint32_t>& kept) {
  arrow::RecordBatchVector runs;
  for (size_t i = 0; i < kept.size();) {
    size_t end = i + 1;
    while (end < kept.size() && kept[end] == kept[end - 1] + 1) ++end;
    runs.push_back(rows.Slice(kept[i], static_cast<int64_t>(end - i)));
    i = end;
  }
  if (runs.empty()) return rows.Slice(0, 0);
  auto joined = arrow::ConcatenateRecordBatches(runs);
  if (!joined.ok()) return arrow_status(joined.status());
  return *joined;
}

}  // namespace

void InsertCounts::add(const InsertCounts& other) {
  read += other.read;
  kept += other.kept;
  filtered += other.filtered;
  errored += other.errored;
  emitted += other.emitted;
}

Result<std::unique_ptr<EventProcessor>> EventProcessor::create(const SourcePlan& source,
                                                               std::vector<InsertPlan*> inserts,
                                                               bool replaying) {
  WEIR_ASSIGN(auto payloads, PayloadStage::create(source.options));
  WEIR_ASSIGN(auto decoder, source.format->create(source.format_context()));
  std::unique_ptr<EventProcessor> processor(
      new EventProcessor(source, std::move(inserts), std::move(payloads), std::move(decoder)));
  processor->replaying_ = replaying;
  return processor;
}

EventProcessor::EventProcessor(const SourcePlan& source, std::vector<InsertPlan*> inserts,
                               std::unique_ptr<PayloadStage> payloads, std::unique_ptr<Decoder> decoder)
    : source_(source),
      inserts_(std::move(inserts)),
      payloads_(std::move(payloads)),
      decoder_(std::move(decoder)) {
  for (size_t i = 0; i < inserts_.size(); ++i) {
    stateful_ = stateful_ || (inserts_[i]->stateful() && reads(i));
  }
}

Result<ProcessedEvents> EventProcessor::process(const EventBatch& batch, size_t begin, size_t end,
                                                const std::string& partition, const std::vector<bool>& active,
                                                int64_t now_us) {
  if (payloads_ == nullptr || batch.rows != nullptr)
    return process_unwrapped(batch, begin, end, partition, active, now_us);
  ProcessedEvents out;
  out.rows.resize(inserts_.size());
  out.feeds.resize(inserts_.size());
  out.counts.resize(inserts_.size());
  while (begin < end) {
    Unwrapped unwrapped = payloads_->unwrap(batch, begin, end);
    begin = unwrapped.end;
    const size_t count = unwrapped.batch.events.size();
    WEIR_ASSIGN(auto part, process_unwrapped(unwrapped.batch, 0, count, partition, active, now_us));
    for (ErrorRecord& record : part.errors) {
      const int64_t shift = unwrapped.shift_of[record.event];
      if (record.byte >= 0) record.byte = shift < 0 ? -1 : record.byte + shift;
      record.event = unwrapped.event_of[record.event];
    }
    add_failed(std::move(unwrapped.errors), active, part);
    out.errors.insert(out.errors.end(), std::make_move_iterator(part.errors.begin()),
                      std::make_move_iterator(part.errors.end()));
    out.watermark_us = std::max(out.watermark_us, part.watermark_us);
    for (size_t i = 0; i < inserts_.size(); ++i) {
      out.counts[i].add(part.counts[i]);
      for (FeedRows& feed : part.feeds[i]) {
        for (uint32_t& event : feed.events) event = unwrapped.event_of[event];
        out.feeds[i].push_back(std::move(feed));
      }
      if (part.rows[i] == nullptr) continue;
      if (out.rows[i] == nullptr) {
        out.rows[i] = std::move(part.rows[i]);
        continue;
      }
      auto joined = arrow::ConcatenateRecordBatches({out.rows[i], part.rows[i]});
      if (!joined.ok()) return arrow_status(joined.status());
      out.rows[i] = *joined;
    }
  }
  return out;
}

void EventProcessor::add_failed(std::vector<ErrorRecord> errors, const std::vector<bool>& active,
                                ProcessedEvents& out) {
  if (errors.empty()) return;
  const auto count = static_cast<int64_t>(errors.size());
  out.errors.insert(out.errors.end(), std::make_move_iterator(errors.begin()),
                    std::make_move_iterator(errors.end()));
  std::stable_sort(out.errors.begin(), out.errors.end(),
                   [](const auto& a, const auto& b) { return a.event < b.event; });
  for (size_t i = 0; i < inserts_.size(); ++i) {
    if (!reads(i) || !active[i]) continue;
    out.counts[i].read += count;
    out.counts[i].errored += count;
  }
}

Result<ProcessedEvents> EventProcessor::process_unwrapped(const EventBatch& batch, size_t begin, size_t end,
                                                          const std::string& partition,
                                                          const std::vector<bool>& active, int64_t now_us) {
  ProcessedEvents out;
  out.rows.resize(inserts_.size());
  out.feeds.resize(inserts_.size());
  out.counts.resize(inserts_.size());
  if (begin == end) return out;
  if (partition != cached_partition_) {
    cached_partition_ = partition;
    cached_partition_column_.reset();
  }
  WEIR_ASSIGN(DecodedRows decoded,
              batch.rows != nullptr ? born_typed(batch, begin, end) : decoder_->decode(batch, begin, end));
  out.errors = std::move(decoded.errors);
  if (source_.changelog) {
    event_of_row_ = decoded.event_of_row;
    weight_of_row_ = std::move(decoded.weights);
    weight_of_row_.resize(event_of_row_.size(), 1);
  }
  WEIR_ASSIGN(auto rows, source_rows(batch, decoded));
  WEIR_ASSIGN(rows, refuse_bad_texts(std::move(rows), batch, out.errors));
  WEIR_ASSIGN(rows, apply_checks(std::move(rows), now_us, out.errors));
  auto events_failed = static_cast<int64_t>(out.errors.size());
  std::shared_ptr<arrow::RecordBatch> timed_rows = rows;
  if (stateful_) {
    WEIR_ASSIGN(timed_rows, event_times(rows, active, now_us, out));
  }
  for (size_t i = 0; i < inserts_.size(); ++i) {
    if (!reads(i) || !active[i]) continue;
    InsertCounts& counts = out.counts[i];
    counts.read = static_cast<int64_t>(end - begin);
    counts.errored += events_failed;
    if (inserts_[i]->stateful()) {
      if (timed_rows->num_rows() > 0) WEIR_TRY(run_stateful_insert(i, batch, timed_rows, now_us, out));
    } else if (rows->num_rows() > 0) {
      WEIR_TRY(run_insert(i, batch, rows, partition, now_us, out));
    }
    counts.filtered = counts.read - counts.kept - counts.errored;
  }
  return out;
}

Result<ProcessedEvents> EventProcessor::process_without(const std::vector<uint32_t>& set_aside,
                                                        const EventBatch& batch, size_t begin, size_t end,
                                                        const std::string& partition,
                                                        const std::vector<bool>& active, int64_t now_us) {
  if (set_aside.empty()) return process(batch, begin, end, partition, active, now_us);
  EventBatch rest;
  rest.bytes = batch.bytes;
  rest.from = batch.from;
  rest.next = batch.next;
  rest.received_us = batch.received_us;
  std::vector<uint32_t> index_of_rest;
  auto next_aside = set_aside.begin();
  for (size_t i = begin; i < end; ++i) {
    if (next_aside != set_aside.end() && *next_aside == i) {
      ++next_aside;
      continue;
    }
    rest.events.push_back(batch.events[i]);
    index_of_rest.push_back(static_cast<uint32_t>(i));
  }
  if (batch.rows != nullptr) {
    WEIR_ASSIGN(rest.rows, rows_at(*batch.rows, index_of_rest));
  }
  WEIR_ASSIGN(auto out, process(rest, 0, rest.events.size(), partition, active, now_us));
  for (ErrorRecord& record : out.errors) record.event = index_of_rest[record.event];
  for (auto& feeds : out.feeds) {
    for (FeedRows& feed : feeds) {
      for (uint32_t& event : feed.events) event = index_of_rest[event];
    }
  }
  std::vector<ErrorRecord> paused;
  for (uint32_t event : set_aside) {
    ErrorRecord record;
    record.event = event;
    record.code = ErrorCode::producer_paused;
    record.message = "set aside undecoded: its producer is paused ('error-budget.by' = '" +
                     source_.options.string("error-budget.by") + "')";
    paused.push_back(std::move(record));
  }
  add_failed(std::move(paused), active, out);
  return out;
}

bool EventProcessor::reads(size_t insert) const {
  const auto& branches = inserts_[insert]->plan.branches;
  return std::any_of(branches.begin(), branches.end(),
                     [&](const auto& branch) { return branch.source == source_.table.name; });
}

Result<std::shared_ptr<arrow::RecordBatch>> EventProcessor::source_rows(const EventBatch& batch,
                                                                        const DecodedRows& decoded) {
  int64_t count = decoded.rows->num_rows();
  arrow::ArrayVector columns;
  int physical = 0;
  for (int i = 0; i + 1 < source_.schema->num_fields(); ++i) {
    const std::string& name = source_.schema->field(i)->name();
    auto metadata = std::find_if(source_.metadata.begin(), source_.metadata.end(),
                                 [&](const ColumnSpec& column) { return column.name == name; });
    if (metadata == source_.metadata.end()) {
      columns.push_back(decoded.rows->column(physical++));
    } else {
      WEIR_ASSIGN(auto column, metadata_column(*metadata, batch, decoded.event_of_row, cached_partition_));
      columns.push_back(std::move(column));
    }
  }
  std::vector<int32_t> indexes(decoded.event_of_row.begin(), decoded.event_of_row.end());
  if (source_.changelog) std::iota(indexes.begin(), indexes.end(), 0);
  columns.push_back(std::make_shared<arrow::Int32Array>(count, buffer_of(std::move(indexes))));
  return arrow::RecordBatch::Make(source_.schema, count, std::move(columns));
}

// The formats see to the payload's texts; these come from the broker or the client beside it.
Result<std::shared_ptr<arrow::RecordBatch>> EventProcessor::refuse_bad_texts(
    std::shared_ptr<arrow::RecordBatch> rows, const EventBatch& batch, std::vector<ErrorRecord>& errors) {
  std::vector<uint8_t> failed;
  const int32_t* indexes = row_indexes(*rows);
  for (const ColumnSpec& column : source_.metadata) {
    const Slice Event::* text = metadata_text(column);
    if (text == nullptr) continue;
    for (int64_t i = 0; i < rows->num_rows(); ++i) {
      const uint32_t event = event_of(indexes[i]);
      const std::string_view bytes = batch.view(batch.events[event].*text);
      if (simdjson::validate_utf8(bytes.data(), bytes.size())) continue;
      if (failed.empty()) failed.resize(batch.events.size(), 0);
      if (failed[event] != 0) continue;
      failed[event] = 1;
      ErrorRecord record;
      record.event = event;
      record.code = ErrorCode::invalid_utf8;
      record.message = "METADATA '" + column.metadata_key + "' (column '" + column.name + "') is not UTF-8" +
                       (column.metadata_key == "key" ? "; a column of type BYTES takes any bytes" : "");
      errors.push_back(std::move(record));
    }
  }
  if (failed.empty()) return rows;
  std::sort(errors.begin(), errors.end(), [](const auto& a, const auto& b) { return a.event < b.event; });
  return without_failed(rows, failed);
}

Result<std::shared_ptr<arrow::RecordBatch>> EventProcessor::apply_checks(
    std::shared_ptr<arrow::RecordBatch> rows, int64_t now_us, std::vector<ErrorRecord>& errors) {
  if (source_.checks.fragment == nullptr || rows->num_rows() == 0) return rows;
  std::vector<RowFailure> failures;
  WEIR_ASSIGN(auto verdicts, evaluate(*source_.checks.fragment, rows, now_us, failures));
  std::vector<uint8_t> failed(highest_event(*rows) + 1, 0);
  size_t before = errors.size();
  auto fail = [&](int32_t row, std::string message) {
    const uint32_t event = event_of(row);
    if (failed[event] != 0) return;
    failed[event] = 1;
    ErrorRecord record;
    record.event = event;
    record.code = ErrorCode::check_failed;
    record.message = std::move(message);
    errors.push_back(std::move(record));
  };
  for (const auto& [row, words] : failures) fail(row, "a CHECK could not be evaluated: " + words);
  if (verdicts != nullptr) {
    const int32_t* verdict_rows = row_indexes(*verdicts);
    for (size_t c = 0; c < source_.checks.checks.size(); ++c) {
      const auto& column = static_cast<const arrow::BooleanArray&>(*verdicts->column(static_cast<int>(c)));
      if (column.null_count() == 0 && column.true_count() == column.length()) continue;
      for (int64_t i = 0; i < column.length(); ++i) {
        if (column.IsNull(i) || column.Value(i)) continue;  // SQL: a CHECK that is unknown passes
        const CheckSpec& check = source_.checks.checks[c];
        fail(verdict_rows[i], "CHECK " + check.name + " (" + check.expression + ") is false");
      }
    }
  }
  if (errors.size() == before) return rows;
  std::sort(errors.begin(), errors.end(), [](const auto& a, const auto& b) { return a.event < b.event; });
  return without_failed(rows, failed);
}

Result<std::shared_ptr<arrow::RecordBatch>> EventProcessor::without_failed(
    const std::shared_ptr<arrow::RecordBatch>& rows, const std::vector<uint8_t>& failed) const {
  if (!source_.changelog) return without_events(rows, failed);
  std::vector<uint8_t> by_row(event_of_row_.size(), 0);
  for (size_t row = 0; row < by_row.size(); ++row) {
    const uint32_t event = event_of_row_[row];
    by_row[row] = event < failed.size() ? failed[event] : 0;
  }
  return without_events(rows, by_row);
}

Status EventProcessor::run_insert(size_t index, const EventBatch& batch,
                                  const std::shared_ptr<arrow::RecordBatch>& rows,
                                  const std::string& partition, int64_t now_us, ProcessedEvents& out) {
  const InsertPlan& insert = *inserts_[index];
  const int64_t errored_before = out.counts[index].errored;
  std::vector<RowFailure> failures;
  arrow::RecordBatchVector parts;
  for (const auto& branch : insert.plan.branches) {
    if (branch.source != source_.table.name) continue;
    WEIR_ASSIGN(auto part, evaluate(*branch.fragment, rows, now_us, failures));
    if (part != nullptr && part->num_rows() > 0) parts.push_back(std::move(part));
  }
  std::vector<uint8_t> failed(batch.events.size(), 0);
  std::vector<uint8_t> kept(batch.events.size(), 0);
  auto fail = [&](int32_t row, ErrorCode code, const std::string& message, const std::string& field) {
    const uint32_t event = event_of(row);
    if (failed[event] != 0) return;
    failed[event] = 1;
    ErrorRecord record;
    record.event = event;
    record.code = code;
    record.message = message;
    record.field = field;
    record.sink = insert.label;
    out.errors.push_back(std::move(record));
    ++out.counts[index].errored;
  };
  for (const auto& [row, words] : failures) fail(row, ErrorCode::sql_eval, words, "");
  for (const auto& part : parts) {
    check_columns(insert, *part, [&](int64_t row, std::string message) {
      fail(row_indexes(*part)[row], ErrorCode::sink_refused, message, "");
    });
  }
  arrow::RecordBatchVector shaped;
  const auto rows_schema = sink_rows_schema(*insert.sink->schema, source_.table.name, source_.changelog);
  for (auto& part : parts) {
    if (out.counts[index].errored > errored_before) {
      WEIR_ASSIGN(part, without_failed(part, failed));
    }
    int64_t count = part->num_rows();
    if (count == 0) continue;
    const int32_t* indexes = row_indexes(*part);
    std::vector<int64_t> offsets(count);
    for (int64_t i = 0; i < count; ++i) offsets[i] = batch.events[event_of(indexes[i])].offset;
    WEIR_ASSIGN(auto columns, sink_columns(insert, *part));
    columns.push_back(partition_column(partition, count));
    columns.push_back(
        std::make_shared<arrow::Int64Array>(count, arrow::Buffer::FromVector(std::move(offsets))));
    if (source_.changelog) {
      std::vector<int8_t> weights(count);
      for (int64_t i = 0; i < count; ++i) weights[i] = weight_of_row_[static_cast<size_t>(indexes[i])];
      columns.push_back(
          std::make_shared<arrow::Int8Array>(count, arrow::Buffer::FromVector(std::move(weights))));
    }
    shaped.push_back(arrow::RecordBatch::Make(rows_schema, count, std::move(columns)));
    for (int64_t i = 0; i < count; ++i) kept[event_of(indexes[i])] = 1;
    out.counts[index].emitted += count;
  }
  out.counts[index].kept = std::count(kept.begin(), kept.end(), 1);
  if (shaped.size() == 1) {
    out.rows[index] = shaped[0];
  } else if (!shaped.empty()) {
    auto joined = arrow::ConcatenateRecordBatches(shaped);
    if (!joined.ok()) return arrow_status(joined.status());
    out.rows[index] = *joined;
  }
  return {};
}

Result<std::shared_ptr<arrow::RecordBatch>> EventProcessor::event_times(
    std::shared_ptr<arrow::RecordBatch> rows, const std::vector<bool>& active, int64_t now_us,
    ProcessedEvents& out) {
  const EventTimePlan& plan = source_.event_time;
  if (plan.fragment == nullptr || rows->num_rows() == 0) return rows;
  std::vector<RowFailure> failures;
  const bool follows = plan.time_fragment != nullptr;
  WEIR_ASSIGN(auto times, evaluate(follows ? *plan.time_fragment : *plan.fragment, rows, now_us, failures));
  std::vector<uint8_t> failed;
  auto fail = [&](int32_t row, ErrorCode code, const std::string& message) {
    const uint32_t event = event_of(row);
    if (failed.size() <= event) failed.resize(std::max<size_t>(event + 1, 1024), 0);
    if (failed[event] != 0) return;
    failed[event] = 1;
    for (size_t i = 0; i < inserts_.size(); ++i) {
      if (!inserts_[i]->stateful() || !reads(i) || !active[i]) continue;
      ErrorRecord record;
      record.event = event;
      record.code = code;
      record.message = message;
      record.sink = inserts_[i]->label;
      out.errors.push_back(std::move(record));
      ++out.counts[i].errored;
    }
  };
  for (const auto& [row, words] : failures) fail(row, ErrorCode::sql_eval, "the watermark: " + words);
  if (times != nullptr) {
    const int64_t bound_us = plan.max_ahead_us < 0 ? kFinalWatermark : now_us + plan.max_ahead_us;
    // A watermark of its own column may be ahead where the time is not.
    const int columns = follows ? 1 : 2;
    const auto ahead_of_clock = [&](int64_t row) {
      for (int c = 0; c < columns; ++c) {
        if (!times->column(c)->IsNull(row) && time_us(*times->column(c), row) > bound_us) return c;
      }
      return -1;
    };
    int64_t most_us = time_range(*times->column(0)).most_us;
    if (!follows) most_us = std::max(most_us, time_range(*times->column(1)).most_us);
    if (most_us > bound_us) {
      std::vector<int64_t> kept;
      for (int64_t i = 0; i < times->num_rows(); ++i) {
        const int column = ahead_of_clock(i);
        if (column < 0) {
          kept.push_back(i);
          continue;
        }
        fail(row_indexes(*times)[i], ErrorCode::future,
             (column == 0 ? "the event time " : "the watermark ") +
                 format_timestamp_us(time_us(*times->column(column), i)) +
                 " lies further ahead of the clock than 'watermark.max-ahead' = '" +
                 std::to_string(plan.max_ahead_us / 1000) + " ms' allows");
      }
      const auto count = static_cast<int64_t>(kept.size());
      auto indexes = std::make_shared<arrow::Int64Array>(count, arrow::Buffer::FromVector(std::move(kept)));
      auto taken = arrow::compute::Take(arrow::Datum(times), arrow::Datum(indexes));
      if (!taken.ok()) return arrow_status(taken.status());
      times = taken->record_batch();
    }
    if (follows) {
      WEIR_ASSIGN(times, row_of_highest_time(rows, *times));
      if (times != nullptr) {
        WEIR_ASSIGN(times, evaluate(*plan.fragment, times, now_us, failures));
      }
    }
    if (times != nullptr) {
      out.watermark_us = std::max(out.watermark_us, time_range(*times->column(1)).most_us);
    }
  }
  if (failed.empty()) return rows;
  failed.resize(std::max(failed.size(), static_cast<size_t>(highest_event(*rows)) + 1), 0);
  return without_failed(rows, failed);
}

// Of the source's rows, the one whose time is the highest; null when all are NULL. `times` are of some of the
// rows, in order.
Result<std::shared_ptr<arrow::RecordBatch>> EventProcessor::row_of_highest_time(
    const std::shared_ptr<arrow::RecordBatch>& rows, const arrow::RecordBatch& times) const {
  const auto& values = static_cast<const arrow::TimestampArray&>(*times.column(0));
  int64_t highest = -1;
  for (int64_t i = 0; i < values.length(); ++i) {
    if (!values.IsNull(i) && (highest < 0 || values.Value(i) > values.Value(highest))) highest = i;
  }
  if (highest < 0) return std::shared_ptr<arrow::RecordBatch>();
  const int32_t* begin = row_indexes(*rows);
  const int32_t* row = std::lower_bound(begin, begin + rows->num_rows(), row_indexes(times)[highest]);
  return rows->Slice(row - begin, 1);
}

uint32_t EventProcessor::highest_event(const arrow::RecordBatch& rows) const {
  uint32_t highest = 0;
  const int32_t* indexes = row_indexes(rows);
  for (int64_t i = 0; i < rows.num_rows(); ++i) highest = std::max(highest, event_of(indexes[i]));
  return highest;
}

Status EventProcessor::run_stateful_insert(size_t index, const EventBatch& batch,
                                           const std::shared_ptr<arrow::RecordBatch>& rows, int64_t now_us,
                                           ProcessedEvents& out) {
  const InsertPlan& insert = *inserts_[index];
  std::vector<uint8_t> failed;
  auto fail = [&](uint32_t event, ErrorCode code, const std::string& message) {
    if (failed.empty()) failed.resize(batch.events.size(), 0);
    if (std::exchange(failed[event], 1) != 0) return;
    ErrorRecord record;
    record.event = event;
    record.code = code;
    record.message = message;
    record.sink = insert.label;
    out.errors.push_back(std::move(record));
    ++out.counts[index].errored;
  };
  std::vector<FeedRows> feeds;
  for (size_t node = 0; node < insert.plan.graph.size(); ++node) {
    const PlanNode& scan = insert.plan.graph[node];
    if (scan.kind != NodeKind::scan || scan.source != source_.table.name) continue;
    std::vector<RowFailure> failures;
    const auto& fragment = *insert.plan.fragments[static_cast<size_t>(scan.fragment)];
    WEIR_ASSIGN(auto result, evaluate(fragment, rows, now_us, failures));
    for (const auto& [row, words] : failures) fail(event_of(row), ErrorCode::sql_eval, words);
    if (result == nullptr || result->num_rows() == 0) continue;
    FeedRows feed;
    feed.node = static_cast<int>(node);
    const int32_t* indexes = row_indexes(*result);
    feed.events.resize(static_cast<size_t>(result->num_rows()));
    for (size_t i = 0; i < feed.events.size(); ++i) feed.events[i] = event_of(indexes[i]);
    auto visible = result->RemoveColumn(result->num_columns() - 1);
    if (!visible.ok()) return arrow_status(visible.status());
    feed.rows = *visible;
    if (scan.timed && scan.time_column >= 0) {
      const auto& times = *feed.rows->column(scan.time_column);
      for (int64_t i = 0; times.null_count() > 0 && i < times.length(); ++i) {
        if (!times.IsNull(i)) continue;
        fail(feed.events[static_cast<size_t>(i)], ErrorCode::bad_timestamp,
             "the event time is NULL: the row belongs to no window");
      }
    }
    for (uint32_t event : replaying_ ? feed.events : std::vector<uint32_t>()) {
      fail(
          event, ErrorCode::late,
          "replay brings no event back into a query that keeps state, whose windows have told their results: "
          "write it elsewhere with --into TABLE");
    }
    feeds.push_back(std::move(feed));
  }
  std::vector<uint8_t> kept(batch.events.size(), 0);
  for (FeedRows& feed : feeds) {
    if (!failed.empty()) WEIR_TRY(drop_events(failed, feed));
    if (feed.rows->num_rows() == 0) continue;
    const PlanNode& scan = insert.plan.graph[static_cast<size_t>(feed.node)];
    feed.first_late_from_us = first_late_from_us(scan, *feed.rows);
    for (uint32_t event : feed.events) kept[event] = 1;
    out.counts[index].emitted += feed.rows->num_rows();
    out.feeds[index].push_back(std::move(feed));
  }
  out.counts[index].kept = std::count(kept.begin(), kept.end(), 1);
  return {};
}

std::shared_ptr<arrow::Array> EventProcessor::partition_column(const std::string& partition, int64_t rows) {
  if (cached_partition_column_ == nullptr || cached_partition_column_->length() < rows) {
    auto column = arrow::MakeArrayFromScalar(arrow::StringScalar(partition), std::max<int64_t>(rows, 1024));
    WEIR_CHECK(column.ok(), column.status().ToString());
    cached_partition_column_ = *column;
  }
  return cached_partition_column_->Slice(0, rows);
}

}  // namespace weir
