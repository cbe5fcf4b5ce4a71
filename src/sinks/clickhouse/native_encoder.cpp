#include "sinks/clickhouse/native_encoder.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <new>

#include "sinks/clickhouse/native_column.h"

namespace weir {
namespace {

// Rows of a batch that go into the block.
struct Run {
  const arrow::RecordBatch* batch;
  int64_t offset;
  int64_t length;
};

std::vector<Piece> pieces_of(const std::vector<Run>& runs, int column) {
  std::vector<Piece> pieces;
  pieces.reserve(runs.size());
  for (const Run& run : runs) {
    // The batch holds the data; a column's ArrayData lives as long as its batch.
    const arrow::ArrayData* data = run.batch->column_data(column).get();
    pieces.push_back({data, data->offset + run.offset, run.length});
  }
  return pieces;
}

// `runs` without the refused rows, which are sorted by row.
std::vector<Run> without(const std::vector<Run>& runs, const std::vector<RefusedValue>& refused) {
  std::vector<Run> kept;
  auto next = refused.begin();
  int64_t first = 0;
  for (const Run& run : runs) {
    int64_t from = 0;
    for (; next != refused.end() && next->row < first + run.length; ++next) {
      int64_t at = next->row - first;
      if (at > from) kept.push_back({run.batch, run.offset + from, at - from});
      from = at + 1;
    }
    if (run.length > from) kept.push_back({run.batch, run.offset + from, run.length - from});
    first += run.length;
  }
  return kept;
}

// Rows are tried optimistically: values that do not fit are written as defaults and added to block->refused.
void put_block(const std::vector<ColumnTarget>& targets, const std::vector<std::string>& type_texts,
               const std::vector<std::unique_ptr<NativeColumn>>& columns, const std::vector<Run>& runs,
               EncodedBlock* block) {
  if (block->rows == 0) return;
  NativeBuffer& out = block->bytes;
  out.append_varint(columns.size());
  out.append_varint(static_cast<uint64_t>(block->rows));
  Refusals refusals;
  for (size_t i = 0; i < columns.size(); ++i) {
    out.append_string(targets[i].name);
    out.append_string(type_texts[i]);
    columns[i]->write_prefix(&out);
    refusals.clear();
    columns[i]->encode(pieces_of(runs, targets[i].column), &out, &refusals);
    for (Refusal& refusal : refusals) {
      block->refused.push_back({refusal.index, targets[i].name, std::move(refusal.message)});
    }
  }
}

}  // namespace

NativeEncoder::NativeEncoder() = default;
NativeEncoder::NativeEncoder(NativeEncoder&&) noexcept = default;
NativeEncoder& NativeEncoder::operator=(NativeEncoder&&) noexcept = default;
NativeEncoder::~NativeEncoder() = default;

Result<NativeEncoder> NativeEncoder::create(const arrow::Schema& schema, std::vector<ColumnTarget> targets,
                                            EncodeOptions options) {
  NativeEncoder encoder;
  for (const ColumnTarget& target : targets) {
    if (target.column < 0 || target.column >= schema.num_fields()) {
      return Status::internal("column " + std::to_string(target.column) + " is not in the schema");
    }
    const arrow::DataType& type = *schema.field(target.column)->type();
    Result<std::unique_ptr<NativeColumn>> column =
        target.element_field >= 0
            ? make_flattened_column(type, target.element_field, target.type, options.null_as_default)
            : make_native_column(type, target.type, options.null_as_default);
    if (!column.ok()) return column.status().with_context("column " + target.name);
    encoder.columns_.push_back(std::move(*column));
    encoder.type_texts_.push_back(target.type.to_string());
  }
  encoder.targets_ = std::move(targets);
  return encoder;
}

Result<EncodedBlock> NativeEncoder::encode(std::span<const std::shared_ptr<arrow::RecordBatch>> batches) {
  EncodedBlock block;
  WEIR_TRY(encode(batches, &block));
  return block;
}

Status NativeEncoder::encode(std::span<const std::shared_ptr<arrow::RecordBatch>> batches,
                             EncodedBlock* block) {
  block->bytes.clear();
  block->refused.clear();
  block->rows = 0;
  std::vector<Run> runs;
  for (const auto& batch : batches) {
    if (batch->num_rows() == 0) continue;
    runs.push_back({batch.get(), 0, batch->num_rows()});
    block->rows += batch->num_rows();
  }
  try {
    put_block(targets_, type_texts_, columns_, runs, block);
    if (block->refused.empty()) return {};
    // Some were refused: the block is written again without them.
    std::vector<RefusedValue> refused = std::move(block->refused);
    std::stable_sort(refused.begin(), refused.end(),
                     [](const RefusedValue& a, const RefusedValue& b) { return a.row < b.row; });
    refused.erase(std::unique(refused.begin(), refused.end(),
                              [](const RefusedValue& a, const RefusedValue& b) { return a.row == b.row; }),
                  refused.end());
    block->rows -= static_cast<int64_t>(refused.size());
    block->bytes.clear();
    block->refused.clear();
    put_block(targets_, type_texts_, columns_, without(runs, refused), block);
    WEIR_CHECK(block->refused.empty(), "a kept row was refused");
    block->refused = std::move(refused);
    return {};
  } catch (const std::bad_alloc&) {
    block->bytes = NativeBuffer();
    return {Code::exhausted, "out of memory while encoding " + std::to_string(block->rows) + " rows"};
  }
}

std::string NativeEncoder::column_list() const {
  std::string out;
  for (const ColumnTarget& target : targets_) {
    out += (out.empty() ? "" : ", ") + quoted_identifier(target.name);
  }
  return out;
}

}  // namespace weir
