#include "base/objects.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/environment.h"

namespace weir {

namespace {

namespace fs = std::filesystem;

// Files being written; never listed, harmless when a crash leaves one behind.
constexpr std::string_view kTemporary = ".weir-tmp-";

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }
  int number() const { return number_; }
  int close() {
    const int result = number_ < 0 ? 0 : ::close(number_);
    number_ = -1;
    return result;
  }

 private:
  int number_;
};

Status write_all(int descriptor, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return errno_status(errno, "write " + path);
    }
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

// Makes missing folders, each entry of a parent durable before it is relied on.
Status make_folders(const fs::path& folder) {
  std::error_code error;
  if (folder.empty() || fs::is_directory(folder, error)) return {};
  if (folder.has_parent_path() && folder.parent_path() != folder)
    WEIR_TRY(make_folders(folder.parent_path()));
  if (::mkdir(folder.c_str(), 0777) != 0) {
    if (errno == EEXIST && fs::is_directory(folder, error)) return {};
    return errno_status(errno, "create folder " + folder.string());
  }
  return sync_path(folder.has_parent_path() ? folder.parent_path().string() : ".");
}

// A new file beside `target`, gone again unless it was published.
class TemporaryFile {
 public:
  static Result<std::unique_ptr<TemporaryFile>> create(const fs::path& target) {
    WEIR_TRY(make_folders(target.parent_path()));
    std::string path = (target.parent_path() / (std::string(kTemporary) + random_hex_id())).string();
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor < 0) return errno_status(errno, "create " + path);
    return std::unique_ptr<TemporaryFile>(new TemporaryFile(std::move(path), target, descriptor));
  }
  ~TemporaryFile() {
    file_.close();
    if (!published_) ::unlink(path_.c_str());
  }

  Status write(std::string_view bytes) { return write_all(file_.number(), bytes, path_); }

  // Gives the file its name: replacing what is there, or only if nothing is.
  Status publish(bool if_absent) {
    if (::fsync(file_.number()) != 0) return errno_status(errno, "fsync " + path_);
    if (file_.close() != 0) return errno_status(errno, "close " + path_);
    if (if_absent) {
      if (::link(path_.c_str(), target_.c_str()) != 0) {
        if (errno == EEXIST) return {Code::already_exists, target_.string() + " is there already"};
        return errno_status(errno, "create " + target_.string());
      }
    } else {
      if (::rename(path_.c_str(), target_.c_str()) != 0) {
        return errno_status(errno, "rename to " + target_.string());
      }
      published_ = true;
    }
    return sync_path(target_.parent_path().string());
  }

 private:
  TemporaryFile(std::string path, fs::path target, int descriptor)
      : path_(std::move(path)), target_(std::move(target)), file_(descriptor) {}

  std::string path_;
  fs::path target_;
  Descriptor file_;
  bool published_ = false;
};

class LocalWriter final : public ObjectWriter {
 public:
  explicit LocalWriter(std::unique_ptr<TemporaryFile> file) : file_(std::move(file)) {}

  Status write(std::string_view bytes) override {
    if (!file_) return Status::internal("an object was written after its close");
    return file_->write(bytes);
  }
  Status close() override {
    if (!file_) return Status::internal("an object was closed twice");
    Status status = file_->publish(false);
    file_.reset();
    return status;
  }

 private:
  std::unique_ptr<TemporaryFile> file_;
};

class LocalObjects final : public ObjectStore {
 public:
  explicit LocalObjects(fs::path root) : root_(std::move(root)) {}

  Status put(const std::string& path, std::string_view bytes) override { return put(path, bytes, false); }
  Status put_if_absent(const std::string& path, std::string_view bytes) override {
    return put(path, bytes, true);
  }

  Result<std::string> get(const std::string& path) override {
    WEIR_ASSIGN(fs::path target, inside(path));
    return read_file(target.string());
  }

  Result<ObjectTail> tail(const std::string& path, size_t most) override {
    WEIR_ASSIGN(fs::path target, inside(path));
    Descriptor file(::open(target.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat info{};
    if (file.number() < 0 || ::fstat(file.number(), &info) != 0)
      return errno_status(errno, "open " + target.string());
    ObjectTail result;
    result.size = info.st_size;
    result.bytes.resize(std::min(most, static_cast<size_t>(result.size)));
    size_t done = 0;
    while (done < result.bytes.size()) {
      const off_t from = result.size - static_cast<int64_t>(result.bytes.size() - done);
      const ssize_t count =
          ::pread(file.number(), result.bytes.data() + done, result.bytes.size() - done, from);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return errno_status(errno, "read " + target.string());
      if (count == 0) break;
      done += static_cast<size_t>(count);
    }
    result.bytes.resize(done);
    return result;
  }

  Result<std::vector<std::string>> list(const std::string& prefix) override {
    fs::path folder = root_;
    if (!prefix.empty()) {
      WEIR_ASSIGN(folder, inside(prefix));
    }
    std::vector<std::string> paths;
    std::error_code error;
    fs::recursive_directory_iterator entries(folder, error);
    if (error.value() == ENOENT || error.value() == ENOTDIR) return paths;
    for (; !error && entries != fs::recursive_directory_iterator(); entries.increment(error)) {
      std::error_code gone;
      if (!entries->is_regular_file(gone)) continue;
      if (entries->path().filename().string().starts_with(kTemporary)) continue;
      paths.push_back(entries->path().lexically_relative(root_).generic_string());
    }
    if (error) return errno_status(error.value(), "list " + folder.string());
    std::sort(paths.begin(), paths.end());
    return paths;
  }

  Status remove(const std::string& path) override {
    WEIR_ASSIGN(fs::path target, inside(path));
    if (::unlink(target.c_str()) != 0) {
      if (errno == ENOENT || errno == ENOTDIR) return {};
      return errno_status(errno, "remove " + target.string());
    }
    return sync_path(target.parent_path().string());
  }

  Status remove_folder(const std::string& folder) override {
    WEIR_ASSIGN(fs::path target, inside(folder));
    std::error_code error;
    fs::remove_all(target, error);
    if (error) return errno_status(error.value(), "remove " + target.string());
    Status synced = sync_path(target.parent_path().string());
    return synced.code() == Code::not_found ? Status() : synced;
  }

  Result<std::unique_ptr<ObjectWriter>> open_writer(const std::string& path) override {
    WEIR_ASSIGN(fs::path target, inside(path));
    WEIR_ASSIGN(auto file, TemporaryFile::create(target));
    return std::unique_ptr<ObjectWriter>(std::make_unique<LocalWriter>(std::move(file)));
  }

 private:
  Status put(const std::string& path, std::string_view bytes, bool if_absent) {
    WEIR_ASSIGN(fs::path target, inside(path));
    WEIR_ASSIGN(auto file, TemporaryFile::create(target));
    WEIR_TRY(file->write(bytes));
    return file->publish(if_absent);
  }

  Result<fs::path> inside(const std::string& path) const {
    const fs::path relative(path);
    bool leaves = path.empty() || relative.is_absolute();
    for (const auto& part : relative) leaves = leaves || part == ".." || part == ".";
    if (leaves) return Status::internal("object path '" + path + "' leaves its root");
    return root_ / relative;
  }

  fs::path root_;
};

}  // namespace

Result<ObjectTail> ObjectStore::tail(const std::string& path, size_t most) {
  WEIR_ASSIGN(std::string bytes, get(path));
  ObjectTail result;
  result.size = static_cast<int64_t>(bytes.size());
  result.bytes = bytes.substr(bytes.size() - std::min(most, bytes.size()));
  return result;
}

Status ObjectStore::remove_folder(const std::string& folder) {
  WEIR_ASSIGN(auto paths, list(folder));
  for (const std::string& path : paths) WEIR_TRY(remove(path));
  return {};
}

Result<std::unique_ptr<ObjectStore>> open_local_objects(const std::string& folder) {
  std::error_code error;
  const fs::path root = fs::absolute(folder, error).lexically_normal();
  if (error) return errno_status(error.value(), folder);
  // "a/b/" has an empty last part.
  const fs::path trimmed = root.has_filename() ? root : root.parent_path();
  WEIR_TRY(make_folders(trimmed));
  return std::unique_ptr<ObjectStore>(std::make_unique<LocalObjects>(trimmed));
}

Status sync_path(const std::string& path) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.number() < 0) return errno_status(errno, "open " + path);
  if (::fsync(file.number()) != 0) return errno_status(errno, "fsync " + path);
  return {};
}

Result<std::string> read_file(const std::string& path) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.number() < 0) return errno_status(errno, "open " + path);
  struct stat info{};
  std::string bytes;
  if (::fstat(file.number(), &info) == 0 && info.st_size > 0)
    bytes.reserve(static_cast<size_t>(info.st_size));
  char buffer[64 * 1024];
  while (true) {
    const ssize_t count = ::read(file.number(), buffer, sizeof buffer);
    if (count == 0) return bytes;
    if (count < 0) {
      if (errno == EINTR) continue;
      return errno_status(errno, "read " + path);
    }
    bytes.append(buffer, static_cast<size_t>(count));
  }
}

Status errno_status(int error, const std::string& what) {
  Code code = Code::unavailable;
  if (error == ENOSPC || error == EDQUOT) code = Code::exhausted;
  if (error == EACCES || error == EPERM || error == EROFS) code = Code::denied;
  if (error == ENOENT || error == ENOTDIR) code = Code::not_found;
  return {code, what + ": " + std::strerror(error)};
}

}  // namespace weir
