// What a row is called in Nats-Msg-Id, so that a stream drops a row that it has got before.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace weir {

// A row is the n-th that its event gave to this sink, and of that content: equal when the same event is read
// again, different for anything else, also when the file's SQL has changed in between. Rows come as
// Sink::append gets them: one batch after the other, a second INSERT's over the same range as the first's.
// One per run; not thread-safe.
class MessageIds {
 public:
  MessageIds(const std::string& pipeline, const std::string& table);

  // The rows that follow are of this partition.
  void begin(std::string_view partition);
  // Of the next row; `content` is of all its parts.
  const std::string& next(int64_t offset, uint64_t content);

 private:
  using Counts = std::unordered_map<int64_t, int32_t>;  // offset -> how many rows it has given so far
  struct Range {
    uint64_t scope = 0;  // of pipeline, table and partition
    Counts counts;
    Counts former;  // together they remember more offsets than a batch of a source has
  };

  std::string owner_;
  std::unordered_map<std::string, Range> ranges_;
  Range* range_ = nullptr;
  std::string id_;
};

// A 64-bit hash that is the same in every process; `seed` chains parts.
uint64_t content_hash(std::string_view bytes, uint64_t seed);

}  // namespace weir
