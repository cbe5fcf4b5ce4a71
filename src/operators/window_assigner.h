// Event times -> slices -> windows, for windows on a grid (tumble, hop, cumulate). Pure arithmetic; times are
// microseconds since 1970 and may be negative. Results beyond int64 stop at its ends.
//
// A slice is the largest span that lies wholly inside or wholly outside each window: `size` for tumble,
// gcd(size, slide) for hop, the step for cumulate. State is kept by slice and a window is the merger of its
// slices.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "bridge/stream_graph.h"

namespace weir {

struct TimeSpan {
  int64_t start_us = 0;
  int64_t end_us = 0;  // exclusive
  bool operator==(const TimeSpan&) const = default;
};

// invalid: sizes that make no windows, in words for the user.
Status check_window(const WindowSpec& window);

// Only for tumble, hop and cumulate.
int64_t slice_size(const WindowSpec& window);
TimeSpan slice_of(const WindowSpec& window, int64_t time_us);
// The windows that contain the slice starting at `slice_start_us`, in order of their ends. Empty in the gaps
// of a hop whose slide is larger than its size.
std::vector<TimeSpan> windows_of_slice(const WindowSpec& window, int64_t slice_start_us);

// End of the last window that a row with this time can belong to; the row is late when the watermark has
// reached that end - tick. Session: time + gap. Attached: `time_us` is the row's window end. Processing time:
// never (INT64_MAX).
int64_t last_window_end(const WindowSpec& window, int64_t time_us);

// When the window is complete: watermark >= this.
int64_t fires_at(const WindowSpec& window, int64_t end_us);

int64_t saturating_add(int64_t a, int64_t b);

// A value of a TIMESTAMP column in microseconds (nanoseconds are rounded down), and back.
int64_t to_us(const arrow::DataType& timestamp, int64_t raw);
int64_t from_us(const arrow::DataType& timestamp, int64_t time_us);

// A TIMESTAMP column in microseconds: its own buffer when that is its unit, else written to `scratch`. Values
// of NULL rows are arbitrary. invalid: not a TIMESTAMP.
Result<const int64_t*> column_us(const arrow::Array& column, std::vector<int64_t>& scratch);

}  // namespace weir
