#include "server/registry_api.h"

#include <openssl/evp.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "edge/bearer_tokens.h"
#include "registry/append_log.h"
#include "registry/registry_requests.h"

namespace weir {
namespace {

constexpr size_t kMostWaiting = 256;             // requests
constexpr int64_t kMostWaitingBytes = 64 << 20;  // of their bodies
constexpr std::string_view kPrefix = "/registry";

// The password of "Basic <base64 of user:password>"; "" for anything else.
std::string password_of(std::string_view authorization) {
  const std::string_view encoded = after_scheme(authorization, "Basic ");
  if (encoded.empty() || encoded.size() % 4 != 0 || encoded.size() > 8192) return "";
  std::string decoded(encoded.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(decoded.data()),
                                   reinterpret_cast<const unsigned char*>(encoded.data()),
                                   static_cast<int>(encoded.size()));
  if (size < 0) return "";
  const size_t padding = encoded.ends_with("==") ? 2 : encoded.ends_with("=") ? 1 : 0;
  decoded.resize(static_cast<size_t>(size) - padding);
  const size_t colon = decoded.find(':');
  return colon == std::string::npos ? "" : decoded.substr(colon + 1);
}

HttpAnswer http_answer(RegistryAnswer answer) {
  HttpAnswer http;
  http.status = answer.status;
  http.content_type = kRegistryContentType;
  http.body = std::move(answer.body);
  if (http.status == 401) http.headers.emplace_back("WWW-Authenticate", "Basic realm=\"weir\", Bearer");
  if (http.status == 503) http.headers.emplace_back("Retry-After", "1");
  return http;
}

struct Waiting {
  std::shared_ptr<const HttpCall> call;
  HttpRespond respond;
};

class Api final : public RegistryApi {
 public:
  Api(const std::vector<std::string>& tokens, std::unique_ptr<RegistryRequests> requests)
      : tokens_(tokens), requests_(std::move(requests)) {
    worker_ = std::thread([this] { work(); });
  }

  ~Api() override {
    {
      std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    changed_.notify_all();
    worker_.join();
  }

  HttpRoute route() override {
    HttpRoute route;
    route.prefix = kPrefix;
    route.max_body_bytes = 4 << 20;
    route.admit = [this](const HttpHead& head) { return admit(head); };
    route.handle = [this](std::shared_ptr<const HttpCall> call, HttpRespond respond) {
      handle({std::move(call), std::move(respond)});
    };
    return route;
  }

 private:
  std::optional<HttpAnswer> admit(const HttpHead& head) const {
    const std::string_view authorization = head.header("authorization");
    if (tokens_.admit(authorization) || tokens_.has(password_of(authorization))) return std::nullopt;
    return http_answer(
        registry_error(40101, "Unauthorized: a token is needed, as Bearer or as Basic password"));
  }

  static RegistryCall call_of(const HttpCall& call) {
    const std::string_view path = call.head.path;
    return {call.head.method, std::string(path.substr(std::min(path.size(), kPrefix.size()))),
            call.head.query, call.body};
  }

  void handle(Waiting waiting) {
    // "/registryx" has the prefix, too.
    const std::string& path = waiting.call->head.path;
    if (path.size() > kPrefix.size() && path[kPrefix.size()] != '/') {
      return waiting.respond(http_answer(registry_error(404, "HTTP 404 Not Found")));
    }
    const RegistryCall call = call_of(*waiting.call);
    if (!RegistryRequests::may_block(call)) return waiting.respond(http_answer(requests_->answer(call)));
    {
      std::lock_guard lock(mutex_);
      const auto bytes = static_cast<int64_t>(waiting.call->body.size());
      if (!stopped_ && waiting_.size() < kMostWaiting && waiting_bytes_ + bytes <= kMostWaitingBytes) {
        waiting_bytes_ += bytes;
        waiting_.push_back(std::move(waiting));
        changed_.notify_one();
        return;
      }
    }
    waiting.respond(busy());
  }

  static HttpAnswer busy() {
    RegistryAnswer answer = registry_error(50001, "too many requests wait for the registry: try again");
    answer.status = 503;
    return http_answer(std::move(answer));
  }

  void work() {
    while (true) {
      Waiting next;
      bool stopped = false;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return stopped_ || !waiting_.empty(); });
        if (waiting_.empty()) return;
        stopped = stopped_;
        next = std::move(waiting_.front());
        waiting_.pop_front();
        waiting_bytes_ -= static_cast<int64_t>(next.call->body.size());
      }
      next.respond(stopped ? busy() : http_answer(requests_->answer(call_of(*next.call))));
    }
  }

  const BearerTokens tokens_;
  std::unique_ptr<RegistryRequests> requests_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<Waiting> waiting_;
  int64_t waiting_bytes_ = 0;
  bool stopped_ = false;
  std::thread worker_;
};

}  // namespace

Result<std::unique_ptr<RegistryApi>> RegistryApi::open(RegistryApiSettings settings, const Clock& clock) {
  WEIR_ASSIGN(auto log, open_schemas_log(settings.folder, clock));
  WEIR_ASSIGN(auto requests, RegistryRequests::open(std::move(log)));
  return std::unique_ptr<RegistryApi>(std::make_unique<Api>(settings.tokens, std::move(requests)));
}

}  // namespace weir
