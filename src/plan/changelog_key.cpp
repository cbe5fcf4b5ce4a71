#include "plan/changelog_key.h"

#include <arrow/type.h>
#include <arrow/type_traits.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <vector>

#include "config/lexer.h"
#include "plan/pipeline_plan.h"

namespace weir {
namespace {

using Json = nlohmann::ordered_json;
using Tokens = std::vector<Token>;

// What a group tells apart: its keys by index, and one for the edges of its window.
constexpr int kNothing = -1;
constexpr int kWindow = -2;
// And above: a key that the step behind calls by another name than the group does, which key is unknown.
constexpr int kSomeKey = 1 << 20;

// A column of a step: its name, what it passes on, and that column's type in the group's output.
struct Column {
  std::string name;
  std::string qualified;  // as the step behind may call it
  int passes = kNothing;
  std::shared_ptr<arrow::DataType> type;
};

// "a, f(b, c) AS d" -> the tokens of each.
std::vector<Tokens> items_of(const std::string& text) {
  std::vector<Tokens> items(1);
  int depth = 0;
  for (Token& token : tokenize(text).tokens) {
    if (token.kind == TokenKind::end) break;
    if (token.is_symbol('(')) ++depth;
    if (token.is_symbol(')')) --depth;
    if (depth == 0 && token.is_symbol(',')) {
      items.emplace_back();
    } else {
      items.back().push_back(std::move(token));
    }
  }
  return items;
}

// Two values that differ stay different.
bool keeps_apart(const arrow::DataType& from, const arrow::DataType& to) {
  if (from.Equals(to)) return true;
  const bool whole = arrow::is_integer(from.id());
  // A cast between integers fails where it does not fit.
  if (whole) return arrow::is_integer(to.id()) || to.id() == arrow::Type::STRING;
  if (from.id() != arrow::Type::TIMESTAMP || to.id() != arrow::Type::TIMESTAMP) return false;
  return static_cast<const arrow::TimestampType&>(from).unit() <=
         static_cast<const arrow::TimestampType&>(to).unit();
}

// A step of the query's tree, from the group up.
struct Trace {
  std::vector<Column> columns;
  bool fans_out = false;  // a row of the group may become several
  bool united = false;    // rows of several groups come together
  const PlanNode* group = nullptr;
};

// The column that an item of a projection names, with or without casts; `after`: the first token behind it.
std::optional<Column> named_by(const Tokens& item, const std::vector<Column>& columns, size_t& after) {
  if (item.size() > 2 && item[0].is_word("CAST") && item[1].is_symbol('(')) {
    const Tokens inner(item.begin() + 2, item.end());
    auto found = named_by(inner, columns, after);
    if (!found || after >= inner.size() || !inner[after].is_word("AS")) return std::nullopt;
    int depth = 1;
    size_t at = after + 3;
    for (; at < item.size() && depth > 0; ++at) {
      depth += item[at].is_symbol('(') ? 1 : item[at].is_symbol(')') ? -1 : 0;
    }
    after = at;
    return found;
  }
  if (item.empty() || !item[0].is_identifier()) return std::nullopt;
  std::string qualified = item[0].text;
  size_t at = 1;
  for (; at + 1 < item.size() && item[at].is_symbol('.') && item[at + 1].is_identifier(); at += 2) {
    qualified += "." + item[at + 1].text;
  }
  if (at < item.size() && !item[at].is_word("AS")) return std::nullopt;
  after = at;
  const std::string& name = item[at - 1].text;
  std::optional<Column> found;
  for (const Column& column : columns) {
    if (column.name != name && column.name != qualified) continue;
    if (column.qualified == qualified) return column;
    if (!found) found = column;
  }
  if (!found && at == 1 && item[0].kind == TokenKind::quoted) found = Column{name, "", kSomeKey, nullptr};
  return found;
}

std::vector<Column> project(const std::string& detail, const std::vector<Column>& columns) {
  std::vector<Column> projected;
  std::map<std::string, int> some;
  for (const Tokens& item : items_of(detail)) {
    size_t after = 0;
    Column column;
    if (auto found = named_by(item, columns, after)) {
      if (found->passes == kSomeKey)
        found->passes += some.emplace(found->name, some.size() + 1).first->second;
      column = *std::move(found);
      if (after < item.size() && item[after].is_word("AS")) column.qualified.clear();
    }
    // The last alias is the column's name: "count(x) AS count(*) AS n".
    for (size_t at = item.size(); at-- > after;) {
      if (!item[at].is_word("AS") || at + 1 >= item.size()) continue;
      column.name = item[at + 1].text;
      break;
    }
    projected.push_back(std::move(column));
  }
  return projected;
}

Trace trace(const Json& node, const bridge::StreamPlan& plan) {
  const std::string kind = node.value("node", "");
  const std::string detail = node.value("detail", "");
  if (kind == "aggregate" || kind == "window_aggregate") {
    Trace found;
    const NodeKind wanted = kind == "aggregate" ? NodeKind::aggregate : NodeKind::window_aggregate;
    for (const PlanNode& candidate : plan.graph) {
      if (candidate.kind == wanted && candidate.changelog) found.group = &candidate;
    }
    if (found.group == nullptr) return found;
    const size_t keys = found.group->keys.size();
    const size_t by = detail.find("by ");
    const auto texts =
        items_of(by == std::string::npos ? "" : detail.substr(by + 3, detail.find(';', by) - by - 3));
    for (int i = 0; i < found.group->schema->num_fields(); ++i) {
      const auto index = static_cast<size_t>(i);
      Column column{found.group->schema->field(i)->name(), "", kNothing,
                    found.group->schema->field(i)->type()};
      if (index < keys) {
        column.passes = i;
        for (size_t at = 0; texts.size() == keys && at < texts[index].size(); ++at) {
          column.qualified += texts[index][at].text;
        }
      } else if (index < keys + found.group->window_columns.size()) {
        column.passes = kWindow;
      }
      found.columns.push_back(std::move(column));
    }
    return found;
  }
  if (!node.contains("inputs") || node["inputs"].empty()) return {};
  Trace found = trace(node["inputs"][0], plan);
  if (kind == "union_all") found.united = true;
  if (kind == "unnest" || kind == "lookup_join") found.fans_out = true;
  if (kind == "project") found.columns = project(detail, found.columns);
  return found;
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

std::string changelog_key_refusal(const InsertPlan& insert) {
  const Trace found = trace(Json::parse(insert.plan.tree_json), insert.plan);
  if (found.group == nullptr) return "";
  const SinkPlan& sink = *insert.sink;
  const std::string declared = "the PRIMARY KEY (" + listed(sink.primary_key) + ") of '" + sink.name + "' ";
  if (found.united) {
    return declared +
           "does not tell apart the rows of a GROUP BY and those that UNION ALL puts beside them: "
           "INSERT each into a table of its own";
  }
  const arrow::Schema& group = *found.group->schema;
  const size_t keys = found.group->keys.size();
  const bool windowed = found.group->kind == NodeKind::window_aggregate;
  const auto may_be_key = [&](const arrow::DataType& type) {
    for (size_t key = 0; key < keys; ++key) {
      if (keeps_apart(*group.field(static_cast<int>(key))->type(), type)) return true;
    }
    return false;
  };
  std::map<int, std::string> names;  // what is passed on, by the sink's first column that takes it
  std::set<int> told;
  std::vector<std::string> others;
  for (int i = 0; i < sink.schema->num_fields(); ++i) {
    const std::string& name = sink.schema->field(i)->name();
    const bool in_key = std::count(sink.primary_key.begin(), sink.primary_key.end(), name) > 0;
    const int from = insert.column_of_sink[i];
    int passes = kNothing;
    if (from >= 0 && static_cast<size_t>(from) < found.columns.size()) {
      const Column& column = found.columns[from];
      const auto& type = *insert.plan.schema->field(from)->type();
      if (column.type == nullptr ? may_be_key(type) : keeps_apart(*column.type, type)) passes = column.passes;
    }
    if (passes != kNothing) names.emplace(passes, name);
    if (!in_key) continue;
    if (passes == kNothing) others.push_back(name);
    told.insert(passes);
  }
  std::vector<std::string> wanted, missing;
  bool all_told = true;
  auto some = names.upper_bound(kSomeKey);  // each is one of the keys that have no column by name
  for (int i = 0; i < static_cast<int>(keys) + (windowed ? 1 : 0); ++i) {
    auto column = names.find(i < static_cast<int>(keys) ? i : kWindow);
    if (column == names.end() && i < static_cast<int>(keys) && some != names.end()) column = some++;
    if (column == names.end()) {
      missing.push_back(i < static_cast<int>(keys) ? group.field(i)->name() : "window_start");
      all_told = false;
      continue;
    }
    wanted.push_back(column->second);
    if (told.count(column->first) == 0) all_told = false;
  }
  if (all_told && (others.empty() || found.fans_out || wanted.empty())) return "";
  const std::string why = declared + "is not that of the GROUP BY, whose rows it takes: ";
  if (missing.empty()) return why + "declare PRIMARY KEY (" + listed(wanted) + ") NOT ENFORCED";
  return why + "select " + listed(missing) + (missing.size() == 1 ? " as it is" : " as they are") +
         " in the GROUP BY, and declare the PRIMARY KEY of " +
         (wanted.empty() ? "what is grouped by"
                         : listed(wanted) + " and " + (missing.size() == 1 ? "it" : "them"));
}

}  // namespace weir
