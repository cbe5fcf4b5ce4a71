#include "sources/generator/generator_source.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "base/text.h"
#include "sources/batch_buffers.h"
#include "sources/generator/nexmark_events.h"
#include "sources/generator/paced_reader.h"
#include "sources/generator/row_generator.h"

namespace weir {
namespace {

constexpr size_t kBatchBytes = 4 << 20;

class GeneratorReader final : public PacedReader {
 public:
  GeneratorReader(std::shared_ptr<const RowGenerator> rows, GeneratorSlot slot, int64_t position,
                  GeneratorSettings settings, size_t batch_rows, const Clock* clock)
      : PacedReader(slot, position, batch_rows, clock),
        rows_(std::move(rows)),
        settings_(std::move(settings)),
        pool_(kBatchBytes) {}

 private:
  void fill(int64_t until, EventBatch& batch) override {
    text_.clear();
    int64_t next = batch.from;
    while (next < until && text_.size() < kBatchBytes) {
      const int64_t row = row_of(next);
      Event event;
      event.offset = next++;
      event.timestamp_us = settings_.start_us + row * settings_.step_us;
      event.payload.begin = static_cast<uint32_t>(text_.size());
      rows_->append(slot().partition, row, text_);
      event.payload.size = static_cast<int32_t>(text_.size() - event.payload.begin);
      batch.events.push_back(event);
    }
    BatchBuffer buffer = pool_.take(text_.size());
    std::memcpy(buffer.bytes.get(), text_.data(), text_.size());
    batch.bytes = std::move(buffer.bytes);
    batch.next = next;
  }

  std::shared_ptr<const RowGenerator> rows_;  // shared by the source's readers
  const GeneratorSettings settings_;
  BatchBuffers pool_;
  std::string text_;
};

class NexmarkReader final : public PacedReader {
 public:
  NexmarkReader(std::shared_ptr<const NexmarkEvents> events, GeneratorSlot slot, int64_t position,
                size_t batch_rows, const Clock* clock)
      : PacedReader(slot, position, batch_rows, clock),
        events_(std::move(events)),
        bytes_(std::make_shared<char[]>(EventBatch::kPadding)) {}

 private:
  void fill(int64_t until, EventBatch& batch) override {
    const int64_t count = until - batch.from;
    times_us_.resize(static_cast<size_t>(count));
    batch.rows = events_->make(row_of(batch.from), slot().partitions, count, times_us_.data());
    batch.events.resize(static_cast<size_t>(count));
    for (size_t i = 0; i < batch.events.size(); ++i) {
      batch.events[i].offset = batch.from + static_cast<int64_t>(i);
      batch.events[i].timestamp_us = times_us_[i];
    }
    batch.bytes = bytes_;
    batch.next = until;
  }

  std::shared_ptr<const NexmarkEvents> events_;  // shared by the source's readers
  const std::shared_ptr<const char[]> bytes_;    // of no payload; batches may outlive the reader
  std::vector<int64_t> times_us_;
};

// What a table of the connector gives: one of the two.
struct GeneratedRows {
  GeneratorSettings settings;
  std::shared_ptr<const RowGenerator> drawn;
  std::shared_ptr<const NexmarkEvents> nexmark;
};

class GeneratorSource final : public Source {
 public:
  GeneratorSource(SourceContext context, GeneratedRows rows)
      : context_(std::move(context)),
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

  bool bounded() const override { return context_.options.has("rows"); }

  GroupMember* group() override { return nullptr; }

  Result<std::unique_ptr<PartitionReader>> open(const std::string& partition,
                                                std::optional<int64_t> stored) override {
    for (int64_t i = 0; i < partitions_; ++i) {
      if (partition != id(i)) continue;
      GeneratorSlot slot;
      slot.partition = i;
      slot.partitions = partitions_;
      if (context_.options.has("rows")) {
        const int64_t rows = context_.options.integer("rows");
        slot.end = rows / partitions_ + (i < rows % partitions_ ? 1 : 0);
      }
      slot.rows_per_s = context_.options.number("rate") / static_cast<double>(partitions_);
      if (rows_.nexmark != nullptr) {
        return std::unique_ptr<PartitionReader>(std::make_unique<NexmarkReader>(
            rows_.nexmark, slot, stored.value_or(0), context_.batch_rows, context_.clock));
      }
      return std::unique_ptr<PartitionReader>(std::make_unique<GeneratorReader>(
          rows_.drawn, slot, stored.value_or(0), rows_.settings, context_.batch_rows, context_.clock));
    }
    return changed(partition);
  }

 private:
  std::string id(int64_t partition) const {
    return std::string(rows_.nexmark != nullptr ? "nexmark-" : "") + "seed-" +
           std::to_string(rows_.settings.seed) + "/" + std::to_string(partition) + "-of-" +
           std::to_string(partitions_);
  }

  Status changed(const std::string& known) const {
    return Status::invalid("the pipeline holds a position of '" + known + "', the generator now makes " +
                           std::to_string(partitions_) + " partition(s) of seed " +
                           std::to_string(rows_.settings.seed) +
                           (rows_.nexmark != nullptr ? " of Nexmark" : "") +
                           ": restore 'kind', 'seed' and 'partitions', or give the pipeline a new name");
  }

  SourceContext context_;
  GeneratedRows rows_;  // also held by the readers
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

constexpr const char* kNexmarkPrefix = "nexmark.";

NexmarkSettings nexmark_settings(const GeneratorSettings& common, const Options& options) {
  NexmarkSettings settings;
  settings.seed = common.seed;
  settings.start_us = common.start_us;
  settings.event_rate = options.integer("nexmark.event-rate");
  settings.person_share = options.integer("nexmark.person-share");
  settings.auction_share = options.integer("nexmark.auction-share");
  settings.bid_share = options.integer("nexmark.bid-share");
  settings.hot_auction_ratio = options.integer("nexmark.hot-auction-ratio");
  settings.hot_bidder_ratio = options.integer("nexmark.hot-bidder-ratio");
  settings.hot_seller_ratio = options.integer("nexmark.hot-seller-ratio");
  settings.in_flight_auctions = options.integer("nexmark.in-flight-auctions");
  settings.active_people = options.integer("nexmark.active-people");
  settings.person_bytes = options.size("nexmark.person-size");
  settings.auction_bytes = options.size("nexmark.auction-size");
  settings.bid_bytes = options.size("nexmark.bid-size");
  return settings;
}

// An option of the other kind would do nothing.
Status check_kind(const Options& options) {
  const bool nexmark = options.string("kind") == "nexmark";
  for (const auto& [name, value] : options.values()) {
    const bool of_nexmark = name.starts_with(kNexmarkPrefix);
    if (!nexmark && of_nexmark) return Status::invalid("'" + name + "' is for 'kind' = 'nexmark'");
    const bool of_drawn = name == "time-step" || name == "null-share" || name.starts_with("broken-") ||
                          name.starts_with("fields.");
    if (nexmark && of_drawn) {
      return Status::invalid("'" + name + "' is not for 'kind' = 'nexmark'" +
                             (name == "time-step" ? ": its event time follows 'nexmark.event-rate'" : ""));
    }
  }
  return {};
}

Result<GeneratedRows> rows_of(const SourceContext& context) {
  GeneratedRows rows;
  WEIR_TRY(check_kind(context.options));
  WEIR_ASSIGN(rows.settings, generator_settings(context.options));
  std::vector<ColumnSpec> physical;
  for (const ColumnSpec& column : context.table->columns) {
    if (column.kind == ColumnKind::physical) physical.push_back(column);
  }
  if (context.options.string("kind") == "nexmark") {
    WEIR_ASSIGN(rows.nexmark,
                NexmarkEvents::create(nexmark_settings(rows.settings, context.options), physical));
  } else {
    WEIR_ASSIGN(rows.drawn, make_row_generator(physical, rows.settings));
  }
  return rows;
}

Result<std::unique_ptr<Source>> create_generator_source(SourceContext context) {
  const Options& options = context.options;
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
  WEIR_ASSIGN(GeneratedRows rows, rows_of(context));
  return std::unique_ptr<Source>(std::make_unique<GeneratorSource>(std::move(context), std::move(rows)));
}

Status probe_generator(const SourceContext& context) { return rows_of(context).status(); }

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
      one_of("kind", {"drawn", "nexmark"},
             "drawn: by the table's columns; nexmark: the benchmark's auction site"),
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
      option("nexmark.event-rate", integer, "10000", "events a second of event time"),
      option("nexmark.person-share", integer, "1", "persons in a cycle of events"),
      option("nexmark.auction-share", integer, "3", "auctions in a cycle of events"),
      option("nexmark.bid-share", integer, "46", "bids in a cycle of events"),
      option("nexmark.hot-auction-ratio", integer, "2", "one bid in so many is not for the hot auction"),
      option("nexmark.hot-bidder-ratio", integer, "4", "one bid in so many is not by the hot bidder"),
      option("nexmark.hot-seller-ratio", integer, "4", "one auction in so many is not by the hot seller"),
      option("nexmark.in-flight-auctions", integer, "100", "auctions that bids are drawn for"),
      option("nexmark.active-people", integer, "1000", "persons that bidders and sellers are drawn from"),
      option("nexmark.person-size", size, "200 b", "mean size of a person, filled up by 'extra'"),
      option("nexmark.auction-size", size, "500 b", "mean size of an auction, filled up by 'extra'"),
      option("nexmark.bid-size", size, "100 b", "mean size of a bid, filled up by 'extra'"),
  };
}

}  // namespace

SourceConnector generator_connector() {
  return {"generator", "rows drawn from the table's schema and a seed, or Nexmark's events",
          generator_options(), create_generator_source, probe_generator};
}

}  // namespace weir
