#include "edge/router.h"

namespace weir {
namespace {

std::string_view next_token(std::string_view& text) {
  size_t dot = text.find('.');
  std::string_view token = text.substr(0, dot);
  text = dot == std::string_view::npos ? std::string_view() : text.substr(dot + 1);
  return token;
}

// The event's own headers first: what is stored with it decides the same way again.
bool header_fits(const std::string& name, const std::string& pattern, const RouteFacts& facts) {
  for (const auto& [attribute, value] : facts.envelope->attributes) {
    if (attribute == name) return glob_fits(pattern, value);
  }
  if (facts.head == nullptr) return false;
  for (const auto& [header, value] : facts.head->headers) {
    if (header == name) return glob_fits(pattern, value);
  }
  return false;
}

}  // namespace

// Goes back to the last star only, so at most pattern times text steps.
bool glob_fits(std::string_view pattern, std::string_view text) {
  size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool subject_fits(std::string_view pattern, std::string_view subject) {
  if (subject.empty()) return false;
  bool pattern_left = true, subject_left = true;
  while (pattern_left && subject_left) {
    pattern_left = pattern.find('.') != std::string_view::npos;
    subject_left = subject.find('.') != std::string_view::npos;
    std::string_view wanted = next_token(pattern), token = next_token(subject);
    if (wanted == ">" && !pattern_left) return true;
    if (wanted != "*" && wanted != token) return false;
  }
  return pattern_left == subject_left;
}

Router::Router(const EdgeConfig& config) : any_stream_(config.streams.empty()) {
  for (const EdgeRoute& route : config.routes) {
    routes_.push_back(
        {route.stream, route.type, route.subject, {route.headers.begin(), route.headers.end()}, route.to});
  }
  for (const EdgeStream& stream : config.streams) streams_.insert(stream.name);
}

bool Router::fits(const Route& route, const RouteFacts& facts) const {
  if (!route.stream.empty() && !glob_fits(route.stream, facts.stream)) return false;
  if (!route.type.empty() && !glob_fits(route.type, facts.envelope->type)) return false;
  if (!route.subject.empty() && !subject_fits(route.subject, facts.subject)) return false;
  for (const auto& [name, pattern] : route.headers) {
    if (!header_fits(name, pattern, facts)) return false;
  }
  return true;
}

std::optional<std::string> Router::route(const RouteFacts& facts) const {
  for (const Route& route : routes_) {
    if (fits(route, facts)) return route.to;
  }
  if (any_stream_ || streams_.count(facts.stream) != 0) return "log:" + std::string(facts.stream);
  return std::nullopt;
}

}  // namespace weir
