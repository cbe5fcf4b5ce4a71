// What the tests of JetStream need: a real server, a publisher, a source opened on them.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "clients/nats_connection.h"
#include "sources/test_support.h"

namespace weir {

using Texts = std::vector<std::string>;

// A real nats-server with JetStream, in a folder and on a port of its own; ends with the test.
class Server {
 public:
  explicit Server(const std::string& config = "") : config_(config) { start(-1); }
  ~Server() { stop(); }

  void start(int port) {
    const std::string binary =
        environment_variable("WEIR_NATS_SERVER")
            .value_or(environment_variable("WEIR_CACHE")
                          .value_or(environment_variable("HOME").value_or("") + "/.cache/weir") +
                      "/bin/nats-server");
    const std::string file = folder_.write("server.conf", config_);
    const std::string wanted = std::to_string(port);
    pid_ = ::fork();
    if (pid_ == 0) {
      const int log = ::open(folder_.path("log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
      ::dup2(log, 1);
      ::dup2(log, 2);
      ::execl(binary.c_str(), "nats-server", "-a", "127.0.0.1", "-p", wanted.c_str(), "-js", "-sd",
              folder_.path("js").c_str(), "-c", file.c_str(), "--ports_file_dir", folder_.path().c_str(),
              nullptr);
      ::_exit(127);
    }
    const std::string ports = folder_.path("nats-server_" + std::to_string(pid_) + ".ports");
    for (int i = 0; i < 1000; ++i) {
      std::ifstream in(ports);
      const nlohmann::json found = nlohmann::json::parse(in, nullptr, false);
      if (found.is_object()) {
        const std::string url = found["nats"][0];
        port_ = std::stoi(url.substr(url.rfind(':') + 1));
        return;
      }
      int status = 0;
      if (::waitpid(pid_, &status, WNOHANG) == pid_) break;
      Clock::real().sleep(std::chrono::milliseconds(10));
    }
    std::ifstream log(folder_.path("log"));
    pid_ = -1;
    throw std::runtime_error("nats-server does not start; set WEIR_NATS_SERVER to its path. " + binary +
                             ": " + std::string(std::istreambuf_iterator<char>(log), {}));
  }

  void stop() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    std::filesystem::remove(folder_.path("nats-server_" + std::to_string(pid_) + ".ports"));
    pid_ = -1;
  }

  // Connected but without an answer.
  void pause() { ::kill(pid_, SIGSTOP); }
  void resume() { ::kill(pid_, SIGCONT); }

  int port() const { return port_; }
  std::string url(const std::string& user = "") const {
    return "nats://" + user + "127.0.0.1:" + std::to_string(port_);
  }

 private:
  TemporaryFolder folder_;
  std::string config_;
  pid_t pid_ = -1;
  int port_ = 0;
};

// The other side: makes streams and publishes.
class Publisher {
 public:
  explicit Publisher(const std::string& url) {
    natsConnection* connection = nullptr;
    must(natsConnection_ConnectTo(&connection, url.c_str()));
    connection_.reset(connection);
    jsCtx* jetstream = nullptr;
    must(natsConnection_JetStream(&jetstream, connection, nullptr));
    jetstream_.reset(jetstream);
  }

  void add_stream(const std::string& name, std::vector<const char*> subjects,
                  jsRetentionPolicy retention = js_LimitsPolicy) {
    jsStreamConfig config;
    jsStreamConfig_Init(&config);
    config.Name = name.c_str();
    config.Subjects = subjects.data();
    config.SubjectsLen = static_cast<int>(subjects.size());
    config.Retention = retention;
    must(js_AddStream(nullptr, jetstream_.get(), &config, nullptr, nullptr));
  }
  void delete_stream(const std::string& name) {
    must(js_DeleteStream(jetstream_.get(), name.c_str(), nullptr, nullptr));
  }
  void purge(const std::string& name) {
    must(js_PurgeStream(jetstream_.get(), name.c_str(), nullptr, nullptr));
  }
  void purge_up_to(const std::string& name, uint64_t first) {
    for (uint64_t sequence = 1; sequence < first; ++sequence) delete_message(name, sequence);
  }
  void delete_message(const std::string& name, uint64_t sequence) {
    must(js_DeleteMsg(jetstream_.get(), name.c_str(), sequence, nullptr, nullptr));
  }
  void publish(const std::string& subject, const std::string& text) {
    must(js_Publish(nullptr, jetstream_.get(), subject.c_str(), text.data(), static_cast<int>(text.size()),
                    nullptr, nullptr));
  }
  void publish_many(const std::string& subject, int begin, int end) {
    for (int i = begin; i < end; ++i) {
      const std::string text = "m" + std::to_string(i);
      must(js_PublishAsync(jetstream_.get(), subject.c_str(), text.data(), static_cast<int>(text.size()),
                           nullptr));
    }
    must(js_PublishAsyncComplete(jetstream_.get(), nullptr));
  }
  void publish_with_header(const std::string& subject, const std::string& text) {
    natsMsg* raw = nullptr;
    must(natsMsg_Create(&raw, subject.c_str(), nullptr, text.data(), static_cast<int>(text.size())));
    const NatsMessage message(raw);
    must(natsMsgHeader_Set(raw, "Trace", "a\"b"));
    must(js_PublishMsg(nullptr, jetstream_.get(), raw, nullptr, nullptr));
  }
  int64_t last_sequence(const std::string& stream) {
    jsStreamInfo* info = nullptr;
    must(js_GetStreamInfo(&info, jetstream_.get(), stream.c_str(), nullptr, nullptr));
    return static_cast<int64_t>(NatsStreamInfo(info)->State.LastSeq);
  }
  NatsStreamInfo info(const std::string& stream) {
    jsStreamInfo* info = nullptr;
    must(js_GetStreamInfo(&info, jetstream_.get(), stream.c_str(), nullptr, nullptr));
    return NatsStreamInfo(info);
  }
  std::vector<std::string> consumers(const std::string& stream) {
    std::vector<std::string> names;
    jsConsumerNamesList* list = nullptr;
    const natsStatus status = js_ConsumerNames(&list, jetstream_.get(), stream.c_str(), nullptr, nullptr);
    if (status == NATS_NOT_FOUND) return names;  // there are none
    must(status);
    for (int i = 0; list != nullptr && i < list->Count; ++i) names.emplace_back(list->List[i]);
    jsConsumerNamesList_Destroy(list);
    return names;
  }
  void add_consumer(const std::string& stream, const std::string& name) {
    jsConsumerConfig config;
    jsConsumerConfig_Init(&config);
    config.Durable = name.c_str();
    config.AckPolicy = js_AckAll;
    must(js_AddConsumer(nullptr, jetstream_.get(), stream.c_str(), &config, nullptr, nullptr));
  }
  NatsConsumerInfo consumer(const std::string& stream, const std::string& name) {
    jsConsumerInfo* info = nullptr;
    must(js_GetConsumerInfo(&info, jetstream_.get(), stream.c_str(), name.c_str(), nullptr, nullptr));
    return NatsConsumerInfo(info);
  }
  void delete_consumer(const std::string& stream, const std::string& name) {
    must(js_DeleteConsumer(jetstream_.get(), stream.c_str(), name.c_str(), nullptr, nullptr));
  }

 private:
  static void must(natsStatus status) {
    if (status != NATS_OK)
      throw std::runtime_error(std::string("publisher: ") + natsStatus_GetText(status) + ", " +
                               nats_GetLastError(nullptr));
  }
  NatsOwned<natsConnection, natsConnection_Destroy> connection_;
  NatsOwned<jsCtx, jsCtx_Destroy> jetstream_;
};

inline TableSpec orders_table() {
  TableSpec table;
  table.name = "orders";
  return table;
}
inline const TableSpec& table() {
  static const TableSpec orders = orders_table();
  return orders;
}

using Values = std::map<std::string, std::string>;

struct Opened {
  std::unique_ptr<Source> source;
  std::vector<std::string> ids;
  std::unique_ptr<PartitionReader> reader;
  Status status;
};

inline Opened open_source(Values options, std::optional<int64_t> stored = {}, bool once = true,
                          size_t partition = 0, std::vector<std::string> known = {},
                          size_t batch_rows = 8192) {
  Opened opened;
  options.emplace("stream", "ORDERS");
  options.emplace("connect.timeout", "2 s");
  SourceContext context = context_for("nats", options, table(), once);
  context.batch_rows = batch_rows;
  Result<std::unique_ptr<Source>> source = connector("nats").create(context);
  if (!source.ok()) return opened.status = source.status(), std::move(opened);
  opened.source = std::move(*source);
  Result<std::vector<std::string>> ids = opened.source->discover(known);
  if (!ids.ok()) return opened.status = ids.status(), std::move(opened);
  opened.ids = *ids;
  Result<std::unique_ptr<PartitionReader>> reader = opened.source->open(opened.ids[partition], stored);
  if (!reader.ok()) return opened.status = reader.status(), std::move(opened);
  opened.reader = std::move(*reader);
  return opened;
}

struct Read {
  Status status;
  std::vector<SeenEvent> events;
  int64_t next = -1;
};

inline Read read_once(const Values& options, std::optional<int64_t> stored = {}, size_t partition = 0,
                      size_t batch_rows = 8192) {
  Read read;
  Opened opened = open_source(options, stored, true, partition, {}, batch_rows);
  read.status = opened.status;
  if (opened.status.ok()) read.status = read_all(*opened.reader, read.events, read.next);
  return read;
}

inline void expect_says(const Status& status, Code code, const std::string& words, int line) {
  EXPECT_EQ(status.code(), code) << "line " << line << ": " << status.message();
  EXPECT_NE(status.message().find(words), std::string::npos) << "line " << line << ": " << status.message();
}
#define EXPECT_SAYS(status, code, words) expect_says(status, code, words, __LINE__)

}  // namespace weir
