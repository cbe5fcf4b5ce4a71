#include "clients/nats_answer.h"

#include <nats/status.h>

#include <nlohmann/json.hpp>

namespace weir {
namespace {

// JSStreamHeaderExceedsMaximumErr, which older headers of nats.c do not name.
constexpr int kHeaderTooLarge = 10097;

int64_t integer(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number_integer() ? found->get<int64_t>() : 0;
}

}  // namespace

PublishAnswer parse_publish_answer(std::string_view json) {
  PublishAnswer answer;
  const nlohmann::json parsed = nlohmann::json::parse(json.begin(), json.end(), nullptr, false);
  if (!parsed.is_object()) return answer;
  const auto text = [](const nlohmann::json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  answer.stream = text(parsed, "stream");
  const auto error = parsed.find("error");
  if (error == parsed.end()) {
    answer.sequence = integer(parsed, "seq");
    if (answer.stream.empty() || answer.sequence <= 0) return answer;
    const auto duplicate = parsed.find("duplicate");
    const bool known = duplicate != parsed.end() && duplicate->is_boolean() && duplicate->get<bool>();
    answer.kind = known ? PublishAnswer::Kind::duplicate : PublishAnswer::Kind::stored;
    return answer;
  }
  if (!error->is_object()) return answer;
  answer.message = text(*error, "description");
  if (answer.message.empty())
    answer.message = error->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  switch (integer(*error, "err_code")) {
    case JSStreamMessageExceedsMaximumErr:
    case kHeaderTooLarge: answer.kind = PublishAnswer::Kind::too_large; break;
    case JSStreamStoreFailedErr:
    case JSInsufficientResourcesErr: answer.kind = PublishAnswer::Kind::full; break;
    case JSStreamSealedErr: answer.kind = PublishAnswer::Kind::never; break;
    default: answer.kind = PublishAnswer::Kind::not_now; break;
  }
  return answer;
}

}  // namespace weir
