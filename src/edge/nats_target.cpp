#include "edge/nats_target.h"

#include <strings.h>

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "clients/nats_answer.h"
#include "clients/nats_connection.h"
#include "edge/broker_target.h"
#include "edge/event_text.h"

namespace weir {
namespace {

using std::chrono::milliseconds;

constexpr int64_t kMostBytes = 64 << 20;   // in requests that are not answered
constexpr size_t kMostEvents = 100'000;    // likewise
constexpr milliseconds kStep{50};          // how soon a lost connection or a deadline is seen
constexpr milliseconds kReconnect{1'000};  // between attempts to connect

struct Request {
  std::vector<EdgeEvent> events;
  std::string key;
  BrokerAnswer answer;
  std::function<void(BrokerAnswer)> done;
  int64_t bytes = 0;
  std::vector<bool> answered;  // by event
  size_t open = 0;             // events without an answer
  int64_t deadline_ns = 0;
};

struct Inbox {
  uint64_t request;
  size_t event;
};

class NatsBroker final : public Broker {
 public:
  NatsBroker(std::string name, const Options& options, NameTemplate subject, const Clock& clock)
      : name_(std::move(name)),
        options_(options),
        subject_(std::move(subject)),
        stream_(options.string("stream")),
        timeout_ns_(options.duration("timeout").count() * 1'000'000),
        clock_(clock) {}
  ~NatsBroker() override;

  // The first attempt to connect: a server that is away is tried again by work().
  Status start();

  const std::string& name() const override { return name_; }
  Status reserve(int64_t bytes) override;
  void send(std::vector<EdgeEvent> events, const std::string& key, std::vector<StoredEvent> stored,
            std::function<void(BrokerAnswer)> answer) override;

 private:
  using RequestPointer = std::shared_ptr<Request>;

  Status connect();
  void disconnect();
  void work();
  void watch_connection();
  bool connected() const { return connection_ != nullptr && connection_->connected(); }
  bool gone() const;  // the connection that the events in flight went over
  void publish(uint64_t number, const RequestPointer& request);
  Status publish_one(const Request& request, uint64_t number, size_t event);
  static void on_closed(void* closure);
  static void on_answer(natsConnection*, natsSubscription*, natsMsg* message, void* closure);
  void answered(Inbox place, natsMsg* message);
  // Under mutex_: notes the answer of one event.
  void settle(uint64_t number, size_t event, StoredEvent stored, Status status);
  void fail_all(const Status& status);
  void fail_late();
  void deliver();  // calls what was settled, under no lock

  const std::string name_;
  const Options options_;
  const NameTemplate subject_;
  const std::string stream_;
  const int64_t timeout_ns_;
  const Clock& clock_;

  // Only start() and then work()'s thread touch these.
  std::unique_ptr<NatsConnection> connection_;
  NatsSubscription subscription_;
  std::string inbox_;  // "_INBOX.x."
  uint64_t reconnects_ = 0;
  int64_t next_attempt_ns_ = 0;
  EventHeaders headers_;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  bool listening_ = false;  // callbacks may come
  bool connected_ = false;
  Status why_away_;
  int64_t largest_ = 0;  // payload that the server takes
  uint64_t next_request_ = 1;
  std::deque<uint64_t> unsent_;
  std::map<uint64_t, RequestPointer> open_;  // in order of their deadlines
  std::vector<RequestPointer> settled_;
  int64_t bytes_ = 0;
  size_t events_ = 0;
  std::thread worker_;
};

NatsBroker::~NatsBroker() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (worker_.joinable()) worker_.join();
  disconnect();
  fail_all(Status::unavailable(name_ + " is being closed; some of the events may be stored"));
  deliver();
}

Status NatsBroker::start() {
  Status status = connect();
  if (status.code() == Code::invalid || status.code() == Code::denied) return status;
  worker_ = std::thread([this] { work(); });
  return {};
}

Status NatsBroker::connect() {
  next_attempt_ns_ = clock_.monotonic_ns() + std::chrono::nanoseconds(kReconnect).count();
  auto made = NatsConnection::connect(options_);
  Status status = made.status();
  natsSubscription* subscription = nullptr;
  if (made.ok()) {
    connection_ = *std::move(made);
    natsInbox* inbox = nullptr;
    if (natsInbox_Create(&inbox) != NATS_OK) return Status::internal("nats.c: no memory for an inbox");
    inbox_ = std::string(inbox) + ".";
    natsInbox_Destroy(inbox);
    const natsStatus subscribed =
        natsConnection_Subscribe(&subscription, connection_->get(), (inbox_ + ">").c_str(), on_answer, this);
    subscription_.reset(subscription);
    if (subscribed == NATS_OK) {
      natsSubscription_SetPendingLimits(subscription, -1, -1);  // bounded by kMostEvents
      natsSubscription_SetOnCompleteCB(subscription, on_closed, this);
      std::lock_guard lock(mutex_);
      listening_ = true;
    } else {
      status = connection_->failure("cannot subscribe to answers", subscribed);
      disconnect();
    }
  }
  std::lock_guard lock(mutex_);
  connected_ = status.ok();
  why_away_ = status;
  if (!status.ok()) return status;
  largest_ = natsConnection_GetMaxPayload(connection_->get());
  reconnects_ = connection_->reconnects();
  return {};
}

void NatsBroker::disconnect() {
  if (connection_ != nullptr) natsConnection_Close(connection_->get());
  subscription_.reset();
  connection_.reset();
  // Until no callback runs any more.
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !listening_; });
}

void NatsBroker::on_closed(void* closure) {
  auto& broker = *static_cast<NatsBroker*>(closure);
  std::lock_guard lock(broker.mutex_);
  broker.listening_ = false;
  broker.changed_.notify_all();
}

bool NatsBroker::gone() const {
  return connection_ != nullptr && (!connection_->connected() || connection_->reconnects() != reconnects_);
}

Status NatsBroker::reserve(int64_t bytes) {
  std::lock_guard lock(mutex_);
  if (bytes_ + bytes > kMostBytes || events_ >= kMostEvents) {
    return {Code::exhausted, name_ + ": too much waits for the server's answers already"};
  }
  return connected_ ? Status() : why_away_;
}

void NatsBroker::send(std::vector<EdgeEvent> events, const std::string& key, std::vector<StoredEvent> stored,
                      std::function<void(BrokerAnswer)> answer) {
  auto request = std::make_shared<Request>();
  stored.resize(events.size());
  request->answer.stored = std::move(stored);
  request->done = std::move(answer);
  request->key = key;
  request->deadline_ns = clock_.monotonic_ns() + timeout_ns_;
  for (const EdgeEvent& event : events) {
    request->bytes += static_cast<int64_t>(event.payload.size() + event.headers.size());
  }
  Status refused;
  {
    std::lock_guard lock(mutex_);
    for (const EdgeEvent& event : events) {
      if (largest_ > 0 && static_cast<int64_t>(event.payload.size() + event.headers.size()) > largest_) {
        refused = Status::invalid(name_ + " takes messages of at most " + std::to_string(largest_) +
                                  " bytes, headers included");
      }
    }
    if (!connected_) refused = why_away_;
    if (stopping_) refused = Status::unavailable(name_ + " is being closed");
    if (bytes_ + request->bytes > kMostBytes || events_ + events.size() > kMostEvents) {
      refused = {Code::exhausted, name_ + ": too much waits for the server's answers already"};
    }
    for (const StoredEvent& event : request->answer.stored) {
      request->answered.push_back(event.stored());
      request->open += event.stored() ? 0 : 1;
    }
    if (refused.ok() && request->open > 0) {
      request->events = std::move(events);
      bytes_ += request->bytes;
      events_ += request->events.size();
      open_.emplace(next_request_, request);
      unsent_.push_back(next_request_++);
    } else {
      request->answer.status = refused;
    }
  }
  if (request->events.empty()) return request->done(std::move(request->answer));
  changed_.notify_all();
}

void NatsBroker::work() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (unsent_.empty()) changed_.wait_for(lock, kStep);
    lock.unlock();
    watch_connection();
    fail_late();
    deliver();
    lock.lock();
    while (!unsent_.empty() && !stopping_) {
      const uint64_t number = unsent_.front();
      unsent_.pop_front();
      const auto found = open_.find(number);
      if (found == open_.end()) continue;
      const RequestPointer request = found->second;
      lock.unlock();
      publish(number, request);
      deliver();
      lock.lock();
    }
  }
}

void NatsBroker::watch_connection() {
  if (gone()) {
    Status status = connection_->disconnected();
    if (connection_->connected()) {
      status = Status::unavailable(name_ + ": the connection was lost");
    }
    {
      std::lock_guard lock(mutex_);
      connected_ = connection_->connected();
      why_away_ = status;
    }
    fail_all(Status::unavailable(status.message() + "; some of the events may be stored"));
    if (connection_->connected()) reconnects_ = connection_->reconnects();
    if (connection_->closed()) disconnect();
  } else if (connection_ != nullptr) {
    std::lock_guard lock(mutex_);
    connected_ = true;
  } else if (clock_.monotonic_ns() >= next_attempt_ns_) {
    (void)connect();  // why it failed is what publishes are answered with
  }
}

void NatsBroker::publish(uint64_t number, const RequestPointer& request) {
  Status status;
  for (size_t i = 0; i < request->events.size(); ++i) {
    {
      std::lock_guard lock(mutex_);
      if (request->answered[i]) continue;
    }
    if (status.ok() && !connected()) status = Status::unavailable(name_ + ": the connection was lost");
    if (status.ok()) status = publish_one(*request, number, i);
    if (status.ok()) continue;
    // Order is kept: nothing of this request goes out behind one that did not.
    std::lock_guard lock(mutex_);
    settle(number, i, {}, status);
  }
}

Status NatsBroker::publish_one(const Request& request, uint64_t number, size_t index) {
  if (connection_ == nullptr) return Status::unavailable(name_ + ": no connection");
  const EdgeEvent& event = request.events[index];
  const auto& headers = headers_.parse(event.headers);
  WEIR_ASSIGN(const std::string subject, subject_.name(event, headers));
  const std::string reply = inbox_ + std::to_string(number) + "." + std::to_string(index);
  natsMsg* created = nullptr;
  natsStatus status = natsMsg_Create(&created, subject.c_str(), reply.c_str(), event.payload.data(),
                                     static_cast<int>(event.payload.size()));
  const NatsMessage message(created);
  auto set = [&](const std::string& header, std::string value) {
    for (char& c : value) c = c == '\r' || c == '\n' || c == '\0' ? ' ' : c;
    if (status == NATS_OK) status = natsMsgHeader_Set(message.get(), header.c_str(), value.c_str());
  };
  for (const auto& [header, value] : headers) {
    // "Nats-…" headers are orders to the server, such as Nats-Rollup.
    const bool order = header.size() >= 5 && strncasecmp(header.c_str(), "nats-", 5) == 0;
    if (header.empty() || order ||
        header.find_first_of(std::string_view(": \r\n\0", 5)) != std::string::npos) {
      continue;
    }
    set(header, value);
  }
  if (event.key) set("weir-key", std::string(*event.key));
  if (const std::string id = event_id(name_, request.key, index, subject, event.payload, headers);
      !id.empty()) {
    set("Nats-Msg-Id", id);
  }
  if (!stream_.empty()) set("Nats-Expected-Stream", stream_);
  if (status == NATS_OK) status = natsConnection_PublishMsg(connection_->get(), message.get());
  if (status == NATS_OK) return {};
  if (status == NATS_MAX_PAYLOAD) {
    return Status::invalid(name_ + ": the event is larger than the server takes");
  }
  return connection_->failure("cannot publish", status);
}

void NatsBroker::on_answer(natsConnection*, natsSubscription*, natsMsg* message, void* closure) {
  auto& broker = *static_cast<NatsBroker*>(closure);
  const NatsMessage owned(message);
  const std::string_view subject = natsMsg_GetSubject(message);
  const size_t dot = subject.rfind('.');
  const size_t before = subject.rfind('.', dot - 1);
  if (dot == std::string_view::npos || before == std::string_view::npos) return;
  Inbox place{};
  place.request = std::strtoull(subject.data() + before + 1, nullptr, 10);
  place.event = std::strtoull(subject.data() + dot + 1, nullptr, 10);
  broker.answered(place, message);
  broker.deliver();
}

void NatsBroker::answered(Inbox place, natsMsg* message) {
  StoredEvent event;
  Status status;
  const std::string_view text(natsMsg_GetData(message), static_cast<size_t>(natsMsg_GetDataLength(message)));
  if (natsMsg_IsNoResponders(message)) {
    status = Status::unavailable(name_ + ": no stream takes this subject, or JetStream is off");
  } else {
    const PublishAnswer answer = parse_publish_answer(text);
    using enum PublishAnswer::Kind;
    switch (answer.kind) {
      case stored:
      case duplicate: event = {0, answer.sequence, answer.kind == duplicate}; break;
      case too_large: status = Status::invalid(name_ + ": " + answer.message); break;
      case full: status = {Code::exhausted, name_ + ": " + answer.message}; break;
      case not_now:
      case never: status = Status::unavailable(name_ + ": " + answer.message); break;
      case foreign: return;  // some service's: JetStream's is still to come
    }
  }
  std::lock_guard lock(mutex_);
  settle(place.request, place.event, event, std::move(status));
}

void NatsBroker::settle(uint64_t number, size_t event, StoredEvent stored, Status status) {
  const auto found = open_.find(number);
  if (found == open_.end()) return;  // answered already, by its deadline
  Request& request = *found->second;
  if (event >= request.answered.size() || request.answered[event]) return;
  request.answered[event] = true;
  request.answer.stored[event] = stored;
  if (!status.ok() && request.answer.status.ok()) request.answer.status = std::move(status);
  if (--request.open > 0) return;
  settled_.push_back(found->second);
  open_.erase(found);
}

void NatsBroker::fail_all(const Status& status) {
  std::lock_guard lock(mutex_);
  for (auto& [number, request] : open_) {
    if (request->answer.status.ok()) request->answer.status = status;
    settled_.push_back(request);
  }
  open_.clear();
  unsent_.clear();
}

void NatsBroker::fail_late() {
  const int64_t now = clock_.monotonic_ns();
  std::lock_guard lock(mutex_);
  while (!open_.empty() && open_.begin()->second->deadline_ns <= now) {
    const RequestPointer request = open_.begin()->second;
    if (request->answer.status.ok()) {
      request->answer.status =
          Status::unavailable(name_ + " did not answer in time; some of the events may be stored");
    }
    settled_.push_back(request);
    open_.erase(open_.begin());
  }
}

void NatsBroker::deliver() {
  std::vector<RequestPointer> settled;
  {
    std::lock_guard lock(mutex_);
    settled.swap(settled_);
    for (const RequestPointer& request : settled) {
      bytes_ -= request->bytes;
      events_ -= request->events.size();
    }
  }
  for (const RequestPointer& request : settled) {
    // "None is stored" is only true when that is so.
    size_t stored = 0;
    for (const StoredEvent& event : request->answer.stored) stored += event.stored() ? 1 : 0;
    Status& status = request->answer.status;
    if (status.code() == Code::exhausted && stored > 0) {
      status = Status::unavailable(status.message() + "; some of the events are stored");
    }
    request->done(std::move(request->answer));
  }
}

}  // namespace

std::vector<OptionSpec> nats_target_option_specs() {
  using enum OptionType;
  std::vector<OptionSpec> specs = nats_connection_option_specs();
  specs.push_back(option("stream", string, "",
                         "the JetStream stream that must take the events; empty: whichever has the subject"));
  specs.push_back(option("subject", string, "{stream}",
                         "where to publish; {stream}, {type} and {subject} are the event's own"));
  specs.push_back(option("timeout", duration, "10 s", "how long an event may wait for its PubAck"));
  return specs;
}

Result<std::unique_ptr<EventTarget>> open_nats_target(const EdgeTargetSpec& spec, const std::string& name,
                                                      const Clock& clock, std::shared_ptr<KeyStore> keys) {
  auto subject = NameTemplate::parse(spec.options.string("subject"), NameKind::subject);
  if (!subject.ok()) return subject.status().with_context(name + ": 'subject'");
  auto broker = std::make_unique<NatsBroker>(name, spec.options, *std::move(subject), clock);
  const Status started = broker->start();
  if (!started.ok()) return started.with_context(name);
  return make_broker_target(std::move(broker), std::move(keys));
}

}  // namespace weir
