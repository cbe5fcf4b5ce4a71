#include "edge/http_server.h"

#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <limits>
#include <set>
#include <thread>
#include <type_traits>
#include <utility>

#include "base/clock.h"
#include "edge/http_head.h"

namespace weir {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr uint32_t kMostHeadBytes = 16 << 10;
constexpr size_t kMostTrailerBytes = 32 << 10;  // a chunk's head or the trailer, which Beast wants whole
constexpr size_t kMostHeaders = 100;
constexpr size_t kReadBytes = 32 << 10;
constexpr size_t kFirstReadBytes = 4 << 10;
constexpr size_t kReservedBodyBytes = 64 << 10;  // a Content-Length alone costs no more memory than this
constexpr auto kTick = std::chrono::milliseconds(50);  // how exact the timeouts are
constexpr auto kLinger = std::chrono::seconds(2);
constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool equals_lower(std::string_view text, std::string_view lower_case) {
  return std::equal(text.begin(), text.end(), lower_case.begin(), lower_case.end(),
                    [](char a, char b) { return lower(a) == b; });
}

// Beast's parser, straight into a HttpCall.
class RequestParser final : public http::basic_parser<true> {
 public:
  RequestParser() : call_(std::make_shared<HttpCall>()) {
    header_limit(kMostHeadBytes);
    body_limit(boost::none);
    eager(false);
  }
  HttpCall& call() { return *call_; }
  std::shared_ptr<HttpCall> take() { return std::move(call_); }
  const std::string& target() const { return target_; }
  bool http11() const { return version_ == 11; }
  int hosts() const { return hosts_; }
  bool other_transfer_encoding() const { return other_transfer_encoding_; }
  // Whether another server on the way could see another end of this request.
  bool unclear_end() const { return lengths_ > 1 || odd_length_ || (version_ < 11 && transfer_encoding_); }

 private:
  void on_request_impl(http::verb, boost::beast::string_view method, boost::beast::string_view target,
                       int version, error_code& ec) override {
    call_->head.method = view(method);
    target_ = view(target);
    version_ = version;
    call_->head.headers.reserve(12);
    ec = {};
  }
  void on_response_impl(int, boost::beast::string_view, int, error_code&) override {}
  void on_field_impl(http::field field, boost::beast::string_view name, boost::beast::string_view value,
                     error_code& ec) override {
    ec = {};
    if (header_done_) return;  // a trailer: nobody reads it
    if (call_->head.headers.size() >= kMostHeaders) {
      ec = http::error::header_limit;
      return;
    }
    if (field == http::field::host) ++hosts_;
    if (field == http::field::transfer_encoding) {
      transfer_encoding_ = true;
      if (!equals_lower(view(value), "chunked")) other_transfer_encoding_ = true;
    }
    if (field == http::field::content_length) {
      ++lengths_;
      if (value.find(',') != boost::beast::string_view::npos) odd_length_ = true;
    }
    auto& added = call_->head.headers.emplace_back();
    added.first.resize(name.size());
    std::transform(name.begin(), name.end(), added.first.begin(), lower);
    added.second = view(value);
  }
  void on_header_impl(error_code& ec) override {
    header_done_ = true;
    ec = {};
  }
  void on_body_init_impl(const boost::optional<std::uint64_t>& length, error_code& ec) override {
    size_t expected = length ? std::min<uint64_t>(*length, kReservedBodyBytes) : 0;
    call_->body.reserve(expected);
    ec = {};
  }
  std::size_t on_body_impl(boost::beast::string_view body, error_code& ec) override {
    ec = {};
    call_->body.append(body.data(), body.size());
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, boost::beast::string_view, error_code& ec) override { ec = {}; }
  std::size_t on_chunk_body_impl(std::uint64_t remain, boost::beast::string_view body,
                                 error_code& ec) override {
    ec = {};
    size_t length = std::min<uint64_t>(body.size(), remain);
    call_->body.append(body.data(), length);
    return length;
  }
  void on_finish_impl(error_code& ec) override { ec = {}; }

  std::shared_ptr<HttpCall> call_;
  std::string target_;
  int version_ = 11;
  int hosts_ = 0;
  bool header_done_ = false;
  bool transfer_encoding_ = false;
  bool other_transfer_encoding_ = false;
  int lengths_ = 0;
  bool odd_length_ = false;
};

class SessionBase {
 public:
  virtual ~SessionBase() = default;
  virtual void expire() = 0;
  virtual void close_if_idle() = 0;
  virtual void close() = 0;

  int64_t deadline_tick = kNever;
};

struct Shared {
  HttpServerSettings settings;
  std::vector<HttpRoute> routes;
  std::unique_ptr<asio::ssl::context> tls;
  std::atomic<int> connections{0};
  std::atomic<bool> draining{false};
  std::atomic<int64_t> held_bytes{
      0};  // of bodies, as announced; a chunked one counts as the most it may have

  const HttpRoute* route_of(std::string_view path) const {
    const HttpRoute* best = nullptr;
    for (const HttpRoute& route : routes) {
      if (!path.starts_with(route.prefix)) continue;
      // "/metrics" is no prefix of "/metricsx".
      bool whole = route.prefix.ends_with('/') || path.size() == route.prefix.size() ||
                   path[route.prefix.size()] == '/';
      if (whole && (best == nullptr || route.prefix.size() > best->prefix.size())) best = &route;
    }
    return best;
  }
};

// One io thread with its connections, which live and die on it. Whoever may post to `context` later holds a
// share of the worker.
struct Worker {
  explicit Worker(Shared& all) : shared(all), work(asio::make_work_guard(context)), sweep(context) {}

  int64_t ticks(std::chrono::milliseconds duration) const { return tick + duration / kTick + 1; }
  void sweep_later() {
    sweep.expires_after(kTick);
    sweep.async_wait([this](error_code ec) {
      if (ec) return;
      ++tick;
      int64_t second = Clock::real().now_us() / 1'000'000;
      if (second != date_second) date = http_date(date_second = second);
      std::vector<SessionBase*> expired;
      for (SessionBase* session : sessions) {
        if (session->deadline_tick <= tick) expired.push_back(session);
      }
      for (SessionBase* session : expired) session->expire();
      sweep_later();
    });
  }

  Shared& shared;
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work;
  asio::steady_timer sweep;
  std::set<SessionBase*> sessions;  // of this thread only
  int64_t tick = 0;
  int64_t date_second = -1;
  std::string date;
  std::thread thread;
};

enum class Phase { handshake, idle, head, body, handling, writing, lingering, closed };

template <class Stream>
class Session final : public SessionBase, public std::enable_shared_from_this<Session<Stream>> {
 public:
  static constexpr bool kTls = !std::is_same_v<Stream, tcp::socket>;

  Session(Stream stream, std::shared_ptr<Worker> worker, std::string remote)
      : worker_(*worker), owner_(worker), stream_(std::move(stream)), remote_(std::move(remote)) {}
  // On any thread: a dropped responder may hold the last share.
  ~Session() override = default;

  void start() {
    worker_.sessions.insert(this);
    error_code ignored;
    socket().set_option(tcp::no_delay(true), ignored);
    if constexpr (kTls) {
      phase_ = Phase::handshake;
      deadline_tick = worker_.ticks(settings().head_timeout);
      stream_.async_handshake(asio::ssl::stream_base::server,
                              [self = this->shared_from_this()](error_code ec) {
                                if (ec) return self->close();
                                self->next_request();
                              });
    } else {
      next_request();
    }
  }

  void expire() override {
    switch (phase_) {
      case Phase::head:
      case Phase::body:
        if (continuing_) return close();  // an answer would get between the bytes that are being written
        return refuse(problem(408, "Request timeout",
                              phase_ == Phase::head ? "the request's head took too long to arrive"
                                                    : "the request's body took too long to arrive"));
      default: close();
    }
  }
  void close_if_idle() override {
    if (phase_ == Phase::idle || phase_ == Phase::handshake) close();
  }
  void close() override {
    if (phase_ == Phase::closed) return;
    phase_ = Phase::closed;
    deadline_tick = kNever;
    let_go();
    worker_.sessions.erase(this);
    worker_.shared.connections.fetch_sub(1);
    error_code ignored;
    socket().close(ignored);
  }

 private:
  // Answers 500 when the handler dropped it.
  struct Responder {
    std::shared_ptr<Worker> worker;  // outlives the session's socket
    std::shared_ptr<Session> session;
    std::atomic<bool> called{false};

    Responder(std::shared_ptr<Worker> of, std::shared_ptr<Session> to)
        : worker(std::move(of)), session(std::move(to)) {}
    void answer(HttpAnswer answer) {
      if (called.exchange(true)) return;
      asio::dispatch(worker->context.get_executor(),
                     [session = std::move(session), answer = std::move(answer)]() mutable {
                       if (session->phase_ == Phase::handling) session->send(answer);
                     });
    }
    ~Responder() {
      if (!called) answer(problem(500, "Internal error", "the request was dropped"));
    }
  };

  const HttpServerSettings& settings() const { return worker_.shared.settings; }
  tcp::socket& socket() {
    if constexpr (kTls) {
      return stream_.next_layer();
    } else {
      return stream_;
    }
  }

  void next_request() {
    if (worker_.shared.draining) return close();
    parser_.emplace();
    keep_alive_ = head_only_ = refused_ = false;
    phase_ = Phase::idle;
    deadline_tick = worker_.ticks(settings().idle_timeout);
    parse();
  }

  void read_more() {
    size_t room = phase_ == Phase::body ? kReadBytes : kFirstReadBytes;
    reading_ = true;
    stream_.async_read_some(
        buffer_.prepare(room),
        [self = this->shared_from_this()](error_code ec, size_t bytes) { self->on_read(ec, bytes); });
  }

  void on_read(error_code ec, size_t bytes) {
    reading_ = false;
    if (phase_ == Phase::lingering) return ec ? close() : discard();
    if (phase_ != Phase::idle && phase_ != Phase::head && phase_ != Phase::body) return;
    if (ec) {
      if (phase_ == Phase::idle || ec != asio::error::eof) return close();
      return refuse(problem(400, "Incomplete request", "the connection's end came before the request's"));
    }
    buffer_.commit(bytes);
    parse();
  }

  void parse() {
    if (phase_ == Phase::idle && !start_head()) return read_more();
    while (!parser_->is_done()) {
      if (buffer_.size() == 0) return read_more();
      error_code ec;
      size_t used = parser_->put(buffer_.data(), ec);
      buffer_.consume(used);
      if (ec == http::error::need_more) {
        if (phase_ == Phase::body && used == 0 && buffer_.size() > kMostTrailerBytes) {
          return refuse(problem(400, "Bad request", "a chunk's head is too long"));
        }
        return read_more();
      }
      if (ec) return refuse(problem_of(ec));
      if (phase_ == Phase::head && parser_->is_header_done()) {
        if (!on_head()) return;
      }
    }
    handle();
  }

  // False: nothing of a request is here yet. Empty lines before one are skipped, as RFC 9112 asks.
  bool start_head() {
    while (buffer_.size() != 0) {
      char first = *static_cast<const char*>(buffer_.data().data());
      if (first != '\r' && first != '\n') break;
      buffer_.consume(1);
    }
    if (buffer_.size() == 0) return false;
    phase_ = Phase::head;
    deadline_tick = worker_.ticks(settings().head_timeout);
    return true;
  }

  HttpAnswer problem_of(error_code ec) const {
    if (ec == http::error::header_limit) {
      return problem(431, "Head too large", "the request's head is larger than 16 KiB or 100 fields");
    }
    if (ec == http::error::body_limit) return too_large();
    if (ec == http::error::bad_version)
      return problem(505, "Bad version", "only HTTP/1.0 and 1.1 are spoken");
    return problem(400, "Bad request", ec.message());
  }
  HttpAnswer too_large() const {
    return problem(413, "Body too large", "at most " + std::to_string(max_body_) + " bytes are taken",
                   "\"max-body\":" + std::to_string(max_body_));
  }

  // False: it was answered, or goes on later.
  bool on_head() {
    HttpHead& head = parser_->call().head;
    head.remote = remote_;
    keep_alive_ = parser_->keep_alive();
    head_only_ = head.method == "HEAD";
    // Where such a request ends is not known: nothing behind it is looked at.
    if (parser_->other_transfer_encoding()) {
      refuse(problem(501, "Not implemented", "the only transfer encoding taken is chunked"));
      return false;
    }
    if (parser_->unclear_end()) {
      refuse(problem(400, "Bad request", "one Content-Length, or Transfer-Encoding of HTTP/1.1, is taken"));
      return false;
    }
    if (parser_->http11() && parser_->hosts() != 1) {
      return refused(problem(400, "Bad request", "HTTP/1.1 needs one Host field"));
    }
    if (Status parsed = parse_target(parser_->target(), head); !parsed.ok()) {
      return refused(problem(400, "Bad path", parsed.message()));
    }
    if (settings().admit) {
      if (auto answer = settings().admit(head)) return refused(*std::move(answer));
    }
    route_ = worker_.shared.route_of(head.path);
    if (route_ == nullptr) return refused(problem(404, "Not found", "there is nothing at " + head.path));
    if (route_->admit) {
      if (auto answer = route_->admit(head)) return refused(*std::move(answer));
    }
    max_body_ = route_->max_body ? route_->max_body(head) : route_->max_body_bytes;
    auto length = parser_->content_length();
    if (length && *length > static_cast<uint64_t>(max_body_)) return refused(too_large());
    if (!parser_->is_done() && !hold(length ? static_cast<int64_t>(*length) : max_body_)) {
      HttpAnswer full = problem(503, "Too many bodies", "too many bytes of other requests wait already");
      full.headers.emplace_back("Retry-After", "1");
      return refused(std::move(full));
    }
    parser_->body_limit(static_cast<uint64_t>(max_body_));
    parser_->eager(true);
    if (parser_->is_done()) return true;
    phase_ = Phase::body;
    deadline_tick = worker_.ticks(settings().body_timeout);
    std::string_view expected = head.header("expect");
    if (expected.empty()) return true;
    if (!equals_lower(expected, "100-continue")) {
      return refused(problem(417, "Expectation failed", "only 100-continue can be expected"));
    }
    if (!parser_->http11() || buffer_.size() != 0) return true;
    continuing_ = true;
    asio::async_write(stream_, asio::buffer(std::string_view("HTTP/1.1 100 Continue\r\n\r\n")),
                      [self = this->shared_from_this()](error_code ec, size_t) {
                        self->continuing_ = false;
                        if (self->phase_ != Phase::body) return;
                        if (ec) return self->close();
                        self->parse();
                      });
    return false;
  }

  bool hold(int64_t bytes) {
    std::atomic<int64_t>& all = worker_.shared.held_bytes;
    if (all.fetch_add(bytes) + bytes > settings().max_held_bytes) {
      all.fetch_sub(bytes);
      return false;
    }
    held_ = bytes;
    return true;
  }
  void let_go() { worker_.shared.held_bytes.fetch_sub(std::exchange(held_, 0)); }

  bool refused(HttpAnswer answer) {
    // Where no body follows, the connection is still in step.
    if (parser_->is_done()) {
      send(answer);
    } else {
      refuse(answer);
    }
    return false;
  }
  void refuse(const HttpAnswer& answer) {
    keep_alive_ = false;
    refused_ = true;
    send(answer);
  }

  void handle() {
    phase_ = Phase::handling;
    deadline_tick = kNever;
    auto responder = std::make_shared<Responder>(owner_.lock(), this->shared_from_this());
    try {
      route_->handle(parser_->take(),
                     [responder](HttpAnswer answer) { responder->answer(std::move(answer)); });
    } catch (const std::exception& error) {
      responder->answer(problem(500, "Internal error", error.what()));
    }
  }

  void send(const HttpAnswer& answer) {
    let_go();
    phase_ = Phase::writing;
    deadline_tick = worker_.ticks(settings().body_timeout);
    keep_alive_ = keep_alive_ && !worker_.shared.draining;
    out_ = serialize_answer(answer, worker_.date, keep_alive_, head_only_);
    asio::async_write(stream_, asio::buffer(out_),
                      [self = this->shared_from_this()](error_code ec, size_t) { self->on_written(ec); });
  }

  void on_written(error_code ec) {
    if (phase_ != Phase::writing) return;
    if (ec) return close();
    if (keep_alive_) return next_request();
    // A request that was read whole leaves nothing behind.
    if (!kTls && !refused_ && buffer_.size() == 0) return close();
    linger();
  }

  // Closing with unread bytes would reset the connection under the answer: what still comes is thrown away.
  void linger() {
    phase_ = Phase::lingering;
    deadline_tick = worker_.ticks(kLinger);
    if constexpr (kTls) {
      if (reading_) return close();  // a shutdown would read as well
      stream_.async_shutdown([self = this->shared_from_this()](error_code) { self->close(); });
    } else {
      error_code ignored;
      socket().shutdown(tcp::socket::shutdown_send, ignored);
      if (!reading_) discard();  // else what on_read gets is thrown away
    }
  }
  void discard() {
    buffer_.consume(buffer_.size());
    socket().async_read_some(buffer_.prepare(kReadBytes),
                             [self = this->shared_from_this()](error_code ec, size_t) {
                               if (self->phase_ != Phase::lingering) return;
                               if (ec) return self->close();
                               self->discard();
                             });
  }

  Worker& worker_;
  std::weak_ptr<Worker> owner_;  // weak: handlers that wait in its context hold sessions
  Stream stream_;
  std::string remote_;
  boost::beast::flat_buffer buffer_;
  std::optional<RequestParser> parser_;
  Phase phase_ = Phase::idle;
  bool keep_alive_ = false;
  bool head_only_ = false;
  bool refused_ = false;     // before it was read whole
  bool continuing_ = false;  // "100 Continue" is being written
  bool reading_ = false;     // into buffer_, which must stay where it is
  int64_t max_body_ = 0;
  int64_t held_ = 0;  // this request's share of held_bytes
  const HttpRoute* route_ = nullptr;
  std::string out_;
};

class BeastServer final : public HttpServer {
 public:
  BeastServer(HttpServerSettings settings, std::vector<HttpRoute> routes) {
    shared_.settings = std::move(settings);
    shared_.routes = std::move(routes);
    for (int i = 0; i < std::max(1, shared_.settings.threads); ++i) {
      workers_.push_back(std::make_shared<Worker>(shared_));
    }
    acceptor_.emplace(workers_[0]->context);
    pause_.emplace(workers_[0]->context);
  }
  ~BeastServer() override { stop(std::chrono::milliseconds(0)); }

  Status listen() {
    if (Status tls = load_tls(); !tls.ok()) return tls;
    const HttpServerSettings& settings = shared_.settings;
    error_code ec;
    tcp::endpoint endpoint;
    tcp::resolver resolver(workers_[0]->context);
    auto found = resolver.resolve(settings.host, std::to_string(settings.port),
                                  tcp::resolver::passive | tcp::resolver::numeric_service, ec);
    if (ec) return Status::invalid("cannot listen on '" + settings.host + "': " + ec.message());
    endpoint = found.begin()->endpoint();
    const std::string where = settings.host + ":" + std::to_string(settings.port);
    acceptor_->open(endpoint.protocol(), ec);
    if (!ec) acceptor_->set_option(asio::socket_base::reuse_address(true), ec);
    if (!ec) acceptor_->bind(endpoint, ec);
    if (!ec) acceptor_->listen(asio::socket_base::max_listen_connections, ec);
    if (ec) return Status::unavailable("cannot listen on " + where + ": " + ec.message());
    port_ = acceptor_->local_endpoint(ec).port();
    return {};
  }

  void run() {
    accept();
    for (auto& worker : workers_) {
      worker->date = http_date(worker->date_second = Clock::real().now_us() / 1'000'000);
      worker->sweep_later();
      worker->thread = std::thread([worker = worker.get()] { worker->context.run(); });
    }
  }

  int port() const override { return port_; }

  void stop(std::chrono::milliseconds grace) override {
    if (stopped_) return;
    stopped_ = true;
    shared_.draining = true;
    asio::post(workers_[0]->context, [this] {
      error_code ignored;
      acceptor_->close(ignored);
      pause_->cancel();
    });
    each_session([](SessionBase& session) { session.close_if_idle(); });
    constexpr auto kStep = std::chrono::milliseconds(5);
    for (auto waited = kStep; shared_.connections > 0 && waited <= grace; waited += kStep) {
      Clock::real().sleep(kStep);
    }
    each_session([](SessionBase& session) { session.close(); });
    for (auto& worker : workers_) {
      asio::post(worker->context, [worker = worker.get()] {
        worker->work.reset();
        worker->context.stop();
      });
    }
    for (auto& worker : workers_) {
      if (worker->thread.joinable()) worker->thread.join();
    }
  }

 private:
  Status load_tls() {
    const HttpServerSettings& settings = shared_.settings;
    if (settings.tls_cert_file.empty() != settings.tls_key_file.empty()) {
      return Status::invalid("TLS needs both a certificate and a key, or neither");
    }
    if (settings.tls_cert_file.empty()) return {};
    shared_.tls = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_server);
    SSL_CTX_set_min_proto_version(shared_.tls->native_handle(), TLS1_2_VERSION);
    error_code ec;
    shared_.tls->use_certificate_chain_file(settings.tls_cert_file, ec);
    if (ec) return Status::invalid("TLS certificate " + settings.tls_cert_file + ": " + ec.message());
    shared_.tls->use_private_key_file(settings.tls_key_file, asio::ssl::context::pem, ec);
    if (ec) return Status::invalid("TLS key " + settings.tls_key_file + ": " + ec.message());
    return {};
  }

  template <class Action>
  void each_session(Action action) {
    for (auto& worker : workers_) {
      asio::post(worker->context, [worker = worker.get(), action] {
        std::vector<SessionBase*> sessions(worker->sessions.begin(), worker->sessions.end());
        for (SessionBase* session : sessions) action(*session);
      });
    }
  }

  void accept() {
    auto worker = workers_[next_++ % workers_.size()];
    acceptor_->async_accept(worker->context, [this, worker](error_code ec, tcp::socket socket) {
      if (shared_.draining || ec == asio::error::operation_aborted) return;
      if (ec) {  // too many open files, or the client is gone: not at full speed
        pause_->expires_after(kTick);
        pause_->async_wait([this](error_code cancelled) {
          if (!cancelled) accept();
        });
        return;
      }
      take(worker, std::move(socket));
      accept();
    });
  }

  void take(const std::shared_ptr<Worker>& worker, tcp::socket socket) {
    error_code ec;
    if (shared_.connections.fetch_add(1) >= shared_.settings.max_connections) {
      shared_.connections.fetch_sub(1);
      HttpAnswer full = problem(503, "Too many connections", "this server's connections are all in use");
      full.headers.emplace_back("Retry-After", "1");
      std::string bytes = serialize_answer(full, workers_[0]->date, false, false);
      // As much as fits at once: a refused client is not waited for.
      if (shared_.tls == nullptr)
        ::send(socket.native_handle(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      socket.shutdown(tcp::socket::shutdown_send, ec);
      return;
    }
    tcp::endpoint remote = socket.remote_endpoint(ec);
    std::string address = ec ? "" : remote.address().to_string();
    asio::post(worker->context, [this, worker = worker.get(), owner = std::weak_ptr(worker),
                                 socket = std::move(socket), address = std::move(address)]() mutable {
      auto share = owner.lock();
      if (shared_.tls == nullptr) {
        std::make_shared<Session<tcp::socket>>(std::move(socket), share, std::move(address))->start();
      } else {
        asio::ssl::stream<tcp::socket> stream(std::move(socket), *shared_.tls);
        std::make_shared<Session<asio::ssl::stream<tcp::socket>>>(std::move(stream), share,
                                                                  std::move(address))
            ->start();
      }
    });
  }

  Shared shared_;
  std::vector<std::shared_ptr<Worker>> workers_;
  std::optional<tcp::acceptor> acceptor_;
  std::optional<asio::steady_timer> pause_;
  size_t next_ = 0;
  int port_ = 0;
  bool stopped_ = false;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::start(HttpServerSettings settings,
                                                      std::vector<HttpRoute> routes) {
  auto server = std::make_unique<BeastServer>(std::move(settings), std::move(routes));
  if (Status listening = server->listen(); !listening.ok()) return listening;
  server->run();
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace weir
