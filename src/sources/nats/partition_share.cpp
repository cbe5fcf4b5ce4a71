#include "sources/nats/partition_share.h"

#include <algorithm>

namespace weir {

ShareDecision decide_share(const ShareFacts& facts) {
  const auto found = std::find(facts.workers.begin(), facts.workers.end(), facts.me);
  const size_t rank = static_cast<size_t>(found - facts.workers.begin());
  const size_t workers = facts.workers.size() + (found == facts.workers.end() ? 1 : 0);
  const size_t count = facts.partitions.size();

  ShareDecision decision;
  decision.quota = count / workers + (rank < count % workers ? 1 : 0);
  size_t held = 0;
  std::vector<std::string> free;
  for (const std::string& partition : facts.partitions) {
    if (facts.mine.count(partition) != 0) {
      if (++held > decision.quota) decision.release.push_back(partition);
    } else if (facts.taken.count(partition) == 0) {
      free.push_back(partition);
    }
  }
  if (held >= decision.quota || free.empty()) return decision;
  // Each begins elsewhere, so that those who take at the same time seldom try the same one.
  const size_t begin = rank * free.size() / workers;
  for (size_t i = 0; i < free.size() && held < decision.quota; ++i, ++held) {
    decision.take.push_back(free[(begin + i) % free.size()]);
  }
  return decision;
}

}  // namespace weir
