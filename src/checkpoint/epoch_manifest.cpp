#include "checkpoint/epoch_manifest.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/crc32c.h"

namespace weir {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kFormat = "weir-epoch";
constexpr int kVersion = 1;
// The last line in all versions: that a version is unknown is said only of a text that is whole.
constexpr std::string_view kCrcBegin = "{\"crc32c\":\"";
constexpr std::string_view kCrcEnd = "\"}\n";
constexpr size_t kHexDigits = 8;

std::string hex(uint32_t crc) {
  char text[kHexDigits + 1];
  std::snprintf(text, sizeof text, "%08x", crc);
  return text;
}

bool parse_hex(std::string_view text, uint32_t& crc) {
  crc = 0;
  for (const char digit : text) {
    const size_t value = std::string_view("0123456789abcdef").find(digit);
    if (value == std::string_view::npos) return false;
    crc = (crc << 4) | static_cast<uint32_t>(value);
  }
  return text.size() == kHexDigits;
}

std::string last_line(std::string_view text) {
  return std::string(kCrcBegin) + hex(crc32c(text.data(), text.size())) + std::string(kCrcEnd);
}

Json numbers_json(const std::map<std::string, int64_t>& numbers) {
  Json json = Json::object();
  for (const auto& [name, number] : numbers) json[name] = number;
  return json;
}

Json file_json(const StateFile& file) {
  return {{"path", file.path}, {"size", file.size}, {"crc32c", hex(file.crc)}};
}

// Gives what is asked for, or notes the first thing that is not as it should be.
class Reader {
 public:
  explicit Reader(const Json& root) : root_(root) {}
  const std::string& problem() const { return problem_; }

  int64_t number(const char* name) { return number(root_, name); }
  bool flag(const char* name) {
    const Json* value = member(root_, name);
    if (value != nullptr && value->is_boolean()) return value->get<bool>();
    wrong(name, "true or false");
    return false;
  }
  std::map<std::string, int64_t> numbers(const char* name) {
    std::map<std::string, int64_t> result;
    for (const auto& [key, value] : object(name).items()) result[key] = whole(&value, name);
    return result;
  }
  std::map<std::string, StateFile> states(const char* name) {
    std::map<std::string, StateFile> result;
    for (const auto& [key, value] : object(name).items()) result[key] = file(value);
    return result;
  }
  std::map<std::string, std::vector<StateFile>> spools(const char* name) {
    std::map<std::string, std::vector<StateFile>> result;
    for (const auto& [key, value] : object(name).items()) {
      if (!value.is_array()) wrong(name, "lists of files");
      auto& files = result[key];
      for (const Json& entry : list(&value)) files.push_back(file(entry));
    }
    return result;
  }
  std::vector<PreparedHandle> prepared(const char* name) {
    std::vector<PreparedHandle> result;
    const Json* value = member(root_, name);
    if (value == nullptr || !value->is_array()) wrong(name, "a list");
    for (const Json& entry : list(value))
      result.push_back(
          {text(entry, "sink"), text(entry, "app_id"), text(entry, "persisted"), text(entry, "ledger")});
    return result;
  }

 private:
  void wrong(const std::string& name, const std::string& expected) {
    if (problem_.empty()) problem_ = "'" + name + "' is not " + expected;
  }
  static const Json* member(const Json& json, const char* name) {
    if (!json.is_object()) return nullptr;
    const auto found = json.find(name);
    return found == json.end() ? nullptr : &*found;
  }
  const Json& object(const char* name) {
    static const Json kNothing = Json::object();
    const Json* value = member(root_, name);
    if (value != nullptr && value->is_object()) return *value;
    wrong(name, "an object");
    return kNothing;
  }
  static const Json& list(const Json* json) {
    static const Json kNothing = Json::array();
    return json != nullptr && json->is_array() ? *json : kNothing;
  }
  int64_t number(const Json& json, const char* name) { return whole(member(json, name), name); }
  int64_t whole(const Json* value, const char* name) {
    if (value != nullptr && value->is_number_integer() &&
        (!value->is_number_unsigned() || value->get<uint64_t>() <= INT64_MAX))
      return value->get<int64_t>();
    wrong(name, "a whole number");
    return 0;
  }
  std::string text(const Json& json, const char* name) {
    const Json* value = member(json, name);
    if (value != nullptr && value->is_string()) return value->get<std::string>();
    wrong(name, "a text");
    return "";
  }
  StateFile file(const Json& json) {
    StateFile result;
    result.path = text(json, "path");
    result.size = number(json, "size");
    if (!parse_hex(text(json, "crc32c"), result.crc)) wrong("crc32c", "8 hexadecimal digits");
    const std::string padded = "/" + result.path + "/";
    if (padded.find("//") != std::string::npos || padded.find("/../") != std::string::npos ||
        padded.find("/./") != std::string::npos || result.size < 0)
      wrong("path", "that of a file in the set's folder");
    return result;
  }

  const Json& root_;
  std::string problem_;
};

}  // namespace

std::vector<const StateFile*> EpochManifest::files() const {
  std::vector<const StateFile*> result;
  for (const auto& [name, file] : states) result.push_back(&file);
  for (const auto& [sink, rows] : spools) {
    for (const StateFile& file : rows) result.push_back(&file);
  }
  return result;
}

int64_t EpochManifest::bytes() const {
  int64_t sum = 0;
  for (const StateFile* file : files()) sum += file->size;
  return sum;
}

Result<std::string> encode_manifest(const EpochManifest& manifest) {
  Json json = {{"format", kFormat},
               {"version", kVersion},
               {"epoch", manifest.epoch},
               {"created", format_timestamp_us(manifest.created_us)},
               {"created_us", manifest.created_us},
               {"plan_hash", manifest.plan_hash},
               {"parallelism", manifest.parallelism},
               {"ended", manifest.ended},
               {"positions", numbers_json(manifest.positions)},
               {"watermarks", numbers_json(manifest.watermarks)},
               {"merged", numbers_json(manifest.merged)},
               {"sequences", numbers_json(manifest.sequences)},
               {"states", Json::object()},
               {"spools", Json::object()},
               {"prepared_epochs", numbers_json(manifest.prepared_epochs)},
               {"prepared", Json::array()}};
  for (const auto& [name, file] : manifest.states) json["states"][name] = file_json(file);
  for (const auto& [sink, files] : manifest.spools) {
    Json& list = json["spools"][sink] = Json::array();
    for (const StateFile& file : files) list.push_back(file_json(file));
  }
  for (const PreparedHandle& handle : manifest.prepared)
    json["prepared"].push_back({{"sink", handle.sink},
                                {"app_id", handle.app_id},
                                {"persisted", handle.persisted},
                                {"ledger", handle.ledger}});
  try {
    std::string text = json.dump(1) + "\n";
    return text + last_line(text);
  } catch (const Json::exception&) {
    return Status::invalid("a checkpoint cannot be written: a name in it is not UTF-8");
  }
}

Result<EpochManifest> parse_manifest(std::string_view text, const std::string& name, bool& newer) {
  newer = false;
  auto damaged = [&](const std::string& what) {
    return Status::invalid("the manifest '" + name + "' is damaged: " + what);
  };
  const size_t tail = kCrcBegin.size() + kHexDigits + kCrcEnd.size();
  if (text.size() < tail) return damaged("it was cut at byte " + std::to_string(text.size()));
  const std::string_view body = text.substr(0, text.size() - tail);
  if (text.substr(body.size()) != last_line(body)) return damaged("its checksum does not hold");
  const Json json = Json::parse(body, nullptr, false);
  if (!json.is_object()) return damaged("it is not a JSON object");
  const auto format = json.find("format");
  if (format == json.end() || *format != kFormat) return damaged("it is not that of an epoch");
  const auto version = json.find("version");
  if (version == json.end() || !version->is_number_integer()) return damaged("it has no version");
  if (*version != kVersion) {
    newer = true;
    return Status::invalid("the manifest '" + name + "' has version " + version->dump() +
                           ", this Weir knows 1: run the pipeline with the Weir that wrote it");
  }
  Reader reader(json);
  EpochManifest manifest;
  manifest.epoch = reader.number("epoch");
  manifest.created_us = reader.number("created_us");
  manifest.plan_hash = reader.number("plan_hash");
  const int64_t parallelism = reader.number("parallelism");
  manifest.parallelism = static_cast<int32_t>(parallelism);
  manifest.ended = reader.flag("ended");
  manifest.positions = reader.numbers("positions");
  manifest.watermarks = reader.numbers("watermarks");
  manifest.merged = reader.numbers("merged");
  manifest.sequences = reader.numbers("sequences");
  manifest.states = reader.states("states");
  manifest.spools = reader.spools("spools");
  manifest.prepared_epochs = reader.numbers("prepared_epochs");
  manifest.prepared = reader.prepared("prepared");
  if (!reader.problem().empty()) return damaged(reader.problem());
  if (manifest.epoch < 0 || parallelism < 1 || parallelism > INT32_MAX)
    return damaged("'epoch' or 'parallelism' is out of range");
  return manifest;
}

}  // namespace weir
