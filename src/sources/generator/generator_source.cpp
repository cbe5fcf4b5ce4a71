#include "sources/generator/generator_source.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "base/text.h"
#include "sources/batch_buffers.h"
#include "sources/generator/row_generator.h"

namespace weir {
namespace {

constexpr size_t kBatchBytes = 4 << 20;

struct Slot {
  int64_t partition = 0;
  int64_t partitions = 1;
  int64_t end = -1;       // rows of this partition; -1: no end
  double rows_per_s = 0;  // of this partition; 0: as fast as possible
};

class GeneratorReader final : public PartitionReader {
 public:
  GeneratorReader(std::shared_ptr<const RowGenerator> rows, Slot slot, int64_t position,
                  GeneratorSettings settings, size_t batch_rows, const Clock* clock)
      : rows_(std::move(rows)),
        slot_(slot),
        settings_(std::move(settings)),
        batch_rows_(batch_rows),
        clock_(clock),
        pool_(kBatchBytes),
        next_(position),
        begin_(position),
        begin_ns_(clock->monotonic_ns()) {}

  Result<EventBatch> poll(std::chrono::milliseconds timeout) override {
    EventBatch batch;
    batch.from = next_;
    const int64_t until = wait_for_rows(timeout);
    text_.clear();
    batch.events.reserve(static_cast<size_t>(until - next_));
    while (next_ < until && text_.size() < kBatchBytes) {
      const int64_t row = next_ * slot_.partitions + slot_.partition;
      Event event;
      event.offset = next_++;
      event.timestamp_us = settings_.start_us + row * settings_.step_us;
      event.payload.begin = static_cast<uint32_t>(text_.size());
      rows_->append(slot_.partition, row, text_);
      event.payload.size = static_cast<int32_t>(text_.size() - event.payload.begin);
      batch.events.push_back(event);
    }
    BatchBuffer buffer = pool_.take(text_.size());
    std::memcpy(buffer.bytes.get(), text_.data(), text_.size());
    batch.bytes = std::move(buffer.bytes);
    batch.next = next_;
    batch.end = slot_.end >= 0 && next_ >= slot_.end;
    batch.received_us = clock_->now_us();
    if (slot_.end >= 0) lag_.store(slot_.end - next_, std::memory_order_relaxed);
    return batch;
  }

  Status acknowledge(int64_t) override { return {}; }
  int64_t lag() const override { return lag_.load(std::memory_order_relaxed); }

 private:
  // The row before which the next batch ends; waits for the rate.
  int64_t wait_for_rows(std::chrono::milliseconds timeout) {
    int64_t until = next_ + static_cast<int64_t>(batch_rows_);
    if (slot_.end >= 0) until = std::min(until, std::max(next_, slot_.end));
    if (slot_.rows_per_s <= 0) return until;
    int64_t due = due_rows();
    for (auto left = timeout; due <= next_ && until > next_ && left.count() > 0;) {
      const auto nap = std::min(left, std::chrono::milliseconds(10));
      clock_->sleep(nap);
      left -= nap;
      due = due_rows();
    }
    return std::clamp(due, next_, until);
  }

  int64_t due_rows() const {
    const double elapsed_s = static_cast<double>(clock_->monotonic_ns() - begin_ns_) / 1e9;
    return begin_ + static_cast<int64_t>(elapsed_s * slot_.rows_per_s);
  }

  std::shared_ptr<const RowGenerator> rows_;  // shared by the source's readers
  const Slot slot_;
  const GeneratorSettings settings_;
  const size_t batch_rows_;
  const Clock* clock_;
  BatchBuffers pool_;
  std::string text_;
  int64_t next_;
  const int64_t begin_;
  const int64_t begin_ns_;
  std::atomic<int64_t> lag_{-1};
};

class GeneratorSource final : public Source {
 public:
  GeneratorSource(SourceContext context, GeneratorSettings settings, std::shared_ptr<const RowGenerator> rows)
      : context_(std::move(context)),
        settings_(std::move(settings)),
        rows_(std::move(rows)),
        partitions_(context_.options.integer("partitions")) {}

  Result<std::vector<std::string>> discover(const std::vector<std::string>& known_partitions) override {
    std::vector<std::string> ids;
    for (int64_t i = 0; i < partitions_; ++i) ids.push_back(id(i));
    for (const std::string& known : known_partitions) {
      if (std::find(ids.begin(), ids.end(), known) == ids.end()) return changed(known);
    }
    return ids;
  }

  bool may_grow() const override { return false; }

  GroupMember* group() override { return nullptr; }

  Result<std::unique_ptr<PartitionReader>> open(const std::string& partition,
                                                std::optional<int64_t> stored) override {
    for (int64_t i = 0; i < partitions_; ++i) {
      if (partition != id(i)) continue;
      Slot slot;
      slot.partition = i;
      slot.partitions = partitions_;
      if (context_.options.has("rows")) {
        const int64_t rows = context_.options.integer("rows");
        slot.end = rows / partitions_ + (i < rows % partitions_ ? 1 : 0);
      }
      slot.rows_per_s = context_.options.number("rate") / static_cast<double>(partitions_);
      return std::unique_ptr<PartitionReader>(std::make_unique<GeneratorReader>(
          rows_, slot, stored.value_or(0), settings_, context_.batch_rows, context_.clock));
    }
    return changed(partition);
  }

 private:
  std::string id(int64_t partition) const {
    return "seed-" + std::to_string(settings_.seed) + "/" + std::to_string(partition) + "-of-" +
           std::to_string(partitions_);
  }

  Status changed(const std::string& known) const {
    return Status::invalid("the pipeline holds a position of '" + known + "', the generator now makes " +
                           std::to_string(partitions_) + " partition(s) of seed " +
                           std::to_string(settings_.seed) +
                           ": restore 'seed' and 'partitions', or give the pipeline a new name");
  }

  SourceContext context_;
  GeneratorSettings settings_;
  std::shared_ptr<const RowGenerator> rows_;  // also held by the readers
  int64_t partitions_;
};

// "2026-01-01T00:00:00Z" or "2026-01-01"
Result<int64_t> parse_start_time(const std::string& text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, end = 0;
  const int dated = std::sscanf(text.c_str(), "%4d-%2d-%2d%n", &year, &month, &day, &end);
  size_t used = static_cast<size_t>(end);
  int timed = 3;
  if (dated == 3 && used < text.size()) {
    timed = std::sscanf(text.c_str() + used, "%*1[T ]%2d:%2d:%2d%n", &hour, &minute, &second, &end);
    used += static_cast<size_t>(end);
    if (used < text.size() && text[used] == 'Z') ++used;
  }
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (dated != 3 || timed != 3 || used != text.size() || !date.ok() || hour > 23 || minute > 59 ||
      second > 59) {
    return Status::invalid("'start-time' is '" + text + "', expected a time such as '2026-01-01T00:00:00Z'");
  }
  const int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return ((days * 24 + hour) * 60 + minute) * 60'000'000 + int64_t{second} * 1'000'000;
}

Result<std::vector<ErrorCode>> parse_codes(const std::string& list) {
  std::vector<ErrorCode> codes;
  std::vector<std::string> names;
  for (const ErrorCode code : injectable_codes()) names.emplace_back(error_code_name(code));
  for (size_t begin = 0; begin < list.size();) {
    const size_t end = std::min(list.find_first_of(",;", begin), list.size());
    std::string name = list.substr(begin, end - begin);
    name.erase(0, name.find_first_not_of(' '));
    name.erase(name.find_last_not_of(' ') + 1);
    begin = end + 1;
    if (name.empty()) continue;
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) {
      std::string all;
      for (const std::string& known : names) all += (all.empty() ? "" : ", ") + known;
      return Status::invalid("'broken-codes': '" + name + "' cannot be injected." + suggestion(name, names) +
                             " Possible are " + all);
    }
    codes.push_back(injectable_codes()[static_cast<size_t>(found - names.begin())]);
  }
  return codes;
}

Result<GeneratorSettings> generator_settings(const Options& options) {
  GeneratorSettings settings;
  settings.seed = static_cast<uint64_t>(options.integer("seed"));
  settings.step_us = options.duration("time-step").count() * 1000;
  settings.null_share = options.number("null-share");
  settings.broken_share = options.number("broken-share");
  for (const char* name : {"null-share", "broken-share"}) {
    if (options.number(name) < 0 || options.number(name) > 1) {
      return Status::invalid("'" + std::string(name) + "' must be between 0 and 1");
    }
  }
  WEIR_ASSIGN(settings.start_us, parse_start_time(options.string("start-time")));
  WEIR_ASSIGN(settings.broken_codes, parse_codes(options.string("broken-codes")));
  settings.fields = options.with_prefix("fields.");
  return settings;
}

Result<std::unique_ptr<RowGenerator>> rows_of(const SourceContext& context,
                                              const GeneratorSettings& settings) {
  std::vector<ColumnSpec> physical;
  for (const ColumnSpec& column : context.table->columns) {
    if (column.kind == ColumnKind::physical) physical.push_back(column);
  }
  return make_row_generator(physical, settings);
}

Result<std::unique_ptr<Source>> create_generator_source(SourceContext context) {
  const Options& options = context.options;
  WEIR_ASSIGN(GeneratorSettings settings, generator_settings(options));
  const auto format = context.table->options.find("format");
  if (format != context.table->options.end() && format->second.text != "json") {
    return Status::invalid("connector 'generator' writes 'format' = 'json', not '" + format->second.text +
                           "'");
  }
  if (options.has("rows") && options.integer("rows") < 0)
    return Status::invalid("'rows' must not be negative");
  if (context.once && !options.has("rows")) {
    return Status::invalid("a generator without 'rows' has no end: give 'rows' to run it once");
  }
  if (options.number("rate") < 0) return Status::invalid("'rate' must not be negative");
  const int64_t partitions = options.integer("partitions");
  if (partitions < 1 || partitions > 1024) return Status::invalid("'partitions' must be between 1 and 1024");
  WEIR_ASSIGN(std::unique_ptr<RowGenerator> rows, rows_of(context, settings));
  return std::unique_ptr<Source>(
      std::make_unique<GeneratorSource>(std::move(context), std::move(settings), std::move(rows)));
}

Status probe_generator(const SourceContext& context) {
  WEIR_ASSIGN(const GeneratorSettings settings, generator_settings(context.options));
  WEIR_ASSIGN(const std::unique_ptr<RowGenerator> rows, rows_of(context, settings));
  return {};
}

std::vector<OptionSpec> generator_options() {
  const auto option = [](const char* name, OptionType type, const char* default_value, const char* help) {
    OptionSpec spec;
    spec.name = name;
    spec.type = type;
    spec.default_value = default_value;
    spec.help = help;
    return spec;
  };
  using enum OptionType;
  return {
      option("rows", integer, "", "how many rows in all; without it there is no end"),
      option("rate", number, "0", "rows a second over all partitions; 0: as fast as possible"),
      option("seed", integer, "1", "the same seed gives the same rows"),
      option("start-time", string, "2026-01-01T00:00:00Z", "time of the first row"),
      option("time-step", duration, "1 ms", "event time from row to row"),
      option("partitions", integer, "1", "partitions that the rows are dealt to"),
      option("null-share", number, "0", "share of nullable fields that are null, 0 to 1"),
      option("broken-share", number, "0", "share of rows that are broken on purpose, 0 to 1"),
      option("broken-codes", string, "",
             "error codes of the broken rows; by default all that the schema can show"),
      option("fields.*", string, "", "fields.<name>.min|max|length|values|kind; kind is random or sequence"),
  };
}

}  // namespace

SourceConnector generator_connector() {
  return {"generator", "rows drawn from the table's schema and a seed", generator_options(),
          create_generator_source, probe_generator};
}

}  // namespace weir
