#include "flink/topics.h"

#include "clients/kafka_client.h"

namespace weir {
namespace {

using NewTopic = KafkaOwned<rd_kafka_NewTopic_t, rd_kafka_NewTopic_destroy>;
using AdminOptions = KafkaOwned<rd_kafka_AdminOptions_t, rd_kafka_AdminOptions_destroy>;

Status create_topic(KafkaClient& client, const std::string& topic, int partitions,
                    std::chrono::milliseconds timeout) {
  const std::string what = "cannot create the topic '" + topic + "'";
  char words[512] = "";
  const NewTopic request(rd_kafka_NewTopic_new(topic.c_str(), partitions, -1, words, sizeof words));
  if (request == nullptr) return Status::invalid(what + ": " + words);
  const AdminOptions options(rd_kafka_AdminOptions_new(client.get(), RD_KAFKA_ADMIN_OP_CREATETOPICS));
  const int timeout_ms = static_cast<int>(timeout.count());
  rd_kafka_AdminOptions_set_request_timeout(options.get(), timeout_ms, words, sizeof words);
  // So that the answer comes when the controller has done it.
  rd_kafka_AdminOptions_set_operation_timeout(options.get(), timeout_ms, words, sizeof words);
  const KafkaQueue queue(rd_kafka_queue_new(client.get()));
  rd_kafka_NewTopic_t* requests[] = {request.get()};
  rd_kafka_CreateTopics(client.get(), requests, 1, options.get(), queue.get());
  const KafkaEvent event(rd_kafka_queue_poll(queue.get(), timeout_ms + 1000));
  if (event == nullptr)
    return Status::unavailable(what + ": Kafka at " + client.servers() + " does not answer");
  if (rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return client.failure(what, rd_kafka_event_error(event.get()), rd_kafka_event_error_string(event.get()));
  }
  size_t count = 0;
  const auto* topics =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  for (size_t i = 0; i < count; ++i) {
    const rd_kafka_resp_err_t error = rd_kafka_topic_result_error(topics[i]);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) continue;
    const char* said = rd_kafka_topic_result_error_string(topics[i]);
    return client.failure(what, error, said == nullptr ? "" : said);
  }
  return {};
}

}  // namespace

Result<FlinkTopicState> ensure_topic(const Options& cluster, const std::string& topic, int partitions,
                                     std::chrono::milliseconds timeout) {
  KafkaClientSettings settings;
  settings.options = &cluster;
  settings.left_out = {"group.id", "group.instance.id", "group.protocol", "group.remote.assignor",
                       "isolation.level"};
  WEIR_ASSIGN(const std::unique_ptr<KafkaClient> client, KafkaClient::create(settings));
  WEIR_ASSIGN(const std::vector<KafkaTopicInfo> found, client->describe({topic}));
  FlinkTopicState state;
  if (found.front().missing) {
    WEIR_TRY(create_topic(*client, topic, partitions, timeout));
    state.created = true;
    return state;
  }
  std::vector<KafkaPosition> begins, ends;
  for (int32_t partition = 0; partition < found.front().partitions; ++partition) {
    begins.push_back({topic, partition, RD_KAFKA_OFFSET_SPEC_EARLIEST});
    ends.push_back({topic, partition, RD_KAFKA_OFFSET_SPEC_LATEST});
  }
  WEIR_ASSIGN(const std::vector<int64_t> low, client->list_offsets(begins, false));
  WEIR_ASSIGN(const std::vector<int64_t> high, client->list_offsets(ends, false));
  for (size_t i = 0; i < low.size(); ++i) state.records += std::max<int64_t>(0, high[i] - low[i]);
  return state;
}

}  // namespace weir
