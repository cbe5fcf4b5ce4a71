// Where an exception of third-party code (std::bad_alloc, above all) ends: at the edge of a thread's work, as
// a Status.
#pragma once

#include <exception>
#include <new>

#include "base/status.h"

namespace weir {

// `work` gives a Status.
template <typename Work>
Status guarded(Work work) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return Status(Code::exhausted,
                  "there is not enough memory: lower pipeline.batch-rows or pipeline.max-open-partitions");
  } catch (const std::exception& error) {
    return Status::internal(std::string("unexpected exception: ") + error.what());
  }
}

}  // namespace weir
