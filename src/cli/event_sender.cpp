#include "cli/event_sender.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

namespace weir {
namespace {

using Json = nlohmann::json;
using std::chrono::milliseconds;

constexpr milliseconds kFirstPause{100};
constexpr milliseconds kLongestPause{5'000};
constexpr const char* kLines = "application/x-ndjson";
constexpr const char* kCloudEvents = "application/cloudevents-batch+json";

bool may_pass(int status) {
  switch (status) {
    case 408:
    case 425:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504: return true;
    default: return false;
  }
}

bool is_blank(const std::string& line) { return line.find_first_not_of(" \t\r") == std::string::npos; }

// The words of a problem (RFC 9457), or of whatever else came.
std::string words_of(const HttpResponse& answer) {
  const Json problem = Json::parse(answer.body, nullptr, false);
  std::string words = "HTTP " + std::to_string(answer.status);
  if (!problem.is_object()) return words;
  for (const char* name : {"title", "detail"}) {
    const auto found = problem.find(name);
    if (found != problem.end() && found->is_string()) words += ": " + found->get<std::string>();
  }
  return words;
}

int64_t number_in(const Json& object, const char* name, int64_t absent) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number_integer() ? found->get<int64_t>() : absent;
}

bool flag_in(const Json& object, const char* name, bool absent) {
  const auto found = object.find(name);
  return found != object.end() && found->is_boolean() ? found->get<bool>() : absent;
}

// What the server asks for, or twice the last pause.
milliseconds next_pause(const HttpResponse* answer, milliseconds pause) {
  if (answer != nullptr) {
    const auto header = answer->headers.find("retry-after");
    int seconds = 0;
    if (header != answer->headers.end() &&
        std::from_chars(header->second.data(), header->second.data() + header->second.size(), seconds).ec ==
            std::errc() &&
        seconds > 0 && seconds < 3600) {
      return std::chrono::seconds(seconds);
    }
  }
  return std::min(pause, kLongestPause);
}

}  // namespace

// False: the batch is full, and the line belongs into the next one.
bool EventSender::add(Batch& batch, const std::string& line, int64_t number) const {
  const bool many = settings_.content_type == kLines || settings_.content_type == kCloudEvents;
  const size_t most = many ? settings_.batch_events : 1;
  if (!batch.lines.empty() &&
      (batch.lines.size() >= most || batch.body.size() + line.size() + 2 > settings_.batch_bytes)) {
    return false;
  }
  if (settings_.content_type == kCloudEvents) {
    // A line of the array is a line of the file, so that a problem's line number can be found again.
    batch.body += batch.lines.empty() ? "[" : ",\n";
    batch.body += line;
  } else {
    batch.body += line;
    if (many) batch.body += '\n';
  }
  batch.lines.push_back(number);
  return true;
}

Status EventSender::send(std::istream& lines, const std::function<void(const SendCounts&)>& progress) {
  Batch batch;
  std::string line;
  auto flush = [&]() -> Status {
    if (batch.lines.empty()) return {};
    WEIR_TRY(send_batch(batch));
    batch = {};
    if (progress) progress(counts_);
    return {};
  };
  for (int64_t number = 1; std::getline(lines, line); ++number) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (is_blank(line)) continue;
    if (!add(batch, line, number)) {
      WEIR_TRY(flush());
      add(batch, line, number);
    }
  }
  if (lines.bad()) return {Code::unavailable, settings_.file + ": reading failed"};
  return flush();
}

Status EventSender::send_batch(Batch& batch) {
  if (settings_.content_type == kCloudEvents) batch.body += "]";
  HttpRequest request;
  request.method = "POST";
  request.url = settings_.url + "/v1/events/" + url_encoded(settings_.stream);
  request.headers = {{"Content-Type", settings_.content_type},
                     {"Idempotency-Key", settings_.key_prefix + "-" + std::to_string(++counts_.requests)}};
  if (!settings_.token.empty()) request.headers.emplace_back("Authorization", "Bearer " + settings_.token);
  request.body = {batch.body};
  const int64_t give_up_ns = clock_.monotonic_ns() + std::chrono::nanoseconds(settings_.patience).count();
  milliseconds pause = kFirstPause;
  std::string said;
  while (true) {
    Result<HttpResponse> answer = client_.send(request);
    if (answer.ok() && answer->status / 100 == 2) return stored(batch, *answer);
    if (answer.ok() && !may_pass(answer->status)) return refused(batch, *answer);
    if (!answer.ok() && answer.status().code() != Code::unavailable) return answer.status();
    const std::string words = answer.ok() ? words_of(*answer) : answer.status().message();
    const milliseconds wait = next_pause(answer.ok() ? &*answer : nullptr, pause);
    if (clock_.monotonic_ns() + std::chrono::nanoseconds(wait).count() > give_up_ns) {
      return {Code::unavailable, settings_.file + ":" + std::to_string(batch.lines.front()) +
                                     ": not stored from here on, or not known to be: " + words +
                                     ". Sent again with --key-prefix " + settings_.key_prefix +
                                     ", nothing is stored twice"};
    }
    if (settings_.log && words != said) settings_.log("trying again: " + words);
    said = words;
    ++counts_.retries;
    clock_.sleep(wait);
    pause = std::min(pause * 2, kLongestPause);
  }
}

Status EventSender::stored(const Batch& batch, const HttpResponse& answer) {
  counts_.events += static_cast<int64_t>(batch.lines.size());
  const Json body = Json::parse(answer.body, nullptr, false);
  if (!body.is_object() || !body.contains("positions") || !body["positions"].is_array()) {
    return {Code::unavailable, settings_.url + ": this is no `weir serve`: it answers HTTP " +
                                   std::to_string(answer.status) + " without positions"};
  }
  for (const Json& position : body["positions"]) {
    if (!position.is_object()) continue;
    const auto target = position.find("target");
    const int64_t first = number_in(position, "first", -1);
    const int64_t last = number_in(position, "last", -1);
    if (target == position.end() || !target->is_string() || first < 0 || last < first) continue;
    const std::pair place{target->get<std::string>(), number_in(position, "partition", 0)};
    auto [entry, fresh] = positions_.try_emplace(place, first, last);
    entry->second.first = std::min(entry->second.first, first);
    entry->second.second = std::max(entry->second.second, last);
  }
  if (flag_in(body, "repeated", false)) counts_.repeated += static_cast<int64_t>(batch.lines.size());
  counts_.unrouted += number_in(body, "unrouted", 0);
  return {};
}

Status EventSender::refused(const Batch& batch, const HttpResponse& answer) const {
  const Json problem = Json::parse(answer.body, nullptr, false);
  int64_t line = problem.is_object() ? number_in(problem, "line", 0) : 0;
  const bool named = line >= 1 && line <= static_cast<int64_t>(batch.lines.size());
  const std::string place = settings_.file + ":" + std::to_string(batch.lines[named ? line - 1 : 0]);
  std::string reason = words_of(answer);
  if (named && problem.contains("reason") && problem["reason"].is_string()) {
    // The server's own line number is the batch's.
    reason = problem["reason"].get<std::string>();
    if (const int64_t byte = number_in(problem, "byte", 0); byte > 0) {
      return {Code::invalid, place + ":" + std::to_string(byte) + ": " + reason};
    }
  }
  switch (answer.status) {
    case 401:
    case 403: return {Code::denied, settings_.url + ": " + reason + ". Check --token"};
    case 404: return {Code::not_found, settings_.url + ": " + reason};
    case 409:
    case 422:
      return Status::invalid(place + ": " + reason +
                             ". Was this --key-prefix used for another file or --batch?");
    case 413:
      return Status::invalid(place + ": " + reason +
                             (batch.lines.size() > 1 ? ". Send fewer at once with --batch" : ""));
    default: return Status::invalid(place + ": " + reason);
  }
}

std::string EventSender::positions() const {
  std::string text;
  for (const auto& [place, range] : positions_) {
    text += (text.empty() ? "" : ", ") + place.first + "/" + std::to_string(place.second) + " " +
            std::to_string(range.first) + ".." + std::to_string(range.second);
  }
  return text;
}

}  // namespace weir
