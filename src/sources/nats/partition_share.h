// Who holds which partitions next: a decision that every worker of a group comes to by itself.
#pragma once

#include <set>
#include <string>
#include <vector>

namespace weir {

struct ShareFacts {
  std::string me;
  std::vector<std::string> workers;     // live ones, the oldest first; `me` may still be missing (it is last)
  std::vector<std::string> partitions;  // all of them, in an order that is the same everywhere
  std::set<std::string> taken;          // by whomever, mine included
  std::set<std::string> mine;
};

struct ShareDecision {
  size_t quota = 0;
  std::vector<std::string> release;
  std::vector<std::string> take;
};

// With P partitions and W workers the oldest P mod W workers hold P/W + 1, the others P/W. These sum to P:
// when all agree on the workers, nobody wants what another may keep, so nothing is passed around twice. A
// worker that comes is the youngest: only what it gets moves. A worker that goes shrinks nobody's quota: only
// what it held moves. Workers that disagree for a moment want too much or too little; a lease has one holder
// anyway.
ShareDecision decide_share(const ShareFacts& facts);

}  // namespace weir
