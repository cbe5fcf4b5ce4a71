// What the ClickHouse sink reads from outside, by the first byte: 't' a column's type as the server spells
// it, 'e' an entry of its log, 's' a server's error.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "clients/clickhouse_error.h"
#include "sinks/clickhouse/column_type.h"
#include "sinks/clickhouse/log_entry.h"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 't': {
      const auto type = weir::ClickHouseType::parse(text);
      require(type.ok() || !type.status().message().empty());
      if (!type.ok()) break;
      const auto again = weir::ClickHouseType::parse(type->to_string());
      require(again.ok() && again->to_string() == type->to_string());
      break;
    }
    case 'e': {
      const auto entry = weir::LogEntry::parse(text);
      require(entry.ok() || !entry.status().message().empty());
      if (!entry.ok()) break;
      const auto again = weir::LogEntry::parse(entry->to_text());
      require(again.ok() && again->to_text() == entry->to_text());
      break;
    }
    case 's': weir::parse_server_error(text); break;
    default: break;
  }
  return 0;
}
