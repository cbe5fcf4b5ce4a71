#include "sinks/delta/delta_tables.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/crash_point.h"
#include "sinks/delta/partition_split.h"

namespace weir {
namespace {

constexpr const char* kAssignedFolder = "tables";
constexpr const char* kAheadObject = "ahead.json";
constexpr size_t kMaxNameBytes = 200;

// A value as a part of a path: "a/b" is "a~2Fb". Not percent signs: delta-rs would decode them.
std::string path_part(const std::optional<std::string>& value) {
  if (!value) return "_null";
  std::string part;
  for (const char c : *value) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '_' || c == '-' || c == '.') {
      part += c;
    } else {
      char escaped[4];
      std::snprintf(escaped, sizeof escaped, "~%02X", byte);
      part += escaped;
    }
  }
  return part;
}

}  // namespace

struct DeltaTables::Sealed final : public SealedRows {
  std::vector<std::pair<std::string, std::unique_ptr<SealedRows>>> tables;  // by uri
};

Result<std::vector<std::string>> columns_in_path(const std::string& path) {
  std::vector<std::string> columns;
  for (size_t at = 0; at < path.size(); ++at) {
    if (path[at] == '}') return Status::invalid("'path' has a '}' without its '{'");
    if (path[at] != '{') continue;
    const size_t end = path.find('}', at);
    if (end == std::string::npos || end == at + 1) {
      return Status::invalid("'path' has a '{' that no column name and '}' follow");
    }
    columns.push_back(path.substr(at + 1, end - at - 1));
    at = end;
  }
  return columns;
}

DeltaTables::DeltaTables(DeltaTablesSettings settings, DeltaAccess access,
                         std::function<Result<std::unique_ptr<ObjectStore>>()> open_state)
    : settings_(std::move(settings)), access_(std::move(access)), open_state_(std::move(open_state)) {
  // The tables share what one table may buffer.
  settings_.each.buffer_bytes /= std::clamp(settings_.max_tables, 1, 16);
}

DeltaTables::~DeltaTables() = default;

Result<std::map<std::string, int64_t>> DeltaTables::open(const std::string& app_prefix) {
  app_prefix_ = app_prefix;
  std::lock_guard lock(mutex_);
  tables_.clear();
  WEIR_ASSIGN(state_, open_state_());
  WEIR_TRY(load_assigned());
  overflow_stands_.clear();
  auto overflow = access_.open(uri_of([&](size_t) { return settings_.overflow; }));
  if (overflow.ok()) {
    WEIR_ASSIGN(overflow_stands_, (*overflow)->transactions(app_prefix));
  } else if (overflow.status().code() != Code::not_found) {
    return overflow.status().with_context("table '" + settings_.each.table + "'");
  }
  WEIR_ASSIGN(auto stands, load_ahead());
  if (stands.empty() && !overflow_stands_.empty()) {
    return Status::invalid(
        "table '" + settings_.each.table + "': the overflow table '" +
        uri_of([&](size_t) { return settings_.overflow; }) +
        "' holds rows of this pipeline, but state.path does not know any more which values have a table of "
        "their own: rows would be stored twice. Bring state.path back, or give 'path' another place");
  }
  return stands;
}

// No table speaks for all of them, so what each has is trimmed here; but how far some of them may be, and by
// which plan, is told: a file that changed since is refused then.
Result<std::map<std::string, int64_t>> DeltaTables::load_ahead() {
  std::map<std::string, int64_t> stands;
  auto text = state_->get(kAheadObject);
  if (text.status().code() == Code::not_found) return stands;
  if (!text.ok()) return text.status();
  const auto json = nlohmann::json::parse(*text, nullptr, false);
  if (!json.is_object() || json.value("version", 0) != 1) {
    return Status::invalid("table '" + settings_.each.table + "': '" + kAheadObject +
                           "' in its state is damaged, or was written by a newer Weir");
  }
  for (const auto& [app_id, next] : json["stands"].items()) stands[app_id] = next.get<int64_t>();
  return stands;
}

Status DeltaTables::keep_ahead(const CommitRequest& request) {
  WEIR_ASSIGN(auto stands, load_ahead());
  stands[plan_app_id(settings_.each.pipeline)] = request.plan_hash;
  for (const PartitionRange& range : request.ranges) stands[ahead_app_id(range.app_id)] = range.next;
  nlohmann::json json = {{"version", 1}, {"stands", nlohmann::json::object()}};
  for (const auto& [app_id, next] : stands) json["stands"][app_id] = next;
  return state_->put(kAheadObject, json.dump(1));
}

Status DeltaTables::load_assigned() {
  assigned_.clear();
  WEIR_ASSIGN(auto paths, state_->list(kAssignedFolder));
  for (const std::string& path : paths) {
    WEIR_ASSIGN(auto text, state_->get(path));
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_object() || json.value("version", 0) != 1 || !json.contains("uri")) {
      return Status::invalid("table '" + settings_.each.table + "': '" + path +
                             "' in its state is damaged, or was written by a newer Weir");
    }
    Assigned& assigned = assigned_[json["uri"].get<std::string>()];
    for (const auto& [app_id, stand] : json["floor"].items()) assigned.floor[app_id] = stand.get<int64_t>();
  }
  return {};
}

std::string DeltaTables::uri_of(const std::function<std::string(size_t)>& part) const {
  std::string uri;
  size_t column = 0;
  const std::string& pattern = settings_.each.uri;
  for (size_t at = 0; at < pattern.size(); ++at) {
    if (pattern[at] != '{') {
      uri += pattern[at];
      continue;
    }
    uri += part(column++);
    at = pattern.find('}', at);
  }
  return uri;
}

// The uri of the table for these values, assigned durably when it is new.
Result<std::string> DeltaTables::table_of(const std::vector<std::optional<std::string>>& values) {
  bool too_long = false;
  std::string uri = uri_of([&](size_t i) {
    std::string part = path_part(values[i]);
    too_long = too_long || part.size() > kMaxNameBytes || part == "." || part == "..";
    return part;
  });
  const std::string overflow = uri_of([&](size_t) { return settings_.overflow; });
  if (too_long || uri == overflow) return overflow;
  if (assigned_.count(uri) != 0) return uri;
  WEIR_ASSIGN(bool own, assign(uri));
  return own ? uri : overflow;
}

// False: as many tables as may be are taken.
Result<bool> DeltaTables::assign(const std::string& uri) {
  while (static_cast<int>(assigned_.size()) < settings_.max_tables) {
    nlohmann::json json = {{"version", 1}, {"uri", uri}, {"floor", nlohmann::json::object()}};
    for (const auto& [app_id, stand] : overflow_stands_) json["floor"][app_id] = stand;
    char path[32];
    std::snprintf(path, sizeof path, "%s/%06zu.json", kAssignedFolder, assigned_.size());
    crash_point("delta.before_assigned");
    Status put = state_->put_if_absent(path, json.dump(1));
    crash_point("delta.after_assigned");
    if (!put.ok() && put.code() != Code::already_exists) return put;
    // Ours, also after a lost answer, or another worker's.
    WEIR_TRY(load_assigned());
    if (assigned_.count(uri) != 0) return true;
  }
  return false;
}

Result<DeltaTables::Table*> DeltaTables::table(const std::string& uri) {
  std::lock_guard lock(mutex_);
  auto found = tables_.find(uri);
  if (found != tables_.end()) return &found->second;
  DeltaSinkSettings settings = settings_.each;
  settings.uri = uri;
  Table opened;
  opened.sink = std::make_unique<DeltaSink>(std::move(settings), access_);
  WEIR_ASSIGN(opened.stands, opened.sink->open(app_prefix_));
  if (auto assigned = assigned_.find(uri); assigned != assigned_.end()) {
    for (const auto& [app_id, floor] : assigned->second.floor) {
      int64_t& stand = opened.stands.try_emplace(app_id, floor).first->second;
      stand = std::max(stand, floor);
    }
  }
  return &tables_.emplace(uri, std::move(opened)).first->second;
}

Status DeltaTables::append(const std::shared_ptr<arrow::RecordBatch>& rows) {
  if (rows->num_rows() == 0) return {};
  std::vector<int> indexes;
  // The values stand in front, so that what is split off leaves the row whole.
  arrow::FieldVector fields;
  arrow::ArrayVector columns;
  for (const std::string& name : settings_.columns) {
    const int index = settings_.each.schema->GetFieldIndex(name);
    indexes.push_back(static_cast<int>(fields.size()));
    fields.push_back(arrow::field("_" + std::to_string(fields.size()), rows->column(index)->type()));
    columns.push_back(rows->column(index));
  }
  for (int i = 0; i < rows->num_columns(); ++i) {
    fields.push_back(rows->schema()->field(i));
    columns.push_back(rows->column(i));
  }
  auto wide = arrow::RecordBatch::Make(arrow::schema(fields), rows->num_rows(), std::move(columns));
  WEIR_ASSIGN(auto slices, split_by_partition(wide, indexes));
  for (const PartitionSlice& slice : slices) {
    WEIR_ASSIGN(std::string uri, table_of(slice.values));
    WEIR_ASSIGN(Table * into, table(uri));
    WEIR_TRY(append_to(*into, slice.rows));
  }
  return {};
}

Status DeltaTables::append_to(Table& table, const std::shared_ptr<arrow::RecordBatch>& rows) {
  std::shared_ptr<arrow::RecordBatch> kept = rows;
  const int hidden = rows->num_columns() - 2;
  const auto metadata = rows->schema()->field(hidden)->metadata();
  // Rows of replay carry no source: their commit is told apart by its own transaction.
  if (metadata != nullptr && metadata->Contains("source")) {
    const auto& partitions = static_cast<const arrow::StringArray&>(*rows->column(hidden));
    const auto& offsets = static_cast<const arrow::Int64Array&>(*rows->column(hidden + 1));
    const std::string app_id =
        app_prefix_ + *metadata->Get("source") + "/" + partitions.GetString(0);  // one partition a batch
    auto stand = table.stands.find(app_id);
    if (stand != table.stands.end()) {
      int64_t first = 0;  // rows are in offset order
      while (first < rows->num_rows() && offsets.Value(first) < stand->second) ++first;
      if (first == rows->num_rows()) return {};
      kept = rows->Slice(first);
    }
  }
  table.has_rows = true;
  return table.sink->append(kept);
}

Result<std::unique_ptr<SealedRows>> DeltaTables::seal() {
  auto sealed = std::make_unique<Sealed>();
  for (auto& [uri, table] : tables_) {  // only this thread adds tables
    if (!std::exchange(table.has_rows, false)) continue;
    WEIR_ASSIGN(auto rows, table.sink->seal());
    sealed->rows += rows->rows;
    sealed->bytes += rows->bytes;
    sealed->tables.emplace_back(uri, std::move(rows));
  }
  return std::unique_ptr<SealedRows>(std::move(sealed));
}

Status DeltaTables::commit(const SealedRows& sealed_rows, const CommitRequest& request) {
  WEIR_TRY(keep_ahead(request));
  for (const auto& [uri, rows] : static_cast<const Sealed&>(sealed_rows).tables) {
    WEIR_ASSIGN(Table * into, table(uri));
    WEIR_TRY(into->sink->commit(*rows, request));
  }
  return {};
}

Result<std::string> DeltaTables::persist(const SealedRows& sealed_rows) {
  nlohmann::json json = {{"version", 1}, {"tables", nlohmann::json::array()}};
  for (const auto& [uri, rows] : static_cast<const Sealed&>(sealed_rows).tables) {
    WEIR_ASSIGN(Table * from, table(uri));
    WEIR_ASSIGN(auto persisted, from->sink->persist(*rows));
    json["tables"].push_back({{"uri", uri}, {"sealed", nlohmann::json::parse(persisted)}});
  }
  return json.dump();
}

Result<bool> DeltaTables::commit_persisted(const std::string& persisted, const std::string& app_id,
                                           int64_t version, const std::string& ledger_json) {
  const auto json = nlohmann::json::parse(persisted, nullptr, false);
  if (!json.is_object() || json.value("version", 0) != 1) {
    return Status::invalid("table '" + settings_.each.table + "': sealed rows are damaged");
  }
  bool committed = false;
  for (const auto& entry : json["tables"]) {
    WEIR_ASSIGN(Table * into, table(entry.at("uri").get<std::string>()));
    auto one = into->sink->commit_persisted(entry.at("sealed").dump(), app_id, version, ledger_json);
    if (!one.ok()) return one.status();
    committed = committed || *one;
  }
  return committed;
}

}  // namespace weir
