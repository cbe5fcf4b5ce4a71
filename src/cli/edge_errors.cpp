#include "cli/edge_errors.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/environment.h"
#include "base/objects.h"
#include "cli/command.h"
#include "clients/http_client.h"
#include "edge/edge_targets.h"
#include "server/unrouted.h"

namespace weir {
namespace {

using Json = nlohmann::json;

// Nobody else writes to the log meanwhile: its streams are locked.
Result<ReplayCounts> replay_here(const EdgeConfig& config, const ErrorFilter& filter) {
  const Clock& clock = Clock::real();
  const UnroutedSettings settings = unrouted_settings(config);
  WEIR_ASSIGN(const auto targets, EdgeTargets::open(config, clock));
  WEIR_TRY(targets->open_target(kUnroutedTarget).status());
  const Router router(config);
  const Reroute reroute = reroute_by(router, *targets);
  WEIR_TRY(move_unrouted(settings, clock));
  UnroutedReplay replay{filter, random_hex_id(), std::chrono::hours(24 * 365)};
  WEIR_ASSIGN(const UnroutedCounts counts, replay_unrouted(settings, replay, reroute, clock));
  return ReplayCounts(counts);
}

std::string server_url(const EdgeConfig& config) {
  const bool tls = config.server.has("tls-cert");
  std::string listen = config.server.string("listen");
  if (listen.starts_with("0.0.0.0:")) listen.replace(0, 7, "127.0.0.1");
  if (listen.starts_with("[::]:")) listen.replace(0, 4, "[::1]");
  return (tls ? "https://" : "http://") + listen;
}

// What the server said, as a failure of ours.
Status refusal(const std::string& url, const HttpResponse& answer) {
  const Json problem = Json::parse(answer.body, nullptr, false);
  std::string words = url + ": HTTP " + std::to_string(answer.status);
  if (problem.is_object() && problem.contains("detail") && problem["detail"].is_string()) {
    words += ": " + problem["detail"].get<std::string>();
  }
  switch (answer.status) {
    case 400: return Status::invalid(words);
    case 401:
    case 403: return {Code::denied, words};
    case 404: return {Code::not_found, words + ": is this `weir serve`?"};
    default: return Status::unavailable(words);
  }
}

Result<ReplayCounts> replay_there(const EdgeConfig& config, const ErrorFilter& filter,
                                  const std::string& url) {
  HttpSettings http;
  http.request_timeout = std::chrono::seconds(60);
  if (config.server.has("tls-cert")) http.ca_file = config.server.string("tls-cert");
  WEIR_ASSIGN(const auto client, open_http_client(http));
  const std::string body = Json{
      {"run", random_hex_id()},
      {"source", filter.source},
      {"code", filter.code},
      {"id", filter.id},
      {"where", filter.where}}.dump();
  HttpRequest request;
  request.method = "POST";
  request.url = url + kReplayPath;
  request.headers = {{"Content-Type", "application/json"}};
  if (!config.tokens.empty()) {
    request.headers.emplace_back("Authorization", "Bearer " + config.tokens.front());
  }
  request.body = {body};
  ReplayCounts counts;
  while (true) {
    WEIR_ASSIGN(const HttpResponse answer, client->send(request));
    if (answer.status != 200) return refusal(url, answer);
    const Json part = Json::parse(answer.body, nullptr, false);
    if (!part.is_object()) return Status::unavailable(url + ": an answer that is no JSON object");
    counts.replayed += part.value("replayed", int64_t{0});
    counts.resolved += part.value("resolved", int64_t{0});
    counts.failed += part.value("failed", int64_t{0});
    if (!part.value("more", false)) return counts;
    std::fprintf(stderr, "%s: replayed %lld\n", config.file.c_str(), static_cast<long long>(counts.replayed));
  }
}

}  // namespace

Result<EdgeConfig> load_edge_config(const std::string& file) {
  auto text = read_file(file);
  if (!text.ok()) return Status::invalid(file + ": " + text.status().message());
  Diagnostics diagnostics;
  EdgeConfig config = parse_edge_config(file, *text, diagnostics);
  WEIR_TRY(diagnostics.status());
  return config;
}

int replay_edge_errors(const EdgeConfig& config, const ErrorFilter& filter, std::string url) {
  Result<ReplayCounts> counts = Status(Code::already_exists, "");
  if (url.empty()) counts = replay_here(config, filter);
  if (counts.status().code() == Code::already_exists) {
    while (!url.empty() && url.back() == '/') url.pop_back();
    counts = replay_there(config, filter, url.empty() ? server_url(config) : url);
  }
  if (!counts.ok()) return report(counts.status());
  std::printf("replayed=%lld resolved=%lld failed=%lld\n", static_cast<long long>(counts->replayed),
              static_cast<long long>(counts->resolved), static_cast<long long>(counts->failed));
  return kExitOk;
}

}  // namespace weir
