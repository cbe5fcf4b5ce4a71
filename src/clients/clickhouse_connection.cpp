#include "clients/clickhouse_connection.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace weir {

ClickHouseConnection::ClickHouseConnection(Settings settings, std::unique_ptr<HttpClient> http)
    : settings_(std::move(settings)), http_(std::move(http)) {
  WEIR_CHECK(!settings_.urls.empty(), "a connection has a URL");
}

void ClickHouseConnection::set_identity(std::function<Status(ClickHouseConnection&)> same_data) {
  same_data_ = std::move(same_data);
  verified_ = {current_};
}

ServerAnswer ClickHouseConnection::send_to(size_t url, const std::string& parameters,
                                           const std::string& encoding,
                                           const std::vector<std::string_view>& pieces) {
  HttpRequest request;
  request.method = "POST";
  request.url = settings_.urls[url] + "/?" + parameters;
  if (!settings_.username.empty()) request.headers.emplace_back("X-ClickHouse-User", settings_.username);
  if (!settings_.password.empty()) request.headers.emplace_back("X-ClickHouse-Key", settings_.password);
  request.headers.emplace_back("Content-Type", "application/octet-stream");
  if (!encoding.empty()) request.headers.emplace_back("Content-Encoding", encoding);
  request.body = pieces;
  ServerAnswer answer;
  const std::string where = "ClickHouse at " + settings_.urls[url];
  auto response = http_->send(request);
  if (!response.ok()) {
    answer.status = response.status().with_context(where);
    answer.message = response.status().message();
    answer.kind = response.status().code() == Code::unavailable ? ServerErrorKind::retry
                  : response.status().code() == Code::denied    ? ServerErrorKind::denied
                                                                : ServerErrorKind::fatal;
    return answer;
  }
  auto named = response->headers.find("x-clickhouse-exception-code");
  bool failed = response->status < 200 || response->status >= 300 || named != response->headers.end();
  if (!failed) {
    answer.body = std::move(response->body);
    return answer;
  }
  ServerErrorText error = parse_server_error(response->body);
  if (error.code == 0 && named != response->headers.end()) error.code = std::atoi(named->second.c_str());
  answer.code = error.code;
  answer.message = error.message.empty() ? "HTTP status " + std::to_string(response->status) : error.message;
  answer.kind = classify_server_error(error.code, response->status, answer.message);
  if (answer.kind == ServerErrorKind::none) answer.kind = ServerErrorKind::fatal;
  std::string words = error.code != 0
                          ? "code " + std::to_string(error.code) + ": " + answer.message
                          : "HTTP status " + std::to_string(response->status) + ": " + answer.message;
  Code code = answer.kind == ServerErrorKind::retry    ? Code::unavailable
              : answer.kind == ServerErrorKind::denied ? Code::denied
                                                       : Code::invalid;
  answer.status = Status(code, words).with_context(where);
  return answer;
}

Status ClickHouseConnection::verify(size_t url) {
  if (!same_data_ || verifying_ || verified_.count(url) != 0) return {};
  verifying_ = true;
  size_t before = std::exchange(current_, url);
  Status same = same_data_(*this);
  verifying_ = false;
  current_ = before;
  if (same.ok()) verified_.insert(url);
  return same;
}

Status ClickHouseConnection::verify_all() {
  for (size_t url = 0; url < settings_.urls.size(); ++url) {
    Status same = verify(url);
    if (!same.ok() && !same.retryable()) return same;
  }
  return {};
}

ServerAnswer ClickHouseConnection::send(const std::string& parameters, const std::string& encoding,
                                        const std::vector<std::string_view>& pieces) {
  ServerAnswer answer;
  // A question about one URL is not answered by another.
  size_t tries = verifying_ ? 1 : settings_.urls.size();
  size_t first = current_;
  for (size_t i = 0; i < tries; ++i) {
    size_t url = (first + i) % settings_.urls.size();
    Status same = verify(url);
    if (!same.ok()) {
      if (answer.kind == ServerErrorKind::none || !same.retryable()) {
        answer.kind = same.retryable() ? ServerErrorKind::retry : ServerErrorKind::fatal;
        answer.message = same.message();
        answer.status = same;
      }
      if (!same.retryable()) return answer;
      continue;
    }
    answer = send_to(url, parameters, encoding, pieces);
    if (answer.kind != ServerErrorKind::retry) {
      if (!verifying_) current_ = url;
      return answer;
    }
  }
  return answer;
}

ServerAnswer ClickHouseConnection::execute(const std::string& statement) {
  return send("wait_end_of_query=1", "", {statement});
}

Result<std::vector<ServerRow>> ClickHouseConnection::select(const std::string& query) {
  ServerAnswer answer = execute(query + " FORMAT JSONCompact");
  if (!answer.status.ok()) return answer.status;
  auto json = nlohmann::json::parse(answer.body, nullptr, false);
  if (json.is_discarded() || !json.is_object() || !json["data"].is_array())
    return Status::unavailable("ClickHouse at " + url() + ": the answer is not what a query gives");
  std::vector<ServerRow> rows;
  for (const auto& values : json["data"]) {
    ServerRow row;
    for (const auto& value : values)
      row.push_back(value.is_string() ? value.get<std::string>() : value.is_null() ? "" : value.dump());
    rows.push_back(std::move(row));
  }
  return rows;
}

ServerAnswer ClickHouseConnection::insert(const std::string& statement,
                                          const std::vector<std::pair<std::string, std::string>>& settings,
                                          const std::string& encoding, std::vector<std::string_view> pieces) {
  std::string parameters = "query=" + url_encoded(statement) + "&wait_end_of_query=1";
  for (const auto& [name, value] : settings) {
    if (knows_setting(name)) parameters += "&" + name + "=" + url_encoded(value);
  }
  return send(parameters, encoding, pieces);
}

Status ClickHouseConnection::greet() {
  if (!version_.empty()) return {};
  auto version = select("SELECT version()");
  if (!version.ok()) return version.status();
  auto settings = select("SELECT name FROM system.settings");
  if (!settings.ok()) return settings.status();
  for (ServerRow& row : *settings) {
    if (!row.empty()) known_settings_.insert(std::move(row[0]));
  }
  if (version->empty() || version->front().empty())
    return Status::unavailable("ClickHouse at " + url() + " does not say its version");
  version_ = version->front()[0];
  return {};
}

Result<std::vector<std::string>> parse_server_urls(const std::string& text) {
  std::vector<std::string> urls;
  size_t at = 0;
  while (at <= text.size()) {
    size_t end = std::min(text.find(',', at), text.size());
    std::string url = text.substr(at, end - at);
    at = end + 1;
    while (!url.empty() && (url.front() == ' ' || url.front() == '\n' || url.front() == '\t'))
      url.erase(0, 1);
    while (!url.empty() && (url.back() == ' ' || url.back() == '\n' || url.back() == '/')) url.pop_back();
    if (url.empty()) continue;
    // Not shown: what stands before '@' may be a password.
    if (url.find('@') != std::string::npos)
      return Status::invalid("'url' must not hold a user: give 'username' and 'password'");
    if (url.find('?') != std::string::npos || url.find('#') != std::string::npos)
      return Status::invalid("'url' must not hold parameters: found '" + url.substr(0, url.find('?')) +
                             "?…'");
    bool known = url.starts_with("http://") || url.starts_with("https://");
    if (!known || url.find("://") + 3 >= url.size())
      return Status::invalid("'url': found '" + url + "', expected http://host:8123 or https://host:8443");
    urls.push_back(std::move(url));
  }
  if (urls.empty()) return Status::invalid("'url' must name a server, such as http://localhost:8123");
  return urls;
}

std::string quoted_literal(std::string_view text) {
  std::string result = "'";
  for (char c : text) {
    if (c == '\'' || c == '\\') result += '\\';
    result += c;
  }
  return result + "'";
}

}  // namespace weir
