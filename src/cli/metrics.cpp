#include "cli/metrics.h"

#include <algorithm>
#include <filesystem>

#include "cli/operator_metrics.h"

namespace weir {
namespace {

constexpr size_t kShownNames = 3;  // in the progress line

std::string printable(const std::string& text) {
  std::string shown;
  for (char c : text.substr(0, 60)) shown += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c;
  return shown;
}

std::string label_value(const std::string& text) {
  std::string escaped;
  for (char c : text) {
    if (c == '\\' || c == '"') escaped += '\\';
    if (c == '\n') {
      escaped += "\\n";
    } else {
      escaped += c;
    }
  }
  return "\"" + escaped + "\"";
}

struct Counter {
  const char* name;
  const char* help;
  std::atomic<int64_t> PipelineStats::* value;
};

constexpr Counter kCounters[] = {
    {"weir_events_total", "events read", &PipelineStats::events},
    {"weir_rows_total", "rows given to sinks", &PipelineStats::rows},
    {"weir_errors_total", "error records given to the error lake", &PipelineStats::errors},
    {"weir_filtered_total", "events that no row came of, by INSERT", &PipelineStats::filtered},
    {"weir_commits_total", "commits with positions", &PipelineStats::commits},
    {"weir_set_aside_total", "events of paused producers sent to the error lake undecoded",
     &PipelineStats::set_aside},
    {"weir_dropped_total", "events that a source threw away before they were read: nobody took them in time",
     &PipelineStats::dropped},
    {"weir_pauses_total", "how often an error budget has paused a source or a producer",
     &PipelineStats::pauses},
};

void head(std::string& out, const std::string& name, const char* help, const char* type) {
  out += "# HELP " + name + " " + help + "\n# TYPE " + name + " " + type + "\n";
}

}  // namespace

std::string paused_text(const PipelineStats& stats, int64_t now_ns) {
  std::string text;
  for (const auto& [source, inputs] : stats.paused()) {
    int64_t shown = 0;
    for (const PausedInput& input : inputs.first) {
      if (shown == static_cast<int64_t>(kShownNames)) break;
      ++shown;
      const int64_t seconds = std::max<int64_t>(0, (input.until_ns - now_ns + 999'999'999) / 1'000'000'000);
      text += (text.empty() ? " paused=" : ",") + source + "(" +
              (input.whole_source ? "" : "producer=" + printable(input.producer) + ", ") +
              std::to_string(seconds) + " s)";
    }
    if (inputs.count > shown) text += "+" + std::to_string(inputs.count - shown);
  }
  return text;
}

int64_t MetricsText::counter(const std::string& name, const std::string& pipeline, int64_t value) {
  int64_t& highest = highest_[{name, pipeline}];
  return highest = std::max(highest, value);
}

std::string MetricsText::render(const std::vector<PipelineMetrics>& pipelines) {
  std::string out;
  for (const Counter& entry : kCounters) {
    head(out, entry.name, entry.help, "counter");
    for (const PipelineMetrics& each : pipelines) {
      const std::string& name = each.plan->spec.name;
      out += std::string(entry.name) + "{pipeline=" + label_value(name) + "} " +
             std::to_string(counter(entry.name, name, each.stats->*entry.value)) + "\n";
    }
  }
  head(out, "weir_lag", "events (bytes for files) behind the heads; absent while unknown", "gauge");
  for (const PipelineMetrics& each : pipelines) {
    const int64_t lag = each.stats->lag;
    if (lag < 0) continue;
    out += "weir_lag{pipeline=" + label_value(each.plan->spec.name) + "} " + std::to_string(lag) + "\n";
  }
  head(out, "weir_paused", "what an error budget has paused now: 1 for a whole source, or its producers",
       "gauge");
  for (const PipelineMetrics& each : pipelines) {
    const auto paused = each.stats->paused();
    for (const auto& source : each.plan->sources) {
      if (!source->error_budget.on()) continue;
      auto found = paused.find(source->table.name);
      out += "weir_paused{pipeline=" + label_value(each.plan->spec.name) +
             ",source=" + label_value(source->table.name) + "} " +
             std::to_string(found == paused.end() ? 0 : found->second.count) + "\n";
    }
  }
  std::vector<std::pair<std::string, const PipelineStats*>> stats;
  for (const PipelineMetrics& each : pipelines) stats.emplace_back(each.plan->spec.name, each.stats);
  for (const OperatorSample& sample : operator_samples(stats)) {
    if (sample.lines.empty()) continue;
    head(out, sample.name, sample.help, sample.type);
    for (const std::string& line : sample.lines) out += line + "\n";
  }
  head(out, "weir_running", "1 while the pipeline runs", "gauge");
  for (const PipelineMetrics& each : pipelines) {
    out += "weir_running{pipeline=" + label_value(each.plan->spec.name) + "} " + (each.running ? "1" : "0") +
           "\n";
  }
  return out;
}

Result<std::unique_ptr<MetricsFile>> MetricsFile::open(const std::string& path) {
  const std::filesystem::path file(path);
  if (!file.has_filename()) return Status::invalid("'" + path + "' names a folder: --metrics takes a file");
  const std::string folder = file.has_parent_path() ? file.parent_path().string() : ".";
  auto opened = std::make_unique<MetricsFile>();
  WEIR_ASSIGN(opened->folder_, open_local_objects(folder));
  opened->name_ = file.filename().string();
  return opened;
}

Status MetricsFile::write(const std::vector<PipelineMetrics>& pipelines) {
  return folder_->put(name_, text_.render(pipelines));
}

}  // namespace weir
