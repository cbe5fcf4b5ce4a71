// Lines of a file -> requests to the edge, each stored once: what `weir send` does.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <istream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "clients/http_client.h"

namespace weir {

struct SendSettings {
  std::string file;  // for messages
  std::string url;   // of the server: "http://127.0.0.1:7080"
  std::string stream;
  std::string token;  // secret
  std::string content_type = "application/x-ndjson";
  size_t batch_events = 100;
  size_t batch_bytes = 512 << 10;
  std::string key_prefix;  // request n goes out under "<prefix>-<n>", so that a second run repeats the first
  std::chrono::milliseconds patience{300'000};  // how long one request is tried
  std::function<void(const std::string&)> log;  // why a request is tried again
};

struct SendCounts {
  int64_t events = 0;
  int64_t requests = 0;
  int64_t repeated = 0;  // events of requests that the server had stored before
  int64_t retries = 0;
  int64_t unrouted = 0;
};

class EventSender {
 public:
  // `client` and `clock` outlive it.
  EventSender(SendSettings settings, HttpClient& client, const Clock& clock)
      : settings_(std::move(settings)), client_(client), clock_(clock) {}

  // Every line that is not blank is an event. `progress` is called after each request. invalid names the line
  // in the file that the server refuses; unavailable, denied, not_found: the server; nothing behind that line
  // was sent.
  Status send(std::istream& lines, const std::function<void(const SendCounts&)>& progress);

  const SendCounts& counts() const { return counts_; }
  // "log:orders/0 0..99, nats:ORDERS/0 7..7": the first and the last position in each partition.
  std::string positions() const;

 private:
  struct Batch {
    std::string body;
    std::vector<int64_t> lines;  // number of each event's line in the file
  };

  bool add(Batch& batch, const std::string& line, int64_t number) const;
  Status send_batch(Batch& batch);
  Status stored(const Batch& batch, const HttpResponse& answer);
  Status refused(const Batch& batch, const HttpResponse& answer) const;

  const SendSettings settings_;
  HttpClient& client_;
  const Clock& clock_;
  SendCounts counts_;
  std::map<std::pair<std::string, int64_t>, std::pair<int64_t, int64_t>> positions_;
};

}  // namespace weir
