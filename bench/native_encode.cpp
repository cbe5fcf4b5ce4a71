// Arrow -> ClickHouse's Native format on one core.
//
//   bench_native_encode run SHAPE [RUNS]            one JSON line: rows, bytes, CPU-seconds of each run, GB/s
//   of Arrow bench_native_encode write SHAPE FILE.arrows     the same batches as an Arrow IPC stream, for the
//   peer bench_native_encode columns SHAPE               the ClickHouse columns, one "name type" a line
//
// Shapes: flat (an event of integers, texts, decimals, times), low (texts of few values), nested (arrays and
// maps). GB/s counts the Arrow buffers read; each run is encoded without compression and with LZ4 and zstd.
#include <arrow/array.h>
#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_decimal.h>
#include <arrow/array/builder_nested.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/io/file.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/byte_size.h>
#include <arrow/util/decimal.h>
#include <sys/resource.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "sinks/clickhouse/compression.h"
#include "sinks/clickhouse/native_encoder.h"

namespace weir::bench {
namespace {

constexpr int64_t kRowsPerBatch = 65536;
constexpr int64_t kBatches = 16;

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Seeded, so every run and the peer see the same rows.
struct Numbers {
  uint64_t state = 42;
  uint64_t next() {
    state += 0x9E3779B97F4A7C15u;
    uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  uint64_t below(uint64_t bound) { return next() % bound; }
  std::string text(uint64_t shortest, uint64_t longest) {
    std::string out(shortest + below(longest - shortest + 1), ' ');
    for (char& c : out) c = static_cast<char>('a' + below(26));
    return out;
  }
};

void must(const arrow::Status& status) { WEIR_CHECK(status.ok(), status.ToString()); }

template <typename Builder>
std::shared_ptr<arrow::Array> finished(Builder& builder) {
  std::shared_ptr<arrow::Array> array;
  must(builder.Finish(&array));
  return array;
}

struct Shape {
  std::shared_ptr<arrow::Schema> schema;
  std::vector<TableColumn> columns;
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
};

ClickHouseType type_of(const char* text) {
  Result<ClickHouseType> type = ClickHouseType::parse(text);
  WEIR_CHECK(type.ok(), type.status().message());
  return *type;
}

std::shared_ptr<arrow::RecordBatch> flat_rows(const std::shared_ptr<arrow::Schema>& schema, Numbers& random) {
  arrow::Int64Builder id, session;
  arrow::Int32Builder status, size;
  arrow::StringBuilder customer, path, agent;
  arrow::Decimal128Builder amount(arrow::decimal128(12, 2));
  arrow::TimestampBuilder placed(arrow::timestamp(arrow::TimeUnit::MILLI), arrow::default_memory_pool());
  arrow::DoubleBuilder score;
  arrow::BooleanBuilder paid;
  for (int64_t i = 0; i < kRowsPerBatch; ++i) {
    must(id.Append(static_cast<int64_t>(random.next() >> 20)));
    must(session.Append(static_cast<int64_t>(random.below(1'000'000))));
    must(status.Append(static_cast<int32_t>(200 + random.below(300))));
    must(random.below(20) == 0 ? size.AppendNull() : size.Append(static_cast<int32_t>(random.below(100000))));
    must(customer.Append(random.text(6, 14)));
    must(random.below(10) == 0 ? path.AppendNull() : path.Append("/shop/" + random.text(10, 40)));
    must(agent.Append("Mozilla/5.0 (X11; Linux x86_64) " + random.text(20, 90)));
    must(amount.Append(arrow::Decimal128(static_cast<int64_t>(random.below(1'000'000'00)))));
    must(placed.Append(1'700'000'000'000 + static_cast<int64_t>(random.below(86'400'000))));
    must(score.Append(static_cast<double>(random.below(1000)) / 7));
    must(paid.Append(random.below(2) == 0));
  }
  return arrow::RecordBatch::Make(
      schema, kRowsPerBatch,
      {finished(id), finished(session), finished(status), finished(size), finished(customer), finished(path),
       finished(agent), finished(amount), finished(placed), finished(score), finished(paid)});
}

std::shared_ptr<arrow::RecordBatch> low_rows(const std::shared_ptr<arrow::Schema>& schema, Numbers& random) {
  arrow::StringBuilder country, browser, product, tenant;
  arrow::Int64Builder hits;
  for (int64_t i = 0; i < kRowsPerBatch; ++i) {
    uint64_t value = random.below(200);
    must(country.Append(std::string(1, static_cast<char>('A' + value / 26)) +
                        static_cast<char>('A' + value % 26)));
    must(browser.Append("browser-" + std::to_string(random.below(12)) + "/stable"));
    must(product.Append("product-number-" + std::to_string(random.below(5000))));
    must(random.below(16) == 0 ? tenant.AppendNull()
                               : tenant.Append("tenant-" + std::to_string(random.below(100000))));
    must(hits.Append(static_cast<int64_t>(random.below(1000))));
  }
  return arrow::RecordBatch::Make(
      schema, kRowsPerBatch,
      {finished(country), finished(browser), finished(product), finished(tenant), finished(hits)});
}

std::shared_ptr<arrow::RecordBatch> nested_rows(const std::shared_ptr<arrow::Schema>& schema,
                                                Numbers& random) {
  auto* pool = arrow::default_memory_pool();
  arrow::Int64Builder id;
  arrow::ListBuilder readings(pool, std::make_shared<arrow::DoubleBuilder>());
  arrow::ListBuilder tags(pool, std::make_shared<arrow::StringBuilder>());
  auto item_builders = std::vector<std::shared_ptr<arrow::ArrayBuilder>>{
      std::make_shared<arrow::StringBuilder>(), std::make_shared<arrow::Int32Builder>()};
  auto item = std::make_shared<arrow::StructBuilder>(
      arrow::struct_({arrow::field("sku", arrow::utf8()), arrow::field("count", arrow::int32())}), pool,
      item_builders);
  arrow::ListBuilder items(pool, item);
  arrow::MapBuilder labels(pool, std::make_shared<arrow::StringBuilder>(),
                           std::make_shared<arrow::StringBuilder>());
  for (int64_t i = 0; i < kRowsPerBatch; ++i) {
    must(id.Append(static_cast<int64_t>(random.next() >> 20)));
    must(readings.Append());
    for (uint64_t n = random.below(9); n > 0; --n) {
      must(static_cast<arrow::DoubleBuilder*>(readings.value_builder())
               ->Append(static_cast<double>(random.below(9999)) / 3));
    }
    must(tags.Append());
    for (uint64_t n = random.below(4); n > 0; --n) {
      must(static_cast<arrow::StringBuilder*>(tags.value_builder())->Append(random.text(3, 12)));
    }
    must(items.Append());
    for (uint64_t n = random.below(4); n > 0; --n) {
      must(item->Append());
      must(static_cast<arrow::StringBuilder*>(item->field_builder(0))->Append(random.text(8, 20)));
      must(static_cast<arrow::Int32Builder*>(item->field_builder(1))
               ->Append(static_cast<int32_t>(random.below(100))));
    }
    must(labels.Append());
    for (uint64_t n = random.below(3); n > 0; --n) {
      must(static_cast<arrow::StringBuilder*>(labels.key_builder())->Append(random.text(4, 8)));
      must(static_cast<arrow::StringBuilder*>(labels.item_builder())->Append(random.text(4, 24)));
    }
  }
  return arrow::RecordBatch::Make(
      schema, kRowsPerBatch,
      {finished(id), finished(readings), finished(tags), finished(items), finished(labels)});
}

Shape shape_of(const std::string& name) {
  Shape shape;
  auto add = [&](const char* column, std::shared_ptr<arrow::DataType> type, const char* target) {
    shape.columns.push_back({column, type_of(target)});
    auto field = arrow::field(column, std::move(type));
    shape.schema =
        shape.schema ? *shape.schema->AddField(shape.schema->num_fields(), field) : arrow::schema({field});
  };
  auto* rows = &flat_rows;
  if (name == "flat") {
    add("id", arrow::int64(), "Int64");
    add("session", arrow::int64(), "Int64");
    add("status", arrow::int32(), "Int16");
    add("size", arrow::int32(), "Nullable(Int32)");
    add("customer", arrow::utf8(), "String");
    add("path", arrow::utf8(), "Nullable(String)");
    add("agent", arrow::utf8(), "String");
    add("amount", arrow::decimal128(12, 2), "Decimal(12, 2)");
    add("placed_at", arrow::timestamp(arrow::TimeUnit::MILLI), "DateTime64(3, 'UTC')");
    add("score", arrow::float64(), "Float64");
    add("paid", arrow::boolean(), "Bool");
  } else if (name == "low") {
    rows = &low_rows;
    add("country", arrow::utf8(), "LowCardinality(String)");
    add("browser", arrow::utf8(), "LowCardinality(String)");
    add("product", arrow::utf8(), "LowCardinality(String)");
    add("tenant", arrow::utf8(), "LowCardinality(Nullable(String))");
    add("hits", arrow::int64(), "Int64");
  } else {
    WEIR_CHECK(name == "nested", "shapes: flat, low, nested");
    rows = &nested_rows;
    auto row = arrow::struct_({arrow::field("sku", arrow::utf8()), arrow::field("count", arrow::int32())});
    add("id", arrow::int64(), "Int64");
    add("readings", arrow::list(arrow::float64()), "Array(Float64)");
    add("tags", arrow::list(arrow::utf8()), "Array(String)");
    add("items", arrow::list(row), "Array(Tuple(sku String, count Int32))");
    add("labels", arrow::map(arrow::utf8(), arrow::utf8()), "Map(String, String)");
  }
  Numbers random;
  for (int64_t i = 0; i < kBatches; ++i) shape.batches.push_back(rows(shape.schema, random));
  return shape;
}

void run(const std::string& name, int runs) {
  Shape shape = shape_of(name);
  auto targets = match_columns("t", *shape.schema, shape.columns);
  WEIR_CHECK(targets.ok(), targets.status().message());
  auto encoder = NativeEncoder::create(*shape.schema, *targets);
  WEIR_CHECK(encoder.ok(), encoder.status().message());
  int64_t arrow_bytes = 0;
  for (const auto& batch : shape.batches) arrow_bytes += *arrow::util::ReferencedBufferSize(*batch);

  std::printf("{\"bench\":\"native_encode\",\"shape\":\"%s\",\"rows\":%" PRId64 ",\"arrow_bytes\":%" PRId64,
              name.c_str(), kRowsPerBatch * kBatches, arrow_bytes);
  for (Compression compression : {Compression::none, Compression::lz4, Compression::zstd}) {
    Compressor compressor(compression);
    EncodedBlock block;
    NativeBuffer body;
    double best = 1e9;
    for (int i = 0; i < runs; ++i) {
      double start = cpu_seconds();
      Status status = encoder->encode(shape.batches, &block);
      WEIR_CHECK(status.ok() && block.refused.empty(), status.message());
      if (compression != Compression::none) {
        body.clear();
        status = compressor.compress(block.bytes.view(), &body);
        WEIR_CHECK(status.ok(), status.message());
      }
      best = std::min(best, cpu_seconds() - start);
    }
    size_t bytes = compression == Compression::none ? block.bytes.size() : body.size();
    std::printf(",\"%s\":{\"cpu_s\":%.4f,\"gb_per_s\":%.2f,\"bytes\":%zu}",
                compression_names()[static_cast<size_t>(compression)].c_str(), best,
                static_cast<double>(arrow_bytes) / best / 1e9, bytes);
  }
  std::printf("}\n");
}

void write(const std::string& name, const char* file) {
  Shape shape = shape_of(name);
  auto out = *arrow::io::FileOutputStream::Open(file);
  auto writer = *arrow::ipc::MakeStreamWriter(out, shape.schema);
  for (const auto& batch : shape.batches) must(writer->WriteRecordBatch(*batch));
  must(writer->Close());
  must(out->Close());
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  using namespace weir::bench;
  const std::string verb = argc > 2 ? argv[1] : "";
  if (verb == "run") {
    run(argv[2], argc > 3 ? std::atoi(argv[3]) : 7);
  } else if (verb == "write" && argc > 3) {
    write(argv[2], argv[3]);
  } else if (verb == "columns") {
    for (const auto& column : shape_of(argv[2]).columns) {
      std::printf("%s %s\n", column.name.c_str(), column.type.to_string().c_str());
    }
  } else {
    std::fprintf(stderr, "bench_native_encode run|write|columns flat|low|nested [RUNS|FILE]\n");
    return 2;
  }
  return 0;
}
