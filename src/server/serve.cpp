#include "server/serve.h"

#include <sys/resource.h>

#include <algorithm>
#include <utility>

#include "edge/bearer_tokens.h"
#include "edge/edge_targets.h"
#include "edge/http_server.h"
#include "edge/ingest.h"
#include "formats/json_text.h"
#include "log/log_format.h"
#include "server/registry_api.h"
#include "server/request_origin.h"
#include "server/unrouted.h"

namespace weir {
namespace {

constexpr auto kStep = std::chrono::milliseconds(50);
constexpr int64_t kRetainPeriodNs = 3'000'000'000;

// A flood of connections must not take the files that the log needs.
int connections_within_limits(int wanted) {
  constexpr rlim_t kOtherFiles = 512;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return wanted;
  const rlim_t needed = static_cast<rlim_t>(wanted) + kOtherFiles;
  if (limit.rlim_cur < needed) {
    limit.rlim_cur = std::min(limit.rlim_max, needed);
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) ::getrlimit(RLIMIT_NOFILE, &limit);
  }
  if (limit.rlim_cur >= needed) return wanted;
  return static_cast<int>(
      std::max<rlim_t>(limit.rlim_cur / 2, limit.rlim_cur > kOtherFiles ? limit.rlim_cur - kOtherFiles : 0));
}

HttpServerSettings server_settings(const EdgeConfig& config, const ListenAddress& address) {
  const Options& options = config.server;
  HttpServerSettings settings;
  settings.host = address.host;
  settings.port = address.port;
  settings.threads = static_cast<int>(options.integer("threads"));
  settings.max_connections = connections_within_limits(static_cast<int>(options.integer("max-connections")));
  settings.max_held_bytes = options.size("max-held");
  settings.head_timeout = options.duration("head-timeout");
  settings.body_timeout = options.duration("body-timeout");
  settings.idle_timeout = options.duration("idle-timeout");
  settings.tls_cert_file = options.string("tls-cert");
  settings.tls_key_file = options.string("tls-key");
  return settings;
}

using Admit = std::function<std::optional<HttpAnswer>(const HttpHead&)>;

// A page that is read with GET, by those whom `admit` lets in.
HttpRoute page(std::string path, Admit admit, std::function<HttpAnswer()> answer) {
  HttpRoute route;
  route.prefix = path;
  route.max_body_bytes = 0;
  route.admit = [path, admit = std::move(admit)](const HttpHead& head) -> std::optional<HttpAnswer> {
    if (head.path != path) return problem(404, "Not found", "there is nothing at " + head.path);
    if (head.method != "GET" && head.method != "HEAD") return method_not_allowed("GET, HEAD");
    return admit == nullptr ? std::nullopt : admit(head);
  };
  route.handle = [answer = std::move(answer)](std::shared_ptr<const HttpCall>, HttpRespond respond) {
    respond(answer());
  };
  return route;
}

class Server final : public EdgeServer {
 public:
  Server(const EdgeConfig& config, const Clock& clock, std::function<void(const std::string&)> log)
      : config_(config), clock_(clock), log_(std::move(log)), tokens_(config.tokens) {}
  ~Server() override {
    if (http_ != nullptr) http_->stop(config_.server.duration("drain-timeout"));
  }

  Status start() {
    auto address = parse_listen_address(config_.server.string("listen"));
    const std::string place = config_.server.has("listen") ? config_.server.location("listen").text() : "";
    if (!address.ok()) return address.status().with_context(place);
    address_ = *address;
    if (Status exposed = check_exposure(config_, address_); !exposed.ok()) return exposed.with_context(place);
    WEIR_ASSIGN(targets_, EdgeTargets::open(config_, clock_));
    if (log_stream_info(edge_log_folder(config_), kUnroutedStream).ok()) {
      // What was left there can only be read once its writer has recovered it.
      WEIR_TRY(targets_->open_target(kUnroutedTarget).status());
    }
    WEIR_ASSIGN(registry_, RegistryApi::open({edge_log_folder(config_), config_.tokens}, clock_));
    UnroutedSettings unrouted = unrouted_settings(config_);
    unrouted.log = log_;
    mover_ = UnroutedMover::start(std::move(unrouted), clock_);
    ingest_ = Ingest::create(config_, *targets_, clock_, {!address_.loopback});
    std::vector<HttpRoute> routes;
    routes.push_back(ingest_->route());
    routes.push_back(registry_route());
    const Admit with_token = [this](const HttpHead& head) { return server_token(head); };
    routes.push_back(unrouted_replay_route(config_, *targets_, clock_, with_token));
    routes.push_back(page("/healthz", nullptr, [] { return text("ok\n"); }));
    routes.push_back(page("/metrics", with_token, [this] { return metrics(); }));
    routes.push_back(page("/v1/streams", with_token, [this] { return streams(); }));
    HttpServerSettings settings = server_settings(config_, address_);
    if (address_.loopback && tokens_.empty()) {
      settings.admit = [this](const HttpHead& head) { return refuse_foreign(head, address_.host); };
    }
    WEIR_ASSIGN(http_, HttpServer::start(std::move(settings), std::move(routes)));
    return {};
  }

  std::string url() const override {
    const bool v6 = address_.host.find(':') != std::string::npos;
    return std::string(config_.server.string("tls-cert").empty() ? "http://" : "https://") +
           (v6 ? "[" + address_.host + "]" : address_.host) + ":" + std::to_string(http_->port());
  }

  void run(const std::atomic<bool>& stop) override {
    int64_t due_ns = clock_.monotonic_ns() + kRetainPeriodNs;
    std::string told;
    while (!stop) {
      clock_.sleep(kStep);
      if (clock_.monotonic_ns() < due_ns) continue;
      Status retained = targets_->retain();
      if (!retained.ok() && retained.message() != told) log_("retention: " + retained.message());
      told = retained.message();
      due_ns = clock_.monotonic_ns() + kRetainPeriodNs;
    }
    http_->stop(config_.server.duration("drain-timeout"));
  }

 private:
  // What belongs to the server, and not to a stream, is open only where nothing at all asks for a token, and
  // only to this machine.
  std::optional<HttpAnswer> closed() const {
    if (!tokens_.empty()) return std::nullopt;
    const bool streams_ask = std::any_of(config_.streams.begin(), config_.streams.end(),
                                         [](const EdgeStream& stream) { return !stream.tokens.empty(); });
    if (address_.loopback && !streams_ask) return std::nullopt;
    return problem(403, "Forbidden", "this needs a bearer token of the server: set tokens in [server]");
  }

  // Nothing, or the answer to who has no token of the server.
  std::optional<HttpAnswer> server_token(const HttpHead& head) const {
    if (auto refused = closed()) return refused;
    if (tokens_.admit(head.header("authorization"))) return std::nullopt;
    HttpAnswer refused = problem(401, "Unauthorized", "this needs a bearer token of the server");
    refused.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"weir\"");
    return refused;
  }

  HttpRoute registry_route() {
    HttpRoute route = registry_->route();
    route.admit = [this, own = std::move(route.admit)](const HttpHead& head) {
      auto refused = closed();
      return refused ? refused : own(head);
    };
    return route;
  }

  static HttpAnswer text(std::string body) {
    HttpAnswer answer;
    answer.content_type = "text/plain; version=0.0.4; charset=utf-8";
    answer.body = std::move(body);
    return answer;
  }

  HttpAnswer metrics() const {
    std::string body = ingest_->metrics();
    const auto writers = targets_->log_writers();
    const auto each = [&](const char* name, const char* help, int64_t LogWriter::Extent::* member) {
      body += std::string("# HELP ") + name + " " + help + "\n# TYPE " + name + " gauge\n";
      for (const auto& [stream, writer] : writers) {
        const auto extents = writer->extents();
        for (size_t i = 0; i < extents.size(); ++i) {
          body += std::string(name) + "{stream=\"" + stream + "\",partition=\"" + std::to_string(i) + "\"} " +
                  std::to_string(extents[i].*member) + "\n";
        }
      }
    };
    each("weir_log_first_offset", "The lowest offset that is still there.", &LogWriter::Extent::first);
    each("weir_log_next_offset", "The offset of the next event.", &LogWriter::Extent::next);
    each("weir_log_bytes", "Bytes of the segments.", &LogWriter::Extent::bytes);
    return text(std::move(body));
  }

  HttpAnswer streams() const {
    HttpAnswer answer;
    answer.body = "{\"streams\":[";
    for (const auto& [stream, writer] : targets_->log_writers()) {
      if (stream.starts_with('_')) continue;
      if (!answer.body.ends_with('[')) answer.body += ',';
      answer.body += "{\"name\":" + json_quoted(stream) + ",\"partitions\":[";
      for (const LogWriter::Extent& extent : writer->extents()) {
        if (!answer.body.ends_with('[')) answer.body += ',';
        answer.body += "{\"first\":" + std::to_string(extent.first) +
                       ",\"next\":" + std::to_string(extent.next) +
                       ",\"bytes\":" + std::to_string(extent.bytes) + "}";
      }
      answer.body += "]}";
    }
    answer.body += "]}\n";
    return answer;
  }

  const EdgeConfig& config_;
  const Clock& clock_;
  const std::function<void(const std::string&)> log_;
  const BearerTokens tokens_;
  ListenAddress address_;
  // In the order that each needs the one before.
  std::unique_ptr<EdgeTargets> targets_;
  std::unique_ptr<RegistryApi> registry_;
  std::unique_ptr<UnroutedMover> mover_;
  std::unique_ptr<Ingest> ingest_;
  std::unique_ptr<HttpServer> http_;
};

}  // namespace

bool is_loopback_host(const std::string& host) {
  const bool numeric = host.find_first_not_of("0123456789.") == std::string::npos;
  return host == "localhost" || host == "::1" || (numeric && host.starts_with("127."));
}

Result<ListenAddress> parse_listen_address(const std::string& text) {
  const Status unusable = Status::invalid("option 'listen': found '" + text +
                                          "', expected an address and a port, such as '127.0.0.1:7080'");
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return unusable;
  ListenAddress address;
  address.host = text.substr(0, colon);
  if (address.host.front() == '[' && address.host.back() == ']') {
    address.host = address.host.substr(1, address.host.size() - 2);
  } else if (address.host.find(':') != std::string::npos) {
    return unusable;
  }
  const std::string port = text.substr(colon + 1);
  if (port.empty() || port.size() > 5 || port.find_first_not_of("0123456789") != std::string::npos) {
    return unusable;
  }
  address.port = std::stoi(port);
  if (address.port > 65535 || address.host.empty()) return unusable;
  address.loopback = is_loopback_host(address.host);
  return address;
}

Status check_exposure(const EdgeConfig& config, const ListenAddress& address) {
  if (address.loopback || !config.tokens.empty()) return {};
  std::string open;
  for (const EdgeStream& stream : config.streams) {
    if (stream.tokens.empty()) open += (open.empty() ? "'" : ", '") + stream.name + "'";
  }
  if (!config.streams.empty() && open.empty()) return {};
  return Status::invalid(
      "listen = \"" + config.server.string("listen") + "\" is reached from other machines, and " +
      (open.empty() ? "no token is set" : "anybody could post to " + open) +
      ": set tokens = [\"${env:WEIR_TOKEN}\"] in [server] or in each [[stream]], or listen on 127.0.0.1");
}

Result<std::unique_ptr<EdgeServer>> EdgeServer::start(const EdgeConfig& config, const Clock& clock,
                                                      std::function<void(const std::string&)> log) {
  auto server = std::make_unique<Server>(config, clock, std::move(log));
  if (Status started = server->start(); !started.ok()) return started;
  return std::unique_ptr<EdgeServer>(std::move(server));
}

}  // namespace weir
