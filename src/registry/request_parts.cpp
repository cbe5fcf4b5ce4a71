#include "registry/request_parts.h"

#include <strings.h>

#include <algorithm>
#include <charconv>

namespace weir {

const std::string* RegistryRequests::Route::parameter(std::string_view name) const {
  for (const auto& [key, value] : call.query) {
    if (key == name) return &value;
  }
  return nullptr;
}

bool RegistryRequests::Route::flag(std::string_view name) const {
  const std::string* value = parameter(name);
  return value != nullptr && strcasecmp(value->c_str(), "true") == 0;
}

int64_t RegistryRequests::Route::integer(std::string_view name, int64_t absent) const {
  const std::string* text = parameter(name);
  int64_t value = absent;
  if (text != nullptr) std::from_chars(text->data(), text->data() + text->size(), value);
  return value;
}

bool is_subject(std::string_view name) {
  if (name.empty() || name.size() > 255 || name == "." || name == "..") return false;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f || c == '/' || c == '\\') return false;
  }
  try {
    (void)OrderedJson(std::string(name)).dump();  // refuses what is not UTF-8
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

std::optional<int32_t> positive_number(std::string_view text) {
  int32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1) return std::nullopt;
  return value;
}

RegistryAnswer registry_error(int code, std::string_view message) {
  const OrderedJson body = {{"error_code", code}, {"message", std::string(message)}};
  return {code > 999 ? code / 100 : code, body.dump(-1, ' ', false, OrderedJson::error_handler_t::replace)};
}

RegistryAnswer json_answer(const OrderedJson& json) {
  return {200, json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace)};
}

RegistryAnswer failure_answer(const Status& status) {
  if (status.code() == Code::invalid) return registry_error(42201, status.message());
  RegistryAnswer answer = registry_error(50001, "the registry's log: " + status.message());
  if (status.code() == Code::exhausted || status.retryable()) answer.status = 503;
  return answer;
}

RegistryAnswer no_subject(const std::string& subject) {
  return registry_error(40401, "Subject '" + subject + "' not found.");
}

RegistryAnswer no_version(std::string_view version) {
  return registry_error(40402, "Version " + std::string(version) + " not found.");
}

RegistryAnswer no_schema(std::string_view what) {
  return registry_error(40403, "Schema " + std::string(what) + (what.empty() ? "not found" : " not found"));
}

RegistryAnswer wrong_method(std::string_view method) {
  return registry_error(405, "HTTP 405: this resource does not take " + std::string(method));
}

RegistryAnswer no_resource() {
  return registry_error(404, "HTTP 404: no such resource (a subject holds no '/')");
}

}  // namespace weir
