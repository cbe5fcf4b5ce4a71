#include "server/request_origin.h"

#include <algorithm>
#include <string_view>

#include "server/serve.h"

namespace weir {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

// "[::1]:7080" -> "::1", "localhost" -> "localhost".
std::string name_of(const std::string& authority) {
  if (authority.starts_with('[')) return authority.substr(1, authority.find(']') - 1);
  return authority.substr(0, authority.find(':'));
}

}  // namespace

std::optional<HttpAnswer> refuse_foreign(const HttpHead& head, const std::string& listen_host) {
  const std::string host = lower(head.header("host"));
  const std::string name = name_of(host);
  // HTTP/1.0 needs no Host; every browser sends one.
  if (!host.empty() && name != lower(listen_host) && !is_loopback_host(name)) {
    return problem(403, "Another host",
                   "this server listens on " + listen_host +
                       " and has no tokens: it answers under that name and localhost only; set tokens in "
                       "[server] to be reached under another");
  }
  const std::string origin = lower(head.header("origin"));
  if (origin.empty() || origin == "http://" + host || origin == "https://" + host) return std::nullopt;
  return problem(403, "Another origin",
                 "a page of another origin sent this, and this server has no tokens: set tokens in [server]");
}

}  // namespace weir
