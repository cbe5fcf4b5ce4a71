#include "operators/window_top_n.h"

#include <arrow/array/array_primitive.h>
#include <arrow/buffer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include "operators/sort_keys.h"
#include "operators/window_assigner.h"
#include "operators/window_rows.h"
#include "state/key_encoder.h"
#include "state/key_table.h"
#include "state/row_chunks.h"
#include "state/row_store.h"

namespace weir {

namespace {

ShortSortKey key_at(const SortKeys& keys, size_t row, const ShortSortKey*) { return keys.short_key(row); }
std::string_view key_at(const SortKeys& keys, size_t row, const std::string*) { return keys.long_key(row); }
int64_t bytes_beside(const ShortSortKey&) { return 0; }
int64_t bytes_beside(const std::string& key) { return static_cast<int64_t>(key.capacity()); }

// Batches of candidates in the order in which they came; the rows are picked when it is written.
class TopNSnapshot final : public StateSnapshot {
 public:
  struct Window {
    std::vector<std::shared_ptr<arrow::RecordBatch>> chunks;  // by number; null: none
    std::vector<std::pair<int64_t, RowRef>> candidates;       // sequence number, row
  };
  std::shared_ptr<arrow::Schema> schema;
  std::vector<Window> windows;

  Status write(StateWriter& writer) override {
    WEIR_TRY(writer.section("window_top_n", 1));
    WEIR_TRY(writer.u32(static_cast<uint32_t>(windows.size())));
    for (Window& window : windows) {
      RowChunks chunks(schema);
      std::vector<uint32_t> numbers(window.chunks.size());
      for (size_t i = 0; i < window.chunks.size(); ++i) {
        if (!window.chunks[i]) continue;
        WEIR_ASSIGN(numbers[i], chunks.add(window.chunks[i], false));
      }
      std::sort(window.candidates.begin(), window.candidates.end());
      std::vector<RowRef> refs;
      for (const auto& [sequence, ref] : window.candidates) {
        refs.push_back(row_ref(numbers[chunk_of(ref)], row_of(ref)));
      }
      WEIR_TRY(writer.u32(static_cast<uint32_t>((refs.size() + kChunkRows - 1) / kChunkRows)));
      for (size_t from = 0; from < refs.size(); from += kChunkRows) {
        size_t count = std::min<size_t>(kChunkRows, refs.size() - from);
        WEIR_ASSIGN(auto rows, chunks.gather(refs.data() + from, count));
        WEIR_TRY(writer.rows(*rows));
      }
    }
    return {};
  }
};

template <typename Key>
class WindowTopN final : public Operator {
 public:
  WindowTopN(const OperatorContext& context, std::shared_ptr<arrow::Schema> schema, SortKeys order,
             KeyEncoder groups)
      : node_(*context.node),
        schema_(schema),
        batch_rows_(std::min<size_t>(std::max<size_t>(context.batch_rows, 1), kChunkRows)),
        splitter_(schema, context.node->window),
        order_(std::move(order)),
        encoder_(std::move(groups)) {}

  Status process(size_t, const std::shared_ptr<arrow::RecordBatch>& rows, OperatorOutput&) override {
    return collect(rows);
  }

  Status advance(int64_t watermark_us, OperatorOutput& out) override {
    if (node_.window.processing_time) return {};
    while (!buckets_.empty() && fires_at(node_.window, buckets_.begin()->first) <= watermark_us) {
      WEIR_TRY(fire_first(out));
    }
    return {};
  }

  std::optional<int64_t> next_timer() const override {
    if (!node_.window.processing_time || buckets_.empty()) return std::nullopt;
    return buckets_.begin()->first;
  }

  Status on_time(int64_t now_us, OperatorOutput& out) override {
    if (!node_.window.processing_time) return {};
    while (!buckets_.empty() && buckets_.begin()->first <= now_us) WEIR_TRY(fire_first(out));
    return {};
  }

  Status finish(OperatorOutput& out) override {
    if (!node_.window.processing_time) return {};
    while (!buckets_.empty()) WEIR_TRY(fire_first(out));
    return {};
  }

  Result<std::unique_ptr<StateSnapshot>> snapshot() override {
    auto snapshot = std::make_unique<TopNSnapshot>();
    snapshot->schema = schema_;
    for (const auto& [end_us, owned] : buckets_) {
      const Bucket& bucket = *owned;
      auto& window = snapshot->windows.emplace_back();
      for (size_t chunk = 0; chunk < bucket.alive.size(); ++chunk) {
        window.chunks.push_back(bucket.chunks.rows(static_cast<uint32_t>(chunk)));
      }
      for (const Group& group : bucket.groups) {
        for (const Entry& entry : group) window.candidates.emplace_back(entry.sequence, entry.row);
      }
    }
    return std::unique_ptr<StateSnapshot>(std::move(snapshot));
  }

  Status restore(StateReader& reader) override {
    WEIR_ASSIGN(uint32_t version, reader.section("window_top_n", 1));
    static_cast<void>(version);
    WEIR_ASSIGN(uint32_t windows, reader.u32());
    for (uint32_t window = 0; window < windows; ++window) {
      WEIR_ASSIGN(uint32_t batches, reader.u32());
      for (uint32_t i = 0; i < batches; ++i) {
        WEIR_ASSIGN(auto rows, reader.rows());
        WEIR_TRY(same_types(*rows->schema(), *schema_));
        WEIR_TRY(collect(rows));
      }
    }
    return {};
  }

  int64_t state_bytes() const override { return bytes_; }
  int64_t state_keys() const override { return groups_; }

 private:
  struct Entry {
    Key key;
    int64_t sequence = 0;
    RowRef row = kNoRow;
    bool operator<(const Entry& other) const {
      if (key != other.key) return key < other.key;
      return sequence < other.sequence;
    }
  };
  using Group = std::vector<Entry>;  // a heap, the last of them in front

  struct Bucket {
    KeyTable table;
    std::vector<Group> groups;  // by the table's entry
    RowChunks chunks;
    std::vector<uint32_t> alive;  // by chunk: candidates in it; 0: the chunk is free
    int64_t rows = 0;             // in chunks
    int64_t candidates = 0;
    int64_t bytes = 0;  // as counted in bytes_

    Bucket(size_t key_width, std::shared_ptr<arrow::Schema> schema)
        : table(key_width, 0), chunks(std::move(schema)) {}
  };

  Status collect(const std::shared_ptr<arrow::RecordBatch>& rows) {
    if (node_.limit <= 0) return {};
    for (int64_t from = 0; from < rows->num_rows(); from += kChunkRows) {
      bool whole = rows->num_rows() <= kChunkRows;
      WEIR_ASSIGN(auto windows, splitter_.split(whole ? rows : rows->Slice(from, kChunkRows)));
      for (WindowRows& window : windows) {
        auto found = buckets_.find(window.end_us);
        if (found == buckets_.end()) {
          found = buckets_.emplace(window.end_us, std::make_unique<Bucket>(encoder_.width(), schema_)).first;
        }
        WEIR_TRY(put(*found->second, std::move(window.rows)));
      }
    }
    return {};
  }

  Status put(Bucket& bucket, std::shared_ptr<arrow::RecordBatch> rows) {
    size_t count = static_cast<size_t>(rows->num_rows());
    encoder_.encode(*rows, keys_);
    entries_.resize(count);
    WEIR_TRY(bucket.table.find_or_insert(keys_, nullptr, count, entries_.data()));
    groups_ += static_cast<int64_t>(bucket.table.size() - bucket.groups.size());
    bucket.groups.resize(bucket.table.size());
    order_.encode(*rows);
    WEIR_ASSIGN(uint32_t chunk, bucket.chunks.add(std::move(rows)));
    if (chunk >= bucket.alive.size()) bucket.alive.resize(chunk + 1);
    bucket.rows += static_cast<int64_t>(count);
    taking_ = chunk;
    size_t limit = static_cast<size_t>(node_.limit);
    for (size_t row = 0; row < count; ++row) {
      Group& group = bucket.groups[entries_[row]];
      auto key = key_at(order_, row, static_cast<const Key*>(nullptr));
      if (group.size() >= limit) {
        if (!(key < group.front().key)) continue;  // as good as the last one, and later
        std::pop_heap(group.begin(), group.end());
        release(bucket, group.back());
        group.pop_back();
      }
      group.push_back(
          {Key(key), sequence_ + static_cast<int64_t>(row), row_ref(chunk, static_cast<uint32_t>(row))});
      std::push_heap(group.begin(), group.end());
      ++bucket.alive[chunk];
      ++bucket.candidates;
    }
    sequence_ += static_cast<int64_t>(count);
    if (bucket.alive[chunk] == 0) drop_chunk(bucket, chunk);
    if (bucket.rows > 4 * bucket.candidates + kChunkRows / 8) WEIR_TRY(compact(bucket));
    recount(bucket);
    return {};
  }

  void release(Bucket& bucket, const Entry& entry) {
    uint32_t chunk = chunk_of(entry.row);
    --bucket.candidates;
    // The batch that is being taken in is looked at when it is through.
    if (--bucket.alive[chunk] == 0 && chunk != taking_) drop_chunk(bucket, chunk);
  }

  void drop_chunk(Bucket& bucket, uint32_t chunk) {
    bucket.rows -= bucket.chunks.rows(chunk)->num_rows();
    bucket.chunks.remove(chunk);
  }

  // Copies the candidates out of batches of which little is left.
  Status compact(Bucket& bucket) {
    std::vector<Entry*> entries;
    for (Group& group : bucket.groups) {
      for (Entry& entry : group) entries.push_back(&entry);
    }
    RowChunks chunks(schema_);
    std::vector<uint32_t> alive;
    std::vector<RowRef> refs;
    for (size_t from = 0; from < entries.size(); from += kChunkRows) {
      size_t count = std::min<size_t>(kChunkRows, entries.size() - from);
      refs.clear();
      for (size_t i = 0; i < count; ++i) refs.push_back(entries[from + i]->row);
      WEIR_ASSIGN(auto rows, bucket.chunks.gather(refs.data(), count));
      WEIR_ASSIGN(uint32_t chunk, chunks.add(std::move(rows)));
      for (size_t i = 0; i < count; ++i) entries[from + i]->row = row_ref(chunk, static_cast<uint32_t>(i));
      alive.push_back(static_cast<uint32_t>(count));
    }
    bucket.chunks = std::move(chunks);
    bucket.alive = std::move(alive);
    bucket.rows = bucket.candidates;
    return {};
  }

  void recount(Bucket& bucket) {
    int64_t bytes = bucket.table.bytes() + static_cast<int64_t>(bucket.groups.capacity() * sizeof(Group));
    for (size_t chunk = 0; chunk < bucket.alive.size(); ++chunk) {
      bytes += bucket.chunks.bytes(static_cast<uint32_t>(chunk));
    }
    bytes += bucket.candidates * static_cast<int64_t>(sizeof(Entry));
    if (!bucket.groups.empty() && !bucket.groups[0].empty()) {
      bytes += bucket.candidates * bytes_beside(bucket.groups[0][0].key);  // of one, taken for all
    }
    bytes_ += bytes - bucket.bytes;
    bucket.bytes = bytes;
  }

  Status fire_first(OperatorOutput& out) {
    auto node = buckets_.extract(buckets_.begin());
    Bucket& bucket = *node.mapped();
    bytes_ -= bucket.bytes;
    groups_ -= static_cast<int64_t>(bucket.groups.size());
    std::vector<RowRef> refs;
    std::vector<int64_t> ranks;
    for (Group& group : bucket.groups) {
      std::sort_heap(group.begin(), group.end());
      for (size_t i = 0; i < group.size(); ++i) {
        refs.push_back(group[i].row);
        ranks.push_back(static_cast<int64_t>(i) + 1);
        if (refs.size() == batch_rows_) WEIR_TRY(emit(bucket, refs, ranks, out));
      }
    }
    return emit(bucket, refs, ranks, out);
  }

  Status emit(const Bucket& bucket, std::vector<RowRef>& refs, std::vector<int64_t>& ranks,
              OperatorOutput& out) {
    if (refs.empty()) return {};
    int64_t count = static_cast<int64_t>(refs.size());
    std::vector<std::shared_ptr<arrow::Array>> columns;
    WEIR_TRY(bucket.chunks.gather(refs.data(), refs.size(), columns));
    if (node_.with_rank) {
      columns.push_back(
          std::make_shared<arrow::Int64Array>(count, arrow::Buffer::FromVector(std::move(ranks))));
    }
    refs.clear();
    ranks = {};
    return out.emit(arrow::RecordBatch::Make(node_.schema, count, std::move(columns)));
  }

  const PlanNode& node_;
  std::shared_ptr<arrow::Schema> schema_;  // of the input
  size_t batch_rows_;
  WindowSplitter splitter_;
  SortKeys order_;
  KeyEncoder encoder_;  // partition columns and the window's start
  EncodedKeys keys_;
  std::vector<uint32_t> entries_;
  std::map<int64_t, std::unique_ptr<Bucket>> buckets_;  // by window end
  int64_t sequence_ = 0;                                // of the next row
  uint32_t taking_ = 0;                                 // the chunk whose rows are looked at
  int64_t bytes_ = 0, groups_ = 0;
};

template <typename Key>
std::unique_ptr<Operator> make(const OperatorContext& context, std::shared_ptr<arrow::Schema> schema,
                               SortKeys order, KeyEncoder groups) {
  return std::make_unique<WindowTopN<Key>>(context, std::move(schema), std::move(order), std::move(groups));
}

}  // namespace

Result<std::unique_ptr<Operator>> create_window_top_n(const OperatorContext& context) {
  const PlanNode& node = *context.node;
  WEIR_CHECK(node.inputs.size() == 1, "a TopN has one input");
  const PlanNode& input = context.plan->graph[node.inputs[0]];
  if (input.changelog) {
    return Status::invalid(node.detail + ": it reads rows that change what was given before (" +
                           input.detail + "); a window TopN of changing rows is not supported");
  }
  std::vector<int> groups = node.keys;
  groups.push_back(node.window.start_column);
  WEIR_ASSIGN(SortKeys order, SortKeys::create(input.schema, node.order));
  WEIR_ASSIGN(KeyEncoder encoder, KeyEncoder::create(*input.schema, std::move(groups)));
  bool is_short = order.is_short();
  return is_short ? make<ShortSortKey>(context, input.schema, std::move(order), std::move(encoder))
                  : make<std::string>(context, input.schema, std::move(order), std::move(encoder));
}

}  // namespace weir
