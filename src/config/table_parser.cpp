#include "config/table_parser.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/text.h"
#include "config/data_type.h"

namespace weir {
namespace {

struct MetadataType {
  const char* key;
  std::vector<std::string> types;  // as DataType::text, without NOT NULL
};

const std::vector<MetadataType>& metadata_types() {
  static const std::vector<std::string> timestamps = {"TIMESTAMP(3)", "TIMESTAMP(6)", "TIMESTAMP_LTZ(3)",
                                                      "TIMESTAMP_LTZ(6)"};
  static const std::vector<MetadataType> types = {
      {"offset", {"BIGINT"}},    {"partition", {"STRING"}},    {"topic", {"STRING"}},
      {"subject", {"STRING"}},   {"key", {"STRING", "BYTES"}}, {"headers", {"MAP<STRING, STRING>"}},
      {"timestamp", timestamps}, {"ingest-time", timestamps}};
  return types;
}

std::string joined(const std::vector<std::string>& names, const char* last_separator) {
  std::string text;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 == names.size() ? last_separator : ", ";
    text += names[i];
  }
  return text;
}

std::string without_not_null(std::string text) {
  for (size_t at; (at = text.find(" NOT NULL")) != std::string::npos;) text.erase(at, 9);
  return text;
}

class TableParser {
 public:
  explicit TableParser(TokenCursor& cursor) : cursor_(cursor) {}

  std::optional<TableSpec> parse() {
    if (!parse_if_not_exists(cursor_)) return std::nullopt;
    const Token& name = cursor_.peek();
    if (!parse_object_name(cursor_, "the table's name", table_.name)) return std::nullopt;
    table_.location = cursor_.location(name);
    if (cursor_.peek().is_symbol('(') && !parse_elements()) return std::nullopt;
    if (cursor_.accept_word("COMMENT") && !parse_comment_text(cursor_)) return std::nullopt;
    if (cursor_.peek().is_word("PARTITIONED") && !parse_partitions()) return std::nullopt;
    if (cursor_.accept_word("WITH")) {
      if (!parse_options()) return std::nullopt;
    } else if (!refuse_without_options(name)) {
      return std::nullopt;
    }
    add_partition_option();
    check_names();
    return std::move(table_);
  }

 private:
  bool refuse_without_options(const Token& name) {
    const Token& found = cursor_.peek();
    if (found.is_word("LIKE") || found.is_word("AS")) {
      cursor_.error(found, "CREATE TABLE … " + found.text +
                               " is not supported: list the columns, or leave them out "
                               "and let INSERT INTO give a sink its schema");
      return false;
    }
    if (found.kind == TokenKind::word) {
      std::string near = suggestion(found.text, {"WITH", "COMMENT", "PARTITIONED"});
      cursor_.expected("WITH ('connector' = '…')" + (near.empty() ? near : "." + near));
      return false;
    }
    cursor_.error(
        name, "table " + table_.name + " has no WITH ('connector' = '…'): nothing says where its rows are");
    return false;
  }

  // ---- the column list ----

  // A table with a broken element is kept: statements that name it shall give no errors of their own.
  bool parse_elements() {
    const Token& open = cursor_.next();
    bool good = true;
    do {
      size_t begin = cursor_.position();
      bool parsed = parse_element();
      if (parsed && !at_element_end()) {
        cursor_.expected("',' or ')' after " + last_element_);
        parsed = false;
      }
      if (!parsed) skip_element(begin);
      good = good && parsed;
    } while (cursor_.accept_symbol(','));
    if (cursor_.accept_symbol(')')) return true;
    if (good)
      cursor_.error(open, "the column list of table " + table_.name + " is never closed: ')' is missing");
    return false;
  }

  bool at_element_end() const {
    const Token& token = cursor_.peek();
    return token.is_symbol(',') || token.is_symbol(')') || token.is_symbol(';') ||
           token.kind == TokenKind::end;
  }

  // To the ',' or ')' that ends the element which begins at `begin`.
  void skip_element(size_t begin) {
    cursor_.seek(begin);
    bool is_expression = cursor_.peek(1).is_word("AS") || cursor_.peek().is_word("WATERMARK") ||
                         cursor_.peek().is_word("CHECK") || cursor_.peek().is_word("CONSTRAINT");
    int parentheses = 0, angles = 0;
    for (; !cursor_.at_end() && !cursor_.peek().is_symbol(';'); cursor_.next()) {
      const Token& token = cursor_.peek();
      if (parentheses == 0 && token.is_symbol(')')) return;
      if (parentheses == 0 && angles <= 0 && token.is_symbol(',')) return;
      if (token.is_symbol('(')) ++parentheses;
      if (token.is_symbol(')')) --parentheses;
      if (!is_expression && token.is_symbol('<')) ++angles;
      if (!is_expression && token.is_symbol('>')) --angles;
    }
  }

  bool parse_element() {
    const Token& first = cursor_.peek();
    const Token& second = cursor_.peek(1);
    if (first.is_word("WATERMARK") && second.is_word("FOR")) return parse_watermark();
    if (first.is_word("CONSTRAINT") && second.is_identifier() &&
        (cursor_.peek(2).is_word("CHECK") || cursor_.peek(2).is_word("PRIMARY"))) {
      cursor_.next();
      std::string name = cursor_.next().text;
      return cursor_.peek().is_word("CHECK") ? parse_check(name) : parse_primary_key();
    }
    if (first.is_word("CHECK") && second.is_symbol('(')) return parse_check("");
    if (first.is_word("PRIMARY") && second.is_word("KEY")) return parse_primary_key();
    if ((first.is_word("UNIQUE") && second.is_symbol('(')) ||
        (first.is_word("FOREIGN") && second.is_word("KEY"))) {
      cursor_.error(first, "found " + first.text + ", expected a column, CHECK, PRIMARY KEY or WATERMARK");
      return false;
    }
    return parse_column();
  }

  bool parse_column() {
    const Token& place = cursor_.peek();
    std::optional<std::string> name = cursor_.expect_identifier("a column's name");
    if (!name) return false;
    ColumnSpec column;
    column.name = *name;
    column.location = cursor_.location(place);
    last_element_ = "column " + *name;
    if (name->compare(0, 6, "_weir_") == 0) {
      cursor_.error(place, "column " + *name + ": names that begin with _weir_ belong to Weir");
    }
    for (const ColumnSpec& other : table_.columns) {
      if (other.name != *name) continue;
      cursor_.error(place, "column " + *name + " is declared twice, first at " + other.location.text());
    }
    if (cursor_.accept_word("AS")) {
      column.kind = ColumnKind::computed;
    }
    bool parsed = column.kind == ColumnKind::computed
                      ? parse_expression(column.expression, column.expression_location, true)
                      : parse_column_type(column);
    table_.columns.push_back(std::move(column));
    return parsed;
  }

  bool parse_column_type(ColumnSpec& column) {
    if (!cursor_.peek().is_identifier()) {
      cursor_.expected("the type of column " + column.name);
      return false;
    }
    std::optional<ParsedType> parsed = parse_type(cursor_);
    if (!parsed) return false;
    column.type = std::move(parsed->type);
    column.nullable = parsed->nullable;
    return parse_column_rest(column);
  }

  bool parse_column_rest(ColumnSpec& column) {
    while (true) {
      if (cursor_.peek().is_word("METADATA")) {
        if (!parse_metadata(column)) return false;
      } else if (cursor_.accept_word("COMMENT")) {
        if (!parse_comment_text(cursor_)) return false;
      } else if (cursor_.peek().is_word("PRIMARY")) {
        Location place = cursor_.location(cursor_.next());
        if (!cursor_.expect_word("KEY") || !expect_not_enforced()) return false;
        if (!claim_primary_key(place)) return false;
        primary_key_.push_back({column.name, column.location});
      } else {
        break;
      }
    }
    if (at_element_end()) return true;
    const Token& found = cursor_.peek();
    std::string near = found.kind == TokenKind::word
                           ? suggestion(found.text, {"NOT", "NULL", "METADATA", "COMMENT", "PRIMARY"})
                           : "";
    cursor_.expected("',' or ')', NOT NULL, METADATA, COMMENT or PRIMARY KEY after the type of column " +
                     column.name + (near.empty() ? near : "." + near));
    return false;
  }

  bool parse_metadata(ColumnSpec& column) {
    const Token* place = &cursor_.next();
    column.kind = ColumnKind::metadata;
    column.metadata_key = column.name;
    if (cursor_.accept_word("FROM")) {
      place = &cursor_.peek();
      if (place->kind != TokenKind::string) {
        cursor_.expected("a metadata key in quotes, such as 'offset'");
        return false;
      }
      column.metadata_key = cursor_.next().text;
    }
    cursor_.accept_word("VIRTUAL");
    for (const MetadataType& known : metadata_types()) {
      if (column.metadata_key != known.key) continue;
      std::string type = without_not_null(column.type.text);
      if (std::count(known.types.begin(), known.types.end(), type) > 0) return true;
      cursor_.error(*place, "metadata '" + column.metadata_key + "' is " + joined(known.types, " or ") +
                                ", but column " + column.name + " is declared " + column.type.text);
      return true;
    }
    std::string near = suggestion(column.metadata_key, metadata_keys());
    std::string message = "there is no metadata '" + column.metadata_key + "'.";
    cursor_.error(*place,
                  message + (near.empty() ? " Expected one of " + joined(metadata_keys(), " or ") : near));
    return true;
  }

  // Tokens up to the ',' or ')' that ends the element, as written.
  bool parse_expression(std::string& expression, Location& location, bool may_have_comment) {
    const Token& first = cursor_.peek();
    size_t begin = cursor_.position();
    int depth = 0;
    for (; !cursor_.at_end() && !cursor_.peek().is_symbol(';'); cursor_.next()) {
      const Token& token = cursor_.peek();
      bool opens = token.is_symbol('(') || token.is_symbol('[') || token.is_symbol('{');
      bool closes = token.is_symbol(')') || token.is_symbol(']') || token.is_symbol('}');
      if (depth == 0 && (closes || token.is_symbol(','))) break;
      depth += (opens ? 1 : 0) - (closes ? 1 : 0);
    }
    size_t end = cursor_.position();
    if (may_have_comment && end >= begin + 3 && cursor_.at(end - 1).kind == TokenKind::string &&
        cursor_.at(end - 2).is_word("COMMENT")) {
      end -= 2;
    }
    if (end == begin) {
      cursor_.expected("an expression");
      return false;
    }
    expression = cursor_.source(begin, end);
    location = cursor_.location(first);
    return true;
  }

  bool parse_check(std::string name) {
    const Token& word = cursor_.next();
    CheckSpec check;
    check.name = std::move(name);
    if (check.name.empty()) {
      int ordinal = static_cast<int>(table_.checks.size());
      do {
        check.name = "check_" + std::to_string(++ordinal);
      } while (has_check(check.name));
    } else if (has_check(check.name)) {
      cursor_.error(word, "table " + table_.name + " has two constraints named " + check.name);
    }
    last_element_ = "constraint " + check.name;
    if (!cursor_.expect_symbol('(', "after CHECK")) return false;
    if (!parse_expression(check.expression, check.location, false)) return false;
    if (!cursor_.expect_symbol(')', "to close CHECK (")) return false;
    if (cursor_.peek().is_word("NOT") && cursor_.peek(1).is_word("ENFORCED")) {
      cursor_.error(cursor_.peek(),
                    "a CHECK is always enforced here: rows that fail it go to the error lake");
      return false;
    }
    cursor_.accept_word("ENFORCED");
    table_.checks.push_back(std::move(check));
    return true;
  }

  bool has_check(const std::string& name) const {
    return std::any_of(table_.checks.begin(), table_.checks.end(),
                       [&](const CheckSpec& check) { return check.name == name; });
  }

  bool expect_not_enforced() {
    if (cursor_.peek().is_word("NOT") && cursor_.peek(1).is_word("ENFORCED")) {
      cursor_.next();
      cursor_.next();
      return true;
    }
    cursor_.expected("NOT ENFORCED after PRIMARY KEY: a stream's keys are declared, not checked");
    return false;
  }

  bool claim_primary_key(const Location& place) {
    if (primary_key_location_.line != 0) {
      cursor_.diagnostics().error(place, "table " + table_.name + " has two primary keys, the first at " +
                                             primary_key_location_.text());
      return false;
    }
    primary_key_location_ = place;
    return true;
  }

  bool parse_primary_key() {
    Location place = cursor_.location(cursor_.next());
    cursor_.next();
    last_element_ = "PRIMARY KEY";
    std::vector<NamedPlace> names;
    if (!parse_name_list(cursor_, "a column's name", names)) return false;
    if (!claim_primary_key(place)) return false;
    primary_key_ = std::move(names);
    return expect_not_enforced();
  }

  bool parse_watermark() {
    const Token& word = cursor_.next();
    cursor_.next();
    last_element_ = "WATERMARK";
    if (!table_.watermark_column.empty()) {
      cursor_.error(word, "table " + table_.name + " has two watermarks, the first at " +
                              table_.watermark_location.text());
      return false;
    }
    watermark_place_ = cursor_.location(cursor_.peek());
    std::optional<std::string> column = cursor_.expect_identifier("the column of the watermark");
    if (!column || !cursor_.expect_word("AS")) return false;
    if (!parse_expression(table_.watermark_expression, table_.watermark_location, false)) return false;
    table_.watermark_column = *column;
    return true;
  }

  // ---- behind the column list ----

  bool parse_partitions() {
    cursor_.next();
    if (!cursor_.expect_word("BY")) return false;
    if (!parse_name_list(cursor_, "a column's name", partitions_)) return false;
    if (table_.columns.empty()) return true;
    for (const NamedPlace& partition : partitions_) check_column(partition.name, partition.location);
    return true;
  }

  void add_partition_option() {
    if (partitions_.empty()) return;
    const Location& place = partitions_[0].location;
    auto given = table_.options.find("partition-by");
    if (given != table_.options.end()) {
      cursor_.diagnostics().error(
          given->second.name_location,
          "'partition-by' is given twice, first by PARTITIONED BY at " + place.text());
      return;
    }
    std::string text;
    for (const NamedPlace& partition : partitions_) text += (text.empty() ? "" : ",") + partition.name;
    table_.options["partition-by"] = {text, place, place};
  }

  bool parse_options() {
    if (!cursor_.expect_symbol('(', "after WITH")) return false;
    if (cursor_.accept_symbol(')')) return true;
    do {
      const Token& key = cursor_.peek();
      if (key.kind != TokenKind::string) {
        cursor_.expected(key.is_symbol(')') ? "another option after ','"
                                            : "an option's name in quotes, such as 'connector'");
        return false;
      }
      cursor_.next();
      if (!cursor_.expect_symbol('=', "after option '" + key.text + "'")) return false;
      const Token& value = cursor_.peek();
      if (value.kind != TokenKind::string) {
        bool scalar = value.kind == TokenKind::number || value.is_word("TRUE") || value.is_word("FALSE");
        cursor_.expected("the value of option '" + key.text + "' in quotes" +
                         (scalar ? ": '" + value.text + "'" : std::string()));
        return false;
      }
      cursor_.next();
      auto [entry, added] = table_.options.try_emplace(
          key.text, OptionValue{value.text, cursor_.location(value), cursor_.location(key)});
      if (!added) {
        cursor_.error(
            key, "option '" + key.text + "' is given twice, first at " + entry->second.name_location.text());
      }
    } while (cursor_.accept_symbol(','));
    return cursor_.expect_symbol(')', "or ',' after an option");
  }

  void check_column(const std::string& name, const Location& place) {
    std::vector<std::string> names;
    for (const ColumnSpec& column : table_.columns) {
      if (column.name == name) return;
      names.push_back(column.name);
    }
    cursor_.diagnostics().error(
        place, "table " + table_.name + " has no column " + name + "." + suggestion(name, names));
  }

  void check_names() {
    for (const NamedPlace& key : primary_key_) {
      check_column(key.name, key.location);
      table_.primary_key.push_back(key.name);
      for (ColumnSpec& column : table_.columns) {
        if (column.name == key.name && column.kind != ColumnKind::computed) column.nullable = false;
      }
    }
    if (!table_.watermark_column.empty()) check_column(table_.watermark_column, watermark_place_);
  }

  TokenCursor& cursor_;
  TableSpec table_;
  std::string last_element_ = "the column";
  std::vector<NamedPlace> primary_key_;
  Location primary_key_location_;
  Location watermark_place_;
  std::vector<NamedPlace> partitions_;
};

}  // namespace

std::optional<TableSpec> parse_table(TokenCursor& cursor) { return TableParser(cursor).parse(); }

bool parse_if_not_exists(TokenCursor& cursor) {
  if (!cursor.accept_word("IF")) return true;
  return cursor.expect_word("NOT") && cursor.expect_word("EXISTS");
}

bool parse_object_name(TokenCursor& cursor, const std::string& what, std::string& name) {
  const Token& first = cursor.peek();
  std::optional<std::string> identifier = cursor.expect_identifier(what);
  if (!identifier) return false;
  if (cursor.peek().is_symbol('.')) {
    cursor.error(first, "catalogs and databases are not supported, expected " + what + " alone");
    return false;
  }
  name = *identifier;
  return true;
}

bool parse_name_list(TokenCursor& cursor, const std::string& what, std::vector<NamedPlace>& names) {
  if (!cursor.expect_symbol('(')) return false;
  std::set<std::string> seen;
  do {
    const Token& token = cursor.peek();
    std::optional<std::string> name = cursor.expect_identifier(what);
    if (!name) return false;
    if (!seen.insert(*name).second) {
      cursor.error(token, *name + " is named twice");
      return false;
    }
    names.push_back({*name, cursor.location(token)});
  } while (cursor.accept_symbol(','));
  return cursor.expect_symbol(')', "or ','");
}

bool parse_comment_text(TokenCursor& cursor) {
  if (cursor.peek().kind == TokenKind::string) {
    cursor.next();
    return true;
  }
  cursor.expected("a string after COMMENT");
  return false;
}

const std::vector<std::string>& metadata_keys() {
  static const std::vector<std::string> keys = [] {
    std::vector<std::string> result;
    for (const MetadataType& type : metadata_types()) result.push_back(type.key);
    return result;
  }();
  return keys;
}

}  // namespace weir
