// The peer of bench/edge.py: the least that a server of the same library can do. It appends the bodies to one
// file and answers after fdatasync; all that wait share one. The file is preallocated, as segments of the log
// are. Usage: edge_bare FILE THREADS; says "listening on http://127.0.0.1:PORT".
#include <fcntl.h>
#include <unistd.h>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;

namespace {

constexpr off_t kPreallocated = off_t{1} << 30;

class Session;

// One thread that writes and syncs what has come together meanwhile.
class File {
 public:
  explicit File(const char* path) : fd_(::open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644)) {
    if (fd_ < 0 || ::posix_fallocate(fd_, 0, kPreallocated) != 0 || ::fsync(fd_) != 0) std::exit(1);
    thread_ = std::thread([this] { run(); });
  }
  void append(std::shared_ptr<Session> session) {
    std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(session));
    changed_.notify_one();
  }

 private:
  void run();

  const int fd_;
  off_t at_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::shared_ptr<Session>> waiting_;  // at most one a connection
  std::thread thread_;
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket socket, File& file) : stream_(std::move(socket)), file_(file) {
    stream_.socket().set_option(tcp::no_delay(true));
  }
  void read() {
    request_ = {};
    stream_.expires_after(std::chrono::seconds(60));
    http::async_read(stream_, buffer_, request_, [self = shared_from_this()](beast::error_code ec, size_t) {
      if (ec) return;
      self->file_.append(self);
    });
  }
  const std::string& body() const { return request_.body(); }
  void stored(off_t offset) {
    asio::dispatch(stream_.get_executor(), [self = shared_from_this(), offset] {
      self->response_ = {http::status::ok, self->request_.version()};
      self->response_.set(http::field::content_type, "application/json");
      self->response_.keep_alive(self->request_.keep_alive());
      self->response_.body() = "{\"offset\":" + std::to_string(offset) + "}\n";
      self->response_.prepare_payload();
      http::async_write(self->stream_, self->response_, [self](beast::error_code ec, size_t) {
        if (!ec) self->read();
      });
    });
  }

 private:
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  http::request<http::string_body> request_;
  http::response<http::string_body> response_;
  File& file_;
};

void File::run() {
  std::string bytes;
  while (true) {
    std::vector<std::shared_ptr<Session>> batch;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !waiting_.empty(); });
      batch.swap(waiting_);
    }
    bytes.clear();
    for (const auto& session : batch) bytes += session->body();
    if (at_ + static_cast<off_t>(bytes.size()) > kPreallocated) at_ = 0;
    if (::pwrite(fd_, bytes.data(), bytes.size(), at_) != static_cast<ssize_t>(bytes.size()) ||
        ::fdatasync(fd_) != 0) {
      std::exit(1);
    }
    off_t offset = at_;
    at_ += static_cast<off_t>(bytes.size());
    for (const auto& session : batch) {
      session->stored(offset);
      offset += static_cast<off_t>(session->body().size());
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  File file(argv[1]);
  std::vector<std::unique_ptr<asio::io_context>> contexts;
  for (int i = 0; i < std::atoi(argv[2]); ++i) contexts.push_back(std::make_unique<asio::io_context>(1));
  tcp::acceptor acceptor(*contexts[0], {asio::ip::make_address("127.0.0.1"), 0});
  size_t next = 0;
  std::function<void()> accept = [&] {
    acceptor.async_accept(*contexts[next++ % contexts.size()], [&](beast::error_code ec, tcp::socket socket) {
      if (!ec) std::make_shared<Session>(std::move(socket), file)->read();
      accept();
    });
  };
  accept();
  std::printf("listening on http://127.0.0.1:%d\n", acceptor.local_endpoint().port());
  std::fflush(stdout);
  std::vector<std::thread> threads;
  for (auto& context : contexts) {
    threads.emplace_back([&context] {
      auto work = asio::make_work_guard(*context);
      context->run();
    });
  }
  for (auto& thread : threads) thread.join();
}
