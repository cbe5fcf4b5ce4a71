// 64-bit keys -> the newest row of the key and how many it has; open addressing. Who links the other rows is
// the caller.
#pragma once

#include <cstdint>
#include <vector>

namespace weir {

class KeyIndex {
 public:
  struct Slot {
    uint64_t key = 0;
    uint32_t head = 0;
    uint32_t count = 0;  // 0: the slot is free
  };

  // Empties it; room for so many keys without growing.
  void reset(size_t keys) {
    size_t size = 16;
    while (size < keys * 2) size *= 2;
    slots_.assign(size, {});
    shift_ = 64 - __builtin_ctzll(size);
    used_ = 0;
  }
  void clear() {
    slots_ = {};
    used_ = 0;
  }
  bool empty() const { return used_ == 0; }
  int64_t bytes() const { return static_cast<int64_t>(slots_.capacity() * sizeof(Slot)); }

  // Makes `row` the key's head; returns the head before it (any number when there was none).
  uint32_t push(uint64_t key, uint32_t row) {
    if (used_ * 3 >= slots_.size() * 2) grow();
    Slot& slot = slots_[place(key)];
    uint32_t before = slot.head;
    if (slot.count == 0) {
      slot.key = key;
      ++used_;
    }
    slot.head = row;
    ++slot.count;
    return before;
  }
  // Null: there is none. The index is not empty.
  const Slot* find(uint64_t key) const {
    const Slot& slot = slots_[place(key)];
    return slot.count == 0 ? nullptr : &slot;
  }
  void prefetch(uint64_t key) const {
    if (!slots_.empty()) __builtin_prefetch(&slots_[start(key)]);
  }

  static uint64_t spread(uint64_t key) { return (key ^ (key >> 32)) * 0x9e3779b97f4a7c15ull; }

 private:
  size_t start(uint64_t key) const { return spread(key) >> shift_; }
  size_t place(uint64_t key) const {
    size_t mask = slots_.size() - 1;
    size_t at = start(key);
    while (slots_[at].count != 0 && slots_[at].key != key) at = (at + 1) & mask;
    return at;
  }
  void grow() {
    std::vector<Slot> old(slots_.empty() ? 64 : slots_.size() * 2);
    old.swap(slots_);
    shift_ = 64 - __builtin_ctzll(slots_.size());
    for (const Slot& slot : old) {
      if (slot.count != 0) slots_[place(slot.key)] = slot;
    }
  }

  std::vector<Slot> slots_;
  int shift_ = 64;
  size_t used_ = 0;
};

// Says of most keys that are not among a few that they are not: one bit a hash, 16 bits a key.
class KeyFilter {
 public:
  void reset(size_t keys) {
    size_t words = 4;
    while (words * 64 < keys * 16) words *= 2;
    words_.assign(words, 0);
    shift_ = 64 - 6 - __builtin_ctzll(words);
  }
  void add(uint64_t key) { words_[place(key) >> 6] |= uint64_t{1} << (place(key) & 63); }
  bool may_have(uint64_t key) const { return (words_[place(key) >> 6] >> (place(key) & 63)) & 1; }

 private:
  size_t place(uint64_t key) const { return KeyIndex::spread(key) >> shift_; }

  std::vector<uint64_t> words_;
  int shift_ = 0;
};

}  // namespace weir
