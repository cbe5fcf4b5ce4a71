#include "flink/text_check.h"

#include <arrow/type.h>
#include <arrow/type_traits.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "config/lexer.h"
#include "config/query_text.h"
#include "flink/differences.h"

namespace weir {
namespace {

// Words that may stand in front of '(' without being a function.
constexpr auto kNoFunctions = std::to_array<std::string_view>(
    {"SELECT",  "FROM",      "WHERE",     "AND",       "OR",         "NOT",      "IN",      "EXISTS",
     "CASE",    "WHEN",      "THEN",      "ELSE",      "ON",         "USING",    "OVER",    "FILTER",
     "TABLE",   "LATERAL",   "AS",        "UNION",     "ALL",        "ANY",      "SOME",    "VALUES",
     "BY",      "PARTITION", "GROUP",     "HAVING",    "JOIN",       "INTERVAL", "WITH",    "DISTINCT",
     "EXCEPT",  "INTERSECT", "IS",        "TO",        "FOR",        "OF",       "PLACING", "ESCAPE",
     "DECIMAL", "DEC",       "NUMERIC",   "TIMESTAMP", "TIME",       "VARCHAR",  "CHAR",    "BINARY",
     "ARRAY",   "MAP",       "VARBINARY", "ROW",       "UNNEST",     "BETWEEN",  "LIKE",    "TIMESTAMP_LTZ",
     "LIMIT",   "OFFSET",    "SYMMETRIC", "SETS",      "SYSTEM_TIME"});
constexpr std::array<std::string_view, 14> kTypes = {"DATE",   "TIME",  "TIMESTAMP", "INT",    "BIGINT",
                                                     "STRING", "FLOAT", "DOUBLE",    "ARRAY",  "MAP",
                                                     "ROW",    "CHAR",  "DECIMAL",   "BOOLEAN"};

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return text;
}

template <size_t N>
bool among(const std::array<std::string_view, N>& words, const Token& token) {
  return token.kind == TokenKind::word && std::any_of(words.begin(), words.end(), [&](std::string_view word) {
           return equals_ignoring_case(token.text, word);
         });
}

bool is_type(const Token& token) { return among(kTypes, token); }

bool reserved(const std::string& word) {
  const auto& words = flink_reserved_words();
  return std::binary_search(words.begin(), words.end(), upper(word));
}

// Looks through one query or expression of the file.
class TextCheck {
 public:
  TextCheck(const std::string& text, const Location& location, const FileNames& names,
            Diagnostics& diagnostics)
      : list_(tokenize(text)), location_(location), names_(names), diagnostics_(diagnostics) {}

  void run() {
    std::vector<bool> casts;  // of each open parenthesis: is it CAST's?
    for (size_t i = 0; i + 1 < list_.tokens.size(); ++i) {
      const Token& token = list_.tokens[i];
      const Token& next = list_.tokens[i + 1];
      if (token.is_symbol('(')) {
        casts.push_back(i > 0 && (before(i).is_word("CAST") || before(i).is_word("TRY_CAST")));
      } else if (token.is_symbol(')') && !casts.empty()) {
        casts.pop_back();
      } else if (token.is_symbol(':') && next.is_symbol(':')) {
        error(token, "Flink has no '::': write CAST(… AS …)");
      } else if (token.is_symbol('~')) {
        error(token, "Flink has no '~': write REGEXP(text, pattern), or LIKE");
      } else if (token.kind == TokenKind::word) {
        check_word(i, !casts.empty() && casts.back());
      }
    }
  }

 private:
  const Token& before(size_t i) const { return list_.tokens[i - 1]; }
  Location place(const Token& token) const { return offset_location(location_, token.line, token.column); }
  void error(const Token& token, const std::string& words) { diagnostics_.error(place(token), words); }
  void warning(const Token& token, const std::string& words) { diagnostics_.warning(place(token), words); }

  void check_word(size_t i, bool in_cast) {
    const Token& token = list_.tokens[i];
    const Token& next = list_.tokens[i + 1];
    const bool qualified = i > 0 && before(i).is_symbol('.');
    const bool alias = i > 0 && before(i).is_word("AS") && !in_cast && !moment_follows(i);
    if (next.is_symbol('(') && !alias && !qualified) {
      if (!among(kNoFunctions, token) && !names_columns(i)) check_function(i);
      return;
    }
    if (equals_ignoring_case(token.text, "ILIKE")) error(token, "Flink has no ILIKE: write LOWER(…) LIKE …");
    if (token.is_word("SIMILAR")) {
      warning(token, "SIMILAR TO takes SQL's patterns in Flink, here regular expressions: write LIKE");
      return;
    }
    if (!reserved(token.text)) return;
    // TIMESTAMP '…' and CAST(a AS TIMESTAMP) are the word itself.
    const bool literal = next.kind == TokenKind::string;
    const bool type = in_cast && is_type(token);
    const bool named = names_.has(token.text) && !literal && !type && !keyword_here(i);
    if (alias || qualified || named) {
      error(token, "'" + token.text + "' is a reserved word in Flink: write `" + token.text + "`");
    }
  }

  // A name such as `year` or `day` also stands as a unit: EXTRACT(DAY FROM t), INTERVAL '1' DAY.
  bool keyword_here(size_t i) const {
    if (i == 0) return false;
    const Token& next = list_.tokens[i + 1];
    if (before(i).kind == TokenKind::string && i > 1 && list_.tokens[i - 2].is_word("INTERVAL")) return true;
    return before(i).is_symbol('(') && next.is_word("FROM");
  }

  // FOR SYSTEM_TIME AS OF.
  bool moment_follows(size_t i) const {
    return i > 1 && list_.tokens[i].is_word("OF") && list_.tokens[i - 2].is_word("SYSTEM_TIME");
  }

  // WITH e (a, b) AS (…).
  bool names_columns(size_t i) const {
    const size_t last = closing(i + 1);
    return last + 2 < list_.tokens.size() && list_.tokens[last + 1].is_word("AS") &&
           list_.tokens[last + 2].is_symbol('(');
  }

  // Of the parenthesis that `open` opens; the last token where nothing closes it.
  size_t closing(size_t open) const {
    int depth = 0;
    for (size_t i = open; i < list_.tokens.size(); ++i) {
      if (list_.tokens[i].is_symbol('(')) ++depth;
      if (list_.tokens[i].is_symbol(')') && --depth == 0) return i;
    }
    return list_.tokens.size() - 1;
  }

  void check_function(size_t i) {
    const Token& token = list_.tokens[i];
    for (const DifferingFunction& known : differing_functions()) {
      if (!equals_ignoring_case(token.text, known.name)) continue;
      if (known.refused) {
        error(token, std::string(known.name) + ": " + known.words);
      } else if (matters(i)) {
        warning(token, std::string(known.name) + ": " + known.words);
      }
      return;
    }
    std::vector<std::string> names;
    for (const PortableFunction& known : portable_functions()) {
      if (equals_ignoring_case(token.text, known.name)) return;
      names.emplace_back(known.name);
    }
    error(token, "the function " + token.text +
                     " is not known to be the same in Flink: "
                     "docs/portable-sql.md lists those that are." +
                     suggestion(upper(token.text), names));
  }

  // AVG(CAST(a AS DOUBLE)) says what is meant; sums and averages differ over integers alone.
  bool matters(size_t i) const {
    const std::vector<Token>& tokens = list_.tokens;
    size_t first = i + 2;
    if (first < tokens.size() && tokens[first].is_word("DISTINCT")) ++first;
    if (first >= tokens.size() || tokens[first].is_word("CAST")) return false;
    const bool sum = tokens[i].is_word("SUM");
    if (!sum && !tokens[i].is_word("AVG")) return true;
    const size_t last = closing(i + 1) - 1;
    for (size_t part = first; part <= last; ++part) {
      // A column: a, t.a.
      const bool name = (part - first) % 2 == 0;
      if (name ? !tokens[part].is_identifier() : !tokens[part].is_symbol('.')) return true;
    }
    const unsigned kinds = names_.kinds(tokens[last].text);
    if (kinds == FileNames::kNoColumn) return true;
    const unsigned differing = FileNames::kSmallInteger | FileNames::kUnknown;
    return (kinds & (sum ? differing : differing | FileNames::kBigInteger)) != 0;
  }

  const TokenList list_;
  const Location location_;
  const FileNames& names_;
  Diagnostics& diagnostics_;
};

}  // namespace

FileNames::FileNames(const PipelineSpec& spec) {
  for (const TableSpec& table : spec.tables) {
    kinds_[table.name];
    for (const ColumnSpec& column : table.columns) {
      if (column.kind == ColumnKind::computed) {
        kinds_[column.name] |= kUnknown;
      } else {
        add_column(column.name, column.type);
      }
    }
  }
  for (const ViewSpec& view : spec.views) {
    kinds_[view.name];
    add_aliases(view.query);
  }
  for (const InsertSpec& insert : spec.inserts) add_aliases(insert.query);
}

unsigned FileNames::kinds(const std::string& name) const {
  const auto column = kinds_.find(name);
  const auto alias = aliases_.find(name);
  return (column == kinds_.end() ? 0 : column->second) | (alias == aliases_.end() ? 0 : alias->second);
}

void FileNames::add_column(const std::string& name, const DataType& type) {
  if (type.arrow == nullptr) {
    kinds_[name] |= kUnknown;
    return;
  }
  const bool integer = arrow::is_integer(type.arrow->id());
  const Kind width = type.arrow->id() == arrow::Type::INT64 ? kBigInteger : kSmallInteger;
  kinds_[name] |= integer ? width : kOther;
  const DataType* row = &type;
  while (row->arrow->id() == arrow::Type::LIST && row->children.size() == 1) row = &row->children[0];
  if (row->arrow->id() != arrow::Type::STRUCT) return;
  for (size_t i = 0; i < row->children.size(); ++i) {
    add_column(row->arrow->field(static_cast<int>(i))->name(), row->children[i]);
  }
}

// `price + 1 AS price` and `AS t (a, b)` give names a type that nothing here knows; `o.price AS price` does
// not.
void FileNames::add_aliases(const std::string& query) {
  const TokenList list = tokenize(query);
  const std::vector<Token>& tokens = list.tokens;
  for (size_t i = 1; i + 1 < tokens.size(); ++i) {
    if (!tokens[i].is_identifier()) continue;
    if (tokens[i].kind == TokenKind::word && reserved(tokens[i].text)) continue;
    const bool spelled = tokens[i - 1].is_word("AS");
    const Token& named = tokens[spelled && i > 1 ? i - 2 : i - 1];
    const bool follows = named.kind == TokenKind::quoted || named.kind == TokenKind::number ||
                         named.is_symbol(')') || (named.kind == TokenKind::word && !reserved(named.text));
    if (!spelled && !follows) continue;
    if (named.text != tokens[i].text) aliases_[tokens[i].text] |= kUnknown;
    if (!tokens[i + 1].is_symbol('(')) continue;
    for (size_t column = i + 2; column < tokens.size() && !tokens[column].is_symbol(')'); ++column) {
      if (tokens[column].is_identifier()) aliases_[tokens[column].text] |= kUnknown;
    }
  }
}

void check_flink_text(const std::string& text, const Location& location, const FileNames& names,
                      Diagnostics& diagnostics) {
  TextCheck(text, location, names, diagnostics).run();
}

}  // namespace weir
