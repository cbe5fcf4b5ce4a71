// Bytes that grow without being zeroed first; keeps its memory when cleared, so a reused buffer costs no page
// faults.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

namespace weir {

class NativeBuffer {
 public:
  NativeBuffer() = default;
  ~NativeBuffer() { std::free(data_); }
  NativeBuffer(NativeBuffer&& other) noexcept { swap(other); }
  NativeBuffer& operator=(NativeBuffer&& other) noexcept {
    swap(other);
    return *this;
  }
  NativeBuffer(const NativeBuffer&) = delete;
  NativeBuffer& operator=(const NativeBuffer&) = delete;

  const uint8_t* data() const { return data_; }
  uint8_t* data() { return data_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  size_t capacity() const { return capacity_; }
  std::string_view view() const { return {reinterpret_cast<const char*>(data_), size_}; }
  void clear() { size_ = 0; }

  // Room for `bytes` more; the result is where they go, until the next call.
  uint8_t* reserve(size_t bytes) {
    if (capacity_ - size_ < bytes) grow(bytes);
    return data_ + size_;
  }
  // Counts `bytes` that were written after reserve().
  void advance(size_t bytes) { size_ += bytes; }
  uint8_t* append(size_t bytes) {
    uint8_t* at = reserve(bytes);
    size_ += bytes;
    return at;
  }
  void append(const void* bytes, size_t count) {
    if (count != 0) std::memcpy(append(count), bytes, count);
  }
  void append_zeros(size_t count) {
    if (count != 0) std::memset(append(count), 0, count);
  }
  void append_u64(uint64_t value) { append(&value, sizeof value); }
  void append_varint(uint64_t value) {
    uint8_t* at = reserve(10);
    while (value >= 0x80) {
      *at++ = static_cast<uint8_t>(value | 0x80);
      value >>= 7;
    }
    *at++ = static_cast<uint8_t>(value);
    size_ = static_cast<size_t>(at - data_);
  }
  void append_string(std::string_view text) {
    append_varint(text.size());
    append(text.data(), text.size());
  }

 private:
  void swap(NativeBuffer& other) {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }
  void grow(size_t bytes) {
    size_t wanted = size_ + bytes;
    if (wanted < capacity_ + capacity_ / 2) wanted = capacity_ + capacity_ / 2;
    if (wanted < 4096) wanted = 4096;
    void* grown = std::realloc(data_, wanted);
    if (grown == nullptr) throw std::bad_alloc();
    data_ = static_cast<uint8_t*>(grown);
    capacity_ = wanted;
  }

  uint8_t* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace weir
