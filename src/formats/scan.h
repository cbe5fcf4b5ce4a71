// Vector instructions for reading text. Every function may read 32 bytes from where it is pointed to.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace weir {

// Whether the bytes selected by `mask` (bit i: byte i) are the same.
inline bool same_bytes_32(const char* a, const char* b, uint32_t mask) {
#if defined(__AVX2__)
  const __m256i left = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(a));
  const __m256i right = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(b));
  const uint32_t equal = static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(left, right)));
  return (equal & mask) == mask;
#else
  const int size = mask == 0 ? 0 : 32 - __builtin_clz(mask);
  return std::memcmp(a, b, static_cast<size_t>(size)) == 0;
#endif
}

// Copies 32 bytes to `to` (when not null) and gives a bit for each that cannot stand in a string as it is:
// '"',
// '\\' and control characters.
template <bool copy>
inline uint32_t special_bytes_32(const char* from, uint8_t* to) {
#if defined(__AVX2__)
  const __m256i chunk = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  if (copy) _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), chunk);
  const __m256i quote = _mm256_cmpeq_epi8(chunk, _mm256_set1_epi8('"'));
  const __m256i backslash = _mm256_cmpeq_epi8(chunk, _mm256_set1_epi8('\\'));
  const __m256i low = _mm256_cmpeq_epi8(_mm256_min_epu8(chunk, _mm256_set1_epi8(0x1f)), chunk);
  const __m256i any = _mm256_or_si256(_mm256_or_si256(quote, backslash), low);
  return static_cast<uint32_t>(_mm256_movemask_epi8(any));
#else
  uint32_t mask = 0;
  for (int i = 0; i < 32; ++i) {
    const unsigned char c = static_cast<unsigned char>(from[i]);
    if (c == '"' || c == '\\' || c < 0x20) mask |= 1u << i;
  }
  if (copy) std::memcpy(to, from, 32);
  return mask;
#endif
}

inline bool is_ascii(const char* text, size_t size) {
  size_t i = 0;
#if defined(__AVX2__)
  __m256i all = _mm256_setzero_si256();
  for (; i + 32 <= size; i += 32) {
    all = _mm256_or_si256(all, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text + i)));
  }
  if (_mm256_movemask_epi8(all) != 0) return false;
#endif
  for (; i + 8 <= size; i += 8) {
    uint64_t word;
    std::memcpy(&word, text + i, 8);
    if (word & 0x8080808080808080u) return false;
  }
  for (; i < size; ++i) {
    if (text[i] & 0x80) return false;
  }
  return true;
}

inline const char* skip_space(const char* at) {
  if (static_cast<unsigned char>(*at) > ' ') return at;
  while (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t') ++at;
  return at;
}

inline bool is_digit(char c) { return static_cast<unsigned char>(c - '0') < 10; }

// Whether 8 bytes are digits, and their value (D. Lemire, "Quickly parsing eight digits").
inline bool eight_digits(const char* at, uint32_t* value) {
  uint64_t word;
  std::memcpy(&word, at, 8);
  if (((word & 0xF0F0F0F0F0F0F0F0u) | (((word + 0x0606060606060606u) & 0xF0F0F0F0F0F0F0F0u) >> 4)) !=
      0x3333333333333333u) {
    return false;
  }
  word -= 0x3030303030303030u;
  word = (word * 10) + (word >> 8);
  constexpr uint64_t kMask = 0x000000FF000000FFu;
  constexpr uint64_t kHundreds = 0x000F424000000064u;
  constexpr uint64_t kUnits = 0x0000271000000001u;
  *value = static_cast<uint32_t>((((word & kMask) * kHundreds) + (((word >> 16) & kMask) * kUnits)) >> 32);
  return true;
}

}  // namespace weir
