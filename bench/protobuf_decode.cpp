// Protobuf messages -> typed Arrow on one core, beside a loop over one reused DynamicMessage (libprotobuf)
// that appends to Arrow's builders.
//
//   bench_protobuf_decode SHAPE [MEGABYTES] [RUNS]   SHAPE: flat, nested. One JSON line for each engine; exit
//   code 1
//                                                    when their rows differ.
#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>
#include <sys/resource.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <type_traits>

#include "config/data_type.h"
#include "formats/protobuf/proto_schema.h"
#include "formats/protobuf/protobuf_format.h"

namespace weir::bench {
namespace {

namespace pb = google::protobuf;

constexpr size_t kEventsPerBatch = 8192;

struct Shape {
  const char* name;
  const char* proto;
  std::vector<std::pair<std::string, std::string>> columns;
};

const std::vector<Shape>& shapes() {
  static const std::vector<Shape> all = {
      {"flat",
       R"(syntax = "proto3"; message Bid {
          int64 auction = 1; int64 bidder = 2; int64 price = 3; string channel = 4; string url = 5; int64 date_time = 6;
          string extra = 7; bool mobile = 8; double rate = 9; int32 attempts = 10; })",
       {{"auction", "BIGINT"},
        {"bidder", "BIGINT"},
        {"price", "BIGINT"},
        {"channel", "STRING"},
        {"url", "STRING"},
        {"date_time", "BIGINT"},
        {"extra", "STRING"},
        {"mobile", "BOOLEAN"},
        {"rate", "DOUBLE"},
        {"attempts", "INT"}}},
      {"nested",
       R"(syntax = "proto3"; import "google/protobuf/timestamp.proto";
          message Order { int64 id = 1; string customer = 2; Address address = 3; repeated Item items = 4;
            map<string, string> tags = 5; google.protobuf.Timestamp placed_at = 6; Status status = 7; double total = 8;
            optional string note = 9; repeated int32 scores = 10; }
          message Address { string street = 1; string city = 2; int32 zip = 3; }
          message Item { string sku = 1; int32 quantity = 2; double price = 3; }
          enum Status { UNKNOWN = 0; NEW = 1; PAID = 2; SHIPPED = 3; })",
       {{"id", "BIGINT"},
        {"customer", "STRING"},
        {"address", "ROW<street STRING, city STRING, zip INT>"},
        {"items", "ARRAY<ROW<sku STRING, quantity INT, price DOUBLE>>"},
        {"tags", "MAP<STRING, STRING>"},
        {"placed_at", "TIMESTAMP_LTZ(6)"},
        {"status", "STRING"},
        {"total", "DOUBLE"},
        {"note", "STRING"},
        {"scores", "ARRAY<INT>"}}},
  };
  return all;
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// One schema's file, for the format.
class OneFile final : public SchemaLookup {
 public:
  explicit OneFile(std::string text) : text_(std::move(text)) {}
  Result<std::string> file(const std::string& path) override {
    if (path == "t.proto") return text_;
    return Status(Code::not_found, path);
  }
  Result<SchemaPointer> by_id(int32_t) override { return Status(Code::not_found, ""); }
  Result<SchemaPointer> latest(const std::string&) override { return Status(Code::not_found, ""); }
  Result<SchemaPointer> version(const std::string&, int32_t) override { return Status(Code::not_found, ""); }

 private:
  std::string text_;
};

// Content that does not repeat: a stream of numbers by splitmix64.
class Numbers {
 public:
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  uint64_t below(uint64_t bound) { return next() % bound; }
  std::string text(size_t least, size_t most) {
    std::string text;
    for (size_t i = 0, size = least + below(most - least + 1); i < size; ++i) {
      text += "abcdefghijklmnopqrstuvwxyz0123456789-_/."[below(40)];
    }
    return text;
  }

 private:
  uint64_t state_ = 42;
};

void set(pb::Message* message, const char* name, const auto& value) {
  const pb::FieldDescriptor* field = message->GetDescriptor()->FindFieldByName(name);
  const pb::Reflection& reflection = *message->GetReflection();
  using T = std::decay_t<decltype(value)>;
  if constexpr (std::is_same_v<T, std::string>) {
    reflection.SetString(message, field, value);
  } else if (field->cpp_type() == pb::FieldDescriptor::CPPTYPE_INT64) {
    reflection.SetInt64(message, field, static_cast<int64_t>(value));
  } else if (field->cpp_type() == pb::FieldDescriptor::CPPTYPE_INT32) {
    reflection.SetInt32(message, field, static_cast<int32_t>(value));
  } else if (field->cpp_type() == pb::FieldDescriptor::CPPTYPE_DOUBLE) {
    reflection.SetDouble(message, field, static_cast<double>(value));
  } else if (field->cpp_type() == pb::FieldDescriptor::CPPTYPE_BOOL) {
    reflection.SetBool(message, field, value != 0);
  } else {
    reflection.SetEnumValue(message, field, static_cast<int>(value));
  }
}

pb::Message* child(pb::Message* message, const char* name) {
  const pb::FieldDescriptor* field = message->GetDescriptor()->FindFieldByName(name);
  return field->is_repeated() ? message->GetReflection()->AddMessage(message, field)
                              : message->GetReflection()->MutableMessage(message, field);
}

void fill_flat(pb::Message* m, Numbers& n, uint64_t event) {
  set(m, "auction", 1000 + n.below(100000));
  set(m, "bidder", 1000 + n.below(1000000));
  set(m, "price", n.below(100000000));
  set(m, "channel", "channel-" + std::to_string(n.below(10000)));
  set(m, "url",
      "https://www.nexmark.com/" + n.text(8, 16) +
          "/item.htm?query=1&channel_id=" + std::to_string(n.below(1u << 31)));
  set(m, "date_time", 1700000000000 + event * 3);
  set(m, "extra", n.text(20, 60));
  set(m, "mobile", n.below(2));
  set(m, "rate", static_cast<double>(n.below(1000000)) / 1000);
  set(m, "attempts", n.below(5));
}

void fill_nested(pb::Message* m, Numbers& n, uint64_t event) {
  set(m, "id", event + 1);
  set(m, "customer", n.text(6, 18));
  pb::Message* address = child(m, "address");
  set(address, "street", n.text(10, 24));
  set(address, "city", n.text(4, 12));
  set(address, "zip", 10000 + n.below(90000));
  for (uint64_t i = 0, count = n.below(6); i < count; ++i) {
    pb::Message* item = child(m, "items");
    set(item, "sku", n.text(8, 12));
    set(item, "quantity", 1 + n.below(9));
    set(item, "price", static_cast<double>(n.below(100000)) / 100);
  }
  for (uint64_t i = 0, count = n.below(4); i < count; ++i) {
    pb::Message* tag = child(m, "tags");
    set(tag, "key", "k" + std::to_string(i));
    set(tag, "value", n.text(3, 12));
  }
  pb::Message* placed = child(m, "placed_at");
  set(placed, "seconds", 1700000000 + event / 100);
  set(placed, "nanos", n.below(1000000) * 1000);
  set(m, "status", n.below(4));
  set(m, "total", static_cast<double>(n.below(10000000)) / 100);
  if (n.below(2) == 0) set(m, "note", n.text(10, 40));
  const pb::FieldDescriptor* scores = m->GetDescriptor()->FindFieldByName("scores");
  for (uint64_t i = 0, count = n.below(8); i < count; ++i) {
    m->GetReflection()->AddInt32(m, scores, static_cast<int32_t>(n.below(1000)));
  }
}

std::vector<EventBatch> generate(const Shape& shape, const pb::Descriptor* type, size_t megabytes,
                                 size_t* bytes) {
  pb::DynamicMessageFactory factory;
  std::unique_ptr<pb::Message> message(factory.GetPrototype(type)->New());
  Numbers numbers;
  std::vector<EventBatch> batches;
  uint64_t event = 0;
  while (*bytes < megabytes << 20) {
    EventBatch batch;
    std::string content;
    for (size_t i = 0; i < kEventsPerBatch; ++i, ++event) {
      message->Clear();
      (std::strcmp(shape.name, "flat") == 0 ? fill_flat : fill_nested)(message.get(), numbers, event);
      const size_t begin = content.size();
      message->AppendToString(&content);
      batch.events.push_back({});
      batch.events.back().payload = {static_cast<uint32_t>(begin),
                                     static_cast<int32_t>(content.size() - begin)};
    }
    *bytes += content.size();
    std::shared_ptr<char[]> copy(new char[content.size() + EventBatch::kPadding]());
    std::memcpy(copy.get(), content.data(), content.size());
    batch.bytes = copy;
    batches.push_back(std::move(batch));
  }
  return batches;
}

// The peer: one message, parsed into again and again (Clear() keeps its memory), and its fields by
// reflection. What can be looked up once is: descriptors, builders, names of enums.
class Peer {
 public:
  Peer(const pb::Descriptor* type, const std::shared_ptr<arrow::Schema>& schema) : schema_(schema) {
    message_.reset(factory_.GetPrototype(type)->New());
    for (const auto& field : schema->fields()) {
      columns_.push_back(make(type->FindFieldByName(field->name()), field->type()));
    }
  }

  std::shared_ptr<arrow::RecordBatch> decode(const EventBatch& batch) {
    for (Column& column : columns_) check(column.builder->Reserve(static_cast<int64_t>(batch.events.size())));
    for (size_t i = 0; i < batch.events.size(); ++i) {
      const std::string_view payload = batch.payload(i);
      if (!message_->ParseFromArray(payload.data(), static_cast<int>(payload.size()))) std::abort();
      for (Column& column : columns_) append(*message_, column);
    }
    std::vector<std::shared_ptr<arrow::Array>> arrays;
    for (Column& column : columns_) arrays.push_back(*column.builder->Finish());
    return arrow::RecordBatch::Make(schema_, static_cast<int64_t>(batch.events.size()), arrays);
  }

 private:
  struct Column {
    const pb::FieldDescriptor* field = nullptr;
    std::shared_ptr<arrow::ArrayBuilder> builder;  // shared with the builder that it is a part of
    std::vector<Column> children;                  // fields of a message
    bool optional = false;
    bool timestamp = false;
  };

  static void check(const arrow::Status& status) {
    if (!status.ok()) std::abort();
  }

  Column make(const pb::FieldDescriptor* field, const std::shared_ptr<arrow::DataType>& type) {
    std::unique_ptr<arrow::ArrayBuilder> builder;
    check(arrow::MakeBuilder(arrow::default_memory_pool(), type, &builder));
    return over(field, std::shared_ptr<arrow::ArrayBuilder>(std::move(builder)));
  }

  Column over(const pb::FieldDescriptor* field, std::shared_ptr<arrow::ArrayBuilder> builder) {
    Column column;
    column.field = field;
    column.builder = builder;
    column.optional = field->has_presence();
    if (field->is_map()) {
      auto& map = static_cast<arrow::MapBuilder&>(*builder);
      column.children.push_back(over(field->message_type()->map_key(), shared(builder, map.key_builder())));
      column.children.push_back(
          over(field->message_type()->map_value(), shared(builder, map.item_builder())));
    } else if (field->is_repeated()) {
      auto& list = static_cast<arrow::ListBuilder&>(*builder);
      add_fields(field, shared(builder, list.value_builder()), column);
    } else {
      add_fields(field, builder, column);
    }
    return column;
  }

  void add_fields(const pb::FieldDescriptor* field, const std::shared_ptr<arrow::ArrayBuilder>& builder,
                  Column& column) {
    if (field->message_type() == nullptr) return;
    column.timestamp = builder->type()->id() == arrow::Type::TIMESTAMP;
    if (column.timestamp) {
      column.children.resize(2);
      column.children[0].field = field->message_type()->FindFieldByName("seconds");
      column.children[1].field = field->message_type()->FindFieldByName("nanos");
      return;
    }
    for (int i = 0; i < builder->num_children(); ++i) {
      const std::string& name = builder->type()->field(i)->name();
      column.children.push_back(
          over(field->message_type()->FindFieldByName(name), builder->child_builder(i)));
    }
  }

  static std::shared_ptr<arrow::ArrayBuilder> shared(const std::shared_ptr<arrow::ArrayBuilder>& owner,
                                                     arrow::ArrayBuilder* part) {
    return {owner, part};
  }

  void append(const pb::Message& message, Column& column) {
    const pb::Reflection& reflection = *message.GetReflection();
    if (column.field->is_map()) {
      check(static_cast<arrow::MapBuilder&>(*column.builder).Append());
      for (int i = 0, count = reflection.FieldSize(message, column.field); i < count; ++i) {
        const pb::Message& entry = reflection.GetRepeatedMessage(message, column.field, i);
        append(entry, column.children[0]);
        append(entry, column.children[1]);
      }
    } else if (column.field->is_repeated()) {
      append_list(message, reflection, column);
    } else if (column.optional && !reflection.HasField(message, column.field)) {
      check(column.builder->AppendNull());
    } else if (column.timestamp) {
      const pb::Message& at = reflection.GetMessage(message, column.field);
      const pb::Reflection& inner = *at.GetReflection();
      check(static_cast<arrow::TimestampBuilder&>(*column.builder)
                .Append(inner.GetInt64(at, column.children[0].field) * 1000000 +
                        inner.GetInt32(at, column.children[1].field) / 1000));
    } else if (column.field->message_type() != nullptr) {
      check(static_cast<arrow::StructBuilder&>(*column.builder).Append());
      const pb::Message& inner = reflection.GetMessage(message, column.field);
      for (Column& part : column.children) append(inner, part);
    } else {
      append_scalar(message, reflection, column);
    }
  }

  void append_list(const pb::Message& message, const pb::Reflection& reflection, Column& column) {
    auto& list = static_cast<arrow::ListBuilder&>(*column.builder);
    check(list.Append());
    const int count = reflection.FieldSize(message, column.field);
    if (column.field->cpp_type() == pb::FieldDescriptor::CPPTYPE_INT32) {
      auto& values = static_cast<arrow::Int32Builder&>(*list.value_builder());
      for (int i = 0; i < count; ++i)
        check(values.Append(reflection.GetRepeatedInt32(message, column.field, i)));
      return;
    }
    auto& rows = static_cast<arrow::StructBuilder&>(*list.value_builder());
    for (int i = 0; i < count; ++i) {
      check(rows.Append());
      const pb::Message& element = reflection.GetRepeatedMessage(message, column.field, i);
      for (Column& part : column.children) append(element, part);
    }
  }

  void append_scalar(const pb::Message& message, const pb::Reflection& reflection, Column& column) {
    arrow::ArrayBuilder& builder = *column.builder;
    switch (column.field->cpp_type()) {
      case pb::FieldDescriptor::CPPTYPE_INT64:
        return check(
            static_cast<arrow::Int64Builder&>(builder).Append(reflection.GetInt64(message, column.field)));
      case pb::FieldDescriptor::CPPTYPE_INT32:
        return check(
            static_cast<arrow::Int32Builder&>(builder).Append(reflection.GetInt32(message, column.field)));
      case pb::FieldDescriptor::CPPTYPE_DOUBLE:
        return check(
            static_cast<arrow::DoubleBuilder&>(builder).Append(reflection.GetDouble(message, column.field)));
      case pb::FieldDescriptor::CPPTYPE_BOOL:
        return check(
            static_cast<arrow::BooleanBuilder&>(builder).Append(reflection.GetBool(message, column.field)));
      case pb::FieldDescriptor::CPPTYPE_ENUM:
        return check(static_cast<arrow::StringBuilder&>(builder).Append(
            reflection.GetEnum(message, column.field)->name()));
      case pb::FieldDescriptor::CPPTYPE_STRING:
        return check(static_cast<arrow::StringBuilder&>(builder).Append(
            reflection.GetStringReference(message, column.field, &scratch_)));
      default: std::abort();
    }
  }

  std::shared_ptr<arrow::Schema> schema_;
  pb::DynamicMessageFactory factory_;
  std::unique_ptr<pb::Message> message_;
  std::vector<Column> columns_;
  std::string scratch_;
};

template <typename Decode>
void measure(const char* engine, const Shape& shape, const std::vector<EventBatch>& batches, size_t bytes,
             int runs, const Decode& decode) {
  std::vector<double> seconds;
  int64_t rows = 0;
  for (int i = 0; i < runs; ++i) {
    rows = 0;
    const double begin = cpu_seconds();
    for (const EventBatch& batch : batches) rows += decode(batch)->num_rows();
    seconds.push_back(cpu_seconds() - begin);
  }
  std::sort(seconds.begin(), seconds.end());
  const double gigabytes = static_cast<double>(bytes) / 1e9;
  std::printf("{\"engine\":\"%s\",\"shape\":\"%s\",\"bytes\":%zu,\"rows\":%" PRId64
              ",\"cpu_s_best\":%.4f,\"cpu_s_median\":%.4f,\"gb_s_best\":%.3f,\"gb_s_median\":%.3f}\n",
              engine, shape.name, bytes, rows, seconds.front(), seconds[seconds.size() / 2],
              gigabytes / seconds.front(), gigabytes / seconds[seconds.size() / 2]);
  std::fflush(stdout);
}

int run(const Shape& shape, size_t megabytes, int runs) {
  auto schemas = std::make_shared<OneFile>(shape.proto);
  std::vector<ColumnSpec> columns;
  for (const auto& [name, type] : shape.columns) {
    ColumnSpec column;
    column.name = name;
    column.type = parse_type_text(type)->type;
    columns.push_back(std::move(column));
  }
  const FormatInfo format = protobuf_format();
  Diagnostics diagnostics;
  const Options options =
      validate_options("format 'protobuf'", format.options,
                       {{"protobuf.schema-file", OptionValue{"t.proto", {}, {}}}}, {}, diagnostics);
  auto decoder = format.create({columns, &options, schemas, "", false});
  if (!decoder.ok()) {
    std::fprintf(stderr, "%s\n", decoder.status().message().c_str());
    return 1;
  }
  const auto parsed = *protobuf::ProtoSchema::from_file("t.proto", shape.proto, {});
  const pb::Descriptor* type = *parsed->message("");
  size_t bytes = 0;
  const std::vector<EventBatch> batches = generate(shape, type, megabytes, &bytes);
  const auto ours = [&](const EventBatch& batch) {
    return (*decoder)->decode(batch, 0, batch.events.size())->rows;
  };
  Peer peer(type, ours(batches[0])->schema());
  const auto theirs = [&](const EventBatch& batch) { return peer.decode(batch); };
  for (const EventBatch& batch : batches) {
    if (ours(batch)->Equals(*theirs(batch))) continue;
    std::fprintf(stderr, "the rows differ\n");
    return 1;
  }
  measure("weir", shape, batches, bytes, runs, ours);
  measure("DynamicMessage", shape, batches, bytes, std::max(2, runs / 2), theirs);
  return 0;
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  for (const auto& shape : weir::bench::shapes()) {
    if (argc > 1 && std::strcmp(argv[1], shape.name) == 0) {
      return weir::bench::run(shape, argc > 2 ? std::stoul(argv[2]) : 100, argc > 3 ? std::stoi(argv[3]) : 7);
    }
  }
  std::fprintf(stderr, "usage: bench_protobuf_decode flat|nested [MEGABYTES] [RUNS]\n");
  return 2;
}
