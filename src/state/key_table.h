// Keys -> dense entry numbers, each entry with its key and a fixed number of state bytes.
//
// Open addressing over 8-byte slots (32 hash bits and the entry's number), grown at 7/8. Entries lie in
// pages, row by row: key (fixed: its bytes; variable: 8 bytes that point into an arena), then state. Pages
// are shared with snapshots and copied when they are first written after one (copy on write), so that a
// snapshot takes the time of copying pointers. Slots are not part of a snapshot: a restore builds them anew
// from the keys.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "state/key_encoder.h"
#include "state/state_file.h"

namespace weir {

class KeyTable {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  // key_width: KeyEncoder::width() (0: variable); state_width: a multiple of 8. A new entry's state is all
  // zero.
  KeyTable(size_t key_width, size_t state_width);
  ~KeyTable();
  KeyTable(KeyTable&&) noexcept;
  KeyTable& operator=(KeyTable&&) noexcept;

  // The entry of each given row of `keys`, made where it is missing; entries[i] belongs to rows[i] (all rows
  // when `rows` is null, `count` then is keys.size()). Prefetches. exhausted: more than 7/8 of 2^32 entries.
  Status find_or_insert(const EncodedKeys& keys, const uint32_t* rows, size_t count, uint32_t* entries);
  // The same without making any: kNone where there is none.
  void find(const EncodedKeys& keys, const uint32_t* rows, size_t count, uint32_t* entries) const;
  // One key; `inserted` tells whether it is new.
  Result<uint32_t> find_or_insert(std::string_view key, uint64_t hash, bool& inserted);

  size_t size() const;  // entries
  std::string_view key(uint32_t entry) const;
  uint64_t hash(uint32_t entry) const;
  const uint8_t* state(uint32_t entry) const;
  // Copies the entry's page first when a snapshot shares it. Valid until the next call that is not const.
  uint8_t* mutable_state(uint32_t entry);
  // Makes the pages of all these entries writable, then gives their states: one check a row, for tight loops.
  void mutable_states(const uint32_t* entries, size_t count, uint8_t** states);

  // Takes the marked entries out (mark[entry] != 0) and numbers the rest anew, in order.
  void erase(const std::vector<uint8_t>& mark);
  void clear();
  int64_t bytes() const;  // memory: slots, pages, arena

  std::unique_ptr<StateSnapshot> snapshot();  // one section "keys"
  Status restore(StateReader& reader);        // invalid: other widths

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
