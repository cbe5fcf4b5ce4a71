#include "edge/publish.h"

#include <memory>
#include <mutex>
#include <utility>

namespace weir {
namespace {

using Done = std::function<void(Result<std::vector<EdgePosition>>)>;

// Bytes that a log adds to each record, about.
constexpr int64_t kRecordOverhead = 64;

int64_t bytes_of(const Parcel& parcel) {
  int64_t bytes = 0;
  for (const EdgeEvent& event : parcel.events) {
    bytes +=
        kRecordOverhead + static_cast<int64_t>(event.payload.size() + event.headers.size() +
                                               event.subject.size() + (event.key ? event.key->size() : 0));
  }
  return bytes;
}

// The answers of several targets as one.
struct Gathering {
  std::mutex mutex;
  size_t missing = 0;
  std::vector<EdgePosition> positions;
  std::vector<Status> failures;
  Done done;

  void add(Result<std::vector<EdgePosition>> answer) {
    {
      std::lock_guard lock(mutex);
      if (answer.ok()) {
        positions.insert(positions.end(), answer->begin(), answer->end());
      } else {
        failures.push_back(answer.status());
      }
      if (--missing != 0) return;
    }
    if (failures.empty()) return done(std::move(positions));
    bool all_full = positions.empty();
    for (const Status& failure : failures) {
      if (failure.code() == Code::already_exists) return done(failure);
      all_full = all_full && failure.code() == Code::exhausted;
    }
    if (all_full) return done(failures.front());
    if (positions.empty() && failures.front().code() == Code::invalid) return done(failures.front());
    done(Status::unavailable(failures.front().message()));
  }
};

void publish(const std::vector<EventTarget*>& found, std::vector<Parcel> parcels, const RequestKey& key,
             Done done) {
  for (size_t i = 0; i < parcels.size(); ++i) {
    if (Status room = found[i]->reserve(bytes_of(parcels[i])); !room.ok()) return done(room);
  }
  if (parcels.size() == 1) return found[0]->publish(std::move(parcels[0].events), key, std::move(done));
  auto gathering = std::make_shared<Gathering>();  // shared by the answers
  gathering->missing = parcels.size();
  gathering->done = std::move(done);
  for (size_t i = 0; i < parcels.size(); ++i) {
    found[i]->publish(
        std::move(parcels[i].events), key,
        [gathering](Result<std::vector<EdgePosition>> answer) { gathering->add(std::move(answer)); });
  }
}

}  // namespace

void publish_parcels(TargetSet& targets, WorkPool& opener, std::vector<Parcel> parcels, RequestKey key,
                     Done done) {
  if (parcels.empty()) return done(std::vector<EdgePosition>{});
  std::vector<EventTarget*> found;
  for (const Parcel& parcel : parcels) {
    if (EventTarget* target = targets.find(parcel.target)) found.push_back(target);
  }
  if (found.size() == parcels.size()) return publish(found, std::move(parcels), key, std::move(done));
  bool runs = opener.run([&targets, parcels, key, done]() mutable {
    std::vector<EventTarget*> opened;
    for (const Parcel& parcel : parcels) {
      auto target = targets.open_target(parcel.target);
      // Nothing was given to anyone: whatever went wrong, nothing is stored.
      if (!target.ok()) return done(Status(Code::exhausted, target.status().message()));
      opened.push_back(*target);
    }
    publish(opened, std::move(parcels), key, std::move(done));
  });
  if (!runs) done(Status(Code::exhausted, "too many requests wait for new streams already"));
}

}  // namespace weir
