#include "cli/checkpoint_text.h"

#include <algorithm>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/text.h"

namespace weir {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kMinute = 60 * kSecond;
constexpr int64_t kHour = 60 * kMinute;
constexpr int64_t kDay = 24 * kHour;
constexpr size_t kMostFilesShown = 5;

using Row = std::vector<std::string>;

// Columns as wide as their longest cell; the last one is not filled up.
void append_table(std::string& text, const std::string& indent, const std::vector<Row>& rows) {
  std::vector<size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  for (const Row& row : rows) {
    std::string line = indent;
    for (size_t c = 0; c < row.size(); ++c) {
      line += row[c];
      if (c + 1 < row.size()) line += std::string(widths[c] - row[c].size() + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
}

std::string watermark_text(int64_t microseconds) {
  if (microseconds == std::numeric_limits<int64_t>::min()) return "none yet";
  if (microseconds == std::numeric_limits<int64_t>::max()) return "the input has ended";
  return format_timestamp_us(microseconds);
}

// Of one operator: all its shares.
struct OperatorState {
  size_t shares = 0;
  int64_t bytes = 0;
};
std::map<std::string, OperatorState> operators_of(const EpochManifest& manifest) {
  std::map<std::string, OperatorState> result;
  for (const auto& [name, file] : manifest.states) {
    OperatorState& state = result[name.substr(0, name.rfind('-'))];
    ++state.shares;
    state.bytes += file.size;
  }
  return result;
}

// Every "path" anywhere in a handle: which files wait for their commit.
void collect_paths(const nlohmann::json& json, std::vector<std::string>& paths) {
  if (json.is_object()) {
    const auto path = json.find("path");
    if (path != json.end() && path->is_string()) paths.push_back(path->get<std::string>());
  }
  if (json.is_structured()) {
    for (const auto& member : json) collect_paths(member, paths);
  }
}

std::vector<std::string> paths_of(const PreparedHandle& handle) {
  std::vector<std::string> paths;
  const auto json = nlohmann::json::parse(handle.persisted, nullptr, false);
  if (!json.is_discarded()) collect_paths(json, paths);
  return paths;
}

std::string files_text(const PreparedHandle& handle) {
  const std::vector<std::string> paths = paths_of(handle);
  if (paths.empty()) return "";
  std::string text = std::to_string(paths.size()) + (paths.size() == 1 ? " file: " : " files: ");
  for (size_t at = 0; at < std::min(paths.size(), kMostFilesShown); ++at)
    text += (at > 0 ? ", " : "") + paths[at];
  return text + (paths.size() > kMostFilesShown ? ", …" : "");
}

Json condition_json(const std::string& problem) { return problem.empty() ? Json("whole") : Json("damaged"); }

std::string age_text(int64_t created_us, int64_t now_us) {
  return created_us == 0 ? "?" : duration_text(std::max<int64_t>(0, now_us - created_us));
}

}  // namespace

std::string duration_text(int64_t microseconds) {
  const auto number = [](int64_t value, const char* unit) { return std::to_string(value) + " " + unit; };
  const auto both = [](std::string first, int64_t rest, const char* unit) {
    return rest == 0 ? first : first + " " + std::to_string(rest) + " " + unit;
  };
  if (microseconds < kMinute) return number(microseconds / kSecond, "s");
  if (microseconds < kHour) return number(microseconds / kMinute, "min");
  if (microseconds < kDay)
    return both(number(microseconds / kHour, "h"), microseconds % kHour / kMinute, "min");
  return both(number(microseconds / kDay, "d"), microseconds % kDay / kHour, "h");
}

std::string bytes_text(int64_t bytes) {
  if (bytes < 1024) return std::to_string(bytes) + " B";
  double value = static_cast<double>(bytes);
  const char* unit = "";
  for (const char* next : {"kB", "MB", "GB", "TB"}) {
    value /= 1024;
    unit = next;
    if (value < 1024) break;
  }
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %s", value, unit);
  return text;
}

std::string epochs_text(const std::string& set, const std::vector<EpochSummary>& epochs, int64_t now_us) {
  if (epochs.empty()) return "";
  std::string text = "set " + set + "\n";
  std::vector<Row> rows = {{"epoch", "age", "size", "state"}};
  for (auto epoch = epochs.rbegin(); epoch != epochs.rend(); ++epoch) {
    rows.push_back({std::to_string(epoch->epoch), age_text(epoch->created_us, now_us),
                    epoch->created_us == 0 ? "?" : bytes_text(epoch->bytes),
                    epoch->problem.empty() ? "whole" : "damaged: " + epoch->problem});
  }
  append_table(text, "  ", rows);
  return text;
}

std::string epochs_json(const std::string& set, const std::vector<EpochSummary>& epochs, int64_t now_us) {
  std::string text;
  for (auto epoch = epochs.rbegin(); epoch != epochs.rend(); ++epoch) {
    Json json = {{"set", set},
                 {"epoch", epoch->epoch},
                 {"created_us", epoch->created_us},
                 {"age_us", std::max<int64_t>(0, now_us - epoch->created_us)},
                 {"bytes", epoch->bytes},
                 {"state", condition_json(epoch->problem)},
                 {"problem", epoch->problem}};
    text += json.dump() + "\n";
  }
  return text;
}

std::string manifest_text(const std::string& set, const EpochManifest& manifest, const std::string& problem,
                          int64_t now_us) {
  std::string text = "set " + set + "\n";
  append_table(text, "  ",
               {{"epoch", std::to_string(manifest.epoch)},
                {"written", format_timestamp_us(manifest.created_us) + ", " +
                                age_text(manifest.created_us, now_us) + " ago"},
                {"size", bytes_text(manifest.bytes())},
                {"state", problem.empty() ? "whole" : "damaged: " + problem},
                {"shares", std::to_string(manifest.parallelism)},
                {"input", manifest.ended ? "has ended" : "goes on"}});
  const auto section = [&](const char* title, const std::vector<Row>& rows) {
    if (rows.empty()) return;
    text += std::string("  ") + title + "\n";
    append_table(text, "    ", rows);
  };
  std::vector<Row> rows;
  for (const auto& [app_id, next] : manifest.positions) {
    const auto watermark = manifest.watermarks.find(app_id);
    rows.push_back(
        {app_id, "next " + std::to_string(next),
         watermark == manifest.watermarks.end() ? "" : "watermark " + watermark_text(watermark->second)});
  }
  section("positions", rows);
  rows.clear();
  for (const auto& [source, watermark] : manifest.merged) rows.push_back({source, watermark_text(watermark)});
  section("watermarks", rows);
  rows.clear();
  for (const auto& [name, state] : operators_of(manifest))
    rows.push_back({name, bytes_text(state.bytes),
                    std::to_string(state.shares) + (state.shares == 1 ? " share" : " shares")});
  section("operators", rows);
  rows.clear();
  for (const auto& [insert, count] : manifest.sequences)
    rows.push_back({insert, with_thousands(count) + " rows"});
  section("rows made so far", rows);
  rows.clear();
  for (const auto& [sink, files] : manifest.spools) {
    int64_t bytes = 0;
    for (const StateFile& file : files) bytes += file.size;
    if (!files.empty())
      rows.push_back(
          {sink, bytes_text(bytes), std::to_string(files.size()) + (files.size() == 1 ? " file" : " files")});
  }
  section("rows that wait for their sink's commit", rows);
  rows.clear();
  for (const PreparedHandle& handle : manifest.prepared)
    rows.push_back({handle.sink, handle.app_id, files_text(handle)});
  section("prepared with this checkpoint", rows);
  return text;
}

std::string manifest_json(const std::string& set, const EpochManifest& manifest, const std::string& problem,
                          int64_t now_us) {
  Json json = {{"set", set},
               {"epoch", manifest.epoch},
               {"created_us", manifest.created_us},
               {"age_us", std::max<int64_t>(0, now_us - manifest.created_us)},
               {"bytes", manifest.bytes()},
               {"state", condition_json(problem)},
               {"problem", problem},
               {"plan_hash", manifest.plan_hash},
               {"shares", manifest.parallelism},
               {"ended", manifest.ended},
               {"positions", manifest.positions},
               {"watermarks", manifest.watermarks},
               {"merged", manifest.merged},
               {"sequences", manifest.sequences},
               {"operators", Json::object()},
               {"spools", Json::object()},
               {"prepared_epochs", manifest.prepared_epochs},
               {"prepared", Json::array()}};
  for (const auto& [name, state] : operators_of(manifest))
    json["operators"][name] = {{"bytes", state.bytes}, {"shares", state.shares}};
  for (const auto& [sink, files] : manifest.spools) {
    json["spools"][sink] = Json::array();
    for (const StateFile& file : files)
      json["spools"][sink].push_back({{"path", file.path}, {"bytes", file.size}});
  }
  for (const PreparedHandle& handle : manifest.prepared)
    json["prepared"].push_back(
        {{"sink", handle.sink}, {"app_id", handle.app_id}, {"files", paths_of(handle)}});
  return json.dump() + "\n";
}

}  // namespace weir
