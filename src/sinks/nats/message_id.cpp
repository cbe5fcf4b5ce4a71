#include "sinks/nats/message_id.h"

#include <cstring>

namespace weir {
namespace {

// At least the rows of one batch of a source ('pipeline.batch-rows').
constexpr size_t kRemembered = 16'384;

void append_hex(uint64_t number, std::string& out) {
  for (int shift = 60; shift >= 0; shift -= 4) out += "0123456789abcdef"[(number >> shift) & 15];
}

uint64_t mix(uint64_t value) {  // the finalizer of MurmurHash3
  value = (value ^ (value >> 33)) * 0xFF51AFD7ED558CCDULL;
  value = (value ^ (value >> 33)) * 0xC4CEB9FE1A85EC53ULL;
  return value ^ (value >> 33);
}

}  // namespace

uint64_t content_hash(std::string_view bytes, uint64_t seed) {
  uint64_t state = mix(seed + 0x9E3779B97F4A7C15ULL * (bytes.size() + 1));
  size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, 8);
    state = mix(state ^ word);
  }
  uint64_t tail = 0;
  std::memcpy(&tail, bytes.data() + at, bytes.size() - at);
  return mix(state ^ tail);
}

MessageIds::MessageIds(const std::string& pipeline, const std::string& table)
    : owner_(pipeline + "/" + table + "/") {}

void MessageIds::begin(std::string_view partition) {
  auto [found, fresh] = ranges_.try_emplace(std::string(partition));
  range_ = &found->second;
  if (fresh) range_->scope = content_hash(owner_ + found->first, 0);
}

const std::string& MessageIds::next(int64_t offset, uint64_t content) {
  if (range_->counts.size() >= kRemembered) {
    range_->former.swap(range_->counts);
    range_->counts.clear();
  }
  auto [count, fresh] = range_->counts.try_emplace(offset, 0);
  if (fresh && !range_->former.empty()) {
    const auto before = range_->former.find(offset);
    if (before != range_->former.end()) count->second = before->second;
  }
  const int32_t ordinal = count->second++;
  id_.clear();
  append_hex(range_->scope, id_);
  id_ += '-';
  id_ += std::to_string(offset);
  id_ += '-';
  id_ += std::to_string(ordinal);
  id_ += '-';
  append_hex(content, id_);
  return id_;
}

}  // namespace weir
