// Bearer tokens, compared in constant time.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

class BearerTokens {
 public:
  BearerTokens() = default;
  explicit BearerTokens(const std::vector<std::string>& tokens);

  bool empty() const { return digests_.empty(); }
  // `authorization`: the header's value, "Bearer …". True also when there is no token to have. Takes as long
  // for a near miss as for any other.
  bool admit(std::string_view authorization) const;

 private:
  std::vector<std::array<unsigned char, 32>> digests_;
};

}  // namespace weir
