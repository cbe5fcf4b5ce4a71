#include "flink/gateway.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <regex>

namespace weir {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

constexpr milliseconds kPoll{50};
constexpr milliseconds kShort{30000};
constexpr milliseconds kSavepoint{300000};
constexpr const char* kCause = "Caused by: ";

// Exceptions that speak of the statement, the most telling first.
constexpr const char* kTelling[] = {"ValidationException", "SqlParserException", "TableException"};

struct Cause {
  std::string type, words;
};

std::vector<Cause> causes_of(const std::string& trace) {
  std::vector<Cause> causes;
  for (size_t at = trace.find(kCause); at != std::string::npos; at = trace.find(kCause, at + 1)) {
    const size_t begin = at + std::string_view(kCause).size();
    size_t end = std::min(trace.find("\n\tat ", begin), trace.find(std::string("\n") + kCause, begin));
    end =
        std::min({end, trace.find("\n\t... ", begin), trace.find("\nEnd of exception", begin), trace.size()});
    const std::string text = trace.substr(begin, end - begin);
    const size_t colon = text.find(": ");
    if (colon == std::string::npos) continue;
    causes.push_back({text.substr(0, colon), text.substr(colon + 2)});
  }
  return causes;
}

json parsed(const std::string& text) { return json::parse(text, nullptr, false); }

std::string text_of(const json& value) {
  if (value.is_null()) return "";
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::vector<FlinkRow> rows_of(const json& page) {
  std::vector<FlinkRow> rows;
  const auto results = page.find("results");
  if (results == page.end() || !results->is_object() || !results->contains("data")) return rows;
  for (const json& row : (*results)["data"]) {
    FlinkRow fields;
    if (row.is_object() && row.contains("fields")) {
      for (const json& field : row["fields"]) fields.push_back(text_of(field));
    }
    rows.push_back(std::move(fields));
  }
  return rows;
}

std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? "''" : std::string(1, c);
  return result + "'";
}

}  // namespace

FlinkRefusal flink_refusal(const std::string& trace) {
  const std::vector<Cause> causes = causes_of(trace);
  const Cause* best = causes.empty() ? nullptr : &causes.back();
  for (const char* type : kTelling) {
    const auto found = std::find_if(causes.begin(), causes.end(), [&](const Cause& cause) {
      return cause.type.find(type) != std::string::npos;
    });
    if (found == causes.end()) continue;
    best = &*found;
    break;
  }
  FlinkRefusal refusal;
  refusal.words = best == nullptr ? trace.substr(0, trace.find("\n\tat ")) : best->words;
  // A list of every word that could have stood there helps nobody.
  refusal.words = refusal.words.substr(0, refusal.words.find("\nWas expecting"));
  static const std::regex place("(?:[Ff]rom|at) line (\\d+), column (\\d+)");
  std::smatch found;
  for (const Cause& cause : causes) {
    if (!std::regex_search(cause.words, found, place)) continue;
    refusal.line = std::stoi(found[1]);
    refusal.column = std::stoi(found[2]);
    break;
  }
  static const std::regex said(
      "(?:SQL validation failed\\. )+|SQL parse failed\\. |"
      "From line \\d+, column \\d+ to line \\d+, column \\d+: | at line \\d+, column \\d+\\.?");
  refusal.words = std::regex_replace(refusal.words, said, "");
  return refusal;
}

bool FlinkJob::ended() const { return status == "FINISHED" || status == "FAILED" || status == "CANCELED"; }

FlinkGateway::~FlinkGateway() {
  if (!session_.empty()) (void)request("DELETE", "/v1/sessions/" + session_);
}

Result<std::string> FlinkGateway::request(const char* method, const std::string& path,
                                          const std::string& body) {
  HttpRequest request;
  request.method = method;
  request.url = url_ + path;
  request.headers = {{"Content-Type", "application/json"}, {"Accept", "application/json"}};
  if (!body.empty()) request.body.push_back(body);
  const auto sent = client_.send(request);
  if (!sent.ok()) return sent.status().with_context("Flink's SQL gateway at " + url_);
  const HttpResponse& response = *sent;
  if (response.status == 200) return response.body;
  const json answer = parsed(response.body);
  std::string trace;
  if (answer.is_object() && answer.contains("errors") && answer["errors"].is_array()) {
    for (const json& error : answer["errors"]) trace += text_of(error) + "\n";
  }
  if (trace.empty()) {
    return Status::unavailable("Flink's SQL gateway at " + url_ + " answered " +
                               std::to_string(response.status) + " to " + path);
  }
  refusal_ = flink_refusal(trace);
  return Status::invalid("Flink: " + refusal_.words);
}

Status FlinkGateway::open() {
  const auto info = request("GET", "/v1/info");
  if (!info.ok() && info.status().code() != Code::invalid) return info.status();
  const json product = parsed(info.ok() ? *info : "");
  if (!product.is_object() || !product.contains("productName")) {
    return Status::unavailable("what answers at " + url_ +
                               " is no SQL gateway of Flink: is this the JobManager's address? The gateway's "
                               "port is 8083 unless set");
  }
  WEIR_ASSIGN(const std::string answer, request("POST", "/v1/sessions", R"({"properties":{}})"));
  const json opened = parsed(answer);
  if (!opened.is_object() || !opened.contains("sessionHandle")) {
    return Status::unavailable("Flink's SQL gateway at " + url_ + " opened no session");
  }
  session_ = text_of(opened["sessionHandle"]);
  return {};
}

Result<std::vector<FlinkRow>> FlinkGateway::execute(const std::string& statement, milliseconds timeout) {
  refusal_ = {};
  const std::string session = "/v1/sessions/" + session_;
  WEIR_ASSIGN(const std::string answer,
              request("POST", session + "/statements", json{{"statement", statement}}.dump()));
  const json started = parsed(answer);
  if (!started.is_object() || !started.contains("operationHandle")) {
    return Status::unavailable("Flink's SQL gateway at " + url_ + " started no operation");
  }
  std::string page =
      session + "/operations/" + text_of(started["operationHandle"]) + "/result/0?rowFormat=JSON";
  const int64_t deadline_ns = clock_.monotonic_ns() + std::chrono::nanoseconds(timeout).count();
  std::vector<FlinkRow> rows;
  while (true) {
    WEIR_ASSIGN(const std::string body, request("GET", page));
    const json result = parsed(body);
    if (!result.is_object() || !result.contains("resultType")) {
      return Status::unavailable("Flink's SQL gateway at " + url_ + " gave no result");
    }
    std::vector<FlinkRow> found = rows_of(result);
    const bool empty = found.empty();
    std::move(found.begin(), found.end(), std::back_inserter(rows));
    if (text_of(result["resultType"]) == "EOS" || !result.contains("nextResultUri")) return rows;
    page = text_of(result["nextResultUri"]);
    if (!empty) continue;
    if (clock_.monotonic_ns() > deadline_ns) {
      return Status::unavailable("Flink did not finish a statement within " +
                                 std::to_string(timeout.count() / 1000) + " s; it may still do so");
    }
    clock_.sleep(kPoll);
  }
}

Result<std::vector<FlinkJob>> FlinkGateway::jobs() {
  WEIR_ASSIGN(const std::vector<FlinkRow> rows, execute("SHOW JOBS", kShort));
  std::vector<FlinkJob> jobs;
  for (const FlinkRow& row : rows) {
    if (row.size() >= 4) jobs.push_back({row[0], row[1], row[2], row[3]});
  }
  std::sort(jobs.begin(), jobs.end(),
            [](const FlinkJob& a, const FlinkJob& b) { return a.started > b.started; });
  return jobs;
}

Result<std::string> FlinkGateway::stop(const std::string& job, const std::string& folder) {
  if (!folder.empty()) {
    WEIR_TRY(execute("SET 'execution.checkpointing.savepoint-dir' = " + quoted(folder), kShort).status());
  }
  WEIR_ASSIGN(const std::vector<FlinkRow> rows,
              execute("STOP JOB " + quoted(job) + " WITH SAVEPOINT", kSavepoint));
  if (rows.empty() || rows[0].empty()) return Status::internal("Flink named no savepoint of job " + job);
  return rows[0][0];
}

}  // namespace weir
