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

std::string_view after_scheme(std::string_view authorization, std::string_view scheme) {
  const bool is_it = authorization.size() > scheme.size() &&
                     strncasecmp(authorization.data(), scheme.data(), scheme.size()) == 0;
  return is_it ? authorization.substr(scheme.size()) : std::string_view();
}

BearerTokens::BearerTokens(const std::vector<std::string>& tokens) {
  for (const std::string& token : tokens) digests_.push_back(digest_of(token));
}

bool BearerTokens::admit(std::string_view authorization) const {
  if (digests_.empty()) return true;
  std::string_view token = after_scheme(authorization, "Bearer ");
  while (token.starts_with(' ')) token.remove_prefix(1);
  return has(token);
}

bool BearerTokens::has(std::string_view token) const {
  const auto digest = digest_of(token);
  int found = 0;
  for (const auto& known : digests_) {
    found |= CRYPTO_memcmp(known.data(), digest.data(), digest.size()) == 0 ? 1 : 0;
  }
  return found != 0;
}

}  // namespace weir
