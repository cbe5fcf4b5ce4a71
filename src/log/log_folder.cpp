#include "log/log_folder.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>

#include "base/objects.h"

namespace weir {
namespace {

constexpr size_t kDigits = 20;

std::string numbered(const std::string& folder, int64_t number, const char* ending) {
  char digits[kDigits + 1];
  std::snprintf(digits, sizeof digits, "%020lld", static_cast<long long>(number));
  return folder + "/" + digits + ending;
}

}  // namespace

std::string partition_folder(const std::string& folder, const std::string& stream, int partition) {
  return folder + "/" + stream + "/" + std::to_string(partition);
}

std::string segment_path(const std::string& partition_folder, int64_t base_offset) {
  return numbered(partition_folder, base_offset, ".seg");
}

std::string summary_path(const std::string& partition_folder, int64_t base_offset) {
  return numbered(partition_folder, base_offset, ".sum");
}

Result<PartitionFiles> list_partition(const std::string& partition_folder) {
  PartitionFiles files;
  std::error_code error;
  for (std::filesystem::directory_iterator it(partition_folder, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.ends_with(".new")) files.unfinished.push_back(it->path().string());
    if (name.size() != kDigits + 4) continue;
    int64_t base = 0;
    const auto [stop, wrong] = std::from_chars(name.data(), name.data() + kDigits, base);
    if (wrong != std::errc() || stop != name.data() + kDigits || base < 0) continue;
    if (name.ends_with(".seg")) files.segments.push_back(base);
    if (name.ends_with(".sum")) files.summaries.push_back(base);
  }
  if (error) return errno_status(error.value(), "cannot list " + partition_folder);
  std::sort(files.segments.begin(), files.segments.end());
  std::sort(files.summaries.begin(), files.summaries.end());
  return files;
}

Status make_folder(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return {};
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  if (!parent.empty() && parent != path) WEIR_TRY(make_folder(parent.string()));
  if (::mkdir(path.c_str(), 0777) != 0 && errno != EEXIST) {
    return errno_status(errno, "cannot create the folder " + path);
  }
  return sync_path(parent.empty() ? "." : parent.string());
}

}  // namespace weir
