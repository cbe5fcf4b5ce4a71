// Several workers share the partitions of one stream out by leases in a JetStream key-value bucket.
//
// The bucket is KV_<group>; a key there lives for the bucket's TTL ('lease.ttl') unless it is written again:
//
//   w.<start, us>-<id>   a worker that lives; written at every look
//   p.<hash of filter>   the lease of a partition; its value is the worker that holds it
//
// Every worker has one thread, which looks four times in a TTL (more often while its caller joins):
//   1. it writes its worker key;
//   2. it renews each lease of its own, with the revision of its last write as the expected one. The server
//      refuses that when anything happened to the key in between: then the lease is lost. An answer that did
//      not come proves nothing; so the lease is believed for TTL - TTL/10 from before the last write that was
//      answered, never longer. The server counts from its arrival: it frees the lease only later.
//   3. it reads which keys there are (one request), and decides what it should hold: decide_share().
// changing() is true once that differs from what the last join() gave, or a lease was lost or ran out. The
// share itself moves in join() only, when the caller has committed and reads nothing: what is too much is
// released (its key purged up to our revision), what is free is taken (written where no key may exist: one of
// two wins). join() waits for its whole quota for at most half a TTL; what others release later comes with
// the next change. A worker that has just come looks around for a moment before it takes anything, so that
// workers that start together do not hand everything to the first.
//
// A worker that ends releases all at once. Of one that dies or is stopped, the keys run out after the TTL and
// the others take them. When it goes on, its leases have run out by its own clock: it reads no more, makes no
// consumer and joins anew. Until it notices, two may believe to hold a partition; then the authority table
// refuses whichever commit does not begin at its stand. The leases save work; they are not what keeps it
// exact.
//
// A worker that ends at the end of the input (once) must not end at the end of a share that a dead worker has
// cut: while it joins, another counts only once it has written its key since, so a dead one is waited out.
//
// Coming to rest: quotas sum to the number of partitions and depend only on who lives, oldest first. A lease
// moves only when a worker comes or goes (decide_share() says why).
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "clients/nats_connection.h"
#include "config/options.h"
#include "sources/source.h"

namespace weir {

struct NatsGroupSettings {
  Options options;
  std::string name;                     // of the bucket: the same for all workers, and for nobody else
  std::string stream;                   // the bucket is replicated as this stream is
  std::vector<std::string> partitions;  // the same in every worker
  const Clock* clock = nullptr;
  bool once = false;  // the caller ends when it has read its share
};

// A hash as text, the same in every build and on every machine.
std::string fnv_hex(std::string_view text);

// All functions from any thread. join() starts the thread; the destructor ends it and releases everything.
class NatsGroup final : public GroupMember {
 public:
  explicit NatsGroup(NatsGroupSettings settings);
  ~NatsGroup() override;
  NatsGroup(const NatsGroup&) = delete;
  NatsGroup& operator=(const NatsGroup&) = delete;

  // unavailable while the share is being settled or the servers do not answer; denied or invalid when they
  // never will.
  Status join(std::chrono::milliseconds timeout) override;
  bool changing() const override;

  // The share that the last join() gave, in the order of settings.partitions.
  std::vector<std::string> share() const;
  // Whether the lease of one of these is ours at this moment, as far as our clock can tell.
  bool holds(const std::string& partition) const;

 private:
  struct Lease {
    uint64_t revision = 0;
    int64_t valid_until_ns = 0;
  };
  struct Written {
    uint64_t revision = 0;  // 0: refused, the key is not as expected
  };

  void run();
  Status look(bool joining);
  Status connect();
  Status make_bucket();
  Result<Written> write(const std::string& key, const uint64_t* expected);
  Result<uint64_t> revision_of(const std::string& key, const std::string& owner);
  Result<bool> others_live(const std::vector<std::string>& workers, uint64_t last_revision);
  Status renew(const std::string& partition);
  Result<bool> acquire(const std::string& partition, uint64_t expected);
  Status release(const std::string& partition);
  Status purge(const std::string& key, uint64_t revision);
  Status share_out(bool joining);
  void leave();

  std::string key_of(const std::string& partition) const;
  bool valid(const std::string& partition, int64_t now_ns) const;  // mutex_ is held
  int64_t look_every_ms(bool joining) const;

  const NatsGroupSettings settings_;
  const std::string me_;
  const std::string bucket_;                    // the stream behind it
  std::unique_ptr<NatsConnection> connection_;  // of the thread
  int64_t take_from_ns_ = -1;                   // of the thread: not before may anything be taken
  uint64_t worker_revision_ = 0;                // of the thread
  uint64_t first_revision_ = 0;                 // of the thread: the bucket's last one at the first look

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::condition_variable looked_;
  std::atomic<int64_t> ttl_ns_;
  std::map<std::string, Lease> leases_;
  std::vector<std::string> share_;
  bool differs_ = false;     // the last look wants another share
  bool joining_ = false;     // somebody waits in join()
  int64_t joining_ns_ = -1;  // since when this join goes on, over several calls
  bool settled_ = false;     // the last look gave the whole quota
  uint64_t looks_ = 0;       // looks that saw everything, since the join began
  Status status_;            // of the last look
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace weir
