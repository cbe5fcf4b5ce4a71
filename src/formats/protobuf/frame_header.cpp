#include "formats/protobuf/frame_header.h"

#include <google/protobuf/descriptor.h>

#include "formats/protobuf/proto_schema.h"
#include "formats/protobuf/wire.h"
#include "formats/registry_frame.h"

namespace weir::protobuf {
namespace {

constexpr int64_t kMostIndexes = 64;

}  // namespace

bool read_frame_header(std::string_view payload, FrameHeader& header, ErrorRecord& error) {
  const auto fail = [&error](int64_t byte, const std::string& words) {
    error.code = ErrorCode::malformed;
    error.message = words;
    error.byte = byte;
    return false;
  };
  if (!has_registry_frame(payload)) {
    no_registry_frame(payload, error);
    error.message += " (protobuf.framing = 'none' reads messages without a schema id)";
    return false;
  }
  header.id = registry_frame_id(payload);
  wire::WireReader reader(payload.substr(kRegistryFrameBytes));
  const auto at = [&] { return static_cast<int64_t>(reader.position - payload.data()); };
  uint64_t raw = 0;
  if (reader.varint(raw) != wire::WireError::none) return fail(at(), "the message indexes are cut off");
  const int64_t count = wire::zigzag64(raw);
  if (count < 0 || count > kMostIndexes) {
    return fail(5, std::to_string(count) + " message indexes, expected 0 to " + std::to_string(kMostIndexes));
  }
  for (int64_t i = 0; i < count; ++i) {
    const int64_t index_at = at();
    if (reader.varint(raw) != wire::WireError::none) return fail(index_at, "the message indexes are cut off");
    const int64_t index = wire::zigzag64(raw);
    if (index < 0 || index > INT32_MAX) return fail(index_at, "a message index of " + std::to_string(index));
    header.indexes.push_back(static_cast<int32_t>(index));
  }
  if (count == 0) header.indexes.push_back(0);
  header.size = static_cast<size_t>(at());
  return true;
}

Result<std::string> message_name(const SchemaText& writer, const FrameHeader& header) {
  WEIR_ASSIGN(const auto schema, ProtoSchema::from_registry(writer));
  const google::protobuf::Descriptor* message = schema->message_at(header.indexes);
  if (message == nullptr) return Status::invalid("the schema has no message at the event's indexes");
  return message->full_name();
}

}  // namespace weir::protobuf
