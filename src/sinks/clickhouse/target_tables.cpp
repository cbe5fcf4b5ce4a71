#include "sinks/clickhouse/target_tables.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <unordered_map>
#include <utility>

#include "base/text.h"
#include "config/data_type.h"
#include "sinks/clickhouse/changelog_rows.h"
#include "sinks/sink.h"

namespace weir {
namespace {

Status words(const ServerAnswer& answer) { return answer.status; }

std::shared_ptr<arrow::Schema> with_hidden(const arrow::Schema& schema, bool changelog) {
  arrow::FieldVector fields = schema.fields();
  fields.push_back(arrow::field(kPartitionColumn, arrow::utf8(), false));
  fields.push_back(arrow::field(kOffsetColumn, arrow::int64(), false));
  if (changelog) {
    fields.push_back(arrow::field(kWeightColumn, arrow::int8(), false));
    fields.push_back(arrow::field(kVersionColumn, arrow::uint64(), false));
    fields.push_back(arrow::field(kDeletedColumn, arrow::uint8(), false));
  }
  return arrow::schema(std::move(fields));
}

// Why a value cannot be (part of) a table's name, or "".
std::string name_problem(std::string_view name) {
  constexpr size_t kLongestBytes = 150;  // with escapes it must be a file's name on the server
  if (name.size() > kLongestBytes) return "is longer than " + std::to_string(kLongestBytes) + " bytes";
  for (unsigned char c : name) {
    if (c < 0x20 || c == 0x7F) return "holds a control character";
    if (c == '/' || c == '\\') return "holds a slash";
  }
  return "";
}

Result<std::shared_ptr<arrow::RecordBatch>> take(const arrow::RecordBatch& batch,
                                                 const std::vector<int64_t>& rows) {
  arrow::Int64Builder builder;
  std::shared_ptr<arrow::Array> indexes;
  arrow::Status filled = builder.AppendValues(rows);
  if (filled.ok()) filled = builder.Finish(&indexes);
  if (!filled.ok()) return Status::internal("Arrow: " + filled.ToString());
  arrow::ArrayVector columns;
  for (const auto& column : batch.columns()) {
    auto taken = arrow::compute::Take(*column, *indexes);
    if (!taken.ok()) return Status::internal("Arrow: " + taken.status().ToString());
    columns.push_back(*std::move(taken));
  }
  return arrow::RecordBatch::Make(batch.schema(), static_cast<int64_t>(rows.size()), std::move(columns));
}

}  // namespace

Result<TablePattern> parse_table_pattern(const std::string& text, const arrow::Schema& schema) {
  TablePattern pattern;
  size_t open = text.find('{'), close = text.find('}');
  if (open == std::string::npos && close == std::string::npos) {
    pattern.prefix = text;
    std::string problem = name_problem(text);
    if (!problem.empty()) return Status::invalid("'table': the name " + problem);
    return pattern;
  }
  bool one_pair = open != std::string::npos && close != std::string::npos && open < close &&
                  text.find_first_of("{}", open + 1) == close &&
                  text.find_first_of("{}", close + 1) == std::string::npos;
  if (!one_pair)
    return Status::invalid("'table': found '" + text + "', expected one {column}, such as 'events_{tenant}'");
  pattern.prefix = text.substr(0, open);
  pattern.column = text.substr(open + 1, close - open - 1);
  pattern.suffix = text.substr(close + 1);
  auto field = schema.GetFieldByName(pattern.column);
  if (field == nullptr) {
    std::vector<std::string> names;
    for (const auto& each : schema.fields()) names.push_back(each->name());
    return Status::invalid("'table' names the column '" + pattern.column + "', which the rows do not have." +
                           suggestion(pattern.column, names));
  }
  if (field->type()->id() != arrow::Type::STRING) {
    return Status::invalid("'table': the column '" + pattern.column + "' has the type " +
                           sql_type(*field->type()) + ", expected STRING: cast it in the query");
  }
  return pattern;
}

TargetTables::TargetTables(TargetSettings settings, ClickHouseConnection& connection, TablePattern pattern)
    : settings_(std::move(settings)),
      connection_(connection),
      pattern_(std::move(pattern)),
      appended_(with_hidden(*settings_.schema, !settings_.changelog_key.empty())) {
  settings_.defaults.old_server = !connection_.knows_setting("insert_deduplication_token");
}

Result<std::unique_ptr<TargetTables>> TargetTables::create(TargetSettings settings,
                                                           ClickHouseConnection& connection) {
  WEIR_ASSIGN(TablePattern pattern, parse_table_pattern(settings.table, *settings.schema));
  return std::unique_ptr<TargetTables>(new TargetTables(std::move(settings), connection, std::move(pattern)));
}

Status TargetTables::open() {
  encoders_.clear();
  auto database = connection_.select("SELECT count() FROM system.databases WHERE name = " +
                                     quoted_literal(settings_.database));
  if (!database.ok()) return database.status();
  if (database->empty() || database->front()[0] == "0") {
    WEIR_TRY(
        words(connection_.execute("CREATE DATABASE IF NOT EXISTS " + quoted_identifier(settings_.database)))
            .with_context("creating the database '" + settings_.database + "'"));
  }
  return is_single() ? open_table(pattern_.prefix) : Status();
}

Result<std::string> TargetTables::pin_servers(const std::string& known) {
  if (connection_.url_count() < 2 || !is_single()) return known;
  const TableName name = this->name(pattern_.prefix);
  WEIR_ASSIGN(TableIdentity here, table_identity(connection_, name));
  const std::string refused = "table '" + settings_.sink + "': an unreplicated fail-over target: ";
  if (!known.empty() && !same_table(TableIdentity::parse(known), here)) {
    return Status::invalid(refused + connection_.url() + " does not hold the table " + name.text() +
                           " that rows went to so far. Name the servers of one replica set in 'url', or one "
                           "server");
  }
  if (here.table.empty()) return known;  // there is no table yet: nothing to compare, nowhere to insert
  connection_.set_identity([here, name, refused,
                            first = connection_.url()](ClickHouseConnection& candidate) -> Status {
    WEIR_ASSIGN(TableIdentity other, table_identity(candidate, name));
    if (same_table(here, other)) return {};
    return Status::invalid(refused + candidate.url() + " does not hold the same table " + name.text() +
                           " as " + first + ". Name the servers of one replica set in 'url', or one server");
  });
  WEIR_TRY(connection_.verify_all());
  return here.to_string();
}

Status TargetTables::check_table(const TargetTable& table) {
  if (!settings_.changelog_key.empty())
    WEIR_TRY(check_replacing(connection_, table, settings_.changelog_key));
  if (!settings_.exactly_once) return {};
  return check_deduplication(connection_, table);
}

Status TargetTables::open_table(const std::string& table) {
  const TableName name = this->name(table);
  auto found = describe_table(connection_, name);
  if (!found.ok() && found.status().code() != Code::not_found) return found.status();
  if (!found.ok()) {
    WEIR_ASSIGN(std::string statement, create_statement(name, *settings_.schema, settings_.defaults));
    WEIR_TRY(words(connection_.execute(statement)).with_context("creating the table '" + name.text() + "'"));
    found = describe_table(connection_, name);
    if (!found.ok()) return found.status();
  }
  WEIR_TRY(check_table(*found));
  WEIR_ASSIGN(std::string alter,
              evolve_statement(*found, *settings_.schema, settings_.defaults, settings_.add_columns));
  if (!alter.empty()) {
    WEIR_TRY(words(connection_.execute(alter)).with_context("adding columns to '" + name.text() + "'"));
    found = describe_table(connection_, name);
    if (!found.ok()) return found.status();
  }
  // Rows with versions may come twice, and merges take rows away: nobody counts them by their commit.
  const bool with_sequence = settings_.exactly_once && settings_.changelog_key.empty();
  WEIR_ASSIGN(auto encoder, BlockEncoder::create(name.text(), *appended_, found->columns, with_sequence));
  // Existing tables may be more than the bound on those that are made.
  if (encoders_.size() >= static_cast<size_t>(settings_.max_tables)) encoders_.clear();
  encoders_[table] = std::move(encoder);
  return {};
}

Status TargetTables::check() {
  WEIR_TRY(create_statement(name(pattern_.prefix), *settings_.schema, settings_.defaults).status());
  if (settings_.exactly_once) WEIR_TRY(check_tokens(connection_));
  if (!is_single()) return {};
  auto found = describe_table(connection_, name(pattern_.prefix));
  if (!found.ok()) return found.status().code() == Code::not_found ? Status() : found.status();
  WEIR_TRY(evolve_statement(*found, *settings_.schema, settings_.defaults, settings_.add_columns).status());
  return check_table(*found);
}

Status TargetTables::ensure(const std::string& table) {
  if (encoders_.count(table) != 0) return {};
  return open_table(table);
}

Result<BlockEncoder*> TargetTables::encoder(const std::string& table) {
  WEIR_TRY(ensure(table));
  return encoders_.at(table).get();
}

// The tables of this pattern that the server has, and those that this call made.
Status TargetTables::load_existing() {
  auto found = connection_.select(
      "SELECT name FROM system.tables WHERE database = " + quoted_literal(settings_.database) +
      " AND startsWith(name, " + quoted_literal(pattern_.prefix) + ") AND endsWith(name, " +
      quoted_literal(pattern_.suffix) + ")");
  if (!found.ok()) return found.status();
  existing_.clear();
  for (ServerRow& row : *found) existing_.insert(std::move(row[0]));
  return {};
}

std::string TargetTables::refusal(const std::string& table) const {
  std::string problem = name_problem(table);
  if (!problem.empty()) return "the table's name that column '" + pattern_.column + "' gives " + problem;
  if (existing_.count(table) != 0 || static_cast<int64_t>(existing_.size()) < settings_.max_tables) return "";
  return "there are already " + std::to_string(existing_.size()) + " tables like '" + settings_.table +
         "' ('max-tables'), so '" + table + "' was not made";
}

Result<std::vector<TableRows>> TargetTables::split(const RowBatches& batches) {
  std::vector<TableRows> result;
  if (is_single()) {
    if (!batches.empty()) result.push_back({pattern_.prefix, batches, ""});
    return result;
  }
  const int column = settings_.schema->GetFieldIndex(pattern_.column);
  bool listed = false;
  std::unordered_map<std::string, size_t> places;  // value -> index in result; "" for what has none
  for (const auto& batch : batches) {
    const auto& values = static_cast<const arrow::StringArray&>(*batch->column(column));
    std::vector<std::vector<int64_t>> rows(result.size());
    for (int64_t row = 0; row < batch->num_rows(); ++row) {
      std::string value = values.IsNull(row) ? std::string() : values.GetString(row);
      auto place = places.find(value);
      if (place == places.end()) {
        TableRows made;
        made.table = pattern_.prefix + value + pattern_.suffix;
        if (value.empty()) {
          made.refused = "column '" + pattern_.column + "' is empty and so names no table";
        } else {
          if (encoders_.count(made.table) == 0 && !std::exchange(listed, true)) WEIR_TRY(load_existing());
          if (encoders_.count(made.table) == 0) made.refused = refusal(made.table);
        }
        if (made.refused.empty()) {
          WEIR_TRY(ensure(made.table));
          existing_.insert(made.table);
        }
        place = places.emplace(std::move(value), result.size()).first;
        result.push_back(std::move(made));
        rows.emplace_back();
      }
      rows[place->second].push_back(row);
    }
    for (size_t i = 0; i < rows.size(); ++i) {
      if (rows[i].empty()) continue;
      WEIR_ASSIGN(auto taken, take(*batch, rows[i]));
      result[i].batches.push_back(std::move(taken));
    }
  }
  return result;
}

}  // namespace weir
