#include "config/source_text.h"

namespace weir {

std::string Location::text() const {
  if (line == 0) return file;
  return file + ":" + std::to_string(line) + ":" + std::to_string(column);
}

void Diagnostics::add(Diagnostic entry) {
  for (const Diagnostic& known : entries_) {
    bool same_place = known.location.file == entry.location.file &&
                      known.location.line == entry.location.line &&
                      known.location.column == entry.location.column;
    if (same_place && known.message == entry.message) return;
  }
  entries_.push_back(std::move(entry));
}

bool Diagnostics::has_errors() const {
  for (const Diagnostic& entry : entries_) {
    if (!entry.warning) return true;
  }
  return false;
}

Status Diagnostics::status() const {
  std::string lines;
  Code code = Code::ok;
  for (const Diagnostic& entry : entries_) {
    if (entry.warning) continue;
    code = code == Code::ok || code == entry.code ? entry.code : Code::invalid;
    if (!lines.empty()) lines += '\n';
    std::string place = entry.location.text();
    if (!place.empty()) lines += place + ": error: ";
    lines += entry.message;
  }
  return code == Code::ok ? Status() : Status(code, std::move(lines));
}

}  // namespace weir
