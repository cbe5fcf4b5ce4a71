// weir deploy flink
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>

#include "base/clock.h"
#include "base/objects.h"
#include "cli/command.h"
#include "clients/http_client.h"
#include "flink/deployment.h"
#include "flink/gateway.h"
#include "flink/topics.h"

namespace weir {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kStatement{60000};
constexpr milliseconds kTopic{15000};

struct DeployArguments {
  std::string file;
  std::string gateway;
  std::string out;
  std::string from_savepoint;
  std::string savepoint;  // of --stop: the folder
  std::string bad_events = "error-lake";
  int topic_partitions = 1;
  bool dry_run = false, status = false, stop = false, all = false, append = false;
};

void say_warnings(const Diagnostics& diagnostics) {
  for (const Diagnostic& entry : diagnostics.entries()) {
    if (!entry.warning) continue;
    std::fprintf(stderr, "%s: warning: %s\n", entry.location.text().c_str(), entry.message.c_str());
  }
}

// As errors of the file, at the places that Flink names within the statement.
Status refused(const FlinkGateway& gateway, const FlinkStatement& statement, const Status& failure) {
  if (failure.code() != Code::invalid) return failure;
  const Location at = statement.place(gateway.refusal().line, gateway.refusal().column);
  return Status::invalid(at.text() + ": error: " + failure.message());
}

class Deploy {
 public:
  Deploy(const DeployArguments& arguments, const PipelinePlan& plan) : arguments_(arguments), plan_(plan) {}

  Status run() {
    WEIR_ASSIGN(const std::string text, read_file(arguments_.file));
    Diagnostics diagnostics;
    FlinkChoices choices;
    choices.all = arguments_.all;
    choices.skip_bad_events = arguments_.bad_events == "error-lake";
    choices.savepoint = arguments_.from_savepoint;
    const FlinkDeployment deployment = plan_flink(plan_, text, choices, diagnostics);
    say_warnings(diagnostics);
    WEIR_TRY(diagnostics.status());
    if (arguments_.dry_run) {
      std::fputs(deployment.shown().c_str(), stdout);
      if (!deployment.sinks_sql.empty()) {
        std::printf("\n-- %s, for `weir run`:\n%s", sinks_file().c_str(), deployment.sinks_sql.c_str());
      }
      return {};
    }
    WEIR_TRY(open());
    WEIR_TRY(refuse_second_job());
    WEIR_TRY(make_topics(deployment));
    WEIR_TRY(submit(deployment));
    return write_sinks_file(deployment);
  }

  Status status() {
    WEIR_TRY(open());
    WEIR_ASSIGN(const std::vector<FlinkJob> jobs, jobs_of_pipeline());
    if (jobs.empty()) {
      return {Code::not_found, "no job called '" + plan_.spec.name + "' at " + arguments_.gateway};
    }
    std::printf("%-32s  %-10s  %s\n", "job", "status", "started");
    for (const FlinkJob& job : jobs) {
      std::printf("%-32s  %-10s  %s\n", job.id.c_str(), job.status.c_str(), job.started.c_str());
    }
    return {};
  }

  Status stop() {
    WEIR_TRY(open());
    WEIR_ASSIGN(const std::vector<FlinkJob> jobs, jobs_of_pipeline());
    for (const FlinkJob& job : jobs) {
      if (job.ended()) continue;
      const auto stopped = gateway_->stop(job.id, arguments_.savepoint);
      if (!stopped.ok() && arguments_.savepoint.empty() &&
          stopped.status().message().find("savepoint-dir") != std::string::npos) {
        return Status::invalid("the cluster has no folder for savepoints: name one with --savepoint");
      }
      WEIR_TRY(stopped.status());
      const std::string& savepoint = *stopped;
      std::printf(
          "stopped %s\nsavepoint: %s\ngo on with: weir deploy flink %s --gateway %s --from-savepoint %s\n",
          job.id.c_str(), savepoint.c_str(), arguments_.file.c_str(), arguments_.gateway.c_str(),
          savepoint.c_str());
      return {};
    }
    return {Code::not_found, "no running job called '" + plan_.spec.name + "' at " + arguments_.gateway};
  }

 private:
  Status open() {
    WEIR_ASSIGN(http_, open_http_client({}));
    gateway_ = std::make_unique<FlinkGateway>(*http_, arguments_.gateway, Clock::real());
    return gateway_->open();
  }

  Result<std::vector<FlinkJob>> jobs_of_pipeline() {
    WEIR_ASSIGN(std::vector<FlinkJob> jobs, gateway_->jobs());
    std::erase_if(jobs, [&](const FlinkJob& job) { return job.name != plan_.spec.name; });
    return jobs;
  }

  Status refuse_second_job() {
    WEIR_ASSIGN(const std::vector<FlinkJob> jobs, jobs_of_pipeline());
    for (const FlinkJob& job : jobs) {
      if (job.ended()) continue;
      return Status::invalid("the pipeline '" + plan_.spec.name + "' runs already, as job " + job.id + " (" +
                             job.status + "): end that one with --stop first");
    }
    return {};
  }

  Status make_topics(const FlinkDeployment& deployment) {
    for (const FlinkTopic& topic : deployment.topics) {
      WEIR_ASSIGN(const FlinkTopicState state,
                  ensure_topic(topic.cluster->options, topic.name, arguments_.topic_partitions, kTopic));
      if (state.created) std::printf("topic %s: made\n", topic.name.c_str());
      if (state.records == 0 || arguments_.append || !arguments_.from_savepoint.empty()) continue;
      return Status::invalid(topic.location.text() + ": error: the topic '" + topic.name +
                             "' has records of an earlier job, and "
                             "Flink would compute everything anew behind them: go on with --from-savepoint, "
                             "delete the topic, or "
                             "say --append when the new rows are to come on top");
    }
    return {};
  }

  Status submit(const FlinkDeployment& deployment) {
    for (const auto* statements : {&deployment.settings, &deployment.tables}) {
      for (const FlinkStatement& statement : *statements) {
        const auto done = gateway_->execute(statement.text, kStatement);
        if (!done.ok()) return refused(*gateway_, statement, done.status());
      }
    }
    const auto submitted = gateway_->execute(deployment.job.text, kStatement);
    if (!submitted.ok()) return refused(*gateway_, deployment.job, submitted.status());
    const bool named = !submitted->empty() && !submitted->front().empty();
    std::printf("job %s: submitted as %s\n", plan_.spec.name.c_str(),
                named ? submitted->front().front().c_str() : "?");
    return {};
  }

  std::string sinks_file() const {
    return arguments_.out.empty() ? arguments_.file + ".weir-sinks.sql" : arguments_.out;
  }

  Status write_sinks_file(const FlinkDeployment& deployment) {
    if (deployment.sinks_sql.empty()) return {};
    const std::string path = sinks_file();
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << deployment.sinks_sql;
    file.close();
    if (!file) return Status(Code::exhausted, "cannot write " + path);
    std::printf("sinks: weir run %s\n", path.c_str());
    return {};
  }

  const DeployArguments& arguments_;
  const PipelinePlan& plan_;
  std::unique_ptr<HttpClient> http_;
  std::unique_ptr<FlinkGateway> gateway_;
};

int deploy(const DeployArguments& arguments, const Registry& registry) {
  auto loaded = load_pipeline(arguments.file, registry);
  if (!loaded.ok()) return exit_code(loaded.status());
  if (arguments.gateway.empty() && !arguments.dry_run) {
    return report(
        Status::invalid("--gateway is missing: the address of Flink's SQL gateway, such as "
                        "http://localhost:8083"));
  }
  Deploy command(arguments, **loaded);
  const Status done = arguments.status ? command.status() : arguments.stop ? command.stop() : command.run();
  if (done.ok()) return kExitOk;
  // What has a place in the file is told as `weir check` does.
  const bool placed = done.message().rfind(arguments.file + ":", 0) == 0;
  std::fprintf(stderr, "%s%s\n", placed ? "" : "error: ", done.message().c_str());
  return exit_code(done);
}

}  // namespace

void add_deploy_command(CLI::App& app, const Registry& registry, int& exit) {
  CLI::App* command = app.add_subcommand("deploy", "run a pipeline's stateful part on a cluster");
  command->require_subcommand(1);
  auto arguments = std::make_shared<DeployArguments>();
  CLI::App* flink = command->add_subcommand(
      "flink",
      "run the stateful INSERTs on Flink, Kafka to Kafka, and write a second file for `weir run` that "
      "carries Flink's topics into Weir's sinks");
  flink->add_option("FILE", arguments->file, "pipeline file (.sql)")->required();
  flink->add_option("--gateway", arguments->gateway, "Flink's SQL gateway, such as http://localhost:8083");
  flink->add_flag("--dry-run", arguments->dry_run, "print both halves and do nothing");
  flink->add_option("--out", arguments->out, "the second file; FILE.weir-sinks.sql unless given");
  flink->add_flag("--all", arguments->all, "stateless INSERTs run on Flink too");
  flink->add_option("--topic-partitions", arguments->topic_partitions, "of the topics that are made")
      ->check(CLI::Range(1, 10000));
  flink
      ->add_option("--bad-events", arguments->bad_events,
                   "error-lake: Flink passes over them and Weir puts them there; fail: Flink's job fails")
      ->check(CLI::IsMember({"error-lake", "fail"}));
  flink->add_option("--from-savepoint", arguments->from_savepoint, "go on from this savepoint or checkpoint");
  flink->add_flag("--append", arguments->append,
                  "start anew although the topics have rows of an earlier job");
  CLI::Option* status = flink->add_flag("--status", arguments->status, "show the pipeline's jobs");
  CLI::Option* stop = flink->add_flag("--stop", arguments->stop, "end the job with a savepoint");
  flink->add_option("--savepoint", arguments->savepoint, "with --stop: the folder or URL for the savepoint")
      ->needs(stop);
  stop->excludes(status);
  flink->footer(
      "Examples:\n  weir deploy flink orders.sql --dry-run\n"
      "  weir deploy flink orders.sql --gateway http://localhost:8083\n"
      "  weir run orders.sql.weir-sinks.sql\n"
      "  weir deploy flink orders.sql --gateway http://localhost:8083 --stop --savepoint "
      "s3://flink/savepoints");
  flink->callback([arguments, &registry, &exit] { exit = deploy(*arguments, registry); });
}

}  // namespace weir
