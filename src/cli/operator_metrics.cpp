#include "cli/operator_metrics.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "base/clock.h"
#include "base/text.h"

namespace weir {
namespace {

struct Sum {
  int shares = 0;
  int64_t rows_in = 0, rows_out = 0, bytes_in = 0, busy_ns = 0, blocked_ns = 0, state_bytes = 0,
          state_keys = 0;
  int64_t watermark_us = INT64_MAX, waiting = 0, pause_ns = 0;
};

std::string megabytes(int64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MB", static_cast<double>(bytes) / 1e6);
  return text;
}

std::string percent(int64_t ns, double seconds, int shares) {
  const double share = seconds <= 0 ? 0 : static_cast<double>(ns) / 1e9 / seconds / shares;
  return std::to_string(static_cast<int>(std::clamp(share, 0.0, 1.0) * 100 + 0.5)) + " %";
}

std::string watermark(int64_t us) {
  if (us == INT64_MIN) return "none";
  return us == INT64_MAX ? "final" : format_timestamp_us(us);
}

std::string quoted(const std::string& text) {
  std::string escaped = "\"";
  for (char c : text) {
    if (c == '\\' || c == '"') escaped += '\\';
    escaped += c == '\n' ? ' ' : c;
  }
  return escaped + "\"";
}

}  // namespace

std::vector<std::string> operator_lines(const PipelineStats& stats, double seconds) {
  std::vector<std::string> order;
  std::map<std::string, Sum> sums;
  for (const auto& each : stats.operators()) {
    const std::string name = each->insert + ": " + each->name;
    if (sums.count(name) == 0) order.push_back(name);
    Sum& sum = sums[name];
    ++sum.shares;
    sum.rows_in += each->rows_in;
    sum.rows_out += each->rows_out;
    sum.bytes_in += each->bytes_in;
    sum.busy_ns += each->busy_ns;
    sum.blocked_ns += each->blocked_ns;
    sum.state_bytes += each->state_bytes;
    sum.state_keys += each->state_keys;
    sum.waiting += each->waiting;
    sum.pause_ns = std::max<int64_t>(sum.pause_ns, each->pause_ns);
    sum.watermark_us = std::min<int64_t>(sum.watermark_us, each->watermark_us);
  }
  std::vector<std::string> lines;
  for (const std::string& name : order) {
    const Sum& sum = sums[name];
    char pause[32];
    std::snprintf(pause, sizeof pause, "%.1f ms", static_cast<double>(sum.pause_ns) / 1e6);
    lines.push_back("  " + name + (sum.shares > 1 ? " x" + std::to_string(sum.shares) : "") +
                    "  in=" + with_thousands(sum.rows_in) + " (" + megabytes(sum.bytes_in) + ") out=" +
                    with_thousands(sum.rows_out) + " busy=" + percent(sum.busy_ns, seconds, sum.shares) +
                    " blocked=" + percent(sum.blocked_ns, seconds, sum.shares) +
                    " waiting=" + std::to_string(sum.waiting) + " watermark=" + watermark(sum.watermark_us) +
                    " state=" + megabytes(sum.state_bytes) + " keys=" + with_thousands(sum.state_keys) +
                    " pause=" + pause);
  }
  return lines;
}

std::string epoch_text(const PipelineStats& stats) {
  if (stats.operators().empty()) return "";
  const int64_t late = stats.late;
  return " late=" + std::to_string(late) + " state-size=" + megabytes(stats.state_bytes) +
         " epoch=" + std::to_string(stats.epoch);
}

std::vector<OperatorSample> operator_samples(
    const std::vector<std::pair<std::string, const PipelineStats*>>& pipelines) {
  using Value = int64_t (*)(const OperatorStats&);
  struct Gauge {
    OperatorSample sample;
    Value value;
  };
  std::vector<Gauge> gauges = {
      {{"weir_operator_rows_in", "rows that a stateful operator took since the attempt's start", "gauge", {}},
       [](const OperatorStats& s) -> int64_t { return s.rows_in; }},
      {{"weir_operator_rows_out", "rows that it gave", "gauge", {}},
       [](const OperatorStats& s) -> int64_t { return s.rows_out; }},
      {{"weir_operator_bytes_in", "bytes of the rows that it took", "gauge", {}},
       [](const OperatorStats& s) -> int64_t { return s.bytes_in; }},
      {{"weir_operator_busy_ms", "milliseconds of work", "gauge", {}},
       [](const OperatorStats& s) -> int64_t { return s.busy_ns / 1'000'000; }},
      {{"weir_operator_blocked_ms", "milliseconds of waiting for room downstream", "gauge", {}},
       [](const OperatorStats& s) -> int64_t { return s.blocked_ns / 1'000'000; }},
      {{"weir_operator_waiting_batches", "batches in its queue", "gauge", {}},
       [](const OperatorStats& s) -> int64_t { return s.waiting; }},
      {{"weir_operator_state_bytes", "memory of its state", "gauge", {}},
       [](const OperatorStats& s) -> int64_t { return s.state_bytes; }},
      {{"weir_operator_state_keys", "keys in its state", "gauge", {}},
       [](const OperatorStats& s) -> int64_t { return s.state_keys; }},
      {{"weir_operator_watermark_ms",
        "its watermark, milliseconds since 1970; absent while there is none",
        "gauge",
        {}},
       [](const OperatorStats& s) -> int64_t {
         return s.watermark_us == INT64_MAX ? INT64_MIN : s.watermark_us / 1000;
       }},
  };
  std::vector<OperatorSample> samples;
  for (Gauge& gauge : gauges) {
    for (const auto& [pipeline, stats] : pipelines) {
      for (const auto& each : stats->operators()) {
        const int64_t value = gauge.value(*each);
        if (value <= INT64_MIN / 1000) continue;
        gauge.sample.lines.push_back(std::string(gauge.sample.name) + "{pipeline=" + quoted(pipeline) +
                                     ",insert=" + quoted(each->insert) + ",operator=" + quoted(each->name) +
                                     ",share=\"" + std::to_string(each->share) + "\"} " +
                                     std::to_string(value));
      }
    }
    samples.push_back(std::move(gauge.sample));
  }
  OperatorSample late{"weir_late", "events whose windows had closed, since the start", "gauge", {}};
  OperatorSample state{"weir_state_bytes", "memory of all operators' state", "gauge", {}};
  OperatorSample epoch{"weir_epoch", "the newest epoch whose manifest is written", "gauge", {}};
  OperatorSample took{"weir_epoch_ms", "from its barrier to its manifest", "gauge", {}};
  for (const auto& [pipeline, stats] : pipelines) {
    if (stats->operators().empty()) continue;
    const std::string label = "{pipeline=" + quoted(pipeline) + "} ";
    late.lines.push_back(late.name + label + std::to_string(stats->late));
    state.lines.push_back(state.name + label + std::to_string(stats->state_bytes));
    epoch.lines.push_back(epoch.name + label + std::to_string(stats->epoch));
    took.lines.push_back(took.name + label + std::to_string(stats->epoch_ns / 1'000'000));
  }
  for (auto* sample : {&late, &state, &epoch, &took}) samples.push_back(std::move(*sample));
  return samples;
}

}  // namespace weir
