#include "formats/json/confluent_frame.h"

#include "formats/json/json_schema_columns.h"
#include "formats/registry_frame.h"

namespace weir::json {
namespace {

constexpr size_t kMostVerdicts = 10'000;

std::vector<std::string> texts_of(const std::vector<CheckSpec>& checks) {
  std::vector<std::string> texts;
  for (const CheckSpec& check : checks) texts.push_back(check.expression);
  return texts;
}

Result<DescribedTable> describe(const RegisteredSchema& registered, bool ignore_unsupported) {
  if (auto problem = wrong_kind(registered, SchemaKind::json)) return Status::invalid(*std::move(problem));
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
      ignore_unsupported_(ignore_unsupported),
      checks_(texts_of(context.described_checks)),
      described_by_(context.described_by) {}

std::string ConfluentFrame::versions() const {
  return " (written with " + last_label_ +
         (described_ ? "; the columns are those of " + described_by_ + ")" : ")");
}

Result<bool> ConfluentFrame::take_off(std::string_view& payload, ErrorRecord& error) {
  if (!has_registry_frame(payload)) {
    no_registry_frame(payload, error);
    return false;
  }
  const int32_t id = registry_frame_id(payload);
  payload.remove_prefix(kRegistryFrameBytes);
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
    last_label_ = known->second.label;
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
  if (auto problem = wrong_kind(**registered, SchemaKind::json)) {
    verdict.good = false;
    verdict.code = ErrorCode::incompatible_schema;
    verdict.message = *std::move(problem);
    return verdict;
  }
  verdict.label = (*registered)->label();
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
  const auto added = added_columns(columns_, table->columns);
  if (!added) return {};
  const bool other_checks = texts_of(table->checks) != checks_;
  if (added->empty() && !other_checks) return {};
  return Status(Code::schema_changed, "an event came with " + written.label() + "; " + (*latest)->label() +
                                          (added->empty() ? " has other CHECKs" : " adds " + *added));
}

}  // namespace weir::json
