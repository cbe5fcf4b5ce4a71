#include "config/source_text.h"

namespace weir {

std::string Location::text() const {
  if (line == 0) return file;
  return file + ":" + std::to_string(line) + ":" + std::to_string(column);
}

bool Diagnostics::has_errors() const {
  for (const Diagnostic& entry : entries_) {
    if (!entry.warning) return true;
  }
  return false;
}

Status Diagnostics::status() const {
  std::string lines;
  for (const Diagnostic& entry : entries_) {
    if (entry.warning) continue;
    if (!lines.empty()) lines += '\n';
    std::string place = entry.location.text();
    if (!place.empty()) lines += place + ": ";
    lines += entry.message;
  }
  if (!has_errors()) return {};
  return Status::invalid(std::move(lines));
}

}  // namespace weir
