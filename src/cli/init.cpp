// weir init
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>

#include "base/text.h"
#include "cli/command.h"
#include "cli/sample_csv.h"
#include "cli/sample_pipeline.h"
#include "cli/sample_source.h"
#include "config/references.h"
#include "formats/protobuf/frame_header.h"
#include "formats/registry_frame.h"

namespace weir {
namespace {

namespace fs = std::filesystem;

struct InitArguments {
  std::string nats, stream, subject;
  std::string kafka, topic;
  std::string http, data;
  std::string file;
  std::string format, registry_url;
  std::string out, to, name;
  int64_t samples = 1000;
  int64_t wait_s = 10;
  std::vector<std::string> options;
  bool force = false;
};

constexpr int64_t kMostSamples = 100'000;

// What a sample is taken of, and what the file will say about it.
struct Origin {
  std::string connector;
  std::string place;  // for comments and messages, without secrets
  std::string name;
  std::vector<InitOption> options;
  std::vector<std::string> variables;  // of the environment, which the file refers to
};

Result<Origin> origin_of(const InitArguments& arguments) {
  const int given = int(!arguments.nats.empty()) + int(!arguments.kafka.empty()) +
                    int(!arguments.http.empty()) + int(!arguments.file.empty());
  if (given != 1) return Status::invalid("give one of --nats, --kafka, --http and --file");
  Origin origin;
  if (!arguments.nats.empty()) {
    if (arguments.stream.empty()) return Status::invalid("--nats needs --stream");
    UrlSecrets url = split_url_secrets(arguments.nats, "NATS", "username", "password", "token");
    origin = {"nats", "stream '" + arguments.stream + "' at " + url.url, arguments.stream, {}, url.variables};
    origin.options = {plain_option("url", url.url), plain_option("stream", arguments.stream)};
    if (!arguments.subject.empty()) origin.options.push_back(plain_option("subject", arguments.subject));
    origin.options.insert(origin.options.end(), url.options.begin(), url.options.end());
  } else if (!arguments.kafka.empty()) {
    if (arguments.topic.empty()) return Status::invalid("--kafka needs --topic");
    origin = {"kafka", "topic '" + arguments.topic + "' at " + arguments.kafka, arguments.topic, {}, {}};
    origin.options = {plain_option("topic", arguments.topic),
                      plain_option("properties.bootstrap.servers", arguments.kafka)};
  } else if (!arguments.http.empty()) {
    origin = {"http", "stream '" + arguments.http + "' of weir serve", arguments.http, {}, {}};
    origin.options = {plain_option("stream", arguments.http)};
    if (!arguments.data.empty()) {
      origin.options.push_back(plain_option("path", (fs::path(arguments.data) / "log").string()));
    }
  } else {
    fs::path stem = fs::path(arguments.file).filename();
    if (stem.empty()) stem = fs::path(arguments.file).parent_path().filename();
    while (stem.has_extension()) stem = stem.stem();
    origin = {"file", arguments.file, stem.string(), {}, {}};
    origin.options = {plain_option("path", arguments.file)};
  }
  return origin;
}

// --option name=value. Secrets only as ${env:X} or ${file:P}: what is written inline stays in the file.
Status add_options(const InitArguments& arguments, const SourceConnector& connector, Origin& origin) {
  for (const std::string& given : arguments.options) {
    const size_t equals = given.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Status::invalid("--option '" + given.substr(0, equals) + "': write name=value");
    }
    const std::string name = given.substr(0, equals);
    const std::string text = given.substr(equals + 1);
    const bool reference =
        text.find("${env:") != std::string::npos || text.find("${file:") != std::string::npos;
    bool secret = name.starts_with("properties.") &&
                  (name.find("password") != std::string::npos || name.find("jaas") != std::string::npos);
    for (const OptionSpec& spec : connector.options) secret = secret || (spec.secret && spec.name == name);
    if (secret && !reference) {
      return Status::invalid("--option " + name +
                             ": write a secret as ${env:NAME} or ${file:PATH}, in single " +
                             "quotes for the shell: it goes into the file like that");
    }
    OptionValue value{text, {}, {}};
    Diagnostics diagnostics;
    replace_references(value, ".", diagnostics);
    if (diagnostics.has_errors()) {
      return Status::invalid("--option " + name + ": " + diagnostics.entries().front().message);
    }
    std::erase_if(origin.options, [&](const InitOption& option) { return option.name == name; });
    origin.options.push_back({name, text, value.text});
  }
  return {};
}

std::string_view payload_of(const Sample& sample, size_t batch, size_t event) {
  return sample.batches[batch].payload(event);
}

template <typename Each>
void for_each_payload(const Sample& sample, Each each) {
  for (size_t batch = 0; batch < sample.batches.size(); ++batch) {
    for (size_t event = 0; event < sample.batches[batch].events.size(); ++event) {
      each(payload_of(sample, batch, event), sample.batches[batch].events[event].offset);
    }
  }
}

// Most events begin with Confluent's frame.
bool is_framed(const Sample& sample) {
  int64_t framed = 0;
  for_each_payload(sample,
                   [&](std::string_view payload, int64_t) { framed += has_registry_frame(payload) ? 1 : 0; });
  return framed * 2 > sample.events;
}

// The first payload that has the frame.
std::string_view first_framed(const Sample& sample) {
  std::string_view first;
  for_each_payload(sample, [&](std::string_view payload, int64_t) {
    if (first.empty() && has_registry_frame(payload)) first = payload;
  });
  return first;
}

// Builds the pipeline from the sample, piece by piece.
class Draft {
 public:
  Draft(const InitArguments& arguments, const Registry& registry, Origin origin)
      : arguments_(arguments), registry_(registry), origin_(std::move(origin)) {}

  Result<InitPipeline> make(const Sample& sample) {
    pipeline_.name = table_name(arguments_.name.empty() ? origin_.name : arguments_.name);
    pipeline_.source.push_back(plain_option("connector", origin_.connector));
    for (const InitOption& option : origin_.options) pipeline_.source.push_back(option);
    WEIR_ASSIGN(std::string format, format_of(sample));
    seen_ = "events";
    const bool framed_json = format == "json" && !arguments_.registry_url.empty() && is_framed(sample);
    if (format == "json" && !framed_json) {
      WEIR_TRY(read_json(sample));
    } else if (format == "csv") {
      WEIR_TRY(read_csv(sample));
    } else {
      WEIR_TRY(describe_by_registry(format, sample));
    }
    WEIR_TRY(add_sink());
    header(sample, format);
    return std::move(pipeline_);
  }

 private:
  Result<std::string> format_of(const Sample& sample) {
    if (!arguments_.format.empty()) return arguments_.format;
    const std::string name = fs::path(origin_.place).filename().string();
    if (origin_.connector == "file" &&
        (name.find(".csv") != std::string::npos || name.find(".tsv") != std::string::npos)) {
      return std::string("csv");
    }
    if (!is_framed(sample)) return std::string("json");
    if (arguments_.registry_url.empty()) {
      return Status::invalid(
          "the events begin with the frame of a schema registry (a zero byte and a schema's id): give "
          "--registry URL");
    }
    WEIR_ASSIGN(const auto schemas, open_schemas());
    auto schema = schemas->by_id(registry_frame_id(first_framed(sample)));
    if (!schema.ok()) return schema.status().with_context("--registry");
    switch ((*schema)->schema.kind) {
      case SchemaKind::avro: return std::string("avro");
      case SchemaKind::protobuf: return std::string("protobuf");
      case SchemaKind::json: break;
    }
    return std::string("json");
  }

  std::vector<InitOption> registry_options() {
    UrlSecrets url = split_url_secrets(arguments_.registry_url, "SCHEMA_REGISTRY", "schema-registry.username",
                                       "schema-registry.password", "schema-registry.token");
    std::vector<InitOption> options = {plain_option("schema-registry.url", url.url)};
    options.insert(options.end(), url.options.begin(), url.options.end());
    for (const std::string& name : url.variables) variables_.push_back(name);
    return options;
  }

  Result<std::shared_ptr<SchemaLookup>> open_schemas() {
    std::map<std::string, OptionValue> values;
    for (const InitOption& option : registry_options()) values[option.name] = {option.value, {}, {}};
    variables_.clear();
    Diagnostics diagnostics;
    const Options options =
        validate_options("--registry", registry_.schemas.options, values, {}, diagnostics);
    if (diagnostics.has_errors()) return Status::invalid(diagnostics.entries().front().message);
    return registry_.schemas.create(options, ".");
  }

  Status describe_by_registry(const std::string& format, const Sample& sample) {
    if (arguments_.registry_url.empty())
      return Status::invalid("--format " + format + " needs --registry URL");
    if (!is_framed(sample)) {
      return Status::invalid(
          "most events do not begin with the frame of a schema registry (a zero byte and a " +
          std::string("schema's id): declare the table by hand, see `weir connectors ") + format + "`");
    }
    pipeline_.source.push_back(plain_option("format", format));
    pipeline_.source.push_back(plain_option(format + ".framing", "confluent"));
    if (format == "protobuf") {
      WEIR_ASSIGN(std::string message, protobuf_message(first_framed(sample)));
      pipeline_.source.push_back(plain_option("protobuf.message", message));
    }
    for (InitOption& option : registry_options()) pipeline_.source.push_back(std::move(option));
    notes_.push_back(
        "The columns are those of the schema in the registry; a new version of it is taken over.");
    return {};
  }

  // A schema may hold several messages; the event says which one it is.
  Result<std::string> protobuf_message(std::string_view payload) {
    protobuf::FrameHeader header;
    ErrorRecord error;
    if (!protobuf::read_frame_header(payload, header, error)) return Status::invalid(error.message);
    WEIR_ASSIGN(const auto schemas, open_schemas());
    auto schema = schemas->by_id(header.id);
    if (!schema.ok()) return schema.status().with_context("--registry");
    return protobuf::message_name((*schema)->schema, header);
  }

  void count_bad(const std::string& why) {
    if (bad_++ == 0) first_bad_ = why;
  }

  Status read_json(const Sample& sample) {
    SampledType events;
    for_each_payload(sample, [&](std::string_view payload, int64_t) {
      std::string why = "malformed";
      const auto value = parse_sampled_json(payload, why);
      if (value && value->kind == SampledValue::Kind::object) {
        events.add(*value);
      } else {
        count_bad(value ? "not a JSON object" : why);
      }
    });
    if (events.present() == 0) {
      return Status::invalid("none of " + with_thousands(sample.events) +
                             " events is a JSON object (the first: " + first_bad_ + "): give --format");
    }
    bool numbers_as_strings = false;
    std::vector<std::string> left_out;
    pipeline_.columns = columns_of(events, left_out, numbers_as_strings);
    if (pipeline_.columns.empty()) return Status::invalid("the events are empty objects");
    pipeline_.source.push_back(plain_option("format", "json"));
    if (numbers_as_strings) pipeline_.source.push_back(plain_option("json.allow-numbers-as-strings", "true"));
    for (const std::string& name : left_out) {
      notes_.push_back("Left out: the field '" + name + "', whose name cannot be stored beside the others.");
    }
    return {};
  }

  Status read_csv(const Sample& sample) {
    CsvSample csv;
    for_each_payload(sample, [&](std::string_view payload, int64_t offset) { csv.add(payload, offset); });
    WEIR_TRY(csv.finish(origin_.connector == "file"));
    seen_ = "records";
    pipeline_.columns = csv.columns();
    pipeline_.source.push_back(plain_option("format", "csv"));
    if (csv.delimiter() != ',') {
      pipeline_.source.push_back(
          plain_option("csv.delimiter", csv.delimiter() == '\t' ? "\\t" : std::string(1, csv.delimiter())));
    }
    if (csv.has_header()) pipeline_.source.push_back(plain_option("csv.header", "first"));
    return {};
  }

  Status add_sink() {
    const std::string to = arguments_.to.empty() ? "delta:./weir-data/lake/" + pipeline_.name : arguments_.to;
    const size_t colon = to.find(':');
    const std::string kind = to.substr(0, colon);
    const std::string place = colon == std::string::npos ? "" : to.substr(colon + 1);
    if (place.empty() || (kind != "delta" && kind != "clickhouse")) {
      return Status::invalid("--to '" + kind + "…': write delta:PATH or clickhouse:URL");
    }
    pipeline_.sink_options.push_back(plain_option("connector", kind));
    if (kind == "delta") {
      pipeline_.sink = pipeline_.name + "_lake";
      pipeline_.sink_options.push_back(plain_option("path", place));
      return {};
    }
    pipeline_.sink = pipeline_.name + "_clickhouse";
    UrlSecrets url = split_url_secrets(place, "CLICKHOUSE", "username", "password", "");
    pipeline_.sink_options.push_back(plain_option("url", url.url));
    for (InitOption& option : url.options) pipeline_.sink_options.push_back(std::move(option));
    for (const std::string& name : url.variables) variables_.push_back(name);
    pipeline_.sink_options.push_back(plain_option("table", pipeline_.name));
    return {};
  }

  void header(const Sample& sample, const std::string& format) {
    std::vector<std::string>& lines = pipeline_.header;
    lines.push_back("Written by `weir init` from " + with_thousands(sample.events) + " " + seen_ + " (" +
                    format + ") of " + origin_.place + (sample.whole ? ", all that it holds." : "."));
    if (!pipeline_.columns.empty()) {
      lines.push_back(
          "Look through it: NOT NULL and the types say what the sample had. What does not fit goes to the");
      lines.push_back("error lake, and comes back by `weir errors replay` once the file was mended.");
    }
    for (const std::string& note : notes_) lines.push_back(note);
    variables_.insert(variables_.begin(), origin_.variables.begin(), origin_.variables.end());
    if (!variables_.empty()) {
      std::string names;
      for (const std::string& name : variables_) names += (names.empty() ? "" : ", ") + name;
      lines.push_back("Secrets come from the environment: set " + names + ".");
    }
  }

  const InitArguments& arguments_;
  const Registry& registry_;
  Origin origin_;
  InitPipeline pipeline_;
  std::string seen_;
  std::vector<std::string> notes_;
  std::vector<std::string> variables_;
  int64_t bad_ = 0;
  std::string first_bad_;
};

// What `weir check` does, with the secrets in place; and how many of the sample the columns do not take.
Result<std::unique_ptr<PipelinePlan>> check_text(const std::string& file, const std::string& text,
                                                 const Registry& registry) {
  Diagnostics diagnostics;
  PipelineSpec spec = parse_pipeline(file, text, diagnostics);
  auto plan = plan_pipeline(std::move(spec), registry, diagnostics);
  if (plan == nullptr) return diagnostics.status();
  if (check_connectors(*plan) != kExitOk)
    return Status::invalid("the pipeline that was made is not accepted");
  return plan;
}

Result<int64_t> count_misfits(const PipelinePlan& plan, const Sample& sample, std::string& first) {
  const SourcePlan& source = *plan.sources.front();
  WEIR_ASSIGN(const auto decoder, source.format->create(source.format_context()));
  int64_t misfits = 0;
  for (const EventBatch& batch : sample.batches) {
    WEIR_ASSIGN(const DecodedRows decoded, decoder->decode(batch, 0, batch.events.size()));
    if (misfits == 0 && !decoded.errors.empty()) first = decoded.errors.front().message;
    misfits += static_cast<int64_t>(decoded.errors.size());
  }
  return misfits;
}

Status write_file(const std::string& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  return out.good() ? Status() : errno_status(errno, "cannot write '" + path + "'");
}

Status init(const InitArguments& arguments, const Registry& registry) {
  if (arguments.samples < 1 || arguments.samples > kMostSamples) {
    return Status::invalid("--samples must be between 1 and " + with_thousands(kMostSamples));
  }
  WEIR_ASSIGN(Origin origin, origin_of(arguments));
  const std::string name = table_name(arguments.name.empty() ? origin.name : arguments.name);
  const std::string out = arguments.out.empty() ? name + ".sql" : arguments.out;
  if (out != "-" && !arguments.force && fs::exists(out)) {
    return Status::invalid("'" + out +
                           "' is there already: --out FILE names another one, --force writes over it");
  }
  SampleRequest request;
  request.connector = registry.source(origin.connector);
  if (request.connector == nullptr)
    return Status::invalid("this binary has no connector '" + origin.connector + "'");
  WEIR_TRY(add_options(arguments, *request.connector, origin));
  for (const InitOption& option : origin.options) request.options[option.name] = option.value;
  request.events = arguments.samples;
  request.patience = std::chrono::seconds(arguments.wait_s);
  request.clock = &Clock::real();
  auto sample = take_sample(request);
  if (!sample.ok()) return sample.status().with_context(origin.place);

  WEIR_ASSIGN(InitPipeline pipeline, Draft(arguments, registry, origin).make(*sample));
  WEIR_ASSIGN(const auto plan, check_text(out, pipeline_text(pipeline, true), registry));
  std::string first;
  WEIR_ASSIGN(const int64_t misfits, count_misfits(*plan, *sample, first));
  if (misfits > 0) {
    pipeline.header.push_back(with_thousands(misfits) +
                              " of the sample would go to the error lake (the first: " + first + ").");
  }
  const std::string text = pipeline_text(pipeline, false);
  if (out == "-") {
    std::fputs(text.c_str(), stdout);
    return {};
  }
  WEIR_TRY(write_file(out, text));
  std::fprintf(stderr, "%s: made from %s events of %s%s\n", out.c_str(),
               with_thousands(sample->events).c_str(), origin.place.c_str(),
               misfits > 0 ? (", " + with_thousands(misfits) + " of which do not fit").c_str() : "");
  std::fprintf(stderr, "next: weir check %s; weir run %s\n", out.c_str(), out.c_str());
  return {};
}

}  // namespace

void add_init_command(CLI::App& app, const Registry& registry, int& exit) {
  auto arguments = std::make_shared<InitArguments>();
  CLI::App* command = app.add_subcommand("init", "write a typed pipeline from a sample of events");
  command->add_option("--nats", arguments->nats,
                      "sample a JetStream stream: URL of the server, with --stream");
  command->add_option("--stream", arguments->stream, "the JetStream stream");
  command->add_option("--subject", arguments->subject, "only messages whose subject matches this filter");
  command->add_option("--kafka", arguments->kafka, "sample a topic: bootstrap servers, with --topic");
  command->add_option("--topic", arguments->topic, "the Kafka topic");
  command->add_option("--http", arguments->http, "sample a stream of weir serve, from its embedded log");
  command->add_option("--data", arguments->data, "weir serve's data folder (default ./weir-data)");
  command->add_option("--file", arguments->file, "sample a file, a folder or a glob, also compressed")
      ->type_name("PATH");
  command
      ->add_option("--format", arguments->format,
                   "json, csv, avro or protobuf; by default what it looks like")
      ->check(CLI::IsMember({"json", "csv", "avro", "protobuf"}));
  command->add_option("--registry", arguments->registry_url,
                      "URL of the schema registry of Avro and Protobuf events");
  command->add_option("--to", arguments->to,
                      "delta:PATH or clickhouse:URL (default delta:./weir-data/lake/<name>)");
  command->add_option("--name", arguments->name,
                      "of the pipeline (default: the stream's, topic's or file's)");
  command->add_option("--out", arguments->out, "the file to write (default <name>.sql); '-' is stdout")
      ->type_name("FILE");
  command->add_option("--samples", arguments->samples, "how many events to look at")->capture_default_str();
  command->add_option("--wait", arguments->wait_s, "seconds to wait for them")->capture_default_str();
  command
      ->add_option("--option", arguments->options,
                   "name=value: a further option of the connector, such as tls.ca=ca.pem or "
                   "'password=${env:PASSWORD}'; may be given several times")
      ->allow_extra_args(false);
  command->add_flag("--force", arguments->force, "write over a file that is there");
  command->footer(
      "Nothing is acknowledged, and no consumer or group is left behind.\n\nExamples:\n"
      "  weir init --nats nats://localhost:4222 --stream ORDERS\n"
      "  weir init --kafka localhost:9092 --topic orders --to clickhouse:http://localhost:8123\n"
      "  weir init --kafka localhost:9092 --topic orders --registry http://localhost:8081\n"
      "  weir init --file visits.csv.gz --out visits.sql");
  command->callback([arguments, &registry, &exit] { exit = report(init(*arguments, registry)); });
}

}  // namespace weir
