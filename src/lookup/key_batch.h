// Keys of a lookup in one form, whichever side they come from.
#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "state/key_encoder.h"

namespace weir {

class LookupKeys {
 public:
  // Columns of `schema` by name. invalid: one cannot be a key.
  static Result<LookupKeys> create(const arrow::Schema& schema, const std::vector<std::string>& columns);
  size_t width() const { return encoder_.width(); }
  // The named columns of `rows`, by name.
  std::shared_ptr<arrow::RecordBatch> pick(const arrow::RecordBatch& rows) const;
  // Of a batch as pick() gives it, or with the columns in that order.
  void encode(const arrow::RecordBatch& keys, EncodedKeys& encoded) const;
  const arrow::Schema& schema() const { return *schema_; }

 private:
  LookupKeys(std::shared_ptr<arrow::Schema> schema, KeyEncoder encoder)
      : schema_(std::move(schema)), encoder_(std::move(encoder)) {}
  std::shared_ptr<arrow::Schema> schema_;  // all nullable, so that both sides are encoded alike
  KeyEncoder encoder_;
};

// Rows numbers without a NULL in their key.
std::vector<uint32_t> rows_with_key(const EncodedKeys& keys);

}  // namespace weir
