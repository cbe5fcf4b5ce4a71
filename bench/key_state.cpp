// Keyed state: what a key costs in memory and time, how long a snapshot stops the stream, how fast a restore
// is.
//
//   bench_key_state [keys] [folder]     10,000,000 keys; the snapshot's file is written to the folder (.) and
//   removed
//
// The keys are int64, distinct, in an order without any locality; the state is a SUM and a COUNT. Prints JSON
// lines.
#include <arrow/array/array_primitive.h>
#include <arrow/buffer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <time.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <string>
#include <thread>
#include <unordered_map>

#include "base/objects.h"
#include "state/key_encoder.h"
#include "state/key_table.h"

namespace {

using namespace weir;

constexpr size_t kBatch = 8192;
constexpr size_t kStateBytes = 16;

// Of this thread, in seconds: what others run on the machine does not count.
double cpu_now() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void must(const Status& status) { WEIR_CHECK(status.ok(), status.message()); }

// Every number below `count` once, far from its neighbours.
uint64_t key_at(size_t i) { return hash_mix(i + 1); }

class Batches {
 public:
  explicit Batches(size_t count) : count_(count), values_(kBatch) {}

  // Calls body(batch) with the keys of [0, count).
  template <typename Body>
  void each(Body&& body) {
    const auto schema = arrow::schema({arrow::field("key", arrow::int64(), false)});
    for (size_t base = 0; base < count_; base += kBatch) {
      const size_t rows = std::min(kBatch, count_ - base);
      for (size_t i = 0; i < rows; ++i) values_[i] = static_cast<int64_t>(key_at(base + i));
      auto buffer = arrow::Buffer::Wrap(values_.data(), rows);
      auto array = std::make_shared<arrow::Int64Array>(static_cast<int64_t>(rows), buffer);
      body(*arrow::RecordBatch::Make(schema, static_cast<int64_t>(rows), {array}));
    }
  }

 private:
  size_t count_;
  std::vector<int64_t> values_;
};

// SUM and COUNT of each key: what an aggregate does with a batch.
class Counter {
 public:
  explicit Counter(KeyTable& table) : table_(table), entries_(kBatch), states_(kBatch) {}

  void add(const KeyEncoder& encoder, const arrow::RecordBatch& batch) {
    const double begin = cpu_now();
    encoder.encode(batch, keys_);
    const double encoded = cpu_now();
    must(table_.find_or_insert(keys_, nullptr, keys_.size(), entries_.data()));
    const double found = cpu_now();
    table_.mutable_states(entries_.data(), keys_.size(), states_.data());
    const auto& values = static_cast<const arrow::Int64Array&>(*batch.column(0));
    for (size_t i = 0; i < keys_.size(); ++i) {
      auto* state = reinterpret_cast<int64_t*>(states_[i]);
      state[0] += values.Value(static_cast<int64_t>(i)) & 0xff;
      state[1] += 1;
    }
    encode_s += encoded - begin;
    find_s += found - encoded;
    update_s += cpu_now() - found;
  }

  double encode_s = 0, find_s = 0, update_s = 0;

 private:
  KeyTable& table_;
  EncodedKeys keys_;
  std::vector<uint32_t> entries_;
  std::vector<uint8_t*> states_;
};

void report(const char* pass, const Counter& counter, size_t count, const KeyTable& table) {
  const double per_row = 1e9 / static_cast<double>(count);
  std::printf(
      "{\"what\": \"%s\", \"keys\": %zu, \"ns_a_row\": %.1f, \"encode_ns\": %.1f, \"find_ns\": %.1f, "
      "\"update_ns\": %.1f, \"bytes_a_key\": %.1f}\n",
      pass, count, (counter.encode_s + counter.find_s + counter.update_s) * per_row,
      counter.encode_s * per_row, counter.find_s * per_row, counter.update_s * per_row,
      static_cast<double>(table.bytes()) / static_cast<double>(table.size()));
  std::fflush(stdout);
}

// The peer: the standard library's map, the same work.
void run_map(size_t count) {
  std::unordered_map<int64_t, std::pair<int64_t, int64_t>> map;
  for (const char* pass : {"unordered_map: new keys", "unordered_map: known keys"}) {
    double spent_s = 0;
    Batches(count).each([&](const arrow::RecordBatch& batch) {
      const auto& values = static_cast<const arrow::Int64Array&>(*batch.column(0));
      const double begin = cpu_now();
      for (int64_t i = 0; i < values.length(); ++i) {
        auto& state = map[values.Value(i)];
        state.first += values.Value(i) & 0xff;
        state.second += 1;
      }
      spent_s += cpu_now() - begin;
    });
    std::printf("{\"what\": \"%s\", \"keys\": %zu, \"ns_a_row\": %.1f}\n", pass, count,
                spent_s * 1e9 / static_cast<double>(count));
    std::fflush(stdout);
  }
}

// A snapshot of `table` into a file while updates go on, then a restore of it.
void run_snapshot(KeyTable& table, size_t count, const std::string& folder) {
  const auto schema = arrow::schema({arrow::field("key", arrow::int64(), false)});
  const KeyEncoder encoder = *KeyEncoder::create(*schema, {0});
  auto objects = *open_local_objects(folder);
  auto start = std::chrono::steady_clock::now();
  std::shared_ptr<StateSnapshot> snapshot = table.snapshot();
  const double pause_s = seconds_since(start);
  double write_s = 0;
  int64_t file_bytes = 0;
  std::thread writing([&] {
    const auto begin = std::chrono::steady_clock::now();
    auto out = objects->open_writer("snapshot.state");
    WEIR_CHECK(out.ok(), out.status().message());
    StateWriter writer(*std::move(out));
    must(snapshot->write(writer));
    must(writer.close());
    file_bytes = writer.size();
    write_s = seconds_since(begin);
  });
  Counter counter(table);
  Batches(count).each([&](const arrow::RecordBatch& batch) { counter.add(encoder, batch); });
  writing.join();
  report("known keys, while a snapshot is written", counter, count, table);
  start = std::chrono::steady_clock::now();
  auto reader = StateReader::open(*objects, "snapshot.state");
  WEIR_CHECK(reader.ok(), reader.status().message());
  const double read_s = seconds_since(start);
  KeyTable restored(8, kStateBytes);
  must(restored.restore(**reader));
  const double restore_s = seconds_since(start);
  WEIR_CHECK(restored.size() == table.size(), "other keys came back");
  const double megabytes = static_cast<double>(file_bytes) / 1e6;
  std::printf(
      "{\"what\": \"snapshot\", \"megabytes\": %.0f, \"pause_ms\": %.2f, \"write_mb_s\": %.0f, "
      "\"open_mb_s\": %.0f, \"restore_mb_s\": %.0f}\n",
      megabytes, pause_s * 1e3, megabytes / write_s, megabytes / read_s, megabytes / restore_s);
  must(objects->remove("snapshot.state"));
}

}  // namespace

int main(int argc, char** argv) {
  const size_t count = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 10'000'000;
  const std::string folder = argc > 2 ? argv[2] : ".";
  const auto schema = arrow::schema({arrow::field("key", arrow::int64(), false)});
  const KeyEncoder encoder = *KeyEncoder::create(*schema, {0});
  {
    KeyTable table(encoder.width(), kStateBytes);
    for (const char* pass : {"new keys", "known keys"}) {
      Counter counter(table);
      Batches(count).each([&](const arrow::RecordBatch& batch) { counter.add(encoder, batch); });
      report(pass, counter, count, table);
    }
  }
  {
    // 24 bytes an entry: about 1 GB at four times the keys.
    KeyTable table(encoder.width(), kStateBytes);
    Counter counter(table);
    Batches(count * 4).each([&](const arrow::RecordBatch& batch) { counter.add(encoder, batch); });
    run_snapshot(table, count * 4, folder);
  }
  run_map(count);
  return 0;
}
