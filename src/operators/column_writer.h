// Builds an Arrow column from the bytes of its values, for every type that an aggregate can hold.
//
// Bytes of a value: BOOLEAN one byte, types of fixed width as Arrow has them, texts and binaries theirs.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace weir {

// 1 to 16 for types of fixed width (BOOLEAN 1), 0 for texts and binaries, -1 for what no aggregate can hold.
int value_width(const arrow::DataType& type);

class ColumnWriter {
 public:
  // `type` has value_width >= 0.
  ColumnWriter(std::shared_ptr<arrow::DataType> type, size_t expected);
  void append(const void* bytes, size_t size);
  void append(std::string_view bytes) { append(bytes.data(), bytes.size()); }
  void append_null();
  int64_t length() const { return length_; }
  // exhausted: more than 2 GiB of text in a type with 32-bit offsets.
  Result<std::shared_ptr<arrow::Array>> finish();

 private:
  std::shared_ptr<arrow::DataType> type_;
  int width_;
  int64_t length_ = 0;
  int64_t nulls_ = 0;
  std::string data_;
  std::vector<int64_t> ends_;  // of texts
  std::vector<uint8_t> valid_;
};

}  // namespace weir
