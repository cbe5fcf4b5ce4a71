// Any bytes as an epoch's manifest, as they are and with their checksum mended: what is taken is written
// again to a text that is taken again and is the same, and names no file outside of its folder.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/crc32c.h"
#include "checkpoint/epoch_manifest.h"

namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

void parse(const std::string& text) {
  bool newer = false;
  const auto parsed = weir::parse_manifest(text, "m.json", newer);
  if (!parsed.ok()) {
    check(!parsed.status().message().empty() && parsed.status().code() == weir::Code::invalid);
    return;
  }
  check(!newer && parsed->epoch >= 0 && parsed->parallelism >= 1);
  for (const weir::StateFile* file : parsed->files())
    check(file->size >= 0 && !file->path.starts_with('/') && !("/" + file->path).ends_with("/.."));
  const auto written = weir::encode_manifest(*parsed);
  check(written.ok());
  const auto again = weir::parse_manifest(*written, "m.json", newer);
  check(again.ok() && *weir::encode_manifest(*again) == *written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  parse(text);
  char line[64];
  std::snprintf(line, sizeof line, "{\"crc32c\":\"%08x\"}\n", weir::crc32c(text.data(), text.size()));
  parse(text + line);
  return 0;
}
