// This worker's membership in a Kafka consumer group: which partitions are ours, and nothing of their events.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "clients/kafka_client.h"
#include "sources/source.h"

namespace weir {

using KafkaTopicPartition = std::pair<std::string, int32_t>;

// A connection of its own, whose partitions stay paused: readers fetch through another one, so that positions
// are never the group's. Invariant: a partition is given back to the group only when join() was called after
// the change was announced, when the group took it away already, or when waiting longer would cost us our
// membership.
class KafkaGroup final : public GroupMember {
 public:
  // `subscription`: topics, or one "^regular expression".
  static Result<std::unique_ptr<KafkaGroup>> start(const KafkaClientSettings& settings,
                                                   const std::vector<std::string>& subscription,
                                                   std::chrono::milliseconds longest_hand_over,
                                                   const Clock* clock);
  ~KafkaGroup() override;

  Status join(std::chrono::milliseconds timeout) override;
  bool changing() const override;

  // What the last join() gave, sorted.
  std::vector<KafkaTopicPartition> share() const;
  // Tells the group how far we are, for those who watch its lag; soon, and without waiting.
  void commit(const KafkaTopicPartition& partition, int64_t next);
  // The group's committed offset, or nothing when there is none.
  Result<std::optional<int64_t>> committed(const KafkaTopicPartition& partition,
                                           std::chrono::milliseconds timeout);

 private:
  KafkaGroup() = default;

  static void on_rebalance(rd_kafka_t* handle, rd_kafka_resp_err_t error,
                           rd_kafka_topic_partition_list_t* partitions, void* opaque);
  void assign(rd_kafka_topic_partition_list_t* partitions);
  void revoke(rd_kafka_topic_partition_list_t* partitions);
  void wait_for_hand_over();
  void serve();
  void fail(Status status);
  void send_commits(bool wait);

  std::unique_ptr<KafkaClient> client_;
  const Clock* clock_ = nullptr;
  std::chrono::milliseconds longest_hand_over_{0};
  std::thread thread_;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_condition_;
  std::vector<KafkaTopicPartition> assigned_;  // by the group, sorted
  std::vector<KafkaTopicPartition> share_;     // as the last join() saw it
  bool settled_ = false;                       // the group has answered; false between revoke and assign
  bool revoking_ = false;                      // the group waits for us
  bool released_ = false;                      // nobody reads: a partition may go at once
  bool changing_ = false;
  bool stopping_ = false;
  Status failure_;
  std::map<KafkaTopicPartition, int64_t> commits_;  // not yet sent; at most one a partition
};

}  // namespace weir
