// One partition as its writer sees it: segments, the room in the newest one, what is staged for the next
// fsync.
//
// Invariants: segments hold dense offsets without gaps from segment to segment; a segment is created only
// when everything before it is durable; nothing is published before it is durable.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "log/durable_end.h"
#include "log/key_window.h"
#include "log/log_folder.h"
#include "log/segment_file.h"
#include "log/segment_summary.h"

namespace weir {

struct PartitionSettings {
  std::string folder;  // of the partition
  std::string stream_id;
  int partition = 0;
  int64_t segment_bytes = 0;
};

class PartitionLog {
 public:
  // Creates or recovers; tells `keys` of those that are still remembered. `now_us` tells which are.
  static Result<std::unique_ptr<PartitionLog>> open(PartitionSettings settings, KeyWindow& keys,
                                                    int64_t now_us);

  // ---- the committer's thread ----

  // Room for a frame of that size, in a new segment if need be: exhausted, or why none can be made. Then
  // nothing has changed, unless broken().
  Status make_room(int64_t bytes);
  // After make_room. Returns the first record's offset.
  int64_t stage(std::string_view key, uint64_t fingerprint, int64_t timestamp_us,
                const std::vector<LogRecord>& records);
  bool staged() const { return !staged_.empty(); }
  // Hands what is staged to the disk without waiting for it: several partitions are written side by side.
  Status begin_flush();
  // Writes and syncs what is staged. After a failure the partition is broken: nobody knows what is on the
  // disk.
  Status flush();
  // Readers may see all that was flushed.
  void publish();
  bool broken() const { return broken_; }

  // ---- any thread ----

  Status reserve(int64_t bytes);
  // `consumed`: all readers have passed what is below; -1: does not matter.
  Status retain(const LogRetention& retention, int64_t consumed, std::chrono::seconds key_window,
                int64_t now_us);
  LogWriter::Extent extent() const;

 private:
  struct Closed {
    int64_t base = 0;
    int64_t next = 0;
    int64_t bytes = 0;
    int64_t newest_us = 0;
    bool has_keys = false;
  };

  PartitionLog(PartitionSettings settings, KeyWindow& keys);
  Status recover(int64_t now_us);
  Status recover_closed(const std::vector<int64_t>& segments, int64_t now_us);
  Status recover_newest(int64_t base, int64_t now_us);
  Status load_orphans(const PartitionFiles& files, int64_t now_us);
  Result<SegmentSummary> summarize(int64_t base) const;
  Status check_tail(const SegmentFile& file, const SegmentScanner& scan) const;
  Status rewrite(SegmentFile& file, int64_t from, int64_t to) const;
  Status make_spare(int64_t bytes);  // under spare_mutex_
  Result<std::unique_ptr<SegmentFile>> begin_spare(int64_t base, int64_t bytes);
  Status roll(int64_t bytes);
  Status write();
  void close_newest();
  void remember(const SummaryKey& key);
  std::string path_of(int64_t base) const;

  const PartitionSettings settings_;
  const uint32_t seed_;  // of its frames' checksums
  KeyWindow& keys_;
  std::unique_ptr<DurableEnd> durable_;

  std::unique_ptr<SegmentFile> file_;  // the newest segment
  SegmentSummary newest_;              // its bytes and offsets include what is staged
  std::string staged_;                 // ends at newest_.bytes
  bool written_ = false;               // what is staged, and nothing was staged since
  int64_t synced_ = 0;                 // the offset below which all is durable
  bool broken_ = false;
  std::atomic<int64_t> room_{0};  // in the newest segment

  std::mutex spare_mutex_;              // guards the next two
  std::unique_ptr<SegmentFile> spare_;  // the next segment's room
  int64_t spare_bytes_ = 0;

  std::mutex retain_mutex_;   // one retain() at a time
  mutable std::mutex mutex_;  // guards what follows
  std::vector<Closed> closed_;
  int64_t newest_base_ = 0;
  int64_t newest_bytes_ = 0;     // published
  std::vector<Closed> orphans_;  // summaries whose segment is gone
};

}  // namespace weir
