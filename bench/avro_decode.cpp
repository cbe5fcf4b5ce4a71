// Avro messages -> typed Arrow on one core, every check on.
//
//   bench_avro_decode generate DIR [MEGABYTES]  writes DIR/<shape>.frames (u32 length, message) and
//   <shape>.avsc bench_avro_decode run DIR SHAPE [RUNS]      one JSON line: rows, errors, seconds of each
//   run, GB/s, sums
//
// A message has Confluent's framing, id 7. No two are the same.
#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <sys/resource.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

#include "formats/avro/avro_format.h"

namespace weir::bench {
namespace {

constexpr size_t kEventsPerBatch = 8192;
constexpr int32_t kSchemaId = 7;

constexpr const char* kFlat = R"({"type":"record","name":"Bid","fields":[
  {"name":"auction","type":"long"},
  {"name":"bidder","type":"long"},
  {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":18,"scale":2}},
  {"name":"channel","type":"string"},
  {"name":"url","type":"string"},
  {"name":"reserve","type":["null","double"],"default":null},
  {"name":"is_open","type":"boolean"},
  {"name":"date_time","type":{"type":"long","logicalType":"timestamp-millis"}},
  {"name":"extra","type":["null","string"],"default":null}]})";

constexpr const char* kNested = R"({"type":"record","name":"Order","fields":[
  {"name":"order_id","type":"long"},
  {"name":"placed_at","type":{"type":"long","logicalType":"timestamp-micros"}},
  {"name":"customer","type":{"type":"record","name":"Customer","fields":[
    {"name":"id","type":"long"},{"name":"name","type":"string"},{"name":"email","type":["null","string"]},
    {"name":"address","type":{"type":"record","name":"Address","fields":[
      {"name":"street","type":"string"},{"name":"city","type":"string"},{"name":"zip","type":"string"},
      {"name":"geo","type":["null",{"type":"record","name":"Geo","fields":[
        {"name":"lat","type":"double"},{"name":"lon","type":"double"}]}]}]}}]}},
  {"name":"items","type":{"type":"array","items":{"type":"record","name":"Item","fields":[
    {"name":"sku","type":"string"},{"name":"title","type":"string"},{"name":"quantity","type":"int"},
    {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":12,"scale":2}},
    {"name":"in_stock","type":"boolean"},{"name":"tags","type":{"type":"array","items":"string"}}]}}},
  {"name":"labels","type":{"type":"map","values":"string"}},
  {"name":"note","type":["null","string"]}]})";

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u + 1) {}
  uint64_t next() {  // splitmix64
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  uint64_t below(uint64_t bound) { return next() % bound; }
  std::string word(size_t least, size_t most) {
    std::string text(least + below(most - least + 1), ' ');
    for (char& c : text) c = "abcdefghijklmnopqrstuvwxyz0123456789 -"[below(38)];
    return text;
  }

 private:
  uint64_t state_;
};

class Message {
 public:
  Message() : bytes_(std::string("\0\0\0\0\x07", 5)) {}
  void put_long(int64_t value) {
    uint64_t bits = (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
    for (; bits >= 0x80; bits >>= 7) bytes_ += static_cast<char>(bits | 0x80);
    bytes_ += static_cast<char>(bits);
  }
  void put_text(const std::string& text) {
    put_long(static_cast<int64_t>(text.size()));
    bytes_ += text;
  }
  void put_double(double value) { bytes_.append(reinterpret_cast<const char*>(&value), 8); }
  void put_boolean(bool value) { bytes_ += value ? '\1' : '\0'; }
  void put_decimal(int64_t cents) {
    std::string digits;
    do {
      digits.insert(digits.begin(), static_cast<char>(cents));
      cents >>= 8;
    } while (!(cents == 0 && digits[0] >= 0) && !(cents == -1 && digits[0] < 0));
    put_text(digits);
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

void append_flat(uint64_t n, Random& random, Message& out) {
  out.put_long(static_cast<int64_t>(1000 + random.below(100'000)));
  out.put_long(static_cast<int64_t>(random.below(1'000'000'000)));
  out.put_decimal(static_cast<int64_t>(random.below(100'000'000)) - 1000);
  out.put_text("channel-" + std::to_string(random.below(10'000)));
  out.put_text("https://www.nexmark.com/" + random.word(3, 8) + "/" + random.word(4, 12) +
               "/item.htm?query=1&channel_id=" + std::to_string(random.below(1 << 30)));
  const bool with_reserve = random.below(4) != 0;
  out.put_long(with_reserve ? 1 : 0);
  if (with_reserve) out.put_double(static_cast<double>(random.below(1'000'000)) / 128);
  out.put_boolean(random.below(2) == 0);
  out.put_long(1'700'000'000'000 + static_cast<int64_t>(n * 3 + random.below(1000)));
  const bool with_extra = random.below(3) != 0;
  out.put_long(with_extra ? 1 : 0);
  if (with_extra) out.put_text(random.below(20) == 0 ? "größer " + random.word(5, 40) : random.word(10, 60));
}

void append_nested(uint64_t n, Random& random, Message& out) {
  out.put_long(static_cast<int64_t>(n));
  out.put_long(1'700'000'000'000'000 + static_cast<int64_t>(n * 1777));
  out.put_long(static_cast<int64_t>(random.below(10'000'000)));
  out.put_text(random.word(6, 22));
  const bool with_email = random.below(5) != 0;
  out.put_long(with_email ? 1 : 0);
  if (with_email) out.put_text(random.word(5, 12) + "@example.com");
  out.put_text(random.word(8, 24));
  out.put_text(random.word(4, 14));
  out.put_text(std::to_string(10'000 + random.below(80'000)));
  const bool with_geo = random.below(3) != 0;
  out.put_long(with_geo ? 1 : 0);
  if (with_geo) {
    out.put_double(static_cast<double>(random.below(180'000)) / 1024);
    out.put_double(static_cast<double>(random.below(360'000)) / 1024);
  }
  const uint64_t items = random.below(6);
  if (items > 0) out.put_long(static_cast<int64_t>(items));
  for (uint64_t i = 0; i < items; ++i) {
    out.put_text("SKU-" + std::to_string(random.below(1'000'000)));
    out.put_text(random.word(10, 40));
    out.put_long(static_cast<int64_t>(1 + random.below(200)));
    out.put_decimal(static_cast<int64_t>(random.below(1'000'000)));
    out.put_boolean(random.below(3) != 0);
    const uint64_t tags = random.below(4);
    if (tags > 0) out.put_long(static_cast<int64_t>(tags));
    for (uint64_t t = 0; t < tags; ++t) out.put_text(random.word(3, 12));
    out.put_long(0);
  }
  out.put_long(0);
  const uint64_t labels = random.below(4);
  if (labels > 0) out.put_long(static_cast<int64_t>(labels));
  for (uint64_t i = 0; i < labels; ++i) {
    out.put_text("label" + std::to_string(i));
    out.put_text(random.word(2, 20));
  }
  out.put_long(0);
  const bool with_note = random.below(4) == 0;
  out.put_long(with_note ? 1 : 0);
  if (with_note) out.put_text(random.word(20, 120));
}

const char* schema_of(const std::string& shape) {
  return shape == "flat" ? kFlat : shape == "nested" ? kNested : nullptr;
}

int generate(const std::string& folder, size_t megabytes) {
  for (const std::string shape : {"flat", "nested"}) {
    std::ofstream(folder + "/" + shape + ".avsc") << schema_of(shape);
    std::ofstream out(folder + "/" + shape + ".frames", std::ios::binary);
    size_t written = 0;
    for (uint64_t n = 0; written < megabytes << 20; ++n) {
      Random random(n);
      Message message;
      shape == "flat" ? append_flat(n, random, message) : append_nested(n, random, message);
      const uint32_t size = static_cast<uint32_t>(message.bytes().size());
      out.write(reinterpret_cast<const char*>(&size), 4);
      out << message.bytes();
      written += size;
    }
    if (!out) return 1;
  }
  return 0;
}

class OneSchema final : public SchemaLookup {
 public:
  explicit OneSchema(const std::string& text) {
    auto schema = std::make_shared<RegisteredSchema>();
    schema->id = kSchemaId;
    schema->subject = "bench";
    schema->version = 1;
    schema->schema.text = text;
    schema_ = schema;
  }
  Result<std::string> file(const std::string&) override { return Status(Code::not_found, "no file"); }
  Result<SchemaPointer> by_id(int32_t id) override {
    if (id == kSchemaId) return schema_;
    return Status(Code::not_found, "no such id");
  }
  Result<SchemaPointer> latest(const std::string&) override { return schema_; }
  Result<SchemaPointer> version(const std::string&, int32_t) override { return schema_; }

 private:
  SchemaPointer schema_;
};

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// What the peer computes in its own words.
struct Sums {
  __int128 integers = 0;
  __int128 instants = 0;
  __int128 decimals = 0;
  uint64_t text_bytes = 0;
  uint64_t text_hash = 0;  // of every byte and its place in its column's batch
  uint64_t trues = 0;
  uint64_t elements = 0;
  uint64_t nulls = 0;
  double doubles = 0;
};

template <typename Array, typename Sum>
void add_values(const arrow::Array& array, Sum* sum) {
  const auto& typed = static_cast<const Array&>(array);
  for (int64_t i = 0; i < typed.length(); ++i) {
    if (typed.IsValid(i)) *sum += typed.Value(i);
  }
}

void add(const arrow::Array& array, Sums* sums) {
  sums->nulls += static_cast<uint64_t>(array.null_count());
  switch (array.type_id()) {
    case arrow::Type::INT64: return add_values<arrow::Int64Array>(array, &sums->integers);
    case arrow::Type::INT32: return add_values<arrow::Int32Array>(array, &sums->integers);
    case arrow::Type::TIMESTAMP: return add_values<arrow::TimestampArray>(array, &sums->instants);
    case arrow::Type::DOUBLE: return add_values<arrow::DoubleArray>(array, &sums->doubles);
    case arrow::Type::BOOL: return add_values<arrow::BooleanArray>(array, &sums->trues);
    case arrow::Type::DECIMAL128: {
      const auto& decimals = static_cast<const arrow::Decimal128Array&>(array);
      for (int64_t i = 0; i < array.length(); ++i) {
        __int128 value = 0;
        std::memcpy(&value, decimals.GetValue(i), 16);
        sums->decimals += value;
      }
      return;
    }
    case arrow::Type::STRING: {
      const auto& text = static_cast<const arrow::StringArray&>(array);
      for (int64_t i = 0; i < array.length(); ++i) {
        const std::string_view view = text.IsValid(i) ? text.GetView(i) : std::string_view();
        sums->text_bytes += view.size();
        for (size_t k = 0; k < view.size(); ++k) {
          sums->text_hash += static_cast<uint8_t>(view[k]) * (k + 1 + static_cast<uint64_t>(i % 1000));
        }
      }
      return;
    }
    case arrow::Type::LIST:
    case arrow::Type::MAP: {
      const auto& list = static_cast<const arrow::ListArray&>(array);
      sums->elements += static_cast<uint64_t>(list.values()->length());
      return add(*list.values(), sums);
    }
    case arrow::Type::STRUCT: {
      const auto& row = static_cast<const arrow::StructArray&>(array);
      for (int i = 0; i < row.num_fields(); ++i) add(*row.field(i), sums);
      return;
    }
    default: std::abort();
  }
}

std::vector<EventBatch> batches_of(const std::string& bytes) {
  std::vector<EventBatch> batches;
  size_t at = 0;
  while (at < bytes.size()) {
    EventBatch batch;
    const size_t begin = at;
    while (at < bytes.size() && batch.events.size() < kEventsPerBatch) {
      uint32_t size;
      std::memcpy(&size, bytes.data() + at, 4);
      Event event;
      event.payload = {static_cast<uint32_t>(at + 4 - begin), static_cast<int32_t>(size)};
      batch.events.push_back(event);
      at += 4 + size;
    }
    std::shared_ptr<char[]> copy(new char[at - begin + EventBatch::kPadding]());
    std::memcpy(copy.get(), bytes.data() + begin, at - begin);
    batch.bytes = copy;
    batches.push_back(std::move(batch));
  }
  return batches;
}

int run(const std::string& folder, const std::string& shape, int runs) {
  if (schema_of(shape) == nullptr) return 1;
  std::ifstream in(folder + "/" + shape + ".frames", std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (bytes.empty()) return 1;
  const FormatInfo format = avro_format();
  std::vector<OptionSpec> specs = format.options;
  specs.push_back(option("schema-registry.url", OptionType::string, "", ""));
  std::map<std::string, OptionValue> values;
  values["avro.framing"].text = "confluent";
  values["schema-registry.url"].text = "http://localhost";
  Diagnostics diagnostics;
  const Options options = validate_options("format 'avro'", specs, values, {}, diagnostics);
  FormatContext context;
  context.options = &options;
  context.schemas = std::make_shared<OneSchema>(schema_of(shape));
  context.subject = "bench";
  context.columns = format.describe(context)->columns;
  context.columns_described = true;
  const std::unique_ptr<Decoder> decoder = *format.create(context);
  const std::vector<EventBatch> batches = batches_of(bytes);
  std::vector<double> cpu;
  uint64_t rows = 0, errors = 0, payload_bytes = 0;
  for (int i = 0; i < runs; ++i) {
    rows = errors = 0;
    const double begin = cpu_seconds();
    for (const EventBatch& batch : batches) {
      const DecodedRows decoded = *decoder->decode(batch, 0, batch.events.size());
      rows += static_cast<uint64_t>(decoded.rows->num_rows());
      errors += decoded.errors.size();
    }
    cpu.push_back(cpu_seconds() - begin);
  }
  Sums sums;
  for (const EventBatch& batch : batches) {
    const DecodedRows decoded = *decoder->decode(batch, 0, batch.events.size());
    for (const auto& column : decoded.rows->columns()) add(*column, &sums);
    for (const Event& event : batch.events) payload_bytes += static_cast<uint64_t>(event.payload.size);
  }
  std::sort(cpu.begin(), cpu.end());
  const double gigabytes = static_cast<double>(payload_bytes) / 1e9;
  std::printf("{\"engine\":\"weir\",\"shape\":\"%s\",\"bytes\":%" PRIu64 ",\"rows\":%" PRIu64
              ",\"errors\":%" PRIu64
              ",\"cpu_s_best\":%.4f,\"cpu_s_median\":%.4f,\"gb_s_best\":%.3f,\"gb_s_median\":%.3f,"
              "\"sums\":{\"integers\":%" PRId64 ",\"instants\":%" PRId64 ",\"decimals\":%" PRId64
              ",\"text_bytes\":%" PRIu64 ",\"text_hash\":%" PRIu64 ",\"trues\":%" PRIu64
              ",\"elements\":%" PRIu64 ",\"nulls\":%" PRIu64 ",\"doubles\":%.3f}}\n",
              shape.c_str(), payload_bytes, rows, errors, cpu.front(), cpu[cpu.size() / 2],
              gigabytes / cpu.front(), gigabytes / cpu[cpu.size() / 2], static_cast<int64_t>(sums.integers),
              static_cast<int64_t>(sums.instants), static_cast<int64_t>(sums.decimals), sums.text_bytes,
              sums.text_hash, sums.trues, sums.elements, sums.nulls, sums.doubles);
  return 0;
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  const std::string command = argc > 1 ? argv[1] : "";
  if (command == "generate" && argc >= 3)
    return weir::bench::generate(argv[2], argc > 3 ? std::stoul(argv[3]) : 100);
  if (command == "run" && argc >= 4)
    return weir::bench::run(argv[2], argv[3], argc > 4 ? std::stoi(argv[4]) : 7);
  std::fprintf(stderr, "usage: bench_avro_decode generate DIR [MEGABYTES] | run DIR SHAPE [RUNS]\n");
  return 2;
}
