#include "sinks/clickhouse/block_encoder.h"

#include <arrow/array.h>
#include <arrow/array/concatenate.h>
#include <arrow/buffer.h>
#include <arrow/builder.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/reader.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/compression.h>

#include <algorithm>

#include "sinks/sink.h"

namespace weir {
namespace {

Status arrow_failure(const arrow::Status& status) { return Status::internal("Arrow: " + status.ToString()); }

#define WEIR_ARROW_TRY(expression)                                \
  do {                                                            \
    arrow::Status arrow_status_ = (expression);                   \
    if (!arrow_status_.ok()) return arrow_failure(arrow_status_); \
  } while (false)

bool has_column(const std::vector<TableColumn>& columns, const std::string& name) {
  return std::any_of(columns.begin(), columns.end(), [&](const TableColumn& c) { return c.name == name; });
}

Result<std::shared_ptr<arrow::Array>> repeated(int64_t value, int64_t count) {
  arrow::Int64Builder builder;
  WEIR_ARROW_TRY(builder.Reserve(count));
  for (int64_t i = 0; i < count; ++i) builder.UnsafeAppend(value);
  std::shared_ptr<arrow::Array> array;
  WEIR_ARROW_TRY(builder.Finish(&array));
  return array;
}

}  // namespace

Result<std::unique_ptr<BlockEncoder>> BlockEncoder::create(const std::string& table,
                                                           const arrow::Schema& rows,
                                                           const std::vector<TableColumn>& existing,
                                                           bool with_sequence) {
  std::unique_ptr<BlockEncoder> made(new BlockEncoder());
  arrow::FieldVector fields;
  int first_hidden = rows.num_fields() - 2;
  while (first_hidden > 0 && rows.field(first_hidden)->name() != kPartitionColumn) --first_hidden;
  for (int i = 0; i < rows.num_fields(); ++i) {
    const auto& field = rows.field(i);
    bool hidden = i >= first_hidden;
    if (hidden && !has_column(existing, field->name())) continue;
    made->picked_.push_back(i);
    fields.push_back(field);
  }
  made->has_sequence_ = with_sequence && has_column(existing, kSequenceColumn);
  if (made->has_sequence_) fields.push_back(arrow::field(kSequenceColumn, arrow::int64(), false));
  made->schema_ = arrow::schema(std::move(fields));
  WEIR_ASSIGN(auto targets, match_columns(table, *made->schema_, existing));
  for (const ColumnTarget& target : targets)
    made->columns_.emplace_back(target.name, target.type.to_string());
  WEIR_ASSIGN(NativeEncoder encoder, NativeEncoder::create(*made->schema_, std::move(targets)));
  made->encoder_ = std::make_unique<NativeEncoder>(std::move(encoder));
  return made;
}

Result<EncodedBlock> BlockEncoder::encode(const RowBatches& batches, int64_t sequence) {
  EncodedBlock block;
  WEIR_TRY(encode(batches, sequence, &block));
  return block;
}

Status BlockEncoder::encode(const RowBatches& batches, int64_t sequence, EncodedBlock* block) {
  RowBatches picked;
  picked.reserve(batches.size());
  for (const auto& batch : batches) {
    arrow::ArrayVector columns;
    for (int i : picked_) columns.push_back(batch->column(i));
    if (has_sequence_) {
      WEIR_ASSIGN(auto sequences, repeated(sequence, batch->num_rows()));
      columns.push_back(std::move(sequences));
    }
    picked.push_back(arrow::RecordBatch::Make(schema_, batch->num_rows(), std::move(columns)));
  }
  return encoder_->encode(picked, block);
}

std::string column_list_of(const std::vector<std::pair<std::string, std::string>>& columns) {
  std::string text;
  for (const auto& [name, _] : columns) text += (text.empty() ? "" : ", ") + quoted_identifier(name);
  return text;
}

int64_t count_rows(const RowBatches& batches) {
  int64_t rows = 0;
  for (const auto& batch : batches) rows += batch->num_rows();
  return rows;
}

RowBatches slice_rows(const RowBatches& batches, int64_t from, int64_t count) {
  RowBatches result;
  for (const auto& batch : batches) {
    if (count <= 0) break;
    if (from >= batch->num_rows()) {
      from -= batch->num_rows();
      continue;
    }
    int64_t taken = std::min(count, batch->num_rows() - from);
    result.push_back(batch->Slice(from, taken));
    count -= taken;
    from = 0;
  }
  return result;
}

RowBatches without_rows(const RowBatches& batches, const std::vector<int64_t>& left_out) {
  if (left_out.empty()) return batches;
  RowBatches result;
  int64_t at = 0, total = count_rows(batches);
  auto keep = [&](int64_t from, int64_t to) {
    for (auto& slice : slice_rows(batches, from, to - from)) result.push_back(std::move(slice));
  };
  for (int64_t row : left_out) {
    keep(at, row);
    at = row + 1;
  }
  keep(at, total);
  return result;
}

Result<std::shared_ptr<arrow::RecordBatch>> pick_rows(const RowBatches& batches,
                                                      const std::vector<int64_t>& rows) {
  WEIR_CHECK(!rows.empty(), "rows are picked where there are some");
  RowBatches slices;
  for (int64_t row : rows) {
    for (auto& slice : slice_rows(batches, row, 1)) slices.push_back(std::move(slice));
  }
  return concatenated(slices);
}

Result<std::shared_ptr<arrow::RecordBatch>> concatenated(const RowBatches& batches) {
  WEIR_CHECK(!batches.empty(), "there is something to put together");
  if (batches.size() == 1) return batches[0];
  arrow::ArrayVector columns;
  for (int i = 0; i < batches[0]->num_columns(); ++i) {
    arrow::ArrayVector pieces;
    for (const auto& batch : batches) pieces.push_back(batch->column(i));
    auto whole = arrow::Concatenate(pieces);
    if (!whole.ok()) return arrow_failure(whole.status());
    columns.push_back(*std::move(whole));
  }
  return arrow::RecordBatch::Make(batches[0]->schema(), count_rows(batches), std::move(columns));
}

Result<std::string> rows_to_ipc(const RowBatches& batches) {
  if (batches.empty()) return std::string();
  auto sink = arrow::io::BufferOutputStream::Create();
  if (!sink.ok()) return arrow_failure(sink.status());
  auto options = arrow::ipc::IpcWriteOptions::Defaults();
  auto codec = arrow::util::Codec::Create(arrow::Compression::ZSTD);
  if (codec.ok()) options.codec = *std::move(codec);
  auto writer = arrow::ipc::MakeStreamWriter(*sink, batches[0]->schema(), options);
  if (!writer.ok()) return arrow_failure(writer.status());
  for (const auto& batch : batches) WEIR_ARROW_TRY((*writer)->WriteRecordBatch(*batch));
  WEIR_ARROW_TRY((*writer)->Close());
  auto buffer = (*sink)->Finish();
  if (!buffer.ok()) return arrow_failure(buffer.status());
  return (*buffer)->ToString();
}

Result<RowBatches> rows_from_ipc(std::string_view bytes) {
  RowBatches batches;
  if (bytes.empty()) return batches;
  auto buffer = arrow::Buffer::FromString(std::string(bytes));
  auto reader = arrow::ipc::RecordBatchStreamReader::Open(std::make_shared<arrow::io::BufferReader>(buffer));
  if (!reader.ok()) return arrow_failure(reader.status());
  while (true) {
    std::shared_ptr<arrow::RecordBatch> batch;
    WEIR_ARROW_TRY((*reader)->ReadNext(&batch));
    if (batch == nullptr) return batches;
    batches.push_back(std::move(batch));
  }
}

}  // namespace weir
