// Texts and bytes as String, FixedString, UUID, IPv4, IPv6, Enum and JSON.
#include <arrow/array/util.h>
#include <arrow/type.h>

#include <algorithm>
#include <unordered_map>

#include "base/text.h"
#include "schema/row_json.h"
#include "sinks/clickhouse/native_column.h"
#include "sinks/clickhouse/native_text_values.h"
#include "sinks/clickhouse/native_texts.h"

namespace weir {
namespace {

constexpr int kChunk = 32;         // bytes that are copied at once
constexpr size_t kMaxVarint = 10;  // bytes of a length

struct Chunk {
  uint8_t bytes[kChunk];
};

uint8_t* put_varint(uint8_t* at, uint64_t value) {
  while (value >= 0x80) {
    *at++ = static_cast<uint8_t>(value | 0x80);
    value >>= 7;
  }
  *at++ = static_cast<uint8_t>(value);
  return at;
}

uint8_t* put_text(uint8_t* at, std::string_view text) {
  at = put_varint(at, text.size());
  if (!text.empty()) std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

// Short texts, the usual case, are copied in whole chunks that may reach past the text, on both sides within
// allocated memory: a load and a store beat a call of memcpy.
template <typename Offset>
uint8_t* put_texts(const OffsetTexts<Offset>& texts, int64_t count, uint8_t* at) {
  const Offset* offsets = texts.offsets;
  // Values up to `safe` begin at least 128 bytes before the buffer's end, so no chunk reaches over it.
  int64_t safe = 0;
  if (texts.end - texts.bytes > 128) {
    const auto limit = static_cast<Offset>(
        std::min<int64_t>(texts.end - texts.bytes - 128, std::numeric_limits<Offset>::max()));
    safe = std::upper_bound(offsets, offsets + count, limit) - offsets;
  }
  int64_t i = 0;
  Offset begin = offsets[0];
  for (; i < safe; ++i) {
    const Offset end = offsets[i + 1];
    const auto length = static_cast<uint64_t>(end - begin);
    const uint8_t* from = texts.bytes + begin;
    begin = end;
    if (length < 128) [[likely]] {
      *at++ = static_cast<uint8_t>(length);
      store(at, load<Chunk>(from));
      if (length > kChunk) {
        store(at + kChunk, load<Chunk>(from + kChunk));
        if (length > 2 * kChunk) {
          store(at + 2 * kChunk, load<Chunk>(from + 2 * kChunk));
          store(at + 3 * kChunk, load<Chunk>(from + 3 * kChunk));
        }
      }
    } else {
      at = put_varint(at, length);
      std::memcpy(at, from, length);
    }
    at += length;
  }
  for (; i < count; ++i) at = put_text(at, texts(i));
  return at;
}

template <typename Texts>
size_t text_bytes(const Texts& texts, int64_t count) {
  size_t bytes = 0;
  for (int64_t i = 0; i < count; ++i) bytes += texts(i).size();
  return bytes;
}
template <typename Offset>
size_t text_bytes(const OffsetTexts<Offset>& texts, int64_t count) {
  return static_cast<size_t>(texts.offsets[count] - texts.offsets[0]);
}

template <typename Texts>
constexpr bool kHasOffsets = false;
template <typename Offset>
constexpr bool kHasOffsets<OffsetTexts<Offset>> = true;

class StringColumn : public NativeColumn {
 public:
  explicit StringColumn(bool null_fits) : null_fits_(null_fits) {}

  void encode(Pieces pieces, NativeBuffer* out, Refusals* refused) override {
    int64_t first = 0;
    for (const Piece& piece : pieces) {
      if (piece.length == 0) continue;
      with_texts(piece, [&](const auto& texts) { put_piece(piece, texts, out); });
      if (!null_fits_) refuse_nulls(piece, first, refused);
      first += piece.length;
    }
  }

 private:
  template <typename Texts>
  static void put_piece(const Piece& piece, const Texts& texts, NativeBuffer* out) {
    // Lengths below 128 take one byte, longer ones have that many bytes of text to pay for the rest.
    const size_t bytes = text_bytes(texts, piece.length);
    const size_t rows = static_cast<size_t>(piece.length);
    uint8_t* start = out->reserve(bytes + bytes / 16 + rows + kMaxVarint + 4 * kChunk);
    uint8_t* at = start;
    bool hidden = false;  // a text under a NULL
    visit_nulls(piece, [&](int64_t i) { hidden = hidden || !texts(i).empty(); });
    if constexpr (kHasOffsets<Texts>) {
      if (!hidden) {
        at = put_texts(texts, piece.length, at);
        out->advance(static_cast<size_t>(at - start));
        return;
      }
    }
    for (int64_t i = 0; i < piece.length; ++i) {
      at = put_text(at, hidden && is_null(piece, i) ? std::string_view() : texts(i));
    }
    out->advance(static_cast<size_t>(at - start));
  }

  bool null_fits_;
};

// Texts that become values of one width. Parse: bool operator()(std::string_view, uint8_t*) writes them;
// false: the text is none of those. `reason` stands behind the value in the message.
template <typename Parse>
class ParsedTextColumn : public NativeColumn {
 public:
  ParsedTextColumn(Parse parse, std::string fallback, std::string reason, bool null_fits)
      : parse_(std::move(parse)),
        fallback_(std::move(fallback)),
        width_(static_cast<int64_t>(fallback_.size())),
        reason_(std::move(reason)),
        null_fits_(null_fits) {}

  void encode(Pieces pieces, NativeBuffer* out, Refusals* refused) override {
    int64_t first = 0;
    for (const Piece& piece : pieces) {
      if (piece.length == 0) continue;
      uint8_t* at = out->append(static_cast<size_t>(piece.length * width_));
      with_texts(piece, [&](const auto& texts) { put_piece(piece, texts, first, at, refused); });
      first += piece.length;
    }
  }

 private:
  template <typename Texts>
  void put_piece(const Piece& piece, const Texts& texts, int64_t first, uint8_t* at, Refusals* refused) {
    const bool nulls = may_have_nulls(piece);
    for (int64_t i = 0; i < piece.length; ++i, at += width_) {
      if (!(nulls && is_null(piece, i))) {
        if (parse_(texts(i), at)) [[likely]]
          continue;
        refused->push_back({first + i, value_text(piece, i) + " " + reason_});
      }
      std::memcpy(at, fallback_.data(), fallback_.size());
    }
    if (!null_fits_) refuse_nulls(piece, first, refused);
  }

  Parse parse_;
  std::string fallback_;  // what stands under a NULL
  int64_t width_;
  std::string reason_;
  bool null_fits_;
};

template <typename Parse>
std::unique_ptr<NativeColumn> parsed(Parse parse, const ClickHouseType& target, std::string reason,
                                     bool null_fits) {
  return std::make_unique<ParsedTextColumn<Parse>>(std::move(parse), default_bytes(target), std::move(reason),
                                                   null_fits);
}

struct FixedStringParser {
  size_t width;
  bool operator()(std::string_view text, uint8_t* out) const {
    if (text.size() > width) return false;
    if (!text.empty()) std::memcpy(out, text.data(), text.size());
    std::memset(out + text.size(), 0, width - text.size());
    return true;
  }
};

template <typename Value>
struct EnumParser {
  std::unordered_map<std::string, Value> values;
  std::string last_name;  // runs of one name are usual
  Value last_value = 0;
  bool any = false;

  bool operator()(std::string_view text, uint8_t* out) {
    if (!any || text != last_name) {
      auto found = values.find(std::string(text));
      if (found == values.end()) return false;
      last_name = found->first;
      last_value = found->second;
      any = true;
    }
    store(out, last_value);
    return true;
  }
};

template <typename Value>
std::unique_ptr<NativeColumn> enum_column(const ClickHouseType& target, bool null_fits) {
  EnumParser<Value> parser;
  std::string names;
  for (const auto& [name, value] : target.enum_values) {
    parser.values.emplace(name, static_cast<Value>(value));
    if (parser.values.size() > 20) continue;
    names += (names.empty() ? "" : ", ") + name;
  }
  if (target.enum_values.size() > 20) names += ", …";
  return parsed(std::move(parser), target, "is no name of the Enum (" + names + ")", null_fits);
}

// The server's JSON column takes documents as texts behind a version number.
class JsonColumn : public NativeColumn {
 public:
  explicit JsonColumn(bool null_fits) : null_fits_(null_fits) {}

  void write_prefix(NativeBuffer* out) const override {
    constexpr uint64_t kVersionOfTexts = 1;
    out->append_u64(kVersionOfTexts);
  }

  void encode(Pieces pieces, NativeBuffer* out, Refusals* refused) override {
    int64_t first = 0;
    for (const Piece& piece : pieces) {
      if (piece.length == 0) continue;
      if (is_text(*piece.data->type)) {
        with_texts(piece, [&](const auto& texts) { put_texts_of(piece, texts, first, out, refused); });
      } else {
        put_values(piece, out);
      }
      if (!null_fits_) refuse_nulls(piece, first, refused);
      first += piece.length;
    }
  }

 private:
  static constexpr std::string_view kEmpty = "{}";

  template <typename Texts>
  static void put_texts_of(const Piece& piece, const Texts& texts, int64_t first, NativeBuffer* out,
                           Refusals* refused) {
    for (int64_t i = 0; i < piece.length; ++i) {
      if (is_null(piece, i)) {
        out->append_string(kEmpty);
        continue;
      }
      std::string problem = json_object_problem(texts(i));
      if (!problem.empty()) refused->push_back({first + i, value_text(piece, i) + " " + problem});
      out->append_string(problem.empty() ? texts(i) : kEmpty);
    }
  }

  static void put_values(const Piece& piece, NativeBuffer* out) {
    std::shared_ptr<arrow::Array> array = arrow::MakeArray(piece.data->Copy());
    std::string text;
    for (int64_t i = 0; i < piece.length; ++i) {
      text.clear();
      if (!is_null(piece, i)) append_json_value(*array, piece.offset - piece.data->offset + i, text);
      out->append_string(text.empty() ? kEmpty : std::string_view(text));
    }
  }

  bool null_fits_;
};

}  // namespace

std::unique_ptr<NativeColumn> make_text_column(const arrow::DataType& type, const ClickHouseType& target,
                                               bool null_fits) {
  if (target.kind == ClickHouseKind::json) {
    bool object = type.id() == arrow::Type::STRUCT || type.id() == arrow::Type::MAP;
    bool text = is_text(type) && type.id() != arrow::Type::FIXED_SIZE_BINARY;
    return object || text ? std::make_unique<JsonColumn>(null_fits) : nullptr;
  }
  if (!is_text(type)) return nullptr;
  switch (target.kind) {
    case ClickHouseKind::string: return std::make_unique<StringColumn>(null_fits);
    case ClickHouseKind::fixed_string:
      return parsed(FixedStringParser{static_cast<size_t>(target.length)}, target,
                    "has more bytes than " + target.to_string(), null_fits);
    case ClickHouseKind::uuid: return parsed(parse_uuid, target, "is no UUID", null_fits);
    case ClickHouseKind::ipv4: return parsed(parse_ipv4, target, "is no IPv4 address", null_fits);
    case ClickHouseKind::ipv6: return parsed(parse_ipv6, target, "is no IPv6 address", null_fits);
    case ClickHouseKind::enum8: return enum_column<int8_t>(target, null_fits);
    case ClickHouseKind::enum16: return enum_column<int16_t>(target, null_fits);
    default: return nullptr;
  }
}

}  // namespace weir
