#include "clients/http_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <mutex>

namespace weir {
namespace {

// curl_global_init is not safe beside other threads of the same library.
void initialize_once() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

// The body's pieces as one stream, so that a block and its trailing columns need not be copied together.
struct BodyReader {
  const std::vector<std::string_view>* pieces;
  size_t piece = 0;
  size_t at = 0;

  size_t read(char* to, size_t room) {
    size_t written = 0;
    while (written < room && piece < pieces->size()) {
      std::string_view rest = (*pieces)[piece].substr(at);
      if (rest.empty()) {
        ++piece;
        at = 0;
        continue;
      }
      size_t count = std::min(rest.size(), room - written);
      std::memcpy(to + written, rest.data(), count);
      written += count;
      at += count;
    }
    return written;
  }

  bool seek(curl_off_t offset) {
    piece = at = 0;
    auto left = static_cast<size_t>(offset);
    while (left > 0) {
      if (piece >= pieces->size()) return false;
      size_t step = std::min(left, (*pieces)[piece].size());
      at = step;
      left -= step;
      if (left > 0) {
        ++piece;
        at = 0;
      }
    }
    return true;
  }
};

struct AnswerWriter {
  HttpResponse* response;
  int64_t max_bytes;
  bool too_large = false;
};

size_t read_body(char* to, size_t size, size_t count, void* reader) {
  return static_cast<BodyReader*>(reader)->read(to, size * count);
}

int seek_body(void* reader, curl_off_t offset, int origin) {
  if (origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
  return static_cast<BodyReader*>(reader)->seek(offset) ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

size_t write_answer(char* from, size_t size, size_t count, void* to) {
  auto& writer = *static_cast<AnswerWriter*>(to);
  size_t bytes = size * count;
  if (static_cast<int64_t>(writer.response->body.size() + bytes) > writer.max_bytes) {
    writer.too_large = true;
    return 0;
  }
  writer.response->body.append(from, bytes);
  return bytes;
}

size_t write_header(char* from, size_t size, size_t count, void* to) {
  auto& response = *static_cast<HttpResponse*>(to);
  std::string_view line(from, size * count);
  // A new status line (after 100 Continue, or of a proxy) starts the headers anew.
  if (line.starts_with("HTTP/")) response.headers.clear();
  size_t colon = line.find(':');
  if (colon != std::string_view::npos) {
    std::string name(line.substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && std::isspace(static_cast<unsigned char>(value.front()))) value.remove_prefix(1);
    while (!value.empty() && std::isspace(static_cast<unsigned char>(value.back()))) value.remove_suffix(1);
    response.headers[name] = value;
  }
  return size * count;
}

Status failure(CURLcode code, const char* words) {
  std::string message = words[0] != '\0' ? words : curl_easy_strerror(code);
  switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM: return Status::invalid(message);
    case CURLE_PEER_FAILED_VERIFICATION: return {Code::denied, "TLS: " + message};
    case CURLE_OUT_OF_MEMORY: return {Code::exhausted, message};
    default: return Status::unavailable(message);
  }
}

class CurlClient final : public HttpClient {
 public:
  CurlClient(CURL* handle, const HttpSettings& settings) : handle_(handle), settings_(settings) {}
  ~CurlClient() override { curl_easy_cleanup(handle_); }

  Result<HttpResponse> send(const HttpRequest& request) override {
    HttpResponse response;
    AnswerWriter writer{&response, settings_.max_answer_bytes};
    BodyReader reader{&request.body};
    char words[CURL_ERROR_SIZE] = "";
    curl_easy_reset(handle_);  // keeps connections
    set_up(request, response, writer, reader, words);
    curl_slist* headers = nullptr;
    // No "Expect: 100-continue": it costs a round trip for each request.
    headers = curl_slist_append(headers, "Expect:");
    for (const auto& [name, value] : request.headers) {
      // "Name;" is libcurl's spelling of a header without a value.
      headers = curl_slist_append(headers, (value.empty() ? name + ";" : name + ": " + value).c_str());
    }
    curl_easy_setopt(handle_, CURLOPT_HTTPHEADER, headers);
    CURLcode code = curl_easy_perform(handle_);
    curl_slist_free_all(headers);
    if (writer.too_large) {
      return Status::invalid("the answer is larger than " + std::to_string(settings_.max_answer_bytes) +
                             " bytes");
    }
    if (code != CURLE_OK) return failure(code, words);
    long status = 0;
    curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
    response.status = static_cast<int>(status);
    return response;
  }

 private:
  void set_up(const HttpRequest& request, HttpResponse& response, AnswerWriter& writer, BodyReader& reader,
              char* words) {
    auto set = [&](CURLoption name, auto value) { curl_easy_setopt(handle_, name, value); };
    set(CURLOPT_ERRORBUFFER, words);
    set(CURLOPT_URL, request.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_TCP_KEEPALIVE, 1L);
    set(CURLOPT_TCP_NODELAY, 1L);
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(CURLOPT_BUFFERSIZE, 256L * 1024);
    set(CURLOPT_UPLOAD_BUFFERSIZE, 512L * 1024);
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(settings_.connect_timeout.count()));
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(settings_.request_timeout.count()));
    set(CURLOPT_SSL_VERIFYPEER, settings_.verify ? 1L : 0L);
    set(CURLOPT_SSL_VERIFYHOST, settings_.verify ? 2L : 0L);
    if (!settings_.ca_file.empty()) set(CURLOPT_CAINFO, settings_.ca_file.c_str());
    if (!settings_.cert_file.empty()) set(CURLOPT_SSLCERT, settings_.cert_file.c_str());
    if (!settings_.key_file.empty()) set(CURLOPT_SSLKEY, settings_.key_file.c_str());
    if (request.method == "POST") {
      curl_off_t bytes = 0;
      for (std::string_view piece : request.body) bytes += static_cast<curl_off_t>(piece.size());
      set(CURLOPT_POST, 1L);
      set(CURLOPT_POSTFIELDSIZE_LARGE, bytes);
      set(CURLOPT_READFUNCTION, &read_body);
      set(CURLOPT_READDATA, static_cast<void*>(&reader));
      set(CURLOPT_SEEKFUNCTION, &seek_body);
      set(CURLOPT_SEEKDATA, static_cast<void*>(&reader));
    } else if (request.method != "GET") {
      set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }
    set(CURLOPT_WRITEFUNCTION, &write_answer);
    set(CURLOPT_WRITEDATA, static_cast<void*>(&writer));
    set(CURLOPT_HEADERFUNCTION, &write_header);
    set(CURLOPT_HEADERDATA, static_cast<void*>(&response));
  }

  CURL* handle_;
  HttpSettings settings_;
};

}  // namespace

Result<std::unique_ptr<HttpClient>> open_http_client(const HttpSettings& settings) {
  initialize_once();
  CURL* handle = curl_easy_init();
  if (handle == nullptr) return Status::internal("libcurl gave no handle");
  return std::unique_ptr<HttpClient>(std::make_unique<CurlClient>(handle, settings));
}

std::string url_encoded(std::string_view text) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string result;
  result.reserve(text.size() + text.size() / 2);
  for (unsigned char c : text) {
    if (std::isalnum(c) || c == '-' || c == '_' || c == '.' || c == '~') {
      result += static_cast<char>(c);
    } else {
      result += {'%', kDigits[c >> 4], kDigits[c & 15]};
    }
  }
  return result;
}

}  // namespace weir
