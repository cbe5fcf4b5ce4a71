// What the requests of the registry's API are made of; for the sources of RegistryRequests only.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "registry/registry_requests.h"

namespace weir {

struct RegistryRequests::Route {
  const RegistryCall& call;
  std::vector<std::string> path;  // "subjects", "orders-value", "versions"

  bool is(std::string_view method) const { return call.method == method; }
  const std::string* parameter(std::string_view name) const;
  bool flag(std::string_view name) const;  // "true", in any case
  // The part of a list that 'offset' and 'limit' ask for.
  template <typename T>
  std::vector<T> page(const std::vector<T>& all) const;

 private:
  int64_t integer(std::string_view name, int64_t absent) const;
};

struct RegistryRequests::Posted {
  StoredSchema stored;
  SchemaText whole;
  int32_t version = 0;  // that the body asks for; 0: none
};

template <typename T>
std::vector<T> RegistryRequests::Route::page(const std::vector<T>& all) const {
  const auto size = static_cast<int64_t>(all.size());
  const int64_t from = std::min(std::max<int64_t>(integer("offset", 0), 0), size);
  const int64_t limit = integer("limit", -1);
  const int64_t count = limit < 0 ? size - from : std::min(limit, size - from);
  return {all.begin() + from, all.begin() + from + count};
}

// 1 to 255 bytes of UTF-8 without control characters, '/' or '\', and neither "." nor "..".
bool is_subject(std::string_view name);

RegistryAnswer json_answer(const OrderedJson& json);
RegistryAnswer failure_answer(const Status& status);
RegistryAnswer no_subject(const std::string& subject);
RegistryAnswer no_version(std::string_view version);
RegistryAnswer no_schema(std::string_view what);
RegistryAnswer wrong_method(std::string_view method);
RegistryAnswer no_resource();

// A positive number of at most nine digits.
std::optional<int32_t> positive_number(std::string_view text);

}  // namespace weir
