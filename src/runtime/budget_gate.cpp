#include "runtime/budget_gate.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace weir {
namespace {

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool take(char expected) {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
    if (at_ >= text_.size() || text_[at_] != expected) return false;
    ++at_;
    return true;
  }
  // The literal null.
  bool null() {
    if (!take('n')) return false;
    if (text_.substr(at_, 3) != "ull") return false;
    at_ += 3;
    return true;
  }
  // A string with its quotes; empty when there is none.
  std::string_view string() {
    if (!take('"')) return {};
    const size_t begin = at_ - 1;
    while (at_ < text_.size() && text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
    if (at_ >= text_.size()) return {};
    ++at_;
    return text_.substr(begin, at_ - begin);
  }

 private:
  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

std::string_view header_value(std::string_view headers_json, std::string_view name_json) {
  Scanner scan(headers_json);
  if (!scan.take('{')) return {};
  do {
    std::string_view name = scan.string();
    if (name.empty() || !scan.take(':')) return {};
    const bool null = scan.null();  // a header without a value
    std::string_view value = null ? "\"\"" : scan.string();
    if (value.empty()) return {};
    if (name == name_json) return value.substr(1, value.size() - 2);
  } while (scan.take(','));
  return {};
}

BudgetGate::BudgetGate(ErrorBudget* budget) : budget_(budget) {
  if (budget_ != nullptr) {
    header_name_ =
        nlohmann::json(budget_->plan().header).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }
}

const std::vector<uint32_t>& BudgetGate::admit(const EventBatch& batch, size_t begin, size_t end,
                                               int64_t now_us) {
  set_aside_.clear();
  runs_.clear();
  if (budget_ == nullptr || begin == end) return set_aside_;
  find_runs(batch, begin, end);
  budget_->admit(runs_, now_us);
  // What was read of a source before it was paused goes on its way.
  if (!budget_->plan().by_producer()) {
    for (ProducerRun& run : runs_) run.paused = false;
  }
  for (const ProducerRun& run : runs_) {
    if (!run.paused) continue;
    for (uint32_t i = run.begin; i < run.end; ++i) set_aside_.push_back(i);
  }
  return set_aside_;
}

const std::vector<uint32_t>& BudgetGate::follow(const std::vector<int64_t>& offsets, const EventBatch& batch,
                                                size_t begin, size_t end) {
  set_aside_.clear();
  runs_.clear();
  if (offsets.empty() || begin == end) return set_aside_;
  auto at = std::lower_bound(offsets.begin(), offsets.end(), batch.events[begin].offset);
  for (size_t i = begin; i < end && at != offsets.end(); ++i) {
    while (at != offsets.end() && *at < batch.events[i].offset) ++at;
    if (at != offsets.end() && *at == batch.events[i].offset) set_aside_.push_back(static_cast<uint32_t>(i));
  }
  return set_aside_;
}

void BudgetGate::find_runs(const EventBatch& batch, size_t begin, size_t end) {
  using By = ErrorBudgetPlan::By;
  const By by = budget_->plan().by;
  auto open_run = [&](std::string_view producer, size_t at) {
    ProducerRun run;
    run.producer = producer;
    run.begin = static_cast<uint32_t>(at);
    run.end = static_cast<uint32_t>(at + 1);
    runs_.push_back(run);
  };
  if (by == By::source) {
    open_run({}, begin);
    runs_.back().end = static_cast<uint32_t>(end);
    return;
  }
  std::string_view last_headers;
  for (size_t i = begin; i < end; ++i) {
    const Event& event = batch.events[i];
    std::string_view producer;
    if (by == By::header) {
      std::string_view headers = batch.view(event.headers);
      // Equal headers name the same producer: they need not be read twice.
      producer =
          i > begin && headers == last_headers ? runs_.back().producer : header_value(headers, header_name_);
      last_headers = headers;
    } else {
      producer = batch.view(by == By::subject ? event.subject : event.key);
    }
    if (!runs_.empty() && runs_.back().producer == producer) {
      runs_.back().end = static_cast<uint32_t>(i + 1);
    } else {
      open_run(producer, i);
    }
  }
}

void BudgetGate::observe(const std::vector<ErrorRecord>& errors, int64_t now_us) {
  if (budget_ == nullptr || runs_.empty()) return;
  if (!errors.empty()) {
    const uint32_t begin = runs_.front().begin;
    bad_.assign(runs_.back().end - begin, 0);
    for (const ErrorRecord& error : errors) bad_[error.event - begin] = 1;  // once, in however many INSERTs
    for (ProducerRun& run : runs_) {
      for (uint32_t i = run.begin; i < run.end; ++i) run.errors += bad_[i - begin];
    }
  }
  budget_->observe(runs_, now_us);
}

bool BudgetGate::source_paused(int64_t now_us) const {
  return budget_ != nullptr && !budget_->plan().by_producer() && budget_->source_paused(now_us);
}

}  // namespace weir
