#include "sources/nats/message_headers.h"

#include <cstdlib>
#include <nlohmann/json.hpp>

namespace weir {

std::string headers_json(natsMsg* message) {
  const char** keys = nullptr;
  int count = 0;
  if (natsMsgHeader_Keys(message, &keys, &count) != NATS_OK) return {};
  nlohmann::json headers = nlohmann::json::object();
  for (int i = 0; i < count; ++i) {
    const char** values = nullptr;
    int values_count = 0;
    if (natsMsgHeader_Values(message, keys[i], &values, &values_count) != NATS_OK) continue;
    std::string joined;
    for (int v = 0; v < values_count; ++v) joined += (v == 0 ? "" : ", ") + std::string(values[v]);
    headers[keys[i]] = joined;
    free(static_cast<void*>(values));
  }
  free(static_cast<void*>(keys));
  return headers.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace weir
