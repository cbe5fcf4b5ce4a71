#include "sources/kafka/kafka_topics.h"

#include <regex.h>

#include <algorithm>
#include <charconv>
#include <set>

namespace weir {
namespace {

std::vector<std::string> split(const std::string& text, const char* separators) {
  std::vector<std::string> parts;
  size_t begin = 0;
  while (begin <= text.size()) {
    const size_t end = std::min(text.find_first_of(separators, begin), text.size());
    std::string part = text.substr(begin, end - begin);
    part.erase(0, part.find_first_not_of(' '));
    part.erase(part.find_last_not_of(' ') + 1);
    if (!part.empty()) parts.push_back(part);
    begin = end + 1;
  }
  return parts;
}

std::string anchored(const std::string& pattern) { return "^(" + pattern + ")$"; }

class Pattern {
 public:
  explicit Pattern(const std::string& pattern)
      : error_(regcomp(&compiled_, anchored(pattern).c_str(), REG_EXTENDED | REG_NOSUB)) {}
  ~Pattern() {
    if (error_ == 0) regfree(&compiled_);
  }
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;

  Status status() const {
    if (error_ == 0) return {};
    char words[200];
    regerror(error_, &compiled_, words, sizeof words);
    return Status::invalid(std::string("'topic-pattern' is no regular expression (POSIX extended): ") +
                           words);
  }
  bool matches(const std::string& name) const {
    return regexec(&compiled_, name.c_str(), 0, nullptr, 0) == 0;
  }

 private:
  regex_t compiled_{};
  int error_;
};

Status known_partition_failure(const KafkaPartitionId& known, const KafkaTopicInfo& now) {
  if (now.missing) {
    return Status::invalid(
        "the pipeline holds a position of topic '" + known.topic +
        "', which does not exist any more. Give the pipeline a new name to go on without it");
  }
  if (now.id != known.topic_id) {
    return Status::invalid("topic '" + known.topic + "' was deleted and created again: its id is " + now.id +
                           ", and the pipeline's positions belong to the one with id " + known.topic_id +
                           ". Give the pipeline a new name to read the new topic from its beginning");
  }
  if (known.partition >= now.partitions) {
    return Status::invalid("the pipeline holds a position of partition " + std::to_string(known.partition) +
                           " of topic '" + known.topic + "', which has " + std::to_string(now.partitions));
  }
  return {};
}

}  // namespace

Result<KafkaTopicChoice> parse_kafka_topic_choice(const std::string& topics, const std::string& pattern,
                                                  const std::string& partitions) {
  KafkaTopicChoice choice;
  choice.topics = split(topics, ";,");
  choice.pattern = pattern;
  if (choice.topics.empty() == pattern.empty()) {
    return Status::invalid("exactly one of 'topic' and 'topic-pattern' must be given");
  }
  if (!pattern.empty()) WEIR_TRY(Pattern(pattern).status());
  const std::set<std::string> unique(choice.topics.begin(), choice.topics.end());
  if (unique.size() != choice.topics.size()) return Status::invalid("'topic' names a topic twice");
  for (const std::string& text : split(partitions, ",;")) {
    int32_t number = -1;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || stop != text.data() + text.size() || number < 0) {
      return Status::invalid("'scan.partitions' is '" + partitions +
                             "', expected partition numbers such as '0,2'");
    }
    choice.partitions.push_back(number);
  }
  std::sort(choice.partitions.begin(), choice.partitions.end());
  choice.partitions.erase(std::unique(choice.partitions.begin(), choice.partitions.end()),
                          choice.partitions.end());
  return choice;
}

std::vector<std::string> kafka_subscription(const KafkaTopicChoice& choice) {
  if (choice.pattern.empty()) return choice.topics;
  return {anchored(choice.pattern)};
}

Result<std::vector<KafkaTopicInfo>> find_kafka_topics(KafkaClient& client, const KafkaTopicChoice& choice) {
  std::vector<std::string> names = choice.topics;
  if (!choice.pattern.empty()) {
    const Pattern pattern(choice.pattern);
    WEIR_ASSIGN(const std::vector<std::string> all, client.topic_names());
    for (const std::string& name : all) {
      const bool internal = name.rfind("__", 0) == 0 && choice.pattern.rfind("__", 0) != 0;
      if (!internal && pattern.matches(name)) names.push_back(name);
    }
  }
  if (names.empty()) return std::vector<KafkaTopicInfo>();
  WEIR_ASSIGN(std::vector<KafkaTopicInfo> topics, client.describe(names));
  if (!choice.pattern.empty()) {  // one may have gone since the list was made
    topics.erase(
        std::remove_if(topics.begin(), topics.end(), [](const auto& topic) { return topic.missing; }),
        topics.end());
  }
  for (const KafkaTopicInfo& topic : topics) {
    if (topic.missing) return client.no_such_topic(topic.name);
  }
  return topics;
}

Result<std::vector<KafkaPartitionId>> kafka_partitions(const std::vector<KafkaTopicInfo>& topics,
                                                       const KafkaTopicChoice& choice) {
  std::vector<KafkaPartitionId> ids;
  for (const KafkaTopicInfo& topic : topics) {
    for (int32_t partition = 0; partition < topic.partitions; ++partition) {
      const bool wanted = choice.partitions.empty() ||
                          std::binary_search(choice.partitions.begin(), choice.partitions.end(), partition);
      if (wanted) ids.push_back({topic.name, topic.id, partition});
    }
  }
  for (const int32_t wanted : choice.partitions) {
    const auto has = [&](const KafkaTopicInfo& topic) { return wanted < topic.partitions; };
    if (std::none_of(topics.begin(), topics.end(), has)) {
      return Status::invalid(
          "'scan.partitions' names partition " + std::to_string(wanted) + ", which no topic has" +
          (topics.empty()
               ? std::string()
               : ": '" + topics.front().name + "' has " + std::to_string(topics.front().partitions)));
    }
  }
  return ids;
}

Status check_known_kafka_partitions(KafkaClient& client, const std::vector<KafkaTopicInfo>& topics,
                                    const std::vector<std::string>& known) {
  std::vector<KafkaPartitionId> ids;
  for (const std::string& text : known) {
    const std::optional<KafkaPartitionId> id = parse_kafka_partition_id(text);
    if (!id) {
      return Status::invalid("the pipeline holds a position of '" + text +
                             "', which is no Kafka partition. Give the pipeline a new name");
    }
    const auto same = [&](const KafkaTopicInfo& topic) { return topic.name == id->topic; };
    const auto found = std::find_if(topics.begin(), topics.end(), same);
    if (found != topics.end()) {
      WEIR_TRY(known_partition_failure(*id, *found));
      continue;
    }
    WEIR_ASSIGN(const std::vector<KafkaTopicInfo> now, client.describe({id->topic}));
    WEIR_TRY(known_partition_failure(*id, now.front()));
    return Status::invalid("the pipeline holds a position of topic '" + id->topic +
                           "', which is no longer among its topics: restore 'topic' or 'topic-pattern', or " +
                           "give the pipeline a new name");
  }
  return {};
}

}  // namespace weir
