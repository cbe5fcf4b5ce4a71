#include "state/key_table.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace weir {

namespace {

constexpr size_t kPageBytes = 32 * 1024;
constexpr size_t kFirstPageBytes = 1024;
constexpr size_t kFirstChunkBytes = 512;
constexpr size_t kChunkBytes = 64 * 1024;
constexpr size_t kFirstSlots = 16;
constexpr size_t kHugePageBytes = 2 * 1024 * 1024;
constexpr size_t kMostSlots = size_t{1} << 32;
// Rows whose slots, then entries, then arena bytes are asked for together: as many cache misses in flight.
constexpr size_t kBlock = 32;

// Entries, row by row. Owned by the table and by snapshots, whose threads only read.
class Page {
 public:
  Page() = default;
  // The bytes of `begin`, if it is one, then zeros.
  Page(size_t bytes, const Page& begin) {
    void* memory = ::operator new(sizeof(Head) + bytes);
    head_ = new (memory) Head{{1}, bytes};
    const size_t copied = begin.head_ == nullptr ? 0 : begin.bytes();
    if (copied != 0) std::memcpy(data(), begin.data(), copied);
    std::memset(data() + copied, 0, bytes - copied);
  }
  Page(const Page& other) : head_(other.head_) {
    if (head_ != nullptr) head_->owners.fetch_add(1, std::memory_order_relaxed);
  }
  Page(Page&& other) noexcept : head_(std::exchange(other.head_, nullptr)) {}
  Page& operator=(Page other) noexcept {
    std::swap(head_, other.head_);
    return *this;
  }
  ~Page() {
    if (head_ == nullptr || head_->owners.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    head_->~Head();
    ::operator delete(head_);
  }
  uint8_t* data() const { return reinterpret_cast<uint8_t*>(head_ + 1); }
  size_t bytes() const { return head_->bytes; }
  // What the other owners read happened before.
  bool shared() const { return head_->owners.load(std::memory_order_acquire) != 1; }

 private:
  struct alignas(16) Head {
    std::atomic<size_t> owners;
    size_t bytes;
  };
  Head* head_ = nullptr;
};

// Variable keys, [u32 length][bytes] each, which never move: entries and snapshots point to them.
class Arena {
 public:
  const uint8_t* put(std::string_view key) {
    const size_t size = 4 + key.size();
    uint8_t* to = at_;
    if (size > left_) {
      const size_t chunk = std::max(size, next_chunk_);
      chunks_.push_back(std::shared_ptr<uint8_t[]>(new uint8_t[chunk]));
      bytes_ += chunk;
      to = chunks_.back().get();
      if (chunk - size >= left_) {  // else the chunk in use has more room than what is left of this one
        at_ = to;
        left_ = chunk;
      }
      next_chunk_ = std::min(next_chunk_ * 2, kChunkBytes);
    }
    if (to == at_) {
      at_ += size;
      left_ -= size;
    }
    used_ += size;
    const auto length = static_cast<uint32_t>(key.size());
    std::memcpy(to, &length, 4);
    if (!key.empty()) std::memcpy(to + 4, key.data(), key.size());
    return to;
  }
  size_t bytes() const { return bytes_; }
  size_t used() const { return used_; }
  const std::vector<std::shared_ptr<uint8_t[]>>& chunks() const { return chunks_; }

 private:
  std::vector<std::shared_ptr<uint8_t[]>> chunks_;
  uint8_t* at_ = nullptr;
  size_t left_ = 0;
  size_t next_chunk_ = kFirstChunkBytes;
  size_t bytes_ = 0;
  size_t used_ = 0;
};

std::string_view stored_key(const uint8_t* at) {
  uint32_t size;
  std::memcpy(&size, at, 4);
  return {reinterpret_cast<const char*>(at) + 4, size};
}

const uint8_t* pointer_at(const uint8_t* row) {
  const uint8_t* pointer;
  std::memcpy(&pointer, row, 8);
  return pointer;
}

// How an entry's row begins.
struct Layout {
  size_t key_width = 0;  // 0: variable
  size_t state_width = 0;
  size_t key_bytes() const { return key_width == 0 ? 8 : key_width; }
  size_t row_bytes() const { return key_bytes() + state_width; }
  std::string_view key(const uint8_t* row) const {
    return key_width != 0 ? std::string_view(reinterpret_cast<const char*>(row), key_width)
                          : stored_key(pointer_at(row));
  }
};

// Slots: hash bits in the upper half, the entry's number + 1 in the lower; 0: free. A slot's place comes from
// the upper bits of those 32, so that growing walks old and new slots in the same order.
class Slots {
 public:
  Slots() = default;
  explicit Slots(size_t count) : slots_(allocate(count * 8)), mask_(count - 1) {
    while ((kMostSlots >> shift_) > count) ++shift_;
  }
  Slots(Slots&& other) noexcept { *this = std::move(other); }
  Slots& operator=(Slots&& other) noexcept {
    std::swap(slots_, other.slots_);
    std::swap(mask_, other.mask_);
    std::swap(shift_, other.shift_);
    return *this;
  }
  ~Slots() {
    if (slots_ == nullptr) return;
    if (mapped()) {
      munmap(slots_, count() * 8);
    } else {
      std::free(slots_);
    }
  }

  size_t count() const { return slots_ == nullptr ? 0 : mask_ + 1; }
  size_t home(uint64_t hash) const { return static_cast<uint32_t>(hash) >> shift_; }
  size_t after(size_t place) const { return (place + 1) & mask_; }
  uint64_t operator[](size_t place) const { return slots_[place]; }
  void set(size_t place, uint64_t hash, uint32_t entry) {
    slots_[place] = (hash << 32) | (uint64_t{entry} + 1);
  }
  void prefetch(uint64_t hash) const { __builtin_prefetch(slots_ + home(hash)); }
  // Puts a key that is known to be new.
  void put(uint64_t hash, uint32_t entry) {
    size_t place = home(hash);
    while (slots_[place] != 0) place = after(place);
    set(place, hash, entry);
  }

 private:
  bool mapped() const { return count() * 8 >= kHugePageBytes; }
  // Zeros. Large tables lie in huge pages: each probe goes to another place, which the TLB must know too.
  static uint64_t* allocate(size_t bytes) {
    if (bytes < kHugePageBytes) {
      auto* slots = static_cast<uint64_t*>(std::calloc(1, bytes));
      if (slots == nullptr) throw std::bad_alloc();
      return slots;
    }
    const size_t around = bytes + kHugePageBytes;
    void* mapping = mmap(nullptr, around, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED) throw std::bad_alloc();
    auto* begin = static_cast<uint8_t*>(mapping);
    const size_t before =
        (kHugePageBytes - reinterpret_cast<uintptr_t>(begin) % kHugePageBytes) % kHugePageBytes;
    if (before != 0) munmap(begin, before);
    munmap(begin + before + bytes, kHugePageBytes - before);
    madvise(begin + before, bytes, MADV_HUGEPAGE);
    return reinterpret_cast<uint64_t*>(begin + before);
  }

  uint64_t* slots_ = nullptr;
  size_t mask_ = 0;
  uint32_t shift_ = 0;
};

bool same_hash(uint64_t slot, uint64_t hash) { return (slot >> 32) == static_cast<uint32_t>(hash); }
uint32_t entry_of(uint64_t slot) { return static_cast<uint32_t>(slot) - 1; }

size_t slots_for(size_t entries) {
  size_t count = kFirstSlots;
  while (entries > count / 8 * 7) count *= 2;
  return count;
}

}  // namespace

struct KeyTable::Impl {
  Layout layout;
  size_t row_bytes = 0;
  uint32_t page_shift = 0;  // rows of a full page, as a power of two
  size_t size = 0;
  size_t limit = 0;       // entries that the slots may hold
  size_t first_rows = 0;  // rows that page 0 has room for, while it grows
  std::vector<Page> pages;
  std::vector<uint8_t> frozen;  // by page: a snapshot took it since it was last written
  Slots slots;
  Arena arena;
  size_t arena_live = 0;  // bytes of `arena` that entries point to

  Impl(size_t key_width, size_t state_width) : layout{key_width, state_width}, row_bytes(layout.row_bytes()) {
    while ((row_bytes << (page_shift + 1)) <= kPageBytes) ++page_shift;
  }

  size_t page_rows() const { return size_t{1} << page_shift; }
  uint8_t* row(size_t entry) const {
    return pages[entry >> page_shift].data() + (entry & (page_rows() - 1)) * row_bytes;
  }
  void thaw(size_t page) {
    if (frozen[page] == 0) return;
    frozen[page] = 0;
    if (!pages[page].shared()) return;
    pages[page] = Page(pages[page].bytes(), pages[page]);
  }
  uint8_t* writable_row(size_t entry) {
    thaw(entry >> page_shift);
    return row(entry);
  }

  // Room for entry number `size`.
  void make_room() {
    const size_t page = size >> page_shift;
    if (page < pages.size()) {
      if (page > 0 || size < first_rows) return;
      first_rows = std::min(first_rows * 2, page_rows());
      pages[0] = Page(first_rows * row_bytes, pages[0]);
      frozen[0] = 0;
      return;
    }
    size_t rows = page_rows();
    if (page == 0) {
      rows = first_rows = std::clamp<size_t>(kFirstPageBytes / row_bytes, 1, page_rows());
    }
    pages.emplace_back(rows * row_bytes, Page());
    frozen.push_back(0);
  }

  uint32_t append(std::string_view key) {
    make_room();
    uint8_t* to = writable_row(size);
    if (layout.key_width != 0) {
      std::memcpy(to, key.data(), layout.key_width);
    } else {
      const uint8_t* at = arena.put(key);
      std::memcpy(to, &at, 8);
      arena_live += 4 + key.size();
    }
    return static_cast<uint32_t>(size++);
  }

  void reslot(size_t count, const std::vector<uint32_t>* numbers) {
    Slots next(count);
    for (size_t place = 0; place < slots.count(); ++place) {
      const uint64_t slot = slots[place];
      if (slot == 0) continue;
      const uint32_t entry = numbers == nullptr ? entry_of(slot) : (*numbers)[entry_of(slot)];
      if (entry != kNone) next.put(slot >> 32, entry);
    }
    slots = std::move(next);
    limit = count / 8 * 7;
  }

  Status grow() {
    if (slots.count() == kMostSlots) {
      return {Code::exhausted, "a table of keys is full: more than " + std::to_string(limit) + " keys"};
    }
    reslot(slots.count() == 0 ? kFirstSlots : slots.count() * 2, nullptr);
    return {};
  }

  // W: bytes of a key, known to the compiler; 0: variable; 1: any other fixed width.
  template <size_t W>
  bool equal(const uint8_t* row, std::string_view key) const {
    if constexpr (W == 0) {
      return stored_key(pointer_at(row)) == key;
    } else {
      return std::memcmp(row, key.data(), W == 1 ? layout.key_width : W) == 0;
    }
  }

  // The place of the key's slot from `place` on, or of the free one where it would be.
  template <size_t W>
  size_t look(size_t place, uint64_t hash, std::string_view key) const {
    for (;; place = slots.after(place)) {
      const uint64_t slot = slots[place];
      if (slot == 0 || (same_hash(slot, hash) && equal<W>(row(entry_of(slot)), key))) return place;
    }
  }

  template <size_t W>
  static std::string_view key_of(const EncodedKeys& keys, size_t i) {
    if constexpr (W > 1) return {reinterpret_cast<const char*>(keys.bytes.data()) + i * W, W};
    return keys.key(i);
  }

  // Gives for each row of a block the first place whose slot may be its own; what look() will read from there
  // is on its way to the cache.
  template <size_t W>
  void approach(const EncodedKeys& keys, const uint32_t* rows, size_t base, size_t count,
                size_t* places) const {
    uint64_t hashes[kBlock];
    for (size_t i = 0; i < count; ++i) {
      hashes[i] = keys.hashes[rows != nullptr ? rows[base + i] : base + i];
      slots.prefetch(hashes[i]);
    }
    for (size_t i = 0; i < count; ++i) {
      size_t place = slots.home(hashes[i]);
      uint64_t slot = slots[place];
      while (slot != 0 && !same_hash(slot, hashes[i])) slot = slots[place = slots.after(place)];
      places[i] = place;
      if (slot != 0) __builtin_prefetch(row(entry_of(slot)), 1);
    }
    if constexpr (W == 0) {
      for (size_t i = 0; i < count; ++i) {
        const uint64_t slot = slots[places[i]];
        if (slot != 0) __builtin_prefetch(pointer_at(row(entry_of(slot))));
      }
    }
  }

  template <size_t W>
  Status find_or_insert(const EncodedKeys& keys, const uint32_t* rows, size_t count, uint32_t* entries) {
    if (count > 0 && slots.count() == 0) WEIR_TRY(grow());
    size_t places[kBlock];
    for (size_t base = 0; base < count; base += kBlock) {
      const size_t block = std::min(kBlock, count - base);
      approach<W>(keys, rows, base, block, places);
      bool moved = false;  // the slots were grown: `places` mean nothing any more
      for (size_t i = 0; i < block; ++i) {
        const size_t key_row = rows != nullptr ? rows[base + i] : base + i;
        const uint64_t hash = keys.hashes[key_row];
        const std::string_view key = key_of<W>(keys, key_row);
        size_t place = look<W>(moved ? slots.home(hash) : places[i], hash, key);
        if (slots[place] == 0) {
          if (size >= limit) {
            WEIR_TRY(grow());
            moved = true;
            place = look<W>(slots.home(hash), hash, key);
          }
          slots.set(place, hash, append(key));
        }
        entries[base + i] = entry_of(slots[place]);
      }
    }
    return {};
  }

  template <size_t W>
  void find(const EncodedKeys& keys, const uint32_t* rows, size_t count, uint32_t* entries) const {
    size_t places[kBlock];
    for (size_t base = 0; base < count; base += kBlock) {
      const size_t block = std::min(kBlock, count - base);
      approach<W>(keys, rows, base, block, places);
      for (size_t i = 0; i < block; ++i) {
        const size_t key_row = rows != nullptr ? rows[base + i] : base + i;
        const size_t place = look<W>(places[i], keys.hashes[key_row], key_of<W>(keys, key_row));
        entries[base + i] = entry_of(slots[place]);  // a free slot's 0 becomes kNone
      }
    }
  }

  // Calls body(std::integral_constant<size_t, W>) with the W of this table's keys.
  template <typename Body>
  auto by_width(Body&& body) const {
    switch (layout.key_width) {
      case 0: return body(std::integral_constant<size_t, 0>());
      case 8: return body(std::integral_constant<size_t, 8>());
      case 16: return body(std::integral_constant<size_t, 16>());
      case 24: return body(std::integral_constant<size_t, 24>());
      default: return body(std::integral_constant<size_t, 1>());
    }
  }

  void cut_pages() {
    const size_t keep = (size + page_rows() - 1) >> page_shift;
    pages.resize(keep);
    frozen.resize(keep);
  }

  Status restore_fixed(StateReader& reader, size_t count);
  Status restore_variable(StateReader& reader, size_t count);
  void slot_all();
};

KeyTable::KeyTable(size_t key_width, size_t state_width)
    : impl_(std::make_unique<Impl>(key_width, state_width)) {
  WEIR_CHECK(key_width % 8 == 0 && state_width % 8 == 0, "widths are multiples of 8");
}
KeyTable::~KeyTable() = default;
KeyTable::KeyTable(KeyTable&&) noexcept = default;
KeyTable& KeyTable::operator=(KeyTable&&) noexcept = default;

Status KeyTable::find_or_insert(const EncodedKeys& keys, const uint32_t* rows, size_t count,
                                uint32_t* entries) {
  WEIR_CHECK(keys.width == impl_->layout.key_width, "keys of another encoder");
  return impl_->by_width(
      [&](auto width) { return impl_->find_or_insert<decltype(width)::value>(keys, rows, count, entries); });
}

void KeyTable::find(const EncodedKeys& keys, const uint32_t* rows, size_t count, uint32_t* entries) const {
  WEIR_CHECK(keys.width == impl_->layout.key_width, "keys of another encoder");
  if (impl_->size == 0) {
    std::fill_n(entries, count, kNone);
    return;
  }
  impl_->by_width([&](auto width) { impl_->find<decltype(width)::value>(keys, rows, count, entries); });
}

Result<uint32_t> KeyTable::find_or_insert(std::string_view key, uint64_t hash, bool& inserted) {
  Impl& impl = *impl_;
  if (impl.slots.count() == 0) WEIR_TRY(impl.grow());
  return impl.by_width([&](auto width) -> Result<uint32_t> {
    constexpr size_t kWidth = decltype(width)::value;
    size_t place = impl.look<kWidth>(impl.slots.home(hash), hash, key);
    inserted = impl.slots[place] == 0;
    if (inserted) {
      if (impl.size >= impl.limit) {
        WEIR_TRY(impl.grow());
        place = impl.look<kWidth>(impl.slots.home(hash), hash, key);
      }
      impl.slots.set(place, hash, impl.append(key));
    }
    return entry_of(impl.slots[place]);
  });
}

size_t KeyTable::size() const { return impl_->size; }

std::string_view KeyTable::key(uint32_t entry) const { return impl_->layout.key(impl_->row(entry)); }

uint64_t KeyTable::hash(uint32_t entry) const { return hash_key(key(entry), impl_->layout.key_width); }

const uint8_t* KeyTable::state(uint32_t entry) const { return impl_->row(entry) + impl_->layout.key_bytes(); }

uint8_t* KeyTable::mutable_state(uint32_t entry) {
  return impl_->writable_row(entry) + impl_->layout.key_bytes();
}

void KeyTable::mutable_states(const uint32_t* entries, size_t count, uint8_t** states) {
  const size_t key_bytes = impl_->layout.key_bytes();
  for (size_t i = 0; i < count; ++i) states[i] = impl_->writable_row(entries[i]) + key_bytes;
}

void KeyTable::erase(const std::vector<uint8_t>& mark) {
  Impl& impl = *impl_;
  WEIR_CHECK(mark.size() == impl.size, "a mark for each entry");
  std::vector<uint32_t> numbers(impl.size);
  size_t kept = 0;
  for (size_t i = 0; i < mark.size(); ++i) {
    numbers[i] = mark[i] != 0 ? kNone : static_cast<uint32_t>(kept++);
  }
  if (kept == impl.size) return;
  if (kept == 0) {
    clear();
    return;
  }
  const bool variable = impl.layout.key_width == 0;
  for (size_t i = 0; i < mark.size(); ++i) {
    if (mark[i] != 0) {
      if (variable) impl.arena_live -= 4 + impl.layout.key(impl.row(i)).size();
    } else if (numbers[i] != i) {
      uint8_t* to = impl.writable_row(numbers[i]);  // may move the page that row(i) lies in
      std::memcpy(to, impl.row(i), impl.row_bytes);
    }
  }
  impl.size = kept;
  impl.cut_pages();
  // A new entry's state is zero, also where an old one was.
  const size_t left = kept & (impl.page_rows() - 1);
  if (left != 0) {
    const size_t last = impl.pages.size() - 1;
    impl.thaw(last);
    std::memset(impl.row(kept - 1) + impl.row_bytes, 0, impl.pages[last].bytes() - left * impl.row_bytes);
  }
  if (variable && impl.arena_live < impl.arena.used() / 2) {
    Arena compact;
    for (size_t i = 0; i < kept; ++i) {
      uint8_t* row = impl.writable_row(i);
      const uint8_t* at = compact.put(impl.layout.key(row));
      std::memcpy(row, &at, 8);
    }
    impl.arena = std::move(compact);
  }
  // Fewer slots only when many are free, so that a table whose size swings is not grown again and again.
  const size_t count = kept < impl.slots.count() / 8 ? slots_for(kept * 2) : impl.slots.count();
  impl.reslot(count, &numbers);
}

void KeyTable::clear() { impl_ = std::make_unique<Impl>(impl_->layout.key_width, impl_->layout.state_width); }

int64_t KeyTable::bytes() const {
  size_t bytes = sizeof(Impl) + impl_->slots.count() * 8 + impl_->arena.bytes();
  bytes += impl_->pages.capacity() * sizeof(Page) + impl_->frozen.capacity();
  if (!impl_->pages.empty()) {
    bytes += impl_->pages[0].bytes() + (impl_->pages.size() - 1) * impl_->page_rows() * impl_->row_bytes;
  }
  return static_cast<int64_t>(bytes);
}

// ---- snapshots: u32 key width, u32 state width, i64 entries; then fixed keys: the rows; variable keys:
// chunks [u32 rows][u32 bytes], each row [u32 length][key][state].

namespace {

constexpr uint32_t kSnapshotVersion = 1;
constexpr size_t kSnapshotChunkBytes = 256 * 1024;

class KeyTableSnapshot : public StateSnapshot {
 public:
  KeyTableSnapshot(Layout layout, size_t size, uint32_t page_shift, std::vector<Page> pages,
                   std::vector<std::shared_ptr<uint8_t[]>> chunks)
      : layout_(layout),
        size_(size),
        page_shift_(page_shift),
        pages_(std::move(pages)),
        chunks_(std::move(chunks)) {}

  Status write(StateWriter& writer) override {
    WEIR_TRY(writer.section("keys", kSnapshotVersion));
    WEIR_TRY(writer.u32(static_cast<uint32_t>(layout_.key_width)));
    WEIR_TRY(writer.u32(static_cast<uint32_t>(layout_.state_width)));
    WEIR_TRY(writer.i64(static_cast<int64_t>(size_)));
    const size_t page_rows = size_t{1} << page_shift_;
    for (size_t i = 0; i < pages_.size(); ++i) {
      const size_t rows = std::min(page_rows, size_ - i * page_rows);
      if (layout_.key_width != 0) {
        WEIR_TRY(writer.bytes(pages_[i].data(), rows * layout_.row_bytes()));
      } else {
        WEIR_TRY(write_variable(writer, pages_[i].data(), rows));
      }
      pages_[i] = Page();  // from here on the table need not copy it
    }
    return {};
  }

 private:
  Status write_variable(StateWriter& writer, const uint8_t* row, size_t rows) {
    std::string chunk;
    uint32_t chunk_rows = 0;
    for (size_t i = 0; i < rows; ++i, row += layout_.row_bytes()) {
      const std::string_view key = layout_.key(row);
      chunk.append(key.data() - 4, 4 + key.size());
      chunk.append(reinterpret_cast<const char*>(row) + 8, layout_.state_width);
      ++chunk_rows;
      if (chunk.size() < kSnapshotChunkBytes && i + 1 < rows) continue;
      WEIR_TRY(writer.u32(chunk_rows));
      WEIR_TRY(writer.u32(static_cast<uint32_t>(chunk.size())));
      WEIR_TRY(writer.bytes(chunk.data(), chunk.size()));
      chunk.clear();
      chunk_rows = 0;
    }
    return {};
  }

  Layout layout_;
  size_t size_;
  uint32_t page_shift_;
  std::vector<Page> pages_;
  std::vector<std::shared_ptr<uint8_t[]>> chunks_;  // what the entries point to
};

}  // namespace

std::unique_ptr<StateSnapshot> KeyTable::snapshot() {
  std::fill(impl_->frozen.begin(), impl_->frozen.end(), 1);
  return std::make_unique<KeyTableSnapshot>(impl_->layout, impl_->size, impl_->page_shift, impl_->pages,
                                            impl_->arena.chunks());
}

Status KeyTable::restore(StateReader& reader) {
  clear();
  Impl& impl = *impl_;
  WEIR_TRY(reader.section("keys", kSnapshotVersion).status());
  WEIR_ASSIGN(const uint32_t key_width, reader.u32());
  WEIR_ASSIGN(const uint32_t state_width, reader.u32());
  WEIR_ASSIGN(const int64_t count, reader.i64());
  if (key_width != impl.layout.key_width || state_width != impl.layout.state_width) {
    return Status::invalid("the state holds keys of " + std::to_string(key_width) + " and values of " +
                           std::to_string(state_width) + " bytes, this query has " +
                           std::to_string(impl.layout.key_width) + " and " +
                           std::to_string(impl.layout.state_width) + " (0: variable)");
  }
  if (count < 0 || static_cast<size_t>(count) > kMostSlots / 8 * 7) {
    return Status::invalid("damaged: a table of " + std::to_string(count) + " keys");
  }
  if (count == 0) return {};
  WEIR_TRY(key_width != 0 ? impl.restore_fixed(reader, static_cast<size_t>(count))
                          : impl.restore_variable(reader, static_cast<size_t>(count)));
  impl.slot_all();
  return {};
}

Status KeyTable::Impl::restore_fixed(StateReader& reader, size_t count) {
  while (size < count) {
    make_room();
    const size_t room = pages.size() == 1 ? first_rows : page_rows();
    const size_t begin = size & (page_rows() - 1);
    const size_t rows = std::min(room - begin, count - size);
    WEIR_TRY(reader.bytes(row(size), rows * row_bytes));
    size += rows;
  }
  return {};
}

Status KeyTable::Impl::restore_variable(StateReader& reader, size_t count) {
  while (size < count) {
    WEIR_ASSIGN(const uint32_t rows, reader.u32());
    WEIR_ASSIGN(const uint32_t bytes, reader.u32());
    WEIR_ASSIGN(const std::string_view chunk, reader.view(bytes));
    const auto* at = reinterpret_cast<const uint8_t*>(chunk.data());
    const uint8_t* const end = at + chunk.size();
    for (uint32_t i = 0; i < rows; ++i) {
      const auto left = static_cast<size_t>(end - at);
      if (left < 4 || stored_key(at).size() + 4 + layout.state_width > left || size == count) {
        return Status::invalid("damaged: a key runs over its chunk");
      }
      const std::string_view key = stored_key(at);
      const uint32_t entry = append(key);
      at += 4 + key.size();
      std::memcpy(row(entry) + 8, at, layout.state_width);
      at += layout.state_width;
    }
    if (at != end || rows == 0) return Status::invalid("damaged: a chunk of keys with another length");
  }
  return {};
}

void KeyTable::Impl::slot_all() {
  slots = Slots(slots_for(size));
  limit = slots.count() / 8 * 7;
  uint64_t hashes[kBlock];
  for (size_t base = 0; base < size; base += kBlock) {
    const size_t block = std::min(kBlock, size - base);
    for (size_t i = 0; i < block; ++i) {
      hashes[i] = hash_key(layout.key(row(base + i)), layout.key_width);
      slots.prefetch(hashes[i]);
    }
    for (size_t i = 0; i < block; ++i) slots.put(hashes[i], static_cast<uint32_t>(base + i));
  }
}

}  // namespace weir
