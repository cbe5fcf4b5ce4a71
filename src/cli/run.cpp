// weir run
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/text.h"
#include "cli/command.h"
#include "cli/metrics.h"
#include "cli/operator_metrics.h"
#include "runtime/pipeline_runner.h"

namespace weir {
namespace {

std::atomic<bool> stop_requested{false};
std::atomic<bool> reload_requested{false};

void on_signal(int) {
  if (stop_requested.exchange(true)) _exit(130);  // the second Ctrl-C does not wait for the drain
}

void on_reload(int) { reload_requested = true; }

struct RunArguments {
  std::vector<std::string> files;
  bool once = false;
  std::string progress = "auto";
  std::string metrics;  // a file; empty: none
  bool operators = false;
};

struct Running {
  std::string file;
  std::string name;
  std::shared_ptr<PipelinePlan> plan;  // of the pipeline's thread, once it runs
  std::mutex mutex;
  std::unique_ptr<PipelinePlan>
      changed;  // the file's next version, which the thread takes when it has drained
  std::atomic<bool> stop{false};
  PipelineStats stats;
  Status status;
  std::atomic<bool> done{false};
  std::thread thread;
  int64_t last_events = 0;
  double rate = 0;
};

// stderr, shared by the progress line and log lines.
class Screen {
 public:
  explicit Screen(bool live) : live_(live) {}
  void log(const std::string& line) {
    std::lock_guard lock(mutex_);
    if (live_ && drawn_) std::fputs("\r\033[K", stderr);
    std::fprintf(stderr, "%s\n", line.c_str());
    drawn_ = false;
  }
  void progress(const std::string& line) {
    std::lock_guard lock(mutex_);
    if (live_) {
      std::fprintf(stderr, "\r\033[K%.*s", 200, line.c_str());
      drawn_ = true;
    } else {
      std::fprintf(stderr, "%s\n", line.c_str());
    }
    std::fflush(stderr);
  }

 private:
  std::mutex mutex_;
  const bool live_;
  bool drawn_ = false;
};

std::string numbers(const PipelineStats& stats) {
  return " rows=" + std::to_string(stats.rows) + " errors=" + std::to_string(stats.errors) +
         " filtered=" + std::to_string(stats.filtered);
}

std::string progress_line(Running& run, double seconds, int64_t now_ns) {
  int64_t events = run.stats.events;
  if (seconds > 0) run.rate = std::max<double>(0, static_cast<double>(events - run.last_events) / seconds);
  run.last_events = events;
  int64_t lag = run.stats.lag;
  return run.name + ": events=" + std::to_string(events) + " (" +
         with_thousands(static_cast<int64_t>(run.rate)) + "/s)" + numbers(run.stats) +
         " lag=" + (lag < 0 ? std::string("?") : std::to_string(lag)) +
         " commits=" + std::to_string(run.stats.commits) + epoch_text(run.stats) +
         paused_text(run.stats, now_ns) + " state=" + run.stats.state();
}

constexpr int64_t kMetricsPeriodNs = 5'000'000'000;

// A file that cannot be written does not stop the pipelines: told once, tried again.
void write_metrics(MetricsFile& file, const std::vector<std::unique_ptr<Running>>& pipelines, bool& failing,
                   Screen& screen) {
  std::vector<PipelineMetrics> metrics;
  std::vector<std::shared_ptr<PipelinePlan>> plans;  // a changed version may take over meanwhile
  for (const auto& each : pipelines) {
    std::lock_guard lock(each->mutex);
    plans.push_back(each->plan);
    metrics.push_back({plans.back().get(), &each->stats, !each->done});
  }
  Status written = file.write(metrics);
  if (!written.ok() && !failing) screen.log("--metrics: " + written.message());
  failing = !written.ok();
}

const SetPlan* set_of(const PipelinePlan& plan, const std::string& first_source) {
  for (const SetPlan& set : plan.sets) {
    if (set.sources[0]->table.name == first_source) return &set;
  }
  return nullptr;
}

// The first table that both read or write; "" : none.
std::string shared_table(const SetPlan& left, const SetPlan& right) {
  for (const SourcePlan* source : left.sources) {
    for (const SourcePlan* other : right.sources) {
      if (source->table.name == other->table.name) return source->table.name;
    }
  }
  for (const SinkPlan* sink : left.sinks) {
    for (const SinkPlan* other : right.sinks) {
      if (sink->name == other->name) return sink->name;
    }
  }
  return "";
}

// Whether `changed` may go on from the state of what runs: else it would be refused when that has been
// drained already. Sets are told apart by their first sources, as their checkpoints are.
Status check_state(const PipelinePlan& running, const PipelinePlan& changed) {
  for (const SetPlan& set : running.sets) {
    if (!set.stateful()) continue;
    const std::string& name = set.sources[0]->table.name;
    const SetPlan* next = set_of(changed, name);
    if (next == nullptr || !next->stateful()) {
      return Status::invalid("what reads '" + name +
                             "' keeps no state any more, and there is state of the earlier query");
    }
    if (changed.stateful_hash(*next) != running.stateful_hash(set)) {
      return Status::invalid("what reads '" + name +
                             "' has changed, and the state belongs to another query: give the new one "
                             "another 'pipeline.name' and other tables");
    }
  }
  for (const SetPlan& next : changed.sets) {
    for (const SetPlan& set : running.sets) {
      if (!next.stateful() || set.stateful()) continue;
      const std::string table = shared_table(set, next);
      if (table.empty()) continue;
      return Status::invalid("'" + table +
                             "' belongs to a query that keeps state now, and to one that runs without state");
    }
  }
  return {};
}

// The file as it is now, if it can take over from what runs.
Result<std::unique_ptr<PipelinePlan>> changed_version(Running& running, const Registry& registry) {
  auto loaded = load_pipeline(running.file, registry);  // tells what is wrong, and where
  if (!loaded.ok())
    return loaded.status().retryable() ? loaded.status() : Status::invalid("the file has errors");
  std::unique_ptr<PipelinePlan> changed = *std::move(loaded);
  if (check_connectors(*changed) != kExitOk) return Status::invalid("the file has errors");
  if (changed->spec.name != running.name) {
    return Status::invalid("the file now names another pipeline, '" + changed->spec.name + "'");
  }
  std::shared_ptr<PipelinePlan> plan;
  {
    std::lock_guard lock(running.mutex);
    plan = running.plan;
  }
  WEIR_TRY(check_state(*plan, *changed));
  return changed;
}

// SIGHUP: reads the file anew. A version that does not do leaves the running one alone.
void reload(Running& running, const Registry& registry, Screen& screen) {
  auto changed = changed_version(running, registry);
  if (!changed.ok()) {
    screen.log(running.name + ": " + running.file +
               " was not taken over, the earlier version goes on: " + changed.status().message());
    return;
  }
  std::lock_guard lock(running.mutex);
  running.changed = *std::move(changed);
  running.stop = true;
}

constexpr int64_t kReplanBackoffMs = 1000;

// An event came with a later schema than the columns were derived from: what is older is committed, the
// columns are derived anew. A registry that does not answer just then is asked again. Where the file cannot
// take the new columns, the earlier ones go on.
void plan_anew(Running& running, const RunOptions& options, const Registry& registry) {
  options.log(running.status.message() + "; the columns are derived anew");
  const int64_t before = running.plan->schema_versions();
  for (int64_t wait_ms = kReplanBackoffMs; !stop_requested;
       wait_ms = std::min<int64_t>(wait_ms * 2, 30'000)) {
    auto changed = changed_version(running, registry);
    if (!changed.ok() && !changed.status().retryable()) {
      options.log("the columns that the later version adds are not taken over, the earlier ones go on: " +
                  changed.status().message());
      for (auto& source : running.plan->sources) source->follows_schema = false;
      return;
    }
    if (changed.ok() && (*changed)->schema_versions() != before) {
      std::lock_guard lock(running.mutex);
      running.changed = *std::move(changed);
      return;
    }
    options.log(changed.ok() ? "the registry still tells the earlier version as its latest; asked again"
                             : "asked again: " + changed.status().message());
    for (int64_t waited = 0; waited < wait_ms && !stop_requested; waited += 50) {
      options.clock->sleep(std::chrono::milliseconds(50));
    }
  }
}

// What was read before the change is committed under the earlier version, what comes after it is read by
// the changed one.
void run_versions(Running& running, const RunOptions& options, const Registry& registry) {
  while (true) {
    running.status = run_pipeline(*running.plan, options, running.stats, running.stop);
    const bool schema_changed = running.status.code() == Code::schema_changed;
    if (schema_changed) {
      plan_anew(running, options, registry);
      running.status = Status();
    }
    std::lock_guard lock(running.mutex);
    if (stop_requested || !running.status.ok()) return;
    if (running.changed == nullptr) {
      if (schema_changed) continue;
      return;
    }
    running.plan = std::move(running.changed);
    running.stop = false;
    options.log("goes on with the changed " + running.file);
  }
}

// Loads and checks every file before the first one runs; gives the exit code.
int load_all(const RunArguments& arguments, const Registry& registry,
             std::vector<std::unique_ptr<Running>>& pipelines) {
  std::map<std::string, std::string> file_of_name;
  for (const std::string& file : arguments.files) {
    auto running = std::make_unique<Running>();
    auto plan = load_pipeline(file, registry);
    if (!plan.ok()) return exit_code(plan.status());
    running->plan = *std::move(plan);
    if (int wrong = check_connectors(*running->plan); wrong != kExitOk) return wrong;
    running->file = file;
    running->name = running->plan->spec.name;
    auto [claimed, fresh] = file_of_name.emplace(running->name, file);
    if (!fresh) {
      return report(Status::invalid(file + ": the pipeline name '" + claimed->first + "' is taken by " +
                                    claimed->second + ": give one of them another SET 'pipeline.name'"));
    }
    pipelines.push_back(std::move(running));
  }
  return kExitOk;
}

void show_progress(const std::vector<std::unique_ptr<Running>>& pipelines, int64_t last_ns, int64_t now_ns,
                   double run_seconds, bool live, bool operators, Screen& screen) {
  std::string line;
  for (const auto& running : pipelines) {
    if (running->done) continue;
    if (!line.empty()) line += live ? "  |  " : "\n";
    line += progress_line(*running, static_cast<double>(now_ns - last_ns) / 1e9, now_ns);
    if (live || !operators) continue;
    for (const std::string& each : operator_lines(running->stats, run_seconds)) line += "\n" + each;
  }
  if (!line.empty()) screen.progress(line);
}

// The last line of each pipeline; gives the exit code.
int tell_results(const std::vector<std::unique_ptr<Running>>& pipelines, double seconds, Screen& screen) {
  int code = kExitOk;
  for (const auto& running : pipelines) {
    char taken[32];
    std::snprintf(taken, sizeof taken, "%.3f", seconds);
    screen.log((running->status.ok() ? "done " : "stopped ") + running->name +
               ": events=" + std::to_string(running->stats.events) + numbers(running->stats) + " commits=" +
               std::to_string(running->stats.commits) + epoch_text(running->stats) + " seconds=" + taken);
    for (const std::string& line : operator_lines(running->stats, seconds)) screen.log(line);
    if (running->status.ok()) continue;
    screen.log("error: " + running->name + ": " + running->status.message());
    if (code == kExitOk) {
      code = exit_code(running->status);
      // What was fine as a file and failed later is not a usage error.
      if (code == kExitInvalid) code = kExitFailed;
    }
  }
  return code;
}

int run(const RunArguments& arguments, const Registry& registry) {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  std::signal(SIGHUP, on_reload);
  std::signal(SIGPIPE, SIG_IGN);
  std::vector<std::unique_ptr<Running>> pipelines;
  if (int wrong = load_all(arguments, registry, pipelines); wrong != kExitOk) return wrong;
  const Clock& clock = Clock::real();
  const bool live = arguments.progress == "auto" && isatty(STDERR_FILENO) == 1;
  const int64_t period_ms = live ? 250 : 2000;
  Screen screen(live);
  std::unique_ptr<MetricsFile> metrics;
  bool metrics_failing = false;
  if (!arguments.metrics.empty()) {
    auto opened = MetricsFile::open(arguments.metrics);
    if (!opened.ok()) return report(opened.status().with_context("--metrics"));
    metrics = *std::move(opened);
  }
  for (const auto& running : pipelines) {
    for (const std::string& line : lossy_sources(*running->plan)) screen.log(running->name + ": " + line);
  }
  std::atomic<size_t> running_count{pipelines.size()};
  const int64_t started_ns = clock.monotonic_ns();
  for (auto& running : pipelines) {
    running->thread = std::thread([&, pipeline = running.get()] {
      RunOptions options;
      options.once = arguments.once;
      options.clock = &clock;
      options.log = [&, pipeline](const std::string& line) { screen.log(pipeline->name + ": " + line); };
      run_versions(*pipeline, options, registry);
      if (!pipeline->status.ok()) stop_requested = true;
      pipeline->done = true;
      --running_count;
    });
  }
  int64_t last_ns = started_ns;
  int64_t metrics_due_ns = started_ns;
  while (running_count > 0) {
    clock.sleep(std::chrono::milliseconds(20));
    if (stop_requested) {
      for (auto& running : pipelines) running->stop = true;
    } else if (reload_requested.exchange(false)) {
      for (auto& running : pipelines) {
        if (!running->done) reload(*running, registry, screen);
      }
    }
    int64_t now_ns = clock.monotonic_ns();
    if (metrics != nullptr && now_ns >= metrics_due_ns) {
      write_metrics(*metrics, pipelines, metrics_failing, screen);
      metrics_due_ns = now_ns + kMetricsPeriodNs;
    }
    if (arguments.progress == "none" || now_ns - last_ns < period_ms * 1'000'000) continue;
    show_progress(pipelines, last_ns, now_ns, static_cast<double>(now_ns - started_ns) / 1e9, live,
                  arguments.operators, screen);
    last_ns = now_ns;
  }
  const double seconds = static_cast<double>(clock.monotonic_ns() - started_ns) / 1e9;
  for (auto& running : pipelines) running->thread.join();
  if (metrics != nullptr) write_metrics(*metrics, pipelines, metrics_failing, screen);
  return tell_results(pipelines, seconds, screen);
}

}  // namespace

void add_run_command(CLI::App& app, const Registry& registry, int& exit) {
  auto arguments = std::make_shared<RunArguments>();
  CLI::App* command =
      app.add_subcommand("run", "run pipelines until Ctrl-C (drains) or the end of their input");
  command->add_option("FILE", arguments->files, "pipeline files (.sql)")->required();
  command->add_flag("--once", arguments->once,
                    "end when the input that is present at start has been committed");
  command
      ->add_option("--progress", arguments->progress,
                   "auto: a live line on a terminal, lines otherwise; lines; none")
      ->check(CLI::IsMember({"auto", "lines", "none"}));
  command->add_flag(
      "--operators", arguments->operators,
      "with each progress line (--progress lines) a line for each stateful operator; they always "
      "follow the last one");
  command
      ->add_option("--metrics", arguments->metrics,
                   "a file for Prometheus' text format, replaced every 5 s (docs/metrics.md)")
      ->type_name("FILE");
  command->footer(
      "Examples:\n  weir run orders.sql\n  weir run --once files-to-lake.sql\n  weir run a.sql "
      "b.sql\n\nSIGHUP "
      "reads the files anew: a changed version takes over at a commit, one with errors is not taken.");
  command->callback([arguments, &registry, &exit] { exit = run(*arguments, registry); });
}

}  // namespace weir
