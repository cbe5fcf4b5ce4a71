// The options of weir.toml, declared once.
#include "edge/edge_config.h"

namespace weir {

const std::vector<OptionSpec>& server_option_specs() {
  static const std::vector<OptionSpec> specs = [] {
    std::vector<OptionSpec> list{
        option(
            "listen", OptionType::string, "127.0.0.1:7080",
            "address and port of the HTTP server; port 0 takes a free one; beyond loopback only with tokens"),
        option("data", OptionType::string, "./weir-data", "folder of the embedded log and the registry"),
        option("error-lake.path", OptionType::string, "./weir-data/errors",
               "folder or s3:// of the error lake, where events that no route takes go"),
        secret(option("tokens", OptionType::string, "",
                      "list of bearer tokens: for streams without their own, for /metrics and /registry")),
        option("tls-cert", OptionType::string, "", "PEM file of the certificate chain; with tls-key: HTTPS"),
        option("tls-key", OptionType::string, "", "PEM file of the certificate's key"),
        option("threads", OptionType::integer, "2", "threads that serve connections"),
        option("max-connections", OptionType::integer, "4096", "connections at once; more are answered 503"),
        option("max-held", OptionType::size, "256 mb",
               "bytes of bodies that are not answered yet, of all requests; more are answered 503"),
        option("head-timeout", OptionType::duration, "10 s", "for a request's head, from its first byte"),
        option("body-timeout", OptionType::duration, "30 s", "for a request's body, and for its answer"),
        option("idle-timeout", OptionType::duration, "60 s", "between requests of a connection"),
        option("drain-timeout", OptionType::duration, "10 s", "for requests in flight when the server ends"),
        option("max-body", OptionType::size, "1 mb", "largest body of a request, also when decompressed"),
        option("max-depth", OptionType::integer, "64", "how deep JSON may be nested"),
        option("max-events", OptionType::integer, "10000", "events in one request"),
    };
    for (OptionSpec& spec : s3_option_specs()) list.push_back(std::move(spec));
    return list;
  }();
  return specs;
}

const std::vector<OptionSpec>& stream_option_specs() {
  static const std::vector<OptionSpec> specs{
      required(option("name", OptionType::string, "", "the stream's name in /v1/events/{stream}")),
      secret(option("tokens", OptionType::string, "",
                    "list of bearer tokens that may post to this stream, instead of the server's")),
      option("partitions", OptionType::integer, "1", "partitions in the embedded log; may grow, not shrink"),
      option("max-body", OptionType::size, "", "instead of the server's"),
      option("max-depth", OptionType::integer, "", "instead of the server's"),
      option("max-events", OptionType::integer, "", "instead of the server's"),
      one_of("content", {"json", "any"}, "any: a body that is no JSON is one raw event; json: it is refused"),
      option("forward-headers", OptionType::string, "",
             "request headers to keep with each event, separated by commas, such as traceparent"),
      option("rate.events", OptionType::integer, "", "events a second; beyond: 429"),
      option("rate.bytes", OptionType::size, "", "bytes of bodies a second; beyond: 429"),
      option("rate.burst", OptionType::duration, "1 s",
             "how much time's worth of the rates may come at once"),
      option("segment", OptionType::size, "64 mb", "size of a segment file of the log"),
      option("retention.size", OptionType::size, "", "bytes to keep in each partition; empty: all"),
      option("retention.age", OptionType::duration, "",
             "how long to keep events, such as '7 d'; empty: for ever"),
      option("retention.consumed", OptionType::boolean, "false",
             "delete what every registered reader has passed"),
  };
  return specs;
}

const std::vector<OptionSpec>& route_option_specs() {
  static const std::vector<OptionSpec> specs{
      option("stream", OptionType::string, "", "pattern of the stream's name; '*' is any text"),
      option("type", OptionType::string, "", "pattern of the CloudEvents type; '*' is any text"),
      option(
          "subject", OptionType::string, "",
          "pattern of the event's subject (its CloudEvents type, else its stream) in NATS' way: 'orders.*', "
          "'orders.>'"),
      option("header.*", OptionType::string, "",
             "pattern of a header of the event or its request, such as header.ce-source; '*' is any text"),
      required(option("to", OptionType::string, "", "log:STREAM, nats:TARGET or kafka:TARGET")),
  };
  return specs;
}

}  // namespace weir
