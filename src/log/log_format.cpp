#include "log/log_format.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/objects.h"
#include "log/log_folder.h"

namespace weir {
namespace {

constexpr const char* kFormat = "weir-log";
constexpr int kVersion = 1;

}  // namespace

bool is_log_stream_name(std::string_view name) {
  if (name.empty() || name.size() > 100) return false;
  const auto plain = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  return plain(name.front()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return plain(c) || c == '.' || c == '-'; });
}

Status check_log_stream_name(const std::string& stream) {
  if (is_log_stream_name(stream)) return {};
  return Status::invalid("'" + stream +
                         "' is no name of a stream: letters, digits, '_', '.' and '-', beginning with a "
                         "letter, a digit or '_', at most 100");
}

std::string encode_stream_info(const LogStreamInfo& info) {
  const nlohmann::json json = {{"format", kFormat},
                               {"version", kVersion},
                               {"stream", info.stream},
                               {"id", info.id},
                               {"partitions", info.partitions}};
  return json.dump(1) + "\n";
}

Result<LogStreamInfo> log_stream_info(const std::string& folder, const std::string& stream) {
  WEIR_TRY(check_log_stream_name(stream));
  const std::string path = folder + "/" + stream + "/stream.json";
  auto bytes = read_file(path);
  if (!bytes.ok()) {
    if (bytes.status().code() != Code::not_found) return bytes.status();
    return Status(Code::not_found, "the log '" + folder + "' has no stream '" + stream + "'");
  }
  const auto damaged = [&](const std::string& what) { return Status::invalid(path + ": " + what); };
  const auto json = nlohmann::json::parse(*bytes, nullptr, false);
  if (!json.is_object() || !json.contains("format") || json["format"] != kFormat) {
    return damaged("this is no description of a stream");
  }
  const auto version = json.find("version");
  if (version == json.end() || !version->is_number_integer()) return damaged("it has no version");
  if (*version != kVersion) return damaged("its version is " + version->dump() + ", this Weir knows 1");
  LogStreamInfo info;
  const auto name = json.find("stream");
  const auto id = json.find("id");
  const auto partitions = json.find("partitions");
  if (name == json.end() || *name != stream) return damaged("it describes another stream");
  if (id == json.end() || !id->is_string()) return damaged("it has no id");
  info.stream = stream;
  info.id = id->get<std::string>();
  if (info.id.empty() || info.id.size() > 32) return damaged("its id is not sound");
  if (partitions == json.end() || !partitions->is_number_integer() || *partitions < 1 ||
      *partitions > kMostLogPartitions) {
    return damaged("its number of partitions is not sound");
  }
  info.partitions = partitions->get<int>();
  return info;
}

Result<std::vector<std::string>> log_streams(const std::string& folder) {
  std::vector<std::string> streams;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    std::error_code ignored;
    if (is_log_stream_name(name) && std::filesystem::is_regular_file(it->path() / "stream.json", ignored)) {
      streams.push_back(name);
    }
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return errno_status(error.value(), "cannot list " + folder);
  }
  std::sort(streams.begin(), streams.end());
  return streams;
}

}  // namespace weir
