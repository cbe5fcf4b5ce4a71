#include "clients/kafka_client.h"

#include <algorithm>
#include <map>

#include "base/text.h"

namespace weir {
namespace {

using std::chrono::milliseconds;
using AdminOptions = KafkaOwned<rd_kafka_AdminOptions_t, rd_kafka_AdminOptions_destroy>;
using TopicCollection = KafkaOwned<rd_kafka_TopicCollection_t, rd_kafka_TopicCollection_destroy>;

constexpr int kStepMs = 50;

AdminOptions admin_options(rd_kafka_t* handle, rd_kafka_admin_op_t operation,
                           std::chrono::milliseconds timeout) {
  AdminOptions options(rd_kafka_AdminOptions_new(handle, operation));
  char words[256];
  rd_kafka_AdminOptions_set_request_timeout(options.get(), static_cast<int>(timeout.count()), words,
                                            sizeof words);
  return options;
}

std::vector<std::string> known_properties() {
  std::vector<std::string> names;
  const KafkaConf conf(rd_kafka_conf_new());
  size_t count = 0;
  const char** dump = rd_kafka_conf_dump(conf.get(), &count);
  for (size_t i = 0; i + 1 < count; i += 2) names.emplace_back(dump[i]);
  rd_kafka_conf_dump_free(dump, count);
  return names;
}

Status set_property(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
  char words[512];
  const rd_kafka_conf_res_t result =
      rd_kafka_conf_set(conf, name.c_str(), value.c_str(), words, sizeof words);
  if (result == RD_KAFKA_CONF_OK) return {};
  if (result == RD_KAFKA_CONF_UNKNOWN) {
    return Status::invalid("'properties." + name + "' is no property of librdkafka." +
                           suggestion(name, known_properties()));
  }
  if (kafka_property_is_secret(name)) {  // the library's words repeat the value
    return Status::invalid("'properties." + name + "': the value cannot be used");
  }
  return Status::invalid("'properties." + name + "': " + words);
}

Result<KafkaConf> make_conf(const KafkaClientSettings& settings) {
  KafkaConf conf(rd_kafka_conf_new());
  for (const auto& [name, value] : settings.defaults) WEIR_TRY(set_property(conf.get(), name, value));
  WEIR_ASSIGN(const KafkaProperties given, kafka_properties(*settings.options));
  for (const auto& [name, value] : given) {
    const auto& skip = settings.left_out;
    if (std::find(skip.begin(), skip.end(), name) == skip.end()) {
      WEIR_TRY(set_property(conf.get(), name, value));
    }
  }
  for (const auto& [name, value] : settings.forced) WEIR_TRY(set_property(conf.get(), name, value));
  return conf;
}

// "[thrd:sasl_plaintext://…]: host/1: words (after 3ms in state …)" -> "host/1: words"
std::string plain_reason(std::string_view reason) {
  if (const size_t at = reason.find("]: "); at != std::string_view::npos && reason.front() == '[') {
    reason.remove_prefix(at + 3);
  }
  if (const size_t at = reason.find(" (after "); at != std::string_view::npos) reason = reason.substr(0, at);
  return std::string(reason);
}

std::string url_safe(std::string id) {
  for (char& c : id) c = c == '+' ? '-' : c == '/' ? '_' : c;
  while (!id.empty() && id.back() == '=') id.pop_back();
  return id;
}

bool is_refusal(rd_kafka_resp_err_t error) {
  return error == RD_KAFKA_RESP_ERR__AUTHENTICATION ||
         error == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED || error == RD_KAFKA_RESP_ERR__SSL ||
         error == RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM;
}

}  // namespace

Result<std::unique_ptr<KafkaClient>> KafkaClient::create(const KafkaClientSettings& settings) {
  WEIR_ASSIGN(KafkaConf conf, make_conf(settings));
  std::unique_ptr<KafkaClient> client(new KafkaClient);
  client->owner_ = settings.owner;
  client->log_ = settings.log;
  client->servers_ = settings.options->string("properties.bootstrap.servers");
  client->timeout_ = settings.options->duration("connect.timeout");
  rd_kafka_conf_set_opaque(conf.get(), client.get());
  rd_kafka_conf_set_error_cb(conf.get(), on_error);
  rd_kafka_conf_set_log_cb(conf.get(), on_log);
  rd_kafka_conf_enable_sasl_queue(conf.get(), 1);
  if (settings.prepare) settings.prepare(conf.get());
  char words[512];
  client->handle_ = rd_kafka_new(settings.type, conf.get(), words, sizeof words);
  if (client->handle_ == nullptr) return Status::invalid("Kafka at " + client->servers_ + ": " + words);
  (void)conf.release();  // the client owns it now
  // Tokens are made and renewed in the library's own thread, also while nobody polls.
  rd_kafka_error_destroy(rd_kafka_sasl_background_callbacks_enable(client->handle_));
  return client;
}

Status KafkaClient::check(const KafkaClientSettings& settings) { return make_conf(settings).status(); }

KafkaClient::~KafkaClient() {
  if (handle_ != nullptr) rd_kafka_destroy(handle_);
}

void KafkaClient::on_error(rd_kafka_t*, int error, const char* reason, void* opaque) {
  auto& client = *static_cast<KafkaClient*>(opaque);
  const auto code = static_cast<rd_kafka_resp_err_t>(error);
  const std::string words = plain_reason(reason);
  std::lock_guard lock(client.mutex_);
  if (is_refusal(code)) {
    client.refused_ = code;
    client.refused_reason_ = words;
  } else if (code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__RESOLVE ||
             code == RD_KAFKA_RESP_ERR__TIMED_OUT) {
    client.failed_.insert(words.substr(0, words.find('/')));
    client.failed_reason_ = words;
  }
}

void KafkaClient::on_log(const rd_kafka_t* handle, int level, const char* facility, const char* text) {
  constexpr int kWarning = 4;
  const auto* client = static_cast<const KafkaClient*>(rd_kafka_opaque(handle));
  if (level > kWarning || client == nullptr || !client->log_) return;
  client->log_("Kafka: " + plain_reason(text));
}

Status KafkaClient::refused(std::string_view what) {
  std::lock_guard lock(mutex_);
  if (refused_ == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  return failure(what, std::exchange(refused_, RD_KAFKA_RESP_ERR_NO_ERROR), refused_reason_);
}

// unavailable when as many addresses failed as were given: then there is nobody left to ask.
Status KafkaClient::all_failed(std::string_view what) {
  const auto given = static_cast<size_t>(1 + std::count(servers_.begin(), servers_.end(), ','));
  std::lock_guard lock(mutex_);
  if (failed_.size() < given) return {};
  failed_.clear();  // the next call waits for new evidence
  return failure(what, RD_KAFKA_RESP_ERR__TRANSPORT, failed_reason_);
}

Status KafkaClient::health(milliseconds timeout) {
  rd_kafka_poll(handle_, 0);
  WEIR_TRY(refused("log-in"));
  {
    std::lock_guard lock(mutex_);
    if (failed_.empty()) return {};
  }
  // The library reconnects by itself but does not tell when it has.
  const rd_kafka_metadata_t* metadata = nullptr;
  const rd_kafka_resp_err_t error = rd_kafka_metadata(
      handle_, 0, nullptr, &metadata, static_cast<int>(std::clamp<int64_t>(timeout.count(), 50, 1000)));
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) rd_kafka_metadata_destroy(metadata);
  std::lock_guard lock(mutex_);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return failure("no broker answers", error, failed_reason_);
  failed_.clear();
  return {};
}

Status KafkaClient::failure(std::string_view what, rd_kafka_resp_err_t error, std::string_view detail) const {
  const std::string text = "Kafka at " + servers_ + ": " + std::string(what) + ": " +
                           (detail.empty() ? std::string(rd_kafka_err2str(error)) : std::string(detail));
  switch (error) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
    case RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE:
      return {Code::denied, text + ". Check 'properties.security.protocol' and 'properties.sasl.*'"};
    case RD_KAFKA_RESP_ERR__SSL:
      return {Code::denied, text + ". Check 'properties.security.protocol' and 'properties.ssl.*'"};
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
      return {Code::denied, text + ". The user lacks this right on the cluster (an ACL)"};
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID: return {Code::not_found, text};
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_INVALID_GROUP_ID:
    case RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL:
    case RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID: return Status::invalid(text);
    default: return Status::unavailable(text);
  }
}

Result<KafkaEvent> KafkaClient::wait_for(rd_kafka_queue_t* queue, std::string_view what) {
  // The call itself ends after its request timeout; a refused log-in, or a cluster that is away, ends the
  // wait before that.
  const int64_t most = timeout_.count() + 2000;
  for (int64_t waited_ms = 0; waited_ms < most; waited_ms += kStepMs) {
    KafkaEvent event(rd_kafka_queue_poll(queue, kStepMs));
    if (event != nullptr && rd_kafka_event_error(event.get()) == RD_KAFKA_RESP_ERR_NO_ERROR) return event;
    rd_kafka_poll(handle_, 0);
    WEIR_TRY(refused(what));
    WEIR_TRY(all_failed(what));
    if (event != nullptr) {
      return failure(what, rd_kafka_event_error(event.get()), rd_kafka_event_error_string(event.get()));
    }
  }
  return failure(what, RD_KAFKA_RESP_ERR__TIMED_OUT);
}

Result<std::vector<KafkaTopicInfo>> KafkaClient::describe(const std::vector<std::string>& topics) {
  std::vector<const char*> names;
  for (const std::string& topic : topics) names.push_back(topic.c_str());
  const TopicCollection collection(rd_kafka_TopicCollection_of_topic_names(names.data(), names.size()));
  const AdminOptions options = admin_options(handle_, RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, timeout_);
  const KafkaQueue queue(rd_kafka_queue_new(handle_));
  rd_kafka_DescribeTopics(handle_, collection.get(), options.get(), queue.get());
  WEIR_ASSIGN(const KafkaEvent event, wait_for(queue.get(), "cannot look up the topics"));
  size_t count = 0;
  const rd_kafka_TopicDescription_t** described =
      rd_kafka_DescribeTopics_result_topics(rd_kafka_event_DescribeTopics_result(event.get()), &count);
  std::vector<KafkaTopicInfo> result;
  for (size_t i = 0; i < count; ++i) {
    KafkaTopicInfo info;
    info.name = rd_kafka_TopicDescription_name(described[i]);
    const rd_kafka_error_t* error = rd_kafka_TopicDescription_error(described[i]);
    const rd_kafka_resp_err_t code =
        error == nullptr ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_error_code(error);
    info.missing = code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    if (info.missing) {
      result.push_back(std::move(info));
      continue;
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return failure("topic '" + info.name + "'", code);
    size_t partitions = 0;
    rd_kafka_TopicDescription_partitions(described[i], &partitions);
    info.partitions = static_cast<int>(partitions);
    const rd_kafka_Uuid_t* id = rd_kafka_TopicDescription_topic_id(described[i]);
    if (id != nullptr &&
        (rd_kafka_Uuid_most_significant_bits(id) != 0 || rd_kafka_Uuid_least_significant_bits(id) != 0)) {
      info.id = url_safe(rd_kafka_Uuid_base64str(id));
    } else {
      char* cluster = rd_kafka_clusterid(handle_, static_cast<int>(timeout_.count()));
      info.id = "cluster-" + url_safe(cluster == nullptr ? "unknown" : cluster);
      if (cluster != nullptr) rd_kafka_mem_free(handle_, cluster);
    }
    result.push_back(std::move(info));
  }
  std::map<std::string, KafkaTopicInfo> by_name;
  for (KafkaTopicInfo& info : result) by_name[info.name] = std::move(info);
  result.clear();
  for (const std::string& topic : topics) result.push_back(by_name[topic]);
  return result;
}

Status KafkaClient::no_such_topic(const std::string& topic) {
  std::string hint;
  if (auto all = topic_names(); all.ok()) {
    hint = suggestion(topic, *all);
    if (all->empty()) hint = " There are no topics.";
  }
  return {Code::not_found, "Kafka at " + servers_ + ": topic '" + topic + "' does not exist." + hint};
}

Result<std::vector<std::string>> KafkaClient::topic_names() {
  const rd_kafka_metadata_t* metadata = nullptr;
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR__TIMED_OUT;
  for (int64_t waited_ms = 0; waited_ms < timeout_.count(); waited_ms += 500) {
    error = rd_kafka_metadata(handle_, 1, nullptr, &metadata, 500);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) break;
    rd_kafka_poll(handle_, 0);
    WEIR_TRY(refused("cannot list the topics"));
    WEIR_TRY(all_failed("cannot list the topics"));
  }
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return failure("cannot list the topics", error);
  std::vector<std::string> names;
  for (int i = 0; i < metadata->topic_cnt; ++i) names.emplace_back(metadata->topics[i].topic);
  rd_kafka_metadata_destroy(metadata);
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::vector<int64_t>> KafkaClient::list_offsets(const std::vector<KafkaPosition>& positions,
                                                       bool committed) {
  if (positions.empty()) return std::vector<int64_t>();
  const KafkaPartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(positions.size())));
  for (const KafkaPosition& position : positions) {
    rd_kafka_topic_partition_list_add(list.get(), position.topic.c_str(), position.partition)->offset =
        position.offset;
  }
  const AdminOptions options = admin_options(handle_, RD_KAFKA_ADMIN_OP_LISTOFFSETS, timeout_);
  rd_kafka_error_destroy(rd_kafka_AdminOptions_set_isolation_level(
      options.get(),
      committed ? RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED : RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED));
  const KafkaQueue queue(rd_kafka_queue_new(handle_));
  rd_kafka_ListOffsets(handle_, list.get(), options.get(), queue.get());
  WEIR_ASSIGN(const KafkaEvent event, wait_for(queue.get(), "cannot look up offsets"));
  size_t count = 0;
  const rd_kafka_ListOffsetsResultInfo_t** infos =
      rd_kafka_ListOffsets_result_infos(rd_kafka_event_ListOffsets_result(event.get()), &count);
  std::map<std::pair<std::string, int32_t>, int64_t> found;
  for (size_t i = 0; i < count; ++i) {
    const rd_kafka_topic_partition_t* at = rd_kafka_ListOffsetsResultInfo_topic_partition(infos[i]);
    if (at->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return failure("offsets of " + std::string(at->topic) + "/" + std::to_string(at->partition), at->err);
    }
    found[{at->topic, at->partition}] = at->offset;
  }
  std::vector<int64_t> result;
  for (const KafkaPosition& position : positions) {
    auto at = found.find({position.topic, position.partition});
    if (at == found.end()) return failure("offsets of " + position.topic, RD_KAFKA_RESP_ERR__TIMED_OUT);
    result.push_back(at->second);
  }
  return result;
}

}  // namespace weir
