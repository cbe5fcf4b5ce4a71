#include "edge/kafka_target.h"

#include <atomic>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <utility>

#include "clients/kafka_client.h"
#include "edge/broker_target.h"
#include "edge/event_text.h"

namespace weir {
namespace {

using std::chrono::milliseconds;

constexpr int64_t kMostBytes = 64 << 20;  // in requests that are not answered
constexpr size_t kMostEvents = 100'000;   // likewise; librdkafka's own bound
constexpr size_t kMostTopics = 1000;      // beyond, {type} is no part of a topic's name
constexpr int kPollMs = 50;
constexpr int kReopenSteps = 20;  // of kPollMs, between attempts to make a client

struct Request {
  std::mutex mutex;
  BrokerAnswer answer;
  std::function<void(BrokerAnswer)> done;
  int64_t bytes = 0;
  size_t events = 0;
  size_t open = 0;  // events without a report, and one more while they are being sent
};

struct Sent {
  std::shared_ptr<Request> request;
  size_t event = 0;
};

KafkaClientSettings client_settings(const Options& options) {
  const std::string timeout = std::to_string(options.duration("timeout").count());
  KafkaClientSettings settings;
  settings.type = RD_KAFKA_PRODUCER;
  settings.options = &options;
  settings.defaults = {{"client.id", "weir"},
                       {"partitioner", "murmur2_random"},
                       {"linger.ms", "2"},
                       {"compression.type", "lz4"}};
  // "timeout" bounds everything; the queue's own bounds lie above ours.
  settings.forced = {{"enable.idempotence", "true"},
                     {"message.timeout.ms", timeout},
                     {"queue.buffering.max.messages", "200000"},
                     {"queue.buffering.max.kbytes", "262144"}};
  settings.left_out = {"group.id", "isolation.level"};
  return settings;
}

class KafkaBroker final : public Broker {
 public:
  KafkaBroker(std::string name, const Options& options, NameTemplate topic, NameTemplate key,
              const Clock& clock)
      : name_(std::move(name)),
        options_(options),
        topic_(std::move(topic)),
        key_(std::move(key)),
        clock_(clock) {}
  ~KafkaBroker() override;

  Status start();

  const std::string& name() const override { return name_; }
  Status reserve(int64_t bytes) override;
  void send(std::vector<EdgeEvent> events, const std::string& key, std::vector<StoredEvent> stored,
            std::function<void(BrokerAnswer)> answer) override;

 private:
  Status open();
  bool open_again();
  void close();
  void work();
  Result<rd_kafka_topic_t*> topic(const std::string& name);
  Status send_one(const EdgeEvent& event, const std::string& key, std::unique_ptr<Sent> sent);
  static void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque);
  void delivered(const rd_kafka_message_t& message);
  // One event less is open; the last one answers.
  void settle(Request& request, size_t event, StoredEvent stored, Status status);
  void answer(Request& request);

  const std::string name_;
  const Options options_;
  const NameTemplate topic_;
  const NameTemplate key_;
  const Clock& clock_;

  std::mutex sending_;  // a request's events go out together, in order; guards the client while it is used
  std::unique_ptr<KafkaClient> client_;
  std::map<std::string, KafkaTopic> topics_;
  EventHeaders headers_;

  std::mutex mutex_;
  int64_t bytes_ = 0;  // under mutex_
  size_t events_ = 0;  // under mutex_
  Status denied_;      // under mutex_: credentials or certificates that cannot be used
  std::atomic<bool> stopping_{false};
  std::atomic<bool> fatal_{false};  // the producer cannot go on: a new one is needed
  std::thread worker_;
};

Status KafkaBroker::start() {
  WEIR_TRY(open());
  worker_ = std::thread([this] { work(); });
  return {};
}

Status KafkaBroker::open() {
  KafkaClientSettings settings = client_settings(options_);
  settings.owner = this;
  settings.prepare = [](rd_kafka_conf_t* conf) { rd_kafka_conf_set_dr_msg_cb(conf, on_delivery); };
  WEIR_ASSIGN(client_, KafkaClient::create(settings));
  return {};
}

// Every event in flight gets its report.
void KafkaBroker::close() {
  if (client_ == nullptr) return;
  rd_kafka_purge(client_->get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  while (rd_kafka_outq_len(client_->get()) > 0) rd_kafka_flush(client_->get(), kPollMs);
  topics_.clear();
  client_.reset();
}

KafkaBroker::~KafkaBroker() {
  stopping_ = true;
  if (worker_.joinable()) worker_.join();
  close();
}

void KafkaBroker::work() {
  while (!stopping_) {
    if (client_ == nullptr && !open_again()) continue;
    const Status health = client_->health(milliseconds(0));
    {
      std::lock_guard lock(mutex_);
      denied_ = health.code() == Code::denied ? health : Status();
    }
    rd_kafka_poll(client_->get(), kPollMs);
    if (!fatal_.exchange(false)) continue;
    std::lock_guard lock(sending_);
    close();
  }
}

// Made with the same options as before, it may fail all the same: a certificate is just being renewed.
bool KafkaBroker::open_again() {
  Status opened;
  {
    std::lock_guard lock(sending_);
    opened = open();
  }
  {
    std::lock_guard lock(mutex_);
    denied_ = opened;
  }
  for (int i = 0; i < kReopenSteps && !opened.ok() && !stopping_; ++i) clock_.sleep(milliseconds(kPollMs));
  return opened.ok();
}

Status KafkaBroker::reserve(int64_t bytes) {
  std::lock_guard lock(mutex_);
  if (bytes_ + bytes > kMostBytes || events_ >= kMostEvents) {
    return {Code::exhausted, name_ + ": too much waits for the brokers' answers already"};
  }
  return denied_.ok() ? Status() : Status::unavailable(denied_.message());
}

void KafkaBroker::send(std::vector<EdgeEvent> events, const std::string& key, std::vector<StoredEvent> stored,
                       std::function<void(BrokerAnswer)> answer) {
  auto request = std::make_shared<Request>();
  stored.resize(events.size());
  request->answer.stored = stored;
  request->done = std::move(answer);
  request->events = events.size();
  request->open = 1;
  for (const EdgeEvent& event : events) {
    request->bytes += static_cast<int64_t>(event.payload.size() + event.headers.size());
  }
  Status status;
  {
    std::lock_guard lock(mutex_);
    if (bytes_ + request->bytes > kMostBytes || events_ + events.size() > kMostEvents) {
      status = {Code::exhausted, name_ + ": too much waits for the brokers' answers already"};
    }
    bytes_ += request->bytes;
    events_ += request->events;
  }
  {
    std::lock_guard lock(sending_);
    for (size_t i = 0; i < events.size(); ++i) {
      if (stored[i].stored() || !status.ok()) continue;
      {
        std::lock_guard counting(request->mutex);
        ++request->open;
      }
      auto sent = std::make_unique<Sent>(Sent{request, i});
      status = client_ == nullptr ? Status::unavailable(name_ + ": the producer is being made anew")
                                  : send_one(events[i], key, std::move(sent));
      if (!status.ok()) settle(*request, i, {}, status);
    }
  }
  settle(*request, events.size(), {}, status);
}

Result<rd_kafka_topic_t*> KafkaBroker::topic(const std::string& name) {
  const auto found = topics_.find(name);
  if (found != topics_.end()) return found->second.get();
  if (topics_.size() >= kMostTopics) {
    return Status::unavailable(name_ + ": 'topic' gives more than " + std::to_string(kMostTopics) +
                               " topics: is a placeholder the right one?");
  }
  KafkaTopic made(rd_kafka_topic_new(client_->get(), name.c_str(), nullptr));
  if (made == nullptr) return client_->failure("topic '" + name + "'", rd_kafka_last_error());
  return topics_.emplace(name, std::move(made)).first->second.get();
}

// Keeps nothing of the views: the library copies.
Status KafkaBroker::send_one(const EdgeEvent& event, const std::string& key, std::unique_ptr<Sent> sent) {
  const auto& headers = headers_.parse(event.headers);
  WEIR_ASSIGN(const std::string name, topic_.name(event, headers));
  WEIR_ASSIGN(rd_kafka_topic_t * into, topic(name));
  std::string message_key;
  if (event.key) {
    message_key = *event.key;
  } else {
    WEIR_ASSIGN(message_key, key_.name(event, headers));
  }
  // A null value would be a tombstone.
  const char* value = event.payload.empty() ? "" : event.payload.data();
  rd_kafka_headers_t* message_headers = rd_kafka_headers_new(headers.size() + 1);
  auto add = [&](std::string_view header, std::string_view value) {
    rd_kafka_header_add(message_headers, header.data(), static_cast<ssize_t>(header.size()), value.data(),
                        static_cast<ssize_t>(value.size()));
  };
  for (const auto& [header, value] : headers) add(header, value);
  const std::string id = event_id(name_, key, sent->event, name, event.payload, headers);
  if (!id.empty()) add("weir-event-id", id);
  const bool has_key = event.key.has_value() || !message_key.empty();
  Sent* const opaque = sent.release();  // comes back with the delivery report
  const rd_kafka_resp_err_t error = rd_kafka_producev(
      client_->get(), RD_KAFKA_V_RKT(into), RD_KAFKA_V_PARTITION(RD_KAFKA_PARTITION_UA),
      RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
      RD_KAFKA_V_VALUE(const_cast<char*>(value), event.payload.size()),
      RD_KAFKA_V_KEY(has_key ? message_key.data() : nullptr, has_key ? message_key.size() : 0),
      RD_KAFKA_V_TIMESTAMP(event.timestamp_us / 1000), RD_KAFKA_V_OPAQUE(opaque),
      RD_KAFKA_V_HEADERS(message_headers), RD_KAFKA_V_END);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  sent.reset(opaque);
  rd_kafka_headers_destroy(message_headers);
  if (error == RD_KAFKA_RESP_ERR__FATAL) fatal_ = true;
  if (error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
    return Status::invalid(name_ + ": the event is larger than 'properties.message.max.bytes'");
  }
  if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
    return {Code::exhausted, name_ + ": the local queue is full, the brokers do not keep up"};
  }
  return Status::unavailable(client_->failure("cannot write to topic '" + name + "'", error).message());
}

void KafkaBroker::on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  static_cast<KafkaBroker*>(static_cast<KafkaClient*>(opaque)->owner())->delivered(*message);
}

void KafkaBroker::delivered(const rd_kafka_message_t& message) {
  const std::unique_ptr<Sent> sent(static_cast<Sent*>(message._private));
  if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    return settle(*sent->request, sent->event, {message.partition, message.offset, false}, {});
  }
  char words[256];
  if (rd_kafka_fatal_error(client_->get(), words, sizeof words) != RD_KAFKA_RESP_ERR_NO_ERROR) fatal_ = true;
  const std::string topic = rd_kafka_topic_name(message.rkt);
  // Never rd_kafka_message_errstr(): of a report, it is the event's own payload, without an end.
  Status status = client_->failure("cannot write to topic '" + topic + "'", message.err);
  const bool too_large = message.err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
                         message.err == RD_KAFKA_RESP_ERR_INVALID_RECORD ||
                         message.err == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE;
  status = {too_large ? Code::invalid : Code::unavailable, status.message()};
  if (rd_kafka_message_status(&message) != RD_KAFKA_MSG_STATUS_NOT_PERSISTED) {
    status = {status.code(), status.message() + "; some of the events may be stored"};
  }
  settle(*sent->request, sent->event, {}, std::move(status));
}

void KafkaBroker::settle(Request& request, size_t event, StoredEvent stored, Status status) {
  {
    std::lock_guard lock(request.mutex);
    if (event < request.answer.stored.size()) request.answer.stored[event] = stored;
    if (!status.ok() && request.answer.status.ok()) request.answer.status = std::move(status);
    if (--request.open > 0) return;
  }
  answer(request);
}

void KafkaBroker::answer(Request& request) {
  {
    std::lock_guard lock(mutex_);
    bytes_ -= request.bytes;
    events_ -= request.events;
  }
  size_t stored = 0;
  for (const StoredEvent& event : request.answer.stored) stored += event.stored() ? 1 : 0;
  Status& status = request.answer.status;
  if (status.code() == Code::exhausted && stored > 0) {
    status = Status::unavailable(status.message() + "; some of the events are stored");
  }
  request.done(std::move(request.answer));
}

}  // namespace

std::vector<OptionSpec> kafka_target_option_specs() {
  using enum OptionType;
  std::vector<OptionSpec> specs = kafka_connection_options();
  specs.push_back(option("topic", string, "{stream}",
                         "where to write; {stream}, {type} and {subject} are the event's own"));
  specs.push_back(option("key", string, "", "the key of events that have none, with the same placeholders"));
  specs.push_back(option("timeout", duration, "10 s", "how long an event may wait for its delivery report"));
  return specs;
}

Result<std::unique_ptr<EventTarget>> open_kafka_target(const EdgeTargetSpec& spec, const std::string& name,
                                                       const Clock& clock, std::shared_ptr<KeyStore> keys) {
  auto topic = NameTemplate::parse(spec.options.string("topic"), NameKind::topic);
  if (!topic.ok()) return topic.status().with_context(name + ": 'topic'");
  auto key = NameTemplate::parse(spec.options.string("key"), NameKind::text);
  if (!key.ok()) return key.status().with_context(name + ": 'key'");
  auto broker = std::make_unique<KafkaBroker>(name, spec.options, *std::move(topic), *std::move(key), clock);
  const Status started = broker->start();
  if (!started.ok()) return started.with_context(name);
  return make_broker_target(std::move(broker), std::move(keys));
}

}  // namespace weir
