#include "clients/http_client.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

namespace weir {
namespace {

// Answers each connection with the next text, then closes it; keeps what was asked.
class OneAnswerServer {
 public:
  explicit OneAnswerServer(std::vector<std::string> answers) : answers_(std::move(answers)) {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listener_, 8), 0);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~OneAnswerServer() {
    thread_.join();
    close(listener_);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  const std::vector<std::string>& asked() {
    if (thread_.joinable()) thread_.join();
    thread_ = std::thread([] {});
    return asked_;
  }

 private:
  void serve() {
    for (const std::string& answer : answers_) {
      int connection = accept(listener_, nullptr, nullptr);
      std::string text;
      char buffer[4096];
      // Until the body of the announced length is here.
      while (true) {
        size_t end = text.find("\r\n\r\n");
        size_t length = 0;
        if (end != std::string::npos) {
          size_t at = text.find("Content-Length: ");
          if (at != std::string::npos) length = std::stoul(text.substr(at + 16));
          if (text.size() >= end + 4 + length) break;
        }
        ssize_t count = read(connection, buffer, sizeof buffer);
        if (count <= 0) break;
        text.append(buffer, static_cast<size_t>(count));
      }
      asked_.push_back(text);
      EXPECT_EQ(write(connection, answer.data(), answer.size()), static_cast<ssize_t>(answer.size()));
      close(connection);
    }
  }

  std::vector<std::string> answers_, asked_;
  int listener_ = -1, port_ = 0;
  std::thread thread_;
};

std::unique_ptr<HttpClient> client(HttpSettings settings = {}) {
  auto opened = open_http_client(settings);
  EXPECT_TRUE(opened.ok());
  return *std::move(opened);
}

TEST(HttpClient, SendsABodyInPiecesAndReadsTheAnswer) {
  OneAnswerServer server(
      {"HTTP/1.1 404 Not Found\r\nX-Some-Header:  a value \r\nContent-Length: 5\r\n\r\nwords"});
  HttpRequest request;
  request.method = "POST";
  request.url = server.url() + "/path?x=1";
  request.headers = {{"X-Key", "secret"}};
  request.body = {"one", "", "two"};
  auto answer = client()->send(request);
  ASSERT_TRUE(answer.ok()) << answer.status().message();
  EXPECT_EQ(answer->status, 404);
  EXPECT_EQ(answer->headers.at("x-some-header"), "a value");
  EXPECT_EQ(answer->body, "words");
  const std::string asked = server.asked()[0];
  EXPECT_TRUE(asked.starts_with("POST /path?x=1 HTTP/1.1\r\n")) << asked;
  EXPECT_NE(asked.find("X-Key: secret\r\n"), std::string::npos);
  EXPECT_TRUE(asked.ends_with("\r\n\r\nonetwo"));
  EXPECT_EQ(asked.find("Expect:"), std::string::npos);
}

TEST(HttpClient, AnAnswerThatIsCutIsNone) {
  OneAnswerServer server({"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhalf", ""});
  auto http = client();
  HttpRequest request;
  request.url = server.url();
  EXPECT_EQ(http->send(request).status().code(), Code::unavailable);
  EXPECT_EQ(http->send(request).status().code(), Code::unavailable);
}

TEST(HttpClient, AnAnswerHasABound) {
  OneAnswerServer server({"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + std::string(500, 'x')});
  HttpSettings settings;
  settings.max_answer_bytes = 499;
  HttpRequest request;
  request.url = server.url();
  EXPECT_EQ(client(settings)->send(request).status().code(), Code::invalid);
}

TEST(HttpClient, WhatCannotBeReachedSaysWhy) {
  HttpRequest request;
  request.url = "ftp://127.0.0.1/";
  EXPECT_EQ(client()->send(request).status().code(), Code::invalid);
  request.url = "http://127.0.0.1:1/";
  EXPECT_EQ(client()->send(request).status().code(), Code::unavailable);
  HttpSettings settings;
  settings.ca_file = "/no/such/file";
  request.url = "https://127.0.0.1:1/";
  EXPECT_FALSE(client(settings)->send(request).ok());
}

TEST(HttpClient, ValuesOfAUrlAreEscaped) {
  EXPECT_EQ(url_encoded("a b&c=ü/~"), "a%20b%26c%3D%C3%BC%2F~");
  EXPECT_EQ(url_encoded(""), "");
}

}  // namespace
}  // namespace weir
