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

bool is_window_function(const Token& token) {
  return token.is_word("TUMBLE") || token.is_word("HOP") || token.is_word("CUMULATE") ||
         token.is_word("SESSION");
}

constexpr const char* kUnits[] = {"YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"};

int unit_rank(const Token& token) {
  for (int rank = 0; rank < 6; ++rank) {
    if (token.is_word(kUnits[rank])) return rank;
  }
  return -1;
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
    // What is inserted stands in front of what is replaced at the same place.
    std::stable_sort(edits_.begin(), edits_.end(), [](const Edit& a, const Edit& b) {
      return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    return apply();
  }

 private:
  struct Parenthesis {
    bool cast = false;     // CAST(, TRY_CAST(
    bool in_type = false;  // behind its AS
    bool window = false;   // of TUMBLE( and its like
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
        bool window = i > 0 && is_window_function(at(i - 1));
        // SESSION((TABLE t PARTITION BY a), …)
        if (open.back().window && (at(i + 1).is_word("TABLE"))) window = true;
        open.push_back({cast, false, window});
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
        } else if (token.is_word("INTERVAL") && at(i + 1).kind == TokenKind::string) {
          rewrite_interval(i);
        } else if (open.back().window && token.is_word("TABLE") && at(i + 1).is_identifier()) {
          replace(i, i, "     ");
        } else if (open.back().window && token.is_word("PARTITION") && at(i + 1).is_word("BY")) {
          rewrite_partition(i);
        } else if (token.is_word("FOR") && at(i + 1).is_word("SYSTEM_TIME") && at(i + 2).is_word("AS") &&
                   at(i + 3).is_word("OF")) {
          rewrite_lookup(i);
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

  // INTERVAL '1:30' MINUTE TO SECOND: DataFusion reads units within the text only. A precision means nothing.
  void rewrite_interval(size_t i) {
    const int from = unit_rank(at(i + 2));
    if (from < 0) return;
    size_t last = without_precision(i + 2);
    if (!at(last + 1).is_word("TO")) return;
    const int to = unit_rank(at(last + 2));
    if (to <= from) return;
    last = without_precision(last + 2);
    std::string text = at(i + 1).text, spelled;
    const bool negative = text.starts_with("-");
    size_t position = negative || text.starts_with("+") ? 1 : 0;
    for (int unit = from; unit <= to; ++unit) {
      size_t end = text.find_first_not_of(unit == 5 ? "0123456789." : "0123456789", position);
      if (end == std::string::npos) end = text.size();
      if (end == position || (unit == to) != (end == text.size())) return;
      spelled += std::string(spelled.empty() ? "" : " ") + (negative ? "-" : "") +
                 text.substr(position, end - position) + " " + kUnits[unit];
      position = end + 1;
    }
    replace(i + 1, last, "'" + spelled + "'");
  }

  // SECOND(3), DAY(2) -> SECOND, DAY; the last token of it.
  size_t without_precision(size_t i) {
    if (!at(i + 1).is_symbol('(')) return i;
    size_t last = i + 1;
    while (at(last).kind != TokenKind::end && !at(last).is_symbol(')')) ++last;
    replace(i + 1, last, "");
    return last;
  }

  // The first token of the name (a.b.c) that ends in front of i.
  size_t name_before(size_t i) const {
    size_t first = i > 0 ? i - 1 : i;
    while (first > 1 && at(first - 1).is_symbol('.')) first -= 2;
    return first;
  }

  // t PARTITION BY a, b -> _weir_partitioned(t , a, b)
  void rewrite_partition(size_t i) {
    if (i == 0 || !at(i - 1).is_identifier()) return;
    size_t last = i + 2;
    const bool parentheses = at(last).is_symbol('(');
    if (parentheses) {
      replace(last, last, " ");
      ++last;
    }
    for (; at(last + 1).kind != TokenKind::end; ++last) {
      const Token& next = at(last + 1);
      if (next.is_symbol(')')) break;
      const bool ends = at(last + 2).is_word("DESCRIPTOR") || at(last + 3).is_symbol('=');
      if (next.is_symbol(',') && ends) break;
    }
    const size_t table = at(name_before(i)).begin;
    edits_.push_back({table, table, "_weir_partitioned("});
    replace(i, i + 1, ",");
    if (!parentheses) edits_.push_back({at(last).end, at(last).end, ")"});
  }

  // dim FOR SYSTEM_TIME AS OF o.p -> _weir_lookup(dim , o.p)
  void rewrite_lookup(size_t i) {
    if (i == 0 || !at(i - 1).is_identifier()) return;
    size_t last = i + 4;
    if (!at(last).is_identifier()) return;
    while (at(last + 1).is_symbol('.') && at(last + 2).is_identifier()) last += 2;
    if (at(last + 1).is_symbol('(') && at(last + 2).is_symbol(')')) last += 2;
    const size_t table = at(name_before(i)).begin;
    edits_.push_back({table, table, "_weir_lookup("});
    replace(i, i + 3, ",");
    edits_.push_back({at(last).end, at(last).end, ")"});
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

constexpr const char* kLater =
    ", which this version does not run. What runs: SELECT, WHERE, UNNEST, UNION ALL, GROUP BY, HAVING, "
    "DISTINCT, "
    "windows (TUMBLE, HOP, CUMULATE, SESSION), a window's TopN, inner joins and lookups";

// Looks for the words of what no operator does.
class RefusalScan {
 public:
  explicit RefusalScan(const std::string& query) : tokens_(tokenize(query).tokens) {}

  // The place of the first one, and the whole message.
  std::optional<std::pair<const Token*, std::string>> run() {
    std::vector<bool> is_query = {true};
    for (size_t i = 0; i < tokens_.size(); ++i) {
      const Token& token = tokens_[i];
      if (token.is_symbol('(')) is_query.push_back(begins_query(at(i + 1)));
      if (token.is_symbol(')') && is_query.size() > 1) is_query.pop_back();
      if (token.kind != TokenKind::word || before(i).is_symbol('.')) continue;
      std::string message = group_window(i);
      if (message.empty()) {
        std::string found = refused_word(i);
        if (found.empty() && is_query.back()) found = query_clause(i);
        if (!found.empty()) message = "found " + found + kLater;
      }
      if (!message.empty()) return std::pair(&token, message);
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

  // GROUP BY TUMBLE(ts, INTERVAL …) and TUMBLE_START(…), which Flink itself has replaced.
  std::string group_window(size_t i) const {
    const Token& token = tokens_[i];
    if (!at(i + 1).is_symbol('(')) return "";
    for (const char* name : {"TUMBLE", "HOP", "SESSION"}) {
      for (const char* part : {"_START", "_END", "_ROWTIME", "_PROCTIME"}) {
        if (token.is_word(std::string(name) + part)) {
          return "found " + token.text + ": the window's columns are window_start, window_end and " +
                 "window_time, of FROM TABLE(" + form_of(name);
        }
      }
      if (!token.is_word(name)) continue;
      size_t next = i + 2;
      if (!at(next).is_identifier()) return "";
      while (at(next + 1).is_symbol('.')) next += 2;
      if (!at(next + 1).is_symbol(',') || !at(next + 2).is_word("INTERVAL")) return "";
      return "found " + token.text + " as a function of a column: write FROM TABLE(" + form_of(name) +
             " GROUP BY window_start, window_end";
    }
    return "";
  }

  static std::string form_of(const std::string& window) {
    if (window == "HOP")
      return "HOP(TABLE t, DESCRIPTOR(ts), INTERVAL … (the slide), INTERVAL … (the size)))";
    if (window == "SESSION") return "SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL …))";
    return "TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL …))";
  }

  std::string refused_word(size_t i) const {
    const Token& token = tokens_[i];
    const Token& next = at(i + 1);
    if (token.is_word("MATCH_RECOGNIZE") && next.is_symbol('(')) return "MATCH_RECOGNIZE";
    if (token.is_word("OVER") && before(i).is_symbol(')') && !ranks(i) &&
        (next.is_symbol('(') || (next.is_identifier() && !next.is_word("FROM")))) {
      return "OVER (a window function) other than a TopN by ROW_NUMBER() OVER (PARTITION BY window_start, "
             "window_end … ORDER BY …)";
    }
    if (token.is_word("UNION") && !next.is_word("ALL") && starts_operand(next)) return "UNION without ALL";
    if (token.is_word("INTERSECT") && starts_operand(next)) return "INTERSECT";
    if (token.is_word("EXCEPT") && starts_operand(next) && !before(i).is_symbol('*')) return "EXCEPT";
    if (token.is_word("JOIN")) return refused_join(i);
    return "";
  }

  // ROW_NUMBER() OVER (
  bool ranks(size_t i) const {
    return i > 2 && tokens_[i - 2].is_symbol('(') && tokens_[i - 3].is_word("ROW_NUMBER") &&
           at(i + 1).is_symbol('(');
  }

  // What may stand behind UNION and its like; a column that is called so is followed by something else.
  static bool starts_operand(const Token& token) {
    return begins_query(token) || token.is_word("ALL") || token.is_word("DISTINCT") || token.is_word("TABLE");
  }

  std::string refused_join(size_t i) const {
    const Token& next = at(i + 1);
    if (!next.is_identifier() && !next.is_symbol('(')) return "";
    for (const char* kind : {"RIGHT", "FULL", "NATURAL", "SEMI", "ANTI"}) {
      if (before(i).is_word(kind)) return std::string(kind) + " JOIN";
    }
    const bool outer = before(i).is_word("OUTER");
    if (!before(i).is_word("LEFT") && !outer) return "";
    if (outer && (i < 2 || !tokens_[i - 2].is_word("LEFT"))) {
      return std::string(i > 1 ? tokens_[i - 2].text : "") + " OUTER JOIN";
    }
    // Elements of the row's own array, or a table that is looked up.
    if (next.is_word("UNNEST") && at(i + 2).is_symbol('(')) return "";
    size_t name = i + 1;
    while (at(name + 1).is_symbol('.')) name += 2;
    if (at(name + 1).is_word("FOR") && at(name + 2).is_word("SYSTEM_TIME")) return "";
    return outer ? "LEFT OUTER JOIN" : "LEFT JOIN";
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

std::optional<Diagnostic> refuse_unsupported(const std::string& query, const Location& location) {
  RefusalScan scan(query);
  auto found = scan.run();
  if (!found) return std::nullopt;
  return Diagnostic{offset_location(location, found->first->line, found->first->column), found->second,
                    false};
}

std::vector<std::string> looked_up_tables(const std::string& query) {
  std::vector<std::string> names;
  const std::vector<Token> tokens = tokenize(query).tokens;
  for (size_t i = 1; i + 1 < tokens.size(); ++i) {
    if (!tokens[i].is_word("FOR") || !tokens[i + 1].is_word("SYSTEM_TIME")) continue;
    if (tokens[i - 1].is_identifier()) names.push_back(tokens[i - 1].text);
  }
  return names;
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
