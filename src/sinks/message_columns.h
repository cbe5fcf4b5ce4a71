// Which columns of a row become a message's target (a topic or a subject), key, headers, time and value.
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

namespace weir {

// Names of columns, empty for what does not come from one.
struct MessageColumnNames {
  std::string target_word = "topic";  // or "subject": what errors and the option '<word>.from-column' call it
  std::string target;
  std::string headers;
  std::string timestamp;
  std::string key;  // a list separated by ';'
  bool value_without_key = false;
  bool raw = false;  // the value is the one column that is left, else a JSON object
};

struct MessageParts {
  std::string target;  // empty: the sink's own
  std::optional<std::string> key;
  std::optional<std::string> value;  // nothing: a tombstone
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  int64_t timestamp_ms = 0;  // 0: the time of sending
};

// Made once for a schema; not thread-safe.
class MessageColumns {
 public:
  // invalid when a column is missing or of a type that cannot be used.
  static Result<MessageColumns> create(const arrow::Schema& schema, const MessageColumnNames& names);

  // `rows` is of that schema, maybe with further columns behind it; it stays alive while parts() is called.
  void use(const arrow::RecordBatch& rows);
  // Of one row; valid until the next call. invalid when the row cannot be a message.
  Result<const MessageParts*> parts(int64_t row);

 private:
  std::string target_word_;
  int target_ = -1;
  int headers_ = -1;
  int timestamp_ = -1;
  bool raw_ = false;
  std::vector<int> key_;
  std::vector<int> value_;

  const arrow::RecordBatch* rows_ = nullptr;
  std::shared_ptr<arrow::RecordBatch> key_rows_;
  std::shared_ptr<arrow::RecordBatch> value_rows_;
  MessageParts parts_;
};

}  // namespace weir
