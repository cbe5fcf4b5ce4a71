// Random messages of random content, written by libprotobuf, read by it and by us: the same rows.
#include <arrow/array/builder_binary.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/stubs/logging.h>

#include <algorithm>
#include <map>
#include <random>

#include "formats/protobuf/message_columns.h"
#include "formats/protobuf/protobuf_test_table.h"

namespace weir {
namespace {

namespace pb = google::protobuf;

const char* const kProto = R"(syntax = "proto3"; package p;
import "google/protobuf/timestamp.proto"; import "google/protobuf/wrappers.proto";
message M {
  int32 a = 1; int64 b = 2; uint32 c = 3; uint64 d = 4; sint32 e = 5; sint64 f = 6; fixed32 g = 7; fixed64 h = 8;
  sfixed32 i = 9; sfixed64 j = 10; float k = 11; double l = 12; bool m = 13; string n = 14; bytes o = 15; E q = 16;
  optional int32 oa = 17; optional string on = 18; optional E oq = 1999; optional double ol = 536870911;
  repeated int32 ra = 21; repeated sint64 rf = 22; repeated double rl = 23; repeated string rn = 24; repeated E rq = 25;
  repeated bool rm = 26 [packed = false]; repeated fixed32 rg = 27; repeated uint64 rd = 28 [packed = false];
  N sub = 31; repeated N subs = 32; map<string, int64> ms = 33; map<int32, N> mn = 34; map<bool, string> mb = 35;
  oneof choice { int32 x1 = 41; string x2 = 42; N x3 = 43; E x4 = 44; }
  google.protobuf.Int64Value w = 51; repeated google.protobuf.StringValue rw = 52; google.protobuf.Timestamp t = 53;
}
message N { int32 a = 1; string b = 2; D d = 3; repeated D ds = 4; repeated int64 n = 5; map<string, string> m = 6; }
message D { string s = 1; optional fixed64 f = 2; repeated string rs = 3; }
enum E { ZERO = 0; ONE = 1; BIG = 70000; MINUS = -5; }
)";

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  uint64_t below(uint64_t bound) { return engine_() % bound; }
  uint64_t number() { return engine_() >> below(64); }
  std::string text(bool utf8) {
    std::string text;
    for (uint64_t i = 0, size = below(4) == 0 ? below(300) : below(12); i < size; ++i) {
      if (!utf8) {
        text += static_cast<char>(engine_());
      } else {
        text += below(20) == 0 ? "\xC3\xA9" : std::string(1, static_cast<char>('a' + below(26)));
      }
    }
    return text;
  }

 private:
  std::mt19937_64 engine_;
};

void fill(Random& random, pb::Message* message, int depth);

// One value of `field`, set or added.
void put(Random& random, pb::Message* message, const pb::FieldDescriptor* field, int depth) {
  const pb::Reflection& reflection = *message->GetReflection();
  const bool add = field->is_repeated();
  const uint64_t n = random.number();
  switch (field->cpp_type()) {
    using Field = pb::FieldDescriptor;
#define PUT(type, Name, value)                     \
  case Field::CPPTYPE_##type:                      \
    if (add)                                       \
      reflection.Add##Name(message, field, value); \
    else                                           \
      reflection.Set##Name(message, field, value); \
    break
    PUT(INT32, Int32, static_cast<int32_t>(n));
    PUT(INT64, Int64, static_cast<int64_t>(n));
    PUT(UINT32, UInt32, static_cast<uint32_t>(n));
    PUT(UINT64, UInt64, n);
    PUT(DOUBLE, Double, static_cast<double>(n) / 16);
    PUT(FLOAT, Float, static_cast<float>(n) / 16);
    PUT(BOOL, Bool, (n & 1) != 0);
    PUT(STRING, String, random.text(field->type() == pb::FieldDescriptor::TYPE_STRING));
    PUT(ENUM, EnumValue,
        random.below(8) == 0 ? static_cast<int>(random.below(100))
                             : field->enum_type()->value(static_cast<int>(random.below(4)))->number());
#undef PUT
    case Field::CPPTYPE_MESSAGE:
      fill(random, add ? reflection.AddMessage(message, field) : reflection.MutableMessage(message, field),
           depth + 1);
      break;
  }
}

void fill(Random& random, pb::Message* message, int depth) {
  const pb::Descriptor& type = *message->GetDescriptor();
  if (type.full_name() == "google.protobuf.Timestamp") {
    message->GetReflection()->SetInt64(message, type.field(0), static_cast<int64_t>(random.below(1u << 31)));
    message->GetReflection()->SetInt32(message, type.field(1),
                                       static_cast<int32_t>(random.below(1000000)) * 1000);
    return;
  }
  for (int i = 0; i < type.field_count(); ++i) {
    if (random.below(3) == 0 || (depth > 0 && random.below(2) == 0)) continue;
    const uint64_t times = type.field(i)->is_repeated() ? random.below(5) : 1;
    for (uint64_t j = 0; j < times; ++j) put(random, message, type.field(i), depth);
  }
}

// What libprotobuf has of it, in the words of value_text().
std::string expected(const pb::Message& message, bool top = false);

std::string scalar(const pb::Message& message, const pb::FieldDescriptor* field, int index) {
  const pb::Reflection& r = *message.GetReflection();
  const bool at = index >= 0;
  switch (field->cpp_type()) {
    using Field = pb::FieldDescriptor;
    case Field::CPPTYPE_INT32:
      return std::to_string(at ? r.GetRepeatedInt32(message, field, index) : r.GetInt32(message, field));
    case Field::CPPTYPE_INT64:
      return std::to_string(at ? r.GetRepeatedInt64(message, field, index) : r.GetInt64(message, field));
    case Field::CPPTYPE_UINT32:
      return std::to_string(at ? r.GetRepeatedUInt32(message, field, index) : r.GetUInt32(message, field));
    case Field::CPPTYPE_UINT64:
      return std::to_string(at ? r.GetRepeatedUInt64(message, field, index) : r.GetUInt64(message, field));
    case Field::CPPTYPE_DOUBLE:
      return arrow::DoubleScalar(at ? r.GetRepeatedDouble(message, field, index)
                                    : r.GetDouble(message, field))
          .ToString();
    case Field::CPPTYPE_FLOAT:
      return arrow::FloatScalar(at ? r.GetRepeatedFloat(message, field, index) : r.GetFloat(message, field))
          .ToString();
    case Field::CPPTYPE_BOOL:
      return (at ? r.GetRepeatedBool(message, field, index) : r.GetBool(message, field)) ? "true" : "false";
    case Field::CPPTYPE_ENUM: {
      const int n = at ? r.GetRepeatedEnumValue(message, field, index) : r.GetEnumValue(message, field);
      const auto* value = field->enum_type()->FindValueByNumber(n);
      return value != nullptr ? value->name() : std::to_string(n);
    }
    case Field::CPPTYPE_STRING: {
      const std::string text = at ? r.GetRepeatedString(message, field, index) : r.GetString(message, field);
      if (field->type() == pb::FieldDescriptor::TYPE_STRING) return text;
      arrow::BinaryBuilder builder;
      EXPECT_TRUE(builder.Append(text).ok());
      return value_text(**builder.Finish(), 0);
    }
    case Field::CPPTYPE_MESSAGE:
      return expected(at ? r.GetRepeatedMessage(message, field, index) : r.GetMessage(message, field));
  }
  return "";
}

std::string expected(const pb::Message& message, bool top) {
  const pb::Descriptor& type = *message.GetDescriptor();
  const pb::Reflection& r = *message.GetReflection();
  if (type.full_name() == "google.protobuf.Timestamp") {
    const int64_t us =
        r.GetInt64(message, type.field(0)) * 1000000 + r.GetInt32(message, type.field(1)) / 1000;
    return arrow::TimestampScalar(us, arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")).ToString();
  }
  if (protobuf::known_type(type) == protobuf::KnownType::wrapper) return scalar(message, type.field(0), -1);
  std::string text;
  for (int i = 0; i < type.field_count(); ++i) {
    const pb::FieldDescriptor* field = type.field(i);
    std::string value;
    if (field->is_map()) {
      // Through reflection a map is a list that still has keys twice: the last one counts. It has no order:
      // the test compares sorted ones.
      std::map<std::string, std::string> last;
      for (int j = 0; j < r.FieldSize(message, field); ++j) {
        const pb::Message& entry = r.GetRepeatedMessage(message, field, j);
        last[scalar(entry, entry.GetDescriptor()->field(0), -1)] =
            scalar(entry, entry.GetDescriptor()->field(1), -1);
      }
      std::vector<std::string> entries;
      for (const auto& [key, entry] : last) entries.push_back(key + ": " + entry);
      std::sort(entries.begin(), entries.end());
      for (const std::string& entry : entries) value += (value.empty() ? "" : ", ") + entry;
      value = "{" + value + "}";
    } else if (field->is_repeated()) {
      for (int j = 0; j < r.FieldSize(message, field); ++j)
        value += (j == 0 ? "" : ", ") + scalar(message, field, j);
      value = "[" + value + "]";
    } else if (field->has_presence() && !r.HasField(message, field)) {
      value = "null";
    } else {
      value = scalar(message, field, -1);
    }
    text += (i == 0 ? "" : top ? "|" : ", ") + value;
  }
  return top ? text : "(" + text + ")";
}

std::string serialized(const pb::Message& message) {
  std::string bytes;
  {
    pb::io::StringOutputStream stream(&bytes);
    pb::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    EXPECT_TRUE(message.SerializeToCodedStream(&coded));
  }
  return bytes;
}

class ProtobufRandom : public ::testing::Test {
 protected:
  const pb::LogSilencer quiet_;
  void SetUp() override {
    schemas_->files["t.proto"] = kProto;
    schema_ = *protobuf::ProtoSchema::from_file("t.proto", kProto, {});
    type_ = *schema_->message("p.M");
    auto made = make_protobuf_decoder(*protobuf::describe_columns(*type_),
                                      {{"protobuf.schema-file", "t.proto"}}, schemas_);
    ASSERT_TRUE(made.ok()) << made.status().message();
    decoder_ = std::move(*made);
    message_.reset(factory_.GetPrototype(type_)->New());
  }

  std::shared_ptr<MemorySchemas> schemas_ = std::make_shared<MemorySchemas>();
  std::shared_ptr<const protobuf::ProtoSchema> schema_;
  const pb::Descriptor* type_ = nullptr;
  std::unique_ptr<Decoder> decoder_;
  pb::DynamicMessageFactory factory_;
  std::unique_ptr<pb::Message> message_;
};

TEST_F(ProtobufRandom, RowsAreWhatLibprotobufReads) {
  Random random(20);
  for (int round = 0; round < 40; ++round) {
    std::vector<std::string> payloads, rows;
    for (int i = 0; i < 25; ++i) {
      // Sometimes several messages in a row: merged, the last one wins.
      std::string bytes;
      for (uint64_t part = 0, parts = 1 + random.below(3); part < parts; ++part) {
        message_->Clear();
        fill(random, message_.get(), 0);
        bytes += serialized(*message_);
      }
      ASSERT_TRUE(message_->ParseFromString(bytes));
      payloads.push_back(bytes);
      rows.push_back(expected(*message_, true));
    }
    const EventBatch batch = protobuf_batch(payloads);
    auto decoded = decoder_->decode(batch, 0, payloads.size());
    ASSERT_TRUE(decoded.ok());
    check_decoded(*decoded, payloads.size());
    ASSERT_TRUE(decoded->errors.empty()) << decoded->errors[0].message << decoded->errors[0].field;
    for (size_t i = 0; i < rows.size(); ++i)
      ASSERT_EQ(row_text(*decoded->rows, static_cast<int64_t>(i), true), rows[i]);
  }
}

TEST_F(ProtobufRandom, WhatLibprotobufRefusesIsNoRow) {
  Random random(21);
  int refused = 0, good = 0;
  for (int round = 0; round < 4000; ++round) {
    message_->Clear();
    fill(random, message_.get(), 0);
    std::string bytes = serialized(*message_);
    for (uint64_t change = 0, changes = 1 + random.below(3); change < changes && !bytes.empty(); ++change) {
      if (random.below(4) == 0) {
        bytes.resize(random.below(bytes.size()) + 1);
      } else {
        bytes[random.below(bytes.size())] = static_cast<char>(random.number());
      }
    }
    const EventBatch batch = protobuf_batch({bytes});
    auto decoded = decoder_->decode(batch, 0, 1);
    ASSERT_TRUE(decoded.ok());
    check_decoded(*decoded, 1);
    const bool accepted = message_->ParseFromString(bytes);
    if (!accepted) {
      EXPECT_FALSE(decoded->errors.empty());
      ++refused;
    } else if (decoded->errors.empty()) {
      // Equal where nothing was unknown: what came with another wire type is an error here, unknown there.
      EXPECT_EQ(row_text(*decoded->rows, 0, true), expected(*message_, true));
      ++good;
    }
  }
  EXPECT_GT(refused, 500);
  EXPECT_GT(good, 300);
}

}  // namespace
}  // namespace weir
