#include "runtime/dataflow.h"

#include <arrow/type.h>

#include <algorithm>

#include "plan/lookup_plan.h"
#include "state/row_keys.h"

namespace weir {
namespace {

bool keeps_state(NodeKind kind) {
  return kind != NodeKind::scan && kind != NodeKind::fragment && kind != NodeKind::union_all;
}

// The columns by which the rows of an input are shared out.
const std::vector<int>& key_columns(const PlanNode& node, size_t input) {
  switch (node.kind) {
    case NodeKind::window_join:
    case NodeKind::interval_join:
    case NodeKind::join: return input == 0 ? node.left_keys : node.right_keys;
    case NodeKind::lookup_join: return node.left_keys;
    default: return node.keys;
  }
}

}  // namespace

Result<std::unique_ptr<Dataflow>> Dataflow::create(DataflowContext context) {
  std::unique_ptr<Dataflow> dataflow(new Dataflow(std::move(context)));
  WEIR_TRY(dataflow->build());
  return dataflow;
}

Dataflow::~Dataflow() {
  close();
  for (auto& task : tasks_) task->join();
}

Status Dataflow::build() {
  const auto& inserts = context_.set->inserts;
  by_node_.resize(inserts.size());
  scans_.resize(inserts.size());
  for (size_t i = 0; i < inserts.size(); ++i) WEIR_TRY(make_tasks(i));
  for (size_t i = 0; i < inserts.size(); ++i) {
    const auto& graph = inserts[i]->plan.graph;
    scans_[i].resize(graph.size());
    for (size_t node = 0; node < graph.size(); ++node) {
      if (graph[node].kind == NodeKind::scan) {
        WEIR_ASSIGN(auto routes, routes_of(i, node));
        scans_[i][node] =
            std::make_unique<Outlet>(std::move(routes), error_route(i), *context_.clock, nullptr);
      }
      for (Task* task : by_node_[i][node]) {
        WEIR_ASSIGN(task->routes(), routes_of(i, node));
      }
    }
  }
  return {};
}

Status Dataflow::make_tasks(size_t insert) {
  const InsertPlan& plan = *context_.set->inserts[insert];
  const auto& graph = plan.plan.graph;
  by_node_[insert].resize(graph.size());
  const auto& settings = context_.plan->spec.settings;
  const auto capacity = static_cast<size_t>(settings.integer("pipeline.queue-batches"));
  for (size_t node = 0; node < graph.size(); ++node) {
    if (!keeps_state(graph[node].kind)) continue;
    const int32_t shares = key_columns(graph[node], 0).empty() ? 1 : context_.parallelism;
    for (int32_t share = 0; share < shares; ++share) {
      OperatorContext make;
      make.node = &graph[node];
      make.plan = &plan.plan;
      make.clock = context_.clock;
      make.state_ttl_us = settings.duration("pipeline.state-ttl").count() * 1000;
      make.allowed_lateness_us = settings.duration("pipeline.allowed-lateness").count() * 1000;
      if (graph[node].kind == NodeKind::lookup_join) {
        make.open_lookup = [this, source = graph[node].source] { return lookup(source); };
      }
      make.batch_rows = static_cast<size_t>(settings.integer("pipeline.batch-rows"));
      TaskContext task;
      auto op = create_operator(make);
      if (!op.ok()) return op.status().with_context("INSERT INTO " + plan.label);
      task.op = *std::move(op);
      task.name = plan.label + "." + std::to_string(node) + "-" + std::to_string(share);
      task.inbox = std::make_unique<Inbox>(capacity);
      task.clock = context_.clock;
      task.stats = std::make_shared<OperatorStats>();
      task.stats->insert = plan.label;
      task.stats->name = std::to_string(node) + " " + graph[node].detail;
      task.stats->share = share;
      stats_.push_back(task.stats);
      task.errors = error_route(insert);
      task.snapshot = context_.snapshot;
      task.failed = context_.failed;
      tasks_.push_back(std::make_unique<Task>(std::move(task)));
      by_node_[insert][node].push_back(tasks_.back().get());
    }
  }
  return {};
}

// One table for all tasks.
Result<std::shared_ptr<LookupTable>> Dataflow::lookup(const std::string& table) {
  auto& opened = lookups_[table];
  for (const auto& plan : context_.plan->lookups) {
    if (opened != nullptr || plan->table.name != table) continue;
    WEIR_ASSIGN(opened, open_lookup(*plan, *context_.clock, context_.log));
  }
  if (opened == nullptr) return Status::internal("no lookup table '" + table + "'");
  return opened;
}

ErrorRoute Dataflow::error_route(size_t insert) {
  return {context_.collector, context_.collector->add_channel(), context_.set->inserts.size() + insert};
}

Result<std::vector<Route>> Dataflow::routes_of(size_t insert, size_t node) {
  std::vector<Route> routes;
  Route start;
  start.changelog = context_.set->inserts[insert]->plan.graph[node].changelog;
  WEIR_TRY(follow(insert, node, start, routes));
  return routes;
}

// Every way from `node` to the next task, or to the collector.
Status Dataflow::follow(size_t insert, size_t node, const Route& so_far, std::vector<Route>& routes) {
  const InsertPlan& plan = *context_.set->inserts[insert];
  const auto& graph = plan.plan.graph;
  if (node + 1 == graph.size()) {
    Route route = so_far;
    route.input = insert;
    route.inboxes = {context_.collector};
    route.channels = {context_.collector->add_channel()};
    routes.push_back(std::move(route));
  }
  for (size_t next = node + 1; next < graph.size(); ++next) {
    const PlanNode& consumer = graph[next];
    for (size_t input = 0; input < consumer.inputs.size(); ++input) {
      if (consumer.inputs[input] != static_cast<int>(node)) continue;
      Route route = so_far;
      if (consumer.kind == NodeKind::union_all) {
        WEIR_TRY(follow(insert, next, route, routes));
        continue;
      }
      if (consumer.kind == NodeKind::fragment) {
        route.fragments.push_back(plan.plan.fragments[static_cast<size_t>(consumer.fragment)].get());
        WEIR_TRY(follow(insert, next, route, routes));
        continue;
      }
      const auto& columns = key_columns(consumer, input);
      if (!columns.empty() && by_node_[insert][next].size() > 1) {
        WEIR_ASSIGN(route.keys, KeyEncoder::create(*as_nullable(*graph[node].schema), columns));
      }
      route.input = input;
      for (Task* task : by_node_[insert][next]) {
        route.inboxes.push_back(&task->inbox());
        route.channels.push_back(task->inbox().add_channel());
      }
      routes.push_back(std::move(route));
    }
  }
  return {};
}

void Dataflow::start() {
  for (auto& task : tasks_) task->start();
}

Status Dataflow::watermark(const std::string& source, int64_t watermark_us) {
  Message message;
  message.kind = Message::Kind::watermark;
  message.value = watermark_us;
  for (size_t i = 0; i < scans_.size(); ++i) {
    for (size_t node = 0; node < scans_[i].size(); ++node) {
      if (scans_[i][node] == nullptr) continue;
      const std::string& scanned = context_.set->inserts[i]->plan.graph[node].source;
      if (source.empty() || scanned == source) WEIR_TRY(scans_[i][node]->control(message));
    }
  }
  return {};
}

Status Dataflow::control(const Message& message) {
  for (auto& nodes : scans_) {
    for (auto& scan : nodes) {
      if (scan != nullptr) WEIR_TRY(scan->control(message));
    }
  }
  return {};
}

void Dataflow::close() {
  for (auto& task : tasks_) task->inbox().close();
}

int64_t Dataflow::state_bytes() const {
  int64_t sum = 0;
  for (const auto& stats : stats_) sum += stats->state_bytes;
  return sum;
}

}  // namespace weir
