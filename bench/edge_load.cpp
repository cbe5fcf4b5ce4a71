// Load for bench/edge.py: keep-alive connections of one thread, each sends its next request when the last was
// answered. Usage: edge_load PORT PATH CONNECTIONS SECONDS EVENTS; prints one JSON line.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

using Time = std::chrono::steady_clock;

struct Connection {
  int fd = -1;
  std::string request, answer;
  Time::time_point sent;
};

std::string request_of(const std::string& path, int events, int number) {
  std::string body;
  for (int i = 0; i < events; ++i) {
    body += "{\"order_id\":" + std::to_string(number * 1000 + i) + ",\"customer\":\"customer-" +
            std::to_string((number * 7 + i) % 1000) +
            "\",\"amount\":129.95,\"placed_at\":\"2026-11-21T19:57:19.123456Z\",\"items\":[{\"sku\":\"A-1\","
            "\"count\":2},{\"sku\":\"B-22\",\"count\":1}],\"note\":\"leave it at the door\"}\n";
  }
  return "POST " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: " +
         (events == 1 ? "application/json" : "application/x-ndjson") +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

bool send_all(Connection& connection) {
  size_t done = 0;
  while (done < connection.request.size()) {
    ssize_t sent = ::send(connection.fd, connection.request.data() + done, connection.request.size() - done,
                          MSG_NOSIGNAL);
    if (sent <= 0) return false;
    done += static_cast<size_t>(sent);
  }
  connection.answer.clear();
  connection.sent = Time::now();
  return true;
}

// 0: not whole yet; else the status.
int whole_answer(const std::string& text) {
  size_t end = text.find("\r\n\r\n");
  if (end == std::string::npos) return 0;
  size_t length = text.find("Content-Length: ");
  if (length == std::string::npos) return 0;
  if (text.size() < end + 4 + std::strtoul(text.c_str() + length + 16, nullptr, 10)) return 0;
  return std::atoi(text.c_str() + 9);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  const int port = std::atoi(argv[1]), count = std::atoi(argv[3]), events = std::atoi(argv[5]);
  const std::string path = argv[2];
  const auto length = std::chrono::duration<double>(std::atof(argv[4]));
  const int poll = ::epoll_create1(0);
  std::vector<Connection> connections(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    Connection& connection = connections[static_cast<size_t>(i)];
    connection.fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(connection.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return 1;
    int on = 1;
    ::setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = static_cast<uint32_t>(i);
    ::epoll_ctl(poll, EPOLL_CTL_ADD, connection.fd, &event);
    connection.request = request_of(path, events, i);
  }
  std::vector<double> latencies_us;
  long failed = 0;
  const auto start = Time::now();
  for (Connection& connection : connections) send_all(connection);
  char bytes[16384];
  std::vector<epoll_event> ready(static_cast<size_t>(count));
  while (Time::now() - start < length) {
    int got = ::epoll_wait(poll, ready.data(), count, 100);
    for (int i = 0; i < got; ++i) {
      Connection& connection = connections[ready[static_cast<size_t>(i)].data.u32];
      ssize_t read = ::recv(connection.fd, bytes, sizeof bytes, 0);
      if (read <= 0) return 1;
      connection.answer.append(bytes, static_cast<size_t>(read));
      int status = whole_answer(connection.answer);
      if (status == 0) continue;
      if (status != 200) ++failed;
      latencies_us.push_back(
          std::chrono::duration<double, std::micro>(Time::now() - connection.sent).count());
      if (!send_all(connection)) return 1;
    }
  }
  const double seconds = std::chrono::duration<double>(Time::now() - start).count();
  std::sort(latencies_us.begin(), latencies_us.end());
  const auto at = [&](double part) {
    return latencies_us.empty() ? 0 : latencies_us[static_cast<size_t>(part * (latencies_us.size() - 1))];
  };
  std::printf(
      "{\"requests\":%zu,\"seconds\":%.3f,\"rate\":%.1f,\"p50_us\":%.0f,\"p99_us\":%.0f,\"failed\":%ld}\n",
      latencies_us.size(), seconds, static_cast<double>(latencies_us.size()) / seconds, at(0.5), at(0.99),
      failed);
  return failed == 0 ? 0 : 1;
}
