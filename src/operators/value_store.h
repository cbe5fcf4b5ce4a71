// Values of variable size that belong to a table's entries: texts, lists, distinct sets.
//
// An entry's state holds a slot number (8 bytes; 0: none). One thread uses a store; its snapshots may be
// written and released by another. A snapshot shares the values: a value that is changed or released while a
// snapshot lives is copied or kept for it.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "state/state_file.h"

namespace weir {

class ValueStore {
 public:
  ValueStore() = default;
  ~ValueStore();
  ValueStore(ValueStore&& other) noexcept;
  ValueStore& operator=(ValueStore&& other) noexcept;

  // The bytes of a slot, valid until the next call that changes it; "" for slot 0.
  std::string_view get(uint64_t slot) const;
  // How many elements were appended or inserted.
  uint32_t count(uint64_t slot) const;
  // `slot` is made when it is 0. exhausted: a value above 2 GiB.
  Status set(uint64_t& slot, std::string_view bytes);
  Status append(uint64_t& slot, std::string_view bytes, uint32_t elements = 1);
  // Appends `element` unless it is there. Elements are one byte that is not 0, then `width` bytes (0: a u32
  // length and so many bytes); or the one byte 0, which is NULL.
  Status insert(uint64_t& slot, std::string_view element, size_t width);
  // Frees the value; the slot is 0 then.
  void release(uint64_t& slot);

  // Length of the element that begins at `element`.
  static size_t element_size(const char* element, size_t width);

  int64_t bytes() const { return bytes_ + static_cast<int64_t>(slots_.capacity() * sizeof(Value*)); }
  std::unique_ptr<StateSnapshot> snapshot();  // one section "values"
  Status restore(StateReader& reader);        // into an empty store

  struct Value;

 private:
  struct Graveyard;
  class Snapshot;

  bool shared(const Value& value) const;
  void bury(Value* value);
  // The slot's value, its own and with room for `extra` more bytes.
  Result<Value*> writable(uint64_t& slot, size_t extra);
  void index(Value& value, size_t width);
  void clear();

  std::vector<Value*> slots_;  // slot 1 is the first
  std::vector<uint64_t> free_;
  int64_t bytes_ = 0;
  uint32_t generation_ = 1;               // values born before the last snapshot have a lower one
  std::shared_ptr<Graveyard> graveyard_;  // shared with living snapshots: who goes last frees what lies there
};

}  // namespace weir
