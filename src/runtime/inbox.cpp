#include "runtime/inbox.h"

#include <arrow/record_batch.h>

namespace weir {

size_t Inbox::add_channel() {
  channels_.emplace_back();
  return channels_.size() - 1;
}

bool Inbox::push(size_t channel, Message message) {
  std::unique_lock lock(mutex_);
  Channel& into = channels_[channel];
  if (message.kind == Message::Kind::rows) {
    room_.wait(lock, [&] { return closed_ || into.batches < capacity_; });
    if (!closed_) ++into.batches;
  }
  if (closed_) return false;
  message.channel = channel;
  const bool replaces = message.kind == Message::Kind::watermark && !into.messages.empty() &&
                        into.messages.back().kind == Message::Kind::watermark;
  if (replaces) {
    into.messages.back() = std::move(message);
  } else {
    into.messages.push_back(std::move(message));
  }
  data_.notify_one();
  return true;
}

std::optional<Message> Inbox::take() {
  for (size_t i = 0; i < channels_.size(); ++i) {
    Channel& channel = channels_[(next_ + i) % channels_.size()];
    if (channel.held || channel.messages.empty()) continue;
    next_ = (next_ + i + 1) % channels_.size();
    Message message = std::move(channel.messages.front());
    channel.messages.pop_front();
    if (message.kind == Message::Kind::rows) {
      --channel.batches;
      room_.notify_all();
    }
    return message;
  }
  return std::nullopt;
}

std::optional<Message> Inbox::pop(std::chrono::microseconds timeout) {
  std::unique_lock lock(mutex_);
  std::optional<Message> message;
  data_.wait_for(lock, timeout, [&] {
    message = take();
    return message.has_value() || closed_;
  });
  return message;
}

void Inbox::hold(size_t channel) {
  std::lock_guard lock(mutex_);
  channels_[channel].held = true;
}

void Inbox::release_all() {
  std::lock_guard lock(mutex_);
  for (Channel& channel : channels_) channel.held = false;
}

void Inbox::close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  room_.notify_all();
  data_.notify_all();
}

bool Inbox::closed() const {
  std::lock_guard lock(mutex_);
  return closed_;
}

size_t Inbox::waiting() const {
  std::lock_guard lock(mutex_);
  size_t batches = 0;
  for (const Channel& channel : channels_) batches += channel.batches;
  return batches;
}

}  // namespace weir
