#include "sources/generator/nexmark_events.h"

#include <arrow/array.h>
#include <arrow/array/util.h>
#include <arrow/buffer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/bit_util.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "base/text.h"
#include "config/data_type.h"

namespace weir {
namespace {

using Data = std::shared_ptr<arrow::ArrayData>;

constexpr int64_t kFirstPerson = 1000, kFirstAuction = 1000, kFirstCategory = 10;
constexpr int64_t kPersonLead = 10, kAuctionLead = 10;  // identifiers that are named before they exist
constexpr int64_t kHotEvery = 100;
constexpr uint32_t kCategories = 5;
constexpr uint32_t kHotChannels = 4, kChannels = 10'000;
constexpr int kPriceSteps = 384;  // 64 a decade, six decades

enum Entity { kPerson, kAuction, kBid };

constexpr std::array<std::string_view, 11> kFirstNames = {
    "Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"};
constexpr std::array<std::string_view, 9> kLastNames = {"Shultz", "Abrams", "Spencer", "White", "Bartels",
                                                        "Walton", "Smith",  "Jones",   "Noris"};
constexpr std::array<std::string_view, 10> kCities = {"Phoenix",  "Los Angeles", "San Francisco", "Boise",
                                                      "Portland", "Bend",        "Redmond",       "Seattle",
                                                      "Kent",     "Cheyenne"};
constexpr std::array<std::string_view, 6> kStates = {"AZ", "CA", "ID", "OR", "WA", "WY"};
constexpr std::array<std::string_view, kHotChannels> kHotNames = {"Google", "Facebook", "Baidu", "Apple"};

// SplitMix64 (Steele, Lea, Flood 2014) addressed instead of stepped: draw k of an event stands by itself, so
// that a column is made without those before it.
constexpr uint64_t kGamma = 0x9E3779B97F4A7C15;
inline uint64_t mix(uint64_t z) {
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
  z = (z ^ z >> 27) * 0x94D049BB133111EB;
  return z ^ z >> 31;
}
inline uint64_t draw(uint64_t event, uint64_t k) { return mix(event + (k + 1) * kGamma); }
inline uint32_t high(uint64_t draw) { return static_cast<uint32_t>(draw >> 32); }
inline uint32_t low(uint64_t draw) { return static_cast<uint32_t>(draw); }
inline uint32_t below(uint32_t draw, uint64_t bound) { return static_cast<uint32_t>(draw * bound >> 32); }

// Draws that are used for: numbers 0 to 15, then texts, eight characters a draw.
constexpr uint64_t kTextDraws = 16, kSecondTextDraws = 24, kExtraDraws = 64;

// Eight letters of one draw: every byte scaled to a..z, by two lanes of 16 bits.
inline uint64_t letters(uint64_t draw) {
  constexpr uint64_t kEven = 0x00FF00FF00FF00FF;
  const uint64_t even = (draw & kEven) * 26 >> 8 & kEven;
  const uint64_t odd = (draw >> 8 & kEven) * 26 & ~kEven;
  return (even | odd) + 0x6161616161616161;
}

// Writes up to seven bytes more than `size`.
inline char* write_letters(uint64_t event, uint64_t first_draw, uint32_t size, char* out) {
  for (uint32_t i = 0; i < size; i += 8) {
    const uint64_t eight = letters(draw(event, first_draw + i / 8));
    std::memcpy(out + i, &eight, 8);
  }
  return out + size;
}

// Words: one letter in about 13 is a space, the first and the last never.
inline char* write_words(uint64_t event, uint64_t first_draw, uint32_t size, char* out) {
  write_letters(event, first_draw, size, out);
  for (uint32_t i = 1; i + 1 < size; ++i) {
    const uint64_t bytes = draw(event, first_draw + i / 8);
    if ((bytes >> 8 * (i % 8) & 0xFF) < 20) out[i] = ' ';
  }
  return out + size;
}

inline char* write(std::string_view text, char* out) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

inline char* write_digits(uint32_t value, char* out) {
  for (int i = 3; i >= 0; --i, value /= 10) out[i] = static_cast<char>('0' + value % 10);
  return out + 4;
}

uint32_t name_size(uint64_t event) {
  const uint64_t d = draw(event, 0);
  return static_cast<uint32_t>(kFirstNames[below(high(d), kFirstNames.size())].size() + 1 +
                               kLastNames[below(low(d), kLastNames.size())].size());
}
uint32_t mailbox_size(uint64_t event) { return 3 + below(high(draw(event, 2)), 5); }
uint32_t domain_size(uint64_t event) { return 3 + below(low(draw(event, 2)), 3); }
uint32_t item_size(uint64_t event) { return 3 + below(high(draw(event, 3)), 17); }
uint32_t description_size(uint64_t event) { return 3 + below(low(draw(event, 3)), 97); }
std::string_view city_of(uint64_t event) { return kCities[below(high(draw(event, 1)), kCities.size())]; }

std::shared_ptr<arrow::Buffer> allocate(int64_t bytes) {
  auto buffer = arrow::AllocateBuffer(bytes);
  WEIR_CHECK(buffer.ok(), buffer.status().ToString());
  return std::move(*buffer);
}

std::string all_of(const arrow::FieldVector& fields) {
  std::string names;
  for (const auto& field : fields) names += (names.empty() ? "" : ", ") + field->name();
  return names;
}

int place_of(const std::string& name, const arrow::FieldVector& fields) {
  for (size_t i = 0; i < fields.size(); ++i) {
    if (fields[i]->name() == name) return static_cast<int>(i);
  }
  return -1;
}

Status unknown(const std::string& what, const std::string& name, const arrow::FieldVector& fields) {
  std::vector<std::string> names;
  for (const auto& field : fields) names.push_back(field->name());
  return Status::invalid("Nexmark has no " + what + " '" + name + "'." + suggestion(name, names) +
                         " There are " + all_of(fields));
}

Status misfit(const std::string& what, const arrow::DataType& declared, const arrow::DataType& made) {
  return Status::invalid(what + " is declared as " + sql_type(declared) + ", Nexmark's is " + sql_type(made));
}

Status check_range(const char* name, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most) return {};
  return Status::invalid("'nexmark." + std::string(name) + "' must be between " + std::to_string(least) +
                         " and " + std::to_string(most) + ", not " + std::to_string(value));
}

Status check_settings(const NexmarkSettings& settings) {
  WEIR_TRY(check_range("event-rate", settings.event_rate, 1, 1'000'000'000));
  WEIR_TRY(check_range("person-share", settings.person_share, 1, 1'000'000));
  WEIR_TRY(check_range("auction-share", settings.auction_share, 1, 1'000'000));
  WEIR_TRY(check_range("bid-share", settings.bid_share, 0, 1'000'000));
  WEIR_TRY(check_range("hot-auction-ratio", settings.hot_auction_ratio, 1, 1'000'000));
  WEIR_TRY(check_range("hot-bidder-ratio", settings.hot_bidder_ratio, 1, 1'000'000));
  WEIR_TRY(check_range("hot-seller-ratio", settings.hot_seller_ratio, 1, 1'000'000));
  WEIR_TRY(check_range("in-flight-auctions", settings.in_flight_auctions, 1, 100'000'000));
  WEIR_TRY(check_range("active-people", settings.active_people, 1, 100'000'000));
  WEIR_TRY(check_range("person-bytes", settings.person_bytes, 0, 65'536));
  WEIR_TRY(check_range("auction-bytes", settings.auction_bytes, 0, 65'536));
  return check_range("bid-bytes", settings.bid_bytes, 0, 65'536);
}

}  // namespace

// What is common to the columns of one batch.
struct NexmarkEvents::Rows {
  struct Of {  // the events of one entity
    std::vector<int32_t> row;
    std::vector<uint64_t> event;  // what its draws are made of
    std::vector<int64_t> epoch;   // cycles before it
    std::vector<int32_t> offset;  // in its cycle
    std::shared_ptr<arrow::Buffer> validity;
  };

  int64_t count = 0;
  const int64_t* times_us = nullptr;
  std::shared_ptr<arrow::Buffer> types;
  std::array<Of, 3> of;

  // A column with value(i) for the i-th event of `entity`, null elsewhere.
  template <typename Value>
  Data integers(Entity entity, std::shared_ptr<arrow::DataType> type, Value&& value) const {
    const Of& events = of[entity];
    auto buffer = allocate(count * 8);
    auto* out = reinterpret_cast<int64_t*>(buffer->mutable_data());
    if (events.row.size() < static_cast<size_t>(count)) std::memset(out, 0, static_cast<size_t>(count) * 8);
    for (size_t i = 0; i < events.row.size(); ++i) out[events.row[i]] = value(i);
    return arrow::ArrayData::Make(std::move(type), count, {events.validity, std::move(buffer)},
                                  count - static_cast<int64_t>(events.row.size()));
  }

  // The same with texts: write(i, out) gives the end of what it wrote, at most `longest` bytes, and may
  // scribble seven bytes further.
  template <typename Write>
  Data texts(Entity entity, int64_t longest, Write&& write) const {
    const Of& events = of[entity];
    auto ends = allocate((count + 1) * 4);
    auto* end = reinterpret_cast<int32_t*>(ends->mutable_data());
    auto made = arrow::AllocateResizableBuffer(longest * static_cast<int64_t>(events.row.size()) + 8);
    WEIR_CHECK(made.ok(), made.status().ToString());
    std::shared_ptr<arrow::ResizableBuffer> bytes = std::move(*made);
    char* const begin = reinterpret_cast<char*>(bytes->mutable_data());
    char* out = begin;
    int32_t row = 0;
    for (size_t i = 0; i < events.row.size(); ++i) {
      for (; row <= events.row[i]; ++row) end[row] = static_cast<int32_t>(out - begin);
      out = write(i, out);
    }
    for (; row <= count; ++row) end[row] = static_cast<int32_t>(out - begin);
    const auto resized = bytes->Resize(out - begin, /*shrink_to_fit=*/false);
    WEIR_CHECK(resized.ok(), resized.ToString());
    return arrow::ArrayData::Make(arrow::utf8(), count, {events.validity, std::move(ends), std::move(bytes)},
                                  count - static_cast<int64_t>(events.row.size()));
  }
};

const std::shared_ptr<arrow::Schema>& nexmark_schema() {
  static const std::shared_ptr<arrow::Schema> schema = [] {
    using arrow::field;
    const auto number = arrow::int64();
    const auto text = arrow::utf8();
    const auto time = arrow::timestamp(arrow::TimeUnit::MILLI);
    return arrow::schema(
        {field("event_type", arrow::int32()),
         field("person",
               arrow::struct_({field("id", number), field("name", text), field("emailAddress", text),
                               field("creditCard", text), field("city", text), field("state", text),
                               field("dateTime", time), field("extra", text)})),
         field("auction",
               arrow::struct_({field("id", number), field("itemName", text), field("description", text),
                               field("initialBid", number), field("reserve", number), field("dateTime", time),
                               field("expires", time), field("seller", number), field("category", number),
                               field("extra", text)})),
         field("bid", arrow::struct_({field("auction", number), field("bidder", number),
                                      field("price", number), field("channel", text), field("url", text),
                                      field("dateTime", time), field("extra", text)}))});
  }();
  return schema;
}

Result<std::shared_ptr<const NexmarkEvents>> NexmarkEvents::create(const NexmarkSettings& settings,
                                                                   const std::vector<ColumnSpec>& physical) {
  WEIR_TRY(check_settings(settings));
  std::shared_ptr<NexmarkEvents> events(new NexmarkEvents(settings));
  const arrow::FieldVector& known = nexmark_schema()->fields();
  arrow::FieldVector fields;
  for (const ColumnSpec& spec : physical) {
    const int place = place_of(spec.name, known);
    if (place < 0) return unknown("column", spec.name, known);
    Column column;
    column.entity = place - 1;
    column.field = arrow::field(spec.name, spec.type.arrow, spec.nullable);
    const arrow::DataType& made = *known[static_cast<size_t>(place)]->type();
    if (spec.type.arrow->id() != made.id())
      return misfit("column '" + spec.name + "'", *spec.type.arrow, made);
    if (column.entity >= 0 && !spec.nullable) {
      return Status::invalid("column '" + spec.name +
                             "' is NOT NULL, but Nexmark's events are a person, an " +
                             "auction or a bid each, and the two others are NULL");
    }
    for (const auto& child : spec.type.arrow->fields()) {
      const int child_place = place_of(child->name(), made.fields());
      if (child_place < 0) return unknown("field of '" + spec.name + "'", child->name(), made.fields());
      const arrow::DataType& child_made = *made.field(child_place)->type();
      if (!child->type()->Equals(child_made)) {
        return misfit("field '" + spec.name + "." + child->name() + "'", *child->type(), child_made);
      }
      const size_t child_index = column.fields.size();
      if (child_index < spec.type.children.size() && spec.type.children[child_index].max_length >= 0) {
        return Status::invalid("field '" + spec.name + "." + child->name() + "' is declared as " +
                               spec.type.children[child_index].text + ", Nexmark's is STRING");
      }
      column.fields.push_back(child_place);
    }
    fields.push_back(column.field);
    events->columns_.push_back(std::move(column));
  }
  events->schema_ = arrow::schema(std::move(fields));
  return std::shared_ptr<const NexmarkEvents>(std::move(events));
}

NexmarkEvents::NexmarkEvents(const NexmarkSettings& settings)
    : settings_(settings),
      key_(mix(settings.seed + kGamma)),
      cycle_(settings.person_share + settings.auction_share + settings.bid_share) {
  const int64_t until_closed = settings.in_flight_auctions * cycle_ / settings.auction_share;
  horizon_ms_ = std::max<int64_t>(1, until_closed * 1000 / settings.event_rate);
  for (int i = 0; i <= kPriceSteps; ++i) prices_.push_back(std::llround(100 * std::pow(10, i / 64.0)));
  // The pages that bids come from; draws far from those of any event's own.
  const auto add = [](Texts& texts, const std::string& text) {
    texts.bytes += text;
    texts.ends.push_back(static_cast<int32_t>(texts.bytes.size()));
  };
  for (uint32_t i = 0; i < kHotChannels + kChannels; ++i) {
    const uint64_t page = mix(~key_ + i * kGamma);
    std::string url = "https://www.nexmark.com/";
    for (uint64_t part = 0; part < 3; ++part) {
      char text[16];
      url.append(text, write_letters(page, 1 + part, 3 + below(high(draw(page, 0)) << 8 * part, 3), text));
      url += '/';
    }
    url += "item.htm?query=1";
    if (i < kHotChannels) {
      add(channels_, std::string(kHotNames[i]));
    } else {
      const uint32_t number = i - kHotChannels;
      add(channels_, "channel-" + std::to_string(number));
      // Nine pages in ten tell their channel, by the number's bits in reverse.
      uint32_t reversed = 0;
      for (int bit = 0; bit < 32; ++bit) reversed |= (number >> bit & 1) << (31 - bit);
      const int64_t id = std::abs(static_cast<int64_t>(static_cast<int32_t>(reversed)));
      if (below(low(draw(page, 0)), 10) > 0) url += "&channel_id=" + std::to_string(id);
    }
    add(urls_, url);
  }
}

NexmarkEvents::Rows NexmarkEvents::rows_of(int64_t first, int64_t stride, int64_t count,
                                           int64_t* times_us) const {
  Rows rows;
  rows.count = count;
  rows.times_us = times_us;
  rows.types = allocate(count * 4);
  auto* types = reinterpret_cast<int32_t*>(rows.types->mutable_data());
  std::array<uint8_t*, 3> bits{};
  for (size_t entity = 0; entity < 3; ++entity) {
    const int64_t bytes = arrow::bit_util::BytesForBits(count);
    rows.of[entity].validity = allocate(bytes);
    bits[entity] = rows.of[entity].validity->mutable_data();
    std::memset(bits[entity], 0, static_cast<size_t>(bytes));
  }
  rows.of[kBid].row.reserve(static_cast<size_t>(count));
  rows.of[kBid].event.reserve(static_cast<size_t>(count));
  rows.of[kBid].epoch.reserve(static_cast<size_t>(count));
  rows.of[kBid].offset.reserve(static_cast<size_t>(count));
  const auto bids_from = static_cast<int32_t>(settings_.person_share + settings_.auction_share);
  const int64_t rate = settings_.event_rate;
  int64_t epoch = first / cycle_;
  int64_t offset = first % cycle_;
  // Event n is at start + n / rate seconds, kept as whole microseconds and a rest.
  int64_t time_us = settings_.start_us + first / rate * 1'000'000 + first % rate * 1'000'000 / rate;
  int64_t rest = first % rate * 1'000'000 % rate;
  const auto [step_us, step_rest] = std::lldiv(stride * 1'000'000, rate);
  uint64_t seed = key_ + static_cast<uint64_t>(first) * kGamma;
  for (int64_t i = 0; i < count; ++i) {
    const Entity entity = offset >= bids_from ? kBid : offset < settings_.person_share ? kPerson : kAuction;
    Rows::Of& of = rows.of[entity];
    of.row.push_back(static_cast<int32_t>(i));
    of.event.push_back(mix(seed));
    of.epoch.push_back(epoch);
    of.offset.push_back(static_cast<int32_t>(offset));
    arrow::bit_util::SetBit(bits[entity], i);
    types[i] = entity;
    times_us[i] = time_us;
    seed += static_cast<uint64_t>(stride) * kGamma;
    time_us += step_us;
    rest += step_rest;
    if (rest >= rate) {
      rest -= rate;
      ++time_us;
    }
    offset += stride;
    if (offset >= cycle_) {
      epoch += offset / cycle_;
      offset %= cycle_;
    }
  }
  return rows;
}

std::shared_ptr<arrow::RecordBatch> NexmarkEvents::make(int64_t first, int64_t stride, int64_t count,
                                                        int64_t* times_us) const {
  const Rows rows = rows_of(first, stride, count, times_us);
  std::vector<Data> columns;
  for (const Column& column : columns_) {
    columns.push_back(column.entity < 0
                          ? arrow::ArrayData::Make(arrow::int32(), count, {nullptr, rows.types}, 0)
                          : entity_column(column, rows));
  }
  return arrow::RecordBatch::Make(schema_, count, std::move(columns));
}

// The fields of an entity that an event is not are NULL like the ROW itself: who reads a field need not look
// at the ROW.
Data NexmarkEvents::entity_column(const Column& column, const Rows& rows) const {
  const Rows::Of& of = rows.of[static_cast<size_t>(column.entity)];
  std::vector<Data> children;
  for (size_t i = 0; i < column.fields.size(); ++i) {
    const int field = column.fields[i];
    children.push_back(column.entity == kPerson    ? person_field(field, rows)
                       : column.entity == kAuction ? auction_field(field, rows)
                                                   : bid_field(field, rows));
    if (!column.field->type()->field(static_cast<int>(i))->nullable()) {
      children.back()->buffers[0] = nullptr;
      children.back()->null_count = 0;
    }
  }
  return arrow::ArrayData::Make(column.field->type(), rows.count, {of.validity}, std::move(children),
                                rows.count - static_cast<int64_t>(of.row.size()));
}

Data NexmarkEvents::person_field(int field, const Rows& rows) const {
  const Rows::Of& of = rows.of[kPerson];
  const auto event = [&](size_t i) { return of.event[i]; };
  switch (field) {
    case 0:
      return rows.integers(kPerson, arrow::int64(), [&](size_t i) {
        return kFirstPerson + of.epoch[i] * settings_.person_share + of.offset[i];
      });
    case 1:
      return rows.texts(kPerson, 32, [&](size_t i, char* out) {
        const uint64_t d = draw(event(i), 0);
        out = write(kFirstNames[below(high(d), kFirstNames.size())], out);
        *out++ = ' ';
        return write(kLastNames[below(low(d), kLastNames.size())], out);
      });
    case 2:
      return rows.texts(kPerson, 24, [&](size_t i, char* out) {
        out = write_letters(event(i), kTextDraws, mailbox_size(event(i)), out);
        *out++ = '@';
        return write(".com", write_letters(event(i), kSecondTextDraws, domain_size(event(i)), out));
      });
    case 3:
      return rows.texts(kPerson, 24, [&](size_t i, char* out) {
        for (uint64_t part = 0; part < 4; ++part) {
          const uint64_t d = draw(event(i), 3 + part / 2);
          if (part > 0) *out++ = ' ';
          out = write_digits(below(part % 2 == 0 ? high(d) : low(d), 10'000), out);
        }
        return out;
      });
    case 4:
      return rows.texts(kPerson, 16, [&](size_t i, char* out) { return write(city_of(event(i)), out); });
    case 5:
      return rows.texts(kPerson, 2, [&](size_t i, char* out) {
        return write(kStates[below(low(draw(event(i), 1)), kStates.size())], out);
      });
    case 6:
      return rows.integers(kPerson, arrow::timestamp(arrow::TimeUnit::MILLI),
                           [&](size_t i) { return rows.times_us[of.row[i]] / 1000; });
    default:
      return rows.texts(kPerson, settings_.person_bytes * 6 / 5 + 8, [&](size_t i, char* out) {
        const uint64_t e = event(i);
        const int64_t used = 8 + name_size(e) + mailbox_size(e) + 1 + domain_size(e) + 4 + 19 +
                             static_cast<int64_t>(city_of(e).size()) + 2;
        return write_letters(e, kExtraDraws, extra_size(settings_.person_bytes, used, draw(e, 5)), out);
      });
  }
}

Data NexmarkEvents::auction_field(int field, const Rows& rows) const {
  const Rows::Of& of = rows.of[kAuction];
  const auto event = [&](size_t i) { return of.event[i]; };
  const auto initial = [&](size_t i) { return price(high(draw(of.event[i], 2))); };
  const auto number = [&](auto&& value) { return rows.integers(kAuction, arrow::int64(), value); };
  const auto time = [&](auto&& value) {
    return rows.integers(kAuction, arrow::timestamp(arrow::TimeUnit::MILLI), value);
  };
  switch (field) {
    case 0:
      return number([&](size_t i) {
        return kFirstAuction + of.epoch[i] * settings_.auction_share + of.offset[i] - settings_.person_share;
      });
    case 1:
      return rows.texts(kAuction, 24, [&](size_t i, char* out) {
        return write_words(event(i), kTextDraws, item_size(event(i)), out);
      });
    case 2:
      return rows.texts(kAuction, 104, [&](size_t i, char* out) {
        return write_words(event(i), kSecondTextDraws, description_size(event(i)), out);
      });
    case 3: return number(initial);
    case 4: return number([&](size_t i) { return initial(i) + price(low(draw(event(i), 2))); });
    case 5: return time([&](size_t i) { return rows.times_us[of.row[i]] / 1000; });
    case 6:
      return time([&](size_t i) {
        const auto most = static_cast<uint64_t>(std::min<int64_t>(horizon_ms_ * 2, UINT32_MAX));
        return rows.times_us[of.row[i]] / 1000 + 1 + below(low(draw(event(i), 1)), most);
      });
    case 7:
      return number([&](size_t i) {
        const uint64_t d = draw(event(i), 0);
        const int64_t last = of.epoch[i] * settings_.person_share + settings_.person_share - 1;
        const bool hot = below(high(d), static_cast<uint64_t>(settings_.hot_seller_ratio)) > 0;
        return kFirstPerson + (hot ? last / kHotEvery * kHotEvery : active_person(last, low(d)));
      });
    case 8:
      return number([&](size_t i) { return kFirstCategory + below(high(draw(event(i), 1)), kCategories); });
    default:
      return rows.texts(kAuction, settings_.auction_bytes * 6 / 5 + 8, [&](size_t i, char* out) {
        const uint64_t e = event(i);
        const int64_t used = 48 + item_size(e) + description_size(e);
        return write_letters(e, kExtraDraws, extra_size(settings_.auction_bytes, used, draw(e, 4)), out);
      });
  }
}

Data NexmarkEvents::bid_field(int field, const Rows& rows) const {
  const Rows::Of& of = rows.of[kBid];
  const auto event = [&](size_t i) { return of.event[i]; };
  const auto number = [&](auto&& value) { return rows.integers(kBid, arrow::int64(), value); };
  // Half of the bids come through a hot channel; name and page belong together.
  const auto write_of_channel = [&](const Texts& texts, size_t i, char* out) {
    const uint64_t d = draw(event(i), 3);
    const bool hot = (low(d) & 1) != 0;
    const uint32_t channel = hot ? below(high(d), kHotChannels) : kHotChannels + below(high(d), kChannels);
    const int32_t begin = channel == 0 ? 0 : texts.ends[channel - 1];
    const auto size = static_cast<size_t>(texts.ends[channel] - begin);
    return write({texts.bytes.data() + begin, size}, out);
  };
  switch (field) {
    case 0:
      return number([&](size_t i) {
        const uint64_t d = draw(event(i), 0);
        const int64_t last = of.epoch[i] * settings_.auction_share + settings_.auction_share - 1;
        const bool hot = below(high(d), static_cast<uint64_t>(settings_.hot_auction_ratio)) > 0;
        return kFirstAuction + (hot ? last / kHotEvery * kHotEvery : open_auction(last, low(d)));
      });
    case 1:
      return number([&](size_t i) {
        const uint64_t d = draw(event(i), 1);
        const int64_t last = of.epoch[i] * settings_.person_share + settings_.person_share - 1;
        const bool hot = below(high(d), static_cast<uint64_t>(settings_.hot_bidder_ratio)) > 0;
        return kFirstPerson + (hot ? last / kHotEvery * kHotEvery + 1 : active_person(last, low(d)));
      });
    case 2: return number([&](size_t i) { return price(high(draw(event(i), 2))); });
    case 3:
      return rows.texts(kBid, 16, [&](size_t i, char* out) { return write_of_channel(channels_, i, out); });
    case 4: return rows.texts(kBid, 96, [&](size_t i, char* out) { return write_of_channel(urls_, i, out); });
    case 5:
      return rows.integers(kBid, arrow::timestamp(arrow::TimeUnit::MILLI),
                           [&](size_t i) { return rows.times_us[of.row[i]] / 1000; });
    default:
      return rows.texts(kBid, settings_.bid_bytes * 6 / 5 + 8, [&](size_t i, char* out) {
        return write_letters(event(i), kExtraDraws, extra_size(settings_.bid_bytes, 32, draw(event(i), 4)),
                             out);
      });
  }
}

// One of the last `active_people`, or one that comes soon.
int64_t NexmarkEvents::active_person(int64_t last_person, uint32_t draw) const {
  const int64_t active = std::min(last_person + 1, settings_.active_people);
  return last_person + 1 - active + below(draw, static_cast<uint64_t>(active + kPersonLead));
}

int64_t NexmarkEvents::open_auction(int64_t last_auction, uint32_t draw) const {
  const int64_t oldest = std::max<int64_t>(last_auction - settings_.in_flight_auctions, 0);
  return oldest + below(draw, static_cast<uint64_t>(last_auction - oldest + 1 + kAuctionLead));
}

// 1 to 1,000,000 in cents, even in its logarithm; integers only, so that every machine agrees.
int64_t NexmarkEvents::price(uint32_t draw) const {
  const uint64_t place = static_cast<uint64_t>(draw) * kPriceSteps;
  const uint64_t step = place >> 32;
  const int64_t share = static_cast<int64_t>(place >> 16 & 0xFFFF);
  return prices_[step] + ((prices_[step + 1] - prices_[step]) * share >> 16);
}

// What is left of the mean, a fifth more or less.
uint32_t NexmarkEvents::extra_size(int64_t mean, int64_t used, uint64_t draw) const {
  if (used >= mean) return 0;
  const int64_t left = mean - used;
  const int64_t delta = (left + 2) / 5;
  return static_cast<uint32_t>(left - delta + below(high(draw), static_cast<uint64_t>(2 * delta)));
}

}  // namespace weir
