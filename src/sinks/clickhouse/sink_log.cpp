#include "sinks/clickhouse/sink_log.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/crash_point.h"
#include "base/environment.h"

namespace weir {
namespace {

constexpr size_t kDigits = 12;
constexpr int64_t kKeptEntries = 4;
constexpr const char* kIdentity = "log.json";
constexpr const char* kFinished = "finished";

// The number that a path begins with, or nothing.
std::optional<int64_t> number_of(const std::string& path) {
  if (path.size() <= kDigits || path[kDigits] != '.') return std::nullopt;
  int64_t number = 0;
  auto end = std::from_chars(path.data(), path.data() + kDigits, number);
  if (end.ec != std::errc() || end.ptr != path.data() + kDigits) return std::nullopt;
  return number;
}

// Of the entries listed; 0 for none.
int64_t newest_of(const std::vector<std::string>& paths) {
  int64_t newest = 0;
  for (const std::string& path : paths) {
    auto number = number_of(path);
    if (number && path == entry_path(*number, "entry")) newest = std::max(newest, *number);
  }
  return newest;
}

const char* verdict_name(Verdict verdict) { return verdict == Verdict::split ? "split" : "void"; }

}  // namespace

std::string entry_path(int64_t seq, const std::string& suffix) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "%012lld", static_cast<long long>(seq));
  return std::string(digits) + "." + suffix;
}

Result<std::unique_ptr<SinkLog>> SinkLog::open(std::unique_ptr<ObjectStore> objects) {
  std::unique_ptr<SinkLog> log(new SinkLog(std::move(objects)));
  auto identity = log->objects_->get(kIdentity);
  if (!identity.ok() && identity.status().code() == Code::not_found) {
    const std::string text = nlohmann::json({{"version", 1}, {"incarnation", random_hex_id()}}).dump();
    Status made = log->objects_->put_if_absent(kIdentity, text);
    if (!made.ok() && made.code() != Code::already_exists) return made.with_context("the sink log");
    log->is_new_ = made.ok();
    identity = log->objects_->get(kIdentity);
  }
  if (!identity.ok()) return identity.status().with_context("the sink log");
  auto json = nlohmann::json::parse(*identity, nullptr, false);
  if (!json.is_object() || !json.contains("incarnation"))
    return Status::internal("the sink log's log.json is damaged");
  if (json.value("version", 0) != 1)
    return Status::invalid("the sink log was written by a newer Weir: its version is " +
                           std::to_string(json.value("version", 0)));
  log->incarnation_ = json["incarnation"].get<std::string>();
  return log;
}

Status SinkLog::load() {
  loaded_ = false;
  open_.reset();
  steps_ = -1;
  std::string text;
  // An entry that is pruned between the listing and the reading has newer ones by then.
  constexpr int kAttempts = 5;
  for (int attempt = 0;; ++attempt) {
    WEIR_ASSIGN(listed_, objects_->list(""));
    newest_ = newest_of(listed_);
    if (newest_ == 0) {
      stands_.clear();
      loaded_ = true;
      return {};
    }
    auto read = objects_->get(entry_path(newest_, "entry"));
    if (read.ok()) {
      text = *std::move(read);
      break;
    }
    if (read.status().code() != Code::not_found || attempt + 1 == kAttempts)
      return read.status().with_context("the sink log");
  }
  WEIR_ASSIGN(LogEntry parsed, LogEntry::parse(std::move(text)));
  auto entry = std::make_unique<LogEntry>(std::move(parsed));
  WEIR_ASSIGN(Verdict verdict, this->verdict(newest_));
  if (verdict == Verdict::voided) {
    stands_ = entry->before;
    loaded_ = true;
    return {};
  }
  stands_ = entry->stands;
  WEIR_ASSIGN(int64_t done, finished());
  bool nothing_to_do = entry->parts.empty() && entry->refused.bytes == 0;
  if (done < newest_ && !nothing_to_do) open_ = std::move(entry);
  loaded_ = true;
  return {};
}

Result<int64_t> SinkLog::finished() {
  auto text = objects_->get(kFinished);
  if (text.ok()) return std::atoll(text->c_str());
  if (text.status().code() == Code::not_found) return 0;
  return text.status().with_context("the sink log");
}

Status SinkLog::look_again() {
  if (open_ == nullptr) return {};
  WEIR_ASSIGN(int64_t done, finished());
  if (done >= open_->seq) open_.reset();
  return {};
}

Status SinkLog::append(std::unique_ptr<LogEntry> entry) {
  WEIR_CHECK(loaded_ && open_ == nullptr, "a log is loaded and its newest entry resolved before the next");
  WEIR_CHECK(entry->seq == next_seq() && entry->incarnation == incarnation_, "an entry has the next number");
  loaded_ = false;
  const std::string path = entry_path(entry->seq, "entry");
  crash_point("clickhouse.before_intent");
  Status put = objects_->put_if_absent(path, entry->to_text());
  if (put.code() == Code::already_exists) return {Code::conflict, "another writer has entry " + path};
  WEIR_TRY(put.with_context("the sink log"));
  WEIR_ASSIGN(listed_, objects_->list(""));
  const int64_t newest = newest_of(listed_);
  if (newest > entry->seq) {
    WEIR_TRY(objects_->remove(path));
    return {Code::conflict, "entry " + path + " was passed long ago"};
  }
  crash_point("clickhouse.after_intent");
  newest_ = entry->seq;
  stands_ = entry->stands;
  steps_ = 0;
  if (!entry->parts.empty() || entry->refused.bytes != 0) open_ = std::move(entry);
  loaded_ = true;
  if (open_ == nullptr) prune();
  return {};
}

Status SinkLog::finish(const LogEntry& entry) {
  crash_point("clickhouse.before_finish");
  WEIR_TRY(objects_->put(kFinished, std::to_string(entry.seq)).with_context("the sink log"));
  crash_point("clickhouse.after_finish");
  open_.reset();
  prune();
  return {};
}

void SinkLog::prune() {
  for (const std::string& path : listed_) {
    auto number = number_of(path);
    // What cannot be removed now is listed again by the next append.
    if (number && *number <= newest_ - kKeptEntries) (void)objects_->remove(path);
  }
  listed_.clear();
}

Result<Verdict> SinkLog::verdict(int64_t seq) {
  auto text = objects_->get(entry_path(seq, "verdict"));
  if (!text.ok()) {
    if (text.status().code() == Code::not_found) return Verdict::none;
    return text.status().with_context("the sink log");
  }
  return *text == verdict_name(Verdict::split) ? Verdict::split : Verdict::voided;
}

Result<Verdict> SinkLog::decide(int64_t seq, Verdict wanted) {
  Status put = objects_->put_if_absent(entry_path(seq, "verdict"), verdict_name(wanted));
  if (!put.ok() && put.code() != Code::already_exists) return put.with_context("the sink log");
  return verdict(seq);
}

void SinkLog::resolve_void() {
  WEIR_CHECK(open_ != nullptr, "only an open entry becomes void");
  stands_ = open_->before;
  open_.reset();
}

Status SinkLog::put_rows(int64_t seq, std::string_view ipc) {
  return objects_->put(entry_path(seq, "rows"), ipc).with_context("the sink log");
}

Result<std::string> SinkLog::rows(int64_t seq) {
  auto text = objects_->get(entry_path(seq, "rows"));
  if (!text.ok()) return text.status().with_context("the sink log");
  return text;
}

Status SinkLog::add_step(int64_t seq, std::string_view json) {
  if (steps_ < 0) {
    WEIR_ASSIGN(auto known, steps(seq));
    steps_ = static_cast<int64_t>(known.size());
  }
  char suffix[32];
  std::snprintf(suffix, sizeof suffix, "split.%07lld", static_cast<long long>(steps_));
  Status put = objects_->put(entry_path(seq, suffix), json).with_context("the sink log");
  if (put.ok()) ++steps_;
  return put;
}

Result<std::vector<std::string>> SinkLog::steps(int64_t seq) {
  auto paths = objects_->list("");
  if (!paths.ok()) return paths.status().with_context("the sink log");
  const std::string prefix = entry_path(seq, "split.");
  std::vector<std::string> result;
  for (const std::string& path : *paths) {
    if (!path.starts_with(prefix)) continue;
    auto text = objects_->get(path);
    if (!text.ok()) return text.status().with_context("the sink log");
    result.push_back(*std::move(text));
  }
  steps_ = static_cast<int64_t>(result.size());
  return result;
}

}  // namespace weir
