#include "base/environment.h"

#include <sys/random.h>

#include <array>
#include <cstdio>
#include <cstdlib>

#include "base/status.h"

namespace weir {

std::optional<std::string> environment_variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

void default_environment_variable(const std::string& name, const std::string& value) {
  setenv(name.c_str(), value.c_str(), 0);
}

std::string random_hex_id() {
  std::array<unsigned char, 16> bytes{};
  WEIR_CHECK(getrandom(bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()),
             "the kernel gave no random bytes");
  std::string text;
  char digits[3];
  for (unsigned char byte : bytes) {
    std::snprintf(digits, sizeof digits, "%02x", byte);
    text += digits;
  }
  return text;
}

}  // namespace weir
