// Inside the Native encoder: one node for each node of a column's type. A node writes all values of a block
// for its part of the type, straight from Arrow's buffers; virtual calls are per column, never per row.
#pragma once

#include <arrow/array/data.h>
#include <arrow/type_fwd.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "sinks/clickhouse/column_type.h"
#include "sinks/clickhouse/native_buffer.h"

namespace weir {

// A run of values. `offset` counts from the start of the buffers: data->offset is in it.
struct Piece {
  const arrow::ArrayData* data = nullptr;
  int64_t offset = 0;
  int64_t length = 0;
};
using Pieces = std::span<const Piece>;

struct Refusal {
  int64_t index = 0;  // counted over all pieces
  std::string message;
};
using Refusals = std::vector<Refusal>;

class NativeColumn {
 public:
  virtual ~NativeColumn() = default;
  // What stands before the column's data, once a block (versions of the serialisation).
  virtual void write_prefix(NativeBuffer* out) const {}
  // Writes every value; one that cannot be stored is added to `refused` and written as a default. A NULL is
  // written as the type's default and, unless the node was made with `null_fits`, refused.
  virtual void encode(Pieces pieces, NativeBuffer* out, Refusals* refused) = 0;
};

// The node for `type` -> `target`. `null_fits`: a NULL is no refusal here, because a null map around this
// node tells it or because the user wants defaults. invalid: both types and what to do.
Result<std::unique_ptr<NativeColumn>> make_native_column(const arrow::DataType& type,
                                                         const ClickHouseType& target, bool null_fits);
// The node for one field of an ARRAY<ROW<…>> as a column of its own.
Result<std::unique_ptr<NativeColumn>> make_flattened_column(const arrow::DataType& type, int field,
                                                            const ClickHouseType& target, bool null_fits);

// Null when there is no such conversion.
std::unique_ptr<NativeColumn> make_number_column(const arrow::DataType& type, const ClickHouseType& target,
                                                 bool null_fits);
std::unique_ptr<NativeColumn> make_time_column(const arrow::DataType& type, const ClickHouseType& target,
                                               bool null_fits);
std::unique_ptr<NativeColumn> make_decimal_column(const arrow::DataType& type, const ClickHouseType& target,
                                                  bool null_fits);
std::unique_ptr<NativeColumn> make_text_column(const arrow::DataType& type, const ClickHouseType& target,
                                               bool null_fits);
// `inner`: the node that writes the values when they are not texts.
std::unique_ptr<NativeColumn> make_low_cardinality_column(const arrow::DataType& type,
                                                          const ClickHouseType& target,
                                                          std::unique_ptr<NativeColumn> inner,
                                                          bool null_fits);

// --- what nodes share ---

bool is_text(const arrow::DataType& type);
// The default value of a type of one width, and what stands under a NULL: zeros, but for an Enum its least
// value, because servers refuse one that has no name even there.
std::string default_bytes(const ClickHouseType& type);
int64_t total_length(Pieces pieces);
bool may_have_nulls(const Piece& piece);
bool is_null(const Piece& piece, int64_t index);
// The value for a message, at most about 80 bytes of it.
std::string value_text(const Piece& piece, int64_t index);
// One byte, 0 or 1, for each bit from `bit` on.
void expand_bits(const uint8_t* bits, int64_t bit, int64_t count, bool flip, uint8_t* out);
// Refuses each NULL of the piece, whose first value has the index `first`.
void refuse_nulls(const Piece& piece, int64_t first, Refusals* refused);

// Calls visit(index in the piece) for each NULL.
template <typename Visit>
void visit_nulls(const Piece& piece, Visit visit) {
  if (!may_have_nulls(piece)) return;
  const uint8_t* bits = piece.data->buffers[0]->data();
  int64_t i = 0;
  while (i < piece.length) {
    int64_t at = piece.offset + i;
    if ((at & 7) == 0 && piece.length - i >= 8) {
      // Whole words of valid values, the usual case, are passed over at once.
      if (piece.length - i >= 64) {
        uint64_t word;
        std::memcpy(&word, bits + at / 8, sizeof word);
        if (word == ~uint64_t{0}) {
          i += 64;
          continue;
        }
      }
      uint32_t nulls = static_cast<uint8_t>(~bits[at / 8]);
      for (; nulls != 0; nulls &= nulls - 1) visit(i + __builtin_ctz(nulls));
      i += 8;
      continue;
    }
    if ((bits[at / 8] >> (at & 7) & 1) == 0) visit(i);
    ++i;
  }
}

// For values of one width, already copied to `at`: zeroes what stands under a NULL, so that equal rows give
// equal bytes, and refuses the NULL unless it fits.
template <int kWidth>
void finish_nulls(const Piece& piece, int64_t first, uint8_t* at, bool null_fits, Refusals* refused) {
  visit_nulls(piece, [&](int64_t i) { std::memset(at + i * kWidth, 0, kWidth); });
  if (!null_fits) refuse_nulls(piece, first, refused);
}

template <typename T>
T load(const uint8_t* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
template <typename T>
void store(uint8_t* at, T value) {
  std::memcpy(at, &value, sizeof value);
}

// Values of one width that are converted one to one. Convert: bool operator()(In, Out*) is false for a value
// that does not fit, and `reason` says why, behind the value.
template <typename In, typename Out, typename Convert>
class ConvertedColumn : public NativeColumn {
 public:
  ConvertedColumn(Convert convert, std::string reason, bool null_fits)
      : convert_(convert), reason_(std::move(reason)), null_fits_(null_fits) {}

  void encode(Pieces pieces, NativeBuffer* out, Refusals* refused) override {
    int64_t first = 0;
    for (const Piece& piece : pieces) {
      if (piece.length == 0) continue;
      const uint8_t* in = piece.data->buffers[1]->data() + piece.offset * static_cast<int64_t>(sizeof(In));
      uint8_t* at = out->append(static_cast<size_t>(piece.length) * sizeof(Out));
      if (!convert_all(in, piece.length, at)) refuse(piece, in, first, at, refused);
      finish_nulls<sizeof(Out)>(piece, first, at, null_fits_, refused);
      first += piece.length;
    }
  }

 private:
  bool convert_all(const uint8_t* in, int64_t count, uint8_t* out) const {
    const Convert convert = convert_;
    bool fits = true;
    for (int64_t i = 0; i < count; ++i) {
      Out value;
      fits &= convert(load<In>(in + i * sizeof(In)), &value);
      store(out + i * sizeof(Out), value);
    }
    return fits;
  }

  void refuse(const Piece& piece, const uint8_t* in, int64_t first, uint8_t* at, Refusals* refused) const {
    for (int64_t i = 0; i < piece.length; ++i) {
      Out ignored;
      if (convert_(load<In>(in + i * sizeof(In)), &ignored) || is_null(piece, i)) continue;
      refused->push_back({first + i, value_text(piece, i) + " " + reason_});
      std::memset(at + i * sizeof(Out), 0, sizeof(Out));
    }
  }

  Convert convert_;
  std::string reason_;
  bool null_fits_;
};

}  // namespace weir
