#include "sinks/clickhouse/changelog_rows.h"

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "sinks/clickhouse/target_table.h"
#include "sinks/sink.h"

namespace weir {
namespace {

constexpr int kVersionBits = 13;  // below the offset: 1 tells inserts from retractions, 12 count rows
constexpr int64_t kInserts = int64_t{1} << (kVersionBits - 1);

std::string wanted_arguments() { return std::string(kVersionColumn) + ", " + kDeletedColumn; }

// Whether the text begins with a Replacing engine whose last two arguments are our columns.
bool is_replacing(std::string_view engine) {
  const size_t open = engine.find('(');
  if (!engine.substr(0, open).ends_with("ReplacingMergeTree") || open == std::string_view::npos) return false;
  const std::string_view arguments = engine.substr(open + 1, engine.find(')', open) - open - 1);
  std::vector<std::string> parts = split_list(std::string(arguments));
  for (std::string& part : parts) std::erase(part, '`');
  return parts.size() >= 2 && parts[parts.size() - 2] == kVersionColumn && parts.back() == kDeletedColumn;
}

// "`a b`, c" or "(id)", as the server prints a sorting key -> the names.
std::set<std::string> names_in(const std::string& key) {
  std::set<std::string> names;
  const bool enclosed = key.starts_with('(') && key.ends_with(')');
  for (std::string part : split_list(enclosed ? key.substr(1, key.size() - 2) : key)) {
    if (part.size() >= 2 && part.front() == '`' && part.back() == '`') part = part.substr(1, part.size() - 2);
    names.insert(std::move(part));
  }
  return names;
}

std::string key_text(const std::vector<std::string>& primary_key) {
  std::string text;
  for (const std::string& name : primary_key) text += (text.empty() ? "" : ", ") + quoted_identifier(name);
  return "(" + text + ")";
}

}  // namespace

uint64_t row_version(int64_t offset, bool retracts, int64_t ordinal) {
  const int64_t within = (retracts ? 0 : kInserts) + std::min(ordinal, kInserts - 1);
  return (static_cast<uint64_t>(offset) << kVersionBits) + static_cast<uint64_t>(within);
}

Result<std::shared_ptr<arrow::RecordBatch>> with_versions(const std::shared_ptr<arrow::RecordBatch>& rows) {
  const int64_t count = rows->num_rows();
  int last = rows->num_columns() - 1;
  const bool versioned = rows->schema()->field(last)->name() == kVersionColumn;
  if (versioned) --last;
  if (rows->schema()->field(last)->name() != kWeightColumn)
    return Status::internal("rows of a changelog without weights");
  const auto& weights = static_cast<const arrow::Int8Array&>(*rows->column(last));
  const auto& offsets = static_cast<const arrow::Int64Array&>(*rows->column(last - 1));
  arrow::ArrayVector columns = rows->columns();
  arrow::FieldVector fields = rows->schema()->fields();
  if (versioned) {
    // As kept in the error lake: signed, because that is what JSON columns are.
    auto unsigned_versions = columns.back()->data()->Copy();
    unsigned_versions->type = arrow::uint64();
    columns.back() = std::make_shared<arrow::UInt64Array>(unsigned_versions);
    fields.pop_back();
  } else {
    std::vector<uint64_t> versions(static_cast<size_t>(count));
    int64_t ordinal = 0;
    for (int64_t i = 0; i < count; ++i) {
      const int64_t offset = offsets.Value(i);
      if (offset < 0 || offset > kHighestVersionedOffset) {
        return Status::invalid("the offset " + std::to_string(offset) +
                               " is too high for a version: a changelog takes offsets below 2^50");
      }
      ordinal = i > 0 && offsets.Value(i - 1) == offset ? ordinal + 1 : 0;
      versions[static_cast<size_t>(i)] = row_version(offset, weights.Value(i) < 0, ordinal);
    }
    columns.push_back(
        std::make_shared<arrow::UInt64Array>(count, arrow::Buffer::FromVector(std::move(versions))));
  }
  fields.push_back(arrow::field(kVersionColumn, arrow::uint64(), false));
  std::vector<uint8_t> deleted(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) deleted[static_cast<size_t>(i)] = weights.Value(i) < 0 ? 1 : 0;
  columns.push_back(
      std::make_shared<arrow::UInt8Array>(count, arrow::Buffer::FromVector(std::move(deleted))));
  fields.push_back(arrow::field(kDeletedColumn, arrow::uint8(), false));
  return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), count, std::move(columns));
}

Result<std::string> changelog_engine(const std::string& engine) {
  if (engine == "MergeTree") return "ReplacingMergeTree(" + wanted_arguments() + ")";
  if (engine == "ReplicatedMergeTree") return "ReplicatedReplacingMergeTree(" + wanted_arguments() + ")";
  if (is_replacing(engine)) return engine;
  return Status::invalid("'engine': a changelog needs ReplacingMergeTree(" + wanted_arguments() +
                         ") or ReplicatedReplacingMergeTree(" + wanted_arguments() + "), found '" + engine +
                         "'");
}

Status check_replacing(ClickHouseConnection& connection, const TargetTable& table,
                       const std::vector<std::string>& primary_key) {
  const std::string where = "table '" + table.name.text() + "' cannot take a changelog: ";
  const std::string wanted = ". It takes ENGINE = ReplacingMergeTree(" + wanted_arguments() + ") ORDER BY " +
                             key_text(primary_key) + " with " + kVersionColumn + " UInt64, " +
                             kDeletedColumn + " UInt8; a table that is missing is made so";
  WEIR_ASSIGN(auto rows,
              connection.select("SELECT engine_full, sorting_key, partition_key FROM system.tables WHERE "
                                "database = " +
                                quoted_literal(table.name.database) +
                                " AND name = " + quoted_literal(table.name.table)));
  if (rows.empty()) return Status(Code::not_found, "ClickHouse has no table '" + table.name.text() + "'");
  const std::string &engine = rows[0][0], &order = rows[0][1], &partition = rows[0][2];
  if (!table.engine.ends_with("ReplacingMergeTree"))
    return Status::invalid(where + "its engine is " + table.engine + wanted);
  if (!is_replacing(engine)) {
    return Status::invalid(where + "its engine does not name " + kVersionColumn + " as the version and " +
                           kDeletedColumn + " as is_deleted" + wanted);
  }
  const std::set<std::string> key(primary_key.begin(), primary_key.end());
  if (names_in(order) != key)
    return Status::invalid(where + "it is sorted by " + order + ", which is not the PRIMARY KEY" + wanted);
  for (const TableColumn& column : table.columns) {
    if (column.name == kVersionColumn && !(column.type == ClickHouseType::of(ClickHouseKind::uint64)))
      return Status::invalid(where + kVersionColumn + " is " + column.type.to_string() + wanted);
    if (key.count(column.name) == 0 && expression_names(partition, column.name)) {
      return Status::invalid(where + "it is partitioned by " + partition + ", and '" + column.name +
                             "' is no key column: rows of one key would lie in several partitions, which "
                             "never replace each other" +
                             wanted);
    }
  }
  return {};
}

}  // namespace weir
