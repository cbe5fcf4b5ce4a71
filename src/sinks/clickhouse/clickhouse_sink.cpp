#include "sinks/clickhouse/clickhouse_sink.h"

#include <arrow/record_batch.h>
#include <arrow/util/byte_size.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/crash_point.h"
#include "base/environment.h"
#include "sinks/clickhouse/changelog_rows.h"

namespace weir {
namespace {

constexpr const char* kSealedFolder = "sealed/";
constexpr const char* kTarget = "target";  // which servers' table rows went to so far

}  // namespace

// ---- rows in, blocks out

ClickHouseWriter::ClickHouseWriter(ClickHouseSinkSettings settings)
    : settings_(std::move(settings)), compressor_(settings_.compression) {}

void ClickHouseWriter::say(const std::string& words) const {
  if (settings_.log) settings_.log("table '" + settings_.target.sink + "': " + words);
}

Status ClickHouseWriter::open(SinkLog* log) {
  drop();
  if (connection_ == nullptr) {
    WEIR_ASSIGN(connection_, settings_.connect());
  }
  WEIR_TRY(connection_->greet());
  WEIR_ASSIGN(tables_, TargetTables::create(settings_.target, *connection_));
  DeliverySettings delivery;
  delivery.sink = settings_.target.sink;
  delivery.retry = settings_.retry;
  delivery.clock = settings_.clock;
  delivery.store_refused = settings_.store_refused;
  delivery.log = settings_.log;
  delivery_ = std::make_unique<EntryDelivery>(*connection_, log, std::move(delivery));
  return {};
}

Status ClickHouseWriter::append(std::shared_ptr<arrow::RecordBatch> rows) {
  if (rows->num_rows() == 0) return {};
  if (!settings_.target.changelog_key.empty()) {
    auto versioned = with_versions(rows);
    if (!versioned.ok()) return versioned.status().with_context("table '" + settings_.target.sink + "'");
    rows = *std::move(versioned);
  }
  rows_ += rows->num_rows();
  auto bytes = arrow::util::ReferencedBufferSize(*rows);
  bytes_ += bytes.ok() ? *bytes : arrow::util::TotalBufferSize(*rows);
  open_.push_back(std::move(rows));
  return {};
}

std::unique_ptr<ClickHouseSealedRows> ClickHouseWriter::seal() {
  auto sealed = std::make_unique<ClickHouseSealedRows>();
  sealed->rows = std::exchange(rows_, 0);
  sealed->bytes = std::exchange(bytes_, 0);
  sealed->batches = std::exchange(open_, {});
  return sealed;
}

void ClickHouseWriter::drop() {
  open_.clear();
  rows_ = bytes_ = 0;
}

Status ClickHouseWriter::fill(const RowBatches& batches, LogEntry& entry, EntryRows& kept) {
  WEIR_ASSIGN(auto groups, tables_->split(batches));
  RowBatches refused;
  for (const TableRows& group : groups) {
    if (!group.refused.empty()) {
      for (const auto& batch : group.batches) {
        refused.push_back(batch);
        entry.refused_messages.insert(entry.refused_messages.end(), static_cast<size_t>(batch->num_rows()),
                                      group.refused);
      }
      continue;
    }
    WEIR_ASSIGN(BlockEncoder * encoder, tables_->encoder(group.table));
    WEIR_TRY(encoder->encode(group.batches, sequence_value(entry.incarnation, entry.seq), &encoded_));
    std::vector<int64_t> left_out;
    for (const RefusedValue& value : encoded_.refused) {
      left_out.push_back(value.row);
      entry.refused_messages.push_back("column '" + value.column + "': " + value.message);
    }
    if (!left_out.empty()) {
      WEIR_ASSIGN(auto rows, pick_rows(group.batches, left_out));
      refused.push_back(std::move(rows));
    }
    if (encoded_.rows == 0) continue;
    compressed_.clear();
    WEIR_TRY(compressor_.compress(encoded_.bytes.view(), &compressed_));
    EntryPart part;
    TableName name = tables_->name(group.table);
    part.database = name.database;
    part.table = name.table;
    part.columns = encoder->columns();
    part.encoding = content_encoding(settings_.compression);
    part.rows = encoded_.rows;
    part.has_sequence = encoder->has_sequence();
    part.block = entry.store(compressed_.view());
    entry.parts.push_back(std::move(part));
    kept.push_back(without_rows(group.batches, left_out));
  }
  if (!refused.empty()) {
    WEIR_ASSIGN(std::string ipc, rows_to_ipc(refused));
    entry.refused = entry.store(ipc);
  }
  // An entry of several parts cannot become void once one of them is stored: it keeps what a search needs.
  if (entry.parts.size() > 1) {
    WEIR_ASSIGN(std::string ipc, entry_rows_to_ipc(kept));
    entry.rows = entry.store(ipc);
  }
  return {};
}

Result<EntryDelivery::Outcome> ClickHouseWriter::carry_out(const LogEntry& entry, const EntryRows* rows) {
  return delivery_->carry_out(entry, rows);
}

// ---- exactly once

Result<std::map<std::string, int64_t>> ClickHouseSink::open(const std::string& app_prefix) {
  const std::string context = "table '" + writer_.settings().target.sink + "'";
  own_entry_.clear();
  own_rows_.clear();
  committed_here_.clear();
  if (log_ == nullptr) {
    auto state = writer_.settings().open_state();
    if (!state.ok()) return state.status().with_context(context);
    auto log = SinkLog::open(*std::move(state));
    if (!log.ok()) return log.status().with_context(context);
    log_ = *std::move(log);
  }
  WEIR_TRY(writer_.open(log_.get()).with_context(context));
  WEIR_TRY(log_->load().with_context(context));
  WEIR_TRY(pin_servers());
  // First what is owed, as it was written; then the table may change.
  WEIR_TRY(resolve_open_entry());
  WEIR_TRY(writer_.tables().open().with_context(context));
  WEIR_TRY(pin_servers());
  if (log_->is_new()) WEIR_TRY(warn_of_lost_state());
  std::map<std::string, int64_t> stands;
  for (const auto& [app_id, version] : log_->stands()) {
    if (app_id.starts_with(app_prefix)) stands[app_id] = version;
  }
  stands_at_open_ = stands;
  return stands;
}

Status ClickHouseSink::pin_servers() {
  auto known = log_->objects().get(kTarget);
  if (!known.ok() && known.status().code() != Code::not_found) return known.status();
  WEIR_ASSIGN(std::string pinned, writer_.tables().pin_servers(known.ok() ? *known : ""));
  if (pinned.empty() || (known.ok() && pinned == *known)) return {};
  return log_->objects().put(kTarget, pinned);
}

// A log that was just made and a table that holds rows of an earlier one: the state was lost.
Status ClickHouseSink::warn_of_lost_state() {
  if (!writer_.tables().is_single()) return {};
  const TableName name = writer_.tables().name(writer_.settings().target.table);
  auto rows = writer_.connection().select("SELECT 1 FROM " + name.quoted() + " WHERE " + kSequenceColumn +
                                          " != 0 LIMIT 1");
  // A table without that column says nothing.
  if (!rows.ok()) return rows.status().code() == Code::invalid ? Status() : rows.status();
  if (!rows->empty()) {
    writer_.say(
        name.text() +
        " holds rows of an earlier sink log, and state.path has none (it was lost, or weir was started in "
        "another folder): where no other table of the file knows the positions, everything is read again "
        "and stored twice (at least once at this seam); exactly once from here on");
  }
  return {};
}

Status ClickHouseSink::append(const std::shared_ptr<arrow::RecordBatch>& rows) {
  return writer_.append(rows);
}

Result<std::unique_ptr<SealedRows>> ClickHouseSink::seal() {
  return std::unique_ptr<SealedRows>(writer_.seal());
}

// Carries out the newest entry when it is open, whoever wrote it.
Status ClickHouseSink::resolve_open_entry() {
  const LogEntry* entry = log_->open_entry();
  if (entry == nullptr) return {};
  // Its rows are gone once it was carried out; seen open again (a late writer moved `finished` back), it is
  // an entry like any other.
  const bool own = entry->id == own_entry_ && !own_rows_.empty();
  if (!own && !writer_.tables().is_single()) {
    for (const EntryPart& part : entry->parts) WEIR_TRY(writer_.tables().ensure(part.table));
  }
  auto outcome = writer_.carry_out(*entry, own ? &own_rows_ : nullptr);
  if (!outcome.ok()) return outcome.status();
  own_rows_.clear();
  return {};
}

// Another worker's entry is most likely being carried out right now: it is left to it for a moment, because
// doing it a second time, though harmless, is work for the server.
Status ClickHouseSink::wait_for_others() {
  constexpr int kLooks = 10;
  constexpr auto kBetween = std::chrono::milliseconds(20);
  for (int look = 0; look < kLooks; ++look) {
    const LogEntry* entry = log_->open_entry();
    if (entry == nullptr || entry->id == own_entry_) return {};
    writer_.settings().clock->sleep(kBetween);
    WEIR_TRY(log_->look_again());
  }
  return {};
}

Status ClickHouseSink::write_entry(const Intent& intent) {
  auto entry = std::make_unique<LogEntry>();
  entry->id = random_hex_id();
  entry->incarnation = log_->incarnation();
  entry->seq = log_->next_seq();
  entry->created_us = writer_.settings().clock->now_us();
  entry->plan_hash = intent.plan_hash;
  entry->ranges = intent.ranges;
  entry->before = log_->stands();
  entry->stands = log_->stands();
  for (const auto& [app_id, version] : intent.moves) entry->stands[app_id] = version;
  EntryRows rows;
  WEIR_TRY(writer_.fill(*intent.batches, *entry, rows));
  own_entry_ = entry->id;
  own_rows_ = std::move(rows);
  return log_->append(std::move(entry));
}

Result<bool> ClickHouseSink::run(const Intent& intent) {
  const std::string context = "table '" + writer_.settings().target.sink + "'";
  CommitFacts attempts;
  attempts.max_attempts = writer_.settings().max_attempts;
  own_entry_.clear();
  Status last;
  auto back_off = std::chrono::milliseconds(5);
  auto wait = [&] {
    ++attempts.attempts;
    writer_.settings().clock->sleep(back_off);
    back_off = std::min(back_off * 2, std::chrono::milliseconds(2000));
  };
  while (true) {
    if (!log_->loaded()) {
      Status loaded = log_->load();
      if (!loaded.ok()) {
        last = loaded;
        if (!loaded.retryable() || attempts.attempts >= attempts.max_attempts) break;
        wait();
        continue;
      }
    }
    WEIR_TRY(wait_for_others());
    WEIR_TRY(resolve_open_entry());
    switch (intent.decide(attempts)) {
      case CommitAction::already_committed: return !own_entry_.empty();
      case CommitAction::lost_ownership:
        return Status(Code::lost_ownership, context + ": another worker moved the positions");
      case CommitAction::give_up: return last.with_context(context + ": giving up the commit");
      case CommitAction::retry_later:
      case CommitAction::commit: break;
    }
    Status written = write_entry(intent);
    if (written.ok()) continue;
    last = written;
    attempts.last = written.code() == Code::conflict ? LastAttempt::conflict : LastAttempt::unknown;
    if (!written.retryable()) break;
    log_->forget();
    wait();
  }
  return last.with_context(context);
}

void ClickHouseSink::fill_stands(const CommitRequest& request, CommitFacts& facts) const {
  facts.ranges.clear();
  const auto& stands = log_->stands();
  for (const PartitionRange& range : request.ranges) {
    RangeFacts one;
    one.from = range.from;
    one.next = range.next;
    if (auto stand = stands.find(range.app_id); stand != stands.end()) one.stand = stand->second;
    auto opened = stands_at_open_.find(range.app_id);
    if (opened != stands_at_open_.end()) one.trimmed_below = opened->second;
    one.first_start = opened == stands_at_open_.end() && committed_here_.count(range.app_id) == 0;
    facts.ranges.push_back(one);
  }
}

Status ClickHouseSink::commit(const SealedRows& sealed_rows, const CommitRequest& request) {
  const auto& sealed = static_cast<const ClickHouseSealedRows&>(sealed_rows);
  if (request.ranges.empty()) {
    if (sealed.rows != 0) return Status::internal("rows without a position cannot be committed exactly once");
    return {};
  }
  CommitFacts moving;
  moving.authority = request.authority;
  if (!log_->loaded()) WEIR_TRY(log_->load());
  fill_stands(request, moving);
  Intent intent;
  intent.batches = &sealed.batches;
  intent.plan_hash = request.plan_hash;
  for (size_t i = 0; i < request.ranges.size(); ++i) {
    if (!range_moves(moving, moving.ranges[i])) continue;
    intent.ranges.push_back(request.ranges[i]);
    intent.moves[request.ranges[i].app_id] = request.ranges[i].next;
  }
  const std::string& pipeline = writer_.settings().pipeline;
  intent.moves[plan_app_id(pipeline)] = request.plan_hash;
  intent.moves[authority_app_id(pipeline)] = request.authority ? 1 : 0;
  intent.decide = [&](const CommitFacts& attempts) {
    CommitFacts facts = attempts;
    facts.authority = request.authority;
    fill_stands(request, facts);
    return decide_commit(facts);
  };
  auto done = run(intent);
  if (!done.ok()) return done.status();
  for (const auto& [app_id, _] : intent.moves) committed_here_[app_id] = true;
  return {};
}

Result<std::string> ClickHouseSink::persist(const SealedRows& sealed_rows) {
  const auto& sealed = static_cast<const ClickHouseSealedRows&>(sealed_rows);
  if (sealed.batches.empty()) return std::string("{\"object\":\"\"}");
  WEIR_ASSIGN(std::string ipc, rows_to_ipc(sealed.batches));
  const std::string path = kSealedFolder + random_hex_id();
  WEIR_TRY(log_->objects().put(path, ipc).with_context("the sink log"));
  return nlohmann::json({{"object", path}}).dump();
}

Result<bool> ClickHouseSink::commit_persisted(const std::string& persisted, const std::string& app_id,
                                              int64_t version, const std::string&) {
  auto json = nlohmann::json::parse(persisted, nullptr, false);
  if (!json.is_object() || !json.contains("object"))
    return Status::internal("a damaged description of sealed rows");
  const std::string path = json["object"];
  // Another process may have finished it since this one last looked.
  WEIR_TRY(log_->load());
  WEIR_TRY(resolve_open_entry());
  auto stands_at = [&]() -> int64_t {
    auto found = log_->stands().find(app_id);
    return found == log_->stands().end() ? INT64_MIN : found->second;
  };
  bool did = false;
  if (stands_at() < version) {
    RowBatches batches;
    if (!path.empty()) {
      auto bytes = log_->objects().get(path);
      if (!bytes.ok() && bytes.status().code() == Code::not_found) {
        // Removed by another process that was done just now, or lost.
        WEIR_TRY(log_->load());
        if (stands_at() >= version) return false;
      }
      if (!bytes.ok()) return bytes.status().with_context("rows of a replay");
      WEIR_ASSIGN(batches, rows_from_ipc(*bytes));
    }
    Intent intent;
    intent.batches = &batches;
    intent.ranges = {{app_id, version - 1, version}};
    intent.moves = {{app_id, version}};
    intent.decide = [&](const CommitFacts& attempts) {
      if (stands_at() >= version) return CommitAction::already_committed;
      return attempts.attempts >= attempts.max_attempts ? CommitAction::give_up : CommitAction::commit;
    };
    WEIR_ASSIGN(did, run(intent));
  }
  if (!path.empty()) WEIR_TRY(log_->objects().remove(path));
  return did;
}

// ---- at least once

Result<std::map<std::string, int64_t>> ClickHousePlainSink::open(const std::string&) {
  const std::string context = "table '" + writer_.settings().target.sink + "'";
  if (run_.empty()) run_ = random_hex_id();
  WEIR_TRY(writer_.open(nullptr).with_context(context));
  WEIR_TRY(writer_.tables().open().with_context(context));
  WEIR_TRY(writer_.tables().pin_servers("").status());
  return std::map<std::string, int64_t>();
}

Status ClickHousePlainSink::append(const std::shared_ptr<arrow::RecordBatch>& rows) {
  return writer_.append(rows);
}

Result<std::unique_ptr<SealedRows>> ClickHousePlainSink::seal() {
  return std::unique_ptr<SealedRows>(writer_.seal());
}

Status ClickHousePlainSink::commit(const SealedRows& sealed_rows, const CommitRequest& request) {
  const auto& sealed = static_cast<const ClickHouseSealedRows&>(sealed_rows);
  if (sealed.batches.empty()) return {};
  LogEntry entry;
  entry.incarnation = run_;
  entry.seq = ++commits_;
  entry.ranges = request.ranges;
  EntryRows rows;
  WEIR_TRY(writer_.fill(sealed.batches, entry, rows));
  auto done = writer_.carry_out(entry, &rows);
  return done.ok() ? Status() : done.status();
}

}  // namespace weir
