#include "bridge/abi.h"

#include <nlohmann/json.hpp>

#include "base/environment.h"
#include "bridge/bridge.h"

namespace weir::bridge {

namespace {

Code code_of(int32_t code) {
  switch (code) {
    case WEIR_OK: return Code::ok;
    case WEIR_INVALID: return Code::invalid;
    case WEIR_NOT_FOUND: return Code::not_found;
    case WEIR_ALREADY_EXISTS: return Code::already_exists;
    case WEIR_CONFLICT: return Code::conflict;
    case WEIR_UNAVAILABLE: return Code::unavailable;
    case WEIR_DENIED: return Code::denied;
    case WEIR_EXHAUSTED: return Code::exhausted;
    default: return Code::internal;
  }
}

}  // namespace

Status AbiError::status(int32_t code) const {
  if (code == WEIR_OK) return {};
  return {code_of(code), text(error_.message)};
}

std::string options_json(const std::map<std::string, std::string>& options) {
  return nlohmann::json(options).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

StorageOptions storage_options(const std::map<std::string, std::string>& s3) {
  StorageOptions options;
  auto set = [&](const char* key, const char* option, std::initializer_list<const char*> variables) {
    if (auto given = s3.find(key); given != s3.end() && !given->second.empty()) {
      options[option] = given->second;
      return;
    }
    for (const char* variable : variables) {
      if (auto value = environment_variable(variable); value && !value->empty()) {
        options[option] = *value;
        return;
      }
    }
  };
  set("endpoint", "aws_endpoint", {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"});
  set("access-key", "aws_access_key_id", {"AWS_ACCESS_KEY_ID"});
  set("secret-key", "aws_secret_access_key", {"AWS_SECRET_ACCESS_KEY"});
  set("region", "aws_region", {"AWS_REGION", "AWS_DEFAULT_REGION"});
  // A session token belongs to the environment's key only.
  if (!s3.contains("access-key")) set("session-token", "aws_session_token", {"AWS_SESSION_TOKEN"});
  options.try_emplace("aws_region", "us-east-1");
  // Servers other than Amazon's are addressed by path unless told otherwise.
  auto style = s3.find("path-style");
  bool by_path = style != s3.end() ? style->second != "false" : options.contains("aws_endpoint");
  options["aws_virtual_hosted_style_request"] = by_path ? "false" : "true";
  return options;
}

}  // namespace weir::bridge
