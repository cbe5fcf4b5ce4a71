#include "sources/kafka/kafka_reader.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>

#include "sources/batch_buffers.h"
#include "sources/kafka/header_text.h"

namespace weir {
namespace {

using std::chrono::milliseconds;

constexpr int kGatherMs = 5;
constexpr size_t kAhead = 8;

class KafkaReader final : public PartitionReader {
 public:
  explicit KafkaReader(KafkaReaderSettings settings)
      : settings_(std::move(settings)),
        where_(settings_.id.topic + "/" + std::to_string(settings_.id.partition)),
        buffers_(settings_.batch_bytes) {}
  ~KafkaReader() override {
    stop();
    drop_messages();
  }

  Status start_at(const KafkaStart& start);
  Result<EventBatch> poll(milliseconds timeout) override;
  Status acknowledge(int64_t next) override {
    if (settings_.acknowledged) settings_.acknowledged(settings_.id, next);
    return {};
  }
  int64_t lag() const override;

 private:
  struct Bounds {
    int64_t low = 0;
    int64_t high = 0;  // the last stable offset under read_committed
  };
  // The bytes of one message that become an event; `headers` is a range of header_text_.
  struct Part {
    const rd_kafka_message_t* message = nullptr;
    size_t headers_begin = 0;
    size_t headers_size = 0;
    bool has_headers = false;
  };

  Result<Bounds> bounds();
  Status begin(int64_t offset);
  void stop();
  void drop_messages();
  void receive(milliseconds timeout);
  Status take_messages(EventBatch& batch);
  Part part_of(rd_kafka_message_t* message);
  void copy(EventBatch& batch, size_t bytes);
  Status message_failure(const rd_kafka_message_t& message);
  Status out_of_range();
  Status gone(int64_t low) const;

  KafkaReaderSettings settings_;
  std::string where_;
  BatchBuffers buffers_;
  KafkaTopic topic_;
  KafkaQueue queue_;
  bool consuming_ = false;
  // A range [*first_from_, next_) without events comes before the first ones. -1 is below an empty log's 0.
  std::optional<int64_t> first_from_;
  std::atomic<int64_t> next_{0};
  int64_t end_ = -1;                           // of a bounded read
  std::vector<rd_kafka_message_t*> messages_;  // received, from taken_ on not yet in a batch; owned
  size_t taken_ = 0;
  std::vector<Part> parts_;
  std::string header_text_;
};

Result<KafkaReader::Bounds> KafkaReader::bounds() {
  const KafkaPartitionId& id = settings_.id;
  Bounds bounds;
  WEIR_ASSIGN(const auto low, settings_.client->list_offsets(
                                  {{id.topic, id.partition, RD_KAFKA_OFFSET_SPEC_EARLIEST}}, false));
  WEIR_ASSIGN(const auto high,
              settings_.client->list_offsets({{id.topic, id.partition, RD_KAFKA_OFFSET_SPEC_LATEST}},
                                             settings_.committed));
  bounds.low = low[0];
  bounds.high = std::max(low[0], high[0]);
  return bounds;
}

Status KafkaReader::gone(int64_t low) const {
  return Status::invalid("Kafka partition " + where_ + ": the next event, offset " + std::to_string(next_) +
                         ", is no longer in the log, which begins at " + std::to_string(low) +
                         " now: retention removed it before it was read. " +
                         "'scan.on-gap' = 'continue' goes on with what is left");
}

Status KafkaReader::start_at(const KafkaStart& start) {
  WEIR_ASSIGN(Bounds range, bounds());
  next_ = start.offset == RD_KAFKA_OFFSET_BEGINNING ? range.low
          : start.offset == RD_KAFKA_OFFSET_END     ? range.high
                                                    : start.offset;
  if (next_ < range.low) {
    if (start.stored && !settings_.continue_on_gap) return gone(range.low);
    if (start.stored && !start.keep) first_from_ = next_;  // ranges have no gaps, not even here
    next_ = range.low;
  }
  if (next_ > range.high) {
    int64_t written = range.high;
    if (settings_.committed) {
      const KafkaPartitionId& id = settings_.id;
      WEIR_ASSIGN(const auto high, settings_.client->list_offsets(
                                       {{id.topic, id.partition, RD_KAFKA_OFFSET_SPEC_LATEST}}, false));
      written = high[0];
    }
    if (next_ > written) {
      return Status::invalid("Kafka partition " + where_ + ": the position " + std::to_string(next_) +
                             " lies above the log's end, " + std::to_string(written) +
                             ": the log has lost events that were read already (an unclean election of its " +
                             "leader, or a cluster restored from a backup). Check the topic; a pipeline of " +
                             "another name reads it from its beginning");
    }
  }
  if (start.keep) first_from_ = next_ - 1;
  if (settings_.once) end_ = std::max<int64_t>(next_, range.high);
  topic_.reset(rd_kafka_topic_new(settings_.client->get(), settings_.id.topic.c_str(), nullptr));
  if (topic_ == nullptr) return settings_.client->failure("topic " + where_, rd_kafka_last_error());
  queue_.reset(rd_kafka_queue_new(settings_.client->get()));
  return begin(next_);
}

Status KafkaReader::begin(int64_t offset) {
  if (rd_kafka_consume_start_queue(topic_.get(), settings_.id.partition, offset, queue_.get()) != 0) {
    return settings_.client->failure("cannot read " + where_, rd_kafka_last_error());
  }
  consuming_ = true;
  return {};
}

void KafkaReader::stop() {
  if (consuming_) rd_kafka_consume_stop(topic_.get(), settings_.id.partition);
  consuming_ = false;
}

void KafkaReader::drop_messages() {
  for (size_t i = taken_; i < messages_.size(); ++i) rd_kafka_message_destroy(messages_[i]);
  messages_.clear();
  taken_ = 0;
}

int64_t KafkaReader::lag() const {
  int64_t low = 0;
  int64_t high = -1;
  if (rd_kafka_get_watermark_offsets(settings_.client->get(), settings_.id.topic.c_str(),
                                     settings_.id.partition, &low, &high) != RD_KAFKA_RESP_ERR_NO_ERROR ||
      high < 0) {
    return -1;
  }
  return std::max<int64_t>(0, high - next_);
}

// Waits for one message, then gathers for a moment: each message of a slow topic in a batch of its own costs
// a hundred times the work. A bounded read is never slow.
void KafkaReader::receive(milliseconds timeout) {
  messages_.resize(settings_.batch_rows);
  ssize_t count =
      rd_kafka_consume_batch_queue(queue_.get(), static_cast<int>(timeout.count()), messages_.data(), 1);
  if (count == 1) {
    const int gather_ms = settings_.once ? 0 : kGatherMs;
    const ssize_t more =
        rd_kafka_consume_batch_queue(queue_.get(), gather_ms, messages_.data() + 1, settings_.batch_rows - 1);
    if (more > 0) count += more;
  }
  messages_.resize(static_cast<size_t>(std::max<ssize_t>(0, count)));
  taken_ = 0;
}

KafkaReader::Part KafkaReader::part_of(rd_kafka_message_t* message) {
  Part part;
  part.message = message;
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    part.has_headers = true;
    part.headers_begin = header_text_.size();
    append_kafka_headers(headers, header_text_);
    part.headers_size = header_text_.size() - part.headers_begin;
  }
  return part;
}

// Moves messages into the batch until it is full, ends, or one tells of a failure.
Status KafkaReader::take_messages(EventBatch& batch) {
  const size_t first = taken_;
  size_t bytes = settings_.id.topic.size();
  parts_.clear();
  header_text_.clear();
  Status status;
  while (taken_ < messages_.size() && !batch.end) {
    rd_kafka_message_t* message = messages_[taken_];
    // Another thread received it, so its bytes are in no cache of ours.
    if (taken_ + kAhead < messages_.size()) {
      const rd_kafka_message_t* ahead = messages_[taken_ + kAhead];
      __builtin_prefetch(ahead->payload);
      __builtin_prefetch(static_cast<const char*>(ahead->payload) + ahead->len);
    }
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      // Beyond the last event there may be control records of transactions, which are never shown.
      next_ = std::max<int64_t>(next_, message->offset);
    } else if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      if (!parts_.empty() || next_ > batch.from) break;  // what came before it goes first
      ++taken_;
      status = message_failure(*message);
      rd_kafka_message_destroy(message);
      return status;
    } else if (end_ >= 0 && message->offset >= end_) {
      next_ = end_;
    } else if (message->offset >= next_) {
      const size_t size = message->len + message->key_len;
      if (!parts_.empty() && bytes + size + header_text_.size() > settings_.batch_bytes) break;
      if (message->payload != nullptr || !settings_.skip_tombstones) {
        parts_.push_back(part_of(message));
        bytes += size;
      }
      next_ = message->offset + 1;
    }
    batch.end = end_ >= 0 && next_ >= end_;
    ++taken_;
  }
  if (end_ >= 0 && next_ > end_) next_ = end_;
  copy(batch, bytes + header_text_.size());
  for (size_t i = first; i < taken_; ++i) rd_kafka_message_destroy(messages_[i]);
  batch.next = next_;
  return {};
}

void KafkaReader::copy(EventBatch& batch, size_t bytes) {
  if (parts_.empty()) return;
  const BatchBuffer buffer = buffers_.take(bytes);
  char* at = buffer.bytes.get();
  const auto put = [&](const void* from, size_t size) {
    Slice slice{static_cast<uint32_t>(at - buffer.bytes.get()), static_cast<int32_t>(size)};
    if (size > 0) std::memcpy(at, from, size);
    at += size;
    return slice;
  };
  const Slice subject = put(settings_.id.topic.data(), settings_.id.topic.size());
  batch.events.reserve(parts_.size());
  for (const Part& part : parts_) {
    const rd_kafka_message_t& message = *part.message;
    Event event;
    event.offset = message.offset;
    event.subject = subject;
    if (message.payload != nullptr) event.payload = put(message.payload, message.len);
    if (message.key != nullptr) event.key = put(message.key, message.key_len);
    if (part.has_headers) event.headers = put(header_text_.data() + part.headers_begin, part.headers_size);
    rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    const int64_t timestamp_ms = rd_kafka_message_timestamp(&message, &type);
    if (type != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE && timestamp_ms >= 0)
      event.timestamp_us = timestamp_ms * 1000;
    batch.events.push_back(event);
  }
  batch.bytes = buffer.bytes;
}

Result<EventBatch> KafkaReader::poll(milliseconds timeout) {
  EventBatch batch;
  batch.from = next_;
  batch.next = next_;
  if (first_from_) {
    batch.from = *std::exchange(first_from_, std::nullopt);
    return batch;
  }
  if (end_ >= 0 && next_ >= end_) {
    batch.end = true;
    return batch;
  }
  if (taken_ == messages_.size()) receive(timeout);
  if (messages_.empty()) {
    WEIR_TRY(settings_.client->health(timeout));
    return batch;
  }
  WEIR_TRY(take_messages(batch));
  batch.received_us = settings_.clock->now_us();
  return batch;
}

Status KafkaReader::out_of_range() {
  WEIR_ASSIGN(const Bounds range, bounds());
  if (next_ >= range.low && next_ <= range.high) {
    // The replica that answered was behind, or the log was cut and has grown again since.
    stop();
    WEIR_TRY(begin(next_));
    return Status::unavailable("Kafka partition " + where_ + ": offset " + std::to_string(next_) +
                               " was out of range for a moment");
  }
  if (next_ < range.low && settings_.continue_on_gap) {
    stop();
    drop_messages();
    return begin(range.low);
  }
  if (next_ < range.low) return gone(range.low);
  return Status::invalid("Kafka partition " + where_ + ": the position " + std::to_string(next_) +
                         " lies above the log's end, " + std::to_string(range.high) +
                         ": the log has lost events that were read already, or the topic was created anew");
}

Status KafkaReader::message_failure(const rd_kafka_message_t& message) {
  const char* detail = rd_kafka_message_errstr(&message);
  switch (message.err) {
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE: return out_of_range();
    case RD_KAFKA_RESP_ERR__LOG_TRUNCATION:
      return Status::invalid("Kafka partition " + where_ + ": the log was cut below offset " +
                             std::to_string(next_) + ": events that were read already are lost there (" +
                             detail + ")");
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
      return Status::invalid("Kafka partition " + where_ + ": the message at offset " +
                             std::to_string(message.offset) + " cannot be read: " + detail);
    default: return settings_.client->failure("cannot read " + where_, message.err, detail);
  }
}

}  // namespace

Result<std::unique_ptr<PartitionReader>> open_kafka_reader(KafkaReaderSettings settings, KafkaStart start) {
  auto reader = std::make_unique<KafkaReader>(std::move(settings));
  WEIR_TRY(reader->start_at(start));
  return std::unique_ptr<PartitionReader>(std::move(reader));
}

}  // namespace weir
