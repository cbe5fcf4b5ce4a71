// A ClickHouse table as a sink: intent before insert (sink_log.h), so that rows and positions agree although
// the server keeps no positions.
//
// A commit: the block is encoded, written with ranges and positions as an entry of the log, inserted under
// the entry's token, refused rows go to the error lake, the entry is marked as carried out. Whatever is lost
// on the way, whoever comes next finds the entry and does the rest again; what was done is not doubled.
#pragma once

#include <arrow/type_fwd.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/objects.h"
#include "base/status.h"
#include "checkpoint/commit_decision.h"
#include "clients/clickhouse_connection.h"
#include "sinks/clickhouse/compression.h"
#include "sinks/clickhouse/entry_delivery.h"
#include "sinks/clickhouse/sink_log.h"
#include "sinks/clickhouse/target_tables.h"
#include "sinks/sink.h"

namespace weir {

struct ClickHouseSinkSettings {
  std::string pipeline;
  TargetSettings target;
  Compression compression = Compression::lz4;
  int64_t max_rows = 1'000'000;
  int64_t max_bytes = 64 << 20;  // of Arrow
  int max_attempts = 20;         // of a commit against other writers of the log
  RetryPolicy retry;
  const Clock* clock = nullptr;
  std::function<Result<std::unique_ptr<ClickHouseConnection>>()> connect;
  std::function<Result<std::unique_ptr<ObjectStore>>()> open_state;
  std::function<Status(const RefusedRows&)> store_refused;
  std::function<void(const std::string&)> log;
};

// Rows that wait for their commit, as appended.
class ClickHouseSealedRows final : public SealedRows {
 public:
  RowBatches batches;
};

// What both kinds of delivery share: rows taken in, and blocks made of them.
class ClickHouseWriter {
 public:
  explicit ClickHouseWriter(ClickHouseSinkSettings settings);

  Status open(SinkLog* log);
  Status append(std::shared_ptr<arrow::RecordBatch> rows);
  bool full() const { return rows_ >= settings_.max_rows || bytes_ >= settings_.max_bytes; }
  std::unique_ptr<ClickHouseSealedRows> seal();
  void drop();

  // Adds to the entry, which has its number, the parts that hold `batches`, and what no block can hold.
  // `kept`: the rows of each part.
  Status fill(const RowBatches& batches, LogEntry& entry, EntryRows& kept);
  Result<EntryDelivery::Outcome> carry_out(const LogEntry& entry, const EntryRows* rows);

  const ClickHouseSinkSettings& settings() const { return settings_; }
  ClickHouseConnection& connection() { return *connection_; }
  TargetTables& tables() { return *tables_; }
  void say(const std::string& words) const;

 private:
  ClickHouseSinkSettings settings_;
  std::unique_ptr<ClickHouseConnection> connection_;
  std::unique_ptr<TargetTables> tables_;
  std::unique_ptr<EntryDelivery> delivery_;
  Compressor compressor_;
  // Of the last block, for their memory.
  EncodedBlock encoded_;
  NativeBuffer compressed_;
  RowBatches open_;
  int64_t rows_ = 0, bytes_ = 0;  // of open_
};

// 'delivery' = 'exactly-once'.
class ClickHouseSink final : public TransactionalSink {
 public:
  explicit ClickHouseSink(ClickHouseSinkSettings settings) : writer_(std::move(settings)) {}

  Result<std::map<std::string, int64_t>> open(const std::string& app_prefix) override;
  Status append(const std::shared_ptr<arrow::RecordBatch>& rows) override;
  bool full() const override { return writer_.full(); }
  Result<std::unique_ptr<SealedRows>> seal() override;
  Status commit(const SealedRows& sealed, const CommitRequest& request) override;
  Memory memory() const override { return Memory::state; }
  Result<std::string> persist(const SealedRows& sealed) override;
  Result<bool> commit_persisted(const std::string& persisted, const std::string& app_id, int64_t version,
                                const std::string& ledger_json) override;

 private:
  // What one call wants in the log: rows, the positions that they move, and whether they may be moved.
  struct Intent {
    const RowBatches* batches = nullptr;
    int64_t plan_hash = 0;
    std::vector<PartitionRange> ranges;
    std::map<std::string, int64_t> moves;  // app id -> version
    std::function<CommitAction(const CommitFacts& attempts)> decide;
  };
  // True: this call, or an attempt of it whose answer was lost, made the rows visible.
  Result<bool> run(const Intent& intent);
  Status wait_for_others();
  Status resolve_open_entry();
  Status write_entry(const Intent& intent);
  void fill_stands(const CommitRequest& request, CommitFacts& facts) const;
  Status pin_servers();
  Status warn_of_lost_state();

  ClickHouseWriter writer_;
  std::unique_ptr<SinkLog> log_;
  std::map<std::string, int64_t> stands_at_open_;
  std::map<std::string, bool> committed_here_;
  // The entry that this process wrote last, and its rows while it is open.
  std::string own_entry_;
  EntryRows own_rows_;
};

// 'delivery' = 'at-least-once': no log; rows of a commit whose answer was lost may come twice.
class ClickHousePlainSink final : public Sink {
 public:
  explicit ClickHousePlainSink(ClickHouseSinkSettings settings) : writer_(std::move(settings)) {}

  Result<std::map<std::string, int64_t>> open(const std::string& app_prefix) override;
  Status append(const std::shared_ptr<arrow::RecordBatch>& rows) override;
  bool full() const override { return writer_.full(); }
  Result<std::unique_ptr<SealedRows>> seal() override;
  Status commit(const SealedRows& sealed, const CommitRequest& request) override;
  Memory memory() const override { return Memory::none; }
  TransactionalSink* transactional() override { return nullptr; }

 private:
  ClickHouseWriter writer_;
  std::string run_;  // random: this process, in tokens and for refused rows
  int64_t commits_ = 0;
};

}  // namespace weir
