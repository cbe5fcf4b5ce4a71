#include "log/reader_marks.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string_view>

#include "base/objects.h"
#include "log/log_folder.h"
#include "log/log_reader.h"

namespace weir {
namespace {

constexpr std::string_view kMagic = "WeirMrk1";
constexpr size_t kMarkBytes = sizeof(int64_t);
constexpr size_t kFileBytes = kMagic.size() + kMostLogPartitions * kMarkBytes;
constexpr std::string_view kSuffix = ".mark";

// By partition.
using Marks = std::array<int64_t, kMostLogPartitions>;

std::string readers_folder(const std::string& folder, const std::string& stream) {
  return folder + "/" + stream + "/readers";
}

size_t place_of(int partition) { return kMagic.size() + static_cast<size_t>(partition) * kMarkBytes; }

Result<std::optional<Marks>> load(const std::string& path) {
  const auto bytes = read_file(path);
  if (!bytes.ok()) {
    if (bytes.status().code() == Code::not_found) return std::optional<Marks>();
    return bytes.status();
  }
  if (bytes->size() != kFileBytes || bytes->substr(0, kMagic.size()) != kMagic) {
    return Status::invalid(path + ": these are no marks of a reader; delete it to forget that reader");
  }
  Marks marks;
  std::memcpy(marks.data(), bytes->data() + kMagic.size(), sizeof marks);
  return std::optional<Marks>(marks);
}

// In place: what is there already has its room on a full disk, and 8 aligned bytes are never half written.
Status overwrite(const std::string& path, int partition, int64_t next) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (descriptor < 0) return errno_status(errno, "cannot open " + path);
  const auto at = static_cast<off_t>(place_of(partition));
  const ssize_t written = ::pwrite(descriptor, &next, sizeof next, at);
  Status status;
  if (written != sizeof next) status = errno_status(written < 0 ? errno : EIO, "write " + path);
  ::close(descriptor);
  return status;
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
  const std::string name = reader + std::string(kSuffix);
  const std::string path = readers_folder(folder, stream) + "/" + name;
  auto stored = load(path);
  if (!stored.ok() && stored.status().code() != Code::invalid) return stored.status();
  if (stored.ok() && stored->has_value()) {
    if ((**stored)[static_cast<size_t>(partition)] == next) return {};
    return overwrite(path, partition, next);
  }
  std::string bytes(kMagic);
  bytes.resize(kFileBytes);
  std::memcpy(bytes.data() + place_of(partition), &next, sizeof next);
  WEIR_ASSIGN(const auto objects, open_local_objects(readers_folder(folder, stream)));
  return objects->put(name, bytes);
}

Result<ConsumedMarks> consumed_marks(const std::string& folder, const std::string& stream) {
  WEIR_ASSIGN(const LogStreamInfo info, log_stream_info(folder, stream));
  ConsumedMarks consumed;
  for (int partition = 0; partition < info.partitions; ++partition) consumed.lowest[partition] = INT64_MAX;
  std::error_code error;
  for (std::filesystem::directory_iterator it(readers_folder(folder, stream), error), end;
       !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.starts_with('.') || !name.ends_with(kSuffix)) continue;
    WEIR_ASSIGN(const auto marks, load(it->path().string()));
    if (!marks) continue;  // removed just now
    consumed.any = true;
    for (auto& [partition, lowest] : consumed.lowest) {
      lowest = std::min(lowest, (*marks)[static_cast<size_t>(partition)]);
    }
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return errno_status(error.value(), "cannot list " + readers_folder(folder, stream));
  }
  return consumed;
}

}  // namespace weir
