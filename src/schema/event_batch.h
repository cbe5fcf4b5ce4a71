// Events as a source hands them over: bytes and positions, nothing parsed.
#pragma once

#include <arrow/type_fwd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

// A slice of EventBatch::bytes. size < 0: absent (no key, no headers).
struct Slice {
  uint32_t begin = 0;
  int32_t size = -1;
};

struct Event {
  Slice payload;
  int64_t offset = 0;         // in its partition; strictly increasing, with gaps
  int64_t timestamp_us = -1;  // the broker's or file's time; -1: unknown
  Slice subject;              // NATS subject, Kafka topic or file path
  Slice key;
  Slice headers;  // a JSON object of strings as UTF-8 text, or absent
};

// Invariants: `events` are in offset order; every offset lies in [from, next); `from` is the `next` of the
// batch before it from the same reader (no overlap, no gap); at least `kPadding` readable bytes follow the
// last payload byte.
struct EventBatch {
  static constexpr size_t kPadding = 64;  // what simdjson may read past a document

  std::shared_ptr<const char[]> bytes;
  std::vector<Event> events;
  int64_t from = 0;
  int64_t next = 0;
  int64_t received_us = 0;  // ingest-time
  bool end = false;         // the partition is at its end and will give nothing more
  // Set where events are born typed (the generator): the table's physical columns, a row an event; nothing is decoded
  // then, and payloads are empty.
  std::shared_ptr<arrow::RecordBatch> rows;

  std::string_view view(Slice slice) const {
    if (slice.size <= 0) return {};
    return {bytes.get() + slice.begin, static_cast<size_t>(slice.size)};
  }
  std::string_view payload(size_t event) const { return view(events[event].payload); }
};

}  // namespace weir
