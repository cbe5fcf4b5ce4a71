// A Kafka cluster inside the test process: librdkafka's own mock brokers, on real sockets.
#pragma once

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir {

struct MockRecord {
  std::optional<std::string> value;
  std::optional<std::string> key;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  int32_t partition = 0;
  int64_t timestamp_ms = 0;
};

class MockCluster {
 public:
  MockCluster() {
    char words[256];
    handle_ = rd_kafka_new(RD_KAFKA_PRODUCER, quiet(rd_kafka_conf_new()), words, sizeof words);
    cluster_ = rd_kafka_mock_cluster_new(handle_, 1);
    rd_kafka_mock_broker_add(cluster_, 0);  // the mock says that 0 is the controller, but counts from 1
    servers_ = rd_kafka_mock_cluster_bootstraps(cluster_);
    rd_kafka_conf_t* conf = quiet(rd_kafka_conf_new());
    rd_kafka_conf_set(conf, "bootstrap.servers", servers_.c_str(), words, sizeof words);
    rd_kafka_conf_set(conf, "linger.ms", "1", words, sizeof words);
    producer_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, words, sizeof words);
    rd_kafka_mock_group_initial_rebalance_delay_ms(cluster_, 100);
  }
  ~MockCluster() {
    rd_kafka_destroy(producer_);
    rd_kafka_mock_cluster_destroy(cluster_);
    rd_kafka_destroy(handle_);
  }

  const std::string& servers() const { return servers_; }
  rd_kafka_mock_cluster_t* get() const { return cluster_; }

  void go_down() {
    for (int32_t broker : {0, 1}) rd_kafka_mock_broker_set_down(cluster_, broker);
  }
  void come_up() {
    for (int32_t broker : {0, 1}) rd_kafka_mock_broker_set_up(cluster_, broker);
  }

  void create_topic(const std::string& name, int partitions) {
    EXPECT_EQ(rd_kafka_mock_topic_create(cluster_, name.c_str(), partitions, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
  }

  void produce(const std::string& topic, const std::vector<MockRecord>& records) {
    for (const MockRecord& record : records) {
      rd_kafka_headers_t* headers = rd_kafka_headers_new(record.headers.size());
      for (const auto& [name, value] : record.headers) {
        rd_kafka_header_add(headers, name.data(), static_cast<ssize_t>(name.size()),
                            value ? value->data() : nullptr, value ? static_cast<ssize_t>(value->size()) : 0);
      }
      void* value = record.value ? const_cast<char*>(record.value->data()) : nullptr;
      const size_t value_size = record.value ? record.value->size() : 0;
      const void* key = record.key ? record.key->data() : nullptr;
      const size_t key_size = record.key ? record.key->size() : 0;
      const rd_kafka_resp_err_t error = rd_kafka_producev(
          producer_, RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(record.partition),
          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_VALUE(value, value_size),
          RD_KAFKA_V_KEY(key, key_size), RD_KAFKA_V_TIMESTAMP(record.timestamp_ms),
          RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
      ASSERT_EQ(error, RD_KAFKA_RESP_ERR_NO_ERROR);
    }
    ASSERT_EQ(rd_kafka_flush(producer_, 10'000), RD_KAFKA_RESP_ERR_NO_ERROR);
  }

  // `count` values "v0", "v1", … into one partition.
  void produce_values(const std::string& topic, int count, int32_t partition = 0, int first = 0) {
    std::vector<MockRecord> records;
    for (int i = first; i < first + count; ++i) {
      MockRecord record;
      record.value = "v" + std::to_string(i);
      record.partition = partition;
      records.push_back(record);
    }
    produce(topic, records);
  }

 private:
  static rd_kafka_conf_t* quiet(rd_kafka_conf_t* conf) {
    rd_kafka_conf_set_log_cb(conf, nullptr);
    return conf;
  }

  rd_kafka_t* handle_ = nullptr;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
  rd_kafka_t* producer_ = nullptr;
  std::string servers_;
};

}  // namespace weir
