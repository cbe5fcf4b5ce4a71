// Orders as JSON into a Kafka topic, as fast as librdkafka sends them or at a given rate.
//
//   kafka_produce SERVERS TOPIC COUNT [--rate N] [--seed N] [--compression NAME]
//
// An event has about 300 bytes and does not repeat; order_id counts from 0, event i goes to partition i
// modulo their number. `sent_at` is the clock when the event was made: at a rate, when it was handed to
// librdkafka. Prints one JSON line: messages, bytes, seconds, messages/s, and what the topic's reader should
// find: sums over all events and over those with quantity > 5.
#include <librdkafka/rdkafka.h>

#include <chrono>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::system_clock;

// splitmix64: the same seed gives the same events.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }
  uint32_t below(uint32_t bound) { return static_cast<uint32_t>(((next() >> 32) * bound) >> 32); }

 private:
  uint64_t state_;
};

int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now().time_since_epoch()).count();
}

struct Sums {
  int64_t rows = 0, order_ids = 0, quantities = 0, cents = 0;
  void add(int64_t order_id, int64_t quantity, int64_t amount_cents) {
    ++rows;
    order_ids += order_id;
    quantities += quantity;
    cents += amount_cents;
  }
};

struct Totals {
  int64_t bytes = 0;
  Sums all, kept;
};

size_t make_event(int64_t id, Random& random, char* out, size_t room, Totals& totals) {
  static const char kCountries[6][3] = {"DE", "FR", "IT", "ES", "PL", "NL"};
  char note[111];
  for (int at = 0; at < 110;) {
    uint64_t bits = random.next();
    for (int i = 0; i < 10 && at < 110; ++i, bits >>= 6)
      note[at++] = "abcdefghijklmnopqrstuvwxyz0123456789"[(bits & 63) * 36 / 64];
  }
  note[110] = 0;
  const int64_t cents = random.below(10'000'000);
  const uint32_t quantity = 1 + random.below(49);
  const int64_t sent_us = now_us();
  const time_t sent_s = static_cast<time_t>(sent_us / 1'000'000);
  static thread_local time_t shown_s = -1;
  static thread_local char shown[32];
  if (sent_s != shown_s) {
    tm parts{};
    gmtime_r(&sent_s, &parts);
    strftime(shown, sizeof shown, "%Y-%m-%dT%H:%M:%S", &parts);
    shown_s = sent_s;
  }
  const int size = snprintf(out, room,
                            R"({"order_id":%)" PRId64 R"(,"customer":"customer-%07u","amount":%)" PRId64
                            R"(.%02d,"quantity":%u,"express":%s,)"
                            R"("weight":%u.%06u,"placed_at":"2026-%02u-%02uT%02u:%02u:%02u.%03u",)"
                            R"("sent_at":"%s.%06d","country":"%s","note":"%s"})",
                            id, random.below(5'000'000), cents / 100, static_cast<int>(cents % 100), quantity,
                            random.below(10) < 3 ? "true" : "false", random.below(100),
                            random.below(1'000'000), 1 + random.below(12), 1 + random.below(28),
                            random.below(24), random.below(60), random.below(60), random.below(1000), shown,
                            static_cast<int>(sent_us % 1'000'000), kCountries[random.below(6)], note);
  totals.bytes += size;
  totals.all.add(id, quantity, cents);
  if (quantity > 5) totals.kept.add(id, quantity, cents);
  return static_cast<size_t>(size);
}

[[noreturn]] void fail(const std::string& words) {
  fprintf(stderr, "kafka_produce: %s\n", words.c_str());
  exit(1);
}

int64_t refused = 0;
void delivered(rd_kafka_t*, const rd_kafka_message_t* message, void*) {
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) ++refused;
}

void print_sums(const char* name, const Sums& sums) {
  printf(R"("%s":{"rows":%)" PRId64 R"(,"order_ids":%)" PRId64 R"(,"quantities":%)" PRId64
         R"(,"cents":%)" PRId64 "}",
         name, sums.rows, sums.order_ids, sums.quantities, sums.cents);
}

class Producer {
 public:
  Producer(const char* servers, const char* topic, const std::string& compression, bool paced) {
    char error[512];
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    const auto set = [&](const char* name, const char* value) {
      if (rd_kafka_conf_set(conf, name, value, error, sizeof error) != RD_KAFKA_CONF_OK) fail(error);
    };
    set("bootstrap.servers", servers);
    set("acks", "1");
    set("linger.ms", paced ? "1" : "20");
    set("batch.size", "1000000");
    set("compression.type", compression.c_str());
    set("queue.buffering.max.messages", "200000");
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
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
  ~Producer() {
    rd_kafka_topic_destroy(topic_);
    rd_kafka_destroy(handle_);
  }
  void send(int64_t id, const char* bytes, size_t size) {
    while (rd_kafka_produce(topic_, static_cast<int32_t>(id % partitions_), RD_KAFKA_MSG_F_COPY,
                            const_cast<char*>(bytes), size, nullptr, 0, nullptr) != 0) {
      if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL)
        fail(rd_kafka_err2str(rd_kafka_last_error()));
      rd_kafka_poll(handle_, 100);
    }
    if (id % 1024 == 0) rd_kafka_poll(handle_, 0);
  }
  void finish() {
    if (rd_kafka_flush(handle_, 60'000) != RD_KAFKA_RESP_ERR_NO_ERROR || refused > 0)
      fail("messages were not taken");
  }

 private:
  rd_kafka_t* handle_ = nullptr;
  rd_kafka_topic_t* topic_ = nullptr;
  int partitions_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) fail("usage: kafka_produce SERVERS TOPIC COUNT [--rate N] [--seed N] [--compression NAME]");
  const int64_t count = atoll(argv[3]);
  double rate = 0;
  uint64_t seed = 7;
  std::string compression = "none";
  for (int i = 4; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--rate") rate = atof(argv[i + 1]);
    if (name == "--seed") seed = strtoull(argv[i + 1], nullptr, 10);
    if (name == "--compression") compression = argv[i + 1];
  }
  Producer producer(argv[1], argv[2], compression, rate > 0);
  Random random(seed);
  Totals totals;
  char event[1024];
  const int64_t started_us = now_us();
  for (int64_t i = 0; i < count; ++i) {
    if (rate > 0) {
      const int64_t due_us = started_us + static_cast<int64_t>(static_cast<double>(i) / rate * 1e6);
      // A late producer catches up in a burst; a stamp is always the time of sending.
      if (const int64_t early_us = due_us - now_us(); early_us > 500)
        std::this_thread::sleep_for(std::chrono::microseconds(early_us));
    }
    producer.send(i, event, make_event(i, random, event, sizeof event, totals));
  }
  producer.finish();
  const double seconds = static_cast<double>(now_us() - started_us) / 1e6;
  printf(R"({"messages":%)" PRId64 R"(,"bytes":%)" PRId64 R"(,"seconds":%.3f,"messages_per_s":%.0f,)", count,
         totals.bytes, seconds, static_cast<double>(count) / seconds);
  print_sums("all", totals.all);
  printf(",");
  print_sums("kept", totals.kept);
  printf("}\n");
  return 0;
}
