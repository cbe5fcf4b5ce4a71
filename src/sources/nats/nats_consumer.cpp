#include "sources/nats/nats_consumer.h"

#include <algorithm>

namespace weir {
namespace {

// Far longer than a commit: redelivery is never how we recover. What comes again nevertheless (a commit that
// takes hours) is known by its sequence and dropped.
constexpr int64_t kAckWaitNs = 3'600'000'000'000;
// Delivery must not stall between commits, whatever their interval: -1 for "no bound" is lost in the library,
// and 1000 the default.
constexpr int64_t kMaxAckPending = 1'000'000'000;
// There both sides remember each message until its commit: 64 MB here. A partition would have to bring
// 400,000 messages a second to reach it within the default interval of 10 s; then it waits for that commit
// and goes on.
constexpr int64_t kMaxAckPendingWorkQueue = 4'000'000;
constexpr int64_t kTemporaryNs = 60'000'000'000;

Status remove_consumer(const NatsConnection& connection, const std::string& stream, const std::string& name) {
  jsErrCode error = static_cast<jsErrCode>(0);
  const natsStatus status =
      js_DeleteConsumer(connection.jetstream(), stream.c_str(), name.c_str(), nullptr, &error);
  if (status == NATS_OK || error == JSConsumerNotFoundErr) return {};
  return connection.failure("cannot replace consumer '" + name + "'", status, error);
}

Result<bool> consumer_exists(const NatsConnection& connection, const std::string& stream,
                             const std::string& name) {
  jsConsumerInfo* found = nullptr;
  jsErrCode error = static_cast<jsErrCode>(0);
  const natsStatus status =
      js_GetConsumerInfo(&found, connection.jetstream(), stream.c_str(), name.c_str(), nullptr, &error);
  const NatsConsumerInfo info(found);
  if (status == NATS_OK) return true;
  if (status == NATS_NOT_FOUND || error == JSConsumerNotFoundErr) return false;
  return connection.failure("cannot look up consumer '" + name + "'", status, error);
}

Status shared_queue(const NatsConnection& connection, const NatsConsumerPlan& plan) {
  std::string others;
  jsConsumerNamesList* list = nullptr;
  if (js_ConsumerNames(&list, connection.jetstream(), plan.stream.c_str(), nullptr, nullptr) == NATS_OK) {
    for (int i = 0; list != nullptr && i < std::min(list->Count, 10); ++i)
      others += (i == 0 ? " Its consumers: " : ", ") + std::string(list->List[i]);
    jsConsumerNamesList_Destroy(list);
  }
  return Status::invalid("another consumer of stream '" + plan.stream + "' takes messages of '" +
                         plan.filter +
                         "': on a work queue each message goes to one consumer only. Remove it, or read " +
                         "other subjects ('subject', 'scan.partitions')." + others);
}

Result<NatsConsumer> add_consumer(const NatsConnection& connection, const NatsConsumerPlan& plan,
                                  const std::string& name) {
  const bool queue = plan.retention == js_WorkQueuePolicy;
  jsConsumerConfig config;
  jsConsumerConfig_Init(&config);
  config.Durable = name.c_str();
  config.Description = "made by weir; positions are kept with the data";
  config.DeliverPolicy = queue ? js_DeliverAll : js_DeliverByStartSequence;
  if (!queue) {
    const int64_t start = plan.retention == js_InterestPolicy ? plan.committed : plan.next;
    config.OptStartSeq = static_cast<uint64_t>(std::max<int64_t>(1, start));
  }
  config.AckPolicy = queue ? js_AckExplicit : plan.acks ? js_AckAll : js_AckNone;
  config.AckWait = kAckWaitNs;
  config.MaxDeliver = -1;
  config.MaxAckPending = queue ? kMaxAckPendingWorkQueue : kMaxAckPending;
  if (plan.temporary) config.InactiveThreshold = kTemporaryNs;
  if (plan.filter != ">") config.FilterSubject = plan.filter.c_str();
  jsConsumerInfo* created = nullptr;
  jsErrCode error = static_cast<jsErrCode>(0);
  const natsStatus status =
      js_AddConsumer(&created, connection.jetstream(), plan.stream.c_str(), &config, nullptr, &error);
  const NatsConsumerInfo info(created);
  if (error == JSConsumerWQConsumerNotUniqueErr || error == JSConsumerWQMultipleUnfilteredErr) {
    return shared_queue(connection, plan);
  }
  if (status != NATS_OK) return connection.failure("cannot create consumer '" + name + "'", status, error);
  return NatsConsumer{name, static_cast<int64_t>(info->NumPending)};
}

// No name of another partition ends like this.
std::string second_name(const NatsConsumerPlan& plan) { return plan.name + "-alt"; }

}  // namespace

Status hold_interest(const NatsConnection& connection, const NatsConsumerPlan& plan) {
  if (plan.retention != js_InterestPolicy) return {};
  for (const std::string& name : {plan.name, second_name(plan)}) {
    WEIR_ASSIGN(const bool exists, consumer_exists(connection, plan.stream, name));
    if (exists) return {};
  }
  const Result<NatsConsumer> made = add_consumer(connection, plan, plan.name);
  if (made.ok()) return {};
  // Another worker may have been first, with a position of its own.
  WEIR_ASSIGN(const bool exists, consumer_exists(connection, plan.stream, plan.name));
  return exists ? Status() : made.status();
}

Result<NatsConsumer> make_nats_consumer(const NatsConnection& connection, const NatsConsumerPlan& plan) {
  if (plan.retention != js_InterestPolicy || plan.temporary) {
    WEIR_TRY(remove_consumer(connection, plan.stream, plan.name));
    return add_consumer(connection, plan, plan.name);
  }
  const std::string second = second_name(plan);
  WEIR_ASSIGN(const bool has_first, consumer_exists(connection, plan.stream, plan.name));
  WEIR_ASSIGN(const bool has_second, consumer_exists(connection, plan.stream, second));
  // Both: a crash came between the two steps. Either keeps what is not committed.
  if (has_first && has_second) WEIR_TRY(remove_consumer(connection, plan.stream, second));
  WEIR_ASSIGN(NatsConsumer made, add_consumer(connection, plan, has_first ? second : plan.name));
  if (has_first) {
    WEIR_TRY(remove_consumer(connection, plan.stream, plan.name));
  } else if (has_second) {
    WEIR_TRY(remove_consumer(connection, plan.stream, second));
  }
  return made;
}

}  // namespace weir
