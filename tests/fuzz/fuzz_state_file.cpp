// Any bytes as a state file, and as what stands in a whole one: reading ends, gives nothing that lies
// outside, and what is read is written and read again to the same.
#include <arrow/record_batch.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "state/state_file.h"

namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

class Memory final : public weir::ObjectWriter {
 public:
  explicit Memory(std::string& bytes) : bytes_(bytes) {}
  weir::Status write(std::string_view bytes) override {
    bytes_ += bytes;
    return {};
  }
  weir::Status close() override { return {}; }

 private:
  std::string& bytes_;
};

// Every byte of `script` is a call.
void read(weir::StateReader& reader, const std::string& script) {
  for (const char call : script) {
    bool ok = true;
    switch (static_cast<uint8_t>(call) % 8) {
      case 0: ok = reader.u8().ok(); break;
      case 1: ok = reader.u32().ok(); break;
      case 2: ok = reader.i64().ok(); break;
      case 3: ok = reader.text().ok(); break;
      case 4: {
        auto view = reader.view(static_cast<uint8_t>(call));
        ok = view.ok();
        // Reads all of it, for the sanitizer.
        if (ok) check(std::string(*view).size() == view->size());
        break;
      }
      case 5: {
        auto version = reader.section("keys", 3);
        check(!version.ok() || (*version >= 1 && *version <= 3));
        ok = version.ok();
        break;
      }
      default: {
        auto rows = reader.rows();
        ok = rows.ok();
        if (ok && (*rows)->ValidateFull().ok()) {
          std::string again;
          weir::StateWriter writer(std::make_unique<Memory>(again));
          check(writer.rows(**rows).ok() && writer.close().ok());
          auto reread = weir::StateReader::from_bytes(again, "again");
          check(reread.ok());
          auto same = (*reread)->rows();
          check(same.ok() && (*same)->num_rows() == (*rows)->num_rows());
        }
      }
    }
    if (!ok) return;
  }
  static_cast<void>(reader.at_end());
}

}  // namespace

// The first byte is the number of calls, which follow it; then come the file's bytes.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const size_t calls = text.empty() ? 0 : static_cast<uint8_t>(text[0]) % 32;
  if (text.size() < 1 + calls) return 0;
  const std::string script = text.substr(1, calls);
  const std::string content = text.substr(1 + calls);
  auto damaged = weir::StateReader::from_bytes(content, "any bytes");
  if (damaged.ok()) read(**damaged, script);
  std::string file;
  weir::StateWriter writer(std::make_unique<Memory>(file));
  check(writer.bytes(content.data(), content.size()).ok() && writer.close().ok());
  auto whole = weir::StateReader::from_bytes(file, "a whole one");
  check(whole.ok());
  read(**whole, script);
  return 0;
}
