#include "formats/payload_stage.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>

#include "formats/json_text.h"
#include "formats/protobuf/wire.h"

namespace weir {
namespace {

constexpr int64_t kMostPayload = 1 << 30;
constexpr size_t kMostAtOnce = 64 << 20;  // bytes of one Unwrapped, but for its last event
constexpr uint32_t kHighestField = (1U << 29) - 1;
constexpr size_t kDeepestPath = 8;
constexpr int kDeepestGroup = 64;
constexpr int kDeepestEnvelope = 1024;

bool same_word(std::string_view text, std::string_view small) {
  return std::equal(text.begin(), text.end(), small.begin(), small.end(), [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b;
  });
}

// The last field at `path` (its wire type must be bytes) in a message, as a later value replaces an earlier
// one. False: `error` tells what is broken.
bool find_field(std::string_view message, const std::vector<uint32_t>& path, size_t step, const char* base,
                std::string_view& found, ErrorRecord& error) {
  wire::WireReader reader(message);
  while (!reader.at_end()) {
    wire::Tag tag;
    wire::WireError failure = reader.tag(tag);
    const bool wanted = failure == wire::WireError::none && tag.field == path[step];
    std::string_view value;
    if (wanted && tag.type == wire::WireType::bytes) {
      failure = reader.bytes(value);
      if (failure == wire::WireError::none) {
        if (step + 1 == path.size()) {
          found = value;
        } else if (!find_field(value, path, step + 1, base, found, error)) {
          return false;
        }
      }
    } else if (failure == wire::WireError::none) {
      failure = reader.skip(tag, kDeepestGroup);
    }
    if (failure == wire::WireError::none && wanted && tag.type != wire::WireType::bytes) {
      error.code = ErrorCode::malformed;
      error.message = "the envelope's field " + std::to_string(tag.field) + " holds no bytes";
    } else if (failure != wire::WireError::none) {
      error.code = failure == wire::WireError::too_deep ? ErrorCode::too_deep : ErrorCode::malformed;
      error.message = std::string("the protobuf envelope is broken: ") + wire::wire_error_text(failure);
    } else {
      continue;
    }
    error.byte = reader.position - base;
    return false;
  }
  return true;
}

}  // namespace

const std::vector<OptionSpec>& payload_option_specs() {
  using enum OptionType;
  static const std::vector<OptionSpec> specs = {
      one_of("payload.compression", {"none", "auto", "gzip", "zstd", "snappy", "lz4"},
             "how each event's bytes are compressed by itself; auto: by their beginning (not raw snappy)"),
      option("payload.max-size", size, "16 mb", "largest decompressed payload, at most 1 gb"),
      option("payload.max-ratio", integer, "200",
             "how many times its compressed bytes a payload above 1 mb may hold"),
      one_of("payload.envelope", {"none", "cloudevents", "protobuf"},
             "what the payload is wrapped in: a CloudEvent in structured mode (its attributes become headers "
             "ce-…), or a protobuf message with the payload in a bytes field"),
      option("payload.envelope.field", string, "",
             "protobuf: number of the bytes field that holds the payload, such as 3, or 2.1 for field 1 of "
             "the message in field 2"),
      option("payload.envelope.subject-field", string, "",
             "protobuf: number of a string field that becomes METADATA 'subject'"),
  };
  return specs;
}

Status check_payload_options(const Options& options) { return PayloadStage::create(options).status(); }

Result<PayloadStage::FieldPath> PayloadStage::field_path(const Options& options, const std::string& name) {
  const std::string text = options.string(name);
  FieldPath path;
  for (const char* at = text.data(); at != text.data() + text.size();) {
    const char* const end = text.data() + text.size();
    uint32_t number = 0;
    const auto [stop, problem] = std::from_chars(at, end, number);
    if (problem != std::errc() || number == 0 || number > kHighestField || path.size() == kDeepestPath ||
        (stop != end && (*stop != '.' || stop + 1 == end))) {
      return Status::invalid("'" + name + "' = '" + text + "', expected field numbers such as '3' or '2.1'");
    }
    path.push_back(number);
    at = stop == end ? end : stop + 1;
  }
  return path;
}

Result<std::unique_ptr<PayloadStage>> PayloadStage::create(const Options& options) {
  using payload::Compression;
  std::unique_ptr<PayloadStage> stage(new PayloadStage());
  const std::string compression = options.string("payload.compression");
  stage->compression_ = compression == "auto"     ? Compression::automatic
                        : compression == "gzip"   ? Compression::gzip
                        : compression == "zstd"   ? Compression::zstd
                        : compression == "snappy" ? Compression::snappy
                        : compression == "lz4"    ? Compression::lz4
                                                  : Compression::none;
  payload::Bounds bounds;
  bounds.max_size = options.size("payload.max-size");
  bounds.max_ratio = options.integer("payload.max-ratio");
  if (bounds.max_size < 1 || bounds.max_size > kMostPayload) {
    return Status::invalid("payload.max-size is " + std::to_string(bounds.max_size) +
                           " bytes, expected 1 byte to 1 gb");
  }
  if (bounds.max_ratio < 1 || bounds.max_ratio > 1'000'000) {
    return Status::invalid("payload.max-ratio is " + std::to_string(bounds.max_ratio) +
                           ", expected 1 to 1000000");
  }
  const std::string envelope = options.string("payload.envelope");
  stage->envelope_ = envelope == "cloudevents" ? Envelope::cloud_events
                     : envelope == "protobuf"  ? Envelope::protobuf
                                               : Envelope::none;
  WEIR_ASSIGN(stage->payload_path_, field_path(options, "payload.envelope.field"));
  WEIR_ASSIGN(stage->subject_path_, field_path(options, "payload.envelope.subject-field"));
  const bool protobuf = stage->envelope_ == Envelope::protobuf;
  if (protobuf && stage->payload_path_.empty()) {
    return Status::invalid("'payload.envelope' = 'protobuf' needs 'payload.envelope.field', the number of " +
                           std::string("the bytes field that holds the payload"));
  }
  if (!protobuf && (!stage->payload_path_.empty() || !stage->subject_path_.empty())) {
    return Status::invalid("'payload.envelope.…field' needs 'payload.envelope' = 'protobuf'");
  }
  if (stage->compression_ == Compression::none && stage->envelope_ == Envelope::none) return {nullptr};
  if (stage->compression_ != Compression::none) {
    stage->decompressor_ = std::make_unique<payload::Decompressor>(stage->compression_, bounds);
  }
  return stage;
}

Unwrapped PayloadStage::unwrap(const EventBatch& batch, size_t begin, size_t end) {
  Unwrapped out;
  out.batch.from = batch.from;
  out.batch.next = batch.next;
  out.batch.received_us = batch.received_us;
  out.batch.end = batch.end;
  out.batch.events.reserve(end - begin);
  payload::ByteArena arena(expected_);
  ErrorRecord error;
  size_t index = begin;
  for (; index < end && (index == begin || arena.size() < kMostAtOnce); ++index) {
    const Event& given = batch.events[index];
    Place place;
    if (!event(batch, given, arena, place, error)) {
      error.event = static_cast<uint32_t>(index);
      out.errors.push_back(std::move(error));
      error = {};
      continue;
    }
    Event made = given;
    made.payload = place.payload;
    made.headers = place.headers;
    made.subject = place.subject;
    if (place.subject.size < 0 && given.subject.size >= 0) {
      made.subject = arena.append(batch.view(given.subject));
    }
    if (given.key.size >= 0) made.key = arena.append(batch.view(given.key));
    if (place.headers.size < 0 && given.headers.size >= 0) {
      made.headers = arena.append(batch.view(given.headers));
    }
    out.batch.events.push_back(made);
    out.event_of.push_back(static_cast<uint32_t>(index));
    out.shift_of.push_back(place.shift);
  }
  out.end = index;
  expected_ = std::min(kMostAtOnce, arena.size() + arena.size() / 8);
  out.batch.bytes = arena.take();
  return out;
}

bool PayloadStage::event(const EventBatch& batch, const Event& event, payload::ByteArena& arena, Place& place,
                         ErrorRecord& error) {
  if (event.payload.size < 0) return true;  // a tombstone
  const std::string_view bytes = batch.view(event.payload);
  const size_t begin = arena.size();
  if (decompressor_ != nullptr) {
    if (!decompressor_->decompress(bytes, arena, error)) return false;
    const bool plain = compression_ == payload::Compression::automatic &&
                       payload::detect(bytes) == payload::Compression::none;
    place.shift = plain ? 0 : -1;
  } else {
    arena.append(bytes);
  }
  place.payload = arena.since(begin);
  if (envelope_ == Envelope::none) return true;
  const bool unwrapped = envelope_ == Envelope::cloud_events
                             ? cloud_event(batch, event, begin, arena, place, error)
                             : protobuf({arena.data() + begin, arena.size() - begin}, arena, place, error);
  if (!unwrapped) {
    arena.cut(begin);
    if (place.shift < 0) error.byte = -1;
  }
  return unwrapped;
}

bool PayloadStage::cloud_event(const EventBatch& batch, const Event& event, size_t begin,
                               payload::ByteArena& arena, Place& place, ErrorRecord& error) {
  if (event.headers.size > 0 && payload::is_binary_mode(batch.view(event.headers))) return true;
  const size_t size = arena.size() - begin;
  const std::string_view whole(arena.data() + begin, size);
  if (!simdjson::validate_utf8(whole.data(), whole.size())) {
    error.code = ErrorCode::invalid_utf8;
    error.message = "the CloudEvent is not UTF-8";
    return false;
  }
  if (const auto fault = find_json_fault(whole, kDeepestEnvelope)) {
    error.code = ErrorCode::malformed;
    error.message = "no CloudEvent: " + fault->reason;
    error.byte = static_cast<int64_t>(fault->offset);
    return false;
  }
  if (!payload::read_cloud_event(whole, cloud_event_, error)) {
    if (cloud_event_.attribute("specversion") == nullptr && error.field == "/specversion") {
      error.message += "; nor does a header ce-specversion tell of binary mode";
    }
    return false;
  }
  if (!cloud_event_.text.empty()) {
    place.payload = arena.append(cloud_event_.text);
    place.shift = -1;
  } else {
    const auto skipped = cloud_event_.data.empty() ? 0 : cloud_event_.data.data() - whole.data();
    place.payload = {static_cast<uint32_t>(begin + static_cast<size_t>(skipped)),
                     static_cast<int32_t>(cloud_event_.data.size())};
    if (place.shift >= 0) place.shift = skipped;
  }
  append_headers(event.headers.size > 0 ? batch.view(event.headers) : "", arena, place);
  return true;
}

// Those that came with the message (its content-type spoke of the envelope), then the event's own.
void PayloadStage::append_headers(std::string_view given, payload::ByteArena& arena, Place& place) {
  headers_ = "{";
  for_each_member(given, [this](std::string_view name, std::string_view value) {
    if (same_word(name, "content-type")) return true;
    if (headers_.size() > 1) headers_ += ',';
    headers_.append("\"").append(name).append("\":").append(value);
    return true;
  });
  for (const auto& attribute : cloud_event_.attributes) {
    if (headers_.size() > 1) headers_ += ',';
    append_json_quoted(attribute.header(), headers_);
    headers_ += ':';
    append_json_quoted(attribute.value, headers_);
  }
  headers_ += '}';
  place.headers = arena.append(headers_);
}

bool PayloadStage::protobuf(std::string_view bytes, payload::ByteArena& arena, Place& place,
                            ErrorRecord& error) {
  // proto3 leaves out a field that is empty.
  std::string_view content = bytes.substr(0, 0);
  if (!find_field(bytes, payload_path_, 0, bytes.data(), content, error)) return false;
  const auto skipped = content.data() - bytes.data();
  place.payload.begin += static_cast<uint32_t>(skipped);
  place.payload.size = static_cast<int32_t>(content.size());
  if (place.shift >= 0) place.shift = skipped;
  if (subject_path_.empty()) return true;
  std::string_view subject;
  if (!find_field(bytes, subject_path_, 0, bytes.data(), subject, error)) return false;
  if (!simdjson::validate_utf8(subject.data(), subject.size())) {
    error.code = ErrorCode::invalid_utf8;
    error.message = "the envelope's subject is not UTF-8";
    return false;
  }
  if (!subject.empty()) place.subject = arena.append(std::string(subject));
  return true;
}

}  // namespace weir
