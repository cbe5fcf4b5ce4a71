#include "edge/key_store.h"

#include <openssl/evp.h>

#include <array>
#include <cstring>
#include <deque>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "log/log_reader.h"
#include "log/log_writer.h"

namespace weir {
namespace {

constexpr size_t kReadEvents = 4096;
constexpr size_t kReadBytes = 4 << 20;
constexpr char kVersion = 1;

// Keys are compared by 128 bits of their SHA-256: small, and not to be guessed together by a client.
struct Digest {
  uint64_t high = 0, low = 0;
  bool operator==(const Digest&) const = default;
};
struct DigestHash {
  size_t operator()(const Digest& digest) const { return digest.low; }
};

Digest digest_of(std::string_view key) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned int size = 0;
  EVP_Digest(key.data(), key.size(), bytes.data(), &size, EVP_sha256(), nullptr);
  Digest digest;
  std::memcpy(&digest.high, bytes.data(), 8);
  std::memcpy(&digest.low, bytes.data() + 8, 8);
  return digest;
}

// Neighbouring events in neighbouring places.
struct Run {
  int32_t partition;
  int64_t first;  // -1: not known to be stored
  int32_t count;
};

std::vector<Run> runs_of(const std::vector<StoredEvent>& events) {
  std::vector<Run> runs;
  for (const StoredEvent& event : events) {
    if (!runs.empty() && runs.back().partition == event.partition &&
        (!event.stored() || runs.back().first + runs.back().count == event.offset)) {
      ++runs.back().count;
    } else {
      runs.push_back({event.partition, event.offset, 1});
    }
  }
  return runs;
}

std::vector<StoredEvent> events_of(const std::vector<Run>& runs) {
  std::vector<StoredEvent> events;
  for (const Run& run : runs) {
    for (int32_t i = 0; i < run.count; ++i) {
      events.push_back({run.partition, run.partition < 0 ? -1 : run.first + i, false});
    }
  }
  return events;
}

// A note's payload, little endian: version u8, done u8, fingerprint u64, then runs of partition i32, first
// i64, count i32. Its key is the digest.
std::string encode(const KnownRequest& request) {
  std::string text = {kVersion, static_cast<char>(request.done ? 1 : 0)};
  auto put = [&](auto value) { text.append(reinterpret_cast<const char*>(&value), sizeof value); };
  put(request.fingerprint);
  for (const Run& run : runs_of(request.events)) {
    put(run.partition);
    put(run.first);
    put(run.count);
  }
  return text;
}

struct Entry {
  uint64_t fingerprint = 0;
  int64_t noted_us = 0;
  bool done = false;
  std::vector<Run> runs;
};

bool decode(std::string_view text, Entry& entry) {
  constexpr size_t kHead = 10, kRun = 16;
  if (text.size() < kHead || text[0] != kVersion || (text.size() - kHead) % kRun != 0) return false;
  entry.done = text[1] != 0;
  std::memcpy(&entry.fingerprint, text.data() + 2, 8);
  int64_t events = 0;
  for (size_t at = kHead; at < text.size(); at += kRun) {
    Run run{};
    std::memcpy(&run.partition, text.data() + at, 4);
    std::memcpy(&run.first, text.data() + at + 4, 8);
    std::memcpy(&run.count, text.data() + at + 12, 4);
    events += run.count;
    if (run.count <= 0 || events > (1 << 24)) return false;
    entry.runs.push_back(run);
  }
  return true;
}

class LoggedKeys final : public KeyStore {
 public:
  LoggedKeys(const Clock& clock, std::chrono::seconds window, size_t most)
      : clock_(clock), window_us_(window.count() * 1'000'000), most_(most) {}

  Status open(const std::string& folder, std::chrono::seconds window);
  std::optional<KnownRequest> find(std::string_view key) override;
  void note(std::string key, KnownRequest request, std::function<void(Status)> answer) override;
  Status retain() override { return writer_->retain(); }

 private:
  struct Pending {
    std::string key;
    std::string payload;
    KnownRequest request;
    std::function<void(Status)> answer;
  };

  void remember(const Digest& digest, Entry entry);  // under mutex_
  void forget_old(int64_t now_us);                   // under mutex_

  const Clock& clock_;
  const int64_t window_us_;
  const size_t most_;
  std::mutex mutex_;
  std::unordered_map<Digest, Entry, DigestHash> entries_;
  std::deque<std::pair<int64_t, Digest>> by_age_;  // one for each note
  std::unique_ptr<LogWriter> writer_;              // last: its callbacks end first
};

Status LoggedKeys::open(const std::string& folder, std::chrono::seconds window) {
  LogWriterSettings settings;
  settings.folder = folder;
  settings.stream = kKeyStream;
  settings.segment_bytes = 8 << 20;
  settings.retention.max_age = window;
  WEIR_ASSIGN(writer_, LogWriter::open(std::move(settings), clock_));
  const LogWriter::Extent extent = writer_->extents().front();
  if (extent.first >= extent.next) return {};
  WEIR_ASSIGN(const auto reader, LogReader::open(folder, kKeyStream, 0, extent.first));
  std::lock_guard lock(mutex_);
  const int64_t oldest = clock_.now_us() - window_us_;
  for (int64_t next = extent.first; next < extent.next;) {
    WEIR_ASSIGN(const EventBatch batch, reader->read(kReadEvents, kReadBytes));
    if (batch.next <= next) break;
    next = batch.next;
    for (const Event& event : batch.events) {
      Entry entry;
      entry.noted_us = event.timestamp_us;
      const std::string_view digest = batch.view(event.key);
      if (event.timestamp_us < oldest || digest.size() != sizeof(Digest)) continue;
      if (!decode(batch.view(event.payload), entry)) {
        return Status::invalid("the note at offset " + std::to_string(event.offset) + " of " + kKeyStream +
                               " is of a newer Weir, or damaged");
      }
      Digest key;
      std::memcpy(&key, digest.data(), sizeof key);
      remember(key, std::move(entry));
    }
  }
  return {};
}

void LoggedKeys::remember(const Digest& digest, Entry entry) {
  by_age_.emplace_back(entry.noted_us, digest);
  entries_[digest] = std::move(entry);
}

void LoggedKeys::forget_old(int64_t now_us) {
  while (!by_age_.empty() && by_age_.front().first < now_us - window_us_) {
    const auto found = entries_.find(by_age_.front().second);
    // A later note of the same key keeps it.
    if (found != entries_.end() && found->second.noted_us == by_age_.front().first) entries_.erase(found);
    by_age_.pop_front();
  }
}

std::optional<KnownRequest> LoggedKeys::find(std::string_view key) {
  const Digest digest = digest_of(key);
  std::lock_guard lock(mutex_);
  forget_old(clock_.now_us());
  const auto found = entries_.find(digest);
  if (found == entries_.end()) return std::nullopt;
  return KnownRequest{found->second.fingerprint, found->second.done, events_of(found->second.runs)};
}

void LoggedKeys::note(std::string key, KnownRequest request, std::function<void(Status)> answer) {
  const Digest digest = digest_of(key);
  const int64_t now = clock_.now_us();
  bool full = false;
  {
    std::lock_guard lock(mutex_);
    forget_old(now);
    full = entries_.size() >= most_ && entries_.count(digest) == 0;
  }
  // Under no lock: whoever is answered may hold one of its own while it asks for keys.
  if (full) {
    return answer({Code::exhausted, "no more than " + std::to_string(most_) +
                                        " Idempotency-Keys are remembered; send without one, or later"});
  }
  auto pending = std::make_shared<Pending>();
  pending->key.assign(reinterpret_cast<const char*>(&digest), sizeof digest);
  pending->payload = encode(request);
  pending->request = std::move(request);
  pending->answer = std::move(answer);
  LogRecord record;
  record.payload = pending->payload;
  record.key = pending->key;
  record.timestamp_us = now;
  std::vector<LogPart> parts(1);
  parts[0].records.push_back(record);
  writer_->append(std::move(parts), {}, [this, pending, digest, now](const auto& appended) {
    if (appended.ok()) {
      Entry entry{pending->request.fingerprint, now, pending->request.done, runs_of(pending->request.events)};
      std::lock_guard lock(mutex_);
      remember(digest, std::move(entry));
    }
    pending->answer(appended.status());
  });
}

}  // namespace

Result<std::shared_ptr<KeyStore>> KeyStore::open(const std::string& folder, const Clock& clock,
                                                 std::chrono::seconds window, size_t most) {
  auto store = std::make_shared<LoggedKeys>(clock, window, most);
  WEIR_TRY(store->open(folder, window).with_context("Idempotency-Keys of brokers"));
  return std::shared_ptr<KeyStore>(std::move(store));
}

}  // namespace weir
