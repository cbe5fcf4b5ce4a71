#include "base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/objects.h"

namespace weir {

Result<std::unique_ptr<FileLock>> FileLock::acquire(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  if (error) return errno_status(error.value(), "cannot create the folder of " + path);
  int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) return errno_status(errno, "cannot open " + path);
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    char owner[32] = {};
    ssize_t size = pread(descriptor, owner, sizeof owner - 1, 0);
    close(descriptor);
    std::string pid = size > 0 ? std::string(owner, static_cast<size_t>(size)) : "unknown";
    return Status(Code::already_exists, path + " is held by process " + pid);
  }
  std::string pid = std::to_string(getpid());
  if (ftruncate(descriptor, 0) != 0 || pwrite(descriptor, pid.data(), pid.size(), 0) < 0) {
    Status status = errno_status(errno, "cannot write " + path);
    close(descriptor);
    return status;
  }
  return std::unique_ptr<FileLock>(new FileLock(descriptor));
}

FileLock::~FileLock() { close(descriptor_); }

}  // namespace weir
