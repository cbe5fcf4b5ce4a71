#include "sinks/nats/nats_connector.h"

#include "clients/nats_connection.h"
#include "sinks/nats/nats_message.h"
#include "sinks/nats/nats_sink.h"
#include "sinks/nats/subject.h"

namespace weir {
namespace {

std::vector<OptionSpec> nats_sink_options() {
  using enum OptionType;
  std::vector<OptionSpec> specs = {
      required(option("stream", string, "", "the JetStream stream to write to; it must exist")),
      option("subject", string, "", "the subject to publish on; one that the stream takes"),
      option("subject.from-column", string, "", "instead: the column that holds each row's subject"),
      one_of("value.format", {"json", "raw"},
             "a JSON object a row, or the bytes of the one column that is left"),
      option("headers.column", string, "",
             "a MAP<STRING, STRING> or MAP<STRING, BYTES> column: the headers, those that begin with 'Nats-' "
             "left out; not part of the value"),
      option("deduplicate", boolean, "true",
             "give each message a Nats-Msg-Id made of the row's position and content: what comes again after "
             "a crash is dropped while the stream's duplicate window remembers it"),
      option("publish.max-in-flight", integer, "4000",
             "messages that are on their way at one time, 1 to 9000"),
      option("publish.ack-timeout", duration, "10 s",
             "without any acknowledgement for so long, what is on its way is sent again"),
  };
  for (OptionSpec& spec : nats_connection_option_specs()) specs.push_back(std::move(spec));
  return specs;
}

Status check_options(const SinkContext& context) {
  const Options& options = context.options;
  const std::string subject = options.string("subject");
  if (subject.empty() == options.string("subject.from-column").empty()) {
    return Status::invalid("exactly one of 'subject' and 'subject.from-column' must be given");
  }
  if (!subject.empty()) {
    const Status checked = check_subject(subject);
    if (!checked.ok()) return checked.with_context("option 'subject'");
  }
  const int64_t in_flight = options.integer("publish.max-in-flight");
  if (in_flight < 1 || in_flight > 9000) {
    return Status::invalid("'publish.max-in-flight' must be between 1 and 9000: a server buffers 10000");
  }
  if (options.duration("publish.ack-timeout").count() < 100) {
    return Status::invalid("'publish.ack-timeout' must be at least 100 ms");
  }
  return MessageColumns::create(*context.schema, nats_message_columns(options)).status();
}

}  // namespace

SinkConnector nats_sink_connector() {
  SinkConnector connector;
  connector.name = "nats";
  connector.summary = "a message of a NATS JetStream stream for each row; at least once";
  connector.options = nats_sink_options();
  connector.create = [](SinkContext context) -> Result<std::unique_ptr<Sink>> {
    WEIR_TRY(check_options(context));
    return create_nats_sink(std::move(context));
  };
  connector.check = check_options;
  connector.probe = [](const SinkContext& context) -> Status {
    WEIR_TRY(check_options(context));
    return probe_nats_sink(context);
  };
  connector.guarantee = [](const Options& options) -> std::string {
    if (!options.boolean("deduplicate")) {
      return "at least once: after a restart rows that were sent before the last commit are sent again";
    }
    return "at least once: after a restart rows that were sent before the last commit are sent again; the "
           "stream drops those that its duplicate window (2 minutes, if not set otherwise) remembers";
  };
  return connector;
}

}  // namespace weir
