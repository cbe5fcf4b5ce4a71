// The registry's durable memory: records, appended one after the other and read again at the start.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"

namespace weir {

// Used by one thread at a time.
class AppendLog {
 public:
  virtual ~AppendLog() = default;
  // Every record from `from` on (an offset as `next` had it, or 0), in order, to `each`, which may refuse
  // with a Status; returns the offset after the last one.
  virtual Result<int64_t> read(int64_t from, const std::function<Status(std::string_view)>& each) = 0;
  // Durable when ok: the offset after it. exhausted: nothing was stored. After any other failure it may be
  // stored: read.
  virtual Result<int64_t> append(std::string_view record) = 0;
};

// The stream `_schemas` of the embedded log in `folder`, which is made when it is missing. already_exists:
// another process writes it. `clock` outlives the log.
Result<std::unique_ptr<AppendLog>> open_schemas_log(const std::string& folder, const Clock& clock);

}  // namespace weir
