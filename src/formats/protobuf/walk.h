// One event's walk: from bytes to one row of the columns, checking what the table has on the way.
//
// The bytes are read once, along the plan. A field that comes again replaces what it wrote; a message that
// comes again is merged into what it wrote, by writing the same row again. Defaults are filled in at the end.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "formats/protobuf/message_plan.h"
#include "schema/error_record.h"

namespace weir::protobuf {

struct Settings {
  int64_t max_size = 1 << 20;
  int max_depth = 64;
  bool reject_unknown_fields = false;
  bool truncate_times = false;
};

class Walk {
 public:
  explicit Walk(const Settings& settings) : settings_(settings) {}

  // Writes the message [begin, end) to `row` of the root's columns, which have room for it. False: `error`
  // has code, message, field and byte (counted from `payload`), and the row's content is to be overwritten.
  // 64 bytes after `end` must be readable; their content does not matter.
  bool read_event(MessagePlan& root, const char* payload, const char* begin, const char* end, int64_t row,
                  ErrorRecord* error);

 private:
  // Readers take the first byte after a tag and give the byte after the value, or null after fail().
  bool message(MessagePlan& plan, const char* at, const char* end, int64_t row);
  const char* field(Field& field, uint32_t wire_type, const char* at, const char* end, int64_t row,
                    bool again);
  const char* value(Field& field, Column& column, const char* at, const char* end, int64_t row, bool again);
  const char* unknown(MessagePlan& plan, const char* tag_at, const char* end);
  const char* skip(Field& field, const char* tag_at, const char* end);
  const char* list(Field& field, uint32_t wire_type, const char* at, const char* end, int64_t row,
                   bool again);
  const char* packed(Field& field, const char* at, const char* end, int64_t* index);
  const char* map(Field& field, const char* at, const char* end, int64_t row, bool again);
  bool map_entry(Field& field, std::string_view entry, int64_t row);
  bool unique_keys(Field& field, int64_t row);

  const char* text(Field& field, Column& column, const char* at, const char* end, int64_t row);
  const char* binary(Field& field, Column& column, const char* at, const char* end, int64_t row);
  const char* enum_name(Field& field, Column& column, const char* at, const char* end, int64_t row);
  const char* integer(Field& field, Column& column, const char* at, const char* end, int64_t row);
  const char* instant(Field& field, Column& column, const char* at, const char* end, int64_t row, bool again);
  bool put_timestamp(Field& field, Column& column, const char* at, int64_t row);
  bool put_duration(Field& field, Column& column, const char* at, int64_t row);
  const char* json(Field& field, Column& column, const char* at, const char* end, int64_t row, bool again);
  bool put_json(Field& field, Column& column, int64_t row);
  const char* sub_message(Field& field, Column& column, const char* at, const char* end, int64_t row,
                          bool again);
  bool put_text(Column& column, std::string_view text, const char* at, int64_t row);

  // Writes what was not there, in nested messages too.
  bool finish(MessagePlan& plan, int64_t row);
  bool absent(Field& field, int64_t row);

  const char* fail(ErrorCode code, const char* at, std::string words);
  const char* fail_wire(wire::WireError error, const char* at);
  const char* fail_varint(const char* at, const char* end);
  const char* fail_wire_type(Field& field, uint32_t wire_type, const char* at);
  void under(const std::string& name);
  void under(int64_t index) { under(std::to_string(index)); }

  const Settings settings_;
  const char* payload_ = nullptr;
  int depth_ = 0;
  ErrorRecord* error_ = nullptr;
  std::string scratch_;
};

// Byte offset of the first byte that is not UTF-8.
size_t first_invalid_utf8(std::string_view text);

}  // namespace weir::protobuf
