#include "sinks/kafka/kafka_sink.h"

#include <arrow/record_batch.h>

#include <map>

#include "base/environment.h"
#include "clients/kafka_client.h"
#include "sinks/kafka/kafka_message.h"
#include "sinks/message_refusals.h"

namespace weir {
namespace {

using std::chrono::milliseconds;

constexpr int kPollMs = 100;
// Topics that a column names are kept open; beyond this the column is no topic's name.
constexpr size_t kMostTopics = 1000;

// What the broker says of this message and not of its own state: no later attempt can help.
bool is_about_the_row(rd_kafka_resp_err_t error) {
  return error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || error == RD_KAFKA_RESP_ERR_INVALID_RECORD ||
         error == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP || error == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE;
}
bool is_about_the_topic(rd_kafka_resp_err_t error) {
  return error == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC || error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
         error == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION || error == RD_KAFKA_RESP_ERR__INVALID_ARG;
}

struct RowPlace {
  int64_t batch = 0;
  int64_t row = 0;
};

KafkaClientSettings client_settings(const SinkContext& context) {
  KafkaClientSettings settings;
  settings.type = RD_KAFKA_PRODUCER;
  settings.options = &context.options;
  settings.defaults = {
      {"client.id", "weir"}, {"partitioner", "murmur2_random"}, {"compression.type", "lz4"},
      {"linger.ms", "20"},   {"delivery.timeout.ms", "120000"}, {"queue.buffering.max.kbytes", "65536"}};
  settings.forced = {{"enable.idempotence", "true"}};
  settings.left_out = {"group.id", "isolation.level"};
  settings.log = context.log;
  return settings;
}

class KafkaSink final : public Sink {
 public:
  KafkaSink(SinkContext context, MessageColumns columns)
      : context_(std::move(context)),
        columns_(std::move(columns)),
        topic_(context_.options.string("topic")) {}
  ~KafkaSink() override { close(); }

  Result<std::map<std::string, int64_t>> open(const std::string& app_prefix) override;
  Status append(const std::shared_ptr<arrow::RecordBatch>& rows) override;
  bool full() const override { return false; }
  Result<std::unique_ptr<SealedRows>> seal() override;
  Status commit(const SealedRows& sealed, const CommitRequest& request) override;
  Memory memory() const override { return Memory::none; }
  TransactionalSink* transactional() override { return nullptr; }

 private:
  struct Open {
    std::shared_ptr<arrow::RecordBatch> rows;
    int64_t in_flight = 0;
  };

  static void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque);
  void delivered(const rd_kafka_message_t& message);
  void close();
  Result<rd_kafka_topic_t*> topic(const std::string& name);
  Status send(RowPlace place);
  Status enqueue(rd_kafka_topic_t* topic, const MessageParts& parts, RowPlace place);
  Status flush();
  Status send_again();
  void refuse(RowPlace place, std::string message);
  void release(int64_t batch);

  SinkContext context_;
  MessageColumns columns_;
  std::string topic_;
  std::string log_id_;
  int64_t sequence_ = 0;
  std::map<std::string, KafkaTopic> topics_;
  std::unique_ptr<KafkaClient> client_;

  // Delivery reports come in rd_kafka_poll and rd_kafka_flush, which only the appending thread calls.
  std::map<int64_t, Open> open_;  // batches with messages in flight, or rows to send again
  int64_t next_batch_ = 0;
  std::vector<RowPlace> again_;  // rows of a refused request, in which one row may have been at fault
  bool alone_ = false;           // one message is in flight: its refusal is its own
  std::vector<MessageRefusal> refused_;
  Status failure_;
  int64_t rows_ = 0;
  int64_t bytes_ = 0;
};

void KafkaSink::close() {
  if (client_ != nullptr) {
    rd_kafka_purge(client_->get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(client_->get(), kPollMs);
  }
  topics_.clear();
  client_.reset();
  open_.clear();
  again_.clear();
  refused_.clear();
  failure_ = {};
  rows_ = bytes_ = 0;
}

Result<std::map<std::string, int64_t>> KafkaSink::open(const std::string&) {
  close();
  log_id_ = random_hex_id();
  sequence_ = 0;
  KafkaClientSettings settings = client_settings(context_);
  settings.owner = this;
  settings.prepare = [](rd_kafka_conf_t* conf) { rd_kafka_conf_set_dr_msg_cb(conf, on_delivery); };
  WEIR_ASSIGN(client_, KafkaClient::create(settings));
  if (!topic_.empty()) {
    WEIR_ASSIGN(const std::vector<KafkaTopicInfo> found, client_->describe({topic_}));
    if (found.front().missing) return client_->no_such_topic(topic_);
  }
  return std::map<std::string, int64_t>();
}

Result<rd_kafka_topic_t*> KafkaSink::topic(const std::string& name) {
  const auto found = topics_.find(name);
  if (found != topics_.end()) return found->second.get();
  if (topics_.size() >= kMostTopics) {
    return Status(Code::exhausted, "'topic.from-column' names more than " + std::to_string(kMostTopics) +
                                       " topics: is it the right column?");
  }
  KafkaTopic made(rd_kafka_topic_new(client_->get(), name.c_str(), nullptr));
  if (made == nullptr) return client_->failure("topic '" + name + "'", rd_kafka_last_error());
  return topics_.emplace(name, std::move(made)).first->second.get();
}

void KafkaSink::on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  static_cast<KafkaSink*>(static_cast<KafkaClient*>(opaque)->owner())->delivered(*message);
}

void KafkaSink::delivered(const rd_kafka_message_t& message) {
  const std::unique_ptr<RowPlace> place(static_cast<RowPlace*>(message._private));
  if (open_.count(place->batch) == 0) return;  // of a run that was given up
  const std::string topic = rd_kafka_topic_name(message.rkt);
  if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    // Never rd_kafka_message_errstr(): of a report, it is the row's own payload, without an end.
    const std::string words = rd_kafka_err2str(message.err);
    const bool row_at_fault =
        is_about_the_row(message.err) || (topic_.empty() && is_about_the_topic(message.err));
    if (row_at_fault && alone_) {
      refuse(*place, "topic '" + topic + "': " + words);
    } else if (row_at_fault) {
      again_.push_back(*place);
      return;  // its batch stays open
    } else if (failure_.ok()) {
      failure_ = client_->failure("cannot write to topic '" + topic + "'", message.err, words);
    }
  }
  release(place->batch);
}

void KafkaSink::release(int64_t batch) {
  const auto found = open_.find(batch);
  if (--found->second.in_flight == 0) open_.erase(found);
}

void KafkaSink::refuse(RowPlace place, std::string message) {
  refused_.push_back({open_.at(place.batch).rows->Slice(place.row, 1), std::move(message)});
}

Status KafkaSink::enqueue(rd_kafka_topic_t* topic, const MessageParts& parts, RowPlace place) {
  auto owned = std::make_unique<RowPlace>(place);
  while (true) {
    rd_kafka_headers_t* headers = nullptr;
    if (!parts.headers.empty()) {
      headers = rd_kafka_headers_new(parts.headers.size());
      for (const auto& [name, value] : parts.headers) {
        rd_kafka_header_add(headers, name.data(), static_cast<ssize_t>(name.size()),
                            value ? value->data() : nullptr, value ? static_cast<ssize_t>(value->size()) : 0);
      }
    }
    void* value = parts.value ? const_cast<char*>(parts.value->data()) : nullptr;
    const size_t value_size = parts.value ? parts.value->size() : 0;
    const void* key = parts.key ? parts.key->data() : nullptr;
    const size_t key_size = parts.key ? parts.key->size() : 0;
    const rd_kafka_resp_err_t error =
        rd_kafka_producev(client_->get(), RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(RD_KAFKA_PARTITION_UA),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_VALUE(value, value_size),
                          RD_KAFKA_V_KEY(key, key_size), RD_KAFKA_V_TIMESTAMP(parts.timestamp_ms),
                          RD_KAFKA_V_OPAQUE(owned.get()), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
      ++open_.at(place.batch).in_flight;
      (void)owned.release();  // comes back with the delivery report
      bytes_ += static_cast<int64_t>(value_size + key_size);
      return {};
    }
    if (headers != nullptr) rd_kafka_headers_destroy(headers);
    if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      // The brokers are slower than we are, or away; a message that waits too long fails by itself.
      Status health = client_->health(milliseconds(kPollMs));
      if (health.code() == Code::denied) return health;
      rd_kafka_poll(client_->get(), kPollMs);
      if (!failure_.ok()) return failure_;
      continue;
    }
    if (is_about_the_row(error) || (topic_.empty() && is_about_the_topic(error))) {
      refuse(place, rd_kafka_err2str(error));
      return {};
    }
    return client_->failure("cannot write", error);
  }
}

Status KafkaSink::send(RowPlace place) {
  Result<const MessageParts*> parts = columns_.parts(place.row);
  if (!parts.ok()) {
    refuse(place, parts.status().message());
    return {};
  }
  Result<rd_kafka_topic_t*> target = topic((*parts)->target.empty() ? topic_ : (*parts)->target);
  if (!target.ok() && target.status().code() != Code::exhausted && topic_.empty()) {
    refuse(place, target.status().message());
    return {};
  }
  if (!target.ok()) return target.status();
  return enqueue(*target, **parts, place);
}

Status KafkaSink::append(const std::shared_ptr<arrow::RecordBatch>& rows) {
  const int64_t batch = next_batch_++;
  // One more in flight than messages, so that it is not forgotten while it is being sent.
  open_[batch] = {rows, 1};
  columns_.use(*rows);
  for (int64_t row = 0; row < rows->num_rows(); ++row) {
    if (row % 1024 == 0) rd_kafka_poll(client_->get(), 0);
    WEIR_TRY(send({batch, row}));
  }
  rd_kafka_poll(client_->get(), 0);
  rows_ += rows->num_rows();
  release(batch);
  return failure_;
}

Status KafkaSink::flush() {
  while (rd_kafka_outq_len(client_->get()) > 0) {
    rd_kafka_flush(client_->get(), kPollMs);
    if (!failure_.ok()) return failure_;
    const Status health = client_->health(milliseconds(kPollMs));
    if (health.code() == Code::denied) return health;
  }
  return failure_;
}

// A broker refuses a whole request for one message in it: each goes alone now, and who fails alone is at
// fault.
Status KafkaSink::send_again() {
  std::vector<RowPlace> again;
  again.swap(again_);
  alone_ = true;
  Status status;
  for (const RowPlace& place : again) {
    if (status.ok()) {
      columns_.use(*open_.at(place.batch).rows);
      status = send(place);
      if (status.ok()) status = flush();
    }
    release(place.batch);
  }
  alone_ = false;
  return status;
}

Result<std::unique_ptr<SealedRows>> KafkaSink::seal() {
  WEIR_TRY(flush());
  WEIR_TRY(send_again());
  auto sealed = std::make_unique<SealedMessages>();
  sealed->rows = std::exchange(rows_, 0);
  sealed->bytes = std::exchange(bytes_, 0);
  sealed->refused.swap(refused_);
  return std::unique_ptr<SealedRows>(std::move(sealed));
}

Status KafkaSink::commit(const SealedRows& sealed, const CommitRequest& request) {
  const auto& messages = static_cast<const SealedMessages&>(sealed);
  return store_refusals(context_, "Kafka", messages, request, log_id_, ++sequence_);
}

}  // namespace

Result<std::unique_ptr<Sink>> create_kafka_sink(SinkContext context) {
  WEIR_TRY(KafkaClient::check(client_settings(context)));
  WEIR_ASSIGN(MessageColumns columns,
              MessageColumns::create(*context.schema, kafka_message_columns(context.options)));
  return std::unique_ptr<Sink>(std::make_unique<KafkaSink>(std::move(context), std::move(columns)));
}

Status probe_kafka_sink(const SinkContext& context) {
  WEIR_ASSIGN(const auto client, KafkaClient::create(client_settings(context)));
  const std::string topic = context.options.string("topic");
  if (topic.empty()) return client->topic_names().status();
  WEIR_ASSIGN(const std::vector<KafkaTopicInfo> found, client->describe({topic}));
  return found.front().missing ? client->no_such_topic(topic) : Status();
}

}  // namespace weir
