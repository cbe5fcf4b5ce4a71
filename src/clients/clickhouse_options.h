// How a ClickHouse server is named in a table's options: the same for whoever writes to it or asks it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "clients/clickhouse_connection.h"
#include "clients/http_client.h"
#include "config/options.h"

namespace weir {

std::vector<OptionSpec> clickhouse_server_option_specs();     // url, username, password
std::vector<OptionSpec> clickhouse_transport_option_specs();  // timeouts and tls.*

struct ClickHouseServer {
  ClickHouseConnection::Settings servers;
  HttpSettings http;

  Result<std::unique_ptr<ClickHouseConnection>> connect() const;
};
// invalid: an address or a timeout that cannot be.
Result<ClickHouseServer> clickhouse_server(const Options& options);

}  // namespace weir
