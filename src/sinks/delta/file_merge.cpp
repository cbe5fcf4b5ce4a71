#include "sinks/delta/file_merge.h"

#include <arrow/array.h>
#include <arrow/array/util.h>
#include <arrow/buffer.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/io/memory.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <parquet/arrow/reader.h>
#include <parquet/file_reader.h>
#include <parquet/properties.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "base/environment.h"
#include "sinks/delta/delta_values.h"
#include "sinks/delta/key_ranges.h"

namespace weir {
namespace {

constexpr int64_t kBatchRows = 64 * 1024;
constexpr int64_t kRowGroupBytes = 32 << 20;

using PartitionValues = std::vector<std::optional<std::string>>;

Status failed(const arrow::Status& status, const std::string& path) {
  if (status.IsOutOfMemory()) return {Code::exhausted, "no memory left while reading '" + path + "'"};
  return Status::invalid("reading '" + path + "': " + status.message());
}

// A file in memory, as Parquet.
class StoredFile {
 public:
  static Result<std::unique_ptr<StoredFile>> open(ObjectStore& objects, const std::string& path) {
    WEIR_ASSIGN(std::string bytes, objects.get(path));
    auto source = std::make_shared<arrow::io::BufferReader>(arrow::Buffer::FromString(std::move(bytes)));
    try {
      auto parquet = parquet::ParquetFileReader::Open(source);
      auto properties = parquet::default_arrow_reader_properties();
      properties.set_batch_size(kBatchRows);
      auto reader =
          parquet::arrow::FileReader::Make(arrow::default_memory_pool(), std::move(parquet), properties);
      if (!reader.ok()) return failed(reader.status(), path);
      return std::unique_ptr<StoredFile>(new StoredFile(path, *std::move(reader)));
    } catch (const std::exception& error) {
      return Status::invalid("reading '" + path + "': " + error.what());
    }
  }

  const std::string& path() const { return path_; }
  int64_t rows() const { return reader_->parquet_reader()->metadata()->num_rows(); }

  // Batches of the top-level columns that `wanted` names and the file has; `each` gets them in order.
  Status read(const std::vector<std::string>& wanted,
              const std::function<Status(const std::shared_ptr<arrow::RecordBatch>&)>& each) const {
    const auto& schema = *reader_->parquet_reader()->metadata()->schema();
    std::vector<int> leaves, groups;
    for (int i = 0; i < schema.num_columns(); ++i) {
      const std::string& root = schema.GetColumnRoot(i)->name();
      if (std::find(wanted.begin(), wanted.end(), root) != wanted.end()) leaves.push_back(i);
    }
    for (int i = 0; i < reader_->num_row_groups(); ++i) groups.push_back(i);
    auto batches = reader_->GetRecordBatchReader(groups, leaves);
    if (!batches.ok()) return failed(batches.status(), path_);
    while (true) {
      std::shared_ptr<arrow::RecordBatch> batch;
      if (auto read = (*batches)->ReadNext(&batch); !read.ok()) return failed(read, path_);
      if (batch == nullptr) return {};
      WEIR_TRY(each(batch));
    }
  }

 private:
  StoredFile(std::string path, std::unique_ptr<parquet::arrow::FileReader> reader)
      : path_(std::move(path)), reader_(std::move(reader)) {}
  std::string path_;
  std::unique_ptr<parquet::arrow::FileReader> reader_;
};

// Rows that stay, in files of the partition they were in.
class KeptRows {
 public:
  explicit KeptRows(const FileMergeRequest& request) : request_(request) {
    arrow::FieldVector fields;
    for (const auto& field : request.schema->fields()) {
      const auto& by = request.partition_by;
      if (std::find(by.begin(), by.end(), field->name()) == by.end()) fields.push_back(field);
    }
    schema_ = arrow::schema(std::move(fields));
  }

  const std::shared_ptr<arrow::Schema>& schema() const { return schema_; }

  Status write(const PartitionValues& values, const std::shared_ptr<arrow::RecordBatch>& rows) {
    if (rows->num_rows() == 0) return {};
    auto found = open_.find(values);
    if (found == open_.end()) {
      // Files come partition by partition, so at most a few are open.
      Open open;
      for (size_t i = 0; i < values.size(); ++i)
        open.path += partition_folder(request_.partition_by[i], values[i]) + "/";
      open.path += "part-" + random_hex_id() + "." + request_.parquet.compression + ".parquet";
      WEIR_ASSIGN(auto object, request_.objects->open_writer(open.path));
      WEIR_ASSIGN(open.file, ParquetFile::open(std::move(object), schema_, request_.parquet));
      found = open_.emplace(values, std::move(open)).first;
    }
    ParquetFile& file = *found->second.file;
    WEIR_TRY(file.write(rows));
    if (file.buffered_bytes() >= kRowGroupBytes) WEIR_TRY(file.flush_row_group());
    return file.estimated_size_bytes() >= request_.target_file_bytes ? close(found) : Status();
  }

  Result<std::vector<bridge::AddFile>> finish() {
    while (!open_.empty()) WEIR_TRY(close(open_.begin()));
    return std::move(added_);
  }

 private:
  struct Open {
    std::string path;
    std::unique_ptr<ParquetFile> file;
  };
  Status close(std::map<PartitionValues, Open>::iterator at) {
    WEIR_ASSIGN(WrittenFile written, at->second.file->close());
    bridge::AddFile add;
    add.path = at->second.path;
    add.size = written.size_bytes;
    add.modified_ms = request_.clock->now_us() / 1000;
    add.stats_json = written.stats_json;
    for (size_t i = 0; i < at->first.size(); ++i)
      add.partition_values.emplace_back(request_.partition_by[i], at->first[i]);
    added_.push_back(std::move(add));
    open_.erase(at);
    return {};
  }

  const FileMergeRequest& request_;
  std::shared_ptr<arrow::Schema> schema_;  // of the files
  std::map<PartitionValues, Open> open_;
  std::vector<bridge::AddFile> added_;
};

class Merge {
 public:
  Merge(const FileMergeRequest& request, KeyEncoder encoder)
      : request_(request),
        encoder_(std::move(encoder)),
        table_(encoder_.width(), 8),
        ranges_(*request.keys),
        kept_(request) {}

  Result<FileMerge> run() {
    encoder_.encode(*request_.keys, encoded_);
    entries_.resize(encoded_.size());
    WEIR_TRY(table_.find_or_insert(encoded_, nullptr, encoded_.size(), entries_.data()));
    std::vector<const bridge::AddFile*> candidates;
    for (const bridge::AddFile& file : request_.files) {
      if (ranges_.may_hold(file)) candidates.push_back(&file);
    }
    std::sort(candidates.begin(), candidates.end(), [&](const auto* a, const auto* b) {
      return std::pair(values_of(*a), &a->path) < std::pair(values_of(*b), &b->path);
    });
    PartitionValues before;
    for (const bridge::AddFile* file : candidates) {
      PartitionValues values = values_of(*file);
      if (values != before) WEIR_TRY(end_partition());
      before = values;
      WEIR_TRY(merge_file(*file, values));
    }
    WEIR_TRY(end_partition());
    return std::move(merge_);
  }

 private:
  Status end_partition() {
    WEIR_ASSIGN(auto added, kept_.finish());
    for (auto& add : added) merge_.added.push_back(std::move(add));
    return {};
  }

  PartitionValues values_of(const bridge::AddFile& file) const {
    PartitionValues values;
    for (const std::string& name : request_.partition_by) {
      const auto at = std::find_if(file.partition_values.begin(), file.partition_values.end(),
                                   [&](const auto& value) { return value.first == name; });
      values.push_back(at == file.partition_values.end() ? std::nullopt : at->second);
    }
    return values;
  }

  // A column of `rows`, from the batch, the file's partition, or absent: NULL.
  Result<std::shared_ptr<arrow::Array>> column(const arrow::Field& field, const arrow::RecordBatch& batch,
                                               const PartitionValues& values) const {
    const auto& by = request_.partition_by;
    const auto partition = std::find(by.begin(), by.end(), field.name());
    if (partition != by.end()) {
      auto value = values[static_cast<size_t>(partition - by.begin())];
      if (!value && field.type()->id() == arrow::Type::STRING) value = "";  // how Delta stores it
      if (!value) return null_column(field, batch.num_rows());
      auto text = arrow::MakeArrayFromScalar(arrow::StringScalar(*value), 1);
      if (!text.ok()) return Status::internal(text.status().ToString());
      WEIR_ASSIGN(auto typed, as_type(*text, field.type()));
      auto scalar = typed->GetScalar(0);
      if (!scalar.ok()) return Status::internal(scalar.status().ToString());
      auto repeated = arrow::MakeArrayFromScalar(**scalar, batch.num_rows());
      if (!repeated.ok()) return Status::internal(repeated.status().ToString());
      return *repeated;
    }
    auto found = batch.GetColumnByName(field.name());
    if (found == nullptr) return null_column(field, batch.num_rows());
    auto typed = as_type(std::move(found), field.type());
    if (!typed.ok()) return typed.status().with_context("column '" + field.name() + "'");
    return typed;
  }

  static Result<std::shared_ptr<arrow::Array>> null_column(const arrow::Field& field, int64_t rows) {
    auto nulls = arrow::MakeArrayOfNull(field.type(), rows);
    if (!nulls.ok()) return Status::internal(nulls.status().ToString());
    return *nulls;
  }

  Status merge_file(const bridge::AddFile& file, const PartitionValues& values) {
    ++merge_.files_read;
    WEIR_ASSIGN(auto stored, StoredFile::open(*request_.objects, file.path));
    std::vector<uint8_t> stays;
    stays.reserve(static_cast<size_t>(stored->rows()));
    WEIR_TRY(find_changed(*stored, values, stays));
    const int64_t changed = std::count(stays.begin(), stays.end(), 0);
    if (changed == 0) return {};
    merge_.removed.push_back(file.path);
    merge_.rows_removed += changed;
    if (changed == static_cast<int64_t>(stays.size())) return {};
    return copy_rest(*stored, values, stays);
  }

  Status find_changed(const StoredFile& stored, const PartitionValues& values, std::vector<uint8_t>& stays) {
    std::vector<std::string> names;
    for (const auto& field : request_.columns->schema->fields()) names.push_back(field->name());
    auto look = [&](const std::shared_ptr<arrow::RecordBatch>& batch) -> Status {
      arrow::ArrayVector columns;
      for (const auto& field : request_.columns->schema->fields()) {
        WEIR_ASSIGN(auto array, column(*field, *batch, values));
        columns.push_back(std::move(array));
      }
      WEIR_ASSIGN(auto keys, request_.columns->batch(columns, batch->num_rows()));
      encoder_.encode(*keys, encoded_);
      entries_.resize(encoded_.size());
      table_.find(encoded_, nullptr, encoded_.size(), entries_.data());
      for (size_t row = 0; row < entries_.size(); ++row) stays.push_back(entries_[row] == KeyTable::kNone);
      return {};
    };
    return stored.read(names, look).with_context("'" + stored.path() + "'");
  }

  Status copy_rest(const StoredFile& stored, const PartitionValues& values,
                   const std::vector<uint8_t>& stays) {
    std::vector<std::string> names = kept_.schema()->field_names();
    size_t at = 0;
    auto copy = [&](const std::shared_ptr<arrow::RecordBatch>& batch) -> Status {
      arrow::ArrayVector columns;
      for (const auto& field : kept_.schema()->fields()) {
        WEIR_ASSIGN(auto array, column(*field, *batch, values));
        columns.push_back(std::move(array));
      }
      auto whole = arrow::RecordBatch::Make(kept_.schema(), batch->num_rows(), std::move(columns));
      std::vector<int32_t> rows;
      for (int64_t row = 0; row < batch->num_rows(); ++row) {
        if (stays[at++] != 0) rows.push_back(static_cast<int32_t>(row));
      }
      const auto count = static_cast<int64_t>(rows.size());
      auto indexes = std::make_shared<arrow::Int32Array>(count, arrow::Buffer::FromVector(std::move(rows)));
      auto taken = arrow::compute::Take(arrow::Datum(whole), arrow::Datum(indexes),
                                        arrow::compute::TakeOptions::NoBoundsCheck());
      if (!taken.ok()) return Status::internal(taken.status().ToString());
      merge_.rows_copied += count;
      return kept_.write(values, taken->record_batch());
    };
    return stored.read(names, copy).with_context("'" + stored.path() + "'");
  }

  const FileMergeRequest& request_;
  KeyEncoder encoder_;
  KeyTable table_;
  KeyRanges ranges_;
  KeptRows kept_;
  EncodedKeys encoded_;
  std::vector<uint32_t> entries_;
  FileMerge merge_;
};

}  // namespace

Result<FileMerge> merge_files(const FileMergeRequest& request) {
  if (request.keys->num_rows() == 0) return FileMerge();
  std::vector<int> all(static_cast<size_t>(request.keys->num_columns()));
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int>(i);
  WEIR_ASSIGN(auto encoder, KeyEncoder::create(*request.columns->schema, all));
  return Merge(request, std::move(encoder)).run();
}

}  // namespace weir
