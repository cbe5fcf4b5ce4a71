#include "cli/sample_source.h"

#include <algorithm>
#include <memory>

namespace weir {
namespace {

constexpr size_t kMostPartitions = 32;
constexpr size_t kMostBytes = 256 << 20;

size_t bytes_of(const EventBatch& batch) {
  size_t bytes = 0;
  for (const Event& event : batch.events) bytes += batch.view(event.payload).size();
  return bytes;
}

Result<SourceContext> context_of(const SampleRequest& request, const TableSpec& table) {
  std::map<std::string, OptionValue> values;
  for (const auto& [name, text] : request.options) values[name] = {text, {}, {}};
  Diagnostics diagnostics;
  SourceContext context;
  context.options = validate_options("connector '" + request.connector->name + "'",
                                     request.connector->options, values, {}, diagnostics);
  // Not diagnostics.status(): there is no file to name a place in.
  for (const Diagnostic& entry : diagnostics.entries()) {
    if (!entry.warning) return Status::invalid(entry.message);
  }
  context.pipeline = "weir-init";
  context.table = &table;
  context.once = true;
  context.sample = true;
  context.batch_rows = static_cast<size_t>(request.events);
  context.clock = request.clock;
  return context;
}

struct Open {
  std::unique_ptr<PartitionReader> reader;
  bool ended = false;
};

}  // namespace

Result<Sample> take_sample(const SampleRequest& request) {
  TableSpec table;
  table.name = "sample";
  WEIR_ASSIGN(SourceContext context, context_of(request, table));
  WEIR_TRY(request.connector->probe(context));
  WEIR_ASSIGN(const auto partitions_source, request.connector->create(context));
  WEIR_ASSIGN(std::vector<std::string> partitions, partitions_source->discover({}));

  Sample sample;
  sample.partitions = partitions.size();
  const bool left_out = partitions.size() > kMostPartitions;
  if (left_out) partitions.resize(kMostPartitions);
  // Opened anew with batches so small that every partition has its share.
  if (!partitions.empty()) {
    context.batch_rows = std::max<size_t>(1, static_cast<size_t>(request.events) / partitions.size());
  }
  WEIR_ASSIGN(const auto source, request.connector->create(context));
  WEIR_ASSIGN(const std::vector<std::string> again, source->discover({}));
  std::vector<Open> open;
  for (const std::string& partition : partitions) {
    WEIR_ASSIGN(auto reader, source->open(partition, std::nullopt));
    open.push_back({std::move(reader), false});
  }

  const int64_t deadline_ns = request.clock->monotonic_ns() + request.patience.count() * 1'000'000;
  size_t bytes = 0;
  size_t ended = 0;
  while (ended < open.size() && sample.events < request.events && bytes < kMostBytes &&
         request.clock->monotonic_ns() < deadline_ns) {
    for (Open& each : open) {
      if (each.ended || sample.events >= request.events) continue;
      Result<EventBatch> batch = each.reader->poll(std::chrono::milliseconds(50));
      if (batch.status().code() == Code::unavailable && request.clock->monotonic_ns() < deadline_ns) continue;
      if (!batch.ok()) return batch.status();
      each.ended = batch->end;
      ended += each.ended ? 1 : 0;
      const auto room = static_cast<size_t>(request.events - sample.events);
      if (batch->events.size() > room) batch->events.resize(room);
      if (batch->events.empty()) continue;
      sample.events += static_cast<int64_t>(batch->events.size());
      bytes += bytes_of(*batch);
      sample.batches.push_back(*std::move(batch));
    }
  }
  sample.whole = ended == open.size() && !left_out;
  if (sample.events == 0) {
    return Status(Code::not_found, sample.whole ? "it holds no events: there is nothing to make a pipeline of"
                                                : "no event came within " +
                                                      std::to_string(request.patience.count() / 1000) + " s");
  }
  return sample;
}

}  // namespace weir
