#include "sinks/clickhouse/log_entry.h"

#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

namespace weir {
namespace {

using nlohmann::json;

constexpr int kFormatVersion = 1;

uint32_t checksum_of(std::string_view bytes) {
  return static_cast<uint32_t>(
      crc32_z(0, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

json span_json(const ByteSpan& span) {
  return {{"offset", span.offset}, {"bytes", span.bytes}, {"crc32", span.checksum}};
}

ByteSpan span_of(const json& value) {
  return {value.at("offset").get<int64_t>(), value.at("bytes").get<int64_t>(),
          value.at("crc32").get<uint32_t>()};
}

json part_json(const EntryPart& part) {
  json columns = json::array();
  for (const auto& [name, type] : part.columns) columns.push_back({name, type});
  return {{"database", part.database},     {"table", part.table}, {"columns", columns},
          {"encoding", part.encoding},     {"rows", part.rows},   {"has_sequence", part.has_sequence},
          {"block", span_json(part.block)}};
}

EntryPart part_of(const json& value) {
  EntryPart part;
  part.database = value.at("database");
  part.table = value.at("table");
  for (const auto& column : value.at("columns")) part.columns.emplace_back(column.at(0), column.at(1));
  part.encoding = value.at("encoding");
  part.rows = value.at("rows");
  part.has_sequence = value.at("has_sequence");
  part.block = span_of(value.at("block"));
  return part;
}

LogEntry read_header(const json& header) {
  LogEntry entry;
  entry.id = header.at("id");
  entry.incarnation = header.at("incarnation");
  entry.seq = header.at("seq");
  entry.created_us = header.at("created_us");
  entry.plan_hash = header.at("plan_hash");
  for (const auto& range : header.at("ranges"))
    entry.ranges.push_back({range.at("app_id"), range.at("from"), range.at("next")});
  entry.stands = header.at("stands").get<std::map<std::string, int64_t>>();
  entry.before = header.at("before").get<std::map<std::string, int64_t>>();
  for (const auto& part : header.at("parts")) entry.parts.push_back(part_of(part));
  entry.refused = span_of(header.at("refused"));
  entry.refused_messages = header.at("refused_messages").get<std::vector<std::string>>();
  entry.rows = span_of(header.at("rows"));
  return entry;
}

bool span_is_whole(const LogEntry& entry, const ByteSpan& span) {
  auto size = static_cast<int64_t>(entry.body.size());
  if (span.offset < 0 || span.bytes < 0 || span.offset > size || span.bytes > size - span.offset)
    return false;
  return checksum_of(entry.view(span)) == span.checksum;
}

}  // namespace

ByteSpan LogEntry::store(std::string_view bytes) {
  ByteSpan span{static_cast<int64_t>(body.size()), static_cast<int64_t>(bytes.size()), checksum_of(bytes)};
  body.append(bytes);
  return span;
}

bool EntryPart::replaces() const {
  return std::any_of(columns.begin(), columns.end(),
                     [](const auto& column) { return column.first == kVersionColumn; });
}

std::string_view LogEntry::view(const ByteSpan& span) const {
  return std::string_view(body).substr(static_cast<size_t>(span.offset), static_cast<size_t>(span.bytes));
}

std::vector<std::string> LogEntry::app_ids() const {
  std::vector<std::string> ids;
  for (const PartitionRange& range : ranges) ids.push_back(range.app_id);
  return ids;
}

std::string LogEntry::to_text() const {
  json ranges_json = json::array(), parts_json = json::array();
  for (const PartitionRange& range : ranges)
    ranges_json.push_back({{"app_id", range.app_id}, {"from", range.from}, {"next", range.next}});
  for (const EntryPart& part : parts) parts_json.push_back(part_json(part));
  json header = {{"version", kFormatVersion},
                 {"id", id},
                 {"incarnation", incarnation},
                 {"seq", seq},
                 {"created_us", created_us},
                 {"plan_hash", plan_hash},
                 {"ranges", ranges_json},
                 {"stands", stands},
                 {"before", before},
                 {"parts", parts_json},
                 {"refused", span_json(refused)},
                 {"refused_messages", refused_messages},
                 {"rows", span_json(rows)}};
  // Words of a server or a value may not be UTF-8.
  std::string text = header.dump(-1, ' ', false, json::error_handler_t::replace);
  text += '\n';
  return text + body;
}

Result<LogEntry> LogEntry::parse(std::string text) {
  auto damaged = [](const std::string& why) {
    return Status::internal("a damaged entry of the sink log: " + why);
  };
  size_t line = text.find('\n');
  if (line == std::string::npos) return damaged("no header");
  json header = json::parse(text.begin(), text.begin() + static_cast<ptrdiff_t>(line), nullptr, false);
  if (!header.is_object()) return damaged("the header is not JSON");
  LogEntry entry;
  try {
    if (const int version = header.at("version"); version != kFormatVersion) {
      return Status::invalid("an entry of the sink log has format version " + std::to_string(version) +
                             ", this Weir knows " + std::to_string(kFormatVersion));
    }
    entry = read_header(header);
  } catch (const json::exception& error) {
    return damaged(error.what());
  }
  text.erase(0, line + 1);
  entry.body = std::move(text);
  bool whole = span_is_whole(entry, entry.refused) && span_is_whole(entry, entry.rows);
  for (const EntryPart& part : entry.parts) whole = whole && span_is_whole(entry, part.block);
  if (!whole) return damaged("its bytes do not match their checksum");
  return entry;
}

std::string deduplication_token(const LogEntry& entry, const std::string& sink, size_t part,
                                const std::string& path) {
  std::string token = entry.incarnation + "/" + sink + "/" + std::to_string(entry.seq);
  if (entry.parts.size() > 1) token += "/p" + std::to_string(part);
  if (!path.empty()) token += "/" + path;
  return token;
}

int64_t sequence_value(const std::string& incarnation, int64_t seq) {
  auto high = std::strtoll(incarnation.substr(0, 6).c_str(), nullptr, 16) & 0x7FFFFF;
  return (high << 40) | (seq & ((int64_t{1} << 40) - 1));
}

}  // namespace weir
