#include "sources/kafka/header_text.h"

#include <arrow/util/base64.h>

#include <nlohmann/json.hpp>

namespace weir {

void append_kafka_headers(const rd_kafka_headers_t* headers, std::string& out) {
  nlohmann::json object = nlohmann::json::object();
  const char* name = nullptr;
  const void* value = nullptr;
  size_t size = 0;
  for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
       ++i) {
    if (value == nullptr) {
      object[name] = nullptr;
      continue;
    }
    std::string text(static_cast<const char*>(value), size);
    try {
      (void)nlohmann::json(text).dump();  // refuses what is not UTF-8
    } catch (const nlohmann::json::exception&) {
      text = "base64:" + arrow::util::base64_encode(text);
    }
    object[name] = std::move(text);
  }
  out += object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace weir
