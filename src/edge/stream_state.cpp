#include "edge/stream_state.h"

#include <algorithm>
#include <mutex>

#include "base/text.h"

namespace weir {
namespace {

int64_t own_or_server(const EdgeConfig& config, const EdgeStream* declared, const char* name, bool size) {
  const Options& options =
      declared != nullptr && declared->options.has(name) ? declared->options : config.server;
  return size ? options.size(name) : options.integer(name);
}

int64_t rate_of(const EdgeStream* declared, const char* name, bool size) {
  if (declared == nullptr || !declared->options.has(name)) return 0;
  return size ? declared->options.size(name) : declared->options.integer(name);
}

std::chrono::milliseconds burst_of(const EdgeStream* declared) {
  return declared == nullptr ? std::chrono::milliseconds(1000) : declared->options.duration("rate.burst");
}

}  // namespace

StreamState::StreamState(std::string of, const EdgeConfig& config, const EdgeStream* declared)
    : name(std::move(of)),
      tokens(declared != nullptr && !declared->tokens.empty() ? declared->tokens : config.tokens),
      max_body(own_or_server(config, declared, "max-body", true)),
      event_rate(rate_of(declared, "rate.events", false), burst_of(declared)),
      byte_rate(rate_of(declared, "rate.bytes", true), burst_of(declared)) {
  limits.max_depth = static_cast<int>(own_or_server(config, declared, "max-depth", false));
  limits.max_events = static_cast<size_t>(own_or_server(config, declared, "max-events", false));
  if (declared == nullptr) return;
  limits.any_content = declared->options.string("content") == "any";
  limits.forward_headers = split_list(declared->options.string("forward-headers"));
  for (std::string& header : limits.forward_headers) {
    std::transform(header.begin(), header.end(), header.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  }
}

void StreamState::count_answer(int status) {
  const auto* found = std::find(kStatuses.begin(), kStatuses.end() - 1, status);
  answers[static_cast<size_t>(found - kStatuses.begin())].fetch_add(1, std::memory_order_relaxed);
}

StreamStates::StreamStates(const EdgeConfig& config) : config_(config), other_("(other)", config, nullptr) {
  for (const EdgeStream& stream : config.streams) {
    states_[stream.name] = std::make_unique<StreamState>(stream.name, config, &stream);
  }
}

StreamState& StreamStates::find(std::string_view stream) {
  std::shared_lock lock(mutex_);
  auto found = states_.find(stream);
  return found == states_.end() ? other_ : *found->second;
}

StreamState& StreamStates::make(std::string_view stream) {
  StreamState& there = find(stream);
  if (&there != &other_) return there;
  std::unique_lock lock(mutex_);
  auto found = states_.find(stream);
  if (found != states_.end()) return *found->second;
  if (states_.size() >= config_.streams.size() + kMostUndeclared) return other_;
  auto& made = states_[std::string(stream)];
  made = std::make_unique<StreamState>(std::string(stream), config_, nullptr);
  return *made;
}

std::string StreamStates::metrics() const {
  std::vector<const StreamState*> all;
  std::shared_lock lock(mutex_);
  for (const auto& [name, state] : states_) all.push_back(state.get());
  all.push_back(&other_);
  std::string text =
      "# HELP weir_edge_requests_total Requests to /v1/events answered, by stream and status.\n"
      "# TYPE weir_edge_requests_total counter\n";
  for (const StreamState* state : all) {
    for (size_t i = 0; i < StreamState::kStatuses.size(); ++i) {
      const int64_t count = state->answers[i].load(std::memory_order_relaxed);
      if (count == 0) continue;
      const int status = StreamState::kStatuses[i];
      text += "weir_edge_requests_total{stream=\"" + state->name + "\",status=\"" +
              (status == 0 ? "other" : std::to_string(status)) + "\"} " + std::to_string(count) + "\n";
    }
  }
  const auto each = [&](const char* name, const char* type, const char* help, auto member) {
    text += std::string("# HELP ") + name + " " + help + "\n# TYPE " + name + " " + type + "\n";
    for (const StreamState* state : all) {
      text += std::string(name) + "{stream=\"" + state->name + "\"} " +
              std::to_string((state->*member).load(std::memory_order_relaxed)) + "\n";
    }
  };
  each("weir_edge_events_total", "counter", "Events stored, repeats not counted.", &StreamState::events);
  each("weir_edge_bytes_total", "counter", "Bytes of payload stored.", &StreamState::bytes);
  each("weir_edge_unrouted_total", "counter", "Events that no route took.", &StreamState::unrouted);
  each("weir_edge_in_flight", "gauge", "Requests that wait for their answer.", &StreamState::in_flight);
  return text;
}

}  // namespace weir
