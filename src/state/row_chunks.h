// Record batches held for a while, and rows picked from any of them gathered into new arrays.
//
// A row is named by a RowRef: its chunk's number and its place in the chunk. Batches are kept as they came
// (zero copy), unless they hold on to much more memory than their rows need: slices of a larger batch are
// copied. One thread at a time; the batches themselves are immutable and may be read by others.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"

namespace weir {

using RowRef = uint32_t;  // chunk << kRowBits | row

inline constexpr uint32_t kRowBits = 13;
inline constexpr uint32_t kChunkRows = 1u << kRowBits;  // most rows in one chunk
inline constexpr uint32_t kMostChunks = 1u << (32 - kRowBits);
inline constexpr RowRef kNoRow = UINT32_MAX;  // no chunk reaches it: the last number is never given out

inline RowRef row_ref(uint32_t chunk, uint32_t row) { return chunk << kRowBits | row; }
inline uint32_t chunk_of(RowRef ref) { return ref >> kRowBits; }
inline uint32_t row_of(RowRef ref) { return ref & (kChunkRows - 1); }

// Memory that the batch keeps alive, each buffer counted once and whole, also what its slices come from.
int64_t held_bytes(const arrow::RecordBatch& rows);

class RowChunks {
 public:
  explicit RowChunks(std::shared_ptr<arrow::Schema> schema);

  // At most kChunkRows rows, with the schema's column types. Returns the chunk's number. exhausted: there are
  // kMostChunks of them. `compact`: a batch that holds more than twice what it needs is copied.
  Result<uint32_t> add(std::shared_ptr<arrow::RecordBatch> rows, bool compact = true);
  void remove(uint32_t chunk);
  // Drops everything and holds this batch alone, as chunk 0, uncopied.
  void assign(std::shared_ptr<arrow::RecordBatch> rows);

  const std::shared_ptr<arrow::RecordBatch>& rows(uint32_t chunk) const { return batches_[chunk]; }
  const std::shared_ptr<arrow::Schema>& schema() const { return schema_; }
  int64_t bytes(uint32_t chunk) const { return bytes_[chunk]; }  // memory of the chunk's rows

  // The rows of `refs`, in order. Consecutive rows of one chunk come as a slice without a copy.
  // exhausted: texts of more than 2 GiB.
  Result<std::shared_ptr<arrow::RecordBatch>> gather(const RowRef* refs, size_t count) const;
  // The same, all columns put behind those that are in `columns` already.
  Status gather(const RowRef* refs, size_t count, std::vector<std::shared_ptr<arrow::Array>>& columns) const;

 private:
  struct View {
    const uint8_t* validity = nullptr;  // null: no NULLs
    const uint8_t* values = nullptr;    // at the chunk's first row, unless bits; texts: their offsets
    const uint8_t* data = nullptr;      // texts
    int64_t offset = 0;                 // of validity and of bits
  };
  void set_views(uint32_t chunk);
  Result<std::shared_ptr<arrow::Array>> copy(int column, const RowRef* refs, size_t count) const;
  Result<std::shared_ptr<arrow::Array>> gather_fixed(int column, int width, const RowRef* refs,
                                                     size_t count) const;
  Result<std::shared_ptr<arrow::Buffer>> gather_validity(int column, const RowRef* refs, size_t count,
                                                         int64_t& nulls) const;
  template <typename Offset>
  Result<std::shared_ptr<arrow::Array>> gather_text(int column, const RowRef* refs, size_t count) const;
  Result<std::shared_ptr<arrow::Array>> gather_any(int column, const RowRef* refs, size_t count) const;

  std::shared_ptr<arrow::Schema> schema_;
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches_;  // by chunk; null: free
  std::vector<int64_t> bytes_;                                // by chunk
  std::vector<std::vector<View>> views_;                      // by column, then chunk
  std::vector<int64_t> chunks_with_nulls_;                    // by column
  std::vector<uint32_t> free_;
};

}  // namespace weir
