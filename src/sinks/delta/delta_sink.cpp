#include "sinks/delta/delta_sink.h"

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/compute/cast.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/reader.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/crash_point.h"
#include "base/environment.h"
#include "config/data_type.h"
#include "sinks/delta/delta_schema.h"
#include "sinks/delta/delta_values.h"
#include "sinks/delta/file_merge.h"
#include "sinks/delta/partition_split.h"

namespace weir {
namespace {

using PartitionValues = std::vector<std::optional<std::string>>;

std::shared_ptr<arrow::Schema> with_positions(const arrow::Schema& schema) {
  arrow::FieldVector fields = schema.fields();
  fields.push_back(arrow::field(kPartitionColumn, arrow::utf8()));
  fields.push_back(arrow::field(kOffsetColumn, arrow::int64()));
  return arrow::schema(fields);
}

bool is_timestamp(const arrow::DataType& type) { return type.id() == arrow::Type::TIMESTAMP; }

nlohmann::json ledger_json(const LedgerEntry& entry) {
  return {{"insert", entry.insert},     {"partition", entry.app_id}, {"from", entry.from},
          {"next", entry.next},         {"read", entry.read},        {"kept", entry.kept},
          {"filtered", entry.filtered}, {"errored", entry.errored},  {"emitted", entry.emitted}};
}

// Hidden from readers and from vacuum, like every folder that begins with an underscore.
constexpr const char* kChangedKeysFolder = "_weir_changes/";

Result<std::string> batch_to_ipc(const arrow::RecordBatch& batch) {
  auto stream = arrow::io::BufferOutputStream::Create();
  if (!stream.ok()) return Status::internal(stream.status().ToString());
  auto writer = arrow::ipc::MakeFileWriter(*stream, batch.schema());
  if (!writer.ok()) return Status::internal(writer.status().ToString());
  arrow::Status written = (*writer)->WriteRecordBatch(batch);
  if (written.ok()) written = (*writer)->Close();
  if (!written.ok()) return Status::internal("writing changed keys: " + written.ToString());
  auto buffer = (*stream)->Finish();
  if (!buffer.ok()) return Status::internal(buffer.status().ToString());
  return (*buffer)->ToString();
}

Result<std::shared_ptr<arrow::RecordBatch>> batch_from_ipc(std::string bytes) {
  auto source = std::make_shared<arrow::io::BufferReader>(arrow::Buffer::FromString(std::move(bytes)));
  auto reader = arrow::ipc::RecordBatchFileReader::Open(source);
  if (!reader.ok()) return Status::invalid("changed keys are damaged: " + reader.status().message());
  auto batch = (*reader)->ReadRecordBatch(0);
  if (!batch.ok()) return Status::invalid("changed keys are damaged: " + batch.status().message());
  return *batch;
}

std::string commit_info(const std::string& pipeline, const CommitRequest& request,
                        const DeltaSealedRows& sealed) {
  nlohmann::json weir = {
      {"version", 1}, {"pipeline", pipeline}, {"files", sealed.adds.size()}, {"rows", sealed.rows}};
  weir["ranges"] = nlohmann::json::array();
  for (const PartitionRange& range : request.ranges) {
    weir["ranges"].push_back({{"partition", range.app_id}, {"from", range.from}, {"next", range.next}});
  }
  weir["ledger"] = nlohmann::json::array();
  for (const LedgerEntry& entry : request.ledger) weir["ledger"].push_back(ledger_json(entry));
  return nlohmann::json({{"weir", weir}}).dump();
}

}  // namespace

struct DeltaSink::OpenFile {
  std::unique_ptr<ParquetFile> file;
  std::string path;
  PartitionValues values;
  uint64_t last_use = 0;
};

std::string DeltaSealedRows::to_json() const {
  nlohmann::json files = nlohmann::json::array();
  for (const auto& add : adds) {
    nlohmann::json values = nlohmann::json::array();
    for (const auto& [name, value] : add.partition_values) {
      values.push_back({name, value ? nlohmann::json(*value) : nlohmann::json()});
    }
    files.push_back({{"path", add.path},
                     {"size", add.size},
                     {"modified_ms", add.modified_ms},
                     {"partition_values", values},
                     {"stats", add.stats_json}});
  }
  nlohmann::json json = {{"version", 1}, {"rows", rows}, {"bytes", bytes}, {"adds", files}};
  if (!changed_keys.empty()) {
    json["changed_keys"] = changed_keys;
    json["deletes"] = deletes;
  }
  return json.dump();
}

Result<std::unique_ptr<DeltaSealedRows>> DeltaSealedRows::from_json(const std::string& text) {
  auto sealed = std::make_unique<DeltaSealedRows>();
  try {
    auto json = nlohmann::json::parse(text);
    if (json.at("version").get<int>() != 1)
      return Status::invalid("sealed rows of a version that this Weir does not know");
    sealed->rows = json.at("rows").get<int64_t>();
    sealed->bytes = json.at("bytes").get<int64_t>();
    sealed->changed_keys = json.value("changed_keys", "");
    sealed->deletes = json.value("deletes", int64_t{0});
    for (const auto& file : json.at("adds")) {
      bridge::AddFile add;
      add.path = file.at("path").get<std::string>();
      add.size = file.at("size").get<int64_t>();
      add.modified_ms = file.at("modified_ms").get<int64_t>();
      add.stats_json = file.at("stats").get<std::string>();
      for (const auto& entry : file.at("partition_values")) {
        std::optional<std::string> value;
        if (!entry.at(1).is_null()) value = entry.at(1).get<std::string>();
        add.partition_values.emplace_back(entry.at(0).get<std::string>(), std::move(value));
      }
      sealed->adds.push_back(std::move(add));
    }
  } catch (const nlohmann::json::exception& error) {
    return Status::invalid(std::string("sealed rows are damaged: ") + error.what());
  }
  return sealed;
}

DeltaSink::DeltaSink(DeltaSinkSettings settings, DeltaAccess access)
    : settings_(std::move(settings)), access_(std::move(access)) {}

DeltaSink::~DeltaSink() = default;

// ---- opening
// ---------------------------------------------------------------------------------------------------------

Result<std::shared_ptr<arrow::Schema>> DeltaSink::wanted_schema() const {
  for (const char* name : {kPartitionColumn, kOffsetColumn}) {
    if (settings_.schema->GetFieldByName(name) == nullptr) continue;
    return Status::invalid("table '" + settings_.table + "': the column name '" + name + "' is Weir's own");
  }
  WEIR_ASSIGN(auto schema, storable_schema(settings_.table, *settings_.schema));
  for (const std::string& name : settings_.partition_by) {
    auto field = schema->GetFieldByName(name);
    if (field == nullptr) {
      return Status::invalid("table '" + settings_.table + "': 'partition-by' names '" + name +
                             "', which is not a column of the query");
    }
    if (!partitionable(*field->type())) {
      return Status::invalid("table '" + settings_.table + "': cannot be partitioned by '" + name +
                             "', which is " + sql_type(*field->type()));
    }
  }
  if (schema->num_fields() <= static_cast<int>(settings_.partition_by.size()) && !settings_.positions) {
    return Status::invalid("table '" + settings_.table +
                           "': every column is in 'partition-by'; one must stay for the files");
  }
  return settings_.positions ? with_positions(*schema) : schema;
}

Status DeltaSink::open_table() {
  WEIR_ASSIGN(auto wanted, wanted_schema());
  for (int attempt = 0;; ++attempt) {
    auto opened = access_.open(settings_.uri);
    if (!opened.ok() && opened.status().code() == Code::not_found) {
      opened = access_.create(settings_.uri, wanted, settings_.partition_by, settings_.properties);
    }
    if (opened.ok()) {
      handle_ = *std::move(opened);
      return {};
    }
    bool lost_race =
        opened.status().code() == Code::already_exists || opened.status().code() == Code::conflict;
    if (!lost_race || attempt >= 3)
      return opened.status().with_context("Delta table '" + settings_.uri + "'");
  }
}

Status DeltaSink::match_table() {
  WEIR_ASSIGN(auto wanted, wanted_schema());
  WEIR_ASSIGN(auto existing, handle_->schema());
  auto partitioned_by = handle_->partition_columns();
  if (!settings_.partition_by.empty() && settings_.partition_by != partitioned_by) {
    std::string columns;
    for (const std::string& name : partitioned_by) columns += (columns.empty() ? "" : ",") + name;
    return Status::invalid("table '" + settings_.table + "' exists and is " +
                           (columns.empty() ? "not partitioned" : "partitioned by '" + columns + "'") +
                           ", which 'partition-by' does not match");
  }
  WEIR_ASSIGN(auto match, match_schema(settings_.table, *wanted, existing, settings_.add_columns));
  for (const std::string& name : partitioned_by) {
    if (wanted->GetFieldByName(name) != nullptr) continue;
    return Status::invalid("table '" + settings_.table + "' is partitioned by '" + name +
                           "', which the query does not give");
  }
  pending_schema_ = match.evolved;
  row_schema_ = wanted;
  partition_names_ = partitioned_by;
  required_columns_.clear();
  for (const std::string& name : match.not_null) required_columns_.push_back(wanted->GetFieldIndex(name));
  return {};
}

Status DeltaSink::prepare_columns() {
  partition_columns_.clear();
  for (const std::string& name : partition_names_)
    partition_columns_.push_back(row_schema_->GetFieldIndex(name));
  arrow::FieldVector fields;
  for (int i = 0; i < row_schema_->num_fields(); ++i) {
    if (std::count(partition_columns_.begin(), partition_columns_.end(), i) == 0)
      fields.push_back(row_schema_->field(i));
  }
  file_schema_ = arrow::schema(fields);
  changes_.reset();
  if (settings_.changelog_key.empty()) return {};
  WEIR_ASSIGN(key_columns_, KeyColumns::create(settings_.table, *row_schema_, settings_.changelog_key));
  WEIR_ASSIGN(changes_, ChangedRows::create(key_columns_));
  return {};
}

Result<std::map<std::string, int64_t>> DeltaSink::open(const std::string& app_prefix) {
  open_files_.clear();
  finished_.clear();
  sealed_rows_ = 0;
  committed_here_.clear();
  WEIR_TRY(open_table());
  WEIR_TRY(match_table());
  WEIR_TRY(refuse_table_of_changelog());
  WEIR_TRY(add_missing_columns());
  WEIR_TRY(prepare_columns());
  WEIR_ASSIGN(objects_, access_.objects(settings_.uri));
  WEIR_ASSIGN(stands_at_open_, handle_->transactions(app_prefix));
  return stands_at_open_;
}

// Before any row comes, so that every sink of a pipeline has a new column before one of them gets it. Done
// again after a crash, it finds them there.
Status DeltaSink::add_missing_columns() {
  if (pending_schema_ == nullptr) return {};
  bridge::DeltaCommit commit;
  commit.info_json =
      nlohmann::json({{"weir", {{"version", 1}, {"pipeline", settings_.pipeline}, {"columns", "added"}}}})
          .dump();
  auto decide = [&](CommitFacts& facts) -> Result<CommitAction> {
    if (facts.snapshot_loaded && pending_schema_ == nullptr) return CommitAction::already_committed;
    if (facts.attempts >= facts.max_attempts) return CommitAction::give_up;
    return facts.snapshot_loaded ? CommitAction::commit : CommitAction::retry_later;
  };
  bool committed = false;
  crash_point("delta.before_columns");
  WEIR_TRY(run_attempts({}, decide, commit, nullptr, false, committed));
  crash_point("delta.after_columns");
  return {};
}

// ---- writing
// ---------------------------------------------------------------------------------------------------------

Result<std::shared_ptr<arrow::RecordBatch>> DeltaSink::storable_rows(const arrow::RecordBatch& rows) const {
  int given = settings_.schema->num_fields();
  WEIR_CHECK(rows.num_columns() >= given + 2, "a sink gets its columns and the two hidden ones");
  arrow::ArrayVector columns;
  arrow::FieldVector fields;
  for (int i = 0; i < row_schema_->num_fields(); ++i) {
    auto column = rows.column(i);
    const auto& field = row_schema_->field(i);
    // The writer turns timestamps into microseconds by itself, nested ones too.
    bool plain = same_type(*column->type(), *field->type()) || is_timestamp(*column->type());
    if (!plain && !storable_schema("", arrow::Schema({arrow::field("c", column->type())})).ok()) {
      return Status::internal("column '" + field->name() + "' has type " + column->type()->ToString());
    }
    if (!plain && column->type_id() != arrow::Type::STRUCT && column->type_id() != arrow::Type::LIST &&
        column->type_id() != arrow::Type::MAP) {
      auto cast = arrow::compute::Cast(*column, field->type());
      if (!cast.ok()) return Status::internal("column '" + field->name() + "': " + cast.status().ToString());
      column = *cast;
    }
    fields.push_back(arrow::field(field->name(), column->type(), field->nullable()));
    columns.push_back(std::move(column));
  }
  for (int i : required_columns_) {
    if (columns[static_cast<size_t>(i)]->null_count() == 0) continue;
    return Status::invalid("column '" + row_schema_->field(i)->name() + "' is NOT NULL in table '" +
                           settings_.table + "', and a row has no value for it");
  }
  return arrow::RecordBatch::Make(arrow::schema(fields), rows.num_rows(), std::move(columns));
}

Status DeltaSink::append(const std::shared_ptr<arrow::RecordBatch>& rows) {
  if (rows->num_rows() == 0) return {};
  WEIR_CHECK(objects_ != nullptr, "a sink is opened before rows come");
  if (changes_ != nullptr) return append_changes(*rows);
  WEIR_ASSIGN(auto storable, storable_rows(*rows));
  sealed_rows_ += rows->num_rows();
  return write_rows(storable);
}

Status DeltaSink::append_changes(const arrow::RecordBatch& rows) {
  WEIR_ASSIGN(auto storable, storable_rows(rows));
  const int offset = settings_.schema->num_fields() + 1;
  const bool weighted =
      rows.num_columns() > offset + 1 && rows.schema()->field(offset + 1)->name() == kWeightColumn;
  return changes_->append(storable, *rows.column(offset), weighted ? rows.column(offset + 1).get() : nullptr)
      .with_context("table '" + settings_.table + "'");
}

Status DeltaSink::write_rows(const std::shared_ptr<arrow::RecordBatch>& storable) {
  WEIR_ASSIGN(auto slices, split_by_partition(storable, partition_columns_));
  for (const PartitionSlice& slice : slices) WEIR_TRY(write_slice(slice.values, slice.rows));
  return {};
}

Status DeltaSink::write_slice(const PartitionValues& values,
                              const std::shared_ptr<arrow::RecordBatch>& rows) {
  WEIR_TRY(bound_memory());
  auto opened = file_for(values);
  if (!opened.ok()) return opened.status();
  OpenFile& open = **opened;
  WEIR_TRY(open.file->write(rows).with_context("writing to table '" + settings_.table + "'"));
  if (open.file->estimated_size_bytes() < settings_.target_file_bytes) return {};
  std::string key;
  for (const auto& [folder, file] : open_files_) {
    if (file.get() == &open) key = folder;
  }
  return close_file(key);
}

Result<DeltaSink::OpenFile*> DeltaSink::file_for(const PartitionValues& values) {
  std::string folder;
  for (size_t i = 0; i < values.size(); ++i) folder += partition_folder(partition_names_[i], values[i]) + "/";
  // The folder may be a cut form of the value, so it does not identify the partition by itself.
  std::string key = folder;
  for (const auto& value : values) key += value ? "=" + std::to_string(value->size()) + ":" + *value : "!";
  auto found = open_files_.find(key);
  if (found == open_files_.end()) {
    if (open_files_.size() >= static_cast<size_t>(std::max(1, settings_.max_open_files))) {
      auto oldest = std::min_element(
          open_files_.begin(), open_files_.end(),
          [](const auto& a, const auto& b) { return a.second->last_use < b.second->last_use; });
      WEIR_TRY(close_file(std::string(oldest->first)));
    }
    auto open = std::make_unique<OpenFile>();
    open->path = folder + "part-" + random_hex_id() + "." + settings_.parquet.compression + ".parquet";
    open->values = values;
    auto object = objects_->open_writer(open->path);
    if (!object.ok())
      return object.status().with_context("opening a file of table '" + settings_.table + "'");
    WEIR_ASSIGN(open->file, ParquetFile::open(*std::move(object), file_schema_, settings_.parquet));
    found = open_files_.emplace(key, std::move(open)).first;
  }
  found->second->last_use = ++uses_;
  return found->second.get();
}

Status DeltaSink::bound_memory() {
  int64_t buffered = 0;
  OpenFile* largest = nullptr;
  for (const auto& [_, open] : open_files_) {
    buffered += open->file->buffered_bytes();
    if (largest == nullptr || open->file->buffered_bytes() > largest->file->buffered_bytes())
      largest = open.get();
  }
  if (buffered < settings_.buffer_bytes) return {};
  return largest->file->flush_row_group().with_context("writing to table '" + settings_.table + "'");
}

Status DeltaSink::close_file(const std::string& key) {
  auto node = open_files_.extract(key);
  OpenFile& open = *node.mapped();
  auto written = open.file->close();
  if (!written.ok())
    return written.status().with_context("closing a file of table '" + settings_.table + "'");
  bridge::AddFile add;
  add.path = open.path;
  add.size = written->size_bytes;
  add.modified_ms = settings_.clock->now_us() / 1000;
  add.stats_json = written->stats_json;
  for (size_t i = 0; i < open.values.size(); ++i)
    add.partition_values.emplace_back(partition_names_[i], open.values[i]);
  finished_.push_back(std::move(add));
  return {};
}

Result<std::unique_ptr<SealedRows>> DeltaSink::seal() {
  crash_point("delta.before_seal");
  auto sealed = std::make_unique<DeltaSealedRows>();
  if (changes_ != nullptr) WEIR_TRY(seal_changes(*sealed));
  while (!open_files_.empty()) WEIR_TRY(close_file(std::string(open_files_.begin()->first)));
  sealed->adds = std::exchange(finished_, {});
  sealed->rows = std::exchange(sealed_rows_, 0);
  for (const auto& add : sealed->adds) sealed->bytes += add.size;
  crash_point("delta.after_seal");
  return std::unique_ptr<SealedRows>(std::move(sealed));
}

// The net change: new rows into files like any others, all keys beside them.
Status DeltaSink::seal_changes(DeltaSealedRows& sealed) {
  if (changes_->empty()) return {};
  WEIR_ASSIGN(ChangedRows::Net net, changes_->take());
  for (const auto& rows : net.upserts) {
    WEIR_TRY(write_rows(rows));
    sealed_rows_ += rows->num_rows();
  }
  sealed.deletes = net.deletes;
  WEIR_ASSIGN(std::string keys, batch_to_ipc(*net.keys));
  sealed.changed_keys = std::string(kChangedKeysFolder) + random_hex_id() + ".arrow";
  return objects_->put(sealed.changed_keys, keys).with_context("keys of table '" + settings_.table + "'");
}

// ---- committing
// ------------------------------------------------------------------------------------------------------

Status DeltaSink::fill_stands(const CommitRequest& request, CommitFacts& facts) const {
  facts.ranges.clear();
  for (const PartitionRange& range : request.ranges) {
    RangeFacts one;
    one.from = range.from;
    one.next = range.next;
    WEIR_ASSIGN(one.stand, handle_->transaction_version(range.app_id));
    auto opened = stands_at_open_.find(range.app_id);
    if (opened != stands_at_open_.end()) one.trimmed_below = opened->second;
    one.first_start = opened == stands_at_open_.end() && committed_here_.count(range.app_id) == 0;
    facts.ranges.push_back(one);
  }
  return {};
}

Status DeltaSink::run_attempts(CommitFacts facts,
                               const std::function<Result<CommitAction>(CommitFacts&)>& decide,
                               const bridge::DeltaCommit& commit, const DeltaSealedRows* sealed,
                               bool authority, bool& committed) {
  facts.max_attempts = settings_.max_attempts;
  Status last;
  auto back_off = std::chrono::milliseconds(20);
  while (true) {
    WEIR_ASSIGN(CommitAction action, decide(facts));
    switch (action) {
      case CommitAction::already_committed: return {};
      case CommitAction::lost_ownership:
        return {Code::lost_ownership, "table '" + settings_.table + "': another worker moved the positions"};
      case CommitAction::give_up:
        return last.with_context("table '" + settings_.table + "': giving up the commit");
      case CommitAction::retry_later: break;
      case CommitAction::commit: {
        bridge::DeltaCommit attempt = commit;
        attempt.new_schema = pending_schema_;
        if (sealed != nullptr && !sealed->changed_keys.empty()) {
          Status merged = merge_into(*sealed, attempt);
          // not_found: what the snapshot names was rewritten and cleaned up, or the keys have served already.
          if (!merged.ok() && !merged.retryable() && merged.code() != Code::not_found)
            return merged.with_context("table '" + settings_.table + "'");
          if (!merged.ok()) {
            last = merged;
            facts.last = LastAttempt::unknown;
            break;
          }
        }
        crash_point(authority ? "delta.before_authority_commit" : "delta.before_commit");
        auto result = handle_->commit(attempt);
        crash_point(authority ? "delta.after_authority_commit" : "delta.after_commit");
        if (result.ok()) {
          pending_schema_ = nullptr;
          committed = true;
          return {};
        }
        last = result.status();
        if (!last.retryable()) return last.with_context("committing to table '" + settings_.table + "'");
        facts.last = last.code() == Code::conflict ? LastAttempt::conflict : LastAttempt::unknown;
        break;
      }
    }
    ++facts.attempts;
    settings_.clock->sleep(back_off);
    back_off = std::min(back_off * 2, std::chrono::milliseconds(5000));
    Status refreshed = handle_->refresh();
    facts.snapshot_loaded = refreshed.ok();
    if (!refreshed.ok()) {
      if (!refreshed.retryable()) return refreshed.with_context("table '" + settings_.table + "'");
      last = refreshed;
      continue;
    }
    // Another writer may have changed the schema: the files fit, or the pipeline stops with words.
    WEIR_ASSIGN(auto wanted, wanted_schema());
    WEIR_ASSIGN(auto existing, handle_->schema());
    WEIR_ASSIGN(auto match, match_schema(settings_.table, *wanted, existing, settings_.add_columns));
    pending_schema_ = match.evolved;
  }
}

// On the loaded snapshot: what another writer committed since is in it.
Status DeltaSink::merge_into(const DeltaSealedRows& sealed, bridge::DeltaCommit& commit) const {
  FileMergeRequest request;
  WEIR_ASSIGN(std::string keys, objects_->get(sealed.changed_keys));
  WEIR_ASSIGN(request.keys, batch_from_ipc(std::move(keys)));
  request.objects = objects_.get();
  WEIR_ASSIGN(request.files, handle_->files());
  WEIR_ASSIGN(request.schema, handle_->schema());
  request.partition_by = handle_->partition_columns();
  request.columns = &key_columns_;
  request.parquet = settings_.parquet;
  request.target_file_bytes = settings_.target_file_bytes;
  request.clock = settings_.clock;
  crash_point("delta.before_merge");
  WEIR_ASSIGN(FileMerge merge, merge_files(request));
  crash_point("delta.after_merge");
  auto info = nlohmann::json::parse(commit.info_json);
  info["weir"]["merge"] = {{"key", key_columns_.text()},
                           {"changed_keys", request.keys->num_rows()},
                           {"deletes", sealed.deletes},
                           {"rows_removed", merge.rows_removed},
                           {"rows_copied", merge.rows_copied},
                           {"files_read", merge.files_read},
                           {"files_removed", merge.removed.size()}};
  commit.info_json = info.dump();
  commit.merge_on = key_columns_.text();
  commit.removes = std::move(merge.removed);
  for (auto& add : merge.added) commit.adds.push_back(std::move(add));
  return {};
}

// The keys have served once the commit stands; what a crash leaves behind is small and never read.
void DeltaSink::drop_changed_keys(const DeltaSealedRows& sealed) const {
  if (!sealed.changed_keys.empty()) (void)objects_->remove(sealed.changed_keys);
}

Status DeltaSink::commit(const SealedRows& sealed_rows, const CommitRequest& request) {
  const auto& sealed = static_cast<const DeltaSealedRows&>(sealed_rows);
  if (request.ranges.empty()) {
    if (!sealed.adds.empty() || !sealed.changed_keys.empty())
      return Status::internal("rows without a position cannot be committed exactly once");
    return {};
  }
  CommitFacts facts;
  facts.authority = request.authority;
  WEIR_TRY(fill_stands(request, facts));
  bridge::DeltaCommit commit;
  commit.adds = sealed.adds;
  commit.info_json = commit_info(settings_.pipeline, request, sealed);
  for (size_t i = 0; i < request.ranges.size(); ++i) {
    if (!range_moves(facts, facts.ranges[i])) continue;
    commit.transactions.emplace_back(request.ranges[i].app_id, request.ranges[i].next);
  }
  commit.transactions.emplace_back(plan_app_id(settings_.pipeline), request.plan_hash);
  commit.transactions.emplace_back(authority_app_id(settings_.pipeline), request.authority ? 1 : 0);
  auto decide = [&](CommitFacts& current) -> Result<CommitAction> {
    if (current.snapshot_loaded) WEIR_TRY(fill_stands(request, current));
    return decide_commit(current);
  };
  bool committed = false;
  WEIR_TRY(run_attempts(facts, decide, commit, &sealed, request.authority, committed));
  drop_changed_keys(sealed);
  for (const auto& [app_id, _] : commit.transactions) committed_here_[app_id] = true;
  return {};
}

Result<bool> DeltaSink::commit_transaction(const SealedRows& sealed_rows, const std::string& app_id,
                                           int64_t version, const std::string& ledger_json) {
  const auto& sealed = static_cast<const DeltaSealedRows&>(sealed_rows);
  bridge::DeltaCommit commit;
  commit.adds = sealed.adds;
  commit.transactions = {{app_id, version}};
  auto ledger = nlohmann::json::parse(ledger_json, nullptr, false);
  if (ledger.is_discarded()) return Status::internal("the ledger is not JSON");
  commit.info_json = nlohmann::json({{"weir",
                                      {{"version", 1},
                                       {"pipeline", settings_.pipeline},
                                       {"transaction", {{"app_id", app_id}, {"version", version}}},
                                       {"ledger", ledger},
                                       {"files", sealed.adds.size()},
                                       {"rows", sealed.rows}}}})
                         .dump();
  auto decide = [&](CommitFacts& facts) -> Result<CommitAction> {
    if (facts.snapshot_loaded) {
      WEIR_ASSIGN(auto stand, handle_->transaction_version(app_id));
      if (stand && *stand >= version) return CommitAction::already_committed;
    }
    if (facts.attempts >= settings_.max_attempts) return CommitAction::give_up;
    return facts.snapshot_loaded ? CommitAction::commit : CommitAction::retry_later;
  };
  bool committed = false;
  // The handle may be as old as the last commit of this process: another run may have finished this
  // transaction since.
  WEIR_TRY(handle_->refresh().with_context("table '" + settings_.table + "'"));
  WEIR_TRY(run_attempts({}, decide, commit, &sealed, false, committed));
  drop_changed_keys(sealed);
  return committed;
}

Result<std::string> DeltaSink::persist(const SealedRows& sealed) {
  return static_cast<const DeltaSealedRows&>(sealed).to_json();
}

Result<bool> DeltaSink::commit_persisted(const std::string& persisted, const std::string& app_id,
                                         int64_t version, const std::string& ledger_json) {
  WEIR_ASSIGN(auto sealed, DeltaSealedRows::from_json(persisted));
  if (!sealed->changed_keys.empty() && app_id.ends_with("/_replay")) {
    return Status::invalid(
        "table '" + settings_.table +
        "': a changelog's events are not replayed into a Delta table, which keeps only the "
        "last state of a key: a later event may have changed or deleted it");
  }
  return commit_transaction(*sealed, app_id, version, ledger_json);
}

// ---- checks
// ----------------------------------------------------------------------------------------------------------

Status DeltaSink::refuse_table_of_changelog() const {
  if (settings_.changelog_key.empty()) return {};
  return handle_->files().status().with_context("table '" + settings_.table + "' cannot take a changelog");
}

Status DeltaSink::check_table() {
  WEIR_ASSIGN(auto wanted, wanted_schema());
  if (!settings_.changelog_key.empty())
    WEIR_TRY(KeyColumns::create(settings_.table, *wanted, settings_.changelog_key).status());
  auto opened = access_.open(settings_.uri);
  if (!opened.ok()) {
    if (opened.status().code() == Code::not_found) return {};
    return opened.status().with_context("Delta table '" + settings_.uri + "'");
  }
  handle_ = *std::move(opened);
  WEIR_TRY(match_table());
  return refuse_table_of_changelog();
}

Status DeltaSink::probe() {
  WEIR_TRY(check_table());
  const std::string context = "table '" + settings_.table + "': cannot write to '" + settings_.uri + "'";
  auto objects = access_.objects(settings_.uri);
  if (!objects.ok()) return objects.status().with_context(context);
  const std::string path = "_weir_probe_" + random_hex_id();
  WEIR_TRY((*objects)->put(path, "weir").with_context(context));
  return (*objects)->remove(path).with_context(context);
}

}  // namespace weir
