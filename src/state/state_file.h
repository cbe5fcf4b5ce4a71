// How operators write state down and get it back: a sequence of sections, each with a name and a version.
//
// Format (docs/formats/state.md): "WEIRST01", then blocks [u32 length][u32 CRC-32C][bytes] of at most 1 MiB,
// then a block of length 0 whose CRC field holds the CRC of all bytes. Little-endian. A reader checks every
// block before it hands out a byte of it; a cut or changed file is `invalid`, with the words "damaged".
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/objects.h"
#include "base/status.h"

namespace weir {

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
  int64_t size() const;  // bytes so far

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class StateReader {
 public:
  // Holds the whole object; `name` is for messages.
  static Result<std::unique_ptr<StateReader>> open(ObjectStore& objects, const std::string& path);
  ~StateReader();
  // Enters the next section, which must be `name`; gives its version. invalid: another section, or newer than
  // `newest`.
  Result<uint32_t> section(std::string_view name, uint32_t newest);
  Status bytes(void* data, size_t size);
  // A view into the file, valid as long as the reader: for bulk restores without a copy where it lies in one
  // piece.
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
