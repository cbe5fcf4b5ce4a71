// Flink's SQL gateway, by its REST API v1.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "clients/http_client.h"

namespace weir {

// What Flink said of a statement that it refused.
struct FlinkRefusal {
  std::string words;         // of its own, without the Java around them
  int line = 0, column = 0;  // within the statement, from 1; 0: not told
};

// The cause of a Java stack trace that says most to whoever wrote the statement.
FlinkRefusal flink_refusal(const std::string& trace);

using FlinkRow = std::vector<std::string>;  // fields as text; null is ""

struct FlinkJob {
  std::string id, name, status, started;
  bool ended() const;  // FINISHED, FAILED or CANCELED
};

// One session. Not safe for two threads at once. `client` and `clock` must outlive it.
class FlinkGateway {
 public:
  FlinkGateway(HttpClient& client, std::string url, const Clock& clock)
      : client_(client), url_(std::move(url)), clock_(clock) {}
  ~FlinkGateway();

  // unavailable: nothing that speaks like a gateway answers there.
  Status open();
  // Runs one statement to its end and gives its rows; an INSERT ends when its job is submitted. A statement
  // that Flink refuses is invalid, and refusal() has its words.
  Result<std::vector<FlinkRow>> execute(const std::string& statement, std::chrono::milliseconds timeout);
  const FlinkRefusal& refusal() const { return refusal_; }

  // Newest first.
  Result<std::vector<FlinkJob>> jobs();
  // Ends the job with a savepoint below `folder` ("": where the cluster keeps them); gives the savepoint's
  // path.
  Result<std::string> stop(const std::string& job, const std::string& folder);

 private:
  // `path` below the URL; the JSON text of an answer with status 200.
  Result<std::string> request(const char* method, const std::string& path, const std::string& body = {});

  HttpClient& client_;
  const std::string url_;
  const Clock& clock_;
  std::string session_;
  FlinkRefusal refusal_;
};

}  // namespace weir
