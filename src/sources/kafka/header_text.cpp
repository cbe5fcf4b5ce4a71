#include "sources/kafka/header_text.h"

#include <nlohmann/json.hpp>

namespace weir {
namespace {

std::string base64(const std::string& bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    for (size_t k = 0; k < 3; ++k) group = group << 8 | (k < count ? static_cast<uint8_t>(bytes[i + k]) : 0);
    for (size_t k = 0; k < 4; ++k) text += k <= count ? kDigits[group >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

}  // namespace

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
      text = "base64:" + base64(text);
    }
    object[name] = std::move(text);
  }
  out += object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace weir
