#include "edge/bearer_tokens.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <strings.h>

namespace weir {
namespace {

std::array<unsigned char, 32> digest_of(std::string_view text) {
  std::array<unsigned char, 32> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return digest;
}

}  // namespace

BearerTokens::BearerTokens(const std::vector<std::string>& tokens) {
  for (const std::string& token : tokens) digests_.push_back(digest_of(token));
}

bool BearerTokens::admit(std::string_view authorization) const {
  if (digests_.empty()) return true;
  constexpr std::string_view kScheme = "Bearer ";
  if (authorization.size() <= kScheme.size() ||
      strncasecmp(authorization.data(), kScheme.data(), kScheme.size()) != 0) {
    return false;
  }
  std::string_view token = authorization.substr(kScheme.size());
  while (token.starts_with(' ')) token.remove_prefix(1);
  const auto digest = digest_of(token);
  int found = 0;
  for (const auto& known : digests_) {
    found |= CRYPTO_memcmp(known.data(), digest.data(), digest.size()) == 0 ? 1 : 0;
  }
  return found != 0;
}

}  // namespace weir
