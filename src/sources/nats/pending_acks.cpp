#include "sources/nats/pending_acks.h"

#include <algorithm>

namespace weir {

void PendingAcks::delivered(const AckSubject& message, std::string_view reply) {
  if (!each_) {
    reply_ = reply;
    reply_sequence_ = message.stream_sequence;
    return;
  }
  if (!template_.has_value()) {
    const std::lock_guard<std::mutex> lock(mutex_);
    template_ = ack_template(reply);
  }
  open_.emplace_back(message.stream_sequence, message.consumer_sequence);
}

void PendingAcks::forget() {
  open_.clear();
  reply_.clear();
  const std::lock_guard<std::mutex> lock(mutex_);
  batches_.clear();
  template_.reset();  // the next consumer may have another name
}

std::vector<std::string> PendingAcks::batch_ends(int64_t next) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!each_) {
    if (reply_.empty()) return {};
    std::string reply = std::move(reply_);
    reply_.clear();
    if (reply_sequence_ < committed_) return {std::move(reply)};
    if (batches_.size() >= kMostBatches) batches_.pop_back();  // the next one stands for it
    batches_.push_back({next, std::move(reply), {}});
    return {};
  }
  const auto open = std::partition(open_.begin(), open_.end(),
                                   [&](const Message& message) { return message.first < committed_; });
  std::vector<std::string> due = replies({open_.begin(), open});
  open_.erase(open_.begin(), open);
  if (open_.empty()) return due;
  if (batches_.size() >= kMostBatches) {
    Batch& last = batches_.back();
    last.next = next;
    last.messages.insert(last.messages.end(), open_.begin(), open_.end());
    open_.clear();
  } else {
    batches_.push_back({next, {}, std::exchange(open_, {})});
  }
  return due;
}

bool PendingAcks::commit(int64_t next, std::vector<std::string>& due) {
  const std::lock_guard<std::mutex> lock(mutex_);
  committed_ = std::max(committed_, next);
  due.clear();
  while (!batches_.empty() && batches_.front().next <= next) {
    Batch batch = std::move(batches_.front());
    batches_.pop_front();
    if (each_) {
      due = replies(batch.messages);
      return true;
    }
    due.assign(1, std::move(batch.reply));
  }
  return !due.empty();
}

int64_t PendingAcks::committed() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return committed_;
}

std::vector<std::string> PendingAcks::replies(const std::vector<Message>& messages) const {
  std::vector<std::string> all(messages.size());
  for (size_t i = 0; i < messages.size(); ++i)
    template_->subject(messages[i].first, messages[i].second, all[i]);
  return all;
}

}  // namespace weir
