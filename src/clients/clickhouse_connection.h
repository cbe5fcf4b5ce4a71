// Statements to a ClickHouse server over HTTP; to the next of several URLs when one does not answer.
//
// Passwords travel in headers only, so no URL and no message can show one. Not safe for two threads at once.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "clients/clickhouse_error.h"
#include "clients/http_client.h"

namespace weir {

struct ServerAnswer {
  Status status;  // ok, or words that name the server and its error
  ServerErrorKind kind = ServerErrorKind::none;
  int code = 0;           // ClickHouse's
  std::string message;    // the server's words alone
  bool in_doubt = false;  // of several attempts at an INSERT: an earlier one may have stored the block
  std::string body;
};

using ServerRow = std::vector<std::string>;  // numbers as text, NULL as ""

class ClickHouseConnection {
 public:
  struct Settings {
    std::vector<std::string> urls;  // checked by parse_server_urls
    std::string username, password;
  };
  ClickHouseConnection(Settings settings, std::unique_ptr<HttpClient> http);

  // A statement; answers when the server has carried it out. Tries each URL once.
  ServerAnswer execute(const std::string& statement);
  // Rows of a SELECT whose columns are strings or numbers.
  Result<std::vector<ServerRow>> select(const std::string& query);
  // `statement` in the URL, `pieces` as the body; settings that the server does not know are left out.
  ServerAnswer insert(const std::string& statement,
                      const std::vector<std::pair<std::string, std::string>>& settings,
                      const std::string& encoding, std::vector<std::string_view> pieces);

  // Asks version and settings; once, later calls do nothing.
  Status greet();
  bool knows_setting(const std::string& name) const { return known_settings_.count(name) != 0; }
  const std::string& version() const { return version_; }
  size_t url_count() const { return settings_.urls.size(); }
  const std::string& url() const { return settings_.urls[current_]; }  // where the last answer came from

  // Called before the first INSERT to a URL other than the one that `identity` was taken from: whether the
  // server there holds the same data. A URL that fails is not used.
  void set_identity(std::function<Status(ClickHouseConnection& candidate)> same_data);
  // Asks all other URLs now; those that do not answer are asked when they are needed.
  Status verify_all();

 private:
  ServerAnswer send(const std::string& parameters, const std::string& encoding,
                    const std::vector<std::string_view>& pieces);
  ServerAnswer send_to(size_t url, const std::string& parameters, const std::string& encoding,
                       const std::vector<std::string_view>& pieces);
  Status verify(size_t url);

  Settings settings_;
  std::unique_ptr<HttpClient> http_;
  std::set<std::string> known_settings_;
  std::string version_;
  size_t current_ = 0;
  std::set<size_t> verified_;
  bool verifying_ = false;
  std::function<Status(ClickHouseConnection&)> same_data_;
};

// "http://a:8123, http://b:8123": without a trailing '/'; invalid for another scheme or a user in it.
Result<std::vector<std::string>> parse_server_urls(const std::string& text);

// 'text' as a literal of a statement.
std::string quoted_literal(std::string_view text);

}  // namespace weir
