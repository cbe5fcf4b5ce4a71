// One process at a time: an advisory lock (flock) on a file that holds the owner's pid. Ends with the
// process.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"

namespace weir {

class FileLock {
 public:
  // already_exists, naming the owner's pid, when another process holds it. Creates the folder.
  static Result<std::unique_ptr<FileLock>> acquire(const std::string& path);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace weir
