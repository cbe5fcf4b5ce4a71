#include "sinks/nats/publish_window.h"

#include <charconv>

#include "clients/nats_answer.h"

namespace weir {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;
constexpr int64_t kWaitMs = 50;

}  // namespace

Result<std::unique_ptr<PublishWindow>> PublishWindow::open(const Options& options,
                                                           PublishWindowSettings settings) {
  std::unique_ptr<PublishWindow> window(new PublishWindow(std::move(settings)));
  WEIR_ASSIGN(window->connection_, NatsConnection::connect(options));
  WEIR_TRY(window->subscribe());
  return window;
}

PublishWindow::~PublishWindow() {
  // First the library's threads: it may use a subscription after its end.
  if (connection_ != nullptr) natsConnection_Close(connection_->get());
}

Status PublishWindow::subscribe() {
  natsInbox* inbox = nullptr;
  natsStatus status = natsInbox_Create(&inbox);
  if (status != NATS_OK) return connection_->failure("cannot make an inbox", status);
  inbox_ = inbox;
  natsInbox_Destroy(inbox);
  natsSubscription* subscription = nullptr;
  status = natsConnection_SubscribeSync(&subscription, connection_->get(), (inbox_ + ".*").c_str());
  subscription_.reset(subscription);
  if (status != NATS_OK) return connection_->failure("cannot subscribe", status);
  natsSubscription_SetPendingLimits(subscription, -1, -1);  // at most one answer a slot
  reconnects_ = connection_->reconnects();
  slots_.resize(settings_.most_messages);
  for (size_t slot = slots_.size(); slot > 0; --slot) free_.push_back(slot - 1);
  return {};
}

Status PublishWindow::publish(const std::string& subject, std::string_view payload,
                              const std::vector<std::pair<std::string, std::string>>& headers,
                              RowPlace place) {
  while (free_.empty() || (bytes_ >= settings_.most_bytes && free_.size() < slots_.size())) WEIR_TRY(wait());
  const size_t slot = free_.back();
  natsMsg* raw = nullptr;
  natsStatus status = natsMsg_Create(&raw, subject.c_str(), (inbox_ + "." + std::to_string(slot)).c_str(),
                                     payload.data(), static_cast<int>(payload.size()));
  const NatsMessage message(raw);
  int64_t bytes = static_cast<int64_t>(payload.size());
  for (const auto& [name, value] : headers) {
    if (status == NATS_OK) status = natsMsgHeader_Add(raw, name.c_str(), value.c_str());
    bytes += static_cast<int64_t>(name.size() + value.size());
  }
  if (status == NATS_OK) status = natsConnection_PublishMsg(connection_->get(), raw);
  if (status == NATS_MAX_PAYLOAD) {
    settings_.refused(place, "the message has " + std::to_string(bytes) +
                                 " bytes, the server's max_payload is " +
                                 std::to_string(natsConnection_GetMaxPayload(connection_->get())));
    return {};
  }
  if (status != NATS_OK) return connection_->failure("cannot publish to '" + subject + "'", status);
  if (free_.size() == slots_.size()) last_heard_ns_ = settings_.clock->monotonic_ns();
  free_.pop_back();
  slots_[slot] = {place, bytes, true};
  bytes_ += bytes;
  return {};
}

Status PublishWindow::check_health() {
  if (connection_->reconnects() != reconnects_ || connection_->closed() || !connection_->connected()) {
    if (!connection_->connected()) return connection_->disconnected();
    return Status::unavailable("the connection to NATS was lost with " +
                               std::to_string(slots_.size() - free_.size()) +
                               " messages that were not acknowledged: they are sent again");
  }
  const int64_t silent_ns = settings_.clock->monotonic_ns() - last_heard_ns_;
  if (free_.size() < slots_.size() && silent_ns > settings_.ack_timeout_ms * kNsPerMs) {
    return connection_->failure("no acknowledgement of stream '" + settings_.stream + "' for " +
                                    std::to_string(silent_ns / kNsPerMs) + " ms",
                                NATS_TIMEOUT);
  }
  return {};
}

Status PublishWindow::wait() {
  natsMsg* raw = nullptr;
  const natsStatus status = natsSubscription_NextMsg(&raw, subscription_.get(), kWaitMs);
  const NatsMessage answer(raw);
  if (status == NATS_OK) {
    WEIR_TRY(take(raw));
    return receive();
  }
  if (status == NATS_TIMEOUT) return check_health();
  if (!connection_->connected()) return connection_->disconnected();
  return connection_->failure("cannot publish to stream '" + settings_.stream + "'", status);
}

Status PublishWindow::receive() {
  while (true) {
    natsMsg* raw = nullptr;
    const natsStatus status = natsSubscription_NextMsg(&raw, subscription_.get(), 0);
    const NatsMessage answer(raw);
    if (status == NATS_TIMEOUT) return {};
    if (status != NATS_OK) {
      if (!connection_->connected()) return connection_->disconnected();
      return connection_->failure("cannot publish to stream '" + settings_.stream + "'", status);
    }
    WEIR_TRY(take(raw));
  }
}

Status PublishWindow::finish() {
  while (free_.size() < slots_.size()) WEIR_TRY(wait());
  return {};
}

Status PublishWindow::take(natsMsg* answer) {
  const std::string_view subject = natsMsg_GetSubject(answer);
  if (subject.size() <= inbox_.size()) return {};
  const std::string_view digits = subject.substr(inbox_.size() + 1);
  size_t slot = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), slot);
  if (slot >= slots_.size() || !slots_[slot].busy) return {};
  if (natsMsg_IsNoResponders(answer)) {
    return connection_->failure("stream '" + settings_.stream + "' does not take the subject any more",
                                NATS_NO_RESPONDERS);
  }
  PublishAnswer parsed =
      parse_publish_answer({natsMsg_GetData(answer), static_cast<size_t>(natsMsg_GetDataLength(answer))});
  if (parsed.kind == PublishAnswer::Kind::foreign) return {};  // some service's: JetStream's is still to come
  last_heard_ns_ = settings_.clock->monotonic_ns();
  const std::string where = "stream '" + settings_.stream + "' does not store: " + parsed.message;
  switch (parsed.kind) {
    case PublishAnswer::Kind::full:
    case PublishAnswer::Kind::not_now: return Status::unavailable(where);
    case PublishAnswer::Kind::never: return Status::invalid(where);
    case PublishAnswer::Kind::duplicate: ++duplicates_; break;
    default: break;
  }
  if (parsed.kind != PublishAnswer::Kind::too_large && parsed.stream != settings_.stream) {
    return Status::invalid("the subject belongs to stream '" + parsed.stream + "', not to '" +
                           settings_.stream + "'");
  }
  const RowPlace place = slots_[slot].place;
  bytes_ -= slots_[slot].bytes;
  slots_[slot].busy = false;
  free_.push_back(slot);
  if (parsed.kind == PublishAnswer::Kind::too_large) {
    settings_.refused(place, "stream '" + settings_.stream + "': " + parsed.message);
  } else {
    settings_.stored(place);
  }
  return {};
}

}  // namespace weir
