#include "flink/differences.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/text.h"
#include "config/lexer.h"
#include "config/query_text.h"
#include "flink/deployment.h"

namespace weir {
namespace {

struct Setting {
  const char* key;
  const char* words;
};
constexpr std::array<Setting, 4> kSettings = {{
    {"pipeline.allowed-lateness",
     "Flink's windows take no late rows: what comes late is dropped and counted"},
    {"pipeline.late-rows", "Flink drops late rows and counts them (numLateRecordsDropped)"},
    {"pipeline.state-memory", "Flink's memory is set for its TaskManagers (taskmanager.memory.*)"},
    {"pipeline.checkpoints-kept",
     "Flink's cluster says how many it keeps "
     "(execution.checkpointing.num-retained)"},
}};

// Words that may stand in front of '(' without being a function.
constexpr std::array<std::string_view, 38> kNoFunctions = {
    "SELECT", "FROM",    "WHERE",   "AND",       "OR",   "NOT",          "IN",   "EXISTS",
    "CASE",   "WHEN",    "THEN",    "ELSE",      "ON",   "USING",        "OVER", "FILTER",
    "TABLE",  "LATERAL", "AS",      "UNION",     "ALL",  "VALUES",       "BY",   "PARTITION",
    "HAVING", "DECIMAL", "NUMERIC", "TIMESTAMP", "TIME", "VARCHAR",      "CHAR", "ARRAY",
    "MAP",    "ROW",     "UNNEST",  "BETWEEN",   "LIKE", "TIMESTAMP_LTZ"};
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
  // `names`: of tables, views and columns.
  TextCheck(const std::string& text, const Location& location, const std::set<std::string>& names,
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
    const bool alias = i > 0 && before(i).is_word("AS") && !in_cast;
    if (next.is_symbol('(') && !alias && !qualified) {
      if (!among(kNoFunctions, token)) check_function(i);
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
    const bool named = names_.count(token.text) != 0 && !literal && !type && !keyword_here(i);
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

  void check_function(size_t i) {
    const Token& token = list_.tokens[i];
    for (const DifferingFunction& known : differing_functions()) {
      if (!equals_ignoring_case(token.text, known.name)) continue;
      if (known.refused) {
        error(token, std::string(known.name) + ": " + known.words);
      } else if (!cast_argument(i)) {
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

  // AVG(CAST(a AS DOUBLE)) says what is meant.
  bool cast_argument(size_t i) const {
    return i + 2 < list_.tokens.size() && list_.tokens[i + 2].is_word("CAST");
  }

  const TokenList list_;
  const Location location_;
  const std::set<std::string>& names_;
  Diagnostics& diagnostics_;
};

class DifferenceFinder {
 public:
  DifferenceFinder(const PipelinePlan& plan, const std::string& file_text, Diagnostics& diagnostics)
      : plan_(plan), spec_(plan.spec), file_text_(file_text), diagnostics_(diagnostics) {}

  void run() {
    const bool all = flink_inserts(plan_, false).empty();
    const std::vector<const InsertPlan*> moved = flink_inserts(plan_, all);
    collect_names();
    check_settings();
    // What cannot be carried over, at its place: deploying says it, so that both agree.
    FlinkChoices choices;
    choices.all = all;
    (void)plan_flink(plan_, file_text_, choices, diagnostics_);
    std::set<const SourcePlan*> sources;
    for (const InsertPlan* insert : moved) {
      for (const bridge::PlanBranch& branch : insert->plan.branches) {
        const SourcePlan* source = plan_.source(branch.source);
        if (source != nullptr && sources.insert(source).second) check_source(*source);
      }
      check_query(*insert);
      if (insert->sink->connector->name != "kafka") {
        diagnostics_.warning(insert->sink->location,
                             "'" + insert->sink->name + "' (" + insert->sink->connector->name +
                                 ") is no table of Flink's: `weir deploy flink` writes a topic in its place, "
                                 "which Weir carries on");
      }
    }
  }

 private:
  void collect_names() {
    for (const TableSpec& table : spec_.tables) {
      names_.insert(table.name);
      for (const ColumnSpec& column : table.columns) names_.insert(column.name);
    }
    for (const ViewSpec& view : spec_.views) names_.insert(view.name);
  }

  void check_text(const std::string& text, const Location& location) {
    TextCheck(text, location, names_, diagnostics_).run();
  }

  void check_settings() {
    for (const Setting& setting : kSettings) {
      if (!spec_.settings.has(setting.key)) continue;
      const OptionValue& value = spec_.settings.values().at(setting.key);
      diagnostics_.warning(value.name_location.line > 0 ? value.name_location : value.location,
                           std::string("'") + setting.key + "' has no counterpart: " + setting.words);
    }
  }

  void check_query(const InsertPlan& insert) {
    for (const InsertSpec& spec : spec_.inserts) {
      if (spec.location.line != insert.location.line || spec.location.column != insert.location.column)
        continue;
      check_text(spec.query, spec.query_location);
      check_views(spec.query);
    }
  }

  void check_views(const std::string& query) {
    for (const Token& token : tokenize(query).tokens) {
      if (!token.is_identifier()) continue;
      for (const ViewSpec& view : spec_.views) {
        if (view.name != token.text || !views_.insert(view.name).second) continue;
        check_text(view.query, view.query_location);
        check_views(view.query);
      }
    }
  }

  void check_source(const SourcePlan& source) {
    const TableSpec& table = source.table;
    for (const ColumnSpec& column : table.columns) {
      if (column.kind == ColumnKind::computed) check_text(column.expression, column.expression_location);
      if (column.kind == ColumnKind::metadata) check_metadata(column);
    }
    for (const CheckSpec& check : table.checks) {
      check_text(check.expression, check.location);
      diagnostics_.warning(
          check.location,
          "Flink has no CHECK: `weir deploy flink` leaves such rows out by a view, and Weir's "
          "half puts them into the error lake");
    }
    if (table.watermark_column.empty()) return;
    check_text(table.watermark_expression, table.watermark_location);
    diagnostics_.warning(table.watermark_location,
                         "rows that come late are dropped by Flink and only counted (numLateRecordsDropped)");
    const auto ahead = table.options.find("watermark.max-ahead");
    if (ahead == table.options.end()) return;
    diagnostics_.warning(
        ahead->second.name_location,
        "'watermark.max-ahead' has no counterpart: in Flink one clock that is ahead closes the "
        "windows of all");
  }

  void check_metadata(const ColumnSpec& column) {
    if (column.metadata_key == "partition") {
      diagnostics_.warning(column.location,
                           "METADATA 'partition' is the partition's number in Flink; here it "
                           "names the topic and its id too");
    } else if (column.metadata_key == "headers") {
      diagnostics_.warning(column.location,
                           "METADATA 'headers' is MAP<STRING, BYTES> in Flink, cast to text");
    } else if (column.metadata_key == "key") {
      diagnostics_.warning(column.location,
                           "Flink has no METADATA 'key': `weir deploy flink` declares it with "
                           "'key.fields' and 'key.format' = 'raw'");
    }
  }

  const PipelinePlan& plan_;
  const PipelineSpec& spec_;
  const std::string& file_text_;
  Diagnostics& diagnostics_;
  std::set<std::string> names_;
  std::set<std::string> views_;  // that were looked at
};

}  // namespace

void find_flink_differences(const PipelinePlan& plan, const std::string& file_text,
                            Diagnostics& diagnostics) {
  DifferenceFinder(plan, file_text, diagnostics).run();
}

}  // namespace weir
