#include "state/row_store.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>

namespace weir {

namespace {

constexpr int64_t kSmallRows = 1024;  // batches below this are merged
// Rough costs of one row in quarters of a nanosecond: putting it into an index; being looked at by a scan.
constexpr int64_t kIndexCost = 48;
constexpr int64_t kScanCost = 8;
constexpr size_t kPrefetch = 12;  // rows ahead

// first - second, stopping at the ends.
int64_t minus(int64_t first, int64_t second) {
  int64_t result = 0;
  if (!__builtin_sub_overflow(first, second, &result)) return result;
  return second > 0 ? std::numeric_limits<int64_t>::min() : std::numeric_limits<int64_t>::max();
}

int64_t plus(int64_t first, int64_t second) {
  int64_t result = 0;
  if (!__builtin_add_overflow(first, second, &result)) return result;
  return second < 0 ? std::numeric_limits<int64_t>::min() : std::numeric_limits<int64_t>::max();
}

bool overlaps(const KeyedRows& probe, const MatchTimes& times, int64_t least, int64_t most) {
  return most >= plus(probe.min_time_us, times.low_us) && least <= plus(probe.max_time_us, times.high_us);
}

// Unsigned, so that it wraps: low <= stored - probe <= high in one comparison.
bool within(int64_t stored_us, int64_t probe_us, const MatchTimes& times) {
  return static_cast<uint64_t>(stored_us) - static_cast<uint64_t>(probe_us) -
             static_cast<uint64_t>(times.low_us) <=
         static_cast<uint64_t>(times.high_us) - static_cast<uint64_t>(times.low_us);
}

class RowsSnapshot final : public StateSnapshot {
 public:
  std::string name;
  std::vector<std::pair<int64_t, std::shared_ptr<arrow::RecordBatch>>> batches;

  Status write(StateWriter& writer) override {
    WEIR_TRY(writer.section(name, 1));
    WEIR_TRY(writer.u32(static_cast<uint32_t>(batches.size())));
    for (const auto& [now_us, rows] : batches) {
      WEIR_TRY(writer.i64(now_us));
      WEIR_TRY(writer.rows(*rows));
    }
    return {};
  }
};

}  // namespace

RowPairs::RowPairs(size_t capacity) : probe_(std::max<size_t>(capacity, 1)), stored_(probe_.size()) {}

Status RowPairs::flush() {
  if (size_ == 0) return {};
  Status status = full_();
  size_ = 0;
  return status;
}

RowStore::RowStore(RowKeys keys, std::shared_ptr<arrow::Schema> schema)
    : keys_(std::move(keys)), chunks_(std::move(schema)) {}

Result<RowStore> RowStore::create(std::shared_ptr<arrow::Schema> schema, std::vector<int> keys,
                                  int time_column, int64_t roll_us) {
  WEIR_ASSIGN(auto row_keys, RowKeys::create(schema, std::move(keys), time_column));
  RowStore store(std::move(row_keys), std::move(schema));
  store.roll_us_ = roll_us;
  return store;
}

// ---- keeping

Status RowStore::add(KeyedRows rows, int64_t now_us) {
  if (rows.size() == 0) return {};
  if (segments_.empty() || (roll_us_ > 0 && minus(now_us, segments_.back().first_now_us) >= roll_us_)) {
    segments_.emplace_back();
    segments_.back().first_now_us = now_us;
  }
  return append(segments_.back(), std::move(rows), now_us);
}

Result<uint32_t> RowStore::keep(KeyedRows rows, int64_t now_us) {
  WEIR_ASSIGN(uint32_t chunk, chunks_.add(rows.rows));
  rows.rows = chunks_.rows(chunk);
  keys_.point(rows);
  if (chunk >= kept_.size()) kept_.resize(chunk + 1);
  rows_ += static_cast<int64_t>(rows.size());
  bytes_ += chunks_.bytes(chunk);
  Kept& kept = kept_[chunk];
  kept.rows = std::move(rows);
  kept.now_us = now_us;
  return chunk;
}

Status RowStore::append(Segment& segment, KeyedRows rows, int64_t now_us) {
  segment.last_now_us = std::max(segment.last_now_us, now_us);
  if (segment.chunks.empty()) segment.last_now_us = now_us;
  segment.min_time_us = std::min(segment.min_time_us, rows.min_time_us);
  segment.max_time_us = std::max(segment.max_time_us, rows.max_time_us);
  int64_t count = static_cast<int64_t>(rows.size());
  segment.rows += count;
  WEIR_ASSIGN(uint32_t chunk, keep(std::move(rows), now_us));
  segment.chunks.push_back(chunk);
  segment.unindexed.push_back(chunk);
  if (count < kSmallRows) return merge_tail(segment);
  segment.tail = segment.chunks.size();
  return {};
}

// Like a binary counter: each row is copied a few times at most.
Status RowStore::merge_tail(Segment& segment) {
  while (segment.chunks.size() >= segment.tail + 2) {
    uint32_t last = segment.chunks.back();
    uint32_t before = segment.chunks[segment.chunks.size() - 2];
    size_t size = kept_[last].rows.size(), size_before = kept_[before].rows.size();
    if (size * 2 < size_before) return {};
    std::vector<RowRef> refs(size_before + size);
    for (size_t i = 0; i < refs.size(); ++i) {
      refs[i] = i < size_before ? row_ref(before, static_cast<uint32_t>(i))
                                : row_ref(last, static_cast<uint32_t>(i - size_before));
    }
    WEIR_ASSIGN(auto merged, chunks_.gather(refs.data(), refs.size()));
    WEIR_ASSIGN(KeyedRows rows, keys_.prepare(std::move(merged)));
    int64_t now_us = std::max(kept_[last].now_us, kept_[before].now_us);
    for (auto* list : {&segment.chunks, &segment.unindexed}) list->resize(list->size() - 2);
    forget(last);
    forget(before);
    WEIR_ASSIGN(uint32_t chunk, keep(std::move(rows), now_us));
    segment.chunks.push_back(chunk);
    segment.unindexed.push_back(chunk);
    if (refs.size() >= kSmallRows) segment.tail = segment.chunks.size();
  }
  return {};
}

void RowStore::forget(uint32_t chunk) {
  rows_ -= static_cast<int64_t>(kept_[chunk].rows.size());
  bytes_ -= chunks_.bytes(chunk);
  kept_[chunk] = {};
  chunks_.remove(chunk);
}

void RowStore::drop(Segment& segment) {
  for (uint32_t chunk : segment.chunks) forget(chunk);
  segment.chunks.clear();
}

int64_t RowStore::bytes() const {
  int64_t bytes = bytes_ + static_cast<int64_t>(kept_.capacity() * sizeof(Kept));
  for (const Segment& segment : segments_) {
    bytes += segment.index.bytes();
    // Links, or keys that are not the batch's own column.
    if (!segment.index.empty()) bytes += segment.rows * static_cast<int64_t>(sizeof(RowRef));
  }
  return bytes;
}

std::vector<std::shared_ptr<arrow::RecordBatch>> RowStore::batches() const {
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
  for (const Segment& segment : segments_) {
    for (uint32_t chunk : segment.chunks) batches.push_back(chunks_.rows(chunk));
  }
  return batches;
}

// ---- forgetting

Status RowStore::expire(int64_t time_us) {
  std::vector<Segment> sparse;
  for (size_t s = 0; s < segments_.size();) {
    Segment& segment = segments_[s];
    bool gone = segment.max_time_us <= time_us, rewrite = false;
    if (gone) {
      drop(segment);
    } else if (segment.min_time_us <= time_us && time_us >= segment.next_check_us) {
      int64_t alive = 0;
      for (uint32_t chunk : segment.chunks) {
        const KeyedRows& rows = kept_[chunk].rows;
        for (size_t row = 0; row < rows.size(); ++row) alive += rows.time_us(row) > time_us;
      }
      segment.next_check_us = plus(time_us, std::max<int64_t>(roll_us_, 1));
      rewrite = alive * 4 < segment.rows;
      if (rewrite) sparse.push_back(std::move(segment));
    }
    if (gone || rewrite) {
      segments_.erase(segments_.begin() + static_cast<ptrdiff_t>(s));
    } else {
      ++s;
    }
  }
  for (Segment& segment : sparse) WEIR_TRY(rewrite(std::move(segment), time_us));
  return {};
}

// What is alive of a segment goes into the newest one.
Status RowStore::rewrite(Segment segment, int64_t time_us) {
  if (segments_.empty()) {
    segments_.emplace_back();
    segments_.back().first_now_us = segment.last_now_us;
  }
  std::vector<RowRef> refs;
  auto copy = [&]() -> Status {
    if (refs.empty()) return {};
    WEIR_ASSIGN(auto rows, chunks_.gather(refs.data(), refs.size()));
    refs.clear();
    WEIR_ASSIGN(KeyedRows keyed, keys_.prepare(std::move(rows)));
    return append(segments_.back(), std::move(keyed), segment.last_now_us);
  };
  for (uint32_t chunk : segment.chunks) {
    for (size_t row = 0; row < kept_[chunk].rows.size(); ++row) {
      if (kept_[chunk].rows.time_us(row) <= time_us) continue;
      refs.push_back(row_ref(chunk, static_cast<uint32_t>(row)));
      if (refs.size() == kChunkRows) WEIR_TRY(copy());
    }
  }
  WEIR_TRY(copy());
  drop(segment);
  return {};
}

void RowStore::expire_arrivals(int64_t now_us) {
  size_t gone = 0;
  while (gone < segments_.size() && segments_[gone].last_now_us <= now_us) drop(segments_[gone++]);
  segments_.erase(segments_.begin(), segments_.begin() + static_cast<ptrdiff_t>(gone));
}

int64_t RowStore::oldest_arrival() const {
  return segments_.empty() ? std::numeric_limits<int64_t>::max() : segments_.front().last_now_us;
}

// ---- indexing

void RowStore::index_chunk(Segment& segment, uint32_t chunk) {
  Kept& kept = kept_[chunk];
  keys_.make_keys(kept.rows);
  size_t count = kept.rows.size();
  kept.next.resize(count);
  const uint64_t* keys = kept.rows.keys;
  for (size_t row = 0; row < count; ++row) {
    if (row + kPrefetch < count) segment.index.prefetch(keys[row + kPrefetch]);
    kept.next[row] = segment.index.push(keys[row], row_ref(chunk, static_cast<uint32_t>(row)));
  }
  kept.indexed = true;
  if (!kept.rows.key_buffer.empty()) {
    kept.rows.key_buffer = {};
    kept.rows.keys = nullptr;
  }
}

void RowStore::index_all() {
  for (Segment& segment : segments_) {
    for (uint32_t chunk : segment.unindexed) index_chunk(segment, chunk);
    segment.unindexed.clear();
    segment.tail = segment.chunks.size();
  }
}

// Looks at the batches that this probe has to look through: those for which an index is due get one, the
// others go on the list.
void RowStore::index_where_cheaper(Segment& segment, size_t probe_rows, const KeyedRows& probe,
                                   const MatchTimes* times) {
  size_t mergeable = segment.chunks.size() - segment.tail;
  size_t settled = segment.unindexed.size() - mergeable, left = 0;
  for (size_t i = 0; i < segment.unindexed.size(); ++i) {
    uint32_t chunk = segment.unindexed[i];
    Kept& kept = kept_[chunk];
    bool asked = times == nullptr || overlaps(probe, *times, kept.rows.min_time_us, kept.rows.max_time_us);
    if (asked && i < settled) {
      int64_t rows = static_cast<int64_t>(kept.rows.size());
      int64_t asking = static_cast<int64_t>(probe_rows);
      kept.debt += std::min(rows, asking) * kIndexCost + std::max(rows, asking) * kScanCost;
      if (kept.debt >= rows * kIndexCost) {
        index_chunk(segment, chunk);
        continue;
      }
    }
    if (asked) scan_.push_back(chunk);
    segment.unindexed[left++] = chunk;
  }
  segment.unindexed.resize(left);
}

// ---- looking up

Status RowStore::match(KeyedRows& probe, RowKeys& probe_keys, const MatchTimes* times, RowPairs& pairs) {
  if (probe.size() == 0) return {};
  auto asked = [&](const Segment& segment) {
    return times == nullptr || overlaps(probe, *times, segment.min_time_us, segment.max_time_us);
  };
  scan_.clear();
  bool indexed = false;
  for (Segment& segment : segments_) {
    if (!asked(segment)) continue;
    index_where_cheaper(segment, probe.size(), probe, times);
    indexed = indexed || !segment.index.empty();
  }
  if (!indexed && scan_.empty()) return {};
  probe_keys.make_keys(probe);
  MatchTimes any;
  for (const Segment& segment : segments_) {
    if (segment.index.empty() || !asked(segment)) continue;
    WEIR_TRY(times != nullptr ? match_index<true>(segment, probe, *times, pairs)
                              : match_index<false>(segment, probe, any, pairs));
  }
  if (scan_.empty()) return {};
  return times != nullptr ? match_unindexed<true>(probe, *times, pairs)
                          : match_unindexed<false>(probe, any, pairs);
}

template <bool kTimed>
Status RowStore::match_index(const Segment& segment, const KeyedRows& probe, const MatchTimes& times,
                             RowPairs& pairs) {
  const uint64_t* keys = probe.keys;
  size_t count = probe.size();
  for (size_t row = 0; row < count; ++row) {
    if (row + kPrefetch < count) segment.index.prefetch(keys[row + kPrefetch]);
    const KeyIndex::Slot* slot = segment.index.find(keys[row]);
    if (slot == nullptr) continue;
    RowRef stored = slot->head;
    for (uint32_t left = slot->count;;) {
      const Kept& kept = kept_[chunk_of(stored)];
      if (!kTimed || within(kept.rows.time_us(row_of(stored)), probe.time_us(row), times)) {
        if (pairs.put(static_cast<uint32_t>(row), stored)) WEIR_TRY(pairs.flush());
      }
      if (--left == 0) break;
      stored = kept.next[row_of(stored)];
    }
  }
  return {};
}

// One of the two sides has few rows: they are looked for in the other one.
template <bool kTimed>
Status RowStore::match_unindexed(const KeyedRows& probe, const MatchTimes& times, RowPairs& pairs) {
  size_t stored_rows = 0;
  for (uint32_t chunk : scan_) {
    keys_.make_keys(kept_[chunk].rows);
    stored_rows += kept_[chunk].rows.size();
  }
  if (stored_rows <= probe.size()) return match_few<kTimed>(probe, times, pairs);

  scratch_index_.reset(probe.size());
  scratch_filter_.reset(probe.size());
  scratch_next_.resize(probe.size());
  for (size_t row = 0; row < probe.size(); ++row) {
    scratch_filter_.add(probe.keys[row]);
    scratch_next_[row] = scratch_index_.push(probe.keys[row], static_cast<uint32_t>(row));
  }
  for (uint32_t chunk : scan_) {
    const KeyedRows& rows = kept_[chunk].rows;
    for (size_t at = 0; at < rows.size(); ++at) {
      if (!scratch_filter_.may_have(rows.keys[at])) continue;
      const KeyIndex::Slot* slot = scratch_index_.find(rows.keys[at]);
      if (slot == nullptr) continue;
      uint32_t row = slot->head;
      for (uint32_t left = slot->count;;) {
        if (!kTimed || within(rows.time_us(at), probe.time_us(row), times)) {
          if (pairs.put(row, row_ref(chunk, static_cast<uint32_t>(at)))) WEIR_TRY(pairs.flush());
        }
        if (--left == 0) break;
        row = scratch_next_[row];
      }
    }
  }
  return {};
}

// Few rows are kept: the asking ones are run against them.
template <bool kTimed>
Status RowStore::match_few(const KeyedRows& probe, const MatchTimes& times, RowPairs& pairs) {
  scratch_rows_.clear();
  for (uint32_t chunk : scan_) {
    for (size_t row = 0; row < kept_[chunk].rows.size(); ++row) {
      scratch_rows_.push_back(row_ref(chunk, static_cast<uint32_t>(row)));
    }
  }
  scratch_index_.reset(scratch_rows_.size());
  scratch_filter_.reset(scratch_rows_.size());
  scratch_next_.resize(scratch_rows_.size());
  for (size_t i = 0; i < scratch_rows_.size(); ++i) {
    uint64_t key = kept_[chunk_of(scratch_rows_[i])].rows.keys[row_of(scratch_rows_[i])];
    scratch_filter_.add(key);
    scratch_next_[i] = scratch_index_.push(key, static_cast<uint32_t>(i));
  }
  for (size_t row = 0; row < probe.size(); ++row) {
    if (!scratch_filter_.may_have(probe.keys[row])) continue;
    const KeyIndex::Slot* slot = scratch_index_.find(probe.keys[row]);
    if (slot == nullptr) continue;
    uint32_t at = slot->head;
    for (uint32_t left = slot->count;;) {
      RowRef stored = scratch_rows_[at];
      int64_t stored_us = kTimed ? kept_[chunk_of(stored)].rows.time_us(row_of(stored)) : 0;
      if (!kTimed || within(stored_us, probe.time_us(row), times)) {
        if (pairs.put(static_cast<uint32_t>(row), stored)) WEIR_TRY(pairs.flush());
      }
      if (--left == 0) break;
      at = scratch_next_[at];
    }
  }
  return {};
}

// ---- state files

std::unique_ptr<StateSnapshot> RowStore::snapshot(const std::string& name) const {
  auto snapshot = std::make_unique<RowsSnapshot>();
  snapshot->name = name;
  for (const Segment& segment : segments_) {
    for (uint32_t chunk : segment.chunks) {
      snapshot->batches.emplace_back(kept_[chunk].now_us, chunks_.rows(chunk));
    }
  }
  return snapshot;
}

Status RowStore::restore(StateReader& reader, const std::string& name) {
  WEIR_ASSIGN(uint32_t version, reader.section(name, 1));
  static_cast<void>(version);
  WEIR_ASSIGN(uint32_t count, reader.u32());
  for (uint32_t i = 0; i < count; ++i) {
    WEIR_ASSIGN(int64_t now_us, reader.i64());
    WEIR_ASSIGN(auto rows, reader.rows());
    WEIR_TRY(same_types(*rows->schema(), *chunks_.schema()));
    for (int64_t from = 0; from < rows->num_rows(); from += kChunkRows) {
      WEIR_ASSIGN(KeyedRows keyed, keys_.prepare(rows->Slice(from, kChunkRows)));
      WEIR_TRY(add(std::move(keyed), now_us));
    }
  }
  return {};
}

Status same_types(const arrow::Schema& found, const arrow::Schema& expected) {
  bool same = found.num_fields() == expected.num_fields();
  for (int i = 0; same && i < found.num_fields(); ++i) {
    same = found.field(i)->type()->Equals(*expected.field(i)->type());
  }
  if (same) return {};
  return Status::invalid("the state holds rows of other columns (" + found.ToString() + ") than the query (" +
                         expected.ToString() + ")");
}

}  // namespace weir
