#include "operators/value_store.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace weir {

namespace {

constexpr size_t kMaxBytes = size_t{1} << 31;
constexpr uint32_t kUnindexed = 8;  // sets up to this size are searched one by one
constexpr uint32_t kFree = UINT32_MAX;

uint64_t mix(uint64_t a, uint64_t b) {
  unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

// Only within a process: a restore builds the indexes anew.
uint64_t hash_of(std::string_view bytes) {
  uint64_t hash = bytes.size() * 0x9E3779B97F4A7C15u;
  while (bytes.size() >= 8) {
    uint64_t word;
    std::memcpy(&word, bytes.data(), 8);
    hash = mix(hash ^ word, 0xA0761D6478BD642Fu);
    bytes.remove_prefix(8);
  }
  uint64_t word = 0;
  std::memcpy(&word, bytes.data(), bytes.size());
  return mix(hash ^ word, 0xE7037ED1A0B428DBu);
}

}  // namespace

struct ValueStore::Value {
  uint32_t size = 0;
  uint32_t capacity = 0;
  uint32_t count = 0;
  uint32_t born = 0;
  // Of sets above kUnindexed: places of elements + 1, in a power of two of slots; index[0] is that less one.
  uint32_t* index = nullptr;

  char* data() { return reinterpret_cast<char*>(this + 1); }
  std::string_view view() { return {data(), size}; }
  size_t footprint() const {
    return sizeof(Value) + capacity + (index != nullptr ? (index[0] + size_t{2}) * sizeof(uint32_t) : 0);
  }

  static Value* make(size_t capacity) {
    Value* value = new (std::malloc(sizeof(Value) + capacity)) Value;
    value->capacity = static_cast<uint32_t>(capacity);
    return value;
  }
  static void free(Value* value) {
    std::free(value->index);
    std::free(value);
  }
};

struct ValueStore::Graveyard {
  std::vector<Value*> dead;
  ~Graveyard() {
    for (Value* value : dead) Value::free(value);
  }
};

class ValueStore::Snapshot final : public StateSnapshot {
 public:
  Snapshot(std::vector<Value*> slots, std::shared_ptr<Graveyard> graveyard)
      : graveyard_(std::move(graveyard)), slots_(std::move(slots)) {}

  Status write(StateWriter& writer) override {
    WEIR_TRY(writer.section("values", 1));
    WEIR_TRY(writer.i64(static_cast<int64_t>(slots_.size())));
    for (Value* value : slots_) {
      if (value == nullptr) {
        WEIR_TRY(writer.u32(kFree));
        continue;
      }
      WEIR_TRY(writer.u32(value->size));
      WEIR_TRY(writer.u32(value->count));
      WEIR_TRY(writer.bytes(value->data(), value->size));
    }
    return {};
  }

 private:
  std::shared_ptr<Graveyard> graveyard_;  // keeps the values of slots_
  std::vector<Value*> slots_;
};

ValueStore::~ValueStore() { clear(); }

ValueStore::ValueStore(ValueStore&& other) noexcept { *this = std::move(other); }

ValueStore& ValueStore::operator=(ValueStore&& other) noexcept {
  if (this == &other) return *this;
  clear();
  slots_ = std::exchange(other.slots_, {});
  free_ = std::exchange(other.free_, {});
  bytes_ = std::exchange(other.bytes_, 0);
  generation_ = other.generation_;
  graveyard_ = std::move(other.graveyard_);
  return *this;
}

void ValueStore::clear() {
  for (Value* value : slots_) {
    if (value != nullptr) bury(value);
  }
  slots_.clear();
  free_.clear();
  bytes_ = 0;
}

std::string_view ValueStore::get(uint64_t slot) const {
  return slot == 0 ? std::string_view() : slots_[slot - 1]->view();
}

uint32_t ValueStore::count(uint64_t slot) const { return slot == 0 ? 0 : slots_[slot - 1]->count; }

bool ValueStore::shared(const Value& value) const {
  if (value.born == generation_ || graveyard_ == nullptr || graveyard_.use_count() == 1) {
    // What the snapshot's thread read happened before its release of the graveyard.
    std::atomic_thread_fence(std::memory_order_acquire);
    return false;
  }
  return true;
}

void ValueStore::bury(Value* value) {
  if (shared(*value)) {
    graveyard_->dead.push_back(value);
  } else {
    Value::free(value);
    if (graveyard_ != nullptr && graveyard_.use_count() == 1) graveyard_.reset();
  }
}

Result<ValueStore::Value*> ValueStore::writable(uint64_t& slot, size_t extra) {
  if (slot == 0) {
    if (free_.empty()) {
      slots_.push_back(nullptr);
      slot = slots_.size();
    } else {
      slot = free_.back();
      free_.pop_back();
    }
  }
  Value*& place = slots_[slot - 1];
  size_t size = place == nullptr ? 0 : place->size;
  if (size + extra > kMaxBytes) {
    return Status(Code::exhausted, "an aggregate's text or list has grown above 2 GiB");
  }
  if (place != nullptr && size + extra <= place->capacity && !shared(*place)) return place;
  size_t capacity = size + extra;
  if (place != nullptr) capacity = std::max(capacity, std::min(kMaxBytes, size + size / 2 + 16));
  Value* made = Value::make((capacity + 7) & ~size_t{7});
  made->born = generation_;
  if (place != nullptr) {
    made->size = place->size;
    made->count = place->count;
    std::memcpy(made->data(), place->data(), size);
    bytes_ -= static_cast<int64_t>(place->footprint());
    if (place->index != nullptr && !shared(*place)) {
      made->index = std::exchange(place->index, nullptr);
    } else if (place->index != nullptr) {
      size_t index_bytes = (place->index[0] + size_t{2}) * sizeof(uint32_t);
      made->index = static_cast<uint32_t*>(std::malloc(index_bytes));
      std::memcpy(made->index, place->index, index_bytes);
    }
    bury(place);
  }
  bytes_ += static_cast<int64_t>(made->footprint());
  place = made;
  return made;
}

Status ValueStore::set(uint64_t& slot, std::string_view bytes) {
  size_t size = get(slot).size();
  WEIR_ASSIGN(Value * value, writable(slot, bytes.size() > size ? bytes.size() - size : 0));
  std::memcpy(value->data(), bytes.data(), bytes.size());
  value->size = static_cast<uint32_t>(bytes.size());
  return {};
}

Status ValueStore::append(uint64_t& slot, std::string_view bytes, uint32_t elements) {
  WEIR_ASSIGN(Value * value, writable(slot, bytes.size()));
  if (!bytes.empty()) std::memcpy(value->data() + value->size, bytes.data(), bytes.size());
  value->size += static_cast<uint32_t>(bytes.size());
  value->count += elements;
  return {};
}

size_t ValueStore::element_size(const char* element, size_t width) {
  if (*element == 0) return 1;
  if (width != 0) return 1 + width;
  uint32_t length;
  std::memcpy(&length, element + 1, 4);
  return 5 + size_t{length};
}

void ValueStore::index(Value& value, size_t width) {
  uint32_t slots = 32;
  while (slots < value.count * 2) slots *= 2;
  bytes_ -= static_cast<int64_t>(value.footprint());
  std::free(value.index);
  value.index = static_cast<uint32_t*>(std::calloc(slots + size_t{1}, sizeof(uint32_t)));
  value.index[0] = slots - 1;
  bytes_ += static_cast<int64_t>(value.footprint());
  for (uint32_t at = 0; at < value.size;) {
    size_t size = element_size(value.data() + at, width);
    uint64_t place = hash_of({value.data() + at, size}) & value.index[0];
    while (value.index[1 + place] != 0) place = (place + 1) & value.index[0];
    value.index[1 + place] = at + 1;
    at += static_cast<uint32_t>(size);
  }
}

Status ValueStore::insert(uint64_t& slot, std::string_view element, size_t width) {
  Value* value = slot == 0 ? nullptr : slots_[slot - 1];
  if (value != nullptr && value->count <= kUnindexed) {
    for (uint32_t at = 0; at < value->size;) {
      size_t size = element_size(value->data() + at, width);
      if (element == std::string_view(value->data() + at, size)) return {};
      at += static_cast<uint32_t>(size);
    }
    return append(slot, element);
  }
  if (value == nullptr) return append(slot, element);
  if (value->index == nullptr || (value->count + size_t{1}) * 4 > (value->index[0] + size_t{1}) * 3) {
    // A snapshot may read this value now, but never its index.
    index(*value, width);
  }
  uint64_t place = hash_of(element) & value->index[0];
  for (; value->index[1 + place] != 0; place = (place + 1) & value->index[0]) {
    size_t at = value->index[1 + place] - 1;
    if (at + element.size() <= value->size &&
        std::memcmp(value->data() + at, element.data(), element.size()) == 0) {
      return {};
    }
  }
  uint32_t at = value->size;
  WEIR_TRY(append(slot, element));
  slots_[slot - 1]->index[1 + place] = at + 1;
  return {};
}

void ValueStore::release(uint64_t& slot) {
  if (slot == 0) return;
  Value*& place = slots_[slot - 1];
  bytes_ -= static_cast<int64_t>(place->footprint());
  bury(place);
  place = nullptr;
  free_.push_back(slot);
  slot = 0;
}

std::unique_ptr<StateSnapshot> ValueStore::snapshot() {
  if (graveyard_ == nullptr || graveyard_.use_count() == 1) graveyard_ = std::make_shared<Graveyard>();
  ++generation_;
  return std::make_unique<Snapshot>(slots_, graveyard_);
}

Status ValueStore::restore(StateReader& reader) {
  WEIR_ASSIGN(uint32_t version, reader.section("values", 1));
  (void)version;
  WEIR_ASSIGN(int64_t slots, reader.i64());
  for (int64_t i = 0; i < slots; ++i) {
    slots_.push_back(nullptr);
    WEIR_ASSIGN(uint32_t size, reader.u32());
    if (size == kFree) {
      free_.push_back(slots_.size());
      continue;
    }
    WEIR_ASSIGN(uint32_t count, reader.u32());
    WEIR_ASSIGN(std::string_view bytes, reader.view(size));
    uint64_t slot = slots_.size();
    WEIR_TRY(append(slot, bytes, count));
  }
  return {};
}

}  // namespace weir
