// Stateful plans as text, one line a node, for this folder's tests.
#pragma once

#include <arrow/type.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "bridge/bridge.h"

namespace weir::bridge {

inline std::string numbers(const std::vector<int>& values) {
  std::string text;
  for (int value : values) text += (text.empty() ? "" : ",") + std::to_string(value);
  return text;
}

inline std::string text_of(const WindowSpec& window) {
  using Assigner = WindowSpec::Assigner;
  std::ostringstream text;
  const char* names[] = {"tumble", "hop", "cumulate", "session", "attached"};
  text << names[static_cast<int>(window.assigner)];
  const auto seconds = [](int64_t us) { return static_cast<double>(us) / 1e6; };
  if (window.assigner == Assigner::attached) {
    text << " " << window.start_column << "," << window.end_column;
  } else if (window.assigner == Assigner::session) {
    text << " " << seconds(window.gap_us) << " s";
  } else {
    text << " " << seconds(window.size_us) << " s";
    if (window.slide_us > 0) text << "/" << seconds(window.slide_us);
    if (window.offset_us != 0) text << "+" << seconds(window.offset_us);
  }
  if (window.time_column >= 0) text << " at " << window.time_column;
  if (window.processing_time) text << " by the clock";
  if (window.tick_us != 1000) text << " tick " << window.tick_us;
  return text.str();
}

inline std::string text_of(const PlanNode& node) {
  const char* kinds[] = {"scan",        "fragment",      "union_all", "window_aggregate", "aggregate",
                         "window_join", "interval_join", "join",      "lookup_join",      "window_top_n"};
  std::ostringstream text;
  text << kinds[static_cast<int>(node.kind)];
  if (!node.source.empty()) text << " " << node.source;
  if (!node.inputs.empty()) text << " of " << numbers(node.inputs);
  const bool windowed = node.kind == NodeKind::window_aggregate || node.kind == NodeKind::window_join ||
                        node.kind == NodeKind::window_top_n || node.late_by_window;
  if (!node.keys.empty()) text << " by " << numbers(node.keys);
  if (node.kind == NodeKind::scan && node.timed) text << " timed " << node.time_column;
  if (node.late_hold_us != 0) text << " hold " << node.late_hold_us / 1000 << " ms";
  if (windowed) text << " [" << text_of(node.window) << "]";
  if (node.kind == NodeKind::window_join) text << " [" << text_of(node.right_window) << "]";
  for (WindowColumn column : node.window_columns) text << " " << "set"[static_cast<int>(column)];
  for (const AggregateCall& call : node.aggregates) {
    text << " " << call.function << "(" << (call.distinct ? "distinct " : "") << numbers(call.arguments)
         << ")";
    if (call.filter >= 0) text << "?" << call.filter;
    if (!call.separator.empty()) text << "'" << call.separator << "'";
  }
  if (!node.left_keys.empty() || !node.right_keys.empty()) {
    text << " on " << numbers(node.left_keys) << "=" << numbers(node.right_keys);
  }
  if (node.kind == NodeKind::interval_join) {
    text << " " << node.left_time << "-" << node.right_time << " in " << node.lower_us / 1000 << ".."
         << node.upper_us / 1000 << " ms";
  }
  if (node.condition >= 0) text << " if";
  if (node.left_outer) text << " outer";
  for (const SortColumn& sort : node.order) {
    text << " order " << sort.column << (sort.descending ? " desc" : "")
         << (sort.nulls_first ? " nulls first" : "");
  }
  if (node.limit > 0) text << " limit " << node.limit;
  if (node.with_rank) text << " ranked";
  if (node.changelog) text << " changelog";
  text << " (";
  for (const auto& field : node.schema->fields()) {
    text << (field == node.schema->field(0) ? "" : ", ") << field->name();
  }
  text << ")";
  return text.str();
}

inline std::vector<std::string> text_of(const std::vector<PlanNode>& graph) {
  std::vector<std::string> lines;
  for (const PlanNode& node : graph) lines.push_back(text_of(node));
  return lines;
}

}  // namespace weir::bridge
