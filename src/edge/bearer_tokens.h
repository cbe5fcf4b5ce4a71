// Bearer tokens, compared in constant time.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

// What stands behind `scheme` ("Bearer ", in any case) in an authorization; "" when it is of another.
std::string_view after_scheme(std::string_view authorization, std::string_view scheme);

class BearerTokens {
 public:
  BearerTokens() = default;
  explicit BearerTokens(const std::vector<std::string>& tokens);

  bool empty() const { return digests_.empty(); }
  // `authorization`: the header's value, "Bearer …". True also when there is no token to have. Takes as long
  // for a near miss as for any other.
  bool admit(std::string_view authorization) const;
  // Whether `token` itself is one of them, however it came; as long for every answer, too.
  bool has(std::string_view token) const;

 private:
  std::vector<std::array<unsigned char, 32>> digests_;
};

}  // namespace weir
