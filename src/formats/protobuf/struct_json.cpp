#include "formats/protobuf/struct_json.h"

#include <simdjson.h>

#include <charconv>
#include <cmath>
#include <cstring>
#include <unordered_map>
#include <vector>

namespace weir::protobuf {
namespace {

using wire::Tag;
using wire::WireError;
using wire::WireReader;
using wire::WireType;

class Writer {
 public:
  Writer(std::string* out, int max_depth) : out_(*out), depth_left_(max_depth) {}

  bool object(std::string_view bytes) {
    Nested nested(*this, bytes.data());
    if (!nested.ok) return false;
    struct Member {
      std::string_view key;
      std::string_view value;
    };
    std::vector<Member> members;
    std::unordered_map<std::string_view, size_t> places;
    WireReader reader(bytes);
    while (!reader.at_end()) {
      Tag tag;
      std::string_view entry;
      if (!next(reader, &tag)) return false;
      if (tag.field != 1) {
        if (!skip(reader, tag)) return false;
        continue;
      }
      if (!slice(reader, tag, &entry)) return false;
      Member member;
      if (!read_entry(entry, &member.key, &member.value)) return false;
      const auto [place, added] = places.emplace(member.key, members.size());
      if (added) {
        members.push_back(member);
      } else {
        members[place->second] = member;
      }
    }
    out_ += '{';
    for (const Member& member : members) {
      if (&member != members.data()) out_ += ',';
      if (!text(member.key)) return false;
      out_ += ':';
      if (!value(member.value)) return false;
    }
    out_ += '}';
    return true;
  }

  bool list(std::string_view bytes) {
    Nested nested(*this, bytes.data());
    if (!nested.ok) return false;
    out_ += '[';
    bool first = true;
    WireReader reader(bytes);
    while (!reader.at_end()) {
      Tag tag;
      std::string_view element;
      if (!next(reader, &tag)) return false;
      if (tag.field != 1) {
        if (!skip(reader, tag)) return false;
        continue;
      }
      if (!slice(reader, tag, &element)) return false;
      if (!first) out_ += ',';
      first = false;
      if (!value(element)) return false;
    }
    out_ += ']';
    return true;
  }

  // A oneof: the last member counts; a Struct or list that follows itself is merged.
  bool value(std::string_view bytes) {
    Nested nested(*this, bytes.data());
    if (!nested.ok) return false;
    uint32_t kind = 0;
    uint64_t scalar = 0;
    std::string_view content;
    std::string merged;
    WireReader reader(bytes);
    while (!reader.at_end()) {
      Tag tag;
      if (!next(reader, &tag)) return false;
      std::string_view part;
      switch (tag.field) {
        case 1:
        case 4:
          if (tag.type != WireType::varint) return fail(WireError::bad_wire_type, reader.position);
          if (const auto e = reader.varint(scalar); e != WireError::none) return fail(e, reader.position);
          break;
        case 2:
          if (tag.type != WireType::fixed64) return fail(WireError::bad_wire_type, reader.position);
          if (const auto e = reader.fixed64(scalar); e != WireError::none) return fail(e, reader.position);
          break;
        case 3:
        case 5:
        case 6:
          if (!slice(reader, tag, &part)) return false;
          if (kind == tag.field && kind != 3) {
            if (merged.empty()) merged = content;
            merged += part;
            part = merged;
          } else {
            merged.clear();
          }
          content = part;
          break;
        default:
          if (!skip(reader, tag)) return false;
          continue;
      }
      kind = tag.field;
    }
    switch (kind) {
      case 2: return number(scalar, bytes.data());
      case 3: return text(content);
      case 4: out_ += scalar != 0 ? "true" : "false"; return true;
      case 5: return object(content);
      case 6: return list(content);
      default: out_ += "null"; return true;
    }
  }

  StructProblem problem;

 private:
  struct Nested {
    Nested(Writer& writer, const char* at) : writer(writer), ok(--writer.depth_left_ >= 0) {
      if (!ok) writer.fail(WireError::too_deep, at);
    }
    ~Nested() { ++writer.depth_left_; }
    Writer& writer;
    bool ok;
  };

  bool fail(WireError error, const char* at) {
    problem = {StructError::wire, error, at};
    return false;
  }
  bool next(WireReader& reader, Tag* tag) {
    const WireError error = reader.tag(*tag);
    return error == WireError::none || fail(error, reader.position);
  }
  bool skip(WireReader& reader, Tag tag) {
    const WireError error = reader.skip(tag, depth_left_);
    return error == WireError::none || fail(error, reader.position);
  }
  bool slice(WireReader& reader, Tag tag, std::string_view* bytes) {
    if (tag.type != WireType::bytes) return fail(WireError::bad_wire_type, reader.position);
    const WireError error = reader.bytes(*bytes);
    return error == WireError::none || fail(error, reader.position);
  }

  bool read_entry(std::string_view entry, std::string_view* key, std::string_view* content) {
    WireReader reader(entry);
    while (!reader.at_end()) {
      Tag tag;
      if (!next(reader, &tag)) return false;
      if (tag.field == 1 || tag.field == 2) {
        if (!slice(reader, tag, tag.field == 1 ? key : content)) return false;
      } else if (!skip(reader, tag)) {
        return false;
      }
    }
    return true;
  }

  bool number(uint64_t bits, const char* at) {
    double value;
    std::memcpy(&value, &bits, sizeof(value));
    if (!std::isfinite(value)) {
      problem = {StructError::number, WireError::none, at};
      return false;
    }
    char buffer[32];
    const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value).ptr;
    out_.append(buffer, end);
    return true;
  }

  bool text(std::string_view content) {
    if (!simdjson::validate_utf8(content.data(), content.size())) {
      problem = {StructError::utf8, WireError::none, content.data()};
      return false;
    }
    static constexpr char kHex[] = "0123456789abcdef";
    out_ += '"';
    for (const char c : content) {
      if (c == '"' || c == '\\') {
        out_ += '\\';
        out_ += c;
      } else if (static_cast<uint8_t>(c) < 0x20) {
        out_ += "\\u00";
        out_ += kHex[c >> 4];
        out_ += kHex[c & 15];
      } else {
        out_ += c;
      }
    }
    out_ += '"';
    return true;
  }

  std::string& out_;
  int depth_left_;
};

}  // namespace

StructProblem struct_json(std::string_view message, JsonKind kind, int max_depth, std::string* out) {
  Writer writer(out, max_depth);
  if (kind == JsonKind::object) {
    writer.object(message);
  } else if (kind == JsonKind::list) {
    writer.list(message);
  } else {
    writer.value(message);
  }
  return writer.problem;
}

}  // namespace weir::protobuf
