#include "clients/schema_registry_client.h"

#include <arrow/util/base64.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <mutex>
#include <set>

#include "base/objects.h"
#include "base/text.h"
#include "clients/fetch_cache.h"
#include "clients/registry_answer.h"

namespace weir {
namespace {

constexpr int64_t kMostFileBytes = 16 << 20;
constexpr int64_t kMostAnswerBytes = 16 << 20;
constexpr size_t kMostCached = 10'000;
constexpr size_t kMostNeeded = 500;
constexpr size_t kMostNeededBytes = 16 << 20;
constexpr int kMostReferenceDepth = 32;
constexpr size_t kMostIdle = 8;  // connections
constexpr std::chrono::milliseconds kFirstPause{100}, kLongestPause{2000};

class FileSchemas : public SchemaLookup {
 public:
  explicit FileSchemas(std::string folder) : folder_(std::move(folder)) {}

  Result<std::string> file(const std::string& path) override {
    const std::filesystem::path whole = std::filesystem::path(folder_) / path;
    std::error_code error;
    const auto size = std::filesystem::file_size(whole, error);
    if (!error && static_cast<int64_t>(size) > kMostFileBytes) {
      return Status::invalid("the schema file '" + path + "' is larger than 16 mb");
    }
    auto text = read_file(whole.string());
    if (!text.ok()) return text.status().with_context("schema file '" + path + "'");
    return text;
  }
  Result<SchemaPointer> by_id(int32_t) override { return none(); }
  Result<SchemaPointer> latest(const std::string&) override { return none(); }
  Result<SchemaPointer> version(const std::string&, int32_t) override { return none(); }

 private:
  static Status none() {
    return Status::invalid("no schema registry is configured: set 'schema-registry.url'");
  }

  std::string folder_;
};

// Failures that another try, or another of several servers, may not share.
bool may_pass(int status) { return status >= 500 || status == 429 || status == 408; }

class RegistrySchemas final : public FileSchemas {
 public:
  using Open = std::function<Result<std::unique_ptr<HttpClient>>()>;

  RegistrySchemas(SchemaRegistrySettings settings, Open open, const std::string& folder, const Clock& clock)
      : FileSchemas(folder),
        settings_(std::move(settings)),
        open_(std::move(open)),
        clock_(clock),
        schemas_(kMostCached, clock),
        answers_(kMostCached, clock) {}

  Result<SchemaPointer> by_id(int32_t id) override {
    if (id < 1) return Status(Code::not_found, "no schema registry gives out the id " + std::to_string(id));
    return schemas_.get("id/" + std::to_string(id), Schemas::kForEver, [&] {
      auto fetched = fetch_id(id);
      // It may be newer than what is believed to be the latest of its subject.
      if (fetched.ok()) schemas_.drop(kLatest);
      return fetched;
    });
  }

  Result<SchemaPointer> latest(const std::string& subject) override {
    return schemas_.get(kLatest + subject, settings_.latest_ttl,
                        [&] { return fetch_version(subject, "latest", 0); });
  }

  Result<SchemaPointer> version(const std::string& subject, int32_t version) override {
    if (version < 1) {
      return Status(Code::not_found, "'" + subject + "' has no version " + std::to_string(version));
    }
    return schemas_.get(version_key(subject, version), Schemas::kForEver, [&] {
      return fetch_version(subject, std::to_string(version) + "?deleted=true", version);
    });
  }

 private:
  using Schemas = FetchCache<SchemaPointer>;
  using AnswerPointer = std::shared_ptr<const AnsweredSchema>;
  using Seen = std::set<std::pair<std::string, int32_t>>;
  static constexpr const char* kLatest = "latest/";  // keys of schemas_

  static std::string version_key(const std::string& subject, int32_t version) {
    return "version/" + std::to_string(version) + "/" + subject;
  }

  Result<SchemaPointer> fetch_id(int32_t id) {
    const std::string path = "/schemas/ids/" + std::to_string(id);
    WEIR_ASSIGN(const std::string body, get(path, settings_.retries));
    auto answer = parse_schema_answer(body);
    if (!answer.ok()) return answer.status().with_context(path);
    if (answer->id != 0 && answer->id != id) {
      return Status::unavailable("the schema registry answers nonsense: asked for id " + std::to_string(id) +
                                 ", told id " + std::to_string(answer->id));
    }
    answer->id = id;
    if (answer->subject.empty() || answer->version == 0) name_version(path + "/versions", *answer);
    return whole(*answer);
  }

  // Which subject and version an id is: for messages only, so a failure is none.
  void name_version(const std::string& path, AnsweredSchema& answer) {
    const auto body = get(path, 0);
    if (!body.ok()) return;
    const auto versions = parse_versions_answer(*body);
    if (!versions.ok() || versions->empty()) return;
    const auto preferred = std::find_if(versions->begin(), versions->end(), [&](const auto& version) {
      return version.first == settings_.subject;
    });
    const auto& chosen = preferred == versions->end() ? versions->front() : *preferred;
    answer.subject = chosen.first;
    answer.version = chosen.second;
  }

  // `expected`: 0 for any.
  Result<AnsweredSchema> fetch_answer(const std::string& subject, const std::string& which,
                                      int32_t expected) {
    const std::string path = "/subjects/" + url_encoded(subject) + "/versions/" + which;
    WEIR_ASSIGN(const std::string body, get(path, settings_.retries));
    auto answer = parse_schema_answer(body);
    if (!answer.ok()) return answer.status().with_context(path);
    if (answer->id == 0 || answer->version == 0 || (expected != 0 && answer->version != expected)) {
      return Status::unavailable("the schema registry answers nonsense: " + path +
                                 " has no id, or another version than the one asked for");
    }
    answer->subject = subject;
    return answer;
  }

  Result<SchemaPointer> fetch_version(const std::string& subject, const std::string& which,
                                      int32_t expected) {
    WEIR_ASSIGN(const AnsweredSchema answer, fetch_answer(subject, which, expected));
    WEIR_ASSIGN(const SchemaPointer schema, whole(answer));
    if (expected == 0) {
      schemas_.put(version_key(subject, schema->version), schema);
      schemas_.put("id/" + std::to_string(schema->id), schema);
    }
    return schema;
  }

  Result<SchemaPointer> whole(const AnsweredSchema& answer) {
    auto schema = std::make_shared<RegisteredSchema>();
    schema->id = answer.id;
    schema->subject = answer.subject;
    schema->version = answer.version;
    schema->schema.kind = answer.kind;
    schema->schema.text = answer.text;
    Seen open, done;
    WEIR_TRY(add_needed(answer.references, open, done, schema->schema.needed)
                 .with_context("references of " + schema->label()));
    return SchemaPointer(std::move(schema));
  }

  Status add_needed(const std::vector<SchemaReference>& references, Seen& open, Seen& done,
                    std::vector<SchemaText::Needed>& needed) {
    if (open.size() > kMostReferenceDepth) return Status::unavailable("they are nested too deeply");
    for (const SchemaReference& reference : references) {
      const std::pair key(reference.subject, reference.version);
      const bool is_there = std::any_of(needed.begin(), needed.end(),
                                        [&](const auto& one) { return one.name == reference.name; });
      if (is_there && done.count(key) != 0) continue;
      if (!open.insert(key).second) return Status::unavailable("they go round in a circle");
      auto answer = answers_.get(version_key(key.first, key.second), Schemas::kForEver,
                                 [&] { return fetch_reference(key.first, key.second); });
      if (!answer.ok()) {
        // Not the schema that was asked for: whoever asks must not take it for unknown.
        if (answer.status().code() != Code::not_found) return answer.status();
        return Status::unavailable("'" + key.first + "' version " + std::to_string(key.second) +
                                   " is missing");
      }
      WEIR_TRY(add_needed((*answer)->references, open, done, needed));
      open.erase(key);
      done.insert(key);
      needed.push_back({reference.name, (*answer)->text});
      size_t bytes = 0;
      for (const SchemaText::Needed& one : needed) bytes += one.text.size();
      if (needed.size() > kMostNeeded || bytes > kMostNeededBytes) {
        return Status::unavailable("more than 500 schemas or 16 mb");
      }
    }
    return {};
  }

  Result<AnswerPointer> fetch_reference(const std::string& subject, int32_t version) {
    WEIR_ASSIGN(AnsweredSchema answer,
                fetch_answer(subject, std::to_string(version) + "?deleted=true", version));
    return AnswerPointer(std::make_shared<AnsweredSchema>(std::move(answer)));
  }

  // The body of a 200. Every server is asked once a round.
  Result<std::string> get(const std::string& path, int retries) {
    Status last = Status::unavailable("no server was asked");
    std::chrono::milliseconds pause = kFirstPause;
    for (int round = 0; round <= retries; ++round) {
      if (round > 0) {
        clock_.sleep(pause);
        pause = std::min(pause * 2, kLongestPause);
      }
      const size_t first = answered_last_;
      for (size_t i = 0; i < settings_.urls.size(); ++i) {
        const size_t server = (first + i) % settings_.urls.size();
        bool again = false;
        auto body = ask(settings_.urls[server], path, again);
        if (body.ok() || !again) {
          if (body.ok()) answered_last_ = server;
          return body;
        }
        last = body.status();
      }
    }
    return last;
  }

  Result<std::string> ask(const std::string& url, const std::string& path, bool& again) {
    WEIR_ASSIGN(auto client, take_client());
    HttpRequest request;
    request.url = url + path;
    request.headers = {{"Accept", "application/vnd.schemaregistry.v1+json, application/json"}};
    if (!settings_.authorization.empty())
      request.headers.emplace_back("Authorization", settings_.authorization);
    auto response = client->send(request);
    const std::string where = "the schema registry at " + url;
    if (!response.ok()) {
      if (response.status().code() == Code::denied) return response.status().with_context(where);
      // An answer that is too large is `invalid` there; here, it is nonsense.
      again = true;
      return Status::unavailable(where + ": " + response.status().message());
    }
    give_back(std::move(client));
    if (response->status == 200) return std::move(response->body);
    const auto error = parse_error_answer(response->body);
    const std::string said = where + " answered " + std::to_string(response->status) +
                             (error ? " (" + std::to_string(error->code) + "): " + error->message : "");
    if (response->status == 404 && error && error->code >= 40401 && error->code <= 40403) {
      return Status(Code::not_found, said);
    }
    if (response->status == 401 || response->status == 403) {
      return Status(Code::denied,
                    said + (settings_.authorization.empty()
                                ? " (no 'schema-registry.token' or 'schema-registry.username' is set)"
                                : ""));
    }
    if (response->status >= 300 && response->status < 400) {
      return Status::unavailable(said +
                                 ", a redirect, which is not followed: set 'schema-registry.url' to where "
                                 "the registry is");
    }
    again = may_pass(response->status);
    return Status::unavailable(said + (error || again ? "" : ": is the URL that of a schema registry?"));
  }

  Result<std::unique_ptr<HttpClient>> take_client() {
    {
      std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        auto client = std::move(idle_.back());
        idle_.pop_back();
        return client;
      }
    }
    return open_();
  }

  void give_back(std::unique_ptr<HttpClient> client) {
    std::lock_guard lock(mutex_);
    if (idle_.size() < kMostIdle) idle_.push_back(std::move(client));
  }

  const SchemaRegistrySettings settings_;
  const Open open_;
  const Clock& clock_;
  Schemas schemas_;
  FetchCache<AnswerPointer> answers_;  // of references; asking for one never asks for another
  std::atomic<size_t> answered_last_{0};
  std::mutex mutex_;  // guards idle_
  std::vector<std::unique_ptr<HttpClient>> idle_;
};

Result<std::string> authorization_of(const Options& options) {
  const std::string token = options.string("schema-registry.token");
  const std::string user = options.string("schema-registry.username");
  const std::string password = options.string("schema-registry.password");
  if (!token.empty() && (!user.empty() || !password.empty())) {
    return Status::invalid(
        "'schema-registry.token' and 'schema-registry.username' exclude each other: one log-in is sent");
  }
  if (user.empty() && !password.empty()) {
    return Status::invalid("'schema-registry.password' needs 'schema-registry.username'");
  }
  if (token.find_first_of("\r\n") != std::string::npos) {
    return Status::invalid("'schema-registry.token' holds a line break");
  }
  if (!token.empty()) return "Bearer " + token;
  if (!user.empty()) return "Basic " + arrow::util::base64_encode(user + ":" + password);
  return std::string();
}

Result<std::vector<std::string>> urls_of(const Options& options) {
  std::vector<std::string> urls;
  for (std::string url : split_list(options.string("schema-registry.url"))) {
    if (!url.starts_with("http://") && !url.starts_with("https://")) {
      return Status::invalid("'schema-registry.url' is not a http:// or https:// URL");
    }
    const size_t host = url.find("//") + 2;
    if (url.substr(host, url.find('/', host) - host).find('@') != std::string::npos) {
      return Status::invalid(
          "'schema-registry.url' holds a user: use 'schema-registry.username' and "
          "'schema-registry.password'");
    }
    if (url.find_first_of("?#") != std::string::npos) {
      return Status::invalid("'schema-registry.url' holds a '?' or '#'");
    }
    while (url.ends_with('/')) url.pop_back();
    urls.push_back(std::move(url));
  }
  if (urls.empty()) return Status::invalid("'schema-registry.url' names no server");
  return urls;
}

}  // namespace

std::vector<OptionSpec> schema_registry_option_specs() {
  using enum OptionType;
  return {
      option(
          "schema-registry.url", string, "",
          "http(s)://host:port of a Confluent-compatible schema registry; several, separated by commas, are "
          "tried in turn"),
      option("schema-registry.subject", string, "",
             "the subject of this table; '<topic or stream>-value' when absent"),
      option("schema-registry.username", string, "", "user for HTTP basic authentication"),
      secret(option("schema-registry.password", string, "", "password for HTTP basic authentication")),
      secret(option("schema-registry.token", string, "", "bearer token, instead of a user")),
      option("schema-registry.tls.ca", string, "",
             "PEM file of the authorities to trust; the system's when absent"),
      option("schema-registry.tls.cert", string, "", "PEM file of the client's certificate"),
      option("schema-registry.tls.key", string, "", "PEM file of the client's key"),
      option("schema-registry.tls.insecure-skip-verify", boolean, "false",
             "take any certificate of the registry: for tests only"),
      option("schema-registry.timeout", duration, "5 s", "how long one request may take"),
      option("schema-registry.retries", integer, "3",
             "further tries, with pauses, while the registry does not answer"),
      option("schema-registry.latest-ttl", duration, "30 s",
             "how long a subject's latest version is believed; what an id means is kept for ever"),
  };
}

Result<std::shared_ptr<SchemaLookup>> open_schema_lookup(const Options& options, const std::string& folder) {
  if (!options.has("schema-registry.url")) {
    return std::shared_ptr<SchemaLookup>(std::make_shared<FileSchemas>(folder));
  }
  SchemaRegistrySettings settings;
  WEIR_ASSIGN(settings.urls, urls_of(options));
  WEIR_ASSIGN(settings.authorization, authorization_of(options));
  settings.subject = options.string("schema-registry.subject");
  settings.retries =
      static_cast<int>(std::clamp<int64_t>(options.integer("schema-registry.retries"), 0, 100));
  settings.latest_ttl = options.duration("schema-registry.latest-ttl");
  HttpSettings http;
  http.request_timeout = http.connect_timeout = options.duration("schema-registry.timeout");
  http.max_answer_bytes = kMostAnswerBytes;
  http.ca_file = options.string("schema-registry.tls.ca");
  http.cert_file = options.string("schema-registry.tls.cert");
  http.key_file = options.string("schema-registry.tls.key");
  http.verify = !options.boolean("schema-registry.tls.insecure-skip-verify");
  if (http.cert_file.empty() != http.key_file.empty()) {
    return Status::invalid("'schema-registry.tls.cert' and 'schema-registry.tls.key' need each other");
  }
  return make_registry_lookup(
      std::move(settings), [http] { return open_http_client(http); }, folder, Clock::real());
}

std::shared_ptr<SchemaLookup> make_registry_lookup(SchemaRegistrySettings settings,
                                                   std::function<Result<std::unique_ptr<HttpClient>>()> open,
                                                   const std::string& folder, const Clock& clock) {
  return std::make_shared<RegistrySchemas>(std::move(settings), std::move(open), folder, clock);
}

}  // namespace weir
