#include "base/crash_point.h"

#include <atomic>
#include <csignal>
#include <cstring>
#include <string>

#include "base/environment.h"

namespace weir {
namespace {

struct Target {
  std::string name;
  long passages_left = 0;
};

Target parse_target() {
  Target target;
  auto text = environment_variable("WEIR_CRASH_POINT");
  if (!text) return target;
  auto colon = text->rfind(':');
  if (colon == std::string::npos) return target;
  target.name = text->substr(0, colon);
  target.passages_left = std::strtol(text->c_str() + colon + 1, nullptr, 10);
  return target;
}

}  // namespace

void crash_point(const char* name) {
  static const Target target = parse_target();
  if (target.passages_left == 0) return;
  static std::atomic<long> left{target.passages_left};
  if (target.name != "*" && target.name != name) return;
  if (left.fetch_sub(1) == 1) raise(SIGKILL);
}

}  // namespace weir
