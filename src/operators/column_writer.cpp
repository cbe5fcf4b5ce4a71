#include "operators/column_writer.h"

#include <arrow/array/array_base.h>
#include <arrow/array/builder_binary.h>
#include <arrow/array/data.h>
#include <arrow/array/util.h>
#include <arrow/buffer.h>
#include <arrow/type.h>

#include <limits>
#include <utility>

namespace weir {

namespace {

std::shared_ptr<arrow::Buffer> pack_bits(const char* bytes, int64_t count) {
  std::string bits(static_cast<size_t>((count + 7) / 8), '\0');
  for (int64_t i = 0; i < count; ++i) {
    bits[static_cast<size_t>(i / 8)] |= static_cast<char>((bytes[i] != 0 ? 1 : 0) << (i % 8));
  }
  return arrow::Buffer::FromString(std::move(bits));
}

template <class Offset>
std::shared_ptr<arrow::Buffer> offsets(const std::vector<int64_t>& ends) {
  std::string bytes((ends.size() + 1) * sizeof(Offset), '\0');
  Offset* values = reinterpret_cast<Offset*>(bytes.data());
  for (size_t i = 0; i < ends.size(); ++i) values[i + 1] = static_cast<Offset>(ends[i]);
  return arrow::Buffer::FromString(std::move(bytes));
}

Status arrow_failed(const arrow::Status& status) { return Status::internal("Arrow: " + status.ToString()); }

}  // namespace

int value_width(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::BOOL: return 1;
    case arrow::Type::STRING:
    case arrow::Type::LARGE_STRING:
    case arrow::Type::STRING_VIEW:
    case arrow::Type::BINARY:
    case arrow::Type::LARGE_BINARY:
    case arrow::Type::BINARY_VIEW: return 0;
    case arrow::Type::INT8:
    case arrow::Type::UINT8:
    case arrow::Type::INT16:
    case arrow::Type::UINT16:
    case arrow::Type::INT32:
    case arrow::Type::UINT32:
    case arrow::Type::INT64:
    case arrow::Type::UINT64:
    case arrow::Type::FLOAT:
    case arrow::Type::DOUBLE:
    case arrow::Type::DATE32:
    case arrow::Type::DATE64:
    case arrow::Type::TIME32:
    case arrow::Type::TIME64:
    case arrow::Type::TIMESTAMP:
    case arrow::Type::DURATION:
    case arrow::Type::DECIMAL128: return static_cast<const arrow::FixedWidthType&>(type).bit_width() / 8;
    default: return -1;
  }
}

ColumnWriter::ColumnWriter(std::shared_ptr<arrow::DataType> type, size_t expected)
    : type_(std::move(type)), width_(value_width(*type_)) {
  data_.reserve(expected * static_cast<size_t>(width_ == 0 ? 16 : width_));
  if (width_ == 0) ends_.reserve(expected);
}

void ColumnWriter::append(const void* bytes, size_t size) {
  data_.append(static_cast<const char*>(bytes), size);
  if (width_ == 0) ends_.push_back(static_cast<int64_t>(data_.size()));
  if (nulls_ != 0) valid_.push_back(1);
  ++length_;
}

void ColumnWriter::append_null() {
  if (nulls_ == 0) valid_.assign(static_cast<size_t>(length_), 1);
  ++nulls_;
  valid_.push_back(0);
  data_.append(static_cast<size_t>(width_), '\0');
  if (width_ == 0) ends_.push_back(static_cast<int64_t>(data_.size()));
  ++length_;
}

Result<std::shared_ptr<arrow::Array>> ColumnWriter::finish() {
  std::shared_ptr<arrow::Buffer> valid;
  if (nulls_ != 0) valid = pack_bits(reinterpret_cast<const char*>(valid_.data()), length_);
  auto make = [&](std::vector<std::shared_ptr<arrow::Buffer>> buffers) {
    return arrow::MakeArray(arrow::ArrayData::Make(type_, length_, std::move(buffers), nulls_));
  };
  switch (type_->id()) {
    case arrow::Type::BOOL: return make({valid, pack_bits(data_.data(), length_)});
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      if (data_.size() > static_cast<size_t>(std::numeric_limits<int32_t>::max())) {
        return Status(Code::exhausted, "the texts of one batch of results are above 2 GiB");
      }
      return make({valid, offsets<int32_t>(ends_), arrow::Buffer::FromString(std::move(data_))});
    case arrow::Type::LARGE_STRING:
    case arrow::Type::LARGE_BINARY:
      return make({valid, offsets<int64_t>(ends_), arrow::Buffer::FromString(std::move(data_))});
    case arrow::Type::STRING_VIEW:
    case arrow::Type::BINARY_VIEW: {
      // A StringViewBuilder is a BinaryViewBuilder with another type, which is set on the result.
      arrow::BinaryViewBuilder builder;
      int64_t start = 0;
      for (int64_t i = 0; i < length_; ++i) {
        int64_t end = ends_[static_cast<size_t>(i)];
        bool null = nulls_ != 0 && valid_[static_cast<size_t>(i)] == 0;
        arrow::Status added = null ? builder.AppendNull()
                                   : builder.Append(std::string_view(data_).substr(
                                         static_cast<size_t>(start), static_cast<size_t>(end - start)));
        if (!added.ok()) return arrow_failed(added);
        start = end;
      }
      std::shared_ptr<arrow::Array> built;
      arrow::Status finished = builder.Finish(&built);
      if (!finished.ok()) return arrow_failed(finished);
      auto data = built->data()->Copy();
      data->type = type_;
      return arrow::MakeArray(data);
    }
    default: return make({valid, arrow::Buffer::FromString(std::move(data_))});
  }
}

}  // namespace weir
