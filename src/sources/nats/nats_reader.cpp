#include "sources/nats/nats_reader.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <nlohmann/json.hpp>
#include <utility>

#include "sources/batch_buffers.h"
#include "sources/nats/ack_subject.h"
#include "sources/nats/message_headers.h"
#include "sources/nats/nats_consumer.h"
#include "sources/nats/pending_acks.h"

namespace weir {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;
constexpr int64_t kNsPerS = 1'000'000'000;
constexpr int64_t kRequestExpiresNs = 30 * kNsPerS;
constexpr int64_t kHeartbeatNs = 5 * kNsPerS;
constexpr int64_t kSilenceNs = 3 * kHeartbeatNs;
constexpr int64_t kBatchBytes = 4 << 20;
constexpr int kRequestsAhead =
    4;  // pull requests that overlap, so that the server never waits for the next one
constexpr int64_t kFlushTimeoutMs = 2000;
constexpr int64_t kLookNs = 3 * kNsPerS;         // how often an idle reader looks where the stream ends
constexpr int64_t kLookFailedNs = 60 * kNsPerS;  // a request that is not permitted costs its whole timeout
constexpr int64_t kLookTimeoutMs = 1000;
constexpr int kNoMessageFound = 10037;  // JSNoMessageFoundErr, in a raw answer

// Invariants: every message below next_ was given out, was dropped as a redelivery, or never matched the
// filter; a step over sequences that did not arrive is given out only after check_jump; consumer sequences
// arrive without a gap, else the consumer is made anew. On a stream that acknowledgements empty, everything
// that is not committed stays there until it is: only what is below a committed position is acknowledged,
// also when it was dropped as a redelivery.
class NatsReader final : public PartitionReader {
 public:
  explicit NatsReader(NatsReaderSettings settings)
      : settings_(std::move(settings)),
        stream_(settings_.options.string("stream")),
        fetch_batch_(settings_.options.integer("fetch.batch")),
        linger_ns_(settings_.options.duration("fetch.max-wait").count() * kNsPerMs),
        acks_(settings_.options.string("ack") == "all" && !settings_.sample),
        accept_gaps_(settings_.options.string("scan.on-gap") == "continue"),
        pool_(kBatchBytes) {}

  ~NatsReader() override {
    held_.reset();
    flush_acks();
    if (settings_.sample && connection_ != nullptr && connection_->connected() && !consumer_.empty()) {
      js_DeleteConsumer(connection_->jetstream(), stream_.c_str(), consumer_.c_str(), nullptr, nullptr);
    }
    // First the library's threads: it may use a subscription after its end (see retire_subscription).
    if (connection_ != nullptr) natsConnection_Close(connection_->get());
  }

  Status start(std::optional<int64_t> stored) {
    WEIR_TRY(connect());
    WEIR_ASSIGN(const NatsStreamInfo info, stream_info());
    WEIR_TRY(check_retention(settings_.options, *info));
    retention_ = info->Config->Retention;
    const int64_t first = static_cast<int64_t>(info->State.FirstSeq);
    const int64_t last = static_cast<int64_t>(info->State.LastSeq);
    starting_ = !stored.has_value();
    if (stored.has_value()) {
      next_ = *stored;
      given_ = next_;
      if (next_ > last + 1) {
        return Status::invalid(
            "stream '" + stream_ + "' ends at sequence " + std::to_string(last) +
            ", the pipeline's position is " + std::to_string(next_) +
            ": the stream was rolled back or restored from an older copy. Give the pipeline a new " +
            "name to read it from its beginning");
      }
      WEIR_TRY(check_gap(first));
    } else {
      WEIR_ASSIGN(next_, startup_position(*info));
      given_ = next_;
    }
    end_sequence_ = last;
    pending_acks_.emplace(retention_ == js_WorkQueuePolicy, next_);
    return make_consumer();
  }

  Result<EventBatch> poll(std::chrono::milliseconds timeout) override {
    WEIR_TRY(check_lease());
    EventBatch batch;
    batch.from = given_;
    const Status status = receive(batch, timeout);
    // What arrived before a failure is sound; a failure that lasts comes again with the next poll.
    if (!status.ok() && batch.events.empty()) return status;
    if (batch.events.empty() && !settings_.once) WEIR_TRY(step_over_others());
    if (Status checked = check_jump(); !checked.ok()) {
      roll_back();
      return checked;
    }
    batch.next = next_;
    given_ = next_;
    if (batch.next > batch.from) starting_ = false;
    batch.received_us = settings_.clock->now_us();
    batch.bytes = std::move(buffer_.bytes);
    buffer_ = {};
    filled_ = 0;
    last_subject_ = {};
    // What cannot be sent comes again with the next consumer.
    if (acks_) static_cast<void>(send_acks(pending_acks_->batch_ends(next_)));
    return batch;
  }

  Status acknowledge(int64_t next) override {
    std::vector<std::string> due;
    while (pending_acks_->commit(next, due)) {
      if (acks_) WEIR_TRY(send_acks(due));
    }
    flush_acks();
    return {};
  }

  int64_t lag() const override { return lag_.load(std::memory_order_relaxed); }

 private:
  // Whether acknowledged messages are removed.
  bool removes() const { return retention_ != js_LimitsPolicy; }

  Status check_lease() const {
    if (settings_.holds == nullptr || settings_.holds()) return {};
    return Status::unavailable("the lease of '" + settings_.filter + "' on stream '" + stream_ +
                               "' has run out or is another worker's");
  }

  Status send_acks(const std::vector<std::string>& replies) {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const std::string& reply : replies) {
      if (connection_ == nullptr || !connection_->connected()) return {};
      unflushed_acks_ = true;
      const natsStatus status = natsConnection_Publish(connection_->get(), reply.c_str(), "+ACK", 4);
      if (status != NATS_OK) return connection_->failure("cannot acknowledge", status);
    }
    return {};
  }

  // Where acknowledged messages are removed: keeps pace with the server, and nothing is left behind when
  // these were the last (a connection that is closed at once loses them). What does not get through comes
  // again and is acknowledged then.
  void flush_acks() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!std::exchange(unflushed_acks_, false) || !removes()) return;
    if (connection_ != nullptr && connection_->connected())
      natsConnection_FlushTimeout(connection_->get(), kFlushTimeoutMs);
  }

  // ---- connection and consumer ----

  Status connect() {
    if (connection_ != nullptr && !connection_->closed()) return {};
    held_.reset();
    retired_.reset();
    subscription_.reset();
    WEIR_ASSIGN(std::unique_ptr<NatsConnection> fresh, NatsConnection::connect(settings_.options));
    const std::lock_guard<std::mutex> lock(mutex_);
    connection_ = std::move(fresh);
    return {};
  }

  Result<NatsStreamInfo> stream_info() {
    WEIR_ASSIGN(NatsStreamInfo info, connection_->stream(stream_));
    if (info->Created != settings_.created_ns) {
      return Status::invalid("stream '" + stream_ + "' was created anew at " +
                             format_timestamp_us(info->Created / 1000) + "; the pipeline's position " +
                             std::to_string(next_) + " belongs to the one of " +
                             format_timestamp_us(settings_.created_ns / 1000));
    }
    return info;
  }

  Status check_gap(int64_t first) {
    if (next_ >= first) return {};
    if (!accept_gaps_ && lost(first, next_)) return gap(first, next_);
    next_ = first;
    return {};
  }

  // Whether the stream, which begins at `first` now, has removed what this reader had to read from `position`
  // on. With a filter nobody can tell what matched among the removed, so that counts as lost. A first start
  // has no position to keep before its first batch: there the beginning of the stream may move on, as long as
  // something is left of what there was.
  // Where acknowledgements remove messages, those of other partitions move the beginning all the time; ours
  // are all below the position.
  bool lost(int64_t first, int64_t position) const {
    if (removes() && settings_.filter != ">") return false;
    return first > position && !(starting_ && first <= end_sequence_);
  }

  Status gap(int64_t first, int64_t position) const {
    if (removes() && settings_.gone_before != nullptr && !settings_.gone_before(position)) {
      return {Code::lost_ownership, "stream '" + stream_ + "' now begins at sequence " +
                                        std::to_string(first) + ", our position is " +
                                        std::to_string(position) + ": another worker may have moved on"};
    }
    return Status::invalid("stream '" + stream_ + "' now begins at sequence " + std::to_string(first) +
                           ", the pipeline's position is " + std::to_string(position) +
                           ": messages in between are gone" +
                           (settings_.filter == ">" ? "" : ", perhaps some for '" + settings_.filter + "'") +
                           " (limits of the stream, or a purge). Restore them, or accept the loss with " +
                           "'scan.on-gap' = 'continue'");
  }

  Result<int64_t> startup_position(const jsStreamInfo& info) {
    const std::string mode = settings_.options.string("scan.startup.mode");
    const int64_t first = std::max<int64_t>(1, static_cast<int64_t>(info.State.FirstSeq));
    const int64_t last = static_cast<int64_t>(info.State.LastSeq);
    if (mode == "latest-offset") return last + 1;
    if (mode == "timestamp") return position_at(settings_.options.integer("scan.startup.timestamp-millis"));
    if (mode == "specific-offset") {
      const int64_t wanted = settings_.options.integer("scan.startup.specific-offset");
      if (wanted < first || wanted > last + 1) {
        return Status::invalid("'scan.startup.specific-offset' is " + std::to_string(wanted) + ", stream '" +
                               stream_ + "' holds " + std::to_string(first) + " to " + std::to_string(last));
      }
      return wanted;
    }
    return first;
  }

  // The server knows which sequence a time stands for: it says so about a consumer that starts there. Not
  // asked through js_AddConsumer: nats.c 3.4 writes a time's fraction without its leading zeros (.071 s as
  // .71), which would pass over messages.
  Result<int64_t> position_at(int64_t timestamp_ms) {
    const nlohmann::json config = {{"deliver_policy", "by_start_time"},
                                   {"opt_start_time", format_timestamp_us(timestamp_ms * 1000)},
                                   {"ack_policy", "none"},
                                   {"inactive_threshold", 10 * kNsPerS}};
    const std::string request = nlohmann::json{{"stream_name", stream_}, {"config", config}}.dump();
    const std::string subject = "$JS.API.CONSUMER.CREATE." + stream_;
    natsMsg* raw = nullptr;
    const natsStatus status =
        natsConnection_RequestString(&raw, connection_->get(), subject.c_str(), request.c_str(),
                                     settings_.options.duration("connect.timeout").count());
    const NatsMessage reply(raw);
    if (status != NATS_OK) return connection_->failure("cannot find the start position by time", status);
    const nlohmann::json answer = parse_answer(raw);
    const auto name = answer.find("name");
    const nlohmann::json::json_pointer delivered("/delivered/stream_seq");
    if (name == answer.end() || !name->is_string() || !answer.contains(delivered) ||
        !answer[delivered].is_number_integer()) {
      return Status::unavailable(
          "cannot find the start position by time in stream '" + stream_ +
          "': " + answer.value(nlohmann::json::json_pointer("/error/description"), "no such answer"));
    }
    jsErrCode error = static_cast<jsErrCode>(0);
    js_DeleteConsumer(connection_->jetstream(), stream_.c_str(), name->get<std::string>().c_str(), nullptr,
                      &error);
    return answer[delivered].get<int64_t>() + 1;
  }

  // An object; empty when the answer is none.
  static nlohmann::json parse_answer(natsMsg* reply) {
    const char* data = natsMsg_GetData(reply);
    nlohmann::json answer = nlohmann::json::parse(data, data + natsMsg_GetDataLength(reply), nullptr, false);
    return answer.is_object() ? answer : nlohmann::json::object();
  }

  Status make_consumer() {
    WEIR_TRY(check_lease());
    NatsConsumerPlan plan;
    plan.stream = stream_;
    plan.name = settings_.consumer;
    plan.filter = settings_.filter;
    plan.retention = retention_;
    plan.acks = acks_;
    plan.temporary = settings_.sample;
    plan.next = next_;
    plan.committed = pending_acks_->committed();
    WEIR_ASSIGN(NatsConsumer made, make_nats_consumer(*connection_, plan));
    consumer_ = std::move(made.name);
    return subscribe(made.pending);
  }

  // nats.c 3.4 frees a subscription while its reading thread may be about to lock it (seen: a thread stuck on
  // a freed mutex). So the last one is kept until the next has lived for a while.
  void retire_subscription() {
    if (subscription_ == nullptr) return;
    natsSubscription_Unsubscribe(subscription_.get());
    retired_ = std::move(subscription_);
  }

  Status subscribe(int64_t pending) {
    natsInbox* inbox = nullptr;
    natsStatus status = natsInbox_Create(&inbox);
    if (status != NATS_OK) return connection_->failure("cannot make an inbox", status);
    inbox_ = inbox;
    natsInbox_Destroy(inbox);
    natsSubscription* subscription = nullptr;
    status = natsConnection_SubscribeSync(&subscription, connection_->get(), inbox_.c_str());
    subscription_.reset(subscription);
    if (status != NATS_OK) return connection_->failure("cannot subscribe", status);
    natsSubscription_SetPendingLimits(subscription, -1, -1);

    // A request's byte limit must admit the largest message, or that one would never come.
    const int64_t largest = natsConnection_GetMaxPayload(connection_->get()) + 64 * 1024;
    request_ = "{\"batch\":" + std::to_string(fetch_batch_) +
               ",\"expires\":" + std::to_string(kRequestExpiresNs) +
               ",\"idle_heartbeat\":" + std::to_string(kHeartbeatNs) +
               ",\"max_bytes\":" + std::to_string(std::max<int64_t>(kBatchBytes, largest)) + "}";
    request_subject_ = "$JS.API.CONSUMER.MSG.NEXT." + stream_ + "." + consumer_;
    held_.reset();
    outstanding_ = 0;
    consumer_sequence_ = 0;
    reset_ = false;
    reconnects_ = connection_->reconnects();
    last_heard_ns_ = settings_.clock->monotonic_ns();
    lag_.store(pending, std::memory_order_relaxed);
    pending_acks_->forget();
    // What was committed and not acknowledged still has to be, where that removes it.
    if (settings_.once && (pending == 0 || (!removes() && next_ > end_sequence_))) finish();
    return {};
  }

  // Connected, with a consumer that stands at next_.
  Status ensure_consumer() {
    if (connection_ == nullptr || connection_->closed()) {
      WEIR_TRY(connect());
      reset_ = true;
    }
    if (!connection_->connected()) {
      reset_ = true;
      return connection_->disconnected();
    }
    if (!reset_ && connection_->reconnects() != reconnects_) reset_ = true;
    if (!reset_) return {};
    retire_subscription();
    WEIR_ASSIGN(const NatsStreamInfo info, stream_info());
    WEIR_TRY(check_gap(static_cast<int64_t>(info->State.FirstSeq)));
    return make_consumer();
  }

  // ---- receiving ----

  Status request_more() {
    while (outstanding_ <= (kRequestsAhead - 1) * fetch_batch_) {
      const natsStatus status =
          natsConnection_PublishRequest(connection_->get(), request_subject_.c_str(), inbox_.c_str(),
                                        request_.data(), static_cast<int>(request_.size()));
      if (status != NATS_OK) return connection_->failure("cannot ask for messages", status);
      outstanding_ += fetch_batch_;
    }
    return {};
  }

  // Nothing more up to the end matches, or it was removed: check_jump finds out.
  void finish() {
    done_ = true;
    jump_to(end_sequence_ + 1);
  }

  void jump_to(int64_t position) {
    if (position <= next_) return;
    if (jump_from_ < 0) jump_from_ = next_;
    next_ = position;
  }

  Status receive(EventBatch& batch, std::chrono::milliseconds timeout) {
    if (!done_) WEIR_TRY(ensure_consumer());
    const Clock& clock = *settings_.clock;
    const int64_t begin_ns = clock.monotonic_ns();
    int64_t deadline_ns = begin_ns + timeout.count() * kNsPerMs;
    bool lingering = false;
    batch.events.reserve(std::min<size_t>(settings_.batch_rows, 1024));
    while (!done_ && batch.events.size() < settings_.batch_rows) {
      WEIR_TRY(request_more());
      bool full = false;
      WEIR_ASSIGN(const bool any, drain(batch, full));
      if (reset_) return batch.events.empty() ? ensure_consumer() : Status();
      if (full || done_) break;
      const int64_t now_ns = clock.monotonic_ns();
      if (any) last_heard_ns_ = now_ns;
      if (!lingering && !batch.events.empty()) {
        lingering = true;
        deadline_ns = std::min(deadline_ns, now_ns + linger_ns_);
      }
      if (now_ns >= deadline_ns) break;
      WEIR_TRY(wait(batch, deadline_ns - now_ns));
    }
    batch.end = done_;
    return {};
  }

  // Sleeping lets messages pile up: waiting for each one costs a context switch a message.
  Status wait(const EventBatch& batch, int64_t left_ns) {
    const Clock& clock = *settings_.clock;
    if (!batch.events.empty()) {
      clock.sleep(std::chrono::milliseconds(1));
      return {};
    }
    natsMsg* raw = nullptr;
    const int64_t wait_ms = std::clamp<int64_t>(left_ns / kNsPerMs, 1, 100);
    const natsStatus status = natsSubscription_NextMsg(&raw, subscription_.get(), wait_ms);
    if (status == NATS_OK) {
      held_.reset(raw);
      return {};
    }
    if (!connection_->connected()) return connection_->disconnected();
    if (status != NATS_TIMEOUT) reset_ = true;
    if (clock.monotonic_ns() - last_heard_ns_ > kSilenceNs)
      reset_ = true;  // not even heartbeats: the consumer is gone
    if (reset_) return ensure_consumer();
    return settings_.once ? look_for_end() : Status();
  }

  // The last messages may have been deleted, or be filtered out: then nothing says that the end was reached.
  Status look_for_end() {
    Result<NatsConsumerInfo> found = consumer_info();
    if (found.status().code() == Code::not_found) {
      reset_ = true;
      return ensure_consumer();
    }
    WEIR_ASSIGN(const NatsConsumerInfo info, std::move(found));
    const bool all_sent =
        info->NumPending == 0 || static_cast<int64_t>(info->Delivered.Stream) >= end_sequence_;
    if (all_sent && static_cast<int64_t>(info->Delivered.Consumer) == consumer_sequence_) finish();
    return {};
  }

  Result<NatsConsumerInfo> consumer_info() {
    jsConsumerInfo* found = nullptr;
    jsErrCode error = static_cast<jsErrCode>(0);
    const natsStatus status = js_GetConsumerInfo(&found, connection_->jetstream(), stream_.c_str(),
                                                 consumer_.c_str(), nullptr, &error);
    if (status != NATS_OK) return connection_->failure("cannot look up the consumer", status, error);
    return NatsConsumerInfo(found);
  }

  // While others fill the stream, the position of a reader that waits would name messages that the stream may
  // remove, though none is for this reader. So it follows the stream's end. The order is what makes it safe:
  // first the end, then that nothing matches up to there, and last (check_jump) that nothing was removed
  // before that was asked. What cannot be found out moves nothing.
  Status step_over_others() {
    const int64_t now_ns = settings_.clock->monotonic_ns();
    if (done_ || reset_ || held_ != nullptr || now_ns < look_at_ns_) return {};
    look_at_ns_ = now_ns + kLookNs;
    const Result<NatsStreamInfo> info = stream_info();
    if (!info.ok()) return info.status().retryable() ? Status() : info.status();
    const int64_t last = static_cast<int64_t>((*info)->State.LastSeq);
    if (last < next_) return {};
    const Result<NatsConsumerInfo> consumer = consumer_info();
    if (!consumer.ok() || (*consumer)->NumPending != 0 ||
        static_cast<int64_t>((*consumer)->Delivered.Consumer) != consumer_sequence_ || !nothing_matches()) {
      return {};
    }
    uint64_t arrived = 0;
    if (natsSubscription_QueuedMsgs(subscription_.get(), &arrived) != NATS_OK || arrived != 0) return {};
    jump_to(last + 1);
    return {};
  }

  // Whether the stream holds no message for this reader at or behind next_. The consumer's own counts follow
  // the stream with a delay (and on another server); the stream's leader looks into its store.
  bool nothing_matches() {
    const nlohmann::json request = {{"seq", next_}, {"next_by_subj", settings_.filter}};
    const std::string subject = "$JS.API.STREAM.MSG.GET." + stream_;
    natsMsg* raw = nullptr;
    const std::string text = request.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    const natsStatus status =
        natsConnection_RequestString(&raw, connection_->get(), subject.c_str(), text.c_str(), kLookTimeoutMs);
    const NatsMessage reply(raw);
    if (status != NATS_OK) {
      look_at_ns_ = settings_.clock->monotonic_ns() + kLookFailedNs;
      return false;
    }
    const nlohmann::json answer = parse_answer(raw);
    const auto error = answer.find("error");
    return error != answer.end() && error->is_object() && error->value("err_code", 0) == kNoMessageFound;
  }

  // Takes what has arrived, without waiting. True: something came.
  Result<bool> drain(EventBatch& batch, bool& full) {
    bool any = false;
    while (!done_ && !reset_ && batch.events.size() < settings_.batch_rows) {
      if (held_ == nullptr) {
        natsMsg* raw = nullptr;
        const natsStatus status = natsSubscription_NextMsg(&raw, subscription_.get(), 0);
        if (status != NATS_OK) break;
        held_.reset(raw);
      }
      any = true;
      const char* reply = natsMsg_GetReply(held_.get());
      const std::optional<AckSubject> ack = reply == nullptr ? std::nullopt : parse_ack_subject(reply);
      if (!ack.has_value()) {
        handle_status();
        held_.reset();
        continue;
      }
      WEIR_ASSIGN(const bool taken, take_message(batch, *ack));
      if (!taken) {
        full = true;
        break;
      }
      held_.reset();
      if (outstanding_ <= fetch_batch_) WEIR_TRY(request_more());
    }
    return any;
  }

  // False: the batch has no room for it; it stays in held_.
  Result<bool> take_message(EventBatch& batch, const AckSubject& ack) {
    if (ack.consumer_sequence != consumer_sequence_ + 1) {
      reset_ = true;  // a message was lost on the way
      return true;
    }
    const bool redelivered = ack.stream_sequence < next_;
    const bool behind_end = settings_.once && ack.stream_sequence > end_sequence_;
    if (!redelivered && !behind_end) {
      if (!append(batch, ack)) return false;
      jump_to(ack.stream_sequence);
      next_ = ack.stream_sequence + 1;
    }
    if (acks_ && !behind_end) pending_acks_->delivered(ack, natsMsg_GetReply(held_.get()));
    consumer_sequence_ = ack.consumer_sequence;
    outstanding_ = std::max<int64_t>(0, outstanding_ - 1);
    lag_.store(ack.pending, std::memory_order_relaxed);
    const int64_t seen = removes() ? ack.stream_sequence + 1 : next_;
    if (settings_.once && (behind_end || ack.pending == 0 || seen > end_sequence_)) finish();
    return true;
  }

  // A jump is a deleted message, somebody else's message, or the stream's limits overtook this reader: that
  // must not pass in silence.
  Status check_jump() {
    const int64_t from = std::exchange(jump_from_, -1);
    if (from < 0 || accept_gaps_) return {};
    WEIR_ASSIGN(const NatsStreamInfo info, stream_info());
    const int64_t first = static_cast<int64_t>(info->State.FirstSeq);
    return lost(first, from) ? gap(first, from) : Status();
  }

  // What was received since the last batch was given out comes again, from a new consumer.
  void roll_back() {
    next_ = given_;
    done_ = false;
    reset_ = true;
    buffer_ = {};
    filled_ = 0;
    last_subject_ = {};
    pending_acks_->forget();
  }

  bool append(EventBatch& batch, const AckSubject& ack) {
    natsMsg* message = held_.get();
    const std::string_view subject = natsMsg_GetSubject(message);
    const std::string headers = headers_json(message);
    const size_t payload_size = static_cast<size_t>(natsMsg_GetDataLength(message));
    const size_t size = payload_size + subject.size() + headers.size();
    if (buffer_.bytes == nullptr) {
      buffer_ = pool_.take(size);
      filled_ = 0;
    } else if (filled_ + size > buffer_.capacity) {
      return false;
    }
    Event event;
    event.payload = put({natsMsg_GetData(message), payload_size});
    event.offset = ack.stream_sequence;
    event.timestamp_us = ack.timestamp_ns / 1000;
    if (last_subject_.size < 0 || view(last_subject_) != subject) last_subject_ = put(subject);
    event.subject = last_subject_;
    if (!headers.empty()) event.headers = put(headers);
    batch.events.push_back(event);
    return true;
  }

  std::string_view view(Slice slice) const {
    return {buffer_.bytes.get() + slice.begin, static_cast<size_t>(slice.size)};
  }

  Slice put(std::string_view bytes) {
    const Slice slice{static_cast<uint32_t>(filled_), static_cast<int32_t>(bytes.size())};
    if (!bytes.empty()) std::memcpy(buffer_.bytes.get() + filled_, bytes.data(), bytes.size());
    filled_ += bytes.size();
    return slice;
  }

  // A message of the server about our requests, not of the stream.
  void handle_status() {
    const char* status = nullptr;
    if (natsMsgHeader_Get(held_.get(), "Status", &status) != NATS_OK) return;
    const std::string_view code = status;
    if (code == "100") return;  // heartbeat
    const char* description = nullptr;
    natsMsgHeader_Get(held_.get(), "Description", &description);
    const std::string_view words = description == nullptr ? "" : description;
    const char* pending = nullptr;
    if (natsMsgHeader_Get(held_.get(), "Nats-Pending-Messages", &pending) == NATS_OK) {
      // A request has ended early: what it still asked for does not come.
      outstanding_ = std::max<int64_t>(0, outstanding_ - std::strtoll(pending, nullptr, 10));
    } else if (code == "404") {
      outstanding_ = 0;
    }
    // 409 is also how a request ends in good order ("Batch Completed", "Message Size Exceeds MaxBytes").
    const auto says = [&](std::string_view part) { return words.find(part) != std::string_view::npos; };
    if (code == "503" || says("Consumer") || says("Leadership") || says("Shutdown")) reset_ = true;
  }

  const NatsReaderSettings settings_;
  const std::string stream_;
  const int64_t fetch_batch_;
  const int64_t linger_ns_;
  const bool acks_;
  const bool accept_gaps_;

  std::mutex mutex_;  // guards connection_ against acknowledge, and unflushed_acks_
  std::unique_ptr<NatsConnection> connection_;
  bool unflushed_acks_ = false;
  std::optional<PendingAcks> pending_acks_;
  jsRetentionPolicy retention_ = js_LimitsPolicy;
  std::string consumer_;

  NatsSubscription subscription_;
  NatsSubscription retired_;
  std::string inbox_;
  std::string request_;
  std::string request_subject_;
  int64_t outstanding_ = 0;        // messages asked for and not yet received
  int64_t consumer_sequence_ = 0;  // of the last message
  uint64_t reconnects_ = 0;
  int64_t last_heard_ns_ = 0;
  bool reset_ = false;  // make the consumer anew before anything else
  NatsMessage held_;    // received, not yet in a batch

  BatchBuffers pool_;
  BatchBuffer buffer_;
  size_t filled_ = 0;
  Slice last_subject_;

  int64_t next_ = 1;
  int64_t given_ = 1;         // the end of the last batch; behind next_ while a step was not given out
  int64_t jump_from_ = -1;    // the position before the first jump that was not looked at yet
  int64_t end_sequence_ = 0;  // the stream's last sequence at the start
  bool starting_ = false;     // no position was stored, and no batch given out yet
  int64_t look_at_ns_ = 0;
  bool done_ = false;
  std::atomic<int64_t> lag_{-1};
};

}  // namespace

Status check_retention(const Options& options, const jsStreamInfo& stream) {
  const jsRetentionPolicy retention = stream.Config->Retention;
  if (retention == js_LimitsPolicy) return {};
  const std::string name = std::string("stream '") + stream.Config->Name + "' has retention " +
                           (retention == js_WorkQueuePolicy ? "workqueue" : "interest");
  if (options.string("ack") == "none") {
    return Status::invalid(name + ": without acknowledgements it never shrinks, or loses what was not " +
                           "committed. Leave out 'ack' = 'none'");
  }
  const std::string mode = options.string("scan.startup.mode");
  if (retention == js_WorkQueuePolicy && mode != "earliest-offset") {
    return Status::invalid(name + ": whatever it holds is work to do, its consumers begin with all of it. " +
                           "Leave out 'scan.startup.mode' = '" + mode + "'");
  }
  return {};
}

Result<std::unique_ptr<PartitionReader>> open_nats_reader(NatsReaderSettings settings,
                                                          std::optional<int64_t> stored) {
  auto reader = std::make_unique<NatsReader>(std::move(settings));
  WEIR_TRY(reader->start(stored));
  return std::unique_ptr<PartitionReader>(std::move(reader));
}

}  // namespace weir
