// Three shapes of JSON events that do not repeat, seeded.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace weir::bench {

struct Shape {
  std::string name;
  std::vector<std::pair<std::string, std::string>> columns;  // name, type in DDL
};

const std::vector<Shape>& shapes();

// One event of the shape appended to `out`, without a newline. `n` is its number.
void append_event(const std::string& shape, uint64_t n, std::string* out);

// The event broken in one of six ways, which `n` chooses.
void break_event(uint64_t n, std::string* event);

}  // namespace weir::bench
