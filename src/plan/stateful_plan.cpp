#include "plan/stateful_plan.h"

#include <arrow/type.h>

#include <algorithm>

#include "base/text.h"
#include "config/query_text.h"
#include "plan/pipeline_plan.h"

namespace weir {
namespace {

Location place_of(const PlanNode& node, const InsertSpec& insert) {
  if (node.line < 1) return insert.query_location;
  return planner_location(insert.query, insert.query_location, node.line, node.column);
}

void check_bounds(const bridge::StreamPlan& plan, const InsertSpec& insert, const Options& settings,
                  Diagnostics& diagnostics) {
  if (settings.duration("pipeline.state-ttl").count() > 0) return;
  if (settings.string("pipeline.unbounded-state") == "allow") return;
  for (const PlanNode& node : plan.graph) {
    if (node.unbounded.empty()) continue;
    const std::string window =
        node.kind == NodeKind::join
            ? "bounds between the time columns of both sides (a.ts BETWEEN b.ts - INTERVAL "
              "… AND b.ts), or equal window_start and window_end of windows"
            : "a window, FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL …)) GROUP BY "
              "window_start, window_end";
    diagnostics.error(place_of(node, insert),
                      node.unbounded + ", so its state grows without a bound. What bounds it: " + window +
                          "; or SET 'pipeline.state-ttl' = '1 d'. To run it as it is: SET "
                          "'pipeline.unbounded-state' = 'allow'");
  }
}

// A row is in every one of its windows: so many fire for hours, and a stop has to wait for them. As
// check_window() of operators/window_assigner.h.
void check_windows(const bridge::StreamPlan& plan, const InsertSpec& insert, Diagnostics& diagnostics) {
  constexpr int64_t kMaxWindows = 10'000;
  for (const PlanNode& node : plan.graph) {
    const WindowSpec& window = node.window;
    const bool hop = window.assigner == WindowSpec::Assigner::hop;
    if (!hop && window.assigner != WindowSpec::Assigner::cumulate) continue;
    if (window.slide_us <= 0 || window.size_us / window.slide_us <= kMaxWindows) continue;
    diagnostics.error(place_of(node, insert), std::string(hop ? "HOP" : "CUMULATE") + ": a row would be in " +
                                                  with_thousands(window.size_us / window.slide_us) +
                                                  " windows, at most " + with_thousands(kMaxWindows) +
                                                  " are allowed: a longer " + (hop ? "slide" : "step") +
                                                  " or a shorter size");
  }
}

bool is_stateless(NodeKind kind) {
  return kind == NodeKind::fragment || kind == NodeKind::union_all || kind == NodeKind::lookup_join;
}

// Results that are corrected later are a changelog.
void apply_lateness(bridge::StreamPlan& plan, const InsertSpec& insert, Diagnostics& diagnostics) {
  for (PlanNode& node : plan.graph) {
    const bool reads_changelog = std::any_of(node.inputs.begin(), node.inputs.end(),
                                             [&](int input) { return plan.graph[input].changelog; });
    if (!reads_changelog) {
      node.changelog =
          node.changelog || (node.kind == NodeKind::window_aggregate && !node.window.processing_time);
      continue;
    }
    if (is_stateless(node.kind)) {
      node.changelog = true;
      continue;
    }
    diagnostics.error(
        place_of(node, insert),
        "with 'pipeline.allowed-lateness' a window's result may be corrected later, which the " +
            node.detail +
            " behind it cannot read: leave the setting out, or write the window's "
            "result into a sink of its own");
  }
  plan.changelog = !plan.graph.empty() && plan.graph.back().changelog;
}

}  // namespace

void check_state(bridge::StreamPlan& plan, const InsertSpec& insert, const Options& settings,
                 Diagnostics& diagnostics) {
  if (plan.graph.empty()) return;
  check_windows(plan, insert, diagnostics);
  check_bounds(plan, insert, settings, diagnostics);
  if (settings.duration("pipeline.allowed-lateness").count() > 0) apply_lateness(plan, insert, diagnostics);
}

std::string changelog_refusal(const InsertPlan& insert) {
  const bool late = std::any_of(insert.plan.graph.begin(), insert.plan.graph.end(), [](const PlanNode& node) {
    return node.kind == NodeKind::window_aggregate && node.changelog;
  });
  const std::string why = late ? "'pipeline.allowed-lateness' corrects results of windows later"
                               : "a GROUP BY without a window corrects its rows whenever new ones come";
  return why + " (a changelog), and the connector '" + insert.sink->connector->name + "' of '" +
         insert.sink->name +
         "' only appends: it cannot take rows back. What can: delta, clickhouse; or a window "
         "around the GROUP BY";
}

std::vector<std::string> group_keys(const bridge::StreamPlan& plan) {
  std::vector<std::string> names;
  for (const PlanNode& node : plan.graph) {
    if (node.kind != NodeKind::aggregate && node.kind != NodeKind::window_aggregate) continue;
    names.clear();
    const size_t count = node.keys.size() + node.window_columns.size();
    for (size_t i = 0; i < count; ++i) names.push_back(node.schema->field(static_cast<int>(i))->name());
  }
  return names;
}

}  // namespace weir
