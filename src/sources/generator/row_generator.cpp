#include "sources/generator/row_generator.h"

#include <arrow/type.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "sources/generator/field_plan.h"

namespace weir {
namespace {

using Kind = FieldPlan::Kind;

constexpr int kDepth = 4096;  // deeper than any decoder's limit

bool is_number(const FieldPlan& plan) { return plan.kind == Kind::integer || plan.kind == Kind::decimal; }
bool is_time(const FieldPlan& plan) { return plan.kind == Kind::timestamp || plan.kind == Kind::date; }

// Which fields can show `code`; the surest kind only, so that the code is what a strict decoder reports.
std::vector<size_t> targets_of(ErrorCode code, const std::vector<FieldPlan>& fields) {
  const auto all = [&](auto&& fits) {
    std::vector<size_t> found;
    for (size_t i = 0; i < fields.size(); ++i) {
      if (fits(fields[i])) found.push_back(i);
    }
    return found;
  };
  const auto first_of = [&](auto&& surest, auto&& otherwise) {
    std::vector<size_t> found = all(surest);
    return found.empty() ? all(otherwise) : found;
  };
  switch (code) {
    case ErrorCode::missing_required: return all([](const FieldPlan& f) { return !f.nullable; });
    case ErrorCode::wrong_type:
      return first_of(
          [](const FieldPlan& f) { return is_number(f) || f.kind == Kind::boolean || f.kind == Kind::real; },
          [](const FieldPlan&) { return true; });
    case ErrorCode::out_of_range:
      return first_of([](const FieldPlan& f) { return f.kind == Kind::integer; }, is_number);
    case ErrorCode::bad_timestamp:
      return first_of([](const FieldPlan& f) { return f.kind == Kind::timestamp; }, is_time);
    case ErrorCode::malformed:
    case ErrorCode::invalid_utf8:
    case ErrorCode::duplicate_key:
    case ErrorCode::unknown_field:
    case ErrorCode::too_deep: return all([](const FieldPlan&) { return true; });
    default: return {};
  }
}

void append_out_of_range(const FieldPlan& plan, std::string& out) {
  if (plan.kind == Kind::decimal) {
    out.append(static_cast<size_t>(plan.precision - plan.scale) + 1, '9');
    return;
  }
  out += plan.bits == 8    ? "300"
         : plan.bits == 16 ? "70000"
         : plan.bits == 32 ? "3000000000"
                           : "9223372036854775808";
}

class JsonRows final : public RowGenerator {
 public:
  JsonRows(std::vector<FieldPlan> fields, const GeneratorSettings& settings, std::vector<ErrorCode> codes)
      : fields_(std::move(fields)), settings_(settings), codes_(std::move(codes)) {
    for (const ErrorCode code : codes_) targets_.push_back(targets_of(code, fields_));
  }

  void append(int64_t partition, int64_t row, std::string& out) const override {
    RowRandom mixer(settings_.seed ^ static_cast<uint64_t>(partition) << 48);
    RowRandom random(mixer.next() + static_cast<uint64_t>(row) * 0xD1342543DE82EF95);
    const RowTime at{row, settings_.start_us + row * settings_.step_us};
    const size_t begin = out.size();
    if (settings_.broken_share > 0 && random.share() < settings_.broken_share) {
      const size_t drawn = random.below(codes_.size());
      const std::vector<size_t>& targets = targets_[drawn];
      append_broken(codes_[drawn], targets[random.below(targets.size())], at, random, out, begin);
      return;
    }
    append_fields(at, random, out);
    out += '}';
  }

 private:
  void append_fields(const RowTime& at, RowRandom& random, std::string& out) const {
    out += '{';
    for (size_t i = 0; i < fields_.size(); ++i) {
      if (i > 0) out += ',';
      out += fields_[i].key;
      append_value(fields_[i], at, settings_.null_share, random, out);
    }
  }

  void append_broken(ErrorCode code, size_t target, const RowTime& at, RowRandom& random, std::string& out,
                     size_t begin) const {
    const bool replaces = code == ErrorCode::missing_required || code == ErrorCode::wrong_type ||
                          code == ErrorCode::out_of_range || code == ErrorCode::bad_timestamp;
    if (replaces) {
      append_with_bad_field(code, target, at, random, out);
      return;
    }
    append_fields(at, random, out);
    switch (code) {
      case ErrorCode::malformed: out.resize(begin + (out.size() - begin + 1) / 2); return;  // a cut document
      case ErrorCode::duplicate_key:
        out += ',';
        out += fields_[target].key;
        append_value(fields_[target], at, 0, random, out);
        break;
      case ErrorCode::invalid_utf8: out += ",\"_broken\":\"\xC3\x28\""; break;
      case ErrorCode::too_deep:
        out += ",\"_broken\":";
        out.append(kDepth, '[');
        out.append(kDepth, ']');
        break;
      default: out += ",\"_broken\":1"; break;
    }
    out += '}';
  }

  void append_with_bad_field(ErrorCode code, size_t target, const RowTime& at, RowRandom& random,
                             std::string& out) const {
    out += '{';
    bool first = true;
    for (size_t i = 0; i < fields_.size(); ++i) {
      if (i == target && code == ErrorCode::missing_required) continue;
      if (!first) out += ',';
      first = false;
      out += fields_[i].key;
      if (i != target) {
        append_value(fields_[i], at, settings_.null_share, random, out);
      } else if (code == ErrorCode::out_of_range) {
        append_out_of_range(fields_[i], out);
      } else if (code == ErrorCode::bad_timestamp) {
        out += fields_[i].kind == Kind::date ? "\"2026-13-45\"" : "\"2026-13-45T99:99:99\"";
      } else {
        const bool nested =
            fields_[i].kind == Kind::list || fields_[i].kind == Kind::map || fields_[i].kind == Kind::row;
        out += nested ? "true" : "{\"broken\":true}";
      }
    }
    out += '}';
  }

  std::vector<FieldPlan> fields_;
  GeneratorSettings settings_;
  std::vector<ErrorCode> codes_;
  std::vector<std::vector<size_t>> targets_;
};

// Those that every strict decoder refuses, whatever its options.
constexpr std::array kUsualCodes = {
    ErrorCode::malformed,  ErrorCode::invalid_utf8, ErrorCode::duplicate_key, ErrorCode::missing_required,
    ErrorCode::wrong_type, ErrorCode::out_of_range, ErrorCode::bad_timestamp};

}  // namespace

const std::vector<ErrorCode>& injectable_codes() {
  static const std::vector<ErrorCode> codes = [] {
    std::vector<ErrorCode> all(kUsualCodes.begin(), kUsualCodes.end());
    all.push_back(ErrorCode::unknown_field);
    all.push_back(ErrorCode::too_deep);
    return all;
  }();
  return codes;
}

Result<std::unique_ptr<RowGenerator>> make_row_generator(const std::vector<ColumnSpec>& physical,
                                                         const GeneratorSettings& settings) {
  std::vector<FieldPlan> fields;
  std::map<std::string, std::string> unused = settings.fields;
  for (const ColumnSpec& column : physical) {
    const arrow::Field field(column.name, column.type.arrow, column.nullable);
    WEIR_ASSIGN(FieldPlan plan, plan_field(column.name, field, settings.fields, unused));
    const bool bounded = plan.kind == Kind::text && column.type.max_length >= 0;
    if (bounded) plan.length = std::min(plan.length, static_cast<size_t>(column.type.max_length));
    fields.push_back(std::move(plan));
  }
  if (fields.empty()) return Status::invalid("connector 'generator' needs a table with physical columns");
  if (!unused.empty()) {
    std::vector<std::string> names;
    for (const FieldPlan& plan : fields) {
      for (const char* option : {"min", "max", "length", "values", "kind"})
        names.push_back(plan.name + "." + option);
    }
    return Status::invalid("'fields." + unused.begin()->first + "' fits no column." +
                           suggestion(unused.begin()->first, names));
  }
  std::vector<ErrorCode> codes;
  for (const ErrorCode code : settings.broken_codes) {
    if (targets_of(code, fields).empty()) {
      return Status::invalid("'broken-codes': no column of this table can show '" +
                             std::string(error_code_name(code)) + "'");
    }
    codes.push_back(code);
  }
  if (codes.empty()) {
    std::copy_if(kUsualCodes.begin(), kUsualCodes.end(), std::back_inserter(codes),
                 [&](ErrorCode code) { return !targets_of(code, fields).empty(); });
  }
  return std::unique_ptr<RowGenerator>(
      std::make_unique<JsonRows>(std::move(fields), settings, std::move(codes)));
}

}  // namespace weir
