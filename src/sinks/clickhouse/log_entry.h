// One entry of a sink's log: what will be in ClickHouse, said durably before it is sent.
//
// An object `<seq, 12 digits>.entry`: one line of JSON, then the bytes it describes: for each part the body
// of its INSERT exactly as it is sent, then Arrow IPC streams of rows.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "sinks/sink.h"

namespace weir {

struct ByteSpan {
  int64_t offset = 0;  // in LogEntry::body
  int64_t bytes = 0;
  uint32_t checksum = 0;  // CRC-32 of zlib
};

// One INSERT into one table.
struct EntryPart {
  std::string database, table;
  std::vector<std::pair<std::string, std::string>>
      columns;           // name and ClickHouse type, as the block has them
  std::string encoding;  // Content-Encoding of `block`
  int64_t rows = 0;
  bool has_sequence = false;  // _weir_seq is among the columns
  ByteSpan block;

  // The rows carry versions: stored twice, they are what they were.
  bool replaces() const;
};

struct LogEntry {
  std::string id;  // random: tells an entry of ours, whose answer was lost, from another worker's
  std::string incarnation;
  int64_t seq = 0;
  int64_t created_us = 0;
  int64_t plan_hash = 0;
  std::vector<PartitionRange> ranges;
  // Positions by app id after this entry, and before it: what holds when the entry is void. Both are whole,
  // so that the newest entry alone gives the stand.
  std::map<std::string, int64_t> stands, before;
  std::vector<EntryPart> parts;
  // Rows that no block can hold, as appended, with the encoder's words; bytes 0: none.
  ByteSpan refused;
  std::vector<std::string> refused_messages;
  // All rows of the parts, where the entry cannot be made void: it has several parts. bytes 0: not kept.
  ByteSpan rows;

  std::string body;

  // Adds bytes to the body.
  ByteSpan store(std::string_view bytes);
  std::string_view view(const ByteSpan& span) const;
  std::vector<std::string> app_ids() const;

  std::string to_text() const;
  // internal: the text is no entry of this version, or a checksum does not match.
  static Result<LogEntry> parse(std::string text);
};

// "incarnation/sink/seq", with "/part" when the entry has several, then "/path" for a piece of a bisection.
std::string deduplication_token(const LogEntry& entry, const std::string& sink, size_t part,
                                const std::string& path);

// What _weir_seq holds: 23 bits of the incarnation above 40 of the sequence number, never negative.
int64_t sequence_value(const std::string& incarnation, int64_t seq);

}  // namespace weir
