// Booleans, integers, floats, decimals, dates and times.
#include <arrow/type.h>
#include <arrow/type_traits.h>
#include <arrow/util/decimal.h>

#include <limits>
#include <type_traits>

#include "sinks/clickhouse/native_column.h"

namespace weir {
namespace {

using Column = std::unique_ptr<NativeColumn>;

template <typename In>
class CopiedColumn : public NativeColumn {
 public:
  explicit CopiedColumn(bool null_fits) : null_fits_(null_fits) {}

  void encode(Pieces pieces, NativeBuffer* out, Refusals* refused) override {
    int64_t first = 0;
    for (const Piece& piece : pieces) {
      if (piece.length == 0) continue;
      auto bytes = static_cast<size_t>(piece.length) * sizeof(In);
      uint8_t* at = out->append(bytes);
      std::memcpy(at, piece.data->buffers[1]->data() + piece.offset * static_cast<int64_t>(sizeof(In)),
                  bytes);
      finish_nulls<sizeof(In)>(piece, first, at, null_fits_, refused);
      first += piece.length;
    }
  }

 private:
  bool null_fits_;
};

class BitColumn : public NativeColumn {
 public:
  explicit BitColumn(bool null_fits) : null_fits_(null_fits) {}

  void encode(Pieces pieces, NativeBuffer* out, Refusals* refused) override {
    int64_t first = 0;
    for (const Piece& piece : pieces) {
      if (piece.length == 0) continue;
      uint8_t* at = out->append(static_cast<size_t>(piece.length));
      expand_bits(piece.data->buffers[1]->data(), piece.offset, piece.length, false, at);
      finish_nulls<1>(piece, first, at, null_fits_, refused);
      first += piece.length;
    }
  }

 private:
  bool null_fits_;
};

// --- integers and floats ---

template <typename In, typename Out>
struct ToInteger {
  bool operator()(In value, Out* out) const {
    *out = static_cast<Out>(value);
    if constexpr (std::is_signed_v<In> == std::is_signed_v<Out>) {
      return static_cast<In>(*out) == value;
    } else if constexpr (std::is_signed_v<In>) {
      return value >= 0 && static_cast<std::make_unsigned_t<In>>(value) <= std::numeric_limits<Out>::max();
    } else {
      return value <= static_cast<std::make_unsigned_t<Out>>(std::numeric_limits<Out>::max());
    }
  }
};

template <typename In, typename Out>
struct ToFloat {
  bool operator()(In value, Out* out) const {
    *out = static_cast<Out>(value);
    return true;
  }
};

struct Bytes16 {
  uint64_t words[2];
};
struct Bytes32 {
  uint64_t words[4];
};

// 128 and 256 bits: the sign is carried on.
template <typename In, typename Out>
struct ToWide {
  bool unsigned_target = false;
  bool operator()(In value, Out* out) const {
    uint64_t sign = value < 0 ? ~uint64_t{0} : 0;
    for (uint64_t& word : out->words) word = sign;
    out->words[0] = static_cast<uint64_t>(value);
    return !unsigned_target || sign == 0;
  }
};

template <typename In, typename Out, typename Convert>
Column converted(Convert convert, const std::string& reason, bool null_fits) {
  return std::make_unique<ConvertedColumn<In, Out, Convert>>(convert, reason, null_fits);
}

template <typename In, typename Out>
Column integer_column(const std::string& reason, bool null_fits) {
  if constexpr (std::is_same_v<In, Out>) return std::make_unique<CopiedColumn<In>>(null_fits);
  return converted<In, Out>(ToInteger<In, Out>{}, reason, null_fits);
}

template <typename In>
Column from_integer(const ClickHouseType& target, bool null_fits) {
  const std::string reason = "is outside the range of " + target.to_string();
  // Floats take what they hold exactly: 24 and 53 bits.
  constexpr bool kFitsFloat = sizeof(In) <= 2, kFitsDouble = sizeof(In) <= 4;
  switch (target.kind) {
    case ClickHouseKind::int8: return integer_column<In, int8_t>(reason, null_fits);
    case ClickHouseKind::int16: return integer_column<In, int16_t>(reason, null_fits);
    case ClickHouseKind::int32: return integer_column<In, int32_t>(reason, null_fits);
    case ClickHouseKind::int64: return integer_column<In, int64_t>(reason, null_fits);
    case ClickHouseKind::uint8: return integer_column<In, uint8_t>(reason, null_fits);
    case ClickHouseKind::uint16: return integer_column<In, uint16_t>(reason, null_fits);
    case ClickHouseKind::uint32: return integer_column<In, uint32_t>(reason, null_fits);
    case ClickHouseKind::uint64: return integer_column<In, uint64_t>(reason, null_fits);
    case ClickHouseKind::int128:
    case ClickHouseKind::uint128:
      return converted<In, Bytes16>(ToWide<In, Bytes16>{target.kind == ClickHouseKind::uint128}, reason,
                                    null_fits);
    case ClickHouseKind::int256:
    case ClickHouseKind::uint256:
      return converted<In, Bytes32>(ToWide<In, Bytes32>{target.kind == ClickHouseKind::uint256}, reason,
                                    null_fits);
    case ClickHouseKind::float32:
      return kFitsFloat ? converted<In, float>(ToFloat<In, float>{}, reason, null_fits) : nullptr;
    case ClickHouseKind::float64:
      return kFitsDouble ? converted<In, double>(ToFloat<In, double>{}, reason, null_fits) : nullptr;
    default: return nullptr;
  }
}

// --- decimals ---

using Wide = __int128;

Wide power_of_ten(int exponent) {
  Wide power = 1;
  for (int i = 0; i < exponent; ++i) power *= 10;
  return power;
}

// A whole number times `factor`, when it lies within +-limit.
template <typename In, typename Out>
struct ToDecimal {
  Wide limit;
  Wide factor;
  bool operator()(In value, Out* out) const {
    Wide wide = static_cast<Wide>(value);
    bool fits = wide <= limit && wide >= -limit;
    *out = static_cast<Out>(fits ? wide * factor : 0);
    return fits;
  }
};

// Same scale into 32 or 64 bits, the usual narrowing: no multiplication.
template <typename In, typename Out>
struct NarrowDecimal {
  int64_t limit;
  bool operator()(In value, Out* out) const {
    auto low = static_cast<int64_t>(value);
    *out = static_cast<Out>(low);
    return static_cast<In>(low) == value && low <= limit && low >= -limit;
  }
};

struct ToDecimal256 {
  int from_scale, to_scale, precision;
  bool operator()(const arrow::Decimal256& value, Bytes32* out) const {
    arrow::Decimal256 scaled = value;
    bool fits = true;
    if (from_scale != to_scale) {
      arrow::Result<arrow::Decimal256> rescaled = value.Rescale(from_scale, to_scale);
      fits = rescaled.ok();
      if (fits) scaled = *rescaled;
    }
    fits = fits && scaled.FitsInPrecision(precision);
    std::array<uint8_t, 32> bytes = scaled.ToBytes();
    std::memcpy(out, bytes.data(), bytes.size());
    return fits;
  }
};

template <typename In>
struct ToDecimal256From {
  ToDecimal256 convert;
  bool operator()(In value, Bytes32* out) const {
    if constexpr (std::is_same_v<In, Wide>) {
      return convert(arrow::Decimal256(
                         arrow::Decimal128(static_cast<int64_t>(value >> 64), static_cast<uint64_t>(value))),
                     out);
    } else {
      return convert(arrow::Decimal256(value), out);
    }
  }
};

template <typename In, typename Out>
Column scaled_decimal(Wide limit, Wide factor, const std::string& reason, bool null_fits) {
  if constexpr (sizeof(Out) <= 8) {
    if (factor == 1) {
      return converted<In, Out>(NarrowDecimal<In, Out>{static_cast<int64_t>(limit)}, reason, null_fits);
    }
  }
  return converted<In, Out>(ToDecimal<In, Out>{limit, factor}, reason, null_fits);
}

template <typename In>
Column from_decimal(int precision, int scale, const ClickHouseType& target, bool null_fits) {
  const int widen = target.scale - scale;
  if (widen < 0) return nullptr;  // digits behind the point would be lost
  const std::string reason = "is outside the range of " + target.to_string();
  const int64_t width = target.fixed_width_bytes();
  if (width == 32) {
    return converted<In, Bytes32>(ToDecimal256From<In>{ToDecimal256{scale, target.scale, target.precision}},
                                  reason, null_fits);
  }
  if (width == sizeof(In) && widen == 0 && target.precision >= precision) {
    return std::make_unique<CopiedColumn<In>>(null_fits);
  }
  // Largest value that still has at most `precision` digits after it was widened; both powers fit 128 bits.
  const int digits = target.precision - widen;
  const Wide limit = digits > 0 ? power_of_ten(digits) - 1 : 0;
  const Wide factor = power_of_ten(widen);
  if (width == 4) return scaled_decimal<In, int32_t>(limit, factor, reason, null_fits);
  if (width == 8) return scaled_decimal<In, int64_t>(limit, factor, reason, null_fits);
  return scaled_decimal<In, Wide>(limit, factor, reason, null_fits);
}

// Decimal256 into less: through the decimal class, value by value.
template <typename Out>
struct FromDecimal256 {
  ToDecimal256 convert;
  bool operator()(const Bytes32& value, Out* out) const {
    arrow::Decimal256 decimal(reinterpret_cast<const uint8_t*>(value.words));
    Bytes32 wide;
    bool fits = convert(decimal, &wide);
    std::memcpy(out, &wide, sizeof *out);
    return fits;
  }
};

Column from_decimal256(int precision, int scale, const ClickHouseType& target, bool null_fits) {
  if (target.scale < scale) return nullptr;
  const std::string reason = "is outside the range of " + target.to_string();
  ToDecimal256 convert{scale, target.scale, target.precision};
  switch (target.fixed_width_bytes()) {
    case 4: return converted<Bytes32, int32_t>(FromDecimal256<int32_t>{convert}, reason, null_fits);
    case 8: return converted<Bytes32, int64_t>(FromDecimal256<int64_t>{convert}, reason, null_fits);
    case 16: return converted<Bytes32, Bytes16>(FromDecimal256<Bytes16>{convert}, reason, null_fits);
    default:
      if (scale == target.scale && target.precision >= precision) {
        return std::make_unique<CopiedColumn<Bytes32>>(null_fits);
      }
      return converted<Bytes32, Bytes32>(FromDecimal256<Bytes32>{convert}, reason, null_fits);
  }
}

// --- dates and times ---

template <typename In, typename Out>
struct Within {
  int64_t low, high;
  bool operator()(In value, Out* out) const {
    *out = static_cast<Out>(value);
    return value >= low && value <= high;
  }
};

// To a finer unit.
template <typename In, typename Out>
struct Multiplied {
  int64_t low, high, factor;
  bool operator()(In value, Out* out) const {
    bool fits = value >= low && value <= high;
    *out = static_cast<Out>(fits ? value * factor : 0);
    return fits;
  }
};

// To a coarser unit; a remainder does not fit.
template <typename In, typename Out>
struct Divided {
  int64_t low, high, factor;
  bool operator()(In value, Out* out) const {
    int64_t quotient = value / factor;
    *out = static_cast<Out>(quotient);
    return quotient * factor == value && value >= low && value <= high;
  }
};

constexpr int64_t kFirstDay = -25567;  // 1900-01-01, as Date32 and DateTime64 have it
constexpr int64_t kLastDay = 120529;   // 2299-12-31
constexpr int64_t kDaySeconds = 86400;

int64_t units_per_second(arrow::TimeUnit::type unit) {
  switch (unit) {
    case arrow::TimeUnit::SECOND: return 1;
    case arrow::TimeUnit::MILLI: return 1'000;
    case arrow::TimeUnit::MICRO: return 1'000'000;
    case arrow::TimeUnit::NANO: break;
  }
  return 1'000'000'000;
}

int64_t clamped(Wide value) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max(), kMin = std::numeric_limits<int64_t>::min();
  return value > kMax ? kMax : value < kMin ? kMin : static_cast<int64_t>(value);
}

// Counts of 1/from seconds into counts of 1/to seconds, for seconds in [first, last].
template <typename In, typename Out>
Column rescaled_time(int64_t from, int64_t to, int64_t first, int64_t last, const ClickHouseType& target,
                     bool null_fits) {
  int64_t low = clamped(static_cast<Wide>(first) * from);
  int64_t high = clamped((static_cast<Wide>(last) + 1) * from - 1);
  std::string reason = "is outside the range of " + target.to_string();
  if (to > from) {
    int64_t factor = to / from;
    low = std::max(low, std::numeric_limits<int64_t>::min() / factor);
    high = std::min(high, std::numeric_limits<int64_t>::max() / factor);
    return converted<In, Out>(Multiplied<In, Out>{low, high, factor}, reason, null_fits);
  }
  if (to == from) return converted<In, Out>(Within<In, Out>{low, high}, reason, null_fits);
  reason += ", or finer than it can hold";
  return converted<In, Out>(Divided<In, Out>{low, high, from / to}, reason, null_fits);
}

Column timestamp_column(const arrow::TimestampType& type, const ClickHouseType& target, bool null_fits) {
  const int64_t from = units_per_second(type.unit());
  if (target.kind == ClickHouseKind::date_time) {
    return rescaled_time<int64_t, uint32_t>(from, 1, 0, std::numeric_limits<uint32_t>::max(), target,
                                            null_fits);
  }
  if (target.kind != ClickHouseKind::date_time64) return nullptr;
  return rescaled_time<int64_t, int64_t>(from, static_cast<int64_t>(power_of_ten(target.precision)),
                                         kFirstDay * kDaySeconds, (kLastDay + 1) * kDaySeconds - 1, target,
                                         null_fits);
}

template <typename In>
Column time_of_day_column(arrow::TimeUnit::type unit, const ClickHouseType& target, bool null_fits) {
  const int64_t from = units_per_second(unit);
  switch (target.kind) {
    case ClickHouseKind::time:
      return rescaled_time<In, int32_t>(from, 1, 0, kDaySeconds - 1, target, null_fits);
    case ClickHouseKind::time64:
      return rescaled_time<In, int64_t>(from, static_cast<int64_t>(power_of_ten(target.precision)), 0,
                                        kDaySeconds - 1, target, null_fits);
    case ClickHouseKind::int32:
    case ClickHouseKind::uint32:
    case ClickHouseKind::int64:
    case ClickHouseKind::uint64: return from_integer<In>(target, null_fits);
    default: return nullptr;
  }
}

template <typename In>
Column date_column(int64_t units_per_day, const ClickHouseType& target, bool null_fits) {
  const bool wide = target.kind == ClickHouseKind::date32;
  if (!wide && target.kind != ClickHouseKind::date) return nullptr;
  const std::string reason = "is outside the range of " + target.to_string();
  const int64_t first = wide ? kFirstDay : 0;
  const int64_t last = wide ? kLastDay : std::numeric_limits<uint16_t>::max();
  if (units_per_day == 1) {
    if (wide) return converted<In, int32_t>(Within<In, int32_t>{first, last}, reason, null_fits);
    return converted<In, uint16_t>(Within<In, uint16_t>{first, last}, reason, null_fits);
  }
  const int64_t low = first * units_per_day, high = last * units_per_day;
  if (wide) return converted<In, int32_t>(Divided<In, int32_t>{low, high, units_per_day}, reason, null_fits);
  return converted<In, uint16_t>(Divided<In, uint16_t>{low, high, units_per_day}, reason, null_fits);
}

}  // namespace

Column make_number_column(const arrow::DataType& type, const ClickHouseType& target, bool null_fits) {
  switch (type.id()) {
    case arrow::Type::BOOL:
      if (target.kind != ClickHouseKind::boolean && target.kind != ClickHouseKind::uint8 &&
          target.kind != ClickHouseKind::int8) {
        return nullptr;
      }
      return std::make_unique<BitColumn>(null_fits);
    case arrow::Type::INT8: return from_integer<int8_t>(target, null_fits);
    case arrow::Type::INT16: return from_integer<int16_t>(target, null_fits);
    case arrow::Type::INT32: return from_integer<int32_t>(target, null_fits);
    case arrow::Type::INT64: return from_integer<int64_t>(target, null_fits);
    case arrow::Type::UINT8: return from_integer<uint8_t>(target, null_fits);
    case arrow::Type::UINT16: return from_integer<uint16_t>(target, null_fits);
    case arrow::Type::UINT32: return from_integer<uint32_t>(target, null_fits);
    case arrow::Type::UINT64: return from_integer<uint64_t>(target, null_fits);
    case arrow::Type::FLOAT:
      if (target.kind == ClickHouseKind::float32) return std::make_unique<CopiedColumn<float>>(null_fits);
      if (target.kind != ClickHouseKind::float64) return nullptr;
      return converted<float, double>(ToFloat<float, double>{}, "", null_fits);
    case arrow::Type::DOUBLE:
      if (target.kind != ClickHouseKind::float64) return nullptr;
      return std::make_unique<CopiedColumn<double>>(null_fits);
    default: return nullptr;
  }
}

Column make_time_column(const arrow::DataType& type, const ClickHouseType& target, bool null_fits) {
  switch (type.id()) {
    case arrow::Type::DATE32: return date_column<int32_t>(1, target, null_fits);
    case arrow::Type::DATE64: return date_column<int64_t>(kDaySeconds * 1000, target, null_fits);
    case arrow::Type::TIMESTAMP:
      return timestamp_column(static_cast<const arrow::TimestampType&>(type), target, null_fits);
    case arrow::Type::TIME32:
      return time_of_day_column<int32_t>(static_cast<const arrow::Time32Type&>(type).unit(), target,
                                         null_fits);
    case arrow::Type::TIME64:
      return time_of_day_column<int64_t>(static_cast<const arrow::Time64Type&>(type).unit(), target,
                                         null_fits);
    default: return nullptr;
  }
}

Column make_decimal_column(const arrow::DataType& type, const ClickHouseType& target, bool null_fits) {
  if (target.kind != ClickHouseKind::decimal) return nullptr;
  switch (type.id()) {
    case arrow::Type::INT8: return from_decimal<int8_t>(3, 0, target, null_fits);
    case arrow::Type::INT16: return from_decimal<int16_t>(5, 0, target, null_fits);
    case arrow::Type::INT32: return from_decimal<int32_t>(10, 0, target, null_fits);
    case arrow::Type::INT64: return from_decimal<int64_t>(19, 0, target, null_fits);
    case arrow::Type::UINT8: return from_decimal<uint8_t>(3, 0, target, null_fits);
    case arrow::Type::UINT16: return from_decimal<uint16_t>(5, 0, target, null_fits);
    case arrow::Type::UINT32: return from_decimal<uint32_t>(10, 0, target, null_fits);
    case arrow::Type::UINT64: return from_decimal<uint64_t>(20, 0, target, null_fits);
    default: break;
  }
  if (!arrow::is_decimal(type.id())) return nullptr;
  const auto& decimal = static_cast<const arrow::DecimalType&>(type);
  const int precision = decimal.precision(), scale = decimal.scale();
  if (scale < 0) return nullptr;
  switch (type.id()) {
    case arrow::Type::DECIMAL32: return from_decimal<int32_t>(precision, scale, target, null_fits);
    case arrow::Type::DECIMAL64: return from_decimal<int64_t>(precision, scale, target, null_fits);
    case arrow::Type::DECIMAL128: return from_decimal<Wide>(precision, scale, target, null_fits);
    default: return from_decimal256(precision, scale, target, null_fits);
  }
}

}  // namespace weir
