#include "sources/nats/nats_source.h"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <map>

#include "base/environment.h"
#include "clients/nats_connection.h"
#include "sources/nats/core_source.h"
#include "sources/nats/nats_consumer.h"
#include "sources/nats/nats_group.h"
#include "sources/nats/nats_reader.h"
#include "sources/nats/subject_filter.h"

namespace weir {
namespace {

std::string partition_id(const std::string& stream, int64_t created_ns, const std::string& filter) {
  return stream + "@" + std::to_string(created_ns) + "/" + filter;
}

// Dots, wildcards and blanks may not be in a consumer's name.
std::string consumer_name(std::string name) {
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-' && c != '_') c = '_';
  }
  return name;
}

// Of the bucket by which workers share this source. Two names that differ only in what a bucket's name may
// not hold must not share one.
std::string group_name(const SourceContext& context) {
  const std::string name = "weir-" + context.pipeline + "-" + context.table->name;
  const std::string safe = consumer_name(name);
  return safe == name ? safe : safe + "-" + fnv_hex(name);
}

class NatsSource final : public Source {
 public:
  NatsSource(SourceContext context, std::vector<std::string> filters)
      : context_(std::move(context)),
        stream_(context_.options.string("stream")),
        filters_(std::move(filters)) {
    if (!context_.shared) return;
    for (const std::string& filter : filters_) gone_[filter] = 0;  // complete before threads use it
    group_ = std::make_shared<NatsGroup>(NatsGroupSettings{context_.options, group_name(context_), stream_,
                                                           filters_, context_.clock, context_.once});
  }

  Result<std::vector<std::string>> discover(const std::vector<std::string>& known_partitions) override {
    WEIR_ASSIGN(const std::unique_ptr<NatsConnection> connection, NatsConnection::connect(context_.options));
    WEIR_ASSIGN(const NatsStreamInfo info, connection->stream(stream_));
    WEIR_TRY(check_retention(context_.options, *info));
    created_ns_ = info->Created;
    std::vector<std::string> ids;
    for (const std::string& filter : filters_) ids.push_back(partition_id(stream_, created_ns_, filter));
    for (const std::string& known : known_partitions) {
      if (std::find(ids.begin(), ids.end(), known) == ids.end()) return unknown_partition(known);
    }
    // All partitions, also those of other workers: what nobody waits for is not kept.
    for (size_t i = 0; i < filters_.size() && !context_.sample; ++i) {
      NatsConsumerPlan plan;
      plan.stream = stream_;
      plan.name = consumer_of(i);
      plan.filter = filters_[i];
      plan.retention = info->Config->Retention;
      WEIR_TRY(hold_interest(*connection, plan));
    }
    if (group_ == nullptr) return ids;
    ids.clear();
    for (const std::string& filter : group_->share())
      ids.push_back(partition_id(stream_, created_ns_, filter));
    return ids;
  }

  bool may_grow() const override { return false; }

  GroupMember* group() override { return group_.get(); }

  Result<std::unique_ptr<PartitionReader>> open(const std::string& partition,
                                                std::optional<int64_t> stored) override {
    if (created_ns_ == 0) {
      WEIR_ASSIGN(const std::vector<std::string> ids, discover({}));
    }
    const int64_t created_ns = created_ns_;
    for (size_t i = 0; i < filters_.size(); ++i) {
      if (partition_id(stream_, created_ns, filters_[i]) != partition) continue;
      NatsReaderSettings settings;
      settings.options = context_.options;
      settings.filter = filters_[i];
      settings.consumer = consumer_of(i);
      settings.created_ns = created_ns;
      settings.once = context_.once;
      settings.sample = context_.sample;
      settings.batch_rows = context_.batch_rows;
      settings.clock = context_.clock;
      if (group_ != nullptr) {
        settings.holds = [group = group_, filter = filters_[i]] { return group->holds(filter); };
        settings.gone_before = [gone = &gone_.at(filters_[i])](int64_t position) {
          return gone->exchange(position) == position;
        };
      }
      return open_nats_reader(std::move(settings), stored);
    }
    return unknown_partition(partition);
  }

 private:
  std::string consumer_of(size_t filter) const {
    if (context_.sample) return sample_name_ + "-" + std::to_string(filter);
    std::string name = context_.options.string("durable");
    if (name.empty()) name = consumer_name("weir-" + context_.pipeline + "-" + context_.table->name);
    if (filters_.size() > 1) name += "-" + consumer_name(filters_[filter]) + "-" + std::to_string(filter);
    return name;
  }

  Status unknown_partition(const std::string& known) const {
    const size_t at = known.rfind('@');
    const size_t slash = at == std::string::npos ? at : known.find('/', at);
    if (slash == std::string::npos || known.substr(0, at) != stream_) {
      return Status::invalid("the pipeline holds a position of '" + known + "', which is not of stream '" +
                             stream_ + "'. Give the pipeline a new name to read another stream");
    }
    const int64_t created_ns = std::strtoll(known.c_str() + at + 1, nullptr, 10);
    if (created_ns != created_ns_) {
      return Status::invalid(
          "stream '" + stream_ + "' was created anew at " + format_timestamp_us(created_ns_ / 1000) +
          "; the pipeline's positions belong to the one of " + format_timestamp_us(created_ns / 1000) +
          ". Give the pipeline a new name to read the new stream from its beginning");
    }
    return Status::invalid("the pipeline holds a position of the filter '" + known.substr(slash + 1) +
                           "' on stream '" + stream_ +
                           "', which is no longer among its partitions: restore 'subject' or " +
                           "'scan.partitions', or give the pipeline a new name");
  }

  SourceContext context_;
  std::string stream_;
  std::vector<std::string> filters_;
  const std::string sample_name_ = "weir-sample-" + random_hex_id();
  std::atomic<int64_t> created_ns_{0};                // of the stream, as discover() saw it
  std::shared_ptr<NatsGroup> group_;                  // shared with the readers, which ask it
  std::map<std::string, std::atomic<int64_t>> gone_;  // by filter: the position that was last found gone
};

std::vector<OptionSpec> nats_options() {
  using enum OptionType;
  std::vector<OptionSpec> specs = {
      one_of("delivery", {"jetstream", "core"},
             "'jetstream' reads a stream, exactly once; 'core' what is published while Weir listens, at most "
             "once"),
      option("stream", string, "", "the JetStream stream to read; required, but for 'delivery' = 'core'"),
      option("subject", string, ">",
             "only messages whose subject matches this filter; required for 'delivery' = 'core'"),
      option("durable", string, "",
             "name of the consumer; by default made of the pipeline's and the table's name"),
      option("scan.partitions", string, "",
             "subject filters that do not overlap, separated by ',' or ';', read side by side; "
             "'orders.{0..7}.>' stands for eight of them"),
      one_of("scan.startup.mode", {"earliest-offset", "latest-offset", "specific-offset", "timestamp"},
             "where the first start begins"),
      option("scan.startup.specific-offset", integer, "", "stream sequence, for 'specific-offset'"),
      option("scan.startup.timestamp-millis", integer, "", "milliseconds since 1970, for 'timestamp'"),
      one_of("scan.on-gap", {"fail", "continue"},
             "what to do when the stream no longer holds the next message"),
      one_of("ack", {"all", "none"},
             "acknowledge after each commit, or never (not for work queues and interest retention)"),
      option(
          "lease.ttl", duration, "10 s",
          "with SET 'pipeline.workers' = 'several': how long a worker that died keeps its partitions; leases "
          "live in the key-value bucket weir-<pipeline>-<table>"),
      option("fetch.batch", integer, "2000", "messages in one pull request; four requests overlap"),
      option("fetch.max-wait", duration, "50 ms", "how long a batch waits for more after its first message"),
  };
  for (OptionSpec& spec : core_option_specs()) specs.push_back(std::move(spec));
  const std::vector<OptionSpec> connection = nats_connection_option_specs();
  specs.insert(specs.end(), connection.begin(), connection.end());
  return specs;
}

Result<std::vector<std::string>> partition_filters(const Options& options) {
  WEIR_ASSIGN(std::vector<std::string> filters, parse_partition_filters(options.string("scan.partitions")));
  if (filters.empty()) {
    filters.push_back(options.string("subject"));
    WEIR_TRY(check_subject_filter(filters.front()));
  } else if (options.has("subject")) {
    return Status::invalid(
        "'subject' and 'scan.partitions' exclude each other: the partitions are the filters");
  }
  return filters;
}

bool is_core(const Options& options) { return options.string("delivery") == "core"; }

Status check_stream_options(const Options& options) {
  if (options.string("stream").empty()) {
    return Status::invalid(
        "connector 'nats' needs the option 'stream' (or 'delivery' = 'core' and 'subject')");
  }
  for (const OptionSpec& spec : core_option_specs()) {
    if (options.has(spec.name)) return Status::invalid("'" + spec.name + "' needs 'delivery' = 'core'");
  }
  return {};
}

Result<std::unique_ptr<Source>> create_nats_source(SourceContext context) {
  const Options& options = context.options;
  if (is_core(options)) return create_core_source(std::move(context));
  WEIR_TRY(check_stream_options(options));
  WEIR_ASSIGN(std::vector<std::string> filters, partition_filters(options));
  const int64_t batch = options.integer("fetch.batch");
  if (batch < 1 || batch > 10'000) return Status::invalid("'fetch.batch' must be between 1 and 10000");
  const std::string mode = options.string("scan.startup.mode");
  if (mode == "specific-offset" && !options.has("scan.startup.specific-offset")) {
    return Status::invalid("'scan.startup.mode' = 'specific-offset' needs 'scan.startup.specific-offset'");
  }
  if (mode == "timestamp" && !options.has("scan.startup.timestamp-millis")) {
    return Status::invalid("'scan.startup.mode' = 'timestamp' needs 'scan.startup.timestamp-millis'");
  }
  const int64_t ttl_ms = options.duration("lease.ttl").count();
  if (ttl_ms < 1000 || ttl_ms > 600'000) {
    return Status::invalid("'lease.ttl' must be between 1 s and 10 min");
  }
  return std::unique_ptr<Source>(std::make_unique<NatsSource>(std::move(context), std::move(filters)));
}

Status probe_nats(const SourceContext& context) {
  if (is_core(context.options)) return probe_core(context);
  WEIR_TRY(check_stream_options(context.options));
  WEIR_ASSIGN(const std::vector<std::string> filters, partition_filters(context.options));
  WEIR_ASSIGN(const std::unique_ptr<NatsConnection> connection, NatsConnection::connect(context.options));
  const std::string stream = context.options.string("stream");
  WEIR_ASSIGN(const NatsStreamInfo info, connection->stream(stream));
  return check_retention(context.options, *info);
}

}  // namespace

SourceConnector nats_connector() {
  SourceConnector connector;
  connector.name = "nats";
  connector.summary = "messages of a NATS JetStream stream, or of core NATS at most once";
  connector.options = nats_options();
  connector.create = create_nats_source;
  connector.probe = probe_nats;
  connector.guarantee = [](const Options& options) -> std::string {
    if (!is_core(options)) return "";
    return "at most once: core NATS keeps nothing, so what is published while the pipeline does not listen, "
           "or "
           "was taken and not committed when it ends abruptly, is gone";
  };
  return connector;
}

}  // namespace weir
