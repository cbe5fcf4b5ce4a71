#include "sinks/kafka/kafka_connector.h"

#include "clients/kafka_client.h"
#include "sinks/kafka/kafka_message.h"
#include "sinks/kafka/kafka_sink.h"

namespace weir {
namespace {

std::vector<OptionSpec> kafka_sink_options() {
  using enum OptionType;
  std::vector<OptionSpec> specs = {
      option("topic", string, "", "the topic to write to; it must exist"),
      option("topic.from-column", string, "", "instead: the column that holds each row's topic"),
      option("key.fields", string, "",
             "the column that is the key, as text; of several separated by ';' a JSON object; without it no "
             "key"),
      one_of("value.format", {"json", "raw"},
             "a JSON object a row, or the bytes of the one column that is left"),
      one_of("value.fields-include", {"ALL", "EXCEPT_KEY"}, "whether the value holds the key's columns too"),
      option("headers.column", string, "",
             "a MAP<STRING, STRING> or MAP<STRING, BYTES> column: the headers; not part of the value"),
      option("timestamp.column", string, "",
             "a TIMESTAMP column: the message's time; else the time of sending"),
  };
  for (OptionSpec& spec : kafka_connection_options()) specs.push_back(std::move(spec));
  return specs;
}

Status check_options(const SinkContext& context) {
  const std::string topic = context.options.string("topic");
  if (topic.empty() == context.options.string("topic.from-column").empty()) {
    return Status::invalid("exactly one of 'topic' and 'topic.from-column' must be given");
  }
  if (topic.find_first_of(";,") != std::string::npos) {
    return Status::invalid("'topic' is '" + topic + "': a sink writes to one topic; see 'topic.from-column'");
  }
  return MessageColumns::create(*context.schema, kafka_message_columns(context.options)).status();
}

}  // namespace

SinkConnector kafka_sink_connector() {
  SinkConnector connector;
  connector.name = "kafka";
  connector.summary = "a message of a Kafka topic for each row; at least once";
  connector.options = kafka_sink_options();
  connector.create = [](SinkContext context) -> Result<std::unique_ptr<Sink>> {
    WEIR_TRY(check_options(context));
    return create_kafka_sink(std::move(context));
  };
  connector.check = check_options;
  connector.probe = [](const SinkContext& context) -> Status {
    WEIR_TRY(check_options(context));
    return probe_kafka_sink(context);
  };
  connector.guarantee = [](const Options&) {
    return "at least once: the producer is idempotent, but after a restart rows that were sent before the "
           "last "
           "commit are sent again";
  };
  return connector;
}

}  // namespace weir
