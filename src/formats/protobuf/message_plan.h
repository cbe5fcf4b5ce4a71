// A message's descriptor and a table's columns, compiled once: from field numbers to what writes the column.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "formats/column.h"
#include "formats/protobuf/wire.h"

namespace google::protobuf {
class Descriptor;
}

namespace weir::protobuf {

using columns::Column;

// How one value is read and written.
enum class Op : uint8_t {
  skip,         // the table does not have it
  varint_64,    // into 8 bytes as it is
  varint_32,    // its low 32 bits
  int32_in_64,  // its low 32 bits, with their sign, into 8 bytes
  boolean,
  fixed_64,  // 8 bytes as they are: numbers and doubles
  fixed_32,
  text,
  binary,
  enum_name,
  integer,       // any integer into a number column, with checks
  float_double,  // FLOAT into DOUBLE
  message,
  wrapper,  // google.protobuf.Int64Value and its like, into the column of its value
  timestamp,
  duration,
  json,  // google.protobuf.Struct, Value, ListValue into text
};

enum class Shape : uint8_t { single, list, map };

enum class Integer : uint8_t {
  int32,
  uint32,
  int64,
  uint64,
  sint32,
  sint64,
  fixed32,
  sfixed32,
  fixed64,
  sfixed64
};

enum class JsonKind : uint8_t { object, value, list };

// What a field is when the message does not have it.
enum class Absent : uint8_t {
  nothing,  // not in the table
  null,
  value,     // its default
  required,  // an error
  empty,     // a list or map without elements
  message,   // a message of defaults: of a map's value
};

class EnumNames {
 public:
  void add(int32_t number, const std::string& name);
  // Empty when the number has no name.
  std::string_view find(int32_t number) const {
    if (number >= 0 && static_cast<size_t>(number) < dense_.size())
      return dense_[static_cast<size_t>(number)];
    const auto found = others_.find(number);
    return found == others_.end() ? std::string_view() : std::string_view(found->second);
  }

 private:
  static constexpr int32_t kMostDense = 1024;
  std::vector<std::string> dense_;
  std::unordered_map<int32_t, std::string> others_;
};

struct MessagePlan;

struct Field {
  std::string name;
  uint32_t number = 0;  // 0: the message's schema does not have it
  uint32_t index = 0;   // its bit in MessagePlan::seen
  Op op = Op::skip;
  Shape shape = Shape::single;
  wire::WireType wire = wire::WireType::varint;  // of one value
  Integer integer = Integer::int64;
  JsonKind json_kind = JsonKind::object;
  Absent absent = Absent::nothing;
  Column* column = nullptr;
  Column* value = nullptr;               // list: the element's; single: column
  std::unique_ptr<MessagePlan> message;  // map: of its entries
  std::shared_ptr<const EnumNames> names;
  std::vector<uint32_t> rivals;  // the other members of its oneof
  uint8_t default_bytes[16] = {};
  std::string default_text;
  std::string type_text;  // for messages

  // Of the message that is being read.
  std::vector<std::string_view> entries;  // of a map
  int64_t seconds = 0;
  int32_t nanos = 0;
  std::string_view json;
  std::string merged_json;
};

struct MessagePlan {
  std::string name;
  std::vector<Field> fields;
  Column* row = nullptr;         // the ROW column of this message; null for the event itself
  std::vector<uint32_t> nested;  // single messages among the fields
  std::vector<uint32_t> maps;    // maps among the fields
  std::vector<uint32_t> jsons;   // JSON texts among the fields
  std::vector<uint64_t> seen;    // a bit a field
  std::vector<uint64_t> wanted;  // those that have something to do when absent
  std::vector<uint32_t> dense;   // by number: index + 1, or 0
  std::unordered_map<uint32_t, uint32_t> others;

  Field* find(uint32_t number) {
    if (number < dense.size()) {
      const uint32_t index = dense[number];
      return index == 0 ? nullptr : &fields[index - 1];
    }
    return others.empty() ? nullptr : find_other(number);
  }
  // Whether it was seen before; it is from now on.
  bool see(uint32_t index) {
    uint64_t& word = seen[index >> 6];
    const uint64_t bit = uint64_t{1} << (index & 63);
    const bool before = (word & bit) != 0;
    word |= bit;
    return before;
  }
  void unsee(uint32_t index) { seen[index >> 6] &= ~(uint64_t{1} << (index & 63)); }
  bool was_seen(uint32_t index) const { return (seen[index >> 6] >> (index & 63) & 1) != 0; }
  void reset() {
    for (uint64_t& word : seen) word = 0;
  }

 private:
  Field* find_other(uint32_t number);
};

// The value as the column's type holds it, up to 16 bytes; false: out of its range. For BOOLEAN, numbers and
// DECIMAL.
bool integer_bytes(__int128 value, const Column& column, uint8_t* bytes);

struct NamedColumn {
  std::string name;
  Column* column = nullptr;
};

struct PlanRules {
  // Columns are found by name in this message, then by number in the one that wrote. The same one when
  // there is no other.
  const google::protobuf::Descriptor* reader = nullptr;
  bool know_all_fields = false;  // also those that the table does not have get an entry
};

// The plan holds pointers to the columns, none to descriptors. invalid: a column does not fit its field, or
// (when reader is writer) the message has no such field.
Result<std::unique_ptr<MessagePlan>> compile_message(const google::protobuf::Descriptor& writer,
                                                     const std::vector<NamedColumn>& columns,
                                                     const PlanRules& rules);

}  // namespace weir::protobuf
