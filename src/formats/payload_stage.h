// What stands between a source's bytes and the decoder: compressed payloads and envelopes, by the payload.*
// options of every source table.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "config/options.h"
#include "formats/payload/byte_arena.h"
#include "formats/payload/cloud_event.h"
#include "formats/payload/decompress.h"
#include "schema/error_record.h"
#include "schema/event_batch.h"

namespace weir {

// payload.compression, payload.max-size, payload.max-ratio, payload.envelope, payload.envelope.*
const std::vector<OptionSpec>& payload_option_specs();
// invalid: options that contradict each other.
Status check_payload_options(const Options& options);

struct Unwrapped {
  EventBatch batch;                // with bytes of its own
  std::vector<uint32_t> event_of;  // by event of `batch`: its index in the batch that was given
  // By event of `batch`: where its payload begins in the one that was given, -1 where it is no slice of it.
  std::vector<int64_t> shift_of;
  std::vector<ErrorRecord> errors;  // by index in the batch that was given, ascending
  size_t end = 0;                   // events [begin, end) of the batch that was given are in here
};

// One per partition task; not thread-safe.
class PayloadStage {
 public:
  // Null when the options ask for nothing.
  static Result<std::unique_ptr<PayloadStage>> create(const Options& options);

  // Takes events from `begin` on, up to `end` or until so much was unwrapped that memory would suffer (then
  // call again from Unwrapped::end). At least one event is taken.
  Unwrapped unwrap(const EventBatch& batch, size_t begin, size_t end);

 private:
  enum class Envelope { none, cloud_events, protobuf };
  using FieldPath = std::vector<uint32_t>;
  struct Place {
    Slice payload;
    Slice headers;
    Slice subject;
    int64_t shift = 0;
  };

  PayloadStage() = default;
  static Result<FieldPath> field_path(const Options& options, const std::string& name);
  // Appends one event's content to `arena`; false: `error` is set.
  bool event(const EventBatch& batch, const Event& event, payload::ByteArena& arena, Place& place,
             ErrorRecord& error);
  bool cloud_event(const EventBatch& batch, const Event& event, size_t begin, payload::ByteArena& arena,
                   Place& place, ErrorRecord& error);
  void append_headers(std::string_view given, payload::ByteArena& arena, Place& place);
  bool protobuf(std::string_view bytes, payload::ByteArena& arena, Place& place, ErrorRecord& error);

  payload::Compression compression_ = payload::Compression::none;
  std::unique_ptr<payload::Decompressor> decompressor_;
  Envelope envelope_ = Envelope::none;
  FieldPath payload_path_, subject_path_;
  payload::CloudEvent cloud_event_;
  std::string headers_;
  size_t expected_ = 1 << 16;
};

}  // namespace weir
