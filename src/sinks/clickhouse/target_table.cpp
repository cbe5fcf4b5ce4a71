#include "sinks/clickhouse/target_table.h"

#include <arrow/type.h>
#include <arrow/type_traits.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <set>

#include "base/text.h"
#include "sinks/clickhouse/block_encoder.h"
#include "sinks/clickhouse/changelog_rows.h"
#include "sinks/sink.h"

namespace weir {
namespace {

constexpr int64_t kWindowBlocks = 10'000;
constexpr const char* kChoose = ", or choose 'delivery' = 'at-least-once'";

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

bool is_replicated(const std::string& engine) {
  return engine.starts_with("Replicated") || engine.starts_with("Shared");
}

// Scalars that may stand in ORDER BY.
bool is_sortable(const arrow::DataType& type) {
  return arrow::is_integer(type.id()) || arrow::is_string(type.id()) || arrow::is_decimal(type.id()) ||
         arrow::is_temporal(type.id()) || type.id() == arrow::Type::BOOL;
}

// The identifiers that an expression names, without quotes.
std::set<std::string> words_of(const std::string& expression) {
  std::set<std::string> words;
  std::string word;
  for (char c : expression + " ") {
    if (is_word(c)) {
      word += c;
    } else if (!word.empty()) {
      words.insert(std::exchange(word, {}));
    }
  }
  return words;
}

std::string default_order(const arrow::Schema& schema) {
  constexpr int kMostColumns = 3;
  std::string order;
  int count = 0;
  for (const auto& field : schema.fields()) {
    if (field->nullable() || !is_sortable(*field->type())) continue;
    order += (order.empty() ? "" : ", ") + quoted_identifier(field->name());
    if (++count == kMostColumns) break;
  }
  return order.empty() ? "tuple()" : "(" + order + ")";
}

Result<std::string> column_definition(const arrow::Field& field, const TableDefaults& defaults,
                                      bool nullable) {
  auto given = defaults.column_types.find(field.name());
  if (given != defaults.column_types.end()) {
    auto type = ClickHouseType::parse(given->second);
    if (!type.ok()) return type.status().with_context("'column." + field.name() + "'");
    WEIR_TRY(can_store(*field.type(), *type).with_context("'column." + field.name() + "'"));
    return quoted_identifier(field.name()) + " " + given->second;
  }
  auto type = clickhouse_type_for(*field.type(), nullable);
  if (!type.ok()) return type.status().with_context("column '" + field.name() + "'");
  std::string text = type->to_string();
  bool low = std::count(defaults.low_cardinality.begin(), defaults.low_cardinality.end(), field.name()) != 0;
  if (low) text = "LowCardinality(" + text + ")";
  return quoted_identifier(field.name()) + " " + text;
}

Status names_exist(const arrow::Schema& schema, const TableDefaults& defaults) {
  std::vector<std::string> names;
  for (const auto& field : schema.fields()) names.push_back(field->name());
  auto check = [&](const std::string& option, const std::string& name) -> Status {
    if (schema.GetFieldIndex(name) >= 0) return {};
    return Status::invalid(option + " names '" + name + "', which is no column of the rows." +
                           suggestion(name, names));
  };
  for (const auto& [name, _] : defaults.column_types) WEIR_TRY(check("'column." + name + "'", name));
  for (const std::string& name : defaults.low_cardinality) WEIR_TRY(check("'low-cardinality'", name));
  return {};
}

bool is_plain_setting(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_word);
}

std::string settings_clause(const arrow::Schema& schema, const TableDefaults& defaults) {
  std::map<std::string, std::string> settings = defaults.settings;
  if (defaults.deduplicate) {
    // emplace: what the user says counts.
    if (is_replicated(defaults.engine)) {
      settings.emplace("replicated_deduplication_window_seconds", "604800");
    } else {
      settings.emplace("non_replicated_deduplication_window", std::to_string(kWindowBlocks));
    }
  }
  std::set<std::string> key = words_of(defaults.order_by);
  for (const auto& field : schema.fields()) {
    if (field->nullable() && key.count(field->name()) != 0) settings.emplace("allow_nullable_key", "1");
  }
  std::string text;
  for (const auto& [name, value] : settings) {
    bool number = !value.empty() && value.find_first_not_of("0123456789.") == std::string::npos;
    text += (text.empty() ? " SETTINGS " : ", ") + name + " = " + (number ? value : quoted_literal(value));
  }
  return text;
}

// Reads `x`.`y`, "x".y or x at the front of `text`.
std::optional<std::string> take_identifier(std::string_view& text) {
  if (text.empty()) return std::nullopt;
  std::string name;
  if (text[0] == '`' || text[0] == '"') {
    char quote = text[0];
    size_t at = 1;
    for (; at < text.size() && text[at] != quote; ++at) {
      if (text[at] == '\\' && at + 1 < text.size()) ++at;
      name += text[at];
    }
    if (at >= text.size()) return std::nullopt;
    text.remove_prefix(at + 1);
    return name;
  }
  size_t end = 0;
  while (end < text.size() && is_word(text[end])) ++end;
  if (end == 0) return std::nullopt;
  name = text.substr(0, end);
  text.remove_prefix(end);
  return name;
}

std::string where_table(const TableName& name) {
  return "database = " + quoted_literal(name.database) + " AND name = " + quoted_literal(name.table);
}

struct View {
  TableName name;
  std::string create_query;
};

Result<std::vector<View>> views_of(ClickHouseConnection& connection, const TableName& name) {
  // Two parallel arrays; names may hold anything but a line break.
  auto rows = connection.select(
      "SELECT arrayStringConcat(dependencies_database, '\\n'), arrayStringConcat(dependencies_table, '\\n') "
      "FROM system.tables WHERE " +
      where_table(name));
  if (!rows.ok()) return rows.status();
  std::vector<View> views;
  if (rows->empty() || rows->front()[1].empty()) return views;
  auto lines = [](const std::string& text) {
    std::vector<std::string> result(1);
    for (char c : text) {
      if (c == '\n') {
        result.emplace_back();
      } else {
        result.back() += c;
      }
    }
    return result;
  };
  auto databases = lines(rows->front()[0]), tables = lines(rows->front()[1]);
  for (size_t i = 0; i < std::min(databases.size(), tables.size()); ++i) {
    View view{{databases[i], tables[i]}, ""};
    auto text = connection.select("SELECT engine, create_table_query FROM system.tables WHERE " +
                                  where_table(view.name));
    if (!text.ok()) return text.status();
    if (text->empty() || text->front()[0] != "MaterializedView") continue;
    view.create_query = text->front()[1];
    views.push_back(std::move(view));
  }
  return views;
}

Result<TableName> view_storage(ClickHouseConnection& connection, const View& view) {
  if (auto target = view_target(view.create_query, view.name.database)) return *target;
  auto rows = connection.select(
      "SELECT name FROM system.tables WHERE database = " + quoted_literal(view.name.database) +
      " AND (name = " + quoted_literal(".inner." + view.name.table) +
      " OR name = concat('.inner_id.', (SELECT toString(uuid) FROM system.tables WHERE " +
      where_table(view.name) + ")))");
  if (!rows.ok()) return rows.status();
  if (rows->empty()) {
    return Status::invalid("the table behind the materialized view '" + view.name.text() +
                           "' cannot be found, so whether it drops repeated blocks is not known");
  }
  return TableName{view.name.database, rows->front()[0]};
}

// The table's own value of a setting, else the server's; 0 when it knows none.
Result<int64_t> table_setting(ClickHouseConnection& connection, const TargetTable& table,
                              const std::string& name) {
  if (auto value = setting_in(table.create_query, name)) return *value;
  auto rows =
      connection.select("SELECT value FROM system.merge_tree_settings WHERE name = " + quoted_literal(name));
  if (!rows.ok()) return rows.status();
  return rows->empty() ? 0 : std::atoll(rows->front()[0].c_str());
}

}  // namespace

std::string TableName::quoted() const { return quoted_identifier(database) + "." + quoted_identifier(table); }

Result<TargetTable> describe_table(ClickHouseConnection& connection, const TableName& name) {
  auto found =
      connection.select("SELECT engine, create_table_query FROM system.tables WHERE " + where_table(name));
  if (!found.ok()) return found.status();
  if (found->empty()) return Status(Code::not_found, "ClickHouse has no table '" + name.text() + "'");
  TargetTable table;
  table.name = name;
  table.engine = found->front()[0];
  table.create_query = found->front()[1];
  auto columns =
      connection.select("SELECT name, type, default_kind FROM system.columns WHERE database = " +
                        quoted_literal(name.database) + " AND table = " + quoted_literal(name.table));
  if (!columns.ok()) return columns.status();
  for (const ServerRow& column : *columns) {
    auto type = ClickHouseType::parse(column[1]);
    if (column[2] == "MATERIALIZED" || column[2] == "ALIAS") {
      table.unwritable[column[0]] = "is " + column[2] + ": the server computes it";
    } else if (!type.ok()) {
      table.unwritable[column[0]] = "has the type " + column[1] + ", which Weir does not write";
    } else {
      table.columns.push_back({column[0], *std::move(type)});
    }
  }
  return table;
}

Result<std::string> create_statement(const TableName& name, const arrow::Schema& schema,
                                     const TableDefaults& defaults) {
  WEIR_TRY(names_exist(schema, defaults));
  for (const auto& [setting, _] : defaults.settings) {
    if (!is_plain_setting(setting))
      return Status::invalid("'settings." + setting + "' is no name of a setting");
  }
  std::string columns;
  for (const auto& field : schema.fields()) {
    WEIR_ASSIGN(std::string definition, column_definition(*field, defaults, field->nullable()));
    columns += (columns.empty() ? "" : ", ") + definition;
  }
  if (defaults.positions) {
    columns += std::string(", ") + kPartitionColumn +
               (defaults.old_server ? " String, " : " LowCardinality(String), ") + kOffsetColumn + " Int64";
    if (defaults.sequence) {
      // The index makes "is this commit here?" cheap in a large table.
      columns += std::string(", ") + kSequenceColumn + " UInt64, INDEX _weir_seq_range " + kSequenceColumn +
                 " TYPE minmax GRANULARITY 1";
    }
  }
  if (defaults.versions)
    columns += std::string(", ") + kVersionColumn + " UInt64, " + kDeletedColumn + " UInt8";
  std::string text =
      "CREATE TABLE IF NOT EXISTS " + name.quoted() + " (" + columns + ") ENGINE = " + defaults.engine;
  if (defaults.engine.find("MergeTree") == std::string::npos) return text;
  if (!defaults.partition_by.empty()) text += " PARTITION BY " + defaults.partition_by;
  std::string order = defaults.order_by.empty() ? default_order(schema) : "(" + defaults.order_by + ")";
  text += " ORDER BY " + order;
  if (!defaults.ttl.empty()) text += " TTL " + defaults.ttl;
  return text + settings_clause(schema, defaults);
}

Result<std::string> evolve_statement(const TargetTable& table, const arrow::Schema& schema,
                                     const TableDefaults& defaults, bool may_add) {
  arrow::FieldVector present, missing;
  std::string computed;
  for (const auto& field : schema.fields()) {
    auto unwritable = table.unwritable.find(field->name());
    if (unwritable != table.unwritable.end()) {
      computed += "\n  column '" + field->name() + "' " + unwritable->second +
                  ": leave it out of the query, or alter the table";
      continue;
    }
    bool here = std::any_of(table.columns.begin(), table.columns.end(), [&](const TableColumn& column) {
      return column.name == field->name() || column.name.starts_with(field->name() + ".");
    });
    (here || !may_add ? present : missing).push_back(field);
  }
  if (!computed.empty())
    return Status::invalid("ClickHouse table '" + table.name.text() + "' does not fit:" + computed);
  WEIR_TRY(match_columns(table.name.text(), *arrow::schema(present), table.columns).status());
  std::string text;
  for (const auto& field : missing) {
    WEIR_ASSIGN(std::string definition, column_definition(*field, defaults, true));
    text += (text.empty() ? "ALTER TABLE " + table.name.quoted() + " " : ", ") + "ADD COLUMN IF NOT EXISTS " +
            definition;
  }
  return text;
}

bool expression_names(const std::string& expression, const std::string& column) {
  return words_of(expression).count(column) != 0;
}

Result<bool> has_views(ClickHouseConnection& connection, const TableName& name) {
  auto views = views_of(connection, name);
  if (!views.ok()) return views.status();
  return !views->empty();
}

Status check_tokens(ClickHouseConnection& connection) {
  if (connection.knows_setting("insert_deduplication_token")) return {};
  return Status::invalid("ClickHouse " + connection.version() +
                         " knows no insert_deduplication_token, so it cannot be exactly once: take a newer "
                         "server (22.2 or later)" +
                         kChoose);
}

Status check_deduplication(ClickHouseConnection& connection, const TargetTable& table) {
  WEIR_TRY(check_tokens(connection));
  const std::string choose = kChoose;
  std::vector<std::pair<TargetTable, std::string>> todo = {{table, "table '" + table.name.text() + "'"}};
  std::set<std::string> seen;
  while (!todo.empty()) {
    auto [current, what] = std::move(todo.back());
    todo.pop_back();
    if (!seen.insert(current.name.text()).second) continue;
    if (current.engine.find("MergeTree") == std::string::npos) {
      return Status::invalid(what + " has the engine " + current.engine +
                             ", which does not drop repeated blocks: exactly once needs one of the MergeTree "
                             "family" +
                             choose);
    }
    const std::string setting = is_replicated(current.engine) ? "replicated_deduplication_window"
                                                              : "non_replicated_deduplication_window";
    auto window = table_setting(connection, current, setting);
    if (!window.ok()) return window.status();
    if (*window <= 0) {
      return Status::invalid(what +
                             " keeps no window of repeated blocks, so a retry could double rows: ALTER "
                             "TABLE " +
                             current.name.quoted() + " MODIFY SETTING " + setting + " = " +
                             std::to_string(kWindowBlocks) + choose);
    }
    auto views = views_of(connection, current.name);
    if (!views.ok()) return views.status();
    for (const View& view : *views) {
      auto storage = view_storage(connection, view);
      if (!storage.ok()) return storage.status();
      auto target = describe_table(connection, *storage);
      if (!target.ok()) return target.status();
      todo.emplace_back(*std::move(target), "table '" + storage->text() + "', which the materialized view '" +
                                                view.name.text() + "' writes to,");
    }
  }
  return {};
}

Result<int64_t> token_memory_s(ClickHouseConnection& connection, const TableName& name) {
  WEIR_ASSIGN(TargetTable table, describe_table(connection, name));
  if (!is_replicated(table.engine)) return INT64_MAX;
  return table_setting(connection, table, "replicated_deduplication_window_seconds");
}

Result<std::optional<int64_t>> altered_ago_s(ClickHouseConnection& connection, const TableName& name) {
  WEIR_ASSIGN(TargetTable table, describe_table(connection, name));
  if (is_replicated(table.engine)) return std::optional<int64_t>();
  // 1970: the database keeps no definitions in files.
  auto rows = connection.select(
      "SELECT toString(toInt64(toUnixTimestamp(now())) - "
      "toInt64(toUnixTimestamp(metadata_modification_time))) "
      "FROM system.tables WHERE toUnixTimestamp(metadata_modification_time) != 0 AND " +
      where_table(name));
  if (!rows.ok()) return rows.status();
  if (rows->empty()) return std::optional<int64_t>();
  return std::optional<int64_t>(std::atoll(rows->front()[0].c_str()));
}

Result<TableIdentity> table_identity(ClickHouseConnection& connection, const TableName& name) {
  TableIdentity identity;
  const std::pair<std::string*, std::string> questions[] = {
      {&identity.server, "SELECT toString(serverUUID())"},
      {&identity.table, "SELECT toString(uuid) FROM system.tables WHERE " + where_table(name)},
      {&identity.replica_path,
       "SELECT zookeeper_path FROM system.replicas WHERE database = " + quoted_literal(name.database) +
           " AND table = " + quoted_literal(name.table)},
  };
  for (const auto& [answer, question] : questions) {
    auto rows = connection.select(question);
    // A server that does not know the question has no identity of that kind.
    if (!rows.ok() && rows.status().code() != Code::invalid) return rows.status();
    if (rows.ok() && !rows->empty()) *answer = rows->front()[0];
  }
  return identity;
}

std::string TableIdentity::to_string() const { return server + "\n" + table + "\n" + replica_path; }

TableIdentity TableIdentity::parse(const std::string& text) {
  size_t first = std::min(text.find('\n'), text.size());
  size_t second = std::min(text.find('\n', first + 1), text.size());
  return {text.substr(0, first), text.substr(std::min(first + 1, text.size()), second - first - 1),
          text.substr(std::min(second + 1, text.size()))};
}

bool same_table(const TableIdentity& one, const TableIdentity& other) {
  auto equal = [](const std::string& a, const std::string& b) {
    return a == b && a.find_first_not_of("0-") != std::string::npos;
  };
  return equal(one.server, other.server) || equal(one.table, other.table) ||
         (one.replica_path == other.replica_path && !one.replica_path.empty());
}

std::optional<int64_t> setting_in(const std::string& create_query, const std::string& name) {
  size_t from = create_query.rfind(" SETTINGS ");
  if (from == std::string::npos) return std::nullopt;
  for (size_t at = create_query.find(name, from); at != std::string::npos;
       at = create_query.find(name, at + 1)) {
    size_t end = at + name.size();
    if (is_word(create_query[at - 1]) || (end < create_query.size() && is_word(create_query[end]))) continue;
    while (end < create_query.size() &&
           (create_query[end] == ' ' || create_query[end] == '=' || create_query[end] == '\''))
      ++end;
    if (end < create_query.size() && std::isdigit(static_cast<unsigned char>(create_query[end])))
      return std::atoll(create_query.c_str() + end);
  }
  return std::nullopt;
}

std::optional<TableName> view_target(const std::string& create_query, const std::string& own_database) {
  std::string_view text = create_query;
  size_t at = text.find("VIEW ");
  if (at == std::string_view::npos) return std::nullopt;
  text.remove_prefix(at + 5);
  // The view's own name, perhaps with UUID '…', then TO name.
  for (int i = 0; i < 2; ++i) {
    if (!take_identifier(text)) return std::nullopt;
    if (!text.starts_with(".")) break;
    text.remove_prefix(1);
  }
  if (text.starts_with(" UUID '")) {
    size_t end = text.find('\'', 7);
    if (end == std::string_view::npos) return std::nullopt;
    text.remove_prefix(end + 1);
  }
  if (!text.starts_with(" TO ")) return std::nullopt;
  text.remove_prefix(4);
  if (text.starts_with("INNER ")) return std::nullopt;
  auto first = take_identifier(text);
  if (!first) return std::nullopt;
  if (!text.starts_with(".")) return TableName{own_database, *first};
  text.remove_prefix(1);
  auto second = take_identifier(text);
  if (!second) return std::nullopt;
  return TableName{*first, *second};
}

}  // namespace weir
