#include "sources/nats/core_source.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "base/text.h"
#include "clients/nats_connection.h"
#include "sources/batch_buffers.h"
#include "sources/nats/message_headers.h"
#include "sources/nats/subject_filter.h"

namespace weir {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;
constexpr int64_t kBatchBytes = 4 << 20;
constexpr int64_t kLingerNs = 20 * kNsPerMs;
constexpr int64_t kTellEveryNs = 10'000 * kNsPerMs;
constexpr int64_t kFlushTimeoutMs = 2000;

// Subscribed, and the server has not refused it.
Result<NatsSubscription> subscribe(const NatsConnection& connection, const Options& options) {
  const std::string subject = options.string("subject");
  const std::string group = options.string("queue-group");
  natsSubscription* created = nullptr;
  natsStatus status =
      group.empty()
          ? natsConnection_SubscribeSync(&created, connection.get(), subject.c_str())
          : natsConnection_QueueSubscribeSync(&created, connection.get(), subject.c_str(), group.c_str());
  NatsSubscription subscription(created);
  if (status == NATS_OK) {
    status = natsSubscription_SetPendingLimits(created, static_cast<int>(options.integer("pending.messages")),
                                               static_cast<int>(options.size("pending.bytes")));
  }
  // The server says on the way that it does not permit the subject.
  if (status == NATS_OK) status = natsConnection_FlushTimeout(connection.get(), kFlushTimeoutMs);
  if (status != NATS_OK) return connection.failure("cannot subscribe to '" + subject + "'", status);
  const char* detail = nullptr;
  if (natsConnection_GetLastError(connection.get(), &detail) != NATS_OK && detail != nullptr &&
      std::string_view(detail).find("ermissions") != std::string_view::npos) {
    return Status(Code::denied, "NATS does not permit to subscribe to '" + subject + "': " + detail);
  }
  return subscription;
}

class CoreReader final : public PartitionReader {
 public:
  CoreReader(SourceContext context, std::optional<int64_t> stored)
      : context_(std::move(context)), next_(stored.value_or(context_.clock->now_us())), pool_(kBatchBytes) {}

  ~CoreReader() override {
    held_.reset();
    // First the library's threads: it may use a subscription after its end.
    if (connection_ != nullptr) natsConnection_Close(connection_->get());
  }

  Status connect() {
    if (connection_ != nullptr && !connection_->closed()) return {};
    held_.reset();
    if (connection_ != nullptr) natsConnection_Close(connection_->get());
    subscription_.reset();
    dropped_before_ = dropped_.load();
    WEIR_ASSIGN(connection_, NatsConnection::connect(context_.options));
    WEIR_ASSIGN(subscription_, subscribe(*connection_, context_.options));
    reconnects_ = connection_->reconnects();
    return {};
  }

  Result<EventBatch> poll(std::chrono::milliseconds timeout) override {
    WEIR_TRY(connect());
    tell_losses();
    EventBatch batch;
    batch.from = next_;
    WEIR_TRY(receive(batch, timeout));
    batch.received_us = context_.clock->now_us();
    for (Event& event : batch.events) {
      event.offset = std::max(next_, batch.received_us);
      next_ = event.offset + 1;
    }
    batch.next = next_;
    batch.bytes = std::move(buffer_.bytes);
    buffer_ = {};
    filled_ = 0;
    last_subject_ = {};
    uint64_t waiting = 0;
    if (natsSubscription_QueuedMsgs(subscription_.get(), &waiting) == NATS_OK) {
      lag_.store(static_cast<int64_t>(waiting));
    }
    return batch;
  }

  Status acknowledge(int64_t) override { return {}; }
  int64_t lag() const override { return lag_.load(); }
  int64_t dropped() const override { return dropped_.load(); }

 private:
  void tell(const std::string& words) const {
    if (context_.log) context_.log("'" + context_.table->name + "': " + words);
  }

  void tell_losses() {
    const uint64_t reconnects = connection_->reconnects();
    if (reconnects != reconnects_) {
      reconnects_ = reconnects;
      tell("the connection to NATS was lost and is back: what was published in between is missed");
    }
    int64_t dropped = 0;
    if (natsSubscription_GetDropped(subscription_.get(), &dropped) != NATS_OK) return;
    dropped_.store(dropped_before_ + dropped);
    const int64_t now_ns = context_.clock->monotonic_ns();
    if (dropped_ == told_dropped_ || now_ns < tell_at_ns_) return;
    told_dropped_ = dropped_;
    tell_at_ns_ = now_ns + kTellEveryNs;
    tell(with_thousands(dropped_) + " messages were dropped so far: they came faster than they could be " +
         "taken ('pending.messages', 'pending.bytes')");
  }

  // Up to a full batch: waits for the first message, then shortly for more.
  Status receive(EventBatch& batch, std::chrono::milliseconds timeout) {
    const Clock& clock = *context_.clock;
    int64_t deadline_ns = clock.monotonic_ns() + timeout.count() * kNsPerMs;
    bool lingering = false;
    while (true) {
      if (!drain(batch)) return {};
      const int64_t now_ns = clock.monotonic_ns();
      if (now_ns >= deadline_ns) break;
      if (!batch.events.empty()) {
        if (!lingering) deadline_ns = std::min(deadline_ns, now_ns + kLingerNs);
        lingering = true;
        clock.sleep(std::chrono::milliseconds(1));
        continue;
      }
      natsMsg* raw = nullptr;
      const int64_t wait_ms = std::clamp<int64_t>((deadline_ns - now_ns) / kNsPerMs, 1, 100);
      if (natsSubscription_NextMsg(&raw, subscription_.get(), wait_ms) == NATS_OK) held_.reset(raw);
      if (held_ == nullptr && !connection_->connected()) return connection_->disconnected();
    }
    return {};
  }

  // Takes what is there. False: the batch is full.
  bool drain(EventBatch& batch) {
    while (batch.events.size() < context_.batch_rows) {
      if (held_ == nullptr) {
        natsMsg* raw = nullptr;
        if (natsSubscription_NextMsg(&raw, subscription_.get(), 0) != NATS_OK) return true;
        held_.reset(raw);
      }
      if (!append(batch)) return false;
      held_.reset();
    }
    return false;
  }

  bool append(EventBatch& batch) {
    natsMsg* message = held_.get();
    const std::string_view subject = natsMsg_GetSubject(message);
    const std::string headers = headers_json(message);
    const std::string_view payload(natsMsg_GetData(message),
                                   static_cast<size_t>(natsMsg_GetDataLength(message)));
    const size_t size = payload.size() + subject.size() + headers.size();
    if (buffer_.bytes == nullptr) {
      buffer_ = pool_.take(size);
      filled_ = 0;
    } else if (filled_ + size > buffer_.capacity) {
      return false;
    }
    Event event;
    event.payload = put(payload);
    const bool same =
        last_subject_.size >= 0 && std::string_view(buffer_.bytes.get() + last_subject_.begin,
                                                    static_cast<size_t>(last_subject_.size)) == subject;
    if (!same) last_subject_ = put(subject);
    event.subject = last_subject_;
    if (!headers.empty()) event.headers = put(headers);
    batch.events.push_back(event);
    return true;
  }

  Slice put(std::string_view bytes) {
    const Slice slice{static_cast<uint32_t>(filled_), static_cast<int32_t>(bytes.size())};
    if (!bytes.empty()) std::memcpy(buffer_.bytes.get() + filled_, bytes.data(), bytes.size());
    filled_ += bytes.size();
    return slice;
  }

  const SourceContext context_;
  int64_t next_;
  std::unique_ptr<NatsConnection> connection_;
  NatsSubscription subscription_;
  NatsMessage held_;  // received, not yet in a batch
  uint64_t reconnects_ = 0;

  BatchBuffers pool_;
  BatchBuffer buffer_;
  size_t filled_ = 0;
  Slice last_subject_;

  int64_t dropped_before_ = 0;  // by former subscriptions
  int64_t told_dropped_ = 0;
  int64_t tell_at_ns_ = 0;
  std::atomic<int64_t> dropped_{0};
  std::atomic<int64_t> lag_{-1};
};

class CoreSource final : public Source {
 public:
  explicit CoreSource(SourceContext context) : context_(std::move(context)) {
    const std::string group = context_.options.string("queue-group");
    id_ = "core@" + context_.options.string("subject") + (group.empty() ? "" : "/" + group);
  }

  Result<std::vector<std::string>> discover(const std::vector<std::string>& known) override {
    for (const std::string& partition : known) {
      // Of another subject of core NATS nothing is left to read; a stream may hold events.
      if (partition.rfind("core@", 0) == 0) continue;
      return Status::invalid("the pipeline holds a position of '" + partition +
                             "', which 'delivery' = 'core' cannot go on from. Give the pipeline a new name");
    }
    return std::vector<std::string>{id_};
  }
  bool may_grow() const override { return false; }
  GroupMember* group() override { return nullptr; }

  Result<std::unique_ptr<PartitionReader>> open(const std::string& partition,
                                                std::optional<int64_t> stored) override {
    if (partition != id_) return Status::invalid("there is no partition '" + partition + "'");
    auto reader = std::make_unique<CoreReader>(context_, stored);
    WEIR_TRY(reader->connect());
    return std::unique_ptr<PartitionReader>(std::move(reader));
  }

 private:
  SourceContext context_;
  std::string id_;
};

Status check_options(const SourceContext& context) {
  const Options& options = context.options;
  for (const char* name : {"stream", "durable", "scan.partitions", "scan.startup.mode",
                           "scan.startup.specific-offset", "scan.startup.timestamp-millis", "scan.on-gap",
                           "ack", "lease.ttl", "fetch.batch", "fetch.max-wait"}) {
    if (!options.has(name)) continue;
    return Status::invalid("'" + std::string(name) +
                           "' belongs to JetStream: leave it out with 'delivery' = 'core'");
  }
  if (!options.has("subject")) return Status::invalid("'delivery' = 'core' needs 'subject'");
  WEIR_TRY(check_subject_filter(options.string("subject")));
  const std::string group = options.string("queue-group");
  if (std::any_of(group.begin(), group.end(), [](char c) { return c >= 0 && (c <= ' ' || c == 0x7F); })) {
    return Status::invalid("'queue-group' holds white space");
  }
  if (options.integer("pending.messages") < 1 || options.integer("pending.messages") > 10'000'000) {
    return Status::invalid("'pending.messages' must be between 1 and 10000000");
  }
  if (options.size("pending.bytes") < 1024 || options.size("pending.bytes") > (1 << 30)) {
    return Status::invalid("'pending.bytes' must be between 1 kb and 1 gb");
  }
  if (context.shared) {
    return Status::invalid(
        "'delivery' = 'core' cannot be shared out among workers: SET 'pipeline.workers' = " +
        std::string("'one'"));
  }
  return {};
}

}  // namespace

std::vector<OptionSpec> core_option_specs() {
  using enum OptionType;
  return {
      option("queue-group", string, "",
             "with 'delivery' = 'core': each message goes to one subscriber of this group"),
      option(
          "pending.messages", integer, "500000",
          "with 'delivery' = 'core': messages that may wait to be taken; further ones are dropped, counted "
          "and told"),
      option("pending.bytes", size, "64 mb", "the same, in bytes"),
  };
}

Result<std::unique_ptr<Source>> create_core_source(SourceContext context) {
  WEIR_TRY(check_options(context));
  if (context.once) {
    return Status::invalid(
        "'delivery' = 'core' keeps nothing, so there is no input that is present at start: "
        "run it without --once");
  }
  return std::unique_ptr<Source>(std::make_unique<CoreSource>(std::move(context)));
}

Status probe_core(const SourceContext& context) {
  WEIR_TRY(check_options(context));
  WEIR_ASSIGN(const auto connection, NatsConnection::connect(context.options));
  Result<NatsSubscription> subscription = subscribe(*connection, context.options);
  const Status status = subscription.status();
  natsConnection_Close(connection->get());
  return status;
}

}  // namespace weir
