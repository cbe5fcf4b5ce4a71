#include "json_shapes.h"

#include <cstdio>

namespace weir::bench {
namespace {

// splitmix64: the n-th event is the same whatever was made before it.
struct Random {
  uint64_t state;
  uint64_t next() {
    uint64_t z = (state += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }
  uint64_t below(uint64_t limit) { return next() % limit; }
};

void words(Random& random, size_t least, std::string* out) {
  const size_t begin = out->size();
  while (out->size() - begin < least) {
    uint64_t bits = random.next();
    const size_t length = 3 + bits % 8;
    for (size_t i = 0; i < length; ++i) {
      bits >>= 5;
      *out += static_cast<char>('a' + bits % 26);
    }
    *out += ' ';
  }
  out->resize(begin + least);
}

void text(Random& random, size_t least, size_t spread, std::string* out) {
  *out += '"';
  words(random, least + random.below(spread), out);
  *out += '"';
}

void number(uint64_t value, std::string* out) { *out += std::to_string(value); }

void money(Random& random, std::string* out) {
  char buffer[40];
  std::snprintf(buffer, sizeof(buffer), "%llu.%02llu", static_cast<unsigned long long>(random.below(1000000)),
                static_cast<unsigned long long>(random.below(100)));
  *out += buffer;
}

void degrees(Random& random, std::string* out) {
  char buffer[40];
  std::snprintf(buffer, sizeof(buffer), "%s%llu.%06llu", random.below(2) ? "-" : "",
                static_cast<unsigned long long>(random.below(90)),
                static_cast<unsigned long long>(random.below(1000000)));
  *out += buffer;
}

void timestamp(Random& random, uint64_t n, std::string* out) {
  const uint64_t ms = n * 7 + random.below(7);
  char buffer[40];
  std::snprintf(buffer, sizeof(buffer), "\"2026-%02d-%02dT%02d:%02d:%02d.%03d\"",
                static_cast<int>(ms / 2419200000 % 12 + 1), static_cast<int>(ms / 86400000 % 28 + 1),
                static_cast<int>(ms / 3600000 % 24), static_cast<int>(ms / 60000 % 60),
                static_cast<int>(ms / 1000 % 60), static_cast<int>(ms % 1000));
  *out += buffer;
}

void flat(Random& random, uint64_t n, std::string* out) {
  *out += "{\"auction\":";
  number(1000 + random.below(100000000), out);
  *out += ",\"bidder\":";
  number(1000 + random.below(10000000), out);
  *out += ",\"price\":";
  number(random.below(100000000), out);
  *out += ",\"channel\":";
  text(random, 5, 10, out);
  *out += ",\"url\":\"https://www.nexmark.com/";
  words(random, 40, out);
  *out += "/item.htm?query=1\",\"reserve\":";
  money(random, out);
  *out += random.below(2) ? ",\"is_open\":true" : ",\"is_open\":false";
  *out += ",\"date_time\":";
  timestamp(random, n, out);
  *out += ",\"extra\":";
  text(random, 60, 80, out);
  *out += '}';
}

void nested(Random& random, uint64_t n, std::string* out) {
  *out += "{\"order_id\":";
  number(n, out);
  *out += ",\"placed_at\":";
  timestamp(random, n, out);
  *out += ",\"customer\":{\"id\":";
  number(random.below(10000000), out);
  *out += ",\"name\":";
  text(random, 10, 15, out);
  *out += ",\"email\":";
  text(random, 15, 15, out);
  *out += ",\"address\":{\"street\":";
  text(random, 15, 20, out);
  *out += ",\"city\":";
  text(random, 6, 12, out);
  *out += ",\"zip\":";
  text(random, 5, 3, out);
  *out += ",\"geo\":{\"lat\":";
  degrees(random, out);
  *out += ",\"lon\":";
  degrees(random, out);
  *out += "}}},\"items\":[";
  const uint64_t items = 8 + random.below(5);
  for (uint64_t i = 0; i < items; ++i) {
    *out += i == 0 ? "{\"sku\":" : ",{\"sku\":";
    text(random, 8, 5, out);
    *out += ",\"title\":";
    text(random, 20, 40, out);
    *out += ",\"quantity\":";
    number(1 + random.below(99), out);
    *out += ",\"price\":";
    money(random, out);
    *out += ",\"in_stock\":";
    *out += random.below(3) ? "true" : "false";
    *out += ",\"tags\":[";
    const uint64_t tags = random.below(4);
    for (uint64_t t = 0; t < tags; ++t) {
      if (t > 0) *out += ',';
      text(random, 4, 8, out);
    }
    *out += "]}";
  }
  *out += "],\"note\":";
  text(random, 100, 400, out);
  *out += '}';
}

void wide(Random& random, uint64_t n, std::string* out) {
  for (int i = 0; i < 100; ++i) {
    *out += i == 0 ? "{\"c" : ",\"c";
    number(static_cast<uint64_t>(i), out);
    *out += "\":";
    switch (i % 10) {
      case 0:
      case 1:
      case 2:
      case 3: number(random.below(i % 2 ? 1000000000 : 10000), out); break;
      case 4:
      case 5: degrees(random, out); break;
      case 6: *out += random.below(2) ? "true" : "false"; break;
      case 7: timestamp(random, n + static_cast<uint64_t>(i), out); break;
      default: text(random, 4, 12, out);
    }
  }
  *out += '}';
}

}  // namespace

const std::vector<Shape>& shapes() {
  static const std::vector<Shape> all = [] {
    Shape flat{"flat",
               {{"auction", "BIGINT"},
                {"bidder", "BIGINT"},
                {"price", "BIGINT"},
                {"channel", "STRING"},
                {"url", "STRING"},
                {"reserve", "DOUBLE"},
                {"is_open", "BOOLEAN"},
                {"date_time", "TIMESTAMP(3)"},
                {"extra", "STRING"}}};
    Shape nested{
        "nested",
        {{"order_id", "BIGINT"},
         {"placed_at", "TIMESTAMP(3)"},
         {"customer",
          "ROW<id BIGINT, name STRING, email STRING, address ROW<street STRING, city STRING, zip STRING, "
          "geo ROW<lat DOUBLE, lon DOUBLE>>>"},
         {"items",
          "ARRAY<ROW<sku STRING, title STRING, quantity INT, price DOUBLE, in_stock BOOLEAN, tags "
          "ARRAY<STRING>>>"},
         {"note", "STRING"}}};
    Shape wide{"wide", {}};
    for (int i = 0; i < 100; ++i) {
      static const char* const kTypes[] = {"BIGINT", "BIGINT",  "BIGINT",       "BIGINT", "DOUBLE",
                                           "DOUBLE", "BOOLEAN", "TIMESTAMP(3)", "STRING", "STRING"};
      wide.columns.push_back({"c" + std::to_string(i), kTypes[i % 10]});
    }
    return std::vector<Shape>{flat, nested, wide};
  }();
  return all;
}

void append_event(const std::string& shape, uint64_t n, std::string* out) {
  Random random{n * 0x2545F4914F6CDD1Dull + 42};
  if (shape == "flat") return flat(random, n, out);
  if (shape == "nested") return nested(random, n, out);
  wide(random, n, out);
}

void break_event(uint64_t n, std::string* event) {
  switch (n % 6) {
    case 0: event->resize(event->size() / 2); break;                              // cut: malformed
    case 1: (*event)[event->find(':') + 1] = 'x'; break;                          // malformed
    case 2: (*event)[event->size() - 4] = '\xff'; break;                          // invalid_utf8
    case 3: event->replace(event->find(':') + 1, 0, "[],\"again\":"); break;      // wrong_type
    case 4: event->insert(event->size() - 1, ",\"twice\":1,\"twice\":2"); break;  // duplicate_key
    default: *event = "[" + *event + "]"; break;                                  // wrong_type
  }
}

}  // namespace weir::bench
