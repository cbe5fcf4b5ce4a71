// Nexmark's events as the `generator` source makes them, as JSON: a line each into a file, or a message each
// into a Kafka topic; times are ISO-8601.
//
//   nexmark_produce COUNT file PATH [--first N] [--seed N] [--rate N] [--flat 1]
//   nexmark_produce COUNT kafka SERVERS TOPIC [--first N] [--seed N] [--rate N] [--flat 1]
//   nexmark_produce COUNT none [--first N] [--seed N] [--rate N]      makes the columns only: the generator's
//   speed
//
// --flat 1: event_type and the bid's fields as columns of one row, for readers that know no ROW; the fields
// of persons and auctions are left out.
// --rate: 'nexmark.event-rate', events a second of event time. Event n goes to partition n modulo their
// number. Time begins at the generator's default 'start-time'. Prints one JSON line.
#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <librdkafka/rdkafka.h>

#include <chrono>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "schema/row_json.h"
#include "sources/generator/nexmark_events.h"

namespace {

constexpr int64_t kBatch = 8192;
constexpr int64_t kStart_us = 1'767'225'600'000'000;  // 2026-01-01

[[noreturn]] void fail(const std::string& words) {
  fprintf(stderr, "nexmark_produce: %s\n", words.c_str());
  exit(1);
}

class Sink {
 public:
  virtual ~Sink() = default;
  virtual void event(int64_t number, const std::string& json) = 0;
  virtual void finish() = 0;
};

class File final : public Sink {
 public:
  explicit File(const char* path) : file_(fopen(path, "wb")) {
    if (file_ == nullptr) fail("cannot write " + std::string(path));
  }
  void event(int64_t, const std::string& json) override {
    fwrite(json.data(), 1, json.size(), file_);
    fputc('\n', file_);
  }
  void finish() override {
    const bool failed = ferror(file_) != 0;
    if (fclose(file_) != 0 || failed) fail("the file was not written");
  }

 private:
  FILE* file_;
};

class Kafka final : public Sink {
 public:
  Kafka(const char* servers, const char* topic) {
    char error[512];
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    const auto set = [&](const char* name, const char* value) {
      if (rd_kafka_conf_set(conf, name, value, error, sizeof error) != RD_KAFKA_CONF_OK) fail(error);
    };
    set("bootstrap.servers", servers);
    set("enable.idempotence", "true");  // a partition keeps the events' order
    set("linger.ms", "20");
    set("batch.size", "1000000");
    set("queue.buffering.max.messages", "200000");
    rd_kafka_conf_set_opaque(conf, this);
    rd_kafka_conf_set_dr_msg_cb(conf, [](rd_kafka_t*, const rd_kafka_message_t* message, void* self) {
      if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) ++static_cast<Kafka*>(self)->refused_;
    });
    handle_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
    if (handle_ == nullptr) fail(error);
    topic_ = rd_kafka_topic_new(handle_, topic, nullptr);
    const rd_kafka_metadata_t* metadata = nullptr;
    if (rd_kafka_metadata(handle_, 0, topic_, &metadata, 10'000) != RD_KAFKA_RESP_ERR_NO_ERROR)
      fail("no metadata");
    partitions_ = metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    if (partitions_ == 0) fail("no such topic");
  }
  ~Kafka() override {
    rd_kafka_topic_destroy(topic_);
    rd_kafka_destroy(handle_);
  }
  void event(int64_t number, const std::string& json) override {
    while (rd_kafka_produce(topic_, static_cast<int32_t>(number % partitions_), RD_KAFKA_MSG_F_COPY,
                            const_cast<char*>(json.data()), json.size(), nullptr, 0, nullptr) != 0) {
      if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL)
        fail(rd_kafka_err2str(rd_kafka_last_error()));
      rd_kafka_poll(handle_, 100);
    }
    if (number % 1024 == 0) rd_kafka_poll(handle_, 0);
  }
  void finish() override {
    if (rd_kafka_flush(handle_, 60'000) != RD_KAFKA_RESP_ERR_NO_ERROR || refused_ > 0)
      fail("messages were not taken");
  }

 private:
  rd_kafka_t* handle_ = nullptr;
  rd_kafka_topic_t* topic_ = nullptr;
  int partitions_ = 0;
  int64_t refused_ = 0;
};

std::shared_ptr<arrow::RecordBatch> flattened(const arrow::RecordBatch& batch) {
  const auto& bid = static_cast<const arrow::StructArray&>(*batch.GetColumnByName("bid"));
  arrow::FieldVector fields = {batch.schema()->field(0)};
  arrow::ArrayVector columns = {batch.column(0)};
  for (int i = 0; i < bid.num_fields(); ++i) {
    fields.push_back(bid.type()->field(i));
    columns.push_back(bid.field(i));
  }
  return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), batch.num_rows(), std::move(columns));
}

}  // namespace

int main(int argc, char** argv) {
  const char* usage =
      "usage: nexmark_produce COUNT (file PATH | kafka SERVERS TOPIC | none) [--first N] [--seed N] "
      "[--rate N]";
  if (argc < 3) fail(usage);
  const int64_t count = atoll(argv[1]);
  const std::string kind = argv[2];
  const int options = kind == "kafka" ? 5 : kind == "file" ? 4 : kind == "none" ? 3 : argc + 1;
  if (options > argc || (argc - options) % 2 != 0) fail(usage);
  int64_t first = 0;
  bool flat = false;
  weir::NexmarkSettings settings;
  settings.start_us = kStart_us;
  for (int i = options; i < argc; i += 2) {
    const std::string name = argv[i];
    const int64_t value = atoll(argv[i + 1]);
    if (name == "--first")
      first = value;
    else if (name == "--seed")
      settings.seed = static_cast<uint64_t>(value);
    else if (name == "--rate")
      settings.event_rate = value;
    else if (name == "--flat")
      flat = value != 0;
    else
      fail(usage);
  }
  std::vector<weir::ColumnSpec> columns;
  for (const auto& field : weir::nexmark_schema()->fields()) {
    columns.emplace_back().name = field->name();
    columns.back().type.arrow = field->type();
  }
  auto events = weir::NexmarkEvents::create(settings, columns);
  if (!events.ok()) fail(events.status().message());
  std::unique_ptr<Sink> sink;
  if (kind == "file") sink = std::make_unique<File>(argv[3]);
  if (kind == "kafka") sink = std::make_unique<Kafka>(argv[3], argv[4]);

  const auto started = std::chrono::steady_clock::now();
  int64_t bytes = 0;
  std::string json;
  std::vector<int64_t> times_us(kBatch);
  for (int64_t done = 0; done < count; done += kBatch) {
    const int64_t rows = std::min(kBatch, count - done);
    auto batch = (*events)->make(first + done, 1, rows, times_us.data());
    if (sink == nullptr) continue;
    if (flat) batch = flattened(*batch);
    for (int64_t i = 0; i < rows; ++i) {
      json.clear();
      weir::append_json_row(*batch, i, batch->num_columns(), json);
      bytes += static_cast<int64_t>(json.size());
      sink->event(first + done + i, json);
    }
  }
  if (sink != nullptr) sink->finish();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  printf(R"({"events":%)" PRId64 R"(,"bytes":%)" PRId64 R"(,"seconds":%.3f,"events_per_s":%.0f})"
         "\n",
         count, bytes, seconds, static_cast<double>(count) / seconds);
  return 0;
}
