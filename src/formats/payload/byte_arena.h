// Bytes of many payloads one after another, which become an EventBatch's bytes.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>

#include "schema/event_batch.h"

namespace weir::payload {

// Not initialised where nothing was written. Pointers hold until the next call.
class ByteArena {
 public:
  // `expected`: about how many bytes will come.
  explicit ByteArena(size_t expected) { grow(expected + EventBatch::kPadding); }

  size_t size() const { return size_; }
  char* data() { return bytes_.get(); }
  // Where the next bytes go: at least `wanted` of them may be written, then counted by `wrote`.
  char* room(size_t wanted) {
    if (capacity_ - size_ < wanted + EventBatch::kPadding) grow(size_ + wanted + EventBatch::kPadding);
    return bytes_.get() + size_;
  }
  // That `room` has at most to give without growing.
  size_t free_bytes() const { return capacity_ - size_ - EventBatch::kPadding; }
  void wrote(size_t count) { size_ += count; }
  void cut(size_t size) { size_ = size; }

  Slice append(std::string_view text) {
    const size_t begin = size_;
    if (!text.empty()) std::memcpy(room(text.size()), text.data(), text.size());
    size_ += text.size();
    return since(begin);
  }
  Slice since(size_t begin) const {
    return {static_cast<uint32_t>(begin), static_cast<int32_t>(size_ - begin)};
  }

  // Hands everything over, with the padding that an EventBatch needs.
  std::shared_ptr<const char[]> take() {
    std::memset(bytes_.get() + size_, 0, EventBatch::kPadding);
    return std::move(bytes_);
  }

 private:
  void grow(size_t wanted) {
    const size_t target = std::max(wanted, capacity_ * 2);
    std::shared_ptr<char[]> larger(new char[target]);
    if (size_ > 0) std::memcpy(larger.get(), bytes_.get(), size_);
    bytes_ = std::move(larger);
    capacity_ = target;
  }

  std::shared_ptr<char[]> bytes_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace weir::payload
