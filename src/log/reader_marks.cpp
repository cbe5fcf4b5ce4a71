#include "log/reader_marks.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/objects.h"
#include "log/log_folder.h"
#include "log/log_reader.h"

namespace weir {
namespace {

constexpr const char* kFormat = "weir-log-reader";
constexpr int kVersion = 1;

using Marks = std::map<int, int64_t>;

std::string readers_folder(const std::string& folder, const std::string& stream) {
  return folder + "/" + stream + "/readers";
}

Result<Marks> decode(const std::string& path, const std::string& bytes) {
  const auto damaged = [&](const char* what) {
    return Status::invalid(path + ": " + what + "; delete it to forget that reader");
  };
  const auto json = nlohmann::json::parse(bytes, nullptr, false);
  if (!json.is_object() || !json.contains("format") || json["format"] != kFormat) {
    return damaged("these are no marks of a reader");
  }
  if (!json.contains("version") || json["version"] != kVersion) return damaged("its version is unknown");
  const auto next = json.find("next");
  if (next == json.end() || !next->is_object()) return damaged("it has no positions");
  Marks marks;
  for (const auto& [name, value] : next->items()) {
    int partition = -1;
    const auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), partition);
    if (error != std::errc() || stop != name.data() + name.size() || !value.is_number_integer()) {
      return damaged("a position is not sound");
    }
    marks[partition] = value.get<int64_t>();
  }
  return marks;
}

Result<std::optional<Marks>> load(const std::string& path) {
  auto bytes = read_file(path);
  if (!bytes.ok()) {
    if (bytes.status().code() == Code::not_found) return std::optional<Marks>();
    return bytes.status();
  }
  WEIR_ASSIGN(Marks marks, decode(path, *bytes));
  return std::optional<Marks>(std::move(marks));
}

}  // namespace

Status mark_log_reader(const std::string& folder, const std::string& stream, const std::string& reader,
                       int partition, int64_t next) {
  // Several partitions' threads mark one reader; another process with this name only loses progress.
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  WEIR_TRY(check_log_stream_name(stream));
  if (!is_log_stream_name(reader)) return Status::invalid("'" + reader + "' is no name of a reader");
  WEIR_ASSIGN(const LogStreamInfo info, log_stream_info(folder, stream));
  if (partition < 0 || partition >= info.partitions || next < 0) {
    return Status::invalid("stream '" + stream + "' has no partition " + std::to_string(partition));
  }
  const std::string name = reader + ".json";
  WEIR_ASSIGN(const auto objects, open_local_objects(readers_folder(folder, stream)));
  auto stored = load(readers_folder(folder, stream) + "/" + name);
  if (!stored.ok() && stored.status().code() != Code::invalid) return stored.status();
  Marks marks;
  if (stored.ok() && stored->has_value()) marks = **stored;
  const auto before = marks.find(partition);
  if (before != marks.end() && before->second == next) return {};
  marks[partition] = next;
  nlohmann::json json = {{"format", kFormat}, {"version", kVersion}, {"next", nlohmann::json::object()}};
  for (const auto& [number, position] : marks) json["next"][std::to_string(number)] = position;
  return objects->put(name, json.dump(1) + "\n");
}

Result<ConsumedMarks> consumed_marks(const std::string& folder, const std::string& stream) {
  WEIR_ASSIGN(const LogStreamInfo info, log_stream_info(folder, stream));
  ConsumedMarks consumed;
  for (int partition = 0; partition < info.partitions; ++partition) consumed.lowest[partition] = INT64_MAX;
  std::error_code error;
  for (std::filesystem::directory_iterator it(readers_folder(folder, stream), error), end;
       !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.starts_with('.') || !name.ends_with(".json")) continue;
    WEIR_ASSIGN(const std::optional<Marks> marks, load(it->path().string()));
    if (!marks) continue;  // removed just now
    consumed.any = true;
    for (auto& [partition, lowest] : consumed.lowest) {
      const auto mark = marks->find(partition);
      lowest = std::min(lowest, mark == marks->end() ? 0 : mark->second);
    }
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return errno_status(error.value(), "cannot list " + readers_folder(folder, stream));
  }
  return consumed;
}

}  // namespace weir
