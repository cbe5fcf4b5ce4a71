#include "edge/ingest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "edge/content_encoding.h"
#include "edge/edge_targets.h"
#include "edge/http_head.h"
#include "edge/router.h"
#include "edge/stream_state.h"
#include "formats/json_text.h"
#include "log/log_format.h"

namespace weir {
namespace {

constexpr std::string_view kPrefix = "/v1/events/";
constexpr size_t kLongestKey = 200;
constexpr size_t kLongestTargetKey = 255;

std::string_view stream_of(const HttpHead& head) {
  return std::string_view(head.path).substr(kPrefix.size());
}

HttpAnswer retry_later(int status, std::string_view title, std::string_view detail, int seconds) {
  HttpAnswer answer = problem(status, title, detail);
  answer.headers.emplace_back("Retry-After", std::to_string(seconds));
  return answer;
}

// Shared by the requests: a target may answer after the ingest's end.
struct Core {
  explicit Core(const EdgeConfig& config) : router(config), states(config) {}
  const Router router;
  StreamStates states;
};

// Everything that one request needs until it is answered.
struct Request {
  std::shared_ptr<Core> core;
  std::shared_ptr<const HttpCall> call;
  HttpRespond respond;
  StreamState* state = nullptr;
  std::string stream;
  std::optional<std::string> decoded;  // the body, when it came compressed
  ReceivedEvents received;
  std::list<std::string> headers;  // those that name the stream
  int64_t bytes = 0;
  size_t unrouted = 0;

  std::string_view body() const { return decoded ? *decoded : call->body; }
  void answer(HttpAnswer answer) {
    state->count_answer(answer.status);
    state->in_flight.fetch_sub(1, std::memory_order_relaxed);
    respond(std::move(answer));
  }
};

class Digest {
 public:
  Digest() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
  }
  void add(std::string_view text) {
    const uint64_t length = text.size();
    EVP_DigestUpdate(context_.get(), &length, sizeof length);
    EVP_DigestUpdate(context_.get(), text.data(), text.size());
  }
  std::array<unsigned char, 32> end() {
    std::array<unsigned char, 32> digest{};
    EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr);
    return digest;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
};

// Unique to stream and key, and no longer than targets take it.
RequestKey request_key(const Request& request) {
  RequestKey result;
  const HttpHead& head = request.call->head;
  std::string_view key = head.header("idempotency-key");
  if (key.empty()) return result;
  result.key = request.stream + "/" + std::string(key);
  if (result.key.size() > kLongestTargetKey) {
    Digest digest;
    digest.add(result.key);
    result.key = "sha256:";
    for (unsigned char byte : digest.end()) {
      static constexpr char kHex[] = "0123456789abcdef";
      result.key += kHex[byte >> 4];
      result.key += kHex[byte & 15];
    }
  }
  // What makes the events what they are; headers may come in any order.
  Digest digest;
  digest.add(request.stream);
  digest.add(head.header("content-type"));
  digest.add(head.header("weir-key"));
  std::vector<std::pair<std::string, std::string>> attributes;
  for (const auto& header : head.headers) {
    if (header.first.starts_with("ce-")) attributes.push_back(header);
  }
  std::sort(attributes.begin(), attributes.end());
  for (const auto& [name, value] : attributes) {
    digest.add(name);
    digest.add(value);
  }
  digest.add(request.body());
  for (unsigned char byte : digest.end()) result.fingerprint = result.fingerprint << 8 | byte;
  return result;
}

HttpAnswer stored_answer(const Request& request, const std::vector<EdgePosition>& positions) {
  HttpAnswer answer;
  answer.status = request.unrouted == 0 ? 200 : 202;
  std::string& body = answer.body;
  body.reserve(160);
  body = "{\"stream\":\"" + request.stream + "\",\"routed\":" + (request.unrouted == 0 ? "true" : "false") +
         ",\"events\":" + std::to_string(request.received.events.size());
  if (request.unrouted != 0) body += ",\"unrouted\":" + std::to_string(request.unrouted);
  body += ",\"positions\":[";
  bool repeated = !positions.empty(), first = true;
  for (const EdgePosition& position : positions) {
    repeated = repeated && position.repeated;
    if (position.target == kUnroutedTarget) continue;
    if (!first) body += ',';
    first = false;
    body += "{\"target\":" + json_quoted(position.target) +
            ",\"partition\":" + std::to_string(position.partition) +
            ",\"first\":" + std::to_string(position.first) +
            ",\"last\":" + std::to_string(position.first + position.count - 1) + "}";
  }
  body += repeated ? "],\"repeated\":true}\n" : "],\"repeated\":false}\n";
  return answer;
}

HttpAnswer failed_answer(const Status& status, bool has_key) {
  switch (status.code()) {
    case Code::exhausted:
      return retry_later(503, "Full", status.message() + "; nothing of this request is stored", 5);
    case Code::already_exists:
      return problem(422, "Idempotency-Key used before",
                     "this Idempotency-Key came with another request: " + status.message());
    case Code::invalid: return problem(413, "Refused by the target", status.message());
    default:
      return retry_later(
          503, "Not known to be stored",
          status.message() + (has_key ? "; the events may be stored: repeat the request with the "
                                        "same Idempotency-Key"
                                      : "; the events may be stored, and a repeat may store them "
                                        "twice: send an Idempotency-Key to repeat safely"),
          1);
  }
}

class EdgeIngest final : public Ingest {
 public:
  EdgeIngest(const EdgeConfig& config, TargetSet& targets, const Clock& clock, IngestSettings settings)
      : targets_(targets),
        clock_(clock),
        settings_(settings),
        core_(std::make_shared<Core>(config)),
        opener_(1, 256) {}

  HttpRoute route() override {
    HttpRoute route;
    route.prefix = kPrefix;
    route.admit = [this](const HttpHead& head) {
      auto refused = admit(head);
      if (refused) core_->states.find(stream_of(head)).count_answer(refused->status);
      return refused;
    };
    route.max_body = [this](const HttpHead& head) { return core_->states.find(stream_of(head)).max_body; };
    route.handle = [this](std::shared_ptr<const HttpCall> call, HttpRespond respond) {
      handle(std::move(call), std::move(respond));
    };
    return route;
  }

  std::string metrics() const override { return core_->states.metrics(); }

 private:
  std::optional<HttpAnswer> admit(const HttpHead& head) {
    std::string_view stream = stream_of(head);
    if (!is_log_stream_name(stream) || stream.front() == '_') {
      return problem(
          400, "Bad stream name",
          "a stream's name has letters, digits, '.', '_' and '-', at most 100, the first a letter or "
          "digit");
    }
    StreamState& state = core_->states.find(stream);
    const bool open = state.tokens.empty() && !settings_.tokens_needed;
    if (!open && (state.tokens.empty() || !state.tokens.admit(head.header("authorization")))) {
      HttpAnswer answer = problem(401, "Unauthorized", "this stream takes events with a bearer token only");
      answer.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"weir\"");
      return answer;
    }
    if (head.method != "POST") return method_not_allowed("POST");
    if (auto refused = twice(head)) return refused;
    if (!is_utf8(head.header("weir-key"))) return problem(400, "Bad Weir-Key", "a Weir-Key is UTF-8");
    for (const auto& [name, value] : head.headers) {
      if (name != "idempotency-key") continue;
      const bool printable =
          std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
      if (value.empty() || value.size() > kLongestKey || !printable) {
        return problem(400, "Bad Idempotency-Key",
                       "an Idempotency-Key has 1 to 200 printable ASCII characters");
      }
    }
    return std::nullopt;
  }

  // Which of both is meant, nobody knows.
  static std::optional<HttpAnswer> twice(const HttpHead& head) {
    for (const std::string_view once : {"idempotency-key", "weir-key", "content-type", "content-encoding"}) {
      const auto is_it = [&](const auto& header) { return header.first == once; };
      if (std::count_if(head.headers.begin(), head.headers.end(), is_it) < 2) continue;
      return problem(400, "Bad request", "the header '" + std::string(once) + "' is there twice");
    }
    return std::nullopt;
  }

  void handle(std::shared_ptr<const HttpCall> call, HttpRespond respond) {
    auto request = std::make_shared<Request>();  // shared with the targets' answers
    request->stream = stream_of(call->head);
    request->call = std::move(call);
    request->respond = std::move(respond);
    request->core = core_;
    request->state = &core_->states.find(request->stream);
    request->state->in_flight.fetch_add(1, std::memory_order_relaxed);
    if (auto refused = read(*request)) return request->answer(*std::move(refused));
    std::vector<Parcel> parcels = parcels_of(*request);
    RequestKey key = request_key(*request);
    const bool has_key = !key.key.empty();
    publish_parcels(targets_, opener_, std::move(parcels), std::move(key),
                    [request, has_key](Result<std::vector<EdgePosition>> positions) {
                      if (!positions.ok()) return request->answer(failed_answer(positions.status(), has_key));
                      count_stored(*request, *positions);
                      request->answer(stored_answer(*request, *positions));
                    });
  }

  std::optional<HttpAnswer> read(Request& request) {
    const HttpHead& head = request.call->head;
    StreamState& state = *request.state;
    std::string_view encoding = head.header("content-encoding");
    if (!encoding.empty() && media_type(encoding) != "identity") {
      if (auto refused =
              decode_body(encoding, request.call->body, state.max_body, request.decoded.emplace())) {
        return refused;
      }
    }
    if (auto refused = read_events(head, request.body(), state.limits, request.received)) return refused;
    const int64_t now_ns = clock_.monotonic_ns();
    int wait = state.event_rate.take(static_cast<int64_t>(request.received.events.size()), now_ns);
    if (wait == 0) wait = state.byte_rate.take(static_cast<int64_t>(request.body().size()), now_ns);
    if (wait != 0) return retry_later(429, "Too many events", "this stream's rate is used up for now", wait);
    return std::nullopt;
  }

  std::vector<Parcel> parcels_of(Request& request) {
    std::vector<Parcel> parcels;
    struct Addressed {
      size_t parcel = 0;
      std::string_view headers, subject;
    };
    std::vector<Addressed> addresses;
    addresses.reserve(request.received.envelopes.size());
    for (const EventEnvelope& envelope : request.received.envelopes) {
      Addressed address;
      address.subject = envelope.type.empty() ? std::string_view(request.stream) : envelope.type;
      RouteFacts facts{request.stream, &envelope, address.subject, &request.call->head};
      std::string target = core_->router.route(facts).value_or(kUnroutedTarget);
      address.headers = envelope.headers;
      // Whoever reads it elsewhere wants to know the stream.
      if (!target.starts_with("log:") || std::string_view(target).substr(4) != request.stream) {
        std::string& headers =
            request.headers.emplace_back("{\"weir-stream\":" + json_quoted(request.stream));
        if (envelope.headers.size() > 2) headers += ',';
        headers.append(envelope.headers, 1);
        address.headers = headers;
      }
      auto found = std::find_if(parcels.begin(), parcels.end(),
                                [&](const Parcel& parcel) { return parcel.target == target; });
      address.parcel = static_cast<size_t>(found - parcels.begin());
      if (found == parcels.end()) parcels.push_back({std::move(target), {}});
      addresses.push_back(address);
    }
    if (parcels.size() == 1) parcels[0].events.reserve(request.received.events.size());
    const int64_t now_us = clock_.now_us();
    for (const ReceivedEvent& event : request.received.events) {
      const Addressed& address = addresses[event.envelope];
      Parcel& parcel = parcels[address.parcel];
      if (parcel.target == kUnroutedTarget) ++request.unrouted;
      request.bytes += static_cast<int64_t>(event.payload.size());
      parcel.events.push_back({event.payload, event.key, address.subject, address.headers, now_us});
    }
    std::erase_if(parcels, [](const Parcel& parcel) { return parcel.events.empty(); });
    return parcels;
  }

  static void count_stored(Request& request, const std::vector<EdgePosition>& positions) {
    StreamState& state =
        request.core->router.takes_any_stream() ? request.core->states.make(request.stream) : *request.state;
    if (&state != request.state) {
      // The stream exists from now on.
      request.state->in_flight.fetch_sub(1, std::memory_order_relaxed);
      state.in_flight.fetch_add(1, std::memory_order_relaxed);
      request.state = &state;
    }
    const bool repeated = !positions.empty() && std::all_of(positions.begin(), positions.end(),
                                                            [](const auto& each) { return each.repeated; });
    if (repeated) return;
    state.events.fetch_add(static_cast<int64_t>(request.received.events.size()), std::memory_order_relaxed);
    state.bytes.fetch_add(request.bytes, std::memory_order_relaxed);
    state.unrouted.fetch_add(static_cast<int64_t>(request.unrouted), std::memory_order_relaxed);
  }

  TargetSet& targets_;
  const Clock& clock_;
  const IngestSettings settings_;
  const std::shared_ptr<Core> core_;
  WorkPool opener_;
};

}  // namespace

std::unique_ptr<Ingest> Ingest::create(const EdgeConfig& config, TargetSet& targets, const Clock& clock,
                                       IngestSettings settings) {
  return std::make_unique<EdgeIngest>(config, targets, clock, settings);
}

}  // namespace weir
