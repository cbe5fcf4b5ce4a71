#include "cli/sample_csv.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "base/text.h"
#include "formats/csv/record.h"

namespace weir {
namespace {

// Words, not values: no number, date or boolean, and each once.
bool look_like_names(const std::vector<std::string>& fields) {
  std::set<std::string> distinct;
  for (const std::string& field : fields) {
    SampledType type;
    type.add_text(field);
    if (field.empty() || type.choose().sql != "STRING" || field.size() > 100) return false;
    if (!distinct.insert(field).second) return false;
    if (std::none_of(field.begin(), field.end(),
                     [](unsigned char c) { return std::isalpha(c) != 0 || c >= 0x80; }))
      return false;
  }
  return !fields.empty();
}

}  // namespace

void CsvSample::add(std::string_view record, int64_t offset) {
  records_.push_back({std::string(record), offset == 0});
}

std::vector<std::string> CsvSample::fields_of(const std::string& record, std::vector<bool>& quoted,
                                              std::string& why) const {
  csv::Dialect dialect;
  dialect.delimiter = delimiter_;
  csv::RecordReader reader(dialect);
  reader.begin(record);
  std::vector<std::string> fields;
  quoted.clear();
  csv::Field field;
  ErrorRecord error;
  while (!reader.at_end()) {
    if (!reader.next(field, error)) {
      why = error.message;
      return {};
    }
    fields.emplace_back(field.text);
    quoted.push_back(field.quoted);
  }
  return fields;
}

// The one that cuts most records into the same number of fields, at least two.
void CsvSample::find_delimiter() {
  int64_t best = 0;
  char found = ',';
  for (const char candidate : {',', ';', '\t', '|'}) {
    delimiter_ = candidate;
    std::map<size_t, int64_t> counts;
    std::vector<bool> quoted;
    std::string why;
    for (const Record& record : records_) ++counts[fields_of(record.text, quoted, why).size()];
    for (const auto& [fields, records] : counts) {
      if (fields < 2 || records <= best) continue;
      best = records;
      found = candidate;
    }
  }
  delimiter_ = found;
}

Status CsvSample::finish(bool may_have_header) {
  find_delimiter();
  std::vector<bool> quoted;
  std::string why;
  std::vector<std::string> names;
  if (may_have_header) {
    const auto first =
        std::find_if(records_.begin(), records_.end(), [](const Record& r) { return r.first; });
    if (first != records_.end()) names = fields_of(first->text, quoted, why);
    has_header_ = look_like_names(names) && records_.size() > 1;
    if (!has_header_) names.clear();
  }
  std::map<size_t, int64_t> widths;
  for (const Record& record : records_) {
    if (!(has_header_ && record.first)) ++widths[fields_of(record.text, quoted, why).size()];
  }
  widths.erase(0);
  size_t width = names.size();
  if (!has_header_) {
    int64_t most = 0;
    for (const auto& [fields, records] : widths) {
      if (records > most) width = fields;
      most = std::max(most, records);
    }
    for (size_t i = 1; i <= width; ++i) names.push_back("column_" + std::to_string(i));
  }
  std::vector<SampledType> types(width);
  int64_t good = 0;
  std::string first_bad;
  for (const Record& record : records_) {
    if (has_header_ && record.first) continue;
    why = "";
    const std::vector<std::string> fields = fields_of(record.text, quoted, why);
    if (fields.size() != width) {
      if (why.empty()) why = std::to_string(fields.size()) + " fields, expected " + std::to_string(width);
      if (first_bad.empty()) first_bad = why;
      continue;
    }
    ++good;
    for (size_t i = 0; i < width; ++i) {
      SampledValue empty;
      empty.kind = SampledValue::Kind::string;
      if (fields[i].empty() && quoted[i]) {
        types[i].add(empty);
      } else {
        types[i].add_text(fields[i]);
      }
    }
  }
  if (good == 0) return Status::invalid("none of the events is a CSV record: " + first_bad);
  std::set<std::string> stored;
  for (size_t i = 0; i < width; ++i) {
    const ChosenType type = types[i].choose();
    InitColumn column{names[i], type.sql, type.remark};
    // By position: every field needs a column, and no two one name, whatever the case.
    std::string kept = table_name(names[i]);
    if (!stored.insert(kept).second) {
      column.name = "column_" + std::to_string(i + 1);
      stored.insert(column.name);
    }
    const int64_t absent = good - types[i].present();
    if (absent == 0) column.sql += " NOT NULL";
    if (absent > 0 && types[i].present() > 0) {
      column.remark += (column.remark.empty() ? "" : "; ") + std::string("empty in ") +
                       with_thousands(absent) + " of " + with_thousands(good);
    }
    columns_.push_back(std::move(column));
  }
  return {};
}

}  // namespace weir
