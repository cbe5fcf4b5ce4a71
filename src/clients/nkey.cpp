#include "clients/nkey.h"

#include <openssl/evp.h>

#include <cctype>
#include <cstdint>
#include <fstream>
#include <memory>
#include <sstream>
#include <vector>

namespace weir {
namespace {

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr uint8_t kSeedPrefix = 18 << 3;  // 'S'
constexpr uint8_t kUserPrefix = 20 << 3;  // 'U'
constexpr size_t kKeyBytes = 32;
constexpr size_t kSeedCharacters = 58;

bool looks_like_seed(const std::string& text) {
  if (text.size() != kSeedCharacters || text[0] != 'S') return false;
  for (const char c : text) {
    if (std::string_view(kAlphabet).find(c) == std::string_view::npos) return false;
  }
  return true;
}

// RFC 4648 base32 without padding.
std::vector<uint8_t> base32_decode(const std::string& text) {
  std::vector<uint8_t> bytes;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    bits = bits << 5 | static_cast<uint32_t>(std::string_view(kAlphabet).find(c));
    count += 5;
    if (count >= 8) bytes.push_back(static_cast<uint8_t>(bits >> (count -= 8)));
  }
  return bytes;
}

std::string base32_encode(const std::vector<uint8_t>& bytes) {
  std::string text;
  uint32_t bits = 0;
  int count = 0;
  for (const uint8_t byte : bytes) {
    bits = bits << 8 | byte;
    count += 8;
    while (count >= 5) text += kAlphabet[bits >> (count -= 5) & 31];
  }
  if (count > 0) text += kAlphabet[bits << (5 - count) & 31];
  return text;
}

// CRC-16/XMODEM, little endian at the end of every encoded key.
uint16_t crc16(const uint8_t* bytes, size_t size) {
  uint16_t crc = 0;
  for (size_t i = 0; i < size; ++i) {
    crc ^= static_cast<uint16_t>(bytes[i] << 8);
    for (int bit = 0; bit < 8; ++bit)
      crc = static_cast<uint16_t>(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
  }
  return crc;
}

}  // namespace

Result<std::string> nkey_seed(const std::string& option) {
  if (looks_like_seed(option)) return option;
  std::ifstream file(option);
  if (!file)
    return Status::invalid("'nkey' is neither a seed (58 characters, SU…) nor a file that can be read");
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string word;
    while (words >> word) {
      if (looks_like_seed(word)) return word;
    }
  }
  return Status::invalid("the file that 'nkey' names holds no seed (58 characters, SU…)");
}

Result<std::string> nkey_public_key(const std::string& seed) {
  const std::vector<uint8_t> raw = base32_decode(seed);
  // Two prefix bytes (seed, kind), the key, two bytes of check sum.
  if (raw.size() != 2 + kKeyBytes + 2 || (raw[0] & 0xF8) != kSeedPrefix ||
      crc16(raw.data(), raw.size() - 2) != (raw[raw.size() - 2] | raw[raw.size() - 1] << 8)) {
    return Status::invalid("'nkey' is not a sound NKey seed");
  }
  if (static_cast<uint8_t>((raw[0] & 7) << 5 | raw[1] >> 3) != kUserPrefix) {
    return Status::invalid("'nkey' is not the seed of a user (SU…)");
  }
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, raw.data() + 2, kKeyBytes), EVP_PKEY_free);
  std::vector<uint8_t> encoded(1 + kKeyBytes);
  encoded[0] = kUserPrefix;
  size_t size = kKeyBytes;
  if (key == nullptr || EVP_PKEY_get_raw_public_key(key.get(), encoded.data() + 1, &size) != 1) {
    return Status::internal("the crypto library cannot derive an Ed25519 public key");
  }
  const uint16_t check = crc16(encoded.data(), encoded.size());
  encoded.push_back(static_cast<uint8_t>(check & 0xFF));
  encoded.push_back(static_cast<uint8_t>(check >> 8));
  return base32_encode(encoded);
}

}  // namespace weir
