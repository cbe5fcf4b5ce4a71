#include "runtime/error_budget.h"

#include <algorithm>

namespace weir {
namespace {

constexpr size_t kMostName = 256;
constexpr size_t kMostNotices = 100;
constexpr int64_t kTrialEvents = 10;
constexpr double kMinuteUs = 60'000'000;

}  // namespace

ErrorBudget::ErrorBudget(const ErrorBudgetPlan& plan)
    : plan_(plan), width_us_(std::max<int64_t>(1, plan.window_us / static_cast<int64_t>(kBuckets))) {}

void ErrorBudget::admit(std::vector<ProducerRun>& runs, int64_t now_us) {
  std::lock_guard lock(mutex_);
  for (ProducerRun& run : runs) {
    run.slot = find_or_add(run.producer.substr(0, kMostName));
    Entry& entry = entries_[run.slot];
    run.generation = entry.generation;
    if (entry.paused_until_us >= 0 && now_us >= entry.paused_until_us) resume(run.slot, now_us);
    run.paused = entry.paused_until_us >= 0;
  }
}

void ErrorBudget::observe(const std::vector<ProducerRun>& runs, int64_t now_us) {
  std::lock_guard lock(mutex_);
  // A run whose producer was forgotten meanwhile is not counted.
  auto counts = [&](const ProducerRun& run) {
    return !run.paused && entries_[run.slot].generation == run.generation;
  };
  for (const ProducerRun& run : runs) {
    if (!counts(run)) continue;
    Entry& entry = entries_[run.slot];
    roll(entry, now_us);
    Counts& newest = entry.buckets[static_cast<size_t>(entry.bucket) % kBuckets];
    newest.events += run.end - run.begin;
    newest.errors += run.errors;
  }
  for (const ProducerRun& run : runs) {
    if (run.errors > 0 && counts(run)) judge(run.slot, now_us);
  }
}

bool ErrorBudget::source_paused(int64_t now_us) {
  std::lock_guard lock(mutex_);
  if (paused_.empty()) return false;
  const uint32_t slot = paused_.front();
  if (now_us >= entries_[slot].paused_until_us) resume(slot, now_us);
  return !paused_.empty();
}

void ErrorBudget::restart() {
  std::lock_guard lock(mutex_);
  for (Entry& entry : entries_) entry.buckets = {};
}

std::vector<ErrorBudget::Notice> ErrorBudget::take_notices(int64_t now_us) {
  std::lock_guard lock(mutex_);
  for (size_t i = 0; i < paused_.size();) {
    if (now_us >= entries_[paused_[i]].paused_until_us) {
      resume(paused_[i], now_us);  // takes it out of paused_
    } else {
      ++i;
    }
  }
  return std::exchange(notices_, {});
}

std::vector<ErrorBudget::Paused> ErrorBudget::paused(size_t most, size_t& count) const {
  std::lock_guard lock(mutex_);
  count = paused_.size();
  std::vector<Paused> result;
  for (size_t i = 0; i < std::min(most, paused_.size()); ++i) {
    const Entry& entry = entries_[paused_[i]];
    result.push_back({entry.name, entry.paused_until_us});
  }
  return result;
}

uint32_t ErrorBudget::find_or_add(std::string_view producer) {
  auto found = by_name_.find(producer);
  if (found != by_name_.end()) {
    touch(found->second);
    return found->second;
  }
  uint32_t slot;
  if (entries_.size() < plan_.max_producers) {
    slot = static_cast<uint32_t>(entries_.size());
    entries_.emplace_back();
  } else {
    slot = oldest_;
    unlink(slot);
    Entry& entry = entries_[slot];
    by_name_.erase(entry.name);
    std::erase(paused_, slot);
    const uint32_t generation = entry.generation + 1;
    entry = {};
    entry.generation = generation;
  }
  entries_[slot].name = producer;
  by_name_.emplace(entries_[slot].name, slot);
  link_newest(slot);
  return slot;
}

void ErrorBudget::touch(uint32_t slot) {
  if (slot == newest_) return;
  unlink(slot);
  link_newest(slot);
}

void ErrorBudget::unlink(uint32_t slot) {
  Entry& entry = entries_[slot];
  (entry.newer == kNone ? newest_ : entries_[entry.newer].older) = entry.older;
  (entry.older == kNone ? oldest_ : entries_[entry.older].newer) = entry.newer;
}

void ErrorBudget::link_newest(uint32_t slot) {
  entries_[slot].newer = kNone;
  entries_[slot].older = newest_;
  if (newest_ != kNone) entries_[newest_].newer = slot;
  newest_ = slot;
  if (oldest_ == kNone) oldest_ = slot;
}

void ErrorBudget::roll(Entry& entry, int64_t now_us) const {
  const int64_t bucket = now_us / width_us_;
  const int64_t steps = std::min<int64_t>(bucket - entry.bucket, kBuckets);
  for (int64_t i = 1; i <= steps; ++i) entry.buckets[static_cast<size_t>(entry.bucket + i) % kBuckets] = {};
  if (bucket > entry.bucket) {
    if (steps == static_cast<int64_t>(kBuckets)) entry.buckets = {};
    entry.bucket = bucket;
  }
}

void ErrorBudget::judge(uint32_t slot, int64_t now_us) {
  Entry& entry = entries_[slot];
  if (entry.paused_until_us >= 0) return;
  Counts sum;
  for (const Counts& bucket : entry.buckets) {
    sum.events += bucket.events;
    sum.errors += bucket.errors;
  }
  const bool probation = now_us < entry.probation_until_us;
  const int64_t least = probation ? std::min(kTrialEvents, plan_.min_events) : plan_.min_events;
  const auto errors = static_cast<double>(sum.errors);
  const bool share =
      plan_.share && sum.events >= least && errors > *plan_.share * static_cast<double>(sum.events);
  const bool rate = plan_.rate && errors > static_cast<double>(*plan_.rate) *
                                               static_cast<double>(plan_.window_us) / kMinuteUs;
  if (!share && !rate) return;
  entry.paused_until_us = now_us + plan_.pause_us;
  paused_.push_back(slot);
  ++pauses_;
  note({entry.name, true, sum.events, sum.errors});
}

void ErrorBudget::resume(uint32_t slot, int64_t now_us) {
  Entry& entry = entries_[slot];
  entry.paused_until_us = -1;
  entry.probation_until_us = now_us + plan_.window_us;
  entry.buckets = {};
  std::erase(paused_, slot);
  note({entry.name, false, 0, 0});
}

void ErrorBudget::note(Notice notice) {
  if (notices_.size() < kMostNotices) notices_.push_back(std::move(notice));
}

}  // namespace weir
