// Decodes Protobuf messages along a table's columns.
//
// What a field fits into (checked when the decoder is made):
//   integers             TINYINT … BIGINT and DECIMAL, in range or out_of_range; those of 32 bits also DOUBLE
//   float, double        FLOAT or DOUBLE; DOUBLE
//   bool, string, bytes  BOOLEAN, STRING or VARCHAR(n), BYTES
//   enums                STRING (the name; the number where it has none), or TINYINT … BIGINT
//   messages             ROW; repeated fields: ARRAY; maps: MAP, of a key given twice the last one counts
//   Timestamp            TIMESTAMP(p), TIMESTAMP_LTZ(p); Duration: BIGINT, microseconds
//   Int64Value …         as what they wrap, NULL where they are missing
//   Struct, Value, ListValue   STRING, as JSON; these and all messages also ROW
// A missing field is NULL where its presence is known (optional, members of a oneof, messages; proto2: its
// declared default), else its type's zero. What the table does not have is skipped unread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "formats/decoder.h"
#include "formats/protobuf/frame_header.h"
#include "formats/protobuf/proto_schema.h"
#include "formats/protobuf/walk.h"

namespace weir::protobuf {

// A message's schema and where it came from.
struct SchemaOrigin {
  std::shared_ptr<const ProtoSchema> schema;
  const google::protobuf::Descriptor* message = nullptr;  // of `schema`
  std::string label;  // for messages: a file, or a version in the registry
  std::string name;   // file or subject
  int32_t version = 0;
  int32_t id = -1;
};

struct DecoderSettings {
  Settings walk;
  bool confluent = false;
  bool registry = false;  // its url is set
  std::string message;    // full name, or ""
  std::string subject;    // "" when there is none
  bool columns_described = false;
};

class ProtobufDecoder final : public Decoder {
 public:
  // `reader`: the table's schema; nothing in it when the registry has none for the subject or cannot be asked
  // now.
  static Result<std::unique_ptr<Decoder>> create(const std::vector<ColumnSpec>& columns,
                                                 DecoderSettings settings, SchemaOrigin reader,
                                                 std::shared_ptr<SchemaLookup> schemas);

  Result<DecodedRows> decode(const EventBatch& batch, size_t begin, size_t end) override;

 private:
  // What is known of one schema and message that events were written with.
  struct Writer {
    std::unique_ptr<MessagePlan> plan;  // null: none of its events can be decoded, because of `problem`
    std::string problem;
  };
  // Of Confluent's framing.
  explicit ProtobufDecoder(DecoderSettings settings)
      : settings_(std::move(settings)), walk_(settings_.walk) {}

  // The plan for an event, and where its message begins. Null with a good Status: `error` is set.
  Result<MessagePlan*> plan_of(std::string_view payload, size_t* begin, ErrorRecord* error);
  Result<MessagePlan*> reader_plan();
  Status load_reader();
  Result<Writer*> writer(const FrameHeader& header, ErrorRecord* error);
  Result<Writer> make_writer(const FrameHeader& header, const RegisteredSchema& registered);
  Status check_for_new_columns(const google::protobuf::Descriptor& message,
                               const RegisteredSchema& registered);
  Status look_at_latest();
  Result<std::unique_ptr<MessagePlan>> compile(const google::protobuf::Descriptor& message) const;

  const DecoderSettings settings_;
  Walk walk_;
  SchemaOrigin reader_;
  bool reader_known_ = false;  // nothing more is to be had from the registry
  std::shared_ptr<SchemaLookup> schemas_;
  std::vector<ColumnSpec> specs_;
  std::vector<std::unique_ptr<Column>> columns_;
  std::shared_ptr<arrow::Schema> schema_;
  std::unique_ptr<MessagePlan> reader_plan_;
  std::map<FrameHeader, Writer> writers_;
  std::string last_header_;  // of the event before, as bytes
  Writer* last_writer_ = nullptr;
  // A schema that has more than the columns and than the latest version that was looked at: that one may have
  // been an old answer.
  std::string ahead_;
  int32_t latest_id_ = -1;
};

// The newest version in a subject, with the message that `settings` asks for.
Result<SchemaOrigin> latest_schema(SchemaLookup& schemas, const std::string& subject,
                                   const std::string& message);

}  // namespace weir::protobuf
