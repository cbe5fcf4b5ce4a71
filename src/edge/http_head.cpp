#include "edge/http_head.h"

#include <array>
#include <cstdint>
#include <cstdio>

#include "formats/json_text.h"

namespace weir {
namespace {

// False: a '%' without two hex digits.
bool percent_decoded(std::string_view text, bool plus_is_space, std::string& out) {
  out.clear();
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (i + 2 >= text.size()) return false;
      int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return false;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += plus_is_space && text[i] == '+' ? ' ' : text[i];
    }
  }
  return true;
}

bool has_encoded_slash(std::string_view path) {
  for (size_t at = path.find('%'); at != std::string_view::npos; at = path.find('%', at + 1)) {
    std::string_view code = path.substr(at + 1, 2);
    if (code == "2f" || code == "2F") return true;
  }
  return false;
}

Status parse_query(std::string_view query, HttpHead& head) {
  while (!query.empty()) {
    size_t end = query.find('&');
    std::string_view pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    if (pair.empty()) continue;
    size_t equals = pair.find('=');
    std::pair<std::string, std::string> decoded;
    std::string_view value = equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    if (!percent_decoded(pair.substr(0, equals), true, decoded.first) ||
        !percent_decoded(value, true, decoded.second)) {
      return Status::invalid("a '%' in the query is not followed by two hex digits");
    }
    head.query.push_back(std::move(decoded));
  }
  return {};
}

void append_header(std::string& out, std::string_view name, std::string_view value) {
  out.append(name);
  out += ": ";
  for (char c : value) out += c == '\r' || c == '\n' || c == '\0' ? ' ' : c;
  out += "\r\n";
}

}  // namespace

std::string_view HttpHead::header(std::string_view lower_case_name) const {
  for (const auto& [name, value] : headers) {
    if (name == lower_case_name) return value;
  }
  return {};
}

const std::string* HttpHead::parameter(std::string_view name) const {
  for (const auto& entry : query) {
    if (entry.first == name) return &entry.second;
  }
  return nullptr;
}

Status parse_target(std::string_view target, HttpHead& head) {
  size_t question = target.find('?');
  std::string_view path = target.substr(0, question);
  if (path.empty() || path.front() != '/') return Status::invalid("the path must begin with '/'");
  if (has_encoded_slash(path)) return Status::invalid("the path holds an encoded slash");
  if (!percent_decoded(path, false, head.path)) {
    return Status::invalid("a '%' in the path is not followed by two hex digits");
  }
  if (head.path.find("..") != std::string::npos) return Status::invalid("the path holds '..'");
  for (char c : head.path) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F || c == '\\') {
      return Status::invalid("the path holds a control character or a backslash");
    }
  }
  if (question == std::string_view::npos) return {};
  return parse_query(target.substr(question + 1), head);
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 411: return "Length Required";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "Status";
  }
}

std::string serialize_answer(const HttpAnswer& answer, std::string_view date, bool keep_alive,
                             bool head_only) {
  const bool bodiless = answer.status == 204 || answer.status == 304;
  std::string out;
  out.reserve(256 + (head_only ? 0 : answer.body.size()));
  out += "HTTP/1.1 ";
  out += std::to_string(answer.status);
  out += ' ';
  out += reason_phrase(answer.status);
  out += "\r\nDate: ";
  out += date;
  out += "\r\n";
  if (!bodiless) {
    append_header(out, "Content-Type", answer.content_type);
    append_header(out, "Content-Length", std::to_string(answer.body.size()));
  }
  for (const auto& [name, value] : answer.headers) append_header(out, name, value);
  if (!keep_alive) out += "Connection: close\r\n";
  out += "\r\n";
  if (!bodiless && !head_only) out += answer.body;
  return out;
}

std::string http_date(int64_t seconds_since_1970) {
  static constexpr std::array<const char*, 7> kDays{"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
  static constexpr std::array<const char*, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  int64_t days = seconds_since_1970 / 86400, of_day = seconds_since_1970 % 86400;
  // Howard Hinnant's civil_from_days, for days since 1970.
  int64_t shifted = days + 719468, era = shifted / 146097, of_era = shifted % 146097;
  int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int64_t month_index = (5 * of_year + 2) / 153;
  int64_t day = of_year - (153 * month_index + 2) / 5 + 1;
  int64_t month = month_index < 10 ? month_index + 3 : month_index - 9;
  int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  char text[64];
  std::snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", kDays[days % 7],
                static_cast<int>(day), kMonths[month - 1], static_cast<int>(year),
                static_cast<int>(of_day / 3600), static_cast<int>(of_day / 60 % 60),
                static_cast<int>(of_day % 60));
  return text;
}

HttpAnswer problem(int status, std::string_view title, std::string_view detail, std::string_view extra) {
  HttpAnswer answer;
  answer.status = status;
  answer.content_type = "application/problem+json";
  answer.body = "{\"type\":\"about:blank\",\"title\":" + json_quoted(title) +
                ",\"status\":" + std::to_string(status) + ",\"detail\":" + json_quoted(detail);
  if (!extra.empty()) {
    answer.body += ',';
    answer.body += extra;
  }
  answer.body += "}\n";
  return answer;
}

HttpAnswer method_not_allowed(std::string_view allowed) {
  HttpAnswer answer =
      problem(405, "Method not allowed", "here only " + std::string(allowed) + " is answered");
  answer.headers.emplace_back("Allow", allowed);
  return answer;
}

}  // namespace weir
