// Confluent's framing of JSON: a zero byte, the schema's id in four bytes, the document.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "formats/decoder.h"
#include "schema/error_record.h"

namespace weir::json {

// One thread.
class ConfluentFrame {
 public:
  ConfluentFrame(const FormatContext& context, bool ignore_unsupported);

  // Takes the frame off `payload`. False: `error` has code and message (malformed, unknown_schema,
  // incompatible_schema). unavailable: the registry did not answer. schema_changed: see FormatContext.
  Result<bool> take_off(std::string_view& payload, ErrorRecord& error);
  // Behind the message of an event whose document does not fit: what it was written with, and what the
  // columns are of.
  std::string versions() const;

 private:
  struct Verdict {
    bool good = true;
    std::string label;  // of the schema
    ErrorCode code = ErrorCode::unknown_schema;
    std::string message;
  };

  Result<Verdict> judge(int32_t id);
  Status look_for_change(const RegisteredSchema& written);

  std::shared_ptr<SchemaLookup> schemas_;
  std::string subject_;
  std::vector<ColumnSpec> columns_;
  bool described_;
  bool ignore_unsupported_;
  std::vector<std::string> checks_;  // that the table was planned with
  std::unordered_map<int32_t, Verdict> verdicts_;
  std::string described_by_;
  std::optional<int32_t> last_good_;
  std::string last_label_;
};

// The columns of the subject's newest version.
Result<DescribedTable> describe_latest(SchemaLookup& schemas, const std::string& subject,
                                       bool ignore_unsupported);

}  // namespace weir::json
