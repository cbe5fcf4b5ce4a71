// Which columns of a row become a Kafka message's topic, key, headers, time and value.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "config/options.h"

namespace weir {

struct KafkaMessageParts {
  std::string topic;  // empty: the sink's own
  std::optional<std::string> key;
  std::optional<std::string> value;  // nothing: a tombstone
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  int64_t timestamp_ms = 0;  // 0: the time of sending
};

// Made once for a schema; not thread-safe.
class KafkaMessageColumns {
 public:
  // invalid when an option names a column that is missing or of a type that cannot be used.
  static Result<KafkaMessageColumns> create(const arrow::Schema& schema, const Options& options);

  // `rows` is of that schema, maybe with further columns behind it; it stays alive while parts() is called.
  void use(const arrow::RecordBatch& rows);
  // Of one row; valid until the next call. invalid when the row cannot be a message.
  Result<const KafkaMessageParts*> parts(int64_t row);

 private:
  int topic_ = -1;
  int headers_ = -1;
  int timestamp_ = -1;
  bool raw_ = false;
  std::vector<int> key_;
  std::vector<int> value_;

  const arrow::RecordBatch* rows_ = nullptr;
  std::shared_ptr<arrow::RecordBatch> key_rows_;
  std::shared_ptr<arrow::RecordBatch> value_rows_;
  KafkaMessageParts parts_;
};

}  // namespace weir
