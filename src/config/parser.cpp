#include "config/parser.h"

#include <optional>
#include <utility>

#include "base/text.h"
#include "config/data_type.h"
#include "config/lexer.h"
#include "config/table_parser.h"

namespace weir {
namespace {

constexpr const char* kStatements =
    "SET, CREATE TABLE, CREATE [TEMPORARY] VIEW, INSERT INTO or EXECUTE STATEMENT SET";

bool begins_statement(const TokenCursor& cursor) {
  const Token& first = cursor.peek();
  const Token& second = cursor.peek(1);
  if (first.is_word("INSERT")) return second.is_word("INTO");
  if (first.is_word("CREATE")) {
    return second.is_word("TABLE") || second.is_word("VIEW") || second.is_word("TEMPORARY");
  }
  if (first.is_word("EXECUTE") || first.is_word("BEGIN")) return second.is_word("STATEMENT");
  return first.is_word("SET") && second.kind == TokenKind::string;
}

class StatementParser {
 public:
  explicit StatementParser(TokenCursor& cursor) : cursor_(cursor) {}

  Statements run() {
    while (!cursor_.at_end()) {
      if (cursor_.accept_symbol(';')) continue;
      if (!parse_statement()) recover();
    }
    if (set_begin_) {
      cursor_.error(*set_begin_, "this statement set is never closed: END; is missing");
    }
    return std::move(statements_);
  }

 private:
  // Behind the next ';', or at a statement whose predecessor lost its ';'.
  void recover() {
    while (!cursor_.at_end() && !cursor_.accept_symbol(';')) {
      if (begins_statement(cursor_)) return;
      cursor_.next();
    }
  }

  bool end_statement() {
    if (cursor_.at_end() || cursor_.accept_symbol(';')) return true;
    if (begins_statement(cursor_) || (set_begin_ && cursor_.peek().is_word("END"))) {
      cursor_.error(cursor_.peek(), "found " + describe(cursor_.peek()) + ", expected ';' before it");
      return true;
    }
    cursor_.expected("';' at the end of the statement");
    return false;
  }

  bool parse_statement() {
    const Token& first = cursor_.peek();
    if (set_begin_ && first.is_word("END")) return parse_set_end();
    if (first.is_word("INSERT")) return parse_insert();
    bool begins_set =
        (first.is_word("EXECUTE") || first.is_word("BEGIN")) && cursor_.peek(1).is_word("STATEMENT");
    if (set_begin_) {
      cursor_.error(first,
                    "found " + describe(first) + ", expected INSERT INTO or END inside a statement set");
      cursor_.next();
      return false;
    }
    if (begins_set) return parse_set_begin();
    if (first.is_word("SET")) return parse_setting();
    if (first.is_word("CREATE")) return parse_create();
    refuse_statement(first);
    cursor_.next();
    return false;
  }

  void refuse_statement(const Token& first) {
    std::string message = "found " + describe(first) + ", expected ";
    if (first.is_word("SELECT") || first.is_word("WITH") || first.is_word("VALUES")) {
      cursor_.error(first, message + "INSERT INTO a table: a query by itself has nowhere to write to");
      return;
    }
    message += kStatements;
    if (first.kind == TokenKind::word) {
      std::string near = suggestion(first.text, {"SET", "CREATE", "INSERT", "EXECUTE"});
      if (!near.empty()) message += "." + near;
    }
    cursor_.error(first, message);
  }

  bool parse_setting() {
    cursor_.next();
    const Token& key = cursor_.peek();
    if (key.kind != TokenKind::string) {
      cursor_.expected("a setting in quotes: SET 'pipeline.name' = 'orders'");
      return false;
    }
    cursor_.next();
    if (!cursor_.expect_symbol('=', "after the setting's name")) return false;
    const Token& value = cursor_.peek();
    if (value.kind != TokenKind::string) {
      cursor_.expected("the setting's value in quotes");
      return false;
    }
    cursor_.next();
    statements_.settings.push_back({key.text, {value.text, cursor_.location(value), cursor_.location(key)}});
    return end_statement();
  }

  bool parse_set_begin() {
    const Token& first = cursor_.next();
    cursor_.next();
    if (!cursor_.expect_word("SET")) return false;
    // Without them the statements that follow are still meant to be in the set.
    if (first.is_word("EXECUTE")) {
      cursor_.expect_word("BEGIN");
    } else {
      cursor_.expect_symbol(';');
    }
    set_begin_ = &first;
    ++set_count_;
    inserts_before_set_ = statements_.inserts.size();
    return true;
  }

  bool parse_set_end() {
    if (statements_.inserts.size() == inserts_before_set_ && !cursor_.diagnostics().has_errors()) {
      cursor_.error(*set_begin_, "this statement set is empty: expected INSERT INTO between BEGIN and END");
    }
    set_begin_ = nullptr;
    cursor_.next();
    return end_statement();
  }

  bool parse_create() {
    cursor_.next();
    if (cursor_.peek().is_word("OR")) {
      cursor_.error(cursor_.peek(),
                    "CREATE OR REPLACE is not supported: each name is created once in a file");
      return false;
    }
    cursor_.accept_word("TEMPORARY");
    if (cursor_.accept_word("VIEW")) return parse_view();
    if (cursor_.accept_word("TABLE")) {
      std::optional<TableSpec> table = parse_table(cursor_);
      if (!table) return false;
      statements_.tables.push_back(std::move(*table));
      return end_statement();
    }
    std::string near = cursor_.peek().kind == TokenKind::word
                           ? suggestion(cursor_.peek().text, {"TABLE", "VIEW", "TEMPORARY"})
                           : "";
    cursor_.expected("TABLE or [TEMPORARY] VIEW" + (near.empty() ? near : "." + near));
    return false;
  }

  bool parse_view() {
    ViewSpec view;
    if (!parse_if_not_exists(cursor_)) return false;
    const Token& name = cursor_.peek();
    if (!parse_object_name(cursor_, "the view's name", view.name)) return false;
    view.location = cursor_.location(name);
    if (cursor_.peek().is_symbol('(')) {
      cursor_.error(cursor_.peek(),
                    "a column list of a view is not supported: name the columns in its query with AS");
      return false;
    }
    if (cursor_.accept_word("COMMENT") && !parse_comment_text(cursor_)) return false;
    if (!cursor_.expect_word("AS")) return false;
    if (!parse_query(view.query, view.query_location)) return false;
    statements_.views.push_back(std::move(view));
    return end_statement();
  }

  bool parse_insert() {
    cursor_.next();
    if (cursor_.peek().is_word("OVERWRITE")) {
      cursor_.error(cursor_.peek(),
                    "INSERT OVERWRITE is not supported: a stream only adds, expected INSERT INTO");
      return false;
    }
    if (!cursor_.expect_word("INTO")) return false;
    InsertSpec insert;
    insert.statement_set = set_begin_ ? set_count_ - 1 : -1;
    const Token& name = cursor_.peek();
    if (!parse_object_name(cursor_, "a table's name", insert.table)) return false;
    insert.location = cursor_.location(name);
    if (cursor_.peek().is_word("PARTITION")) {
      cursor_.error(cursor_.peek(),
                    "INSERT INTO … PARTITION is not supported: select the partition's column in the query");
      return false;
    }
    const Token& inner = cursor_.peek(1);
    bool query_in_parentheses =
        inner.is_word("SELECT") || inner.is_word("WITH") || inner.is_word("VALUES") || inner.is_symbol('(');
    if (cursor_.peek().is_symbol('(') && !query_in_parentheses) {
      std::vector<NamedPlace> names;
      if (!parse_name_list(cursor_, "a column's name", names)) return false;
      for (NamedPlace& name : names) {
        insert.columns.push_back(std::move(name.name));
        insert.column_locations.push_back(std::move(name.location));
      }
    }
    if (!parse_query(insert.query, insert.query_location)) return false;
    statements_.inserts.push_back(std::move(insert));
    return end_statement();
  }

  // The text up to the ';' that ends the statement.
  bool parse_query(std::string& query, Location& location) {
    const Token& first = cursor_.peek();
    bool is_query =
        first.is_word("SELECT") || first.is_word("WITH") || first.is_word("VALUES") || first.is_symbol('(');
    if (!is_query) {
      std::string near =
          first.kind == TokenKind::word ? suggestion(first.text, {"SELECT", "VALUES", "WITH"}) : "";
      cursor_.expected("a query: SELECT, VALUES or WITH" + (near.empty() ? near : "." + near));
      return false;
    }
    size_t begin = cursor_.position();
    std::vector<const Token*> open;
    int cases = 0;
    while (!cursor_.at_end() && !cursor_.peek().is_symbol(';')) {
      const Token& token = cursor_.peek();
      if (token.is_symbol('(')) open.push_back(&token);
      if (token.is_symbol(')')) {
        if (open.empty()) {
          cursor_.error(token, "this ')' closes nothing");
          return false;
        }
        open.pop_back();
      }
      if (token.is_word("CASE")) ++cases;
      if (token.is_word("END") && --cases < 0 && set_begin_ && open.empty()) break;
      if (cursor_.position() > begin && begins_statement(cursor_)) break;
      cursor_.next();
    }
    if (!open.empty()) {
      cursor_.error(*open.back(), "this '(' is never closed: ')' is missing");
      return false;
    }
    query = cursor_.source(begin, cursor_.position());
    location = cursor_.location(first);
    return true;
  }

  TokenCursor& cursor_;
  Statements statements_;
  const Token* set_begin_ = nullptr;  // of the statement set that is open
  int set_count_ = 0;
  size_t inserts_before_set_ = 0;
};

}  // namespace

Statements parse_statements(const std::string& file, const std::string& text, Diagnostics& diagnostics) {
  TokenList list = tokenize(text);
  if (list.error) {
    diagnostics.error({file, list.error->line, list.error->column}, list.error->message);
    // The statement that holds the broken place would only give errors that follow from it.
    Token end = list.tokens.back();
    list.tokens.pop_back();
    while (!list.tokens.empty() && !list.tokens.back().is_symbol(';')) list.tokens.pop_back();
    list.tokens.push_back(end);
  }
  TokenCursor cursor(file, text, std::move(list.tokens), diagnostics);
  return StatementParser(cursor).run();
}

}  // namespace weir
