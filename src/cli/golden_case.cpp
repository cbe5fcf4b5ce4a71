#include "cli/golden_case.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/objects.h"
#include "cli/command.h"
#include "cli/row_text.h"
#include "runtime/error_query.h"
#include "runtime/tables.h"
#include "schema/error_code.h"

namespace weir {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr int kMostRestarts = 400;

fs::path input_file(const fs::path& folder, const std::string& source) {
  for (const char* extension : {".ndjson", ".ndjson.gz", ".ndjson.zst"}) {
    fs::path file = folder / "input" / (source + extension);
    if (fs::exists(file)) return file;
  }
  return {};
}

void set_option(TableSpec& table, const std::string& name, const std::string& value) {
  OptionValue& option = table.options[name];
  option.text = value;
  option.location = table.location;
}

// Keeps what belongs to the format, to event time and to looking up; the transport's options go.
void read_from_file(TableSpec& table, const fs::path& input, const Registry& registry) {
  auto written = std::move(table.options);
  table.options.clear();
  for (auto& [name, value] : written) {
    bool kept = name == "format" || name.starts_with("payload.") || name.starts_with("lookup.") ||
                name.starts_with("scan.watermark.") || name.starts_with("watermark.");
    for (const FormatInfo& format : registry.formats) kept = kept || name.starts_with(format.name + ".");
    if (kept) table.options[name] = value;
  }
  table.connector = "file";
  set_option(table, "path", input.string());
}

void write_to_delta(TableSpec& table, const fs::path& path) {
  auto written = std::move(table.options);
  table.options.clear();
  for (const char* kept : {"partition-by", "schema-evolution"}) {
    if (table.connector == "delta" && written.count(kept) != 0) table.options[kept] = written[kept];
  }
  table.connector = "delta";
  set_option(table, "path", path.string());
}

Options with_settings(const Options& settings, const std::map<std::string, std::string>& overrides) {
  auto values = settings.values();
  for (const auto& [name, value] : overrides) values[name].text = value;
  return Options(setting_specs(), std::move(values));
}

// Runs this program with `arguments`; gives the wait status. Its stderr goes to `log`.
int run_child(const std::vector<std::string>& arguments, const std::string& crash_point,
              const fs::path& log) {
  std::vector<char*> pointers;
  for (const auto& argument : arguments) pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!std::string_view(*entry).starts_with("WEIR_CRASH_POINT=")) environment.emplace_back(*entry);
  }
  if (!crash_point.empty()) environment.push_back("WEIR_CRASH_POINT=" + crash_point);
  std::vector<char*> environment_pointers;
  for (auto& entry : environment) environment_pointers.push_back(entry.data());
  environment_pointers.push_back(nullptr);
  std::string log_name = log.string();
  pid_t child = fork();
  if (child == 0) {
    if (std::freopen(log_name.c_str(), "w", stderr) == nullptr) _exit(127);
    execve("/proc/self/exe", pointers.data(), environment_pointers.data());
    _exit(127);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return -1;
  return status;
}

std::string log_text(const fs::path& log) {
  auto text = read_file(log.string());
  return text.ok() ? *text : "";
}

// Runs one variant to its end; "" or what went wrong.
std::string execute(const fs::path& folder, const fs::path& work, CaseVariant variant, bool stateful) {
  std::vector<std::string> arguments = {"weir",   "test",        "--child",      variant_name(variant),
                                        "--work", work.string(), folder.string()};
  fs::path log = work / "log";
  if (variant != CaseVariant::restored) {
    int status = run_child(arguments, "", log);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return "";
    return "the run failed: " + log_text(log);
  }
  // Every second life ends before its commit is whole, the others just after it, so that each epoch is
  // restored once.
  static const std::vector<std::string> epoch_points = {
      "epoch.barrier",   "epoch.acknowledged", "epoch.snapshot",     "epoch.committed", "epoch.sealed",
      "epoch.committed", "epoch.manifest",     "epoch.acknowledged", "runtime.unit",    "epoch.committed"};
  static const std::vector<std::string> commit_points = {
      "runtime.before_errors", "runtime.after_authority",  "runtime.after_errors",
      "runtime.after_ack",     "runtime.before_authority", "runtime.after_authority",
      "delta.after_commit",    "runtime.after_authority",  "runtime.unit",
      "runtime.after_ack"};
  const auto& points = stateful ? epoch_points : commit_points;
  for (int life = 0; life < kMostRestarts; ++life) {
    int status = run_child(arguments, points[static_cast<size_t>(life) % points.size()] + ":1", log);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return "";
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) return "a restart failed: " + log_text(log);
  }
  return "it did not end within " + std::to_string(kMostRestarts) + " restarts: " + log_text(log);
}

Result<std::vector<Json>> read_ndjson(const fs::path& file) {
  WEIR_ASSIGN(auto text, read_file(file.string()));
  std::vector<Json> rows;
  size_t line_number = 0;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = std::min(text.find('\n', begin), text.size());
    std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    ++line_number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    Json row = Json::parse(line, nullptr, false);
    if (row.is_discarded()) {
      return Status::invalid(file.string() + ":" + std::to_string(line_number) + ": not a JSON object");
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

Result<std::vector<Json>> table_rows(const PipelinePlan& plan, const SinkPlan& sink) {
  std::string columns;
  for (const auto& field : sink.schema->fields())
    columns += (columns.empty() ? "\"" : ", \"") + field->name() + "\"";
  WEIR_ASSIGN(auto reader,
              bridge::query(query_tables(plan), "SELECT " + columns + " FROM \"" + sink.name + "\""));
  std::vector<Json> rows;
  while (true) {
    std::shared_ptr<arrow::RecordBatch> batch;
    arrow::Status read = reader->ReadNext(&batch);
    if (!read.ok()) return Status::internal(read.message());
    if (batch == nullptr) return rows;
    for (int64_t row = 0; row < batch->num_rows(); ++row) rows.push_back(Json::parse(row_json(*batch, row)));
  }
}

Result<std::vector<Json>> error_records(const PipelinePlan& plan) {
  std::vector<Json> records;
  for (const auto& source : plan.sources) {
    WEIR_ASSIGN(auto reader, query_errors(plan, *source, {}, ErrorRead::first, 1'000'000));
    while (reader != nullptr) {
      std::shared_ptr<arrow::RecordBatch> batch;
      arrow::Status read = reader->ReadNext(&batch);
      if (!read.ok()) return Status::internal(read.message());
      if (batch == nullptr) break;
      int payload = batch->schema()->GetFieldIndex("payload");
      for (int64_t row = 0; row < batch->num_rows(); ++row) {
        Json record = Json::parse(row_json(*batch, row), nullptr, false);
        record["payload"] = static_cast<const arrow::BinaryArray&>(*batch->column(payload)).GetString(row);
        records.push_back(std::move(record));
      }
    }
  }
  return records;
}

bool matches(const Json& expected, const Json& record) {
  for (const auto& [key, value] : expected.items()) {
    if (!record.contains(key)) return false;
    if (key == "message") {
      if (record[key].get<std::string>().find(value.get<std::string>()) == std::string::npos) return false;
    } else if (key == "sink" && value == Json("") && record[key].is_null()) {
      continue;
    } else if (record[key] != value) {
      return false;
    }
  }
  return true;
}

std::string shown(const Json& row) { return row.dump(-1, ' ', false, Json::error_handler_t::replace); }

void compare(const std::string& where, const std::vector<Json>& expected, std::vector<Json> actual,
             bool partial, std::vector<std::string>& differences) {
  for (const Json& row : expected) {
    auto found = std::find_if(actual.begin(), actual.end(), [&](const Json& candidate) {
      return partial ? matches(row, candidate) : row == candidate;
    });
    if (found == actual.end()) {
      differences.push_back(where + ": missing    " + shown(row));
    } else {
      actual.erase(found);
    }
  }
  for (Json& row : actual) {
    if (partial) {
      Json brief;
      for (const char* key : {"source", "sink", "code", "field", "byte", "message", "payload"})
        brief[key] = row[key];
      row = std::move(brief);
    }
    differences.push_back(where + ": unexpected " + shown(row));
  }
}

void compare_variant(const fs::path& folder, const fs::path& work, CaseVariant variant,
                     const Registry& registry, std::vector<std::string>& differences) {
  const std::string prefix = std::string(variant_name(variant)) + ": ";
  auto plan = load_case(folder, work, variant, registry);
  if (!plan.ok()) {
    differences.push_back(prefix + plan.status().message());
    return;
  }
  const bool stateful =
      std::any_of((*plan)->sets.begin(), (*plan)->sets.end(), [](const auto& set) { return set.stateful(); });
  std::string failure = execute(folder, work, variant, stateful);
  if (!failure.empty()) {
    differences.push_back(prefix + failure);
    return;
  }
  for (const auto& sink : (*plan)->sinks) {
    if (sink->schema == nullptr) continue;
    auto expected = read_ndjson(folder / "expected" / (sink->name + ".ndjson"));
    auto actual = table_rows(**plan, *sink);
    if (!expected.ok() || !actual.ok()) {
      differences.push_back(prefix + (expected.ok() ? actual.status() : expected.status()).message());
      continue;
    }
    compare(prefix + sink->name, *expected, *std::move(actual), false, differences);
  }
  std::vector<Json> expected_errors;
  fs::path errors_file = folder / "expected" / "errors.ndjson";
  if (fs::exists(errors_file)) {
    auto read = read_ndjson(errors_file);
    if (!read.ok()) {
      differences.push_back(read.status().message());
      return;
    }
    expected_errors = *std::move(read);
  }
  auto records = error_records(**plan);
  if (!records.ok()) {
    differences.push_back(prefix + records.status().message());
    return;
  }
  compare(prefix + "errors", expected_errors, *std::move(records), true, differences);
}

void compare_refusal(const fs::path& folder, const Registry& registry, CaseOutcome& outcome) {
  outcome.runs = 1;
  std::vector<Diagnostic> warnings;
  auto plan = try_load_pipeline((folder / "pipeline.sql").string(), registry, warnings);
  std::string words = plan.status().message();
  if (plan.ok()) {
    for (const auto& sink : (*plan)->sinks) {
      if (sink->schema == nullptr || !sink->connector->check) continue;
      Status checked = sink->connector->check(sink_context(**plan, *sink, Clock::real()));
      if (!checked.ok()) words += sink->location.text() + ": error: " + checked.message() + "\n";
    }
  }
  if (words.empty()) {
    outcome.differences.push_back("the file was accepted");
    return;
  }
  auto text = read_file((folder / "expected" / "refused.txt").string());
  if (!text.ok()) {
    outcome.differences.push_back(text.status().message());
    return;
  }
  for (size_t begin = 0; begin < text->size();) {
    size_t end = std::min(text->find('\n', begin), text->size());
    std::string line = text->substr(begin, end - begin);
    begin = end + 1;
    if (!line.empty() && words.find(line) == std::string::npos) {
      outcome.differences.push_back("'" + line + "' is not in: " + words);
    }
  }
}

}  // namespace

const char* variant_name(CaseVariant variant) {
  switch (variant) {
    case CaseVariant::straight: return "straight";
    case CaseVariant::restored: return "restored";
    case CaseVariant::hostile: return "hostile";
  }
  return "";
}

std::vector<fs::path> find_cases(const fs::path& given) {
  const fs::path folder = given.has_filename() ? given : given.parent_path();  // without the '/' at its end
  std::vector<fs::path> cases;
  if (fs::exists(folder / "pipeline.sql")) cases.push_back(folder);
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(folder, error)) {
    if (entry.path().filename() == "pipeline.sql" && entry.path().parent_path() != folder) {
      cases.push_back(entry.path().parent_path());
    }
  }
  std::sort(cases.begin(), cases.end());
  return cases;
}

Result<std::unique_ptr<PipelinePlan>> load_case(const fs::path& folder, const fs::path& work,
                                                CaseVariant variant, const Registry& registry) {
  fs::path file = folder / "pipeline.sql";
  std::vector<Diagnostic> warnings;
  WEIR_ASSIGN(auto as_written, try_load_pipeline(file.string(), registry, warnings));
  // Parsed anew: the plan's spec has the columns that a schema described.
  WEIR_ASSIGN(const std::string text, read_file(file.string()));
  Diagnostics parsing;
  PipelineSpec spec = parse_pipeline(file.string(), text, parsing);
  for (TableSpec& table : spec.tables) {
    // A connector may be both; a table that no INSERT writes may still be a sink of one that is not.
    const bool written = std::any_of(spec.inserts.begin(), spec.inserts.end(),
                                     [&](const InsertSpec& insert) { return insert.table == table.name; });
    if (written || registry.source(table.connector) == nullptr) {
      write_to_delta(table, work / "lake" / table.name);
      continue;
    }
    fs::path input = input_file(folder, table.name);
    if (!input.empty()) {
      read_from_file(table, input, registry);
    } else if (table.connector != "generator") {
      return Status::invalid((folder / "input" / (table.name + ".ndjson")).string() +
                             " is missing: every source of a case needs its input");
    }
  }
  std::map<std::string, std::string> overrides = {{"state.path", (work / "state").string()},
                                                  {"error-lake.path", (work / "errors").string()}};
  if (variant == CaseVariant::restored) {
    overrides.insert({{"pipeline.batch-rows", "2"}, {"pipeline.commit-interval", "0 ms"}});
  } else if (variant == CaseVariant::hostile) {
    overrides.insert({{"pipeline.batch-rows", "1"},
                      {"pipeline.queue-batches", "1"},
                      {"pipeline.max-open-partitions", "1"},
                      {"pipeline.parallelism", "3"}});
  }
  // Which rows are late depends on the batches: a case that says how large they are keeps its word.
  if (spec.settings.has("pipeline.batch-rows")) overrides.erase("pipeline.batch-rows");
  spec.settings = with_settings(spec.settings, overrides);
  Diagnostics diagnostics;
  auto plan = plan_pipeline(std::move(spec), registry, diagnostics);
  if (plan == nullptr) return diagnostics.status();
  return plan;
}

CaseOutcome run_case(const fs::path& folder, const fs::path& work, const Registry& registry) {
  CaseOutcome outcome;
  outcome.name = folder.filename().string();
  if (fs::exists(folder / "expected" / "refused.txt")) {
    compare_refusal(folder, registry, outcome);
    return outcome;
  }
  for (CaseVariant variant : {CaseVariant::straight, CaseVariant::restored, CaseVariant::hostile}) {
    fs::path place = work / variant_name(variant);
    std::error_code error;
    fs::create_directories(place, error);
    compare_variant(folder, place, variant, registry, outcome.differences);
    ++outcome.runs;
  }
  return outcome;
}

}  // namespace weir
