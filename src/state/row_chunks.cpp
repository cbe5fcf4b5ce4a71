#include "state/row_chunks.h"

#include <arrow/array/array_base.h>
#include <arrow/array/builder_base.h>
#include <arrow/array/data.h>
#include <arrow/array/util.h>
#include <arrow/buffer.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/bit_util.h>
#include <arrow/util/byte_size.h>

#include <algorithm>
#include <cstring>

namespace weir {

namespace {

Status failed(const arrow::Status& status) {
  return {status.IsOutOfMemory() || status.IsCapacityError() ? Code::exhausted : Code::internal,
          status.ToString()};
}

// Buffers that a batch keeps alive, few of them: a vector is searched faster than a set.
void note_buffers(const arrow::ArrayData& data, std::vector<const arrow::Buffer*>& seen, int64_t& bytes) {
  for (const auto& buffer : data.buffers) {
    if (!buffer) continue;
    const arrow::Buffer* root = buffer.get();
    while (root->parent()) root = root->parent().get();
    if (std::find(seen.begin(), seen.end(), root) != seen.end()) continue;
    seen.push_back(root);
    bytes += root->size();
  }
  for (const auto& child : data.child_data) note_buffers(*child, seen, bytes);
  if (data.dictionary) note_buffers(*data.dictionary, seen, bytes);
}

// Bytes of one value; 0: not of fixed whole bytes.
int byte_width(const arrow::DataType& type) {
  if (!arrow::is_fixed_width(type.id()) || type.id() == arrow::Type::DICTIONARY) return 0;
  int bits = type.bit_width();
  return bits % 8 == 0 ? bits / 8 : 0;
}

bool is_text(arrow::Type::type id) { return id == arrow::Type::STRING || id == arrow::Type::BINARY; }
bool is_large_text(arrow::Type::type id) {
  return id == arrow::Type::LARGE_STRING || id == arrow::Type::LARGE_BINARY;
}

bool consecutive(const RowRef* refs, size_t count) {
  if (count == 0 || refs[count - 1] - refs[0] != count - 1 ||
      chunk_of(refs[0]) != chunk_of(refs[count - 1])) {
    return false;
  }
  for (size_t i = 1; i < count; ++i) {
    if (refs[i] != refs[0] + i) return false;
  }
  return true;
}

Result<std::shared_ptr<arrow::Buffer>> allocate(int64_t size) {
  auto buffer = arrow::AllocateBuffer(size);
  if (!buffer.ok()) return failed(buffer.status());
  return std::shared_ptr<arrow::Buffer>(std::move(*buffer));
}

}  // namespace

int64_t held_bytes(const arrow::RecordBatch& rows) {
  std::vector<const arrow::Buffer*> seen;
  int64_t bytes = 0;
  for (const auto& column : rows.column_data()) note_buffers(*column, seen, bytes);
  return bytes;
}

RowChunks::RowChunks(std::shared_ptr<arrow::Schema> schema)
    : schema_(std::move(schema)), views_(schema_->num_fields()), chunks_with_nulls_(schema_->num_fields()) {}

Result<uint32_t> RowChunks::add(std::shared_ptr<arrow::RecordBatch> rows, bool compact) {
  WEIR_CHECK(rows->num_rows() <= kChunkRows, "a chunk has too many rows");
  int64_t bytes = held_bytes(*rows);
  if (compact) {
    auto needed = arrow::util::ReferencedBufferSize(*rows);
    if (!needed.ok()) return failed(needed.status());
    if (bytes > 2 * *needed + 1024) {
      RowChunks single(schema_);
      single.assign(rows);
      std::vector<RowRef> refs(rows->num_rows());
      for (size_t i = 0; i < refs.size(); ++i) refs[i] = static_cast<RowRef>(i);
      std::vector<std::shared_ptr<arrow::Array>> columns;
      for (int c = 0; c < schema_->num_fields(); ++c) {
        WEIR_ASSIGN(columns.emplace_back(), single.copy(c, refs.data(), refs.size()));
      }
      rows = arrow::RecordBatch::Make(schema_, rows->num_rows(), std::move(columns));
      bytes = held_bytes(*rows);
    }
  }
  uint32_t chunk = static_cast<uint32_t>(batches_.size());
  if (!free_.empty()) {
    chunk = free_.back();
    free_.pop_back();
  } else if (chunk + 1 >= kMostChunks) {
    return Status{Code::exhausted, "more than four thousand million rows are to be kept"};
  } else {
    batches_.emplace_back();
    bytes_.push_back(0);
    for (auto& views : views_) views.emplace_back();
  }
  batches_[chunk] = std::move(rows);
  bytes_[chunk] = bytes;
  set_views(chunk);
  return chunk;
}

void RowChunks::remove(uint32_t chunk) {
  for (auto& column : views_) {
    size_t index = &column - views_.data();
    if (column[chunk].validity != nullptr) --chunks_with_nulls_[index];
    column[chunk] = {};
  }
  batches_[chunk].reset();
  bytes_[chunk] = 0;
  free_.push_back(chunk);
}

void RowChunks::assign(std::shared_ptr<arrow::RecordBatch> rows) {
  free_.clear();
  batches_.assign(1, std::move(rows));
  bytes_.assign(1, 0);
  for (auto& column : views_) column.assign(1, {});
  std::fill(chunks_with_nulls_.begin(), chunks_with_nulls_.end(), 0);
  set_views(0);
}

void RowChunks::set_views(uint32_t chunk) {
  for (size_t c = 0; c < views_.size(); ++c) {
    const arrow::ArrayData& data = *batches_[chunk]->column_data(static_cast<int>(c));
    const arrow::DataType& type = *schema_->field(static_cast<int>(c))->type();
    View& view = views_[c][chunk];
    view.offset = data.offset;
    if (data.GetNullCount() > 0 && !data.buffers.empty() && data.buffers[0]) {
      view.validity = data.buffers[0]->data();
      ++chunks_with_nulls_[c];
    }
    int width = byte_width(type);
    if (data.buffers.size() < 2 || !data.buffers[1]) continue;
    view.values = data.buffers[1]->data();
    if (width != 0) {
      view.values += data.offset * width;
    } else if (is_text(type.id())) {
      view.values += data.offset * sizeof(int32_t);
    } else if (is_large_text(type.id())) {
      view.values += data.offset * sizeof(int64_t);
    }
    if (data.buffers.size() > 2 && data.buffers[2]) view.data = data.buffers[2]->data();
  }
}

Result<std::shared_ptr<arrow::RecordBatch>> RowChunks::gather(const RowRef* refs, size_t count) const {
  std::vector<std::shared_ptr<arrow::Array>> columns;
  WEIR_TRY(gather(refs, count, columns));
  return arrow::RecordBatch::Make(schema_, static_cast<int64_t>(count), std::move(columns));
}

Status RowChunks::gather(const RowRef* refs, size_t count,
                         std::vector<std::shared_ptr<arrow::Array>>& columns) const {
  if (consecutive(refs, count)) {
    const auto& batch = batches_[chunk_of(refs[0])];
    bool whole = static_cast<int64_t>(count) == batch->num_rows();
    for (int c = 0; c < schema_->num_fields(); ++c) {
      columns.push_back(whole ? batch->column(c) : batch->column(c)->Slice(row_of(refs[0]), count));
    }
    return {};
  }
  for (int c = 0; c < schema_->num_fields(); ++c) {
    WEIR_ASSIGN(columns.emplace_back(), copy(c, refs, count));
  }
  return {};
}

Result<std::shared_ptr<arrow::Array>> RowChunks::copy(int column, const RowRef* refs, size_t count) const {
  const arrow::DataType& type = *schema_->field(column)->type();
  int width = byte_width(type);
  if (width != 0) return gather_fixed(column, width, refs, count);
  if (is_text(type.id())) return gather_text<int32_t>(column, refs, count);
  if (is_large_text(type.id())) return gather_text<int64_t>(column, refs, count);
  return gather_any(column, refs, count);
}

Result<std::shared_ptr<arrow::Buffer>> RowChunks::gather_validity(int column, const RowRef* refs,
                                                                  size_t count, int64_t& nulls) const {
  nulls = 0;
  if (chunks_with_nulls_[column] == 0) return std::shared_ptr<arrow::Buffer>();
  WEIR_ASSIGN(auto bits, allocate(arrow::bit_util::BytesForBits(static_cast<int64_t>(count))));
  std::memset(bits->mutable_data(), 0, bits->size());
  uint8_t* out = bits->mutable_data();
  const View* views = views_[column].data();
  int64_t valid = 0;
  for (size_t i = 0; i < count; ++i) {
    const View& view = views[chunk_of(refs[i])];
    bool there =
        view.validity == nullptr || arrow::bit_util::GetBit(view.validity, view.offset + row_of(refs[i]));
    out[i >> 3] |= static_cast<uint8_t>(there) << (i & 7);
    valid += there;
  }
  nulls = static_cast<int64_t>(count) - valid;
  if (nulls == 0) bits.reset();
  return bits;
}

namespace {

template <size_t kWidth, typename Views>
void copy_values(const Views* views, const RowRef* refs, size_t count, uint8_t* out) {
  for (size_t i = 0; i < count; ++i) {
    std::memcpy(out + i * kWidth, views[chunk_of(refs[i])].values + row_of(refs[i]) * kWidth, kWidth);
  }
}

}  // namespace

Result<std::shared_ptr<arrow::Array>> RowChunks::gather_fixed(int column, int width, const RowRef* refs,
                                                              size_t count) const {
  int64_t nulls = 0;
  WEIR_ASSIGN(auto validity, gather_validity(column, refs, count, nulls));
  WEIR_ASSIGN(auto values, allocate(static_cast<int64_t>(count) * width));
  uint8_t* out = values->mutable_data();
  const View* views = views_[column].data();
  switch (width) {
    case 1: copy_values<1>(views, refs, count, out); break;
    case 2: copy_values<2>(views, refs, count, out); break;
    case 4: copy_values<4>(views, refs, count, out); break;
    case 8: copy_values<8>(views, refs, count, out); break;
    case 16: copy_values<16>(views, refs, count, out); break;
    default:
      for (size_t i = 0; i < count; ++i) {
        const uint8_t* from = views[chunk_of(refs[i])].values + static_cast<size_t>(row_of(refs[i])) * width;
        std::memcpy(out + i * width, from, width);
      }
  }
  return arrow::MakeArray(arrow::ArrayData::Make(schema_->field(column)->type(), static_cast<int64_t>(count),
                                                 {std::move(validity), std::move(values)}, nulls));
}

template <typename Offset>
Result<std::shared_ptr<arrow::Array>> RowChunks::gather_text(int column, const RowRef* refs,
                                                             size_t count) const {
  int64_t nulls = 0;
  WEIR_ASSIGN(auto validity, gather_validity(column, refs, count, nulls));
  WEIR_ASSIGN(auto offsets, allocate(static_cast<int64_t>((count + 1) * sizeof(Offset))));
  auto* ends = reinterpret_cast<Offset*>(offsets->mutable_data());
  const View* views = views_[column].data();
  int64_t total = 0;
  ends[0] = 0;
  for (size_t i = 0; i < count; ++i) {
    const auto* places = reinterpret_cast<const Offset*>(views[chunk_of(refs[i])].values) + row_of(refs[i]);
    total += places[1] - places[0];
    ends[i + 1] = static_cast<Offset>(total);
  }
  if (sizeof(Offset) == 4 && total > INT32_MAX) {
    return Status{Code::exhausted, "column '" + schema_->field(column)->name() +
                                       "': the texts of one batch of joined rows are larger than 2 GiB"};
  }
  WEIR_ASSIGN(auto data, allocate(total));
  uint8_t* out = data->mutable_data();
  for (size_t i = 0; i < count; ++i) {
    const View& view = views[chunk_of(refs[i])];
    const auto* places = reinterpret_cast<const Offset*>(view.values) + row_of(refs[i]);
    size_t size = static_cast<size_t>(places[1] - places[0]);
    if (size != 0) std::memcpy(out + ends[i], view.data + places[0], size);
  }
  return arrow::MakeArray(arrow::ArrayData::Make(schema_->field(column)->type(), static_cast<int64_t>(count),
                                                 {std::move(validity), std::move(offsets), std::move(data)},
                                                 nulls));
}

Result<std::shared_ptr<arrow::Array>> RowChunks::gather_any(int column, const RowRef* refs,
                                                            size_t count) const {
  std::unique_ptr<arrow::ArrayBuilder> builder;
  arrow::Status status =
      arrow::MakeBuilder(arrow::default_memory_pool(), schema_->field(column)->type(), &builder);
  if (status.ok()) status = builder->Reserve(static_cast<int64_t>(count));
  for (size_t i = 0; i < count && status.ok();) {
    size_t run = 1;  // neighbours are taken at once
    while (i + run < count && refs[i + run] == refs[i] + run &&
           chunk_of(refs[i + run]) == chunk_of(refs[i])) {
      ++run;
    }
    arrow::ArraySpan span(*batches_[chunk_of(refs[i])]->column_data(column));
    status = builder->AppendArraySlice(span, row_of(refs[i]), static_cast<int64_t>(run));
    i += run;
  }
  if (!status.ok()) return failed(status);
  auto array = builder->Finish();
  if (!array.ok()) return failed(array.status());
  return *array;
}

}  // namespace weir
