#include "edge/http_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "edge/http_head.h"

namespace weir {
namespace {

// A client that says exactly what it is told to.
class Socket {
 public:
  explicit Socket(int port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    timeval patience{20, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~Socket() { ::close(fd_); }
  bool connected() const { return connected_; }
  void send(std::string_view text) {
    while (!text.empty()) {
      ssize_t sent = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      text.remove_prefix(static_cast<size_t>(sent));
    }
  }
  void half_close() { ::shutdown(fd_, SHUT_WR); }
  // Up to the end of the connection.
  std::string rest() {
    std::string text = std::exchange(read_, "");
    while (receive(text)) {
    }
    return text;
  }
  // One answer with its Content-Length; "" at the connection's end.
  std::string answer(bool head_only = false) {
    size_t end;
    while ((end = read_.find("\r\n\r\n")) == std::string::npos) {
      if (!receive(read_)) return std::exchange(read_, "");
    }
    end += 4;
    size_t at = read_.find("Content-Length: ");
    size_t length = head_only || at > end ? 0 : std::stoul(read_.substr(at + 16));
    while (read_.size() < end + length) {
      if (!receive(read_)) break;
    }
    std::string whole = read_.substr(0, end + length);
    read_.erase(0, end + length);
    return whole;
  }

 private:
  bool receive(std::string& text) {
    char bytes[4096];
    ssize_t count = ::recv(fd_, bytes, sizeof bytes, 0);
    if (count <= 0) return false;
    text.append(bytes, static_cast<size_t>(count));
    return true;
  }

  int fd_;
  bool connected_ = false;
  std::string read_;
};

HttpRoute echo() {
  HttpRoute route;
  route.prefix = "/echo";
  route.max_body_bytes = 100;
  route.admit = [](const HttpHead& head) -> std::optional<HttpAnswer> {
    if (head.header("x-refuse").empty()) return std::nullopt;
    return problem(401, "No", "not you");
  };
  route.handle = [](std::shared_ptr<const HttpCall> call, HttpRespond respond) {
    HttpAnswer answer;
    answer.content_type = "text/plain";
    answer.body = call->head.method + " " + call->head.path + " " + call->body;
    respond(answer);
  };
  return route;
}

std::unique_ptr<HttpServer> start(std::vector<HttpRoute> routes, HttpServerSettings settings = {}) {
  settings.port = 0;
  auto server = HttpServer::start(std::move(settings), std::move(routes));
  EXPECT_TRUE(server.ok()) << server.status().message();
  return *std::move(server);
}

std::string exchange(int port, std::string_view request) {
  Socket socket(port);
  socket.send(request);
  return socket.answer();
}

int status_of(const std::string& answer) { return answer.size() < 12 ? 0 : std::stoi(answer.substr(9, 3)); }

std::string post(std::string_view path, std::string_view body, std::string_view more = "") {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n" + std::string(more) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

TEST(HttpServer, AnswersAndKeepsTheConnection) {
  auto server = start({echo()});
  Socket socket(server->port());
  for (int i = 0; i < 3; ++i) {
    socket.send(post("/echo/a%20b", "body" + std::to_string(i)));
    std::string answer = socket.answer();
    EXPECT_EQ(status_of(answer), 200);
    EXPECT_TRUE(answer.ends_with("POST /echo/a b body" + std::to_string(i))) << answer;
  }
}

TEST(HttpServer, PipelinedRequestsAreAnsweredInOrder) {
  auto server = start({echo()});
  Socket socket(server->port());
  socket.send(post("/echo", "1") + "\r\n" + post("/echo", "2") + post("/nothing", "x") + post("/echo", "3"));
  EXPECT_TRUE(socket.answer().ends_with("POST /echo 1"));
  EXPECT_TRUE(socket.answer().ends_with("POST /echo 2"));
  EXPECT_EQ(status_of(socket.answer()), 404);
  // The body of the refused request was not read: the connection ends behind its answer.
  EXPECT_EQ(socket.answer(), "");
}

TEST(HttpServer, ByteByByte) {
  auto server = start({echo()});
  Socket socket(server->port());
  std::string request =
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nTrailer: t\r\n\r\n";
  for (char c : request) socket.send(std::string(1, c));
  EXPECT_TRUE(socket.answer().ends_with("POST /echo abcdefg"));
}

TEST(HttpServer, RefusesWhatIsNoRequest) {
  auto server = start({echo()});
  const std::vector<std::pair<std::string, int>> cases{
      {"GARBAGE\r\n\r\n", 400},
      {"\x16\x03\x01\x02", 400},
      {"GET /echo HTTP/2.0\r\nHost: x\r\n\r\n", 505},
      {"GET /echo HTTP/1.1\r\n\r\n", 400},
      {"GET /echo HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400},
      {"GET echo HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400},
      {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
      {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       400},
      {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
      {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
      {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n", 400},
      {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(70'000, '0'),
       400},
      {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n" + std::string(101, 'x'),
       413},
      {post("/echo", std::string(101, 'x')), 413},
      {post("/echo", "x", "Expect: magic\r\n"), 417},
      {post("/echo", "x", "X-Refuse: 1\r\n"), 401},
      {"GET /echo HTTP/1.1\r\nHost: x\r\nA: " + std::string(20'000, 'a') + "\r\n\r\n", 431},
      {"GET /" + std::string(20'000, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n", 431},
      {"GET /echox HTTP/1.1\r\nHost: x\r\n\r\n", 404},
  };
  for (const auto& [request, status] : cases) {
    Socket socket(server->port());
    socket.send(request);
    socket.half_close();
    EXPECT_EQ(status_of(socket.rest()), status) << request.substr(0, 100);
  }
  EXPECT_EQ(status_of(exchange(server->port(), post("/echo", "still there"))), 200);
}

// Each carries a second request, for which another server on the way could take it.
TEST(HttpServer, ARequestWithoutAClearEndEndsTheConnection) {
  auto server = start({echo()});
  const std::string hidden = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nsly";
  for (const char* fields :
       {"Transfer-Encoding: xchunked\r\n\r\n", "Transfer-Encoding: chunked, identity\r\n\r\n",
        "Transfer-Encoding: identity\r\n\r\n", "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding:\r\n\r\n", "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
        "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", "Content-Length: 1,1\r\n\r\nx"}) {
    Socket socket(server->port());
    socket.send("POST /echo HTTP/1.1\r\nHost: x\r\n" + std::string(fields) + hidden);
    socket.half_close();
    const std::string answers = socket.rest();
    EXPECT_TRUE(status_of(answers) == 400 || status_of(answers) == 501) << fields << answers;
    EXPECT_EQ(answers.find("HTTP/1.1 ", 1), std::string::npos) << fields << answers;
  }
  Socket old(server->port());
  old.send("POST /echo HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" +
           hidden);
  old.half_close();
  EXPECT_EQ(old.rest().find("sly"), std::string::npos);
}

TEST(HttpServer, AdmitsBeforeTheRoute) {
  HttpServerSettings settings;
  settings.admit = [](const HttpHead& head) -> std::optional<HttpAnswer> {
    if (head.header("host") == "x") return std::nullopt;
    return problem(403, "No", "not here");
  };
  auto server = start({echo()}, settings);
  EXPECT_EQ(status_of(exchange(server->port(), "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n")), 200);
  EXPECT_EQ(status_of(exchange(server->port(), "GET /echo HTTP/1.1\r\nHost: y\r\n\r\n")), 403);
  EXPECT_EQ(status_of(exchange(server->port(), "GET /nothing HTTP/1.1\r\nHost: y\r\n\r\n")), 403);
}

TEST(HttpServer, PathTricks) {
  auto server = start({echo()});
  for (const char* path :
       {"/echo/../x", "/echo/%2e%2e/x", "/echo/%2E./x", "/echo/a%00b", "/echo/a%2fb", "/echo/a%2Fb",
        "/echo/a%5cb", "/echo/%", "/echo/%4", "/echo/%zz", "/echo/a%0d%0ab"}) {
    EXPECT_EQ(status_of(exchange(server->port(), post(path, "x"))), 400) << path;
  }
}

TEST(HttpServer, ExpectContinue) {
  auto server = start({echo()});
  Socket socket(server->port());
  socket.send("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(status_of(socket.answer()), 100);
  socket.send("ab");
  EXPECT_TRUE(socket.answer().ends_with("POST /echo ab"));
  // Refused by its head alone: no 100 before it.
  socket.send("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 200\r\n\r\n");
  EXPECT_EQ(status_of(socket.answer()), 413);
}

TEST(HttpServer, HeadHasNoBody) {
  auto server = start({echo()});
  Socket socket(server->port());
  socket.send("HEAD /echo HTTP/1.1\r\nHost: x\r\n\r\nGET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_NE(socket.answer(true).find("Content-Length: 11\r\n"), std::string::npos);
  EXPECT_TRUE(socket.answer().ends_with("GET /echo "));
}

TEST(HttpServer, Http10Closes) {
  auto server = start({echo()});
  Socket socket(server->port());
  socket.send("GET /echo HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(socket.rest().ends_with("GET /echo "));
}

TEST(HttpServer, AHalfClosedClientIsAnswered) {
  auto server = start({echo()});
  Socket whole(server->port());
  whole.send(post("/echo", "x"));
  whole.half_close();
  EXPECT_TRUE(whole.rest().ends_with("POST /echo x"));
  Socket cut(server->port());
  cut.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab");
  cut.half_close();
  EXPECT_EQ(status_of(cut.rest()), 400);
}

TEST(HttpServer, SlowClientsAreLetGo) {
  HttpServerSettings settings;
  settings.head_timeout = std::chrono::milliseconds(200);
  settings.body_timeout = std::chrono::milliseconds(200);
  settings.idle_timeout = std::chrono::milliseconds(200);
  auto server = start({echo()}, settings);
  Socket head(server->port()), body(server->port()), idle(server->port());
  head.send("POST /echo HTTP/1.1\r\nHos");
  body.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab");
  EXPECT_EQ(status_of(head.rest()), 408);
  EXPECT_EQ(status_of(body.rest()), 408);
  body.send("cde");  // too late: thrown away
  body.half_close();
  EXPECT_EQ(idle.rest(), "");
}

TEST(HttpServer, AnswersLaterFromAnotherThread) {
  HttpRoute later;
  later.prefix = "/later";
  std::vector<std::thread> threads;
  std::mutex mutex;
  later.handle = [&](std::shared_ptr<const HttpCall> call, HttpRespond respond) {
    std::lock_guard lock(mutex);
    threads.emplace_back([call, respond] {
      HttpAnswer answer;
      answer.body = call->body;
      respond(answer);
      respond(problem(500, "twice", "counts for nothing"));
    });
  };
  auto server = start({later});
  {
    Socket socket(server->port());
    for (int i = 0; i < 20; ++i) {
      socket.send(post("/later", std::to_string(i)));
      EXPECT_TRUE(socket.answer().ends_with("\r\n\r\n" + std::to_string(i)));
    }
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(HttpServer, ADroppedRequestAndAThrowingHandlerAre500) {
  HttpRoute dropped;
  dropped.prefix = "/dropped";
  dropped.handle = [](auto, auto) {};
  HttpRoute throwing;
  throwing.prefix = "/throwing";
  throwing.handle = blocking([](const HttpCall&) -> HttpAnswer { throw std::runtime_error("no"); }, 1);
  auto server = start({dropped, throwing});
  EXPECT_EQ(status_of(exchange(server->port(), post("/dropped", "x"))), 500);
  EXPECT_EQ(status_of(exchange(server->port(), post("/throwing", "x"))), 500);
}

TEST(HttpServer, ConnectionsAreBounded) {
  HttpServerSettings settings;
  settings.max_connections = 2;
  auto server = start({echo()}, settings);
  Socket first(server->port()), second(server->port());
  first.send(post("/echo", "1"));
  EXPECT_EQ(status_of(first.answer()), 200);
  second.send(post("/echo", "1"));
  EXPECT_EQ(status_of(second.answer()), 200);
  Socket third(server->port());
  EXPECT_EQ(status_of(third.rest()), 503);
}

TEST(HttpServer, BytesOfBodiesAreBounded) {
  HttpServerSettings settings;
  settings.max_held_bytes = 120;
  auto server = start({echo()}, settings);
  Socket first(server->port());
  first.send("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 60\r\n\r\n");
  EXPECT_EQ(status_of(first.answer()), 100);
  EXPECT_EQ(status_of(exchange(server->port(), post("/echo", std::string(61, 'x')))), 503);
  EXPECT_EQ(status_of(exchange(server->port(), post("/echo", std::string(60, 'x')))), 200);
  const std::string chunked = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
  EXPECT_EQ(status_of(exchange(server->port(), chunked)), 503);  // may have 100
  first.send(std::string(60, 'x'));
  EXPECT_EQ(status_of(first.answer()), 200);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(status_of(exchange(server->port(), chunked)), 200);
}

TEST(HttpServer, StopLetsRequestsInFlightEnd) {
  std::mutex mutex;
  HttpRespond waiting;
  HttpRoute later;
  later.prefix = "/later";
  later.handle = [&](auto, HttpRespond respond) {
    std::lock_guard lock(mutex);
    waiting = std::move(respond);
  };
  auto server = start({later});
  const int port = server->port();
  Socket socket(port), idle(port);
  socket.send(post("/later", "x"));
  while (true) {
    std::lock_guard lock(mutex);
    if (waiting) break;
  }
  std::thread answerer([&] {
    EXPECT_EQ(idle.rest(), "");  // closed at once
    std::lock_guard lock(mutex);
    waiting(HttpAnswer{});
    waiting = nullptr;
  });
  server->stop(std::chrono::seconds(10));
  answerer.join();
  std::string answer = socket.rest();
  EXPECT_EQ(status_of(answer), 200);
  EXPECT_NE(answer.find("Connection: close"), std::string::npos);
  EXPECT_FALSE(Socket(port).connected());
}

TEST(HttpServer, AnAnswerAfterTheServersEndIsHarmless) {
  std::mutex mutex;
  HttpRespond waiting;
  HttpRoute later;
  later.prefix = "/later";
  later.handle = [&](auto, HttpRespond respond) {
    std::lock_guard lock(mutex);
    waiting = std::move(respond);
  };
  auto server = start({later});
  Socket socket(server->port());
  socket.send(post("/later", "x"));
  while (true) {
    std::lock_guard lock(mutex);
    if (waiting) break;
  }
  server.reset();
  waiting(HttpAnswer{});
  waiting = nullptr;
  EXPECT_EQ(socket.rest(), "");
}

TEST(HttpServer, SaysWhatCannotBeUsed) {
  auto server = start({});
  HttpServerSettings taken;
  taken.port = server->port();
  EXPECT_EQ(HttpServer::start(taken, {}).status().code(), Code::unavailable);
  HttpServerSettings half;
  half.port = 0;
  half.tls_cert_file = "cert.pem";
  EXPECT_EQ(HttpServer::start(half, {}).status().code(), Code::invalid);
  half.tls_key_file = "key.pem";
  EXPECT_EQ(HttpServer::start(half, {}).status().code(), Code::invalid);
}

TEST(HttpHead, TargetsAndDates) {
  HttpHead head;
  ASSERT_TRUE(parse_target("/a%20b/c?x=1&y=a+b%21&z", head).ok());
  EXPECT_EQ(head.path, "/a b/c");
  EXPECT_EQ(*head.parameter("x"), "1");
  EXPECT_EQ(*head.parameter("y"), "a b!");
  EXPECT_EQ(*head.parameter("z"), "");
  EXPECT_EQ(head.parameter("w"), nullptr);
  EXPECT_FALSE(parse_target("/a?x=%G1", head).ok());
  EXPECT_EQ(http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(http_date(1709210096), "Thu, 29 Feb 2024 12:34:56 GMT");
  HttpAnswer answer;
  answer.headers.emplace_back("X", "a\r\nEvil: b");
  EXPECT_EQ(serialize_answer(answer, "d", true, false).find("\r\nEvil"), std::string::npos);
}

}  // namespace
}  // namespace weir
