#include "sources/kafka/kafka_source.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <mutex>
#include <set>

#include "clients/kafka_client.h"
#include "sources/kafka/kafka_group.h"
#include "sources/kafka/kafka_reader.h"
#include "sources/kafka/kafka_topics.h"

namespace weir {
namespace {

using std::chrono::milliseconds;

// What the library may hold ready for all partitions together, and for one.
constexpr int64_t kPrefetchBytes = 64 << 20;
constexpr int64_t kMostPrefetchBytes = 16 << 20;
constexpr int64_t kLeastPrefetchBytes = 256 << 10;
constexpr int64_t kMostBatchBytes = 4 << 20;
constexpr int64_t kDefaultMaxPollIntervalMs = 300'000;

using SpecificOffsets = std::map<int32_t, int64_t>;

// "partition:0,offset:42;partition:1,offset:300"
Result<SpecificOffsets> parse_specific_offsets(const std::string& text) {
  SpecificOffsets offsets;
  const char* at = text.data();
  const char* const end = at + text.size();
  const auto skip = [&](std::string_view word) {
    while (at < end && *at == ' ') ++at;
    const bool there = std::string_view(at, static_cast<size_t>(end - at)).substr(0, word.size()) == word;
    if (there) at += word.size();
    return there;
  };
  const auto number = [&](auto& value) {
    const auto [stop, error] = std::from_chars(at, end, value);
    at = stop;
    return error == std::errc() && value >= 0;
  };
  while (at < end) {
    int32_t partition = 0;
    int64_t offset = 0;
    const bool whole =
        skip("partition:") && number(partition) && skip(",") && skip("offset:") && number(offset);
    if (!whole || (at < end && !skip(";")) || !offsets.emplace(partition, offset).second) {
      return Status::invalid("'scan.startup.specific-offsets' is '" + text +
                             "', expected 'partition:0,offset:42;partition:1,offset:300'");
    }
  }
  if (offsets.empty()) {
    return Status::invalid(
        "'scan.startup.mode' = 'specific-offsets' needs 'scan.startup.specific-offsets', such as "
        "'partition:0,offset:42;partition:1,offset:300'");
  }
  return offsets;
}

class KafkaSource final : public Source {
 public:
  KafkaSource(SourceContext context, KafkaTopicChoice choice, SpecificOffsets offsets)
      : context_(std::move(context)),
        choice_(std::move(choice)),
        specific_offsets_(std::move(offsets)),
        discovery_interval_(context_.options.duration("scan.topic-partition-discovery.interval")) {}

  Result<std::vector<std::string>> discover(const std::vector<std::string>& known) override;
  bool may_grow() const override {
    if (context_.once || bounded()) return false;
    return grouped() || (choice_.partitions.empty() && discovery_interval_.count() > 0);
  }
  bool bounded() const override { return context_.options.string("scan.bounded.mode") == "latest-offset"; }
  Result<std::unique_ptr<PartitionReader>> open(const std::string& partition,
                                                std::optional<int64_t> stored) override;
  GroupMember* group() override;

 private:
  // Starts the group at its first call, so that a source that is only checked joins nothing.
  class LazyGroup final : public GroupMember {
   public:
    explicit LazyGroup(KafkaSource& source) : source_(source) {}
    Status join(milliseconds timeout) override {
      WEIR_TRY(source_.start_group());
      return source_.joined_group()->join(timeout);
    }
    bool changing() const override {
      const std::shared_ptr<KafkaGroup> group = source_.joined_group();
      return group != nullptr && group->changing();
    }

   private:
    KafkaSource& source_;
  };

  // What open() needs, taken at one moment.
  struct Shared {
    std::shared_ptr<KafkaClient> client;
    std::shared_ptr<KafkaGroup> group;
    size_t partitions = 1;
    bool came_later = false;  // after the pipeline's first start: everything in it is new
  };

  bool grouped() const { return context_.options.has("properties.group.id"); }
  Status start_group();
  std::shared_ptr<KafkaGroup> joined_group() const;
  // The client of now, made when there is none.
  Result<Shared> connect(const std::string& partition = {});
  // Makes the next client share its memory out among so many, unless this one is in use.
  void set_partitions(size_t partitions);
  Status look(const std::vector<std::string>& known);
  Result<KafkaStart> start_of(const KafkaPartitionId& id, std::optional<int64_t> stored,
                              const Shared& shared);
  std::vector<KafkaPartitionId> own_share(const std::vector<KafkaPartitionId>& all) const;

  SourceContext context_;
  KafkaTopicChoice choice_;
  SpecificOffsets specific_offsets_;
  milliseconds discovery_interval_;
  LazyGroup lazy_group_{*this};
  std::vector<KafkaPartitionId> all_;  // as of the last look at the cluster; of discover()
  int64_t looked_ns_ = 0;              // of discover()

  mutable std::mutex mutex_;  // guards what follows
  // Shared with the readers and with every call that is under way: dropping it here takes it from nobody.
  std::shared_ptr<KafkaClient> client_;
  std::shared_ptr<KafkaGroup> group_;  // shared with the readers, which tell it of commits
  std::set<std::string> first_;        // the partitions that the first look found
  bool looked_ = false;
  bool resumed_ = false;  // the authority knows positions of ours
  size_t open_partitions_ = 1;
};

KafkaClientSettings client_settings(const SourceContext& context) {
  KafkaClientSettings settings;
  settings.options = &context.options;
  settings.defaults = {
      {"client.id", "weir"},
      {"isolation.level", "read_committed"},
      // A cluster that was without a broker for a moment leaves the library with none to ask.
      {"metadata.recovery.rebootstrap.trigger.ms", "3000"}};
  settings.forced = {{"enable.auto.commit", "false"}, {"enable.auto.offset.store", "false"}};
  return settings;
}

KafkaClientSettings reader_settings(const SourceContext& context, size_t partitions) {
  KafkaClientSettings settings = client_settings(context);
  const int64_t prefetch = std::clamp(kPrefetchBytes / static_cast<int64_t>(std::max<size_t>(1, partitions)),
                                      kLeastPrefetchBytes, kMostPrefetchBytes);
  settings.defaults.emplace_back("queued.max.messages.kbytes", std::to_string(prefetch / 1024));
  settings.defaults.emplace_back("max.partition.fetch.bytes",
                                 std::to_string(std::min<int64_t>(prefetch, 1 << 20)));
  // A full queue must not stop the fetching for the default's whole second.
  settings.defaults.emplace_back("fetch.queue.backoff.ms", "2");
  // A bounded read never waits for new events, and the broker's wait at the ends of partitions that are read
  // already would hold up the start of the next one.
  if (context.once || context.options.string("scan.bounded.mode") == "latest-offset") {
    settings.defaults.emplace_back("fetch.wait.max.ms", "10");
  }
  settings.forced.emplace_back("enable.partition.eof", "true");
  settings.forced.emplace_back("auto.offset.reset", "error");
  settings.left_out = {"group.id", "group.instance.id", "group.protocol", "group.remote.assignor"};
  return settings;
}

KafkaClientSettings group_settings(const SourceContext& context) {
  KafkaClientSettings settings = client_settings(context);
  const int64_t refresh_ms = context.options.duration("scan.topic-partition-discovery.interval").count();
  settings.defaults.emplace_back("partition.assignment.strategy", "cooperative-sticky");
  if (refresh_ms >= 10) {
    settings.defaults.emplace_back("topic.metadata.refresh.interval.ms", std::to_string(refresh_ms));
  }
  const std::string pattern = context.options.string("topic-pattern");
  if (!pattern.empty() && pattern.rfind("__", 0) != 0) {
    settings.defaults.emplace_back("topic.blacklist", "^__");
  }
  return settings;
}

GroupMember* KafkaSource::group() { return grouped() ? &lazy_group_ : nullptr; }

std::shared_ptr<KafkaGroup> KafkaSource::joined_group() const {
  std::lock_guard lock(mutex_);
  return group_;
}

Status KafkaSource::start_group() {
  if (joined_group() != nullptr) return {};
  // A name that does not exist is found here, with a suggestion.
  WEIR_ASSIGN(const Shared shared, connect());
  WEIR_ASSIGN(const std::vector<KafkaTopicInfo> topics, find_kafka_topics(*shared.client, choice_));
  const auto given = context_.options.with_prefix("properties.");
  const auto interval = given.find("max.poll.interval.ms");
  const int64_t most_ms = interval == given.end() ? kDefaultMaxPollIntervalMs
                                                  : std::strtoll(interval->second.c_str(), nullptr, 10);
  WEIR_ASSIGN(std::shared_ptr<KafkaGroup> group,
              KafkaGroup::start(group_settings(context_), kafka_subscription(choice_),
                                milliseconds(most_ms * 4 / 5), context_.clock));
  std::lock_guard lock(mutex_);
  group_ = std::move(group);
  return {};
}

Result<KafkaSource::Shared> KafkaSource::connect(const std::string& partition) {
  std::lock_guard lock(mutex_);
  if (client_ == nullptr) {
    WEIR_ASSIGN(client_, KafkaClient::create(reader_settings(context_, open_partitions_)));
  }
  return Shared{client_, group_, open_partitions_, resumed_ || (looked_ && first_.count(partition) == 0)};
}

void KafkaSource::set_partitions(size_t partitions) {
  std::shared_ptr<KafkaClient> former;  // goes when the lock is gone
  std::lock_guard lock(mutex_);
  if (partitions == open_partitions_ || client_.use_count() > 1) return;
  open_partitions_ = partitions;
  former = std::move(client_);
}

std::vector<KafkaPartitionId> KafkaSource::own_share(const std::vector<KafkaPartitionId>& all) const {
  const std::vector<KafkaTopicPartition> share = joined_group()->share();
  std::vector<KafkaPartitionId> ours;
  for (const KafkaPartitionId& id : all) {
    if (std::binary_search(share.begin(), share.end(), KafkaTopicPartition(id.topic, id.partition))) {
      ours.push_back(id);
    }
  }
  return ours;
}

Status KafkaSource::look(const std::vector<std::string>& known) {
  WEIR_ASSIGN(const Shared shared, connect());
  auto found = find_kafka_topics(*shared.client, choice_);
  if (!found.ok()) {
    std::lock_guard lock(mutex_);
    // The next try begins anew, when nobody but us has this client.
    const bool ours = client_ == shared.client && client_.use_count() == 2;
    if (found.status().retryable() && ours) client_.reset();
    return found.status();
  }
  const std::vector<KafkaTopicInfo>& topics = *found;
  std::vector<std::string> before;  // a topic that is created anew under us is told as after a restart
  for (const KafkaPartitionId& id : all_) before.push_back(id.text());
  WEIR_TRY(check_known_kafka_partitions(*shared.client, topics, before));
  WEIR_TRY(check_known_kafka_partitions(*shared.client, topics, known));
  WEIR_ASSIGN(all_, kafka_partitions(topics, choice_));
  return {};
}

Result<std::vector<std::string>> KafkaSource::discover(const std::vector<std::string>& known) {
  const int64_t now_ns = context_.clock->monotonic_ns();
  const bool due = !looked_ || !known.empty() || grouped() ||
                   now_ns - looked_ns_ >= std::chrono::nanoseconds(discovery_interval_).count();
  if (due && !(grouped() && looked_ && now_ns - looked_ns_ < 1'000'000'000 && known.empty())) {
    WEIR_TRY(look(known));
    looked_ns_ = now_ns;
  }
  std::vector<KafkaPartitionId> ours = grouped() ? own_share(all_) : all_;
  {
    std::lock_guard lock(mutex_);
    if (!looked_) {
      for (const KafkaPartitionId& id : all_) first_.insert(id.text());
      looked_ = true;
    }
    resumed_ = resumed_ || (!known.empty() && choice_.partitions.empty());
  }
  set_partitions(std::max<size_t>(1, ours.size()));
  std::vector<std::string> ids;
  for (const KafkaPartitionId& id : ours) ids.push_back(id.text());
  return ids;
}

Result<KafkaStart> KafkaSource::start_of(const KafkaPartitionId& id, std::optional<int64_t> stored,
                                         const Shared& shared) {
  if (stored) return KafkaStart{*stored, false, true};
  if (shared.came_later) return KafkaStart{};
  const std::string mode = context_.options.string("scan.startup.mode");
  if (mode == "latest-offset") return KafkaStart{RD_KAFKA_OFFSET_END, true, false};
  if (mode == "timestamp") {
    WEIR_ASSIGN(
        const auto offsets,
        shared.client->list_offsets(
            {{id.topic, id.partition, context_.options.integer("scan.startup.timestamp-millis")}}, false));
    if (offsets[0] < 0) return KafkaStart{RD_KAFKA_OFFSET_END, true, false};
    return KafkaStart{offsets[0], true, false};
  }
  if (mode == "specific-offsets") {
    const auto found = specific_offsets_.find(id.partition);
    if (found == specific_offsets_.end()) {
      return Status::invalid("'scan.startup.specific-offsets' names no offset for partition " +
                             std::to_string(id.partition) + " of topic '" + id.topic + "'");
    }
    return KafkaStart{found->second, true, true};
  }
  if (mode == "group-offsets") {
    WEIR_ASSIGN(const auto committed, shared.group->committed({id.topic, id.partition},
                                                              context_.options.duration("connect.timeout")));
    if (committed) return KafkaStart{*committed, true, true};
  }
  return KafkaStart{};
}

Result<std::unique_ptr<PartitionReader>> KafkaSource::open(const std::string& partition,
                                                           std::optional<int64_t> stored) {
  const std::optional<KafkaPartitionId> id = parse_kafka_partition_id(partition);
  if (!id) return Status::internal("'" + partition + "' is no Kafka partition");
  WEIR_ASSIGN(const Shared shared, connect(partition));
  WEIR_ASSIGN(const KafkaStart start, start_of(*id, stored, shared));
  const Options& options = context_.options;
  const auto properties = options.with_prefix("properties.");
  const auto isolation = properties.find("isolation.level");
  KafkaReaderSettings settings;
  settings.client = shared.client;
  settings.id = *id;
  settings.committed = isolation == properties.end() || isolation->second != "read_uncommitted";
  settings.once = context_.once || bounded();
  settings.skip_tombstones = options.string("scan.tombstones") == "skip";
  settings.continue_on_gap = options.string("scan.on-gap") == "continue";
  settings.batch_rows = context_.batch_rows;
  settings.batch_bytes = static_cast<size_t>(std::clamp(
      kPrefetchBytes / 4 / static_cast<int64_t>(shared.partitions), kLeastPrefetchBytes, kMostBatchBytes));
  settings.clock = context_.clock;
  if (shared.group != nullptr && options.boolean("commit.offsets")) {
    settings.acknowledged = [group = shared.group](const KafkaPartitionId& of, int64_t next) {
      group->commit({of.topic, of.partition}, next);
    };
  }
  return open_kafka_reader(std::move(settings), start);
}

std::vector<OptionSpec> kafka_source_options() {
  using enum OptionType;
  std::vector<OptionSpec> specs = {
      option("topic", string, "", "the topic to read; several separated by ';'"),
      option("topic-pattern", string, "",
             "instead: a regular expression (POSIX extended) for whole topic names"),
      option("properties.group.id", string, "",
             "a consumer group, whose workers share the partitions; without it this worker reads all"),
      option("scan.partitions", string, "", "read only these partitions of each topic, such as '0,2'"),
      one_of("scan.startup.mode",
             {"earliest-offset", "latest-offset", "timestamp", "specific-offsets", "group-offsets"},
             "where the first start begins; a partition that comes later begins at its beginning"),
      option("scan.startup.timestamp-millis", integer, "", "milliseconds since 1970, for 'timestamp'"),
      option("scan.startup.specific-offsets", string, "",
             "for 'specific-offsets': 'partition:0,offset:42;partition:1,offset:300'"),
      one_of("scan.bounded.mode", {"unbounded", "latest-offset"},
             "latest-offset: the input ends where the partitions end when they are opened"),
      option("scan.topic-partition-discovery.interval", duration, "30 s",
             "how often to look for new partitions and topics; '0 s': never"),
      one_of("scan.on-gap", {"fail", "continue"},
             "what to do when retention has removed the next event before it was read"),
      one_of("scan.tombstones", {"error", "skip"},
             "a message without a value: an event without bytes, which the format refuses, or nothing"),
      option("commit.offsets", boolean, "true",
             "tell the consumer group how far the tables are, for tools that watch its lag"),
  };
  for (OptionSpec& spec : kafka_connection_options()) specs.push_back(std::move(spec));
  return specs;
}

Result<KafkaTopicChoice> topic_choice(const Options& options) {
  WEIR_ASSIGN(KafkaTopicChoice choice,
              parse_kafka_topic_choice(options.string("topic"), options.string("topic-pattern"),
                                       options.string("scan.partitions")));
  if (!choice.partitions.empty() && options.has("properties.group.id")) {
    return Status::invalid(
        "'scan.partitions' and 'properties.group.id' exclude each other: a group shares out " +
        std::string("all partitions"));
  }
  return choice;
}

Result<std::unique_ptr<Source>> create_kafka_source(SourceContext context) {
  const Options& options = context.options;
  WEIR_ASSIGN(KafkaTopicChoice choice, topic_choice(options));
  const std::string mode = options.string("scan.startup.mode");
  SpecificOffsets offsets;
  if (mode == "specific-offsets") {
    WEIR_ASSIGN(offsets, parse_specific_offsets(options.string("scan.startup.specific-offsets")));
  }
  if (mode == "timestamp" && !options.has("scan.startup.timestamp-millis")) {
    return Status::invalid("'scan.startup.mode' = 'timestamp' needs 'scan.startup.timestamp-millis'");
  }
  if (options.string("scan.bounded.mode") == "latest-offset" && options.has("properties.group.id")) {
    return Status::invalid(
        "'scan.bounded.mode' = 'latest-offset' and 'properties.group.id' exclude each other: a group's "
        "shares "
        "change while it reads");
  }
  if (mode == "group-offsets" && !options.has("properties.group.id")) {
    return Status::invalid("'scan.startup.mode' = 'group-offsets' needs 'properties.group.id'");
  }
  WEIR_TRY(KafkaClient::check(reader_settings(context, 1)));
  return std::unique_ptr<Source>(
      std::make_unique<KafkaSource>(std::move(context), std::move(choice), std::move(offsets)));
}

Status probe_kafka(const SourceContext& context) {
  WEIR_ASSIGN(const KafkaTopicChoice choice, topic_choice(context.options));
  WEIR_ASSIGN(const auto client, KafkaClient::create(reader_settings(context, 1)));
  WEIR_ASSIGN(const std::vector<KafkaTopicInfo> topics, find_kafka_topics(*client, choice));
  return kafka_partitions(topics, choice).status();
}

}  // namespace

SourceConnector kafka_source_connector() {
  return {"kafka", "messages of Kafka topics", kafka_source_options(), create_kafka_source, probe_kafka};
}

}  // namespace weir
