#include "clients/clickhouse_options.h"

#include <utility>

namespace weir {

std::vector<OptionSpec> clickhouse_server_option_specs() {
  return {
      required(
          option("url", OptionType::string, "",
                 "HTTP address of the server, such as http://localhost:8123; several of one replica set, "
                 "separated by commas, for fail-over")),
      option("username", OptionType::string, "", "user; the server's default user when absent"),
      secret(option("password", OptionType::string, "", "of the user")),
  };
}

std::vector<OptionSpec> clickhouse_transport_option_specs() {
  return {
      option("connect-timeout", OptionType::duration, "5 s", "for a connection to a server"),
      option("request-timeout", OptionType::duration, "60 s", "for one statement or block, answer included"),
      option("tls.ca-file", OptionType::string, "", "PEM file of the CAs to trust; the system's when absent"),
      option("tls.cert-file", OptionType::string, "", "PEM file of the client's certificate"),
      option("tls.key-file", OptionType::string, "", "PEM file of the client's key"),
      option("tls.verify", OptionType::boolean, "true", "check the server's certificate and name"),
  };
}

Result<ClickHouseServer> clickhouse_server(const Options& options) {
  ClickHouseServer server;
  WEIR_ASSIGN(server.servers.urls, parse_server_urls(options.string("url")));
  server.servers.username = options.string("username");
  server.servers.password = options.string("password");
  server.http.connect_timeout = options.duration("connect-timeout");
  server.http.request_timeout = options.duration("request-timeout");
  if (server.http.connect_timeout.count() < 1)
    return Status::invalid("'connect-timeout' must be 1 ms or more");
  if (server.http.request_timeout.count() < 1)
    return Status::invalid("'request-timeout' must be 1 ms or more");
  server.http.ca_file = options.string("tls.ca-file");
  server.http.cert_file = options.string("tls.cert-file");
  server.http.key_file = options.string("tls.key-file");
  server.http.verify = options.boolean("tls.verify");
  return server;
}

Result<std::unique_ptr<ClickHouseConnection>> ClickHouseServer::connect() const {
  WEIR_ASSIGN(auto client, open_http_client(http));
  return std::make_unique<ClickHouseConnection>(servers, std::move(client));
}

}  // namespace weir
