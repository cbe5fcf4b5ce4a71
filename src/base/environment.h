// The only place that reads environment variables and draws process-wide randomness.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace weir {

std::optional<std::string> environment_variable(const std::string& name);

// Gives `name` a value for this process and its libraries, unless the user has given it one. Before any
// thread is started.
void default_environment_variable(const std::string& name, const std::string& value);

// 32 hexadecimal digits from the kernel's random source: names for files and runs that must never meet.
std::string random_hex_id();

}  // namespace weir
