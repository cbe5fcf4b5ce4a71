#include "operators/window_assigner.h"

#include <arrow/array/array_primitive.h>
#include <arrow/type.h>

#include <limits>
#include <numeric>
#include <string>

namespace weir {

namespace {

constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

int64_t clamp(__int128 value) {
  if (value > kMax) return kMax;
  if (value < kMin) return kMin;
  return static_cast<int64_t>(value);
}

// The greatest n * step + offset that is not above `time`.
__int128 floor_to(int64_t time, int64_t step, int64_t offset) {
  __int128 shifted = static_cast<__int128>(time) - offset;
  __int128 rest = shifted % step;
  if (rest < 0) rest += step;
  return static_cast<__int128>(time) - rest;
}

int64_t floor_divide(int64_t value, int64_t divisor) {
  int64_t quotient = value / divisor;
  return value % divisor < 0 ? quotient - 1 : quotient;
}

// Each row is in so many windows at most: more fire for hours.
constexpr int64_t kMaxWindows = 10'000;

// Units of `type` a second.
int64_t per_second(const arrow::DataType& type) {
  switch (static_cast<const arrow::TimestampType&>(type).unit()) {
    case arrow::TimeUnit::SECOND: return 1;
    case arrow::TimeUnit::MILLI: return 1'000;
    case arrow::TimeUnit::MICRO: return 1'000'000;
    case arrow::TimeUnit::NANO: return 1'000'000'000;
  }
  return 1'000'000;
}

}  // namespace

Status check_window(const WindowSpec& window) {
  switch (window.assigner) {
    case WindowSpec::Assigner::tumble:
      if (window.size_us <= 0) return Status::invalid("TUMBLE: the size must be above zero");
      return {};
    case WindowSpec::Assigner::hop:
      if (window.size_us <= 0 || window.slide_us <= 0) {
        return Status::invalid("HOP: the slide and the size must be above zero");
      }
      if (window.size_us / window.slide_us > kMaxWindows) {
        return Status::invalid("HOP: a row would be in more than 10,000 windows");
      }
      return {};
    case WindowSpec::Assigner::cumulate:
      if (window.size_us <= 0 || window.slide_us <= 0) {
        return Status::invalid("CUMULATE: the step and the size must be above zero");
      }
      if (window.size_us % window.slide_us != 0) {
        return Status::invalid("CUMULATE: the size must be a multiple of the step");
      }
      if (window.size_us / window.slide_us > kMaxWindows) {
        return Status::invalid("CUMULATE: a row would be in more than 10,000 windows");
      }
      return {};
    case WindowSpec::Assigner::session:
      if (window.gap_us <= 0) return Status::invalid("SESSION: the gap must be above zero");
      return {};
    case WindowSpec::Assigner::attached:
      if (window.end_column < 0) return Status::invalid("a window of earlier rows needs their window_end");
      return {};
  }
  return Status::internal("unknown window assigner");
}

int64_t slice_size(const WindowSpec& window) {
  switch (window.assigner) {
    case WindowSpec::Assigner::hop: return std::gcd(window.size_us, window.slide_us);
    case WindowSpec::Assigner::cumulate: return window.slide_us;
    default: return window.size_us;
  }
}

TimeSpan slice_of(const WindowSpec& window, int64_t time_us) {
  int64_t size = slice_size(window);
  __int128 start = floor_to(time_us, size, window.offset_us);
  return {clamp(start), clamp(start + size)};
}

std::vector<TimeSpan> windows_of_slice(const WindowSpec& window, int64_t slice_start_us) {
  std::vector<TimeSpan> windows;
  __int128 slice_end = static_cast<__int128>(slice_start_us) + slice_size(window);
  switch (window.assigner) {
    case WindowSpec::Assigner::hop: {
      __int128 last = floor_to(slice_start_us, window.slide_us, window.offset_us);
      __int128 behind = last + window.size_us - slice_end;
      if (behind < 0) return windows;
      for (__int128 back = behind / window.slide_us; back >= 0; --back) {
        __int128 start = last - back * window.slide_us;
        windows.push_back({clamp(start), clamp(start + window.size_us)});
      }
      return windows;
    }
    case WindowSpec::Assigner::cumulate: {
      __int128 start = floor_to(slice_start_us, window.size_us, window.offset_us);
      for (__int128 end = slice_end; end <= start + window.size_us; end += window.slide_us) {
        windows.push_back({clamp(start), clamp(end)});
      }
      return windows;
    }
    default: windows.push_back({slice_start_us, clamp(slice_end)}); return windows;
  }
}

int64_t last_window_end(const WindowSpec& window, int64_t time_us) {
  if (window.processing_time) return kMax;
  switch (window.assigner) {
    case WindowSpec::Assigner::tumble:
    case WindowSpec::Assigner::cumulate:
      return clamp(floor_to(time_us, window.size_us, window.offset_us) + window.size_us);
    case WindowSpec::Assigner::hop:
      return clamp(floor_to(time_us, window.slide_us, window.offset_us) + window.size_us);
    case WindowSpec::Assigner::session: return saturating_add(time_us, window.gap_us);
    case WindowSpec::Assigner::attached: return time_us;
  }
  return time_us;
}

int64_t fires_at(const WindowSpec& window, int64_t end_us) {
  return window.processing_time ? end_us : saturating_add(end_us, -window.tick_us);
}

int64_t saturating_add(int64_t a, int64_t b) { return clamp(static_cast<__int128>(a) + b); }

int64_t to_us(const arrow::DataType& timestamp, int64_t raw) {
  int64_t units = per_second(timestamp);
  if (units > 1'000'000) return floor_divide(raw, units / 1'000'000);
  return clamp(static_cast<__int128>(raw) * (1'000'000 / units));
}

int64_t from_us(const arrow::DataType& timestamp, int64_t time_us) {
  int64_t units = per_second(timestamp);
  if (units > 1'000'000) return clamp(static_cast<__int128>(time_us) * (units / 1'000'000));
  return floor_divide(time_us, 1'000'000 / units);
}

Result<const int64_t*> column_us(const arrow::Array& column, std::vector<int64_t>& scratch) {
  if (column.type_id() != arrow::Type::TIMESTAMP) {
    return Status::invalid("an event time must be a TIMESTAMP, found " + column.type()->ToString());
  }
  const int64_t* values = static_cast<const arrow::TimestampArray&>(column).raw_values();
  int64_t units = per_second(*column.type());
  if (units == 1'000'000) return values;
  size_t rows = static_cast<size_t>(column.length());
  scratch.resize(rows);
  if (units < 1'000'000) {
    // Values of NULL rows may be anything: unsigned, for they must not overflow.
    uint64_t factor = static_cast<uint64_t>(1'000'000 / units);
    for (size_t row = 0; row < rows; ++row) {
      scratch[row] = static_cast<int64_t>(static_cast<uint64_t>(values[row]) * factor);
    }
  } else {
    for (size_t row = 0; row < rows; ++row) scratch[row] = floor_divide(values[row], units / 1'000'000);
  }
  return static_cast<const int64_t*>(scratch.data());
}

}  // namespace weir
