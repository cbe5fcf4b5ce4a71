// Objects under a root: the one seam to local disks and S3 for everything that is not a Delta log commit.
//
// Paths are relative to the root, separated by '/', without "." or "..". All members may be called from
// any thread. What put and put_if_absent have returned ok for survives a crash of the machine (local files
// and their folders are fsynced).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace weir {

// An object being written. Its bytes are visible and durable only after close() returned ok.
class ObjectWriter {
 public:
  virtual ~ObjectWriter() = default;  // without close(): the object is abandoned
  virtual Status write(std::string_view bytes) = 0;
  virtual Status close() = 0;
};

// The end of an object, and how long all of it is.
struct ObjectTail {
  int64_t size = 0;
  std::string bytes;
};

class ObjectStore {
 public:
  virtual ~ObjectStore() = default;
  virtual Status put(const std::string& path, std::string_view bytes) = 0;
  // already_exists when the object is there, also when a lost answer of our own made it.
  virtual Status put_if_absent(const std::string& path, std::string_view bytes) = 0;
  // not_found when absent.
  virtual Result<std::string> get(const std::string& path) = 0;
  // Its size and (at most) its last `most` bytes; not_found when absent. Unless the store can do better, all
  // of it is read for that.
  virtual Result<ObjectTail> tail(const std::string& path, size_t most);
  // Paths below `prefix` (a folder, or "" for all), sorted; empty when the folder is absent.
  virtual Result<std::vector<std::string>> list(const std::string& prefix) = 0;
  // ok when the object was absent already.
  virtual Status remove(const std::string& path) = 0;
  // All objects below `folder`, and what writers that never closed left there: nobody writes there any more.
  virtual Status remove_folder(const std::string& folder);
  virtual Result<std::unique_ptr<ObjectWriter>> open_writer(const std::string& path) = 0;
};

// Objects as files below `folder`, which is created when it is missing.
Result<std::unique_ptr<ObjectStore>> open_local_objects(const std::string& folder);

// fsync of a file or folder; a full disk is `exhausted`.
Status sync_path(const std::string& path);

Result<std::string> read_file(const std::string& path);

// A Status for `errno`: ENOSPC is exhausted, EACCES and EROFS denied, ENOENT not_found, the rest unavailable.
Status errno_status(int error, const std::string& what);

}  // namespace weir
