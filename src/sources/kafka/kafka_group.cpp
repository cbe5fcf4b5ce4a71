#include "sources/kafka/kafka_group.h"

#include <algorithm>

namespace weir {
namespace {

using std::chrono::milliseconds;

constexpr int kPollMs = 100;
constexpr int64_t kCommitEveryNs = 500'000'000;

std::vector<KafkaTopicPartition> partitions_of(const rd_kafka_topic_partition_list_t& list) {
  std::vector<KafkaTopicPartition> result;
  for (int i = 0; i < list.cnt; ++i) result.emplace_back(list.elems[i].topic, list.elems[i].partition);
  return result;
}

bool is_cooperative(rd_kafka_t* handle) {
  return std::string_view(rd_kafka_rebalance_protocol(handle)) == "COOPERATIVE";
}

}  // namespace

Result<std::unique_ptr<KafkaGroup>> KafkaGroup::start(const KafkaClientSettings& settings,
                                                      const std::vector<std::string>& subscription,
                                                      milliseconds longest_hand_over, const Clock* clock) {
  std::unique_ptr<KafkaGroup> group(new KafkaGroup);
  group->clock_ = clock;
  group->longest_hand_over_ = longest_hand_over;
  KafkaClientSettings own = settings;
  own.owner = group.get();
  own.prepare = [](rd_kafka_conf_t* conf) { rd_kafka_conf_set_rebalance_cb(conf, on_rebalance); };
  WEIR_ASSIGN(group->client_, KafkaClient::create(own));
  rd_kafka_poll_set_consumer(group->client_->get());
  const KafkaPartitionList topics(rd_kafka_topic_partition_list_new(static_cast<int>(subscription.size())));
  for (const std::string& topic : subscription) {
    rd_kafka_topic_partition_list_add(topics.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  }
  const rd_kafka_resp_err_t error = rd_kafka_subscribe(group->client_->get(), topics.get());
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return group->client_->failure("cannot join the group", error);
  group->thread_ = std::thread([raw = group.get()] { raw->serve(); });
  return group;
}

KafkaGroup::~KafkaGroup() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_condition_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Status KafkaGroup::join(milliseconds timeout) {
  std::unique_lock lock(mutex_);
  released_ = true;
  changed_condition_.notify_all();
  changed_condition_.wait_for(lock, timeout, [&] { return !failure_.ok() || (settled_ && !revoking_); });
  if (!failure_.ok()) {
    // Kept only when it is final, so that a broker that comes back is found by the next call.
    Status failure = failure_;
    if (failure_.retryable()) failure_ = Status();
    return failure;
  }
  if (!settled_ || revoking_) {
    return Status::unavailable("Kafka at " + client_->servers() +
                               ": waiting for the consumer group's partitions");
  }
  released_ = false;
  changing_ = false;
  share_ = assigned_;
  return {};
}

bool KafkaGroup::changing() const {
  std::lock_guard lock(mutex_);
  return changing_;
}

std::vector<KafkaTopicPartition> KafkaGroup::share() const {
  std::lock_guard lock(mutex_);
  return share_;
}

void KafkaGroup::commit(const KafkaTopicPartition& partition, int64_t next) {
  std::lock_guard lock(mutex_);
  commits_[partition] = next;
}

Result<std::optional<int64_t>> KafkaGroup::committed(const KafkaTopicPartition& partition,
                                                     milliseconds timeout) {
  const KafkaPartitionList list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), partition.first.c_str(), partition.second);
  rd_kafka_resp_err_t error =
      rd_kafka_committed(client_->get(), list.get(), static_cast<int>(timeout.count()));
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) error = list->elems[0].err;
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return client_->failure("the group's offsets", error);
  if (list->elems[0].offset < 0) return std::optional<int64_t>();
  return std::optional<int64_t>(list->elems[0].offset);
}

void KafkaGroup::on_rebalance(rd_kafka_t*, rd_kafka_resp_err_t error,
                              rd_kafka_topic_partition_list_t* partitions, void* opaque) {
  auto& group = *static_cast<KafkaGroup*>(static_cast<KafkaClient*>(opaque)->owner());
  if (error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    group.assign(partitions);
  } else if (error == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
    group.revoke(partitions);
  } else {
    rd_kafka_assign(group.client_->get(), nullptr);
    group.fail(group.client_->failure("the consumer group", error));
  }
}

void KafkaGroup::assign(rd_kafka_topic_partition_list_t* partitions) {
  rd_kafka_t* handle = client_->get();
  for (int i = 0; i < partitions->cnt; ++i) partitions->elems[i].offset = RD_KAFKA_OFFSET_END;
  if (is_cooperative(handle)) {
    rd_kafka_error_destroy(rd_kafka_incremental_assign(handle, partitions));
  } else {
    rd_kafka_assign(handle, partitions);
  }
  rd_kafka_pause_partitions(handle, partitions);
  std::lock_guard lock(mutex_);
  for (KafkaTopicPartition& added : partitions_of(*partitions)) assigned_.push_back(std::move(added));
  std::sort(assigned_.begin(), assigned_.end());
  assigned_.erase(std::unique(assigned_.begin(), assigned_.end()), assigned_.end());
  settled_ = true;
  changing_ = changing_ || assigned_ != share_;
  changed_condition_.notify_all();
}

// Called with nothing locked, in the thread that serves the group: heart beats go on meanwhile in the
// library's own thread.
void KafkaGroup::wait_for_hand_over() {
  const int64_t deadline_ns = clock_->monotonic_ns() + std::chrono::nanoseconds(longest_hand_over_).count();
  std::unique_lock lock(mutex_);
  revoking_ = true;
  changing_ = true;
  while (!released_ && !stopping_ && clock_->monotonic_ns() < deadline_ns) {
    if (rd_kafka_assignment_lost(client_->get()) != 0) break;
    changed_condition_.wait_for(lock, milliseconds(kPollMs));
  }
}

void KafkaGroup::revoke(rd_kafka_topic_partition_list_t* partitions) {
  rd_kafka_t* handle = client_->get();
  wait_for_hand_over();
  const bool lost = rd_kafka_assignment_lost(handle) != 0;
  if (!lost) send_commits(true);
  const bool cooperative = is_cooperative(handle);
  if (cooperative) {
    rd_kafka_error_destroy(rd_kafka_incremental_unassign(handle, partitions));
  } else {
    rd_kafka_assign(handle, nullptr);
  }
  std::lock_guard lock(mutex_);
  for (const KafkaTopicPartition& gone : partitions_of(*partitions)) {
    assigned_.erase(std::remove(assigned_.begin(), assigned_.end(), gone), assigned_.end());
    commits_.erase(gone);
  }
  // What remains is ours at once; with the eager protocols an assignment always follows.
  settled_ = cooperative && !lost;
  revoking_ = false;
  changed_condition_.notify_all();
}

void KafkaGroup::fail(Status status) {
  std::lock_guard lock(mutex_);
  failure_ = std::move(status);
  if (!failure_.retryable()) changing_ = true;
  changed_condition_.notify_all();
}

void KafkaGroup::send_commits(bool wait) {
  std::map<KafkaTopicPartition, int64_t> commits;
  {
    std::lock_guard lock(mutex_);
    commits.swap(commits_);
    for (auto it = commits.begin(); it != commits.end();) {
      const bool ours = std::binary_search(assigned_.begin(), assigned_.end(), it->first);
      it = ours ? std::next(it) : commits.erase(it);
    }
  }
  if (commits.empty()) return;
  const KafkaPartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(commits.size())));
  for (const auto& [partition, next] : commits) {
    rd_kafka_topic_partition_list_add(list.get(), partition.first.c_str(), partition.second)->offset = next;
  }
  // A failure is no loss: our positions are kept with the rows.
  rd_kafka_commit(client_->get(), list.get(), wait ? 0 : 1);
}

void KafkaGroup::serve() {
  int64_t committed_ns = clock_->monotonic_ns();
  while (true) {
    {
      std::lock_guard lock(mutex_);
      if (stopping_) break;
    }
    const KafkaMessage message(rd_kafka_consumer_poll(client_->get(), kPollMs));
    if (message != nullptr && message->err != RD_KAFKA_RESP_ERR_NO_ERROR &&
        message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      Status failed =
          client_->failure("the consumer group", message->err, rd_kafka_message_errstr(message.get()));
      std::lock_guard lock(mutex_);
      // Once it has partitions, the library mends passing troubles by itself.
      if (!failed.retryable() || !settled_) {
        failure_ = std::move(failed);
        if (!failure_.retryable()) changing_ = true;
        changed_condition_.notify_all();
      }
    }
    if (clock_->monotonic_ns() - committed_ns >= kCommitEveryNs) {
      committed_ns = clock_->monotonic_ns();
      send_commits(false);
      Status health = client_->health(milliseconds(0));
      if (health.code() == Code::denied) fail(std::move(health));
    }
  }
  send_commits(true);
  rd_kafka_consumer_close(client_->get());
}

}  // namespace weir
