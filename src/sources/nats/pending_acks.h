// What was delivered and waits for its commit: which acknowledgements to send when.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sources/nats/ack_subject.h"

namespace weir {

// delivered, forget and batch_ends are called by the reading thread, commit by any other at the same time.
// Bounded: for "ack all" by kMostBatches reply subjects; for one acknowledgement a message by 16 bytes for
// each message that the server lets be open (max_ack_pending).
class PendingAcks {
 public:
  // `each`: one acknowledgement a message, otherwise the last one stands for all before it. `committed`: what
  // is below it is durable already.
  PendingAcks(bool each, int64_t committed) : each_(each), committed_(committed) {}

  // A message came, also one that the reader drops because it came before.
  void delivered(const AckSubject& message, std::string_view reply);
  // The consumer is made anew: it delivers again what was not acknowledged.
  void forget();
  // All that was delivered since the last batch is below `next`. Returns the reply subjects to acknowledge
  // now: those of messages that came again after their commit. Nothing else would ever send these.
  std::vector<std::string> batch_ends(int64_t next);
  // Everything below `next` is durable. Puts the reply subjects of some of what is to be acknowledged into
  // `due`, in place of what is there; false when nothing is left. Call it until then.
  bool commit(int64_t next, std::vector<std::string>& due);

  int64_t committed() const;

 private:
  static constexpr size_t kMostBatches = 4096;
  using Message = std::pair<int64_t, int64_t>;  // stream sequence, consumer sequence
  struct Batch {
    int64_t next;
    std::string reply;              // unless `each`
    std::vector<Message> messages;  // when `each`
  };

  std::vector<std::string> replies(const std::vector<Message>& messages) const;

  const bool each_;
  std::vector<Message> open_;  // of the reading thread
  std::string reply_;          // of the reading thread
  int64_t reply_sequence_ = 0;

  mutable std::mutex mutex_;  // guards what follows
  int64_t committed_;
  std::optional<AckTemplate> template_;
  std::deque<Batch> batches_;
};

}  // namespace weir
