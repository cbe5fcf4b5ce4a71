// weir send
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>

#include "base/clock.h"
#include "base/environment.h"
#include "base/objects.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/event_sender.h"
#include "config/references.h"

namespace weir {
namespace {

struct Arguments {
  SendSettings send;
  HttpSettings http;
  std::string token_file;
  std::string patience = "5 min";
  std::string progress = "auto";
};

// stderr: one line that is drawn anew on a terminal, else a line every 2 s.
class Progress {
 public:
  explicit Progress(const std::string& mode)
      : live_(mode == "auto" && isatty(STDERR_FILENO) == 1), silent_(mode == "none") {}
  ~Progress() { clear(); }

  void show(const SendCounts& counts, int64_t now_ns) {
    const int64_t period_ns = live_ ? 250'000'000 : 2'000'000'000;
    if (last_ns_ == 0) first_ns_ = last_ns_ = now_ns;
    if (silent_ || now_ns - last_ns_ < period_ns) return;
    last_ns_ = now_ns;
    const auto rate = static_cast<long long>(static_cast<double>(counts.events) * 1e9 /
                                             static_cast<double>(now_ns - first_ns_));
    std::fprintf(stderr, "%ssend: events=%lld (%lld/s) requests=%lld retries=%lld%s", live_ ? "\r\033[K" : "",
                 static_cast<long long>(counts.events), rate, static_cast<long long>(counts.requests),
                 static_cast<long long>(counts.retries), live_ ? "" : "\n");
    std::fflush(stderr);
    drawn_ = live_;
  }

  void log(const std::string& line) {
    clear();
    if (!silent_) std::fprintf(stderr, "%s\n", line.c_str());
  }

 private:
  void clear() {
    if (drawn_) std::fputs("\r\033[K", stderr);
    drawn_ = false;
  }

  const bool live_;
  const bool silent_;
  bool drawn_ = false;
  int64_t first_ns_ = 0;
  int64_t last_ns_ = 0;
};

// --token takes references, so that no secret needs to stand in a command line.
Status read_token(Arguments& arguments) {
  std::string& token = arguments.send.token;
  if (!arguments.token_file.empty()) {
    auto text = read_file(arguments.token_file);
    if (!text.ok()) return Status::invalid("--token-file: " + text.status().message());
    token = *text;
    while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
  } else if (!token.empty()) {
    OptionValue value{token, {"--token", 1, 1}, {}};
    Diagnostics diagnostics;
    replace_references(value, ".", diagnostics);
    WEIR_TRY(diagnostics.status());
    token = value.text;
  }
  for (const char c : token) {
    if (static_cast<unsigned char>(c) <= ' ')
      return Status::invalid("the token holds a blank or control byte");
  }
  return {};
}

int send(Arguments arguments) {
  std::signal(SIGPIPE, SIG_IGN);
  if (Status read = read_token(arguments); !read.ok()) return report(read);
  auto patience = parse_duration(arguments.patience);
  if (!patience.ok()) return report(patience.status().with_context("--retry-for"));
  SendSettings& settings = arguments.send;
  settings.patience = *patience;
  while (!settings.url.empty() && settings.url.back() == '/') settings.url.pop_back();
  if (settings.key_prefix.empty()) settings.key_prefix = random_hex_id();
  if (settings.key_prefix.size() > 180)
    return report(Status::invalid("--key-prefix: at most 180 characters"));

  std::ifstream file;
  const bool standard_input = settings.file == "-";
  if (!standard_input) {
    file.open(settings.file, std::ios::binary);
    if (!file) return report(Status::invalid(settings.file + ": cannot be opened for reading"));
  }
  auto client = open_http_client(arguments.http);
  if (!client.ok()) return report(client.status());

  const Clock& clock = Clock::real();
  Status status;
  {
    Progress progress(arguments.progress);
    settings.log = [&](const std::string& line) { progress.log(line); };
    EventSender sender(settings, **client, clock);
    progress.show(sender.counts(), clock.monotonic_ns());
    status = sender.send(standard_input ? std::cin : file,
                         [&](const SendCounts& counts) { progress.show(counts, clock.monotonic_ns()); });
    progress.log("");
    const SendCounts& counts = sender.counts();
    const std::string places = sender.positions();
    std::printf("sent events=%lld requests=%lld repeated=%lld unrouted=%lld retries=%lld%s%s\n",
                static_cast<long long>(counts.events), static_cast<long long>(counts.requests),
                static_cast<long long>(counts.repeated), static_cast<long long>(counts.unrouted),
                static_cast<long long>(counts.retries), places.empty() ? "" : " positions: ", places.c_str());
  }
  return report(status);
}

}  // namespace

void add_send_command(CLI::App& app, const Registry&, int& exit) {
  auto arguments = std::make_shared<Arguments>();
  SendSettings& settings = arguments->send;
  settings.file = "-";
  settings.url = "http://127.0.0.1:7080";
  CLI::App* command = app.add_subcommand("send", "send events to `weir serve`, a line each, nothing twice");
  command->footer(
      "Examples:\n  weir send orders.ndjson --stream orders\n"
      "  tail -f app.log | weir send --stream logs --batch 1 --token '${env:WEIR_TOKEN}'\n"
      "  weir send big.ndjson --stream orders --key-prefix load-7   started again, it stores nothing twice");
  command->add_option("FILE", settings.file, "one event a line; '-' is standard input")
      ->capture_default_str();
  command->add_option("--url", settings.url, "where `weir serve` listens")->capture_default_str();
  command->add_option("--stream", settings.stream, "the stream that takes the events")->required();
  auto* token =
      command->add_option("--token", settings.token, "bearer token; ${env:X} and ${file:P} are read");
  command->add_option("--token-file", arguments->token_file, "a file that holds the bearer token")
      ->excludes(token);
  command
      ->add_option("--content-type", settings.content_type,
                   "of a request; application/cloudevents-batch+json also takes many lines, others one")
      ->capture_default_str();
  command->add_option("--batch", settings.batch_events, "events in a request, at most")
      ->capture_default_str()
      ->check(CLI::Range(1, 10'000));
  command->add_option("--batch-bytes", settings.batch_bytes, "bytes in a request, at most")
      ->capture_default_str();
  command->add_option("--key-prefix", settings.key_prefix,
                      "Idempotency-Keys are PREFIX-1, PREFIX-2, …: the same again repeats safely for 24 h");
  command->add_option("--retry-for", arguments->patience, "how long one request is tried")
      ->capture_default_str();
  command->add_option("--tls-ca", arguments->http.ca_file, "file of certificates that are trusted")
      ->type_name("FILE");
  command->add_option("--progress", arguments->progress, "auto, lines or none")
      ->check(CLI::IsMember({"auto", "lines", "none"}));
  command->callback([arguments, &exit] { exit = send(*arguments); });
}

}  // namespace weir
