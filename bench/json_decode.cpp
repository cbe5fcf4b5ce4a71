// JSON messages -> typed Arrow on one core, every check on.
//
//   bench_json_decode generate DIR [MEGABYTES]   writes DIR/<shape>.ndjson and DIR/<shape>-bad.ndjson (1 %
//   broken) bench_json_decode run FILE SHAPE [RUNS]      one JSON line: rows, errors, seconds of each run,
//   GB/s, sums
#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

#include "config/data_type.h"
#include "formats/json/json_format.h"
#include "json_shapes.h"

namespace weir::bench {
namespace {

constexpr size_t kEventsPerBatch = 8192;

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// What the peers compute in their own words: integers and instants (ms) added, lengths of texts added, trues
// counted.
struct Sums {
  __int128 integers = 0;
  __int128 instants_ms = 0;
  uint64_t text_bytes = 0;
  uint64_t trues = 0;
  uint64_t elements = 0;
  double doubles = 0;
};

void add(const arrow::Array& array, Sums* sums) {
  switch (array.type_id()) {
    case arrow::Type::INT64:
      for (int64_t i = 0; i < array.length(); ++i)
        sums->integers += static_cast<const arrow::Int64Array&>(array).Value(i);
      break;
    case arrow::Type::INT32:
      for (int64_t i = 0; i < array.length(); ++i)
        sums->integers += static_cast<const arrow::Int32Array&>(array).Value(i);
      break;
    case arrow::Type::TIMESTAMP:
      for (int64_t i = 0; i < array.length(); ++i) {
        sums->instants_ms += static_cast<const arrow::TimestampArray&>(array).Value(i);
      }
      break;
    case arrow::Type::DOUBLE:
      for (int64_t i = 0; i < array.length(); ++i)
        sums->doubles += static_cast<const arrow::DoubleArray&>(array).Value(i);
      break;
    case arrow::Type::BOOL:
      for (int64_t i = 0; i < array.length(); ++i)
        sums->trues += static_cast<const arrow::BooleanArray&>(array).Value(i);
      break;
    case arrow::Type::STRING: {
      const auto& text = static_cast<const arrow::StringArray&>(array);
      sums->text_bytes += static_cast<uint64_t>(text.total_values_length());
      break;
    }
    case arrow::Type::LIST: {
      const auto& list = static_cast<const arrow::ListArray&>(array);
      sums->elements += static_cast<uint64_t>(list.values()->length());
      add(*list.values(), sums);
      break;
    }
    case arrow::Type::STRUCT: {
      const auto& row = static_cast<const arrow::StructArray&>(array);
      for (int i = 0; i < row.num_fields(); ++i) add(*row.field(i), sums);
      break;
    }
    default: std::abort();
  }
}

int generate(const std::string& folder, size_t megabytes) {
  for (const Shape& shape : shapes()) {
    std::ofstream clean(folder + "/" + shape.name + ".ndjson", std::ios::binary);
    std::ofstream bad(folder + "/" + shape.name + "-bad.ndjson", std::ios::binary);
    size_t written = 0;
    for (uint64_t n = 0; written < megabytes << 20; ++n) {
      std::string event;
      append_event(shape.name, n, &event);
      clean << event << '\n';
      written += event.size() + 1;
      if (n % 100 == 37) break_event(n / 100, &event);
      bad << event << '\n';
    }
    if (!clean || !bad) return 1;
  }
  return 0;
}

std::unique_ptr<Decoder> make_decoder(const Shape& shape) {
  std::vector<ColumnSpec> columns;
  for (const auto& [name, type] : shape.columns) {
    ColumnSpec column;
    column.name = name;
    column.type = parse_type_text(type)->type;
    columns.push_back(std::move(column));
  }
  const FormatInfo format = json_format();
  Diagnostics diagnostics;
  const Options options = validate_options("format 'json'", format.options, {}, {}, diagnostics);
  return std::move(*format.create({columns, &options}));
}

std::vector<EventBatch> batches_of(const std::string& bytes) {
  std::vector<EventBatch> batches;
  size_t at = 0;
  while (at < bytes.size()) {
    EventBatch batch;
    const size_t begin = at;
    while (at < bytes.size() && batch.events.size() < kEventsPerBatch) {
      const size_t end = bytes.find('\n', at);
      Event event;
      event.payload = {static_cast<uint32_t>(at - begin), static_cast<int32_t>(end - at)};
      batch.events.push_back(event);
      at = end + 1;
    }
    std::shared_ptr<char[]> copy(new char[at - begin + EventBatch::kPadding]());
    std::memcpy(copy.get(), bytes.data() + begin, at - begin);
    batch.bytes = copy;
    batches.push_back(std::move(batch));
  }
  return batches;
}

int run(const std::string& file, const std::string& shape_name, int runs) {
  std::ifstream in(file, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (bytes.empty()) return 1;
  const auto shape =
      std::find_if(shapes().begin(), shapes().end(), [&](const Shape& s) { return s.name == shape_name; });
  if (shape == shapes().end()) return 1;
  const std::unique_ptr<Decoder> decoder = make_decoder(*shape);
  const std::vector<EventBatch> batches = batches_of(bytes);
  std::vector<double> cpu, wall;
  uint64_t rows = 0, errors = 0;
  for (int i = 0; i < runs; ++i) {
    rows = errors = 0;
    const double cpu_begin = cpu_seconds(), wall_begin = wall_seconds();
    for (const EventBatch& batch : batches) {
      const DecodedRows decoded = *decoder->decode(batch, 0, batch.events.size());
      rows += static_cast<uint64_t>(decoded.rows->num_rows());
      errors += decoded.errors.size();
    }
    cpu.push_back(cpu_seconds() - cpu_begin);
    wall.push_back(wall_seconds() - wall_begin);
  }
  Sums sums;
  for (const EventBatch& batch : batches) {
    const DecodedRows decoded = *decoder->decode(batch, 0, batch.events.size());
    for (const auto& column : decoded.rows->columns()) add(*column, &sums);
  }
  std::sort(cpu.begin(), cpu.end());
  std::sort(wall.begin(), wall.end());
  const double gigabytes = static_cast<double>(bytes.size()) / 1e9;
  std::printf("{\"engine\":\"weir\",\"shape\":\"%s\",\"bytes\":%zu,\"rows\":%" PRIu64 ",\"errors\":%" PRIu64
              ",\"cpu_s_best\":%.4f,\"cpu_s_median\":%.4f,\"wall_s_best\":%.4f,\"gb_s_best\":%.3f,\"gb_s_"
              "median\":%.3f,"
              "\"sums\":{\"integers\":%" PRId64 ",\"instants_ms\":%" PRId64 ",\"text_bytes\":%" PRIu64
              ",\"trues\":%" PRIu64 ",\"elements\":%" PRIu64 ",\"doubles\":%.3f}}\n",
              shape_name.c_str(), bytes.size(), rows, errors, cpu.front(), cpu[cpu.size() / 2], wall.front(),
              gigabytes / cpu.front(), gigabytes / cpu[cpu.size() / 2], static_cast<int64_t>(sums.integers),
              static_cast<int64_t>(sums.instants_ms), sums.text_bytes, sums.trues, sums.elements,
              sums.doubles);
  return 0;
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  const std::string command = argc > 1 ? argv[1] : "";
  if (command == "generate" && argc >= 3)
    return weir::bench::generate(argv[2], argc > 3 ? std::stoul(argv[3]) : 200);
  if (command == "run" && argc >= 4)
    return weir::bench::run(argv[2], argv[3], argc > 4 ? std::stoi(argv[4]) : 7);
  std::fprintf(stderr, "usage: bench_json_decode generate DIR [MEGABYTES] | run FILE SHAPE [RUNS]\n");
  return 2;
}
