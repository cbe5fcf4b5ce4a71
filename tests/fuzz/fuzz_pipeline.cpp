// Any text as a pipeline file: it is understood, or every problem has a place in the file.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "config/pipeline_spec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  weir::Diagnostics diagnostics;
  weir::parse_pipeline("fuzz.sql", std::string(reinterpret_cast<const char*>(data), size), diagnostics);
  for (const weir::Diagnostic& entry : diagnostics.entries()) {
    if (entry.message.empty()) std::abort();
  }
  return 0;
}
