#include "formats/base64.h"

#include <array>

namespace weir {
namespace {

constexpr std::array<int8_t, 256> make_table() {
  std::array<int8_t, 256> table{};
  for (auto& entry : table) entry = -1;
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < kAlphabet.size(); ++i) {
    table[static_cast<unsigned char>(kAlphabet[i])] = static_cast<int8_t>(i);
  }
  return table;
}

constexpr std::array<int8_t, 256> kValues = make_table();

}  // namespace

int64_t decode_base64(std::string_view text, uint8_t* out) {
  if (text.size() % 4 != 0) return -1;
  uint8_t* const begin = out;
  for (size_t i = 0; i < text.size(); i += 4) {
    const bool last = i + 4 == text.size();
    const int pads = last ? (text[i + 3] == '=') + (text[i + 3] == '=' && text[i + 2] == '=') : 0;
    uint32_t bits = 0;
    for (size_t k = 0; k < 4; ++k) {
      const int value =
          k + static_cast<size_t>(pads) >= 4 ? 0 : kValues[static_cast<unsigned char>(text[i + k])];
      if (value < 0) return -1;
      bits = bits << 6 | static_cast<uint32_t>(value);
    }
    // Bits that the padding leaves over must be 0, so that each value has one text.
    if (pads > 0 && (bits & (pads == 1 ? 0xFFu : 0xFFFFu)) != 0) return -1;
    for (int k = 0; k < 3 - pads; ++k) *out++ = static_cast<uint8_t>(bits >> (16 - 8 * k));
  }
  return out - begin;
}

}  // namespace weir
