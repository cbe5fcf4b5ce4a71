#include "sources/nats/nats_group.h"

#include <algorithm>
#include <cstdio>
#include <string_view>
#include <utility>

#include "base/environment.h"
#include "sources/nats/partition_share.h"

namespace weir {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;
constexpr int64_t kLookAroundNs = 1'000 * kNsPerMs;
constexpr int kWrongLastSequence = 10164;  // what newer servers answer beside JSStreamWrongLastSequenceErr

std::string worker_name(const Clock& clock) {
  char start[24];
  std::snprintf(start, sizeof start, "%020lld", static_cast<long long>(clock.now_us()));
  return std::string(start) + "-" + random_hex_id();
}

}  // namespace

std::string fnv_hex(std::string_view text) {
  uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  char hex[17];
  std::snprintf(hex, sizeof hex, "%016llx", static_cast<unsigned long long>(hash));
  return hex;
}

NatsGroup::NatsGroup(NatsGroupSettings settings)
    : settings_(std::move(settings)),
      me_(worker_name(*settings_.clock)),
      bucket_("KV_" + settings_.name),
      ttl_ns_(settings_.options.duration("lease.ttl").count() * kNsPerMs) {}

NatsGroup::~NatsGroup() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Status NatsGroup::join(std::chrono::milliseconds timeout) {
  const Clock& clock = *settings_.clock;
  std::unique_lock<std::mutex> lock(mutex_);
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  if (joining_ns_ < 0) {
    joining_ns_ = clock.monotonic_ns();
    looks_ = 0;
  }
  const int64_t patience_ns = joining_ns_ + (settings_.once ? 2 * ttl_ns_ : ttl_ns_ / 2);
  const int64_t deadline_ns = clock.monotonic_ns() + timeout.count() * kNsPerMs;
  joining_ = true;
  settled_ = false;
  status_ = {};
  wake_.notify_all();
  const auto done = [&] {
    if (!status_.ok() && !status_.retryable()) return true;
    return status_.ok() && looks_ > 0 && (settled_ || clock.monotonic_ns() >= patience_ns);
  };
  while (!done() && clock.monotonic_ns() < deadline_ns) {
    looked_.wait_for(lock, std::chrono::milliseconds(50));
  }
  joining_ = false;
  if (!done()) {
    return status_.ok() ? Status::unavailable("the workers are sharing the partitions out") : status_;
  }
  joining_ns_ = -1;
  if (!status_.ok()) return status_;
  share_.clear();
  const int64_t now_ns = clock.monotonic_ns();
  for (const std::string& partition : settings_.partitions) {
    if (valid(partition, now_ns)) share_.push_back(partition);
  }
  differs_ = false;
  return {};
}

bool NatsGroup::changing() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const int64_t now_ns = settings_.clock->monotonic_ns();
  return differs_ || std::any_of(share_.begin(), share_.end(),
                                 [&](const std::string& partition) { return !valid(partition, now_ns); });
}

std::vector<std::string> NatsGroup::share() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return share_;
}

bool NatsGroup::holds(const std::string& partition) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return valid(partition, settings_.clock->monotonic_ns());
}

bool NatsGroup::valid(const std::string& partition, int64_t now_ns) const {
  const auto found = leases_.find(partition);
  return found != leases_.end() && now_ns < found->second.valid_until_ns;
}

int64_t NatsGroup::look_every_ms(bool joining) const {
  return std::max<int64_t>(50, ttl_ns_ / kNsPerMs / (joining ? 20 : 4));
}

void NatsGroup::run() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!ending_) {
    const bool joining = joining_;
    lock.unlock();
    Status status = look(joining);
    lock.lock();
    if (status.ok() && joining) ++looks_;
    status_ = std::move(status);
    looked_.notify_all();
    if (ending_) break;
    const bool before = joining_;
    // A caller that begins to join is seen to at once.
    wake_.wait_for(lock, std::chrono::milliseconds(look_every_ms(before)),
                   [&] { return ending_ || (joining_ && !before); });
  }
  lock.unlock();
  leave();
}

Status NatsGroup::look(bool joining) {
  WEIR_TRY(connect());
  WEIR_ASSIGN(const Written worker, write("w." + me_, nullptr));
  worker_revision_ = worker.revision;
  std::vector<std::string> mine;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& [partition, lease] : leases_) mine.push_back(partition);
  }
  for (const std::string& partition : mine) WEIR_TRY(renew(partition));
  return share_out(joining);
}

// ---- the bucket ----

Status NatsGroup::connect() {
  if (connection_ != nullptr && connection_->closed()) connection_.reset();
  if (connection_ != nullptr) return connection_->connected() ? Status() : connection_->disconnected();
  WEIR_ASSIGN(connection_, NatsConnection::connect(settings_.options));
  if (Status made = make_bucket(); !made.ok()) {
    connection_.reset();
    return made;
  }
  return {};
}

// As `nats kv add` makes it, so that its tools read it.
Status NatsGroup::make_bucket() {
  WEIR_ASSIGN(const NatsStreamInfo read, connection_->stream(settings_.stream));
  const int64_t ttl_ns = settings_.options.duration("lease.ttl").count() * kNsPerMs;
  kvConfig config;
  kvConfig_Init(&config);
  config.Bucket = settings_.name.c_str();
  config.Description = "made by weir: who reads which partitions now";
  config.TTL = ttl_ns;
  config.Replicas = static_cast<int>(read->Config->Replicas);
  kvStore* store = nullptr;
  const natsStatus status = js_CreateKeyValue(&store, connection_->jetstream(), &config);
  const NatsOwned<kvStore, kvStore_Destroy> owned(store);
  if (status == NATS_OK) return {};
  // It may be there with another TTL: ours holds from now on; the others read it when they look.
  Status failure = connection_->failure(
      "cannot make the key-value bucket '" + settings_.name + "' by which workers share partitions out",
      status);
  Result<NatsStreamInfo> found = connection_->stream(bucket_);
  if (!found.ok()) return failure;
  jsStreamConfig* there = (*found)->Config;
  if (there->MaxAge == ttl_ns) return {};
  there->MaxAge = ttl_ns;
  there->Duplicates = std::min<int64_t>(ttl_ns, 120'000 * kNsPerMs);
  jsErrCode error = static_cast<jsErrCode>(0);
  const natsStatus updated = js_UpdateStream(nullptr, connection_->jetstream(), there, nullptr, &error);
  return updated == NATS_OK ? Status() : connection_->failure("cannot change 'lease.ttl'", updated, error);
}

std::string NatsGroup::key_of(const std::string& partition) const { return "p." + fnv_hex(partition); }

// `expected`: the revision that the key must have, 0 for none; null writes anyway.
Result<NatsGroup::Written> NatsGroup::write(const std::string& key, const uint64_t* expected) {
  const std::string subject = "$KV." + settings_.name + "." + key;
  natsMsg* raw = nullptr;
  natsStatus status =
      natsMsg_Create(&raw, subject.c_str(), nullptr, me_.data(), static_cast<int>(me_.size()));
  const NatsMessage message(raw);
  if (status == NATS_OK && expected != nullptr) {
    status = natsMsgHeader_Set(raw, "Nats-Expected-Last-Subject-Sequence", std::to_string(*expected).c_str());
  }
  jsPubOptions options;
  jsPubOptions_Init(&options);
  options.MaxWait = std::max<int64_t>(100, ttl_ns_ / kNsPerMs / 4);
  jsPubAck* acknowledged = nullptr;
  jsErrCode error = static_cast<jsErrCode>(0);
  if (status == NATS_OK) {
    status = js_PublishMsg(&acknowledged, connection_->jetstream(), raw, &options, &error);
  }
  const NatsOwned<jsPubAck, jsPubAck_Destroy> owned(acknowledged);
  if (status == NATS_OK) return Written{acknowledged->Sequence};
  if (error == JSStreamWrongLastSequenceErr || static_cast<int>(error) == kWrongLastSequence)
    return Written{};
  if (status == NATS_NO_RESPONDERS) connection_.reset();  // the bucket is gone: it is made anew
  if (connection_ == nullptr)
    return Status::unavailable("the key-value bucket '" + settings_.name + "' is gone");
  return connection_->failure("cannot write a lease into '" + settings_.name + "'", status, error);
}

// Of the key's last write; 0 when the key is not there, or another than `owner` (empty: anybody) wrote it.
Result<uint64_t> NatsGroup::revision_of(const std::string& key, const std::string& owner) {
  const std::string subject = "$KV." + settings_.name + "." + key;
  natsMsg* raw = nullptr;
  jsErrCode error = static_cast<jsErrCode>(0);
  const natsStatus status =
      js_GetLastMsg(&raw, connection_->jetstream(), bucket_.c_str(), subject.c_str(), nullptr, &error);
  const NatsMessage message(raw);
  if (status == NATS_NOT_FOUND) return uint64_t{0};
  if (status != NATS_OK) return connection_->failure("cannot read a lease", status, error);
  const std::string_view found(natsMsg_GetData(raw), static_cast<size_t>(natsMsg_GetDataLength(raw)));
  return owner.empty() || found == owner ? natsMsg_GetSequence(raw) : uint64_t{0};
}

// Whether each of the others has shown life since the first look. A worker that has left meanwhile does too.
Result<bool> NatsGroup::others_live(const std::vector<std::string>& workers, uint64_t last_revision) {
  if (first_revision_ == 0) first_revision_ = last_revision;
  for (const std::string& worker : workers) {
    if (worker == me_) continue;
    WEIR_ASSIGN(const uint64_t revision, revision_of("w." + worker, ""));
    if (revision != 0 && revision <= first_revision_) return false;
  }
  return true;
}

Status NatsGroup::purge(const std::string& key, uint64_t revision) {
  const std::string subject = "$KV." + settings_.name + "." + key;
  jsOptions options;
  jsOptions_Init(&options);
  options.Wait = std::max<int64_t>(100, ttl_ns_ / kNsPerMs / 4);
  options.Stream.Purge.Subject = subject.c_str();
  options.Stream.Purge.Sequence = revision + 1;  // what another has written since then stays
  jsErrCode error = static_cast<jsErrCode>(0);
  const natsStatus status = js_PurgeStream(connection_->jetstream(), bucket_.c_str(), &options, &error);
  return status == NATS_OK ? Status() : connection_->failure("cannot release a lease", status, error);
}

// ---- leases ----

// True: the lease is ours from now on. One more try when our own write, whose answer was lost, is in the way.
Result<bool> NatsGroup::acquire(const std::string& partition, uint64_t expected) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    const int64_t sent_ns = settings_.clock->monotonic_ns();
    WEIR_ASSIGN(const Written written, write(key_of(partition), &expected));
    if (written.revision != 0) {
      const std::lock_guard<std::mutex> lock(mutex_);
      leases_[partition] = {written.revision, sent_ns + ttl_ns_ - ttl_ns_ / 10};
      return true;
    }
    WEIR_ASSIGN(expected, revision_of(key_of(partition), me_));
    if (expected == 0) return false;
  }
  return false;
}

Status NatsGroup::renew(const std::string& partition) {
  uint64_t revision = 0;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    revision = leases_[partition].revision;
  }
  WEIR_ASSIGN(const bool ours, acquire(partition, revision));
  if (ours) return {};
  const std::lock_guard<std::mutex> lock(mutex_);
  leases_.erase(partition);
  return {};
}

Status NatsGroup::release(const std::string& partition) {
  uint64_t revision = 0;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    revision = leases_[partition].revision;
    leases_.erase(partition);
  }
  return purge(key_of(partition), revision);
}

Status NatsGroup::share_out(bool joining) {
  const std::string all = "$KV." + settings_.name + ".>";
  jsOptions options;
  jsOptions_Init(&options);
  options.Wait = std::max<int64_t>(100, ttl_ns_ / kNsPerMs / 4);
  options.Stream.Info.SubjectsFilter = all.c_str();
  jsStreamInfo* raw = nullptr;
  jsErrCode error = static_cast<jsErrCode>(0);
  const natsStatus status =
      js_GetStreamInfo(&raw, connection_->jetstream(), bucket_.c_str(), &options, &error);
  const NatsStreamInfo info(raw);
  if (status != NATS_OK) return connection_->failure("cannot read the leases", status, error);
  if (info->Config->MaxAge > 0) ttl_ns_ = info->Config->MaxAge;

  ShareFacts facts{me_, {}, settings_.partitions, {}, {}};
  std::set<std::string> keys;
  const std::string prefix = all.substr(0, all.size() - 1);
  const jsStreamStateSubjects* subjects = info->State.Subjects;
  for (int i = 0; subjects != nullptr && i < subjects->Count; ++i) {
    const std::string key = std::string(subjects->List[i].Subject).substr(prefix.size());
    if (key.rfind("w.", 0) == 0) facts.workers.push_back(key.substr(2));
    keys.insert(key);
  }
  std::sort(facts.workers.begin(), facts.workers.end());
  for (const std::string& partition : settings_.partitions) {
    if (keys.count(key_of(partition)) != 0) facts.taken.insert(partition);
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& [partition, lease] : leases_) facts.mine.insert(partition);
  }
  const int64_t now_ns = settings_.clock->monotonic_ns();
  if (take_from_ns_ < 0) take_from_ns_ = now_ns + std::min<int64_t>(kLookAroundNs, ttl_ns_ / 5);

  bool all_live = true;
  if (settings_.once && joining) {
    WEIR_ASSIGN(all_live, others_live(facts.workers, info->State.LastSeq));
  }
  const ShareDecision decision = decide_share(facts);
  if (joining && now_ns >= take_from_ns_) {
    for (const std::string& partition : decision.release) WEIR_TRY(release(partition));
    for (const std::string& partition : decision.take) {
      WEIR_ASSIGN([[maybe_unused]] const bool taken, acquire(partition, 0));
    }
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  settled_ = joining && all_live && now_ns >= take_from_ns_ && leases_.size() == decision.quota;
  // While somebody joins, what the share is to be is being settled.
  differs_ = !joining && (!decision.release.empty() || !decision.take.empty());
  return {};
}

void NatsGroup::leave() {
  if (connection_ == nullptr || !connection_->connected()) return;
  std::map<std::string, Lease> leases;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    leases.swap(leases_);
  }
  // What fails runs out by itself.
  for (const auto& [partition, lease] : leases) {
    if (!purge(key_of(partition), lease.revision).ok()) return;
  }
  if (worker_revision_ != 0) static_cast<void>(purge("w." + me_, worker_revision_));
}

}  // namespace weir
