// A connection to a Kafka cluster (librdkafka), made from a table's options; what a source and a sink share.
#pragma once

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "clients/kafka_properties.h"
#include "config/options.h"

namespace weir {

template <auto Destroy>
struct KafkaDeleter {
  template <typename T>
  void operator()(T* object) const {
    Destroy(object);
  }
};
template <typename T, auto Destroy>
using KafkaOwned = std::unique_ptr<T, KafkaDeleter<Destroy>>;

using KafkaConf = KafkaOwned<rd_kafka_conf_t, rd_kafka_conf_destroy>;
using KafkaTopic = KafkaOwned<rd_kafka_topic_t, rd_kafka_topic_destroy>;
using KafkaQueue = KafkaOwned<rd_kafka_queue_t, rd_kafka_queue_destroy>;
using KafkaEvent = KafkaOwned<rd_kafka_event_t, rd_kafka_event_destroy>;
using KafkaMessage = KafkaOwned<rd_kafka_message_t, rd_kafka_message_destroy>;
using KafkaPartitionList = KafkaOwned<rd_kafka_topic_partition_list_t, rd_kafka_topic_partition_list_destroy>;

struct KafkaTopicInfo {
  std::string name;
  std::string
      id;  // URL-safe base64 of the topic's id; "cluster-<id>" where the broker is too old to have one
  int partitions = 0;
  bool missing = false;  // there is no such topic
};

struct KafkaPosition {
  std::string topic;
  int32_t partition = 0;
  int64_t offset = 0;
};

struct KafkaClientSettings {
  rd_kafka_type_t type = RD_KAFKA_CONSUMER;
  const Options* options = nullptr;  // only read while the client is made
  KafkaProperties defaults;          // in front of the user's properties
  KafkaProperties forced;            // behind them
  // Sets callbacks before the client is made. Their opaque is the KafkaClient; see owner().
  std::function<void(rd_kafka_conf_t*)> prepare;
  void* owner = nullptr;
  std::vector<std::string> left_out;            // properties of the user that are not for this client
  std::function<void(const std::string&)> log;  // the library's warnings, one line each; may be empty
};

// All members may be called from any thread. Everything made from get() must be gone before the client.
class KafkaClient {
 public:
  // Connects in the background: invalid for a property that cannot be used, else ok.
  static Result<std::unique_ptr<KafkaClient>> create(const KafkaClientSettings& settings);
  // The same checks of the properties, and no more.
  static Status check(const KafkaClientSettings& settings);
  ~KafkaClient();

  rd_kafka_t* get() const { return handle_; }
  void* owner() const { return owner_; }
  const std::string& servers() const { return servers_; }

  // Serves the library's callbacks and tells how the cluster is: ok, denied (credentials, certificates), or
  // unavailable while no broker answers. `timeout` is waited only to look whether one is back.
  Status health(std::chrono::milliseconds timeout);

  // In the order asked for.
  Result<std::vector<KafkaTopicInfo>> describe(const std::vector<std::string>& topics);
  Result<std::vector<std::string>> topic_names();
  // not_found, with a near name.
  Status no_such_topic(const std::string& topic);
  // Offsets for RD_KAFKA_OFFSET_SPEC_EARLIEST, _LATEST (the last stable offset when `committed`), or the
  // first at or after a time in ms (-1: none), given as the offset of each position; answers in the same
  // order.
  Result<std::vector<int64_t>> list_offsets(const std::vector<KafkaPosition>& positions, bool committed);

  // What an error of the library means; `what` says what was tried.
  Status failure(std::string_view what, rd_kafka_resp_err_t error, std::string_view detail = {}) const;

 private:
  KafkaClient() = default;

  static void on_error(rd_kafka_t* handle, int error, const char* reason, void* opaque);
  static void on_log(const rd_kafka_t* handle, int level, const char* facility, const char* text);

  Status refused(std::string_view what);
  Status all_failed(std::string_view what);
  Result<KafkaEvent> wait_for(rd_kafka_queue_t* queue, std::string_view what);

  rd_kafka_t* handle_ = nullptr;
  void* owner_ = nullptr;
  std::string servers_;
  std::chrono::milliseconds timeout_{0};
  std::function<void(const std::string&)> log_;
  mutable std::mutex mutex_;
  std::set<std::string> failed_;                              // addresses that did not answer, under mutex_
  std::string failed_reason_;                                 // of the newest connection error, under mutex_
  rd_kafka_resp_err_t refused_ = RD_KAFKA_RESP_ERR_NO_ERROR;  // credentials or TLS, under mutex_
  std::string refused_reason_;
};

}  // namespace weir
