#include "sinks/clickhouse/entry_delivery.h"

#include <arrow/array.h>
#include <arrow/array/concatenate.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/crash_point.h"
#include "sinks/clickhouse/target_table.h"

namespace weir {
namespace {

using nlohmann::json;

constexpr const char* kPartColumn = "_weir_part";

TableName name_of(const EntryPart& part) { return {part.database, part.table}; }

Result<std::vector<TableColumn>> columns_of(const EntryPart& part) {
  std::vector<TableColumn> columns;
  for (const auto& [name, type] : part.columns) {
    WEIR_ASSIGN(ClickHouseType parsed, ClickHouseType::parse(type));
    columns.push_back({name, std::move(parsed)});
  }
  return columns;
}

// What an INSERT is sent with. One block an INSERT, at once, under its token.
std::vector<std::pair<std::string, std::string>> insert_settings(const std::string& token) {
  std::vector<std::pair<std::string, std::string>> settings = {
      {"async_insert", "0"},
      {"insert_deduplicate", "1"},
      {"deduplicate_insert", "enable"},
      {"deduplicate_blocks_in_dependent_materialized_views", "1"},
      {"max_partitions_per_insert_block", "1000"},
      // A column that was altered meanwhile refuses the block, instead of wrapping its values round.
      {"input_format_native_allow_types_conversion", "0"},
  };
  if (!token.empty()) settings.emplace_back("insert_deduplication_token", token);
  return settings;
}

}  // namespace

// What is known of the entry's refused rows: read from the steps that an earlier search wrote, then added to.
struct EntryDelivery::Search {
  const EntryRows* rows = nullptr;
  std::vector<std::set<std::string>> cut;               // by part: paths of pieces that were refused
  std::vector<std::map<int64_t, std::string>> refused;  // by part: row -> the server's words
  std::vector<std::set<std::string>> stored;            // by part: paths of pieces that were accepted
  std::vector<int64_t> accepted;                        // by part: rows in them
  std::unique_ptr<BlockEncoder> encoder;                // of the part being searched
  std::unique_ptr<Compressor> compressor;               // of that part's encoding
  // Rises with refused rows, falls ten times as fast with accepted ones: above kSearchedRows nearly all that
  // was seen lately is refused, and the search gives up telling the rows of a small piece apart.
  int64_t density = 0;
  static constexpr int64_t kSearchedRows = 1000, kSmallPieceRows = 64;

  explicit Search(size_t parts) : cut(parts), refused(parts), stored(parts), accepted(parts) {}

  void store(size_t part, const std::string& path, int64_t count) {
    stored[part].insert(path);
    accepted[part] += count;
    density -= std::min(density, 10 * count);
  }
  void refuse(size_t part, int64_t from, int64_t count, const std::string& words) {
    for (int64_t row = from; row < from + count; ++row) refused[part][row] = words;
    density = std::min(density + count, 2 * kSearchedRows);
  }
  bool leaves_out(int64_t count) const { return density >= kSearchedRows && count <= kSmallPieceRows; }
};

EntryDelivery::EntryDelivery(ClickHouseConnection& connection, SinkLog* log, DeliverySettings settings)
    : connection_(connection), log_(log), settings_(std::move(settings)) {}

void EntryDelivery::say(const std::string& words) const {
  if (settings_.log) settings_.log("table '" + settings_.sink + "': " + words);
}

// ---- one INSERT

ServerAnswer EntryDelivery::insert(const LogEntry& entry, size_t part_index, const std::string& path,
                                   std::string_view block) {
  const EntryPart& part = entry.parts[part_index];
  const std::string statement =
      "INSERT INTO " + name_of(part).quoted() + " (" + column_list_of(part.columns) + ") FORMAT Native";
  const std::string token = deduplication_token(entry, settings_.sink, part_index, path);
  auto wait = settings_.retry.first_wait;
  bool in_doubt = false;
  for (int attempt = 1;; ++attempt) {
    ServerAnswer answer = connection_.insert(statement, insert_settings(token), part.encoding, {block});
    crash_point("clickhouse.after_insert");
    answer.in_doubt = in_doubt;
    in_doubt = true;
    if (answer.kind != ServerErrorKind::retry || attempt >= settings_.retry.max_attempts) return answer;
    say(answer.status.message() + "; trying again in " + std::to_string(wait.count()) + " ms");
    settings_.clock->sleep(wait);
    wait = std::min(wait * 2, settings_.retry.longest_wait);
  }
}

Result<int64_t> EntryDelivery::stored_rows(const LogEntry& entry, const EntryPart& part) {
  auto rows = connection_.select("SELECT toString(count()) FROM " + name_of(part).quoted() + " WHERE " +
                                 kSequenceColumn + " = " +
                                 std::to_string(sequence_value(entry.incarnation, entry.seq)));
  if (!rows.ok()) return rows.status();
  return rows->empty() ? 0 : std::atoll(rows->front()[0].c_str());
}

// Whether an earlier process got all of the part stored, so that it must not be sent again. Asked of the
// table itself, which knows it even when the token is no longer in the window. With views it is sent again as
// long as the token is known: they may have missed the block.
Result<bool> EntryDelivery::is_stored(const LogEntry& entry, const EntryPart& part) {
  auto memory_s = token_memory_s(connection_, name_of(part));
  // A table or column that is gone is told by the INSERT.
  auto gone = [](const Status& status) {
    return status.code() == Code::invalid || status.code() == Code::not_found;
  };
  if (!memory_s.ok()) return gone(memory_s.status()) ? Result<bool>(false) : memory_s.status();
  const int64_t age_s = (settings_.clock->now_us() - entry.created_us) / 1'000'000;
  const bool forgotten = age_s >= *memory_s;
  const std::string what = "commit number " + std::to_string(entry.seq) + " is " + std::to_string(age_s) +
                           " s old, which is longer than " + name_of(part).text() + " remembers tokens";
  if (part.replaces()) return false;
  if (!part.has_sequence) {
    if (forgotten) say(what + ", and it has no column _weir_seq: its rows may come twice (at least once)");
    return false;
  }
  auto views = has_views(connection_, name_of(part));
  if (!views.ok()) return views.status();
  if (*views && !forgotten) return false;
  auto stored = stored_rows(entry, part);
  if (!stored.ok()) return gone(stored.status()) ? Result<bool>(false) : stored.status();
  if (*stored != part.rows) return false;
  if (*views) say(what + ": its rows are there, but what materialized views made of them is not known");
  return true;
}

Status EntryDelivery::failure(const LogEntry& entry, const EntryPart& part,
                              const ServerAnswer& answer) const {
  Status status = answer.status;
  if (answer.kind == ServerErrorKind::changed) {
    status = Status::invalid(answer.status.message() +
                             ". The table was altered while rows were on their way: they were made for " +
                             name_of(part).text() + " (" + column_list_of(part.columns) +
                             "). Start again to compare the table with the query");
  } else if (answer.kind == ServerErrorKind::row) {
    status = Status::invalid(answer.status.message());
  }
  return status.with_context("table '" + settings_.sink + "'");
}

// ---- an entry

Result<EntryDelivery::Outcome> EntryDelivery::carry_out(const LogEntry& entry, const EntryRows* rows) {
  Verdict verdict = Verdict::none;
  if (log_ != nullptr) {
    WEIR_ASSIGN(verdict, log_->verdict(entry.seq));
  }
  if (verdict == Verdict::voided) {
    log_->resolve_void();
    return Outcome::voided;
  }
  EntryRows kept;
  if (verdict == Verdict::split) return search(entry, nullptr, 0);
  if (rows == nullptr && entry.rows.bytes != 0) {
    WEIR_ASSIGN(kept, entry_rows_from_ipc(entry.view(entry.rows), entry.parts.size()));
    rows = &kept;
  }
  for (size_t i = 0; i < entry.parts.size(); ++i) {
    const EntryPart& part = entry.parts[i];
    if (rows == nullptr || rows == &kept) {
      auto stored = is_stored(entry, part);
      if (!stored.ok()) return stored.status().with_context("table '" + settings_.sink + "'");
      if (*stored) continue;
    }
    ServerAnswer answer = insert(entry, i, "", entry.view(part.block));
    if (answer.kind == ServerErrorKind::none) continue;
    const bool is_row = answer.kind == ServerErrorKind::row;
    if (log_ == nullptr && is_row) return search(entry, rows, i);
    const bool other_rows_may_do = is_row || answer.kind == ServerErrorKind::changed;
    if (!other_rows_may_do || log_ == nullptr) return failure(entry, part, answer);
    const bool own = rows != nullptr && rows != &kept;
    auto stored = was_stored(entry, part, answer, !own || answer.in_doubt);
    if (!stored.ok()) return stored.status();
    if (*stored) continue;
    if (is_row && rows != nullptr) return search(entry, rows, i);
    if (rows == nullptr) return make_void(entry, answer);
    Status failed = failure(entry, part, answer);
    // So that the next start reads the rows again; what other parts stored must stay. The entry is gone then.
    if (own && entry.parts.size() == 1) WEIR_TRY(make_void(entry, answer).status());
    return failed;
  }
  WEIR_TRY(finish(entry, Search(entry.parts.size())));
  return Outcome::done;
}

// Whether the table's definition was written since the entry was made. Compares ages, so that the clocks of
// both machines need not agree.
Result<bool> EntryDelivery::was_altered_since(const LogEntry& entry, const EntryPart& part) {
  constexpr int64_t kRoundingS = 2;
  WEIR_ASSIGN(auto altered_s, altered_ago_s(connection_, name_of(part)));
  const int64_t age_s = (settings_.clock->now_us() - entry.created_us) / 1'000'000;
  return !altered_s || *altered_s < age_s + kRoundingS;
}

// Whether a part that is refused now was stored by an earlier INSERT, before the table was altered. A block
// that was stored must neither be cut nor come again under another token: what cannot be known ends here.
Result<bool> EntryDelivery::was_stored(const LogEntry& entry, const EntryPart& part,
                                       const ServerAnswer& answer, bool maybe_sent) {
  const std::string context = "table '" + settings_.sink + "'";
  auto with_context = [&](const Status& status) { return status.with_context(context); };
  auto views = has_views(connection_, name_of(part));
  if (!views.ok()) return with_context(views.status());
  if (!*views && !maybe_sent && answer.kind == ServerErrorKind::row) return false;
  // Whether it was stored does not matter: the rows come again under the same versions.
  if (!*views && part.replaces()) return false;
  auto described = describe_table(connection_, name_of(part));
  // With the table its rows are gone.
  if (!described.ok() && described.status().code() == Code::not_found) return false;
  if (!described.ok()) return with_context(described.status());
  const std::string number = std::to_string(entry.seq), name = name_of(part).text();
  const std::string way_out =
      ". Undo the ALTER and start again. Or look for the rows yourself: if they are there, write " + number +
      " into the object 'finished' of the sink's folder in state.path, else the word void into '" +
      entry_path(entry.seq, "verdict") + "'. Or choose 'delivery' = 'at-least-once'";
  const std::string refused = "the server refuses commit number " + number + ": " + answer.message + ". ";
  if (!part.has_sequence) {
    if (*views) {
      return with_context(Status::invalid(refused + "Whether " + name + ", which has materialized views, " +
                                          "took it before a view failed cannot be known: it has no column " +
                                          "_weir_seq. Repair the view or undo the ALTER, then start again"));
    }
    if (!maybe_sent) return false;
    auto altered = was_altered_since(entry, part);
    if (!altered.ok()) return with_context(altered.status());
    if (!*altered) return false;
    return with_context(Status::invalid(refused + "Whether it was stored before " + name +
                                        " was altered cannot be known: the table has no column _weir_seq" +
                                        way_out));
  }
  auto stored = stored_rows(entry, part);
  if (!stored.ok() && stored.status().code() == Code::invalid) {
    return with_context(Status::invalid(refused + "Whether it was stored before " + name +
                                        " was altered cannot be known: its column _weir_seq cannot be "
                                        "asked: " +
                                        stored.status().message() + way_out));
  }
  if (!stored.ok()) return with_context(stored.status());
  if (*stored == 0) return false;
  // A view that fails leaves rows in the table.
  if (*views) {
    return with_context(Status::invalid(refused + name + ", which has materialized views, holds " +
                                        std::to_string(*stored) + " of its " + std::to_string(part.rows) +
                                        " rows: a view fails, or the table was altered before the views "
                                        "had them. Repair the view or undo the ALTER, then start again"));
  }
  if (*stored == part.rows) return true;
  return with_context(Status::invalid(refused + name + " holds " + std::to_string(*stored) + " of its " +
                                      std::to_string(part.rows) + " rows" + way_out));
}

// Rows that were refused as a block must not be in the table: views run after the table's own part is
// written, so a failing view leaves rows behind.
Status EntryDelivery::nothing_stored(const LogEntry& entry, const EntryPart& part, int64_t expected) {
  auto views = has_views(connection_, name_of(part));
  if (!views.ok()) return views.status();
  if (!*views) return {};
  const std::string why = "table '" + settings_.sink + "': the server refused rows of " +
                          name_of(part).text() + ", which has materialized views, and ";
  if (!part.has_sequence) {
    return Status::invalid(why +
                           "whether a view refused them after the table took them cannot be known: the "
                           "table has no column _weir_seq");
  }
  auto stored = stored_rows(entry, part);
  if (!stored.ok()) return stored.status();
  if (*stored <= expected) return {};
  return Status::invalid(why + "the table itself took them: a view fails. Repair the view, then start again");
}

Result<EntryDelivery::Outcome> EntryDelivery::make_void(const LogEntry& entry, const ServerAnswer& answer) {
  auto decided = log_->decide(entry.seq, Verdict::voided);
  if (!decided.ok()) return decided.status();
  // Somebody who has the rows was first.
  if (*decided == Verdict::split) return search(entry, nullptr, 0);
  say("what had been prepared as number " + std::to_string(entry.seq) +
      " cannot be stored as it is, so its rows are read again: " + answer.message);
  log_->resolve_void();
  return Outcome::voided;
}

Status EntryDelivery::finish(const LogEntry& entry, const Search& search) {
  WEIR_TRY(store_refused(entry, search));
  return log_ == nullptr ? Status() : log_->finish(entry);
}

// ---- refused rows

Result<EntryDelivery::Outcome> EntryDelivery::search(const LogEntry& entry, const EntryRows* rows,
                                                     size_t stored_parts) {
  EntryRows kept;
  Search search(entry.parts.size());
  if (log_ != nullptr) {
    if (rows != nullptr) {
      // The entry's refusal becomes durable with its rows, so that a search goes on after a crash with the
      // same pieces.
      WEIR_ASSIGN(std::string ipc, entry_rows_to_ipc(*rows));
      WEIR_TRY(log_->put_rows(entry.seq, ipc));
      auto decided = log_->decide(entry.seq, Verdict::split);
      if (!decided.ok()) return decided.status();
      if (*decided == Verdict::voided) {
        log_->resolve_void();
        return Outcome::voided;
      }
      crash_point("clickhouse.split");
    } else {
      WEIR_ASSIGN(std::string ipc, log_->rows(entry.seq));
      WEIR_ASSIGN(kept, entry_rows_from_ipc(ipc, entry.parts.size()));
    }
    auto steps = log_->steps(entry.seq);
    if (!steps.ok()) return steps.status();
    for (const std::string& step : *steps) {
      json value = json::parse(step, nullptr, false);
      if (!value.is_object() || value.value("part", entry.parts.size()) >= entry.parts.size())
        return Status::internal("a damaged step of entry " + std::to_string(entry.seq) + " of the sink log");
      size_t part = value["part"];
      if (value.contains("row")) {
        search.refuse(part, value["row"].get<int64_t>(), value.value("rows", int64_t{1}),
                      value.value("message", ""));
      } else if (value.contains("stored")) {
        search.store(part, value.value("path", ""), value["stored"].get<int64_t>());
      } else {
        search.cut[part].insert(value.value("path", ""));
      }
    }
  }
  search.rows = rows != nullptr ? rows : &kept;
  for (size_t part = 0; part < stored_parts; ++part) {
    if (search.cut[part].count("") != 0 || search.stored[part].count("") != 0) continue;
    WEIR_TRY(note_stored(entry, part, "", entry.parts[part].rows, search));
  }
  for (size_t part = 0; part < entry.parts.size(); ++part) WEIR_TRY(search_part(entry, part, search));
  int64_t refused = 0;
  for (const auto& by_row : search.refused) refused += static_cast<int64_t>(by_row.size());
  say("the server refused " + std::to_string(refused) + (refused == 1 ? " row" : " rows") +
      " of commit number " + std::to_string(entry.seq));
  WEIR_TRY(finish(entry, search));
  return Outcome::done;
}

Status EntryDelivery::search_part(const LogEntry& entry, size_t index, Search& search) {
  const EntryPart& part = entry.parts[index];
  const RowBatches& batches = (*search.rows)[index];
  if (batches.empty()) return {};
  WEIR_ASSIGN(auto columns, columns_of(part));
  WEIR_ASSIGN(search.encoder,
              BlockEncoder::create(name_of(part).text(), *batches[0]->schema(), columns, part.has_sequence));
  WEIR_ASSIGN(Compression compression, parse_compression(part.encoding.empty() ? "none" : part.encoding));
  search.compressor = std::make_unique<Compressor>(compression);
  return search_piece(entry, index, 0, count_rows(batches), "", search);
}

Status EntryDelivery::search_piece(const LogEntry& entry, size_t part, int64_t from, int64_t count,
                                   const std::string& path, Search& search) {
  if (search.stored[part].count(path) != 0) return {};
  // Noted as refused; a piece that was cut has its first row there, too.
  if (search.cut[part].count(path) == 0 && search.refused[part].count(from) != 0) return {};
  if (search.cut[part].count(path) == 0) {
    const RowBatches piece = slice_rows((*search.rows)[part], from, count);
    WEIR_ASSIGN(auto block, search.encoder->encode(piece, sequence_value(entry.incarnation, entry.seq)));
    if (!block.refused.empty())
      return Status::internal("a row that was encoded once cannot be encoded again");
    NativeBuffer sent;
    WEIR_TRY(search.compressor->compress(block.bytes.view(), &sent));
    ServerAnswer answer = insert(entry, part, path, sent.view());
    if (answer.kind == ServerErrorKind::none) {
      return note_stored(entry, part, path, count, search);
    }
    if (answer.kind != ServerErrorKind::row) return failure(entry, entry.parts[part], answer);
    WEIR_TRY(nothing_stored(entry, entry.parts[part], search.accepted[part]));
    WEIR_TRY(note_refusal(entry, part, from, count, path, answer.message, search));
    if (search.cut[part].count(path) == 0) return {};
  }
  const int64_t half = count / 2;
  WEIR_TRY(search_piece(entry, part, from, half, path + "0", search));
  return search_piece(entry, part, from + half, count - half, path + "1", search);
}

// An accepted piece is not sent again, whatever becomes of its token.
Status EntryDelivery::note_stored(const LogEntry& entry, size_t part, const std::string& path, int64_t count,
                                  Search& search) {
  search.store(part, path, count);
  return note_step(entry, json({{"part", part}, {"path", path}, {"stored", count}}).dump());
}

// Of a piece: cut it, or leave it out.
Status EntryDelivery::note_refusal(const LogEntry& entry, size_t part, int64_t from, int64_t count,
                                   const std::string& path, const std::string& message, Search& search) {
  json step = {{"part", part}};
  if (count == 1 || search.leaves_out(count)) {
    std::string words = message;
    if (count > 1) {
      words += " (refused as " + std::to_string(count) + " rows together, because nearly all before were " +
               "refused; good ones among them can be replayed)";
    }
    step["row"] = from;
    step["rows"] = count;
    step["message"] = words;
    search.refuse(part, from, count, words);
  } else {
    step["path"] = path;
    search.cut[part].insert(path);
  }
  return note_step(entry, step.dump(-1, ' ', false, json::error_handler_t::replace));
}

Status EntryDelivery::note_step(const LogEntry& entry, const std::string& text) {
  if (log_ == nullptr) return {};
  WEIR_TRY(log_->add_step(entry.seq, text));
  crash_point("clickhouse.split");
  return {};
}

Status EntryDelivery::store_refused(const LogEntry& entry, const Search& search) {
  RefusedRows refused;
  arrow::RecordBatchVector found;
  WEIR_ASSIGN(RowBatches unencodable, rows_from_ipc(entry.view(entry.refused)));
  for (auto& batch : unencodable) found.push_back(std::move(batch));
  refused.messages = entry.refused_messages;
  for (size_t part = 0; part < entry.parts.size(); ++part) {
    if (search.refused[part].empty()) continue;
    std::vector<int64_t> rows;
    for (const auto& [row, message] : search.refused[part]) {
      rows.push_back(row);
      refused.messages.push_back(message);
    }
    WEIR_ASSIGN(auto picked, pick_rows((*search.rows)[part], rows));
    found.push_back(std::move(picked));
  }
  if (found.empty()) return {};
  refused.log_id = entry.incarnation;
  refused.sequence = entry.seq;
  refused.app_ids = entry.app_ids();
  WEIR_ASSIGN(refused.rows, concatenated(found));
  if (!settings_.store_refused) return Status::internal("refused rows have nowhere to go");
  WEIR_TRY(settings_.store_refused(refused));
  crash_point("clickhouse.after_refused");
  return {};
}

// ---- rows of several parts as one stream

Result<std::string> entry_rows_to_ipc(const EntryRows& rows) {
  RowBatches all;
  for (size_t part = 0; part < rows.size(); ++part) {
    for (const auto& batch : rows[part]) {
      arrow::Int32Builder builder;
      arrow::Status filled = builder.Reserve(batch->num_rows());
      for (int64_t i = 0; filled.ok() && i < batch->num_rows(); ++i)
        builder.UnsafeAppend(static_cast<int32_t>(part));
      std::shared_ptr<arrow::Array> numbers;
      if (filled.ok()) filled = builder.Finish(&numbers);
      if (!filled.ok()) return Status::internal("Arrow: " + filled.ToString());
      auto numbered = batch->AddColumn(batch->num_columns(), kPartColumn, numbers);
      if (!numbered.ok()) return Status::internal("Arrow: " + numbered.status().ToString());
      all.push_back(*std::move(numbered));
    }
  }
  return rows_to_ipc(all);
}

Result<EntryRows> entry_rows_from_ipc(std::string_view bytes, size_t parts) {
  EntryRows rows(parts);
  WEIR_ASSIGN(RowBatches all, rows_from_ipc(bytes));
  for (const auto& batch : all) {
    if (batch->num_rows() == 0) continue;
    auto numbers = std::dynamic_pointer_cast<arrow::Int32Array>(batch->GetColumnByName(kPartColumn));
    if (numbers == nullptr || numbers->Value(0) < 0 || static_cast<size_t>(numbers->Value(0)) >= parts)
      return Status::internal("the rows of an entry of the sink log are damaged");
    auto plain = batch->RemoveColumn(batch->num_columns() - 1);
    if (!plain.ok()) return Status::internal("Arrow: " + plain.status().ToString());
    rows[static_cast<size_t>(numbers->Value(0))].push_back(*std::move(plain));
  }
  return rows;
}

}  // namespace weir
