// Carries out one entry of the sink log: its INSERTs, and the search for rows that the server refuses.
//
// Everything here may be done again, by this process after a crash or by another beside it: each INSERT has
// its token, and each finding is durable before the next INSERT depends on it.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "clients/clickhouse_connection.h"
#include "sinks/clickhouse/block_encoder.h"
#include "sinks/clickhouse/compression.h"
#include "sinks/clickhouse/log_entry.h"
#include "sinks/clickhouse/sink_log.h"
#include "sinks/sink.h"

namespace weir {

struct RetryPolicy {
  int max_attempts = 10;
  std::chrono::milliseconds first_wait{100};
  std::chrono::milliseconds longest_wait{5000};
};

struct DeliverySettings {
  std::string sink;  // the table's name in the file
  RetryPolicy retry;
  const Clock* clock = nullptr;
  std::function<Status(const RefusedRows&)> store_refused;
  std::function<void(const std::string&)> log;
};

// The rows of an entry's parts, as appended, while they are at hand.
using EntryRows = std::vector<RowBatches>;

class EntryDelivery {
 public:
  // `log` null: at least once, nothing is kept. Both must outlive this.
  EntryDelivery(ClickHouseConnection& connection, SinkLog* log, DeliverySettings settings);

  enum class Outcome {
    done,    // stored, refused rows too; the log says so
    voided,  // none of its rows is stored, and they are not at hand: they come again from the source
  };
  // `rows` null: they are not at hand (recovery). unavailable: the server did not take it for the bounded
  // number of attempts; invalid: the table is not what the entry was made for, or the server says a thing
  // that only a person can change.
  Result<Outcome> carry_out(const LogEntry& entry, const EntryRows* rows);

 private:
  struct Search;  // of refused rows

  ServerAnswer insert(const LogEntry& entry, size_t part, const std::string& path, std::string_view block);
  Result<bool> is_stored(const LogEntry& entry, const EntryPart& part);
  Result<int64_t> stored_rows(const LogEntry& entry, const EntryPart& part);
  Status failure(const LogEntry& entry, const EntryPart& part, const ServerAnswer& answer) const;
  Result<bool> was_altered_since(const LogEntry& entry, const EntryPart& part);
  Result<bool> was_stored(const LogEntry& entry, const EntryPart& part, const ServerAnswer& answer,
                          bool maybe_sent);
  Status nothing_stored(const LogEntry& entry, const EntryPart& part, int64_t expected);
  Result<Outcome> make_void(const LogEntry& entry, const ServerAnswer& answer);
  Result<Outcome> search(const LogEntry& entry, const EntryRows* rows, size_t stored_parts);
  Status search_part(const LogEntry& entry, size_t part, Search& search);
  Status search_piece(const LogEntry& entry, size_t part, int64_t from, int64_t count,
                      const std::string& path, Search& search);
  Status note_stored(const LogEntry& entry, size_t part, const std::string& path, int64_t count,
                     Search& search);
  Status note_refusal(const LogEntry& entry, size_t part, int64_t from, int64_t count,
                      const std::string& path, const std::string& message, Search& search);
  Status note_step(const LogEntry& entry, const std::string& json);
  Status store_refused(const LogEntry& entry, const Search& search);
  Status finish(const LogEntry& entry, const Search& search);
  void say(const std::string& words) const;

  ClickHouseConnection& connection_;
  SinkLog* log_;  // may be null
  DeliverySettings settings_;
};

// Arrow IPC of the rows of all parts, and back.
Result<std::string> entry_rows_to_ipc(const EntryRows& rows);
Result<EntryRows> entry_rows_from_ipc(std::string_view bytes, size_t parts);

}  // namespace weir
