#include "base/status.h"

namespace weir {

const char* code_name(Code code) {
  switch (code) {
    case Code::ok: return "ok";
    case Code::invalid: return "invalid";
    case Code::not_found: return "not found";
    case Code::already_exists: return "already exists";
    case Code::conflict: return "conflict";
    case Code::unavailable: return "unavailable";
    case Code::denied: return "denied";
    case Code::exhausted: return "exhausted";
    case Code::cancelled: return "cancelled";
    case Code::schema_changed: return "schema changed";
    case Code::lost_ownership: return "lost ownership";
    case Code::internal: return "internal error";
  }
  return "unknown";
}

Status Status::with_context(std::string_view context) const {
  if (ok()) return *this;
  return {code_, std::string(context) + ": " + message_};
}

}  // namespace weir
