#include "formats/json/confluent_frame.h"

#include <algorithm>

#include "formats/json/json_schema_columns.h"

namespace weir::json {
namespace {

constexpr size_t kMostVerdicts = 10'000;

std::vector<std::string> texts_of(const std::vector<CheckSpec>& checks) {
  std::vector<std::string> texts;
  for (const CheckSpec& check : checks) texts.push_back(check.expression);
  return texts;
}

const ColumnSpec* column_named(const std::vector<ColumnSpec>& columns, const std::string& name) {
  const auto found = std::find_if(columns.begin(), columns.end(),
                                  [&](const ColumnSpec& column) { return column.name == name; });
  return found == columns.end() ? nullptr : &*found;
}

Result<DescribedTable> describe(const RegisteredSchema& registered, bool ignore_unsupported) {
  if (registered.schema.kind != SchemaKind::json) {
    return Status::invalid(registered.label() + " is " + schema_kind_name(registered.schema.kind) +
                           ", expected JSON");
  }
  WEIR_ASSIGN(auto table, describe_json_schema(registered.schema, registered.label(), ignore_unsupported));
  table.schema_name = registered.subject;
  table.schema_version = registered.version;
  return table;
}

}  // namespace

Result<DescribedTable> describe_latest(SchemaLookup& schemas, const std::string& subject,
                                       bool ignore_unsupported) {
  WEIR_ASSIGN(const auto registered, schemas.latest(subject));
  return describe(*registered, ignore_unsupported);
}

ConfluentFrame::ConfluentFrame(const FormatContext& context, bool ignore_unsupported)
    : schemas_(context.schemas),
      subject_(context.subject),
      columns_(context.columns),
      described_(context.columns_described),
      ignore_unsupported_(ignore_unsupported) {
  if (!described_) return;
  // A registry that is away now costs only this: CHECKs that change alone are not noticed.
  auto planned = describe_latest(*schemas_, subject_, ignore_unsupported_);
  checks_known_ = planned.ok();
  if (planned.ok()) checks_ = texts_of(planned->checks);
}

Result<bool> ConfluentFrame::take_off(std::string_view& payload, ErrorRecord& error) {
  if (payload.size() < kBytes || payload[0] != '\0') {
    static constexpr char kHex[] = "0123456789abcdef";
    const auto first = payload.empty() ? 0 : static_cast<uint8_t>(payload[0]);
    error.code = ErrorCode::malformed;
    error.byte = 0;
    error.message =
        "'json.framing' is 'confluent', expected a zero byte and a schema's id, found " +
        (payload.size() < kBytes ? std::to_string(payload.size()) + " bytes"
                                 : std::string("the byte 0x") + kHex[first >> 4] + kHex[first & 15]);
    return false;
  }
  uint32_t bytes = 0;
  for (size_t i = 1; i < kBytes; ++i) bytes = bytes << 8 | static_cast<uint8_t>(payload[i]);
  const auto id = static_cast<int32_t>(bytes);
  payload.remove_prefix(kBytes);
  if (id == last_good_) return true;
  auto known = verdicts_.find(id);
  if (known == verdicts_.end()) {
    WEIR_ASSIGN(Verdict verdict, judge(id));
    if (!verdict.good && verdict.code == ErrorCode::unknown_schema) {  // it may be registered yet
      error.code = verdict.code;
      error.message = std::move(verdict.message);
      return false;
    }
    if (verdicts_.size() >= kMostVerdicts) verdicts_.clear();
    known = verdicts_.emplace(id, std::move(verdict)).first;
  }
  if (known->second.good) {
    last_good_ = id;
    return true;
  }
  error.code = known->second.code;
  error.message = known->second.message;
  return false;
}

Result<ConfluentFrame::Verdict> ConfluentFrame::judge(int32_t id) {
  Verdict verdict;
  auto registered = schemas_->by_id(id);
  if (registered.status().code() == Code::not_found) {
    verdict.good = false;
    verdict.message = "the registry has no schema with the id " + std::to_string(id);
    return verdict;
  }
  if (!registered.ok()) return registered.status();
  if ((*registered)->schema.kind != SchemaKind::json) {
    verdict.good = false;
    verdict.code = ErrorCode::incompatible_schema;
    verdict.message =
        (*registered)->label() + " is " + schema_kind_name((*registered)->schema.kind) + ", expected JSON";
    return verdict;
  }
  WEIR_TRY(look_for_change(**registered));
  return verdict;
}

// schema_changed when planning anew from the subject's newest version would give more columns or other
// CHECKs, and none of another type. Planned anew the same event cannot ask for it again.
Status ConfluentFrame::look_for_change(const RegisteredSchema& written) {
  if (!described_ || subject_.empty()) return {};
  auto latest = schemas_->latest(subject_);
  if (!latest.ok()) return latest.status().code() == Code::not_found ? Status() : latest.status();
  auto table = describe(**latest, ignore_unsupported_);
  if (!table.ok()) return {};
  std::string added;
  for (const ColumnSpec& column : table->columns) {
    const ColumnSpec* before = column_named(columns_, column.name);
    if (before != nullptr && before->type.text != column.type.text) return {};
    if (before == nullptr) added += (added.empty() ? "" : ", ") + column.name + " " + column.type.text;
  }
  const bool other_checks = checks_known_ && texts_of(table->checks) != checks_;
  if (added.empty() && !other_checks) return {};
  return Status(Code::schema_changed, "an event came with " + written.label() + "; " + (*latest)->label() +
                                          (added.empty() ? " has other CHECKs" : " adds " + added));
}

}  // namespace weir::json
