// How operators write state down and get it back: a sequence of sections, each with a name and a version.
//
// Format (docs/formats/state.md): "WEIRST01", then blocks [u32 length][u32 CRC-32C][bytes] of at most 1 MiB,
// then a block of length 0 whose CRC field holds the CRC of all bytes before it. Little-endian. A reader
// checks every block before it hands out a byte of it; a cut or changed file is `invalid`, with the words
// "damaged".
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/objects.h"
#include "base/status.h"

namespace weir {

// The last bytes of a state file: enough to tell whether it ended well, and as which file.
inline constexpr size_t kStateTrailerBytes = 8;
// The CRC that a trailer holds; nothing when these are not the last bytes of a state file.
std::optional<uint32_t> state_trailer_crc(std::string_view trailer);

// Not thread-safe. The first failure stays; close() gives it too.
class StateWriter {
 public:
  explicit StateWriter(std::unique_ptr<ObjectWriter> out);
  ~StateWriter();
  // Everything up to the next section belongs to this one. Versions are the writer's own, from 1.
  Status section(std::string_view name, uint32_t version);
  Status bytes(const void* data, size_t size);
  Status u8(uint8_t value);
  Status u32(uint32_t value);
  Status i64(int64_t value);
  Status text(std::string_view value);  // length and bytes
  // Rows with their schema, as an Arrow IPC stream within the section.
  Status rows(const arrow::RecordBatch& batch);
  // Durable when it returns.
  Status close();
  int64_t size() const;  // bytes so far; after close: of the object
  uint32_t crc() const;  // after close: of all bytes, as the last block has it

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class StateReader {
 public:
  // Holds the whole object. not_found when it is absent, invalid when it is damaged or of a newer Weir.
  static Result<std::unique_ptr<StateReader>> open(ObjectStore& objects, const std::string& path);
  // The same for bytes at hand; `name` is for messages.
  static Result<std::unique_ptr<StateReader>> from_bytes(std::string bytes, const std::string& name);
  ~StateReader();
  // Enters the next section, which must be `name`; gives its version. invalid: another section, or newer than
  // `newest`.
  Result<uint32_t> section(std::string_view name, uint32_t newest);
  Status bytes(void* data, size_t size);
  // The next bytes without a copy, valid as long as the reader: for bulk restores. Not aligned.
  Result<std::string_view> view(size_t size);
  Result<uint8_t> u8();
  Result<uint32_t> u32();
  Result<int64_t> i64();
  Result<std::string> text();
  Result<std::shared_ptr<arrow::RecordBatch>> rows();
  bool at_end() const;

 private:
  StateReader();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A frozen view of an operator's state: written by another thread while the operator goes on.
class StateSnapshot {
 public:
  virtual ~StateSnapshot() = default;
  virtual Status write(StateWriter& writer) = 0;
};

}  // namespace weir
