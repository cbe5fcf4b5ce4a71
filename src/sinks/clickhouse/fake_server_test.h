// For tests: a server that keeps INSERTed blocks by token, and objects in memory; both lose answers on order.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "base/objects.h"
#include "clients/http_client.h"

namespace weir {

// Values in blocks are texts like "<17>"; what the table holds is the list of them.
struct FakeServer {
  std::multiset<std::string> stored;
  std::map<int64_t, int64_t> stored_by_seq;  // rows, by the number in their token
  std::set<std::string> tokens;
  std::vector<std::string> token_order;
  size_t remembered = 10'000;           // tokens; older ones are forgotten
  std::vector<std::string> inserts;     // tokens, as they came
  std::vector<std::string> statements;  // all others that change something
  std::function<bool(const std::string& body)> refuses = [](const std::string&) { return false; };
  bool table_exists = false;
  bool has_view = false;
  bool knows_tokens = true;
  std::string window = "10000";
  std::string engine = "MergeTree";
  bool has_sequence = false;       // the table has the column _weir_seq
  int64_t altered_ago_s = 86'400;  // when the table's columns or constraints were last touched
  std::string table_type = "String";
  // Counts down with each request; at 0 the request fails: before it took effect, or after (a lost answer).
  int fail_in = -1;
  bool fail_after = false;
  std::vector<std::string> errors;  // for the next INSERTs: "252: words"; "" lets one pass

  static std::string decoded(const std::string& text) {
    std::string result;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '%') {
        result += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
        i += 2;
      } else {
        result += text[i];
      }
    }
    return result;
  }

  static HttpResponse rows(const std::string& rows) { return {200, {}, "{\"data\":[" + rows + "]}"}; }

  static HttpResponse error(int code, const std::string& words) {
    return {500,
            {{"x-clickhouse-exception-code", std::to_string(code)}},
            "Code: " + std::to_string(code) + ". DB::Exception: " + words + " (version 26.9)"};
  }

  HttpResponse insert(const std::string& parameters, const std::string& body) {
    std::smatch found;
    std::string token;
    if (std::regex_search(parameters, found, std::regex("insert_deduplication_token=([^&]*)")))
      token = decoded(found[1]);
    inserts.push_back(token);
    if (!errors.empty()) {
      std::string words = errors.front();
      errors.erase(errors.begin());
      if (!words.empty()) return error(std::stoi(words), words);
    }
    if (!table_exists) return error(60, "Table default.out does not exist. (UNKNOWN_TABLE)");
    if (refuses(body)) return error(469, "Constraint `c` is violated. (VIOLATED_CONSTRAINT)");
    if (!token.empty() && !tokens.insert(token).second) return {200, {}, ""};
    token_order.push_back(token);
    if (token_order.size() > remembered) tokens.erase(token_order[token_order.size() - remembered - 1]);
    std::smatch number;
    std::regex_search(token, number, std::regex("^[^/]*/[^/]*/([0-9]+)"));
    static const std::regex value("<[^<>]*>");
    for (std::sregex_iterator it(body.begin(), body.end(), value), end; it != end; ++it) {
      stored.insert(it->str());
      if (!number.empty()) ++stored_by_seq[std::stoll(number[1])];
    }
    return {200, {}, ""};
  }

  HttpResponse select(const std::string& query) {
    auto asks = [&](const char* text) { return query.find(text) != std::string::npos; };
    if (asks("version()")) return rows("[\"26.9\"]");
    if (asks("FROM system.settings"))
      return rows(knows_tokens ? "[\"insert_deduplication_token\"],[\"async_insert\"]"
                               : "[\"async_insert\"]");
    if (asks("FROM system.databases")) return rows("[\"1\"]");
    if (asks("dependencies_table")) return rows(has_view ? "[\"d\",\"view\"]" : "[\"\",\"\"]");
    if (asks("name = 'view'"))
      return rows("[\"MaterializedView\",\"CREATE MATERIALIZED VIEW d.view TO d.to AS\"]");
    if (asks("create_table_query FROM system.tables"))
      return rows(table_exists ? "[\"" + engine + "\",\"CREATE TABLE x ENGINE = " + engine +
                                     " SETTINGS non_replicated_deduplication_window = " + window +
                                     ", replicated_deduplication_window = " + window +
                                     ", replicated_deduplication_window_seconds = 3600\"]"
                               : "");
    if (asks("FROM system.columns"))
      return rows("[\"v\",\"" + table_type + "\",\"\"]" +
                  (has_sequence ? ",[\"_weir_seq\",\"UInt64\",\"\"]" : ""));
    if (asks("metadata_modification_time")) return rows("[\"" + std::to_string(altered_ago_s) + "\"]");
    if (asks("count()")) {
      int64_t wanted = std::stoll(query.substr(query.find("_weir_seq = ") + 12)) & ((int64_t{1} << 40) - 1);
      auto found = stored_by_seq.find(wanted);
      return rows("[\"" + std::to_string(found == stored_by_seq.end() ? 0 : found->second) + "\"]");
    }
    return rows("");
  }

  HttpResponse answer(const HttpRequest& request) {
    std::string body;
    for (std::string_view piece : request.body) body += piece;
    if (request.url.find("query=INSERT") != std::string::npos) return insert(request.url, body);
    if (body.starts_with("SELECT")) return select(body);
    statements.push_back(body);
    if (body.starts_with("CREATE TABLE")) table_exists = true;
    return {200, {}, ""};
  }
};

class FakeHttp final : public HttpClient {
 public:
  explicit FakeHttp(FakeServer& server) : server_(server) {}
  Result<HttpResponse> send(const HttpRequest& request) override {
    bool fails = server_.fail_in >= 0 && server_.fail_in-- == 0;
    if (fails && !server_.fail_after) return Status::unavailable("connection reset");
    HttpResponse response = server_.answer(request);
    if (fails) return Status::unavailable("connection reset");
    return response;
  }

 private:
  FakeServer& server_;
};

struct FakeFiles {
  std::map<std::string, std::string> objects;
  // Counts down with each change; at 0 it fails, before or after it took effect.
  int fail_in = -1;
  bool fail_after = false;
  int changes = 0;
};

class FakeObjects final : public ObjectStore {
 public:
  explicit FakeObjects(FakeFiles& files) : files_(files) {}

  Status put(const std::string& path, std::string_view bytes) override {
    return change([&]() -> Status {
      files_.objects[path] = bytes;
      return {};
    });
  }
  Status put_if_absent(const std::string& path, std::string_view bytes) override {
    return change([&]() -> Status {
      if (!files_.objects.emplace(path, bytes).second) return {Code::already_exists, path};
      return {};
    });
  }
  Result<std::string> get(const std::string& path) override {
    auto found = files_.objects.find(path);
    if (found == files_.objects.end()) return Status(Code::not_found, path);
    return found->second;
  }
  Result<std::vector<std::string>> list(const std::string& prefix) override {
    std::vector<std::string> paths;
    for (const auto& [path, _] : files_.objects) {
      if (path.starts_with(prefix)) paths.push_back(path);
    }
    return paths;
  }
  Status remove(const std::string& path) override {
    return change([&]() -> Status {
      files_.objects.erase(path);
      return {};
    });
  }
  Result<std::unique_ptr<ObjectWriter>> open_writer(const std::string&) override {
    return Status::internal("not needed");
  }

 private:
  Status change(const std::function<Status()>& effect) {
    ++files_.changes;
    bool fails = files_.fail_in >= 0 && files_.fail_in-- == 0;
    if (fails && !files_.fail_after) return Status::unavailable("the disk went away");
    Status status = effect();
    return fails ? Status::unavailable("the disk went away") : status;
  }

  FakeFiles& files_;
};

}  // namespace weir
