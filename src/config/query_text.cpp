#include "config/query_text.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <utility>
#include <vector>

#include "config/lexer.h"

namespace weir {
namespace {

struct Edit {
  size_t begin, end;  // bytes of the query
  std::string text;
};

struct Rewriting {
  std::string text;
  std::vector<Edit> edits;  // in order, apart from each other
};

std::string quoted_name(const std::string& name) {
  std::string text = "\"";
  for (char c : name) text += c == '"' ? std::string("\"\"") : std::string(1, c);
  return text + "\"";
}

bool is_type_word(const Token& token, std::string_view first, std::string_view second = "",
                  std::string_view third = "") {
  return token.is_word(first) || token.is_word(second) || token.is_word(third);
}

// Finds the spellings that DataFusion does not share.
class Rewriter {
 public:
  explicit Rewriter(const std::string& query) : query_(query), list_(tokenize(query)) {}

  Rewriting run() {
    if (list_.error) return {query_, {}};
    for (const auto& [begin, end] : list_.comments) {
      std::string blanks = query_.substr(begin, end - begin);
      for (char& c : blanks) c = c == '\n' ? c : ' ';
      edits_.push_back({begin, end, std::move(blanks)});
    }
    scan();
    std::sort(edits_.begin(), edits_.end(), [](const Edit& a, const Edit& b) { return a.begin < b.begin; });
    return apply();
  }

 private:
  struct Parenthesis {
    bool cast = false;     // CAST(, TRY_CAST(
    bool in_type = false;  // behind its AS
  };

  const Token& at(size_t i) const { return list_.tokens[std::min(i, list_.tokens.size() - 1)]; }

  void scan() {
    std::vector<Parenthesis> open(1);
    for (size_t i = 0; i < list_.tokens.size(); ++i) {
      const Token& token = list_.tokens[i];
      if (token.kind == TokenKind::quoted && query_[token.begin] == '`') {
        edits_.push_back({token.begin, token.end, quoted_name(token.text)});
      } else if (token.is_symbol('(')) {
        bool cast = i > 0 && (at(i - 1).is_word("CAST") || at(i - 1).is_word("TRY_CAST"));
        open.push_back({cast, false});
      } else if (token.is_symbol(')')) {
        if (open.size() > 1) open.pop_back();
      } else if (token.is_word("AS") && open.back().cast) {
        open.back().in_type = true;
      } else if (token.kind == TokenKind::word) {
        bool after_colons = i > 1 && at(i - 1).is_symbol(':') && at(i - 2).is_symbol(':');
        if (open.back().in_type || after_colons) {
          rewrite_type(i);
        } else if (token.is_word("TIMESTAMP") && at(i + 1).kind == TokenKind::string) {
          rewrite_literal(i);
        }
      }
    }
  }

  void rewrite_type(size_t i) {
    const Token& word = at(i);
    if (is_type_word(word, "TIMESTAMP", "TIMESTAMP_LTZ")) return rewrite_timestamp(i);
    if (word.is_word("BYTES")) return replace(i, i, "BYTEA");
    bool has_arguments = at(i + 1).is_symbol('(');
    if (is_type_word(word, "DECIMAL", "DEC", "NUMERIC")) {
      if (!has_arguments) return replace(i, i, "DECIMAL(10, 0)");
      if (word.is_word("DEC")) replace(i, i, "DECIMAL");
    }
    if (word.is_word("TIME") && has_arguments && at(i + 3).is_symbol(')')) replace(i, i + 3, "TIME");
  }

  void rewrite_timestamp(size_t i) {
    size_t last = i;
    long precision = 6;
    if (at(i + 1).is_symbol('(') && at(i + 2).kind == TokenKind::number && at(i + 3).is_symbol(')')) {
      precision = std::strtol(at(i + 2).text.c_str(), nullptr, 10);
      last = i + 3;
    }
    // DataFusion knows whole units only.
    if (precision > 0 && precision <= 9) precision = (precision + 2) / 3 * 3;
    bool zone = at(i).is_word("TIMESTAMP_LTZ");
    if (at(last + 1).is_word("WITH") && at(last + 2).is_word("LOCAL")) {
      zone = true;
      last += 4;
    } else if (at(last + 1).is_word("WITH") || at(last + 1).is_word("WITHOUT")) {
      zone = at(last + 1).is_word("WITH");
      last += 3;
    }
    replace(i, last, "TIMESTAMP(" + std::to_string(precision) + ")" + (zone ? " WITH TIME ZONE" : ""));
  }

  // Flink's literal has as many digits as are written; DataFusion's bare TIMESTAMP would be nanoseconds.
  void rewrite_literal(size_t i) {
    const std::string& literal = at(i + 1).text;
    size_t dot = literal.find('.');
    size_t digits = 0;
    if (dot != std::string::npos) {
      size_t end = literal.find_first_not_of("0123456789", dot + 1);
      digits = (end == std::string::npos ? literal.size() : end) - dot - 1;
    }
    replace(i, i, digits > 6 ? "TIMESTAMP(9)" : "TIMESTAMP(6)");
  }

  void replace(size_t first, size_t last, std::string text) {
    size_t begin = at(first).begin, end = at(last).end;
    if (query_.compare(begin, end - begin, text) == 0) return;
    text.append(static_cast<size_t>(std::count(query_.begin() + begin, query_.begin() + end, '\n')), '\n');
    // A comment within the replaced tokens goes with them.
    edits_.erase(std::remove_if(edits_.begin(), edits_.end(),
                                [&](const Edit& edit) { return edit.begin >= begin && edit.end <= end; }),
                 edits_.end());
    edits_.push_back({begin, end, std::move(text)});
  }

  Rewriting apply() {
    Rewriting result;
    size_t position = 0;
    for (const Edit& edit : edits_) {
      result.text += query_.substr(position, edit.begin - position) + edit.text;
      position = edit.end;
    }
    result.text += query_.substr(position);
    result.edits = std::move(edits_);
    return result;
  }

  const std::string& query_;
  TokenList list_;
  std::vector<Edit> edits_;
};

constexpr const char* kStateless =
    ", which needs state that this version does not keep: it comes with event time. "
    "What runs now: SELECT, WHERE, CASE, casts, scalar functions, CROSS JOIN UNNEST and UNION ALL";

// Looks for the words that make a query stateful.
class StatefulScan {
 public:
  explicit StatefulScan(const std::string& query) : tokens_(tokenize(query).tokens) {}

  // The place and name of the first one.
  std::optional<std::pair<const Token*, std::string>> run() {
    std::vector<bool> is_query = {true};
    for (size_t i = 0; i < tokens_.size(); ++i) {
      const Token& token = tokens_[i];
      if (token.is_symbol('(')) is_query.push_back(begins_query(at(i + 1)));
      if (token.is_symbol(')') && is_query.size() > 1) is_query.pop_back();
      if (token.kind != TokenKind::word || before(i).is_symbol('.')) continue;
      std::string found = stateful_word(i);
      if (found.empty() && is_query.back()) found = query_clause(i);
      if (!found.empty()) return std::pair(&token, found);
    }
    return std::nullopt;
  }

 private:
  const Token& at(size_t i) const { return tokens_[std::min(i, tokens_.size() - 1)]; }
  // The end token stands for "nothing" before the first.
  const Token& before(size_t i) const { return i > 0 ? tokens_[i - 1] : tokens_.back(); }

  static bool begins_query(const Token& token) {
    return token.is_word("SELECT") || token.is_word("WITH") || token.is_word("VALUES") ||
           token.is_symbol('(');
  }

  static bool is_window_function(const Token& token) {
    return token.is_word("TUMBLE") || token.is_word("HOP") || token.is_word("CUMULATE") ||
           token.is_word("SESSION");
  }

  std::string stateful_word(size_t i) const {
    const Token& token = tokens_[i];
    const Token& next = at(i + 1);
    if (token.is_word("TABLE") && next.is_symbol('(') && is_window_function(at(i + 2))) {
      return "the window " + at(i + 2).text;
    }
    if (is_window_function(token) && next.is_symbol('(') && at(i + 2).is_word("TABLE"))
      return "the window " + token.text;
    if (token.is_word("MATCH_RECOGNIZE") && next.is_symbol('(')) return "MATCH_RECOGNIZE";
    if (token.is_word("FOR") && next.is_word("SYSTEM_TIME")) return "FOR SYSTEM_TIME AS OF";
    if (token.is_word("OVER") && before(i).is_symbol(')') &&
        (next.is_symbol('(') || (next.is_identifier() && !next.is_word("FROM")))) {
      return "OVER (a window function)";
    }
    if (token.is_word("GROUP") && next.is_word("BY")) return "GROUP BY";
    if (token.is_word("HAVING") && !before(i).is_word("AS")) return "HAVING";
    if (token.is_word("DISTINCT") && before(i).is_word("SELECT")) return "SELECT DISTINCT";
    if (token.is_word("UNION") && !next.is_word("ALL") && starts_operand(next)) return "UNION without ALL";
    if (token.is_word("INTERSECT") && starts_operand(next)) return "INTERSECT";
    if (token.is_word("EXCEPT") && starts_operand(next) && !before(i).is_symbol('*')) return "EXCEPT";
    if (token.is_word("JOIN") && joins(i)) return join_name(i);
    return "";
  }

  // What may stand behind UNION and its like; a column that is called so is followed by something else.
  static bool starts_operand(const Token& token) {
    return begins_query(token) || token.is_word("ALL") || token.is_word("DISTINCT") || token.is_word("TABLE");
  }

  bool joins(size_t i) const {
    const Token& next = at(i + 1);
    // Elements of the row's own array, not another table's rows.
    bool keeps_left =
        !before(i).is_word("RIGHT") && !before(i).is_word("FULL") && !before(i).is_word("OUTER");
    bool left_outer = before(i).is_word("OUTER") && i > 1 && tokens_[i - 2].is_word("LEFT");
    if (next.is_word("UNNEST") && at(i + 2).is_symbol('(') && (keeps_left || left_outer)) return false;
    return next.is_identifier() || next.is_symbol('(');
  }

  std::string join_name(size_t i) const {
    for (const char* kind : {"LEFT", "RIGHT", "FULL", "INNER", "OUTER", "CROSS", "NATURAL", "SEMI", "ANTI"}) {
      if (before(i).is_word(kind)) return std::string(kind) + " JOIN";
    }
    return "JOIN";
  }

  // Clauses of a query that mean something else within a function's parentheses.
  std::string query_clause(size_t i) const {
    const Token& token = tokens_[i];
    const Token& next = at(i + 1);
    if (token.is_word("ORDER") && next.is_word("BY")) return "ORDER BY";
    if (token.is_word("LIMIT") && (next.kind == TokenKind::number || next.is_word("ALL"))) return "LIMIT";
    if (token.is_word("FETCH") && (next.is_word("FIRST") || next.is_word("NEXT"))) return "FETCH";
    if (token.is_word("QUALIFY")) return "QUALIFY";
    return "";
  }

  std::vector<Token> tokens_;
};

}  // namespace

std::string portable_query(const std::string& query) { return Rewriter(query).run().text; }

std::optional<Diagnostic> refuse_stateful(const std::string& query, const Location& location) {
  StatefulScan scan(query);
  auto found = scan.run();
  if (!found) return std::nullopt;
  return Diagnostic{offset_location(location, found->first->line, found->first->column),
                    "found " + found->second + kStateless, false};
}

Location offset_location(const Location& query_start, int line, int column) {
  Location result = query_start;
  result.line += line - 1;
  result.column = line == 1 ? query_start.column + column - 1 : column;
  return result;
}

Location planner_location(const std::string& query, const Location& query_start, int line, int column) {
  if (line < 1 || column < 1) return query_start;
  Rewriting rewriting = Rewriter(query).run();
  size_t position = 0;
  for (int skipped = 1; skipped < line; ++skipped) {
    size_t newline = rewriting.text.find('\n', position);
    if (newline == std::string::npos) return query_start;
    position = newline + 1;
  }
  for (int skipped = 1; skipped < column && position < rewriting.text.size(); ++skipped) {
    if (rewriting.text[position] == '\n') break;
    do {
      ++position;
    } while (position < rewriting.text.size() && (rewriting.text[position] & 0xC0) == 0x80);
  }
  // Undo the edits in front of it.
  size_t original = position;
  int64_t shift = 0;  // of the rewritten text against the query
  for (const Edit& edit : rewriting.edits) {
    size_t begin = static_cast<size_t>(static_cast<int64_t>(edit.begin) + shift);
    if (position < begin) break;
    if (position < begin + edit.text.size()) {
      original = edit.begin + std::min(position - begin, edit.end - edit.begin - 1);
      if (edit.text.size() != edit.end - edit.begin) original = edit.begin;
      break;
    }
    shift += static_cast<int64_t>(edit.text.size()) - static_cast<int64_t>(edit.end - edit.begin);
    original = static_cast<size_t>(static_cast<int64_t>(position) - shift);
  }
  int original_line = 1;
  size_t line_start = 0;
  for (size_t i = 0; i < std::min(original, query.size()); ++i) {
    if (query[i] != '\n') continue;
    ++original_line;
    line_start = i + 1;
  }
  return offset_location(query_start, original_line, static_cast<int>(original - line_start) + 1);
}

}  // namespace weir
