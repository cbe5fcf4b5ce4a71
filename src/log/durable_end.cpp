#include "log/durable_end.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <ctime>

#include "base/objects.h"

namespace weir {
namespace {

constexpr size_t kBytes = sizeof(int64_t);
static_assert(std::atomic<int64_t>::is_always_lock_free && sizeof(std::atomic<int64_t>) == kBytes);

// A futex is 32 bits; little-endian, so the low half comes first and changes with every frame.
long futex(std::atomic<int64_t>* word, int operation, uint32_t value, const timespec* timeout) {
  return ::syscall(SYS_futex, reinterpret_cast<uint32_t*>(word), operation, value, timeout, nullptr, 0);
}

}  // namespace

Result<std::unique_ptr<DurableEnd>> DurableEnd::map(int descriptor, const std::string& path, bool writable) {
  void* page =
      ::mmap(nullptr, kBytes, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, descriptor, 0);
  const int error = errno;
  ::close(descriptor);
  if (page == MAP_FAILED) return errno_status(error, "cannot map " + path);
  return std::unique_ptr<DurableEnd>(new DurableEnd(static_cast<std::atomic<int64_t>*>(page)));
}

Result<std::unique_ptr<DurableEnd>> DurableEnd::open_writable(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor < 0) return errno_status(errno, "cannot open " + path);
  struct stat info{};
  if (::fstat(descriptor, &info) == 0 && info.st_size >= static_cast<off_t>(kBytes)) {
    return map(descriptor, path, true);
  }
  // Written, not only made long: a page without a block on a full disk would end the process.
  const int64_t zero = 0;
  Status status;
  if (::pwrite(descriptor, &zero, kBytes, 0) != static_cast<ssize_t>(kBytes) || ::fsync(descriptor) != 0) {
    status = errno_status(errno, "cannot write " + path);
    ::close(descriptor);
    ::unlink(path.c_str());
    return status;
  }
  return map(descriptor, path, true);
}

Result<std::unique_ptr<DurableEnd>> DurableEnd::open_readable(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    if (errno == ENOENT) return Status::unavailable("the log's writer has not made " + path + " yet");
    return errno_status(errno, "cannot open " + path);
  }
  struct stat info{};
  if (::fstat(descriptor, &info) != 0 || info.st_size < static_cast<off_t>(kBytes)) {
    ::close(descriptor);
    return Status::unavailable("the log's writer has not written " + path + " yet");
  }
  return map(descriptor, path, false);
}

DurableEnd::~DurableEnd() { ::munmap(value_, kBytes); }

void DurableEnd::store(int64_t end) {
  value_->store(end, std::memory_order_release);
  futex(value_, FUTEX_WAKE, INT_MAX, nullptr);
}

void DurableEnd::wait(int64_t seen, std::chrono::milliseconds timeout) const {
  if (load() != seen || timeout.count() <= 0) return;
  timespec left{};
  left.tv_sec = timeout.count() / 1000;
  left.tv_nsec = timeout.count() % 1000 * 1'000'000;
  futex(value_, FUTEX_WAIT, static_cast<uint32_t>(seen), &left);
}

}  // namespace weir
