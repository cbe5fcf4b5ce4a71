#include "sources/log/log_source.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "base/crc32c.h"
#include "log/log_format.h"
#include "log/log_reader.h"
#include "sources/log/log_partition_reader.h"

namespace weir {
namespace {

std::string partition_id(const LogStreamInfo& info, int partition) {
  return info.stream + "@" + info.id + "/" + std::to_string(partition);
}

// A file's name for "<pipeline>.<table>"; names that had to be changed are told apart by a checksum.
std::string reader_name(const std::string& pipeline, const std::string& table) {
  constexpr size_t kMostBytes = 90;
  const std::string name = pipeline + "." + table;
  std::string safe = name.substr(0, kMostBytes);
  for (char& c : safe) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.';
    if (!plain) c = '_';
  }
  if (safe.front() == '.' || safe.front() == '-') safe.front() = '_';
  if (safe == name) return safe;
  char checksum[10];
  std::snprintf(checksum, sizeof checksum, "-%08x", crc32c(name.data(), name.size()));
  return safe + checksum;
}

// The stream, or what to do when it is not there.
Result<LogStreamInfo> find_stream(const Options& options) {
  const std::string path = options.string("path");
  const std::string stream = options.string("stream");
  auto info = log_stream_info(path, stream);
  if (info.ok() || info.status().code() != Code::not_found) return info;
  WEIR_ASSIGN(const std::vector<std::string> streams, log_streams(path));
  std::string there;
  for (const std::string& name : streams) {
    if (!name.starts_with('_')) there += (there.empty() ? " It has: " : ", ") + name;
  }
  if (there.empty())
    there = " There is no log yet: is 'path' the folder 'log' in the data folder of weir serve?";
  return Status(
      Code::not_found,
      "the log in '" + path + "' has no stream '" + stream +
          "'. `weir serve` makes it when its weir.toml has a [[stream]] of that name, or, without any "
          "[[stream]], at the first event." +
          there);
}

class LogSource final : public Source {
 public:
  explicit LogSource(SourceContext context) : context_(std::move(context)) {}

  Result<std::vector<std::string>> discover(const std::vector<std::string>& known_partitions) override {
    WEIR_ASSIGN(const LogStreamInfo info, find_stream(context_.options));
    std::vector<std::string> ids;
    for (int partition = 0; partition < info.partitions; ++partition)
      ids.push_back(partition_id(info, partition));
    for (const std::string& known : known_partitions) {
      if (std::find(ids.begin(), ids.end(), known) == ids.end()) return unknown_partition(info, known);
    }
    const std::lock_guard lock(mutex_);
    if (!first_.empty() && !first_.contains(ids.front())) return unknown_partition(info, *first_.begin());
    if (first_.empty()) first_.insert(ids.begin(), ids.end());
    resumed_ = resumed_ || !known_partitions.empty();
    info_ = info;
    return ids;
  }

  bool may_grow() const override { return !context_.once; }

  GroupMember* group() override { return nullptr; }

  Result<std::unique_ptr<PartitionReader>> open(const std::string& partition,
                                                std::optional<int64_t> stored) override {
    WEIR_ASSIGN(const int number, number_of(partition));
    const Options& options = context_.options;
    LogPartitionSettings settings;
    settings.folder = options.string("path");
    settings.stream = options.string("stream");
    settings.partition = number;
    settings.reader_name = reader_name(context_.pipeline, context_.table->name);
    settings.continue_on_gap = options.string("scan.on-gap") == "continue";
    settings.stored = stored;
    settings.once = context_.once;
    settings.batch_rows = context_.batch_rows;
    settings.clock = context_.clock;
    settings.log = context_.log;
    if (stored) return open_stored(std::move(settings), *stored);
    // Retention may delete the first segment while it is being opened.
    constexpr int kTries = 3;
    for (int attempt = 1;; ++attempt) {
      WEIR_ASSIGN(settings.start, startup_offset(partition, number));
      auto opened = open_log_partition(settings);
      if (opened.ok() || opened.status().code() != Code::not_found || attempt == kTries) return opened;
    }
  }

 private:
  Result<int> number_of(const std::string& partition) {
    bool looked = false;
    {
      const std::lock_guard lock(mutex_);
      looked = info_.has_value();
    }
    if (!looked) {
      WEIR_ASSIGN(const std::vector<std::string> ids, discover({}));
    }
    const std::lock_guard lock(mutex_);
    for (int number = 0; number < info_->partitions; ++number) {
      if (partition_id(*info_, number) == partition) return number;
    }
    return unknown_partition(*info_, partition);
  }

  Result<int64_t> startup_offset(const std::string& partition, int number) {
    bool came_later = false;  // after the pipeline's first start: everything in it is new
    {
      const std::lock_guard lock(mutex_);
      came_later = resumed_ || !first_.contains(partition);
    }
    const Options& options = context_.options;
    const std::string path = options.string("path");
    const std::string stream = options.string("stream");
    const std::string mode = options.string("scan.startup.mode");
    if (mode == "earliest-offset" || came_later) return log_first_offset(path, stream, number);
    const int64_t from_us =
        mode == "timestamp" ? options.integer("scan.startup.timestamp-millis") * 1000 : INT64_MAX;
    return log_offset_at(path, stream, number, from_us);
  }

  Result<std::unique_ptr<PartitionReader>> open_stored(LogPartitionSettings settings, int64_t stored) {
    settings.start = stored;
    auto opened = open_log_partition(settings);
    if (opened.ok() || opened.status().code() != Code::not_found) return opened;
    WEIR_ASSIGN(const int64_t first, log_first_offset(settings.folder, settings.stream, settings.partition));
    if (stored >= first) {
      return Status::invalid(
          opened.status().message() +
          ": the pipeline's position lies behind the end of the log, which was restored "
          "from an older copy. Give the pipeline a new name to read it from its beginning");
    }
    if (!settings.continue_on_gap) {
      return Status::invalid(opened.status().message() +
                             ": retention has deleted events before they were read. Set 'scan.on-gap' = "
                             "'continue' to go on without them");
    }
    settings.start = first;
    return open_log_partition(std::move(settings));
  }

  Status unknown_partition(const LogStreamInfo& info, const std::string& known) const {
    const size_t at = known.rfind('@');
    const size_t slash = at == std::string::npos ? at : known.find('/', at);
    if (slash == std::string::npos || known.substr(0, at) != info.stream) {
      return Status::invalid("the pipeline holds a position of '" + known + "', which is not of stream '" +
                             info.stream + "'. Give the pipeline a new name to read another stream");
    }
    if (known.substr(at + 1, slash - at - 1) != info.id) {
      // An id begins with its time in microseconds.
      const auto created = [](const std::string& id) {
        return format_timestamp_us(std::strtoll(id.c_str(), nullptr, 10));
      };
      return Status::invalid("stream '" + info.stream + "' was created anew at " + created(info.id) +
                             "; the pipeline's positions belong to the one of " +
                             created(known.substr(at + 1)) +
                             ". Give the pipeline a new name to read the new stream from its beginning");
    }
    return Status::invalid("the pipeline holds a position of partition " + known.substr(slash + 1) +
                           " of stream '" + info.stream + "', which has only " +
                           std::to_string(info.partitions) + " partitions: its log is not whole");
  }

  SourceContext context_;
  std::mutex mutex_;  // guards what follows
  std::optional<LogStreamInfo> info_;
  std::set<std::string> first_;  // the partitions that the first look found
  bool resumed_ = false;         // the authority knows positions of ours
};

std::vector<OptionSpec> http_options() {
  using enum OptionType;
  return {
      required(option("stream", string, "", "the stream of `weir serve` to read: POST /v1/events/{stream}")),
      option("path", string, "./weir-data/log", "the folder of the embedded log that `weir serve` writes"),
      one_of("scan.startup.mode", {"earliest-offset", "latest-offset", "timestamp"},
             "where the first start begins; a partition that comes later begins at its beginning"),
      option("scan.startup.timestamp-millis", integer, "",
             "milliseconds since 1970, when a request was stored, for 'timestamp'"),
      one_of("scan.on-gap", {"fail", "continue"},
             "what to do when retention has deleted the next event before it was read"),
  };
}

Result<std::unique_ptr<Source>> create_log_source(SourceContext context) {
  const Options& options = context.options;
  const std::string stream = options.string("stream");
  if (!is_log_stream_name(stream)) {
    return Status::invalid("'" + stream + "' is no name of a stream of weir serve");
  }
  if (options.string("scan.startup.mode") == "timestamp" && !options.has("scan.startup.timestamp-millis")) {
    return Status::invalid("'scan.startup.mode' = 'timestamp' needs 'scan.startup.timestamp-millis'");
  }
  return std::unique_ptr<Source>(std::make_unique<LogSource>(std::move(context)));
}

Status probe_log(const SourceContext& context) { return find_stream(context.options).status(); }

}  // namespace

SourceConnector http_connector() {
  return {"http", "events sent to weir serve over HTTP, from its embedded log", http_options(),
          create_log_source, probe_log};
}

}  // namespace weir
