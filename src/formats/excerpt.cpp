#include "formats/excerpt.h"

#include <algorithm>

namespace weir {
namespace {

constexpr size_t kExcerptBytes = 40;

}  // namespace

std::string excerpt(std::string_view text) {
  size_t size = std::min(text.size(), kExcerptBytes);
  while (size > 0 && size < text.size() && (text[size] & 0xC0) == 0x80) --size;
  std::string result;
  for (char c : text.substr(0, size)) {
    static constexpr char kHex[] = "0123456789abcdef";
    const unsigned char byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      result += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    } else {
      result += c;
    }
  }
  return size < text.size() ? result + "…" : result;
}

}  // namespace weir
