// Decodes Avro's binary encoding along a table's columns.
//
// Fields and columns meet by name. What a column takes:
//   BOOLEAN boolean; TINYINT, SMALLINT, INT int (in range); BIGINT int, long; FLOAT int, long, float; DOUBLE
//   those and double; DECIMAL decimal (exact: digits that do not fit are out_of_range); STRING string, enum,
//   uuid, and bytes that are UTF-8; BYTES bytes, fixed, string; DATE date; TIME time-*; TIMESTAMP and
//   TIMESTAMP_LTZ timestamp-* and local-timestamp-* (a fraction that the type does not hold is
//   bad_timestamp); ARRAY array; MAP map; ROW record
// A writer's schema that does not fit makes each of its events incompatible_schema; a branch of a union that
// does not fit makes that event wrong_type.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "formats/avro/avro_container.h"
#include "formats/avro/avro_plan.h"
#include "formats/avro/avro_walk.h"
#include "formats/decoder.h"

namespace weir::avro {

enum class Framing { none, confluent, single_object, container };

struct Settings {
  Framing framing = Framing::none;
  int64_t max_size = 16 << 20;
  int64_t max_items = 1'000'000;
  int64_t max_inflated = 64 << 20;
  std::string option_prefix = "avro.";  // for messages
};

// A schema and what messages call it.
struct NamedSchema {
  SchemaHandle schema;
  std::string label;
};

class AvroDecoder final : public Decoder {
 public:
  // `writers`: framing none: the one that wrote every event; single_object: those known by fingerprint.
  // `reader`: its aliases, defaults and unions count; may have no schema.
  static Result<std::unique_ptr<Decoder>> create(const FormatContext& context, const Settings& settings,
                                                 const std::vector<NamedSchema>& writers, NamedSchema reader);

  Result<DecodedRows> decode(const EventBatch& batch, size_t begin, size_t end) override;

 private:
  // How to read what one schema wrote, or why that cannot be.
  struct Writer {
    std::unique_ptr<Plan> plan;
    ErrorCode code = ErrorCode::incompatible_schema;
    std::string problem;
  };
  using WriterHandle = std::shared_ptr<const Writer>;

  AvroDecoder(const FormatContext& context, const Settings& settings, NamedSchema reader);

  WriterHandle writer_of(const NamedSchema& schema) const;
  static WriterHandle refused(ErrorCode code, std::string problem);
  Result<WriterHandle> writer_of_id(int32_t id);
  Result<WriterHandle> registered_writer(const RegisteredSchema& registered);
  Status find_reader();
  Status look_for_change(const RegisteredSchema& registered, const Schema& writer, const Writer& compiled);
  WriterHandle writer_of_container(std::string_view text);

  // Rows of one event, appended from `row_` on; false: `error` is set, or failure_ for what is no event's
  // fault.
  bool event(std::string_view payload, ErrorRecord& error);
  bool confluent(std::string_view payload, ErrorRecord& error);
  bool single_object(const uint8_t* at, const uint8_t* end, ErrorRecord& error);
  bool single(const Writer& writer, const uint8_t* at, const uint8_t* end, ErrorRecord& error);
  bool container(const uint8_t* begin, const uint8_t* end, ErrorRecord& error);
  bool container_rows(const Writer& writer, const ContainerHeader& header, const ContainerBlock& block,
                      const uint8_t* block_at);
  void reserve(int64_t rows);

  const Settings settings_;
  std::shared_ptr<SchemaLookup> schemas_;
  const std::string subject_;
  const bool described_;
  std::vector<ColumnSpec> specs_;
  std::vector<std::unique_ptr<Column>> columns_;
  Target target_;
  std::shared_ptr<arrow::Schema> schema_;

  NamedSchema reader_;
  int32_t reader_id_ = -1;  // of the registry; -1: it does not come from there
  bool reader_found_ = false;

  WriterHandle only_writer_;
  std::unordered_map<uint64_t, WriterHandle> by_fingerprint_;
  std::unordered_map<int32_t, WriterHandle> by_id_;
  std::map<std::string, WriterHandle, std::less<>> by_text_;
  std::vector<int32_t> look_again_;  // ids that may mean a change: not remembered beyond a batch
  std::optional<int32_t> last_id_;
  WriterHandle last_writer_;

  Walk walk_;
  ContainerReader container_;
  int64_t row_ = 0;
  int64_t rows_capacity_ = 0;
  Status failure_;
};

}  // namespace weir::avro
