// LowCardinality: the distinct values of a block, then an index for each row.
#include <arrow/type.h>

#include <algorithm>
#include <bit>
#include <string_view>

#include "sinks/clickhouse/native_column.h"
#include "sinks/clickhouse/native_texts.h"

namespace weir {
namespace {

constexpr uint64_t kSharedDictionariesWithAdditionalKeys = 1;
constexpr uint64_t kHasAdditionalKeys = 1u << 9;
constexpr uint64_t kNeedUpdateDictionary = 1u << 10;

uint64_t mixed(uint64_t a, uint64_t b) {
  unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

// A text as two words: for up to 16 bytes they and the length tell it whole, above they are hashes.
struct TextKey {
  uint64_t low = 0;
  uint64_t high = 0;
  uint64_t hash = 0;
};

// Not seeded: a block's bytes must be the same each time. Rows that collide on purpose cost time only.
inline TextKey key_of(std::string_view text) {
  constexpr uint64_t kFirst = 0x9E3779B97F4A7C15u, kSecond = 0xD6E8FEB86659FD93u;
  const auto* at = reinterpret_cast<const uint8_t*>(text.data());
  size_t left = text.size();
  TextKey key;
  uint64_t hash = kFirst ^ left;
  for (; left > 16; left -= 8, at += 8) hash = mixed(hash ^ load<uint64_t>(at), kSecond);
  if (left >= 8) {
    key.low = load<uint64_t>(at);
    key.high = load<uint64_t>(at + left - 8);
  } else if (left >= 4) {
    key.low = load<uint32_t>(at);
    key.high = load<uint32_t>(at + left - 4);
  } else if (left > 0) {
    key.low = static_cast<uint64_t>(at[0]) << 16 | static_cast<uint64_t>(at[left / 2]) << 8 | at[left - 1];
  }
  key.hash = mixed(hash ^ key.low, kSecond ^ key.high);
  if (text.size() > 16) key.low = hash;
  return key;
}

// Texts -> numbers in order of their first appearance. Keys point into the caller's memory.
class Dictionary {
 public:
  void clear() {
    keys_.clear();
    if (slots_.size() > kMaxKeptSlots) slots_.clear();
    if (slots_.empty()) slots_.resize(1024);
    std::fill(slots_.begin(), slots_.end(), Slot{});
  }

  // A key that no text finds: what NULL stands for.
  uint32_t add_hidden() {
    keys_.emplace_back();
    return static_cast<uint32_t>(keys_.size() - 1);
  }

  void prefetch(const TextKey& key) const { __builtin_prefetch(&slots_[key.hash & (slots_.size() - 1)]); }

  uint32_t number_of(std::string_view text, const TextKey& key) {
    const size_t mask = slots_.size() - 1;
    const auto length = static_cast<uint32_t>(text.size());
    for (size_t at = key.hash & mask;; at = (at + 1) & mask) {
      Slot& slot = slots_[at];
      if (slot.low == key.low && slot.high == key.high && slot.length == length &&
          slot.number_plus_one != 0) {
        if (length <= 16 || same_bytes(keys_[slot.number_plus_one - 1], text))
          return slot.number_plus_one - 1;
      } else if (slot.number_plus_one == 0) {
        return insert(&slot, key, text);
      }
    }
  }

  const std::vector<std::string_view>& keys() const { return keys_; }

 private:
  static constexpr size_t kMaxKeptSlots = 1 << 18;
  struct Slot {
    uint64_t low = 0;
    uint64_t high = 0;
    uint32_t length = 0;
    uint32_t number_plus_one = 0;
  };

  static bool same_bytes(std::string_view a, std::string_view b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), b.size()) == 0;
  }

  uint32_t insert(Slot* slot, const TextKey& key, std::string_view text) {
    keys_.push_back(text);
    const auto number = static_cast<uint32_t>(keys_.size() - 1);
    *slot = {key.low, key.high, static_cast<uint32_t>(text.size()), number + 1};
    if (keys_.size() * 2 > slots_.size()) grow();
    return number;
  }

  void grow() {
    std::vector<Slot> old(slots_.size() * 4);
    old.swap(slots_);
    const size_t mask = slots_.size() - 1;
    for (const Slot& slot : old) {
      if (slot.number_plus_one == 0) continue;
      size_t at = key_of(keys_[slot.number_plus_one - 1]).hash & mask;
      while (slots_[at].number_plus_one != 0) at = (at + 1) & mask;
      slots_[at] = slot;
    }
  }

  std::vector<Slot> slots_;
  std::vector<std::string_view> keys_;
};

template <typename Index>
void put_indexes(const std::vector<uint32_t>& numbers, NativeBuffer* out) {
  uint8_t* at = out->append(numbers.size() * sizeof(Index));
  for (size_t i = 0; i < numbers.size(); ++i) store(at + i * sizeof(Index), static_cast<Index>(numbers[i]));
}

class LowCardinalityColumn : public NativeColumn {
 public:
  LowCardinalityColumn(int64_t width, bool nullable, bool null_fits, std::unique_ptr<NativeColumn> inner)
      : width_(width), nullable_(nullable), null_fits_(null_fits), inner_(std::move(inner)) {}

  void write_prefix(NativeBuffer* out) const override {
    out->append_u64(kSharedDictionariesWithAdditionalKeys);
  }

  void encode(Pieces pieces, NativeBuffer* out, Refusals* refused) override {
    numbers_.resize(static_cast<size_t>(total_length(pieces)));
    if (numbers_.empty()) return;  // no row, no dictionary
    dictionary_.clear();
    // The first key of a nullable dictionary is NULL itself; its bytes do not count.
    if (nullable_) dictionary_.add_hidden();
    if (inner_ == nullptr) {
      number_texts(pieces, refused);
    } else {
      number_values(pieces, refused);
    }
    put_block(out);
  }

 private:
  void number_texts(Pieces pieces, Refusals* refused) {
    uint32_t* number = numbers_.data();
    int64_t first = 0;
    for (const Piece& piece : pieces) {
      if (piece.length == 0) continue;
      const bool nulls = may_have_nulls(piece);
      with_texts(piece, [&](const auto& texts) {
        // Keys of a few rows first, so that their slots are on the way when they are looked up.
        TextKey keys[kAhead];
        for (int64_t from = 0; from < piece.length; from += kAhead) {
          const int64_t count = std::min(kAhead, piece.length - from);
          for (int64_t i = 0; i < count; ++i) dictionary_.prefetch(keys[i] = key_of(texts(from + i)));
          for (int64_t i = from; i < from + count; ++i) {
            number[i] =
                nulls && is_null(piece, i) ? null_number() : dictionary_.number_of(texts(i), keys[i - from]);
          }
        }
      });
      if (!nullable_ && !null_fits_) refuse_nulls(piece, first, refused);
      number += piece.length;
      first += piece.length;
    }
  }

  uint32_t null_number() { return nullable_ ? 0 : number_of(std::string_view()); }
  uint32_t number_of(std::string_view text) { return dictionary_.number_of(text, key_of(text)); }

  // Values of one width: written by their own node first, then told apart by their bytes.
  void number_values(Pieces pieces, Refusals* refused) {
    values_.clear();
    inner_->encode(pieces, &values_, refused);
    const auto* value = reinterpret_cast<const char*>(values_.data());
    uint32_t* number = numbers_.data();
    for (const Piece& piece : pieces) {
      const bool nulls = nullable_ && may_have_nulls(piece);
      for (int64_t i = 0; i < piece.length; ++i, value += width_) {
        number[i] = nulls && is_null(piece, i) ? 0 : number_of({value, static_cast<size_t>(width_)});
      }
      number += piece.length;
    }
  }

  void put_block(NativeBuffer* out) const {
    const std::vector<std::string_view>& keys = dictionary_.keys();
    const uint64_t index_type = keys.size() <= 1u << 8 ? 0 : keys.size() <= 1u << 16 ? 1 : 2;
    out->append_u64(index_type | kHasAdditionalKeys | kNeedUpdateDictionary);
    out->append_u64(keys.size());
    for (std::string_view key : keys) {
      if (width_ == 0) {
        out->append_string(key);
      } else if (key.empty()) {
        out->append_zeros(static_cast<size_t>(width_));  // of NULL
      } else {
        out->append(key.data(), key.size());
      }
    }
    out->append_u64(numbers_.size());
    if (index_type == 0) put_indexes<uint8_t>(numbers_, out);
    if (index_type == 1) put_indexes<uint16_t>(numbers_, out);
    if (index_type == 2) put_indexes<uint32_t>(numbers_, out);
  }

  static constexpr int64_t kAhead = 32;

  int64_t width_;  // of a value; 0: String
  bool nullable_;
  bool null_fits_;
  std::unique_ptr<NativeColumn> inner_;  // null: texts
  Dictionary dictionary_;
  std::vector<uint32_t> numbers_;
  NativeBuffer values_;
};

}  // namespace

std::unique_ptr<NativeColumn> make_low_cardinality_column(const arrow::DataType& type,
                                                          const ClickHouseType& target,
                                                          std::unique_ptr<NativeColumn> inner,
                                                          bool null_fits) {
  return std::make_unique<LowCardinalityColumn>(target.inner().fixed_width_bytes(), target.takes_null(),
                                                null_fits, std::move(inner));
}

}  // namespace weir
