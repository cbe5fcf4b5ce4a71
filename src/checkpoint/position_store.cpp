#include "checkpoint/position_store.h"

#include <nlohmann/json.hpp>

namespace weir {
namespace {

constexpr const char* kFormat = "weir-positions";
constexpr int kVersion = 1;

}  // namespace

PositionStore::PositionStore(ObjectStore& objects, const std::string& pipeline, const std::string& source)
    : objects_(objects), path_(pipeline + "/positions/" + source + ".json") {}

Result<std::map<std::string, int64_t>> PositionStore::load() {
  std::map<std::string, int64_t> positions;
  auto bytes = objects_.get(path_);
  if (!bytes.ok()) {
    if (bytes.status().code() == Code::not_found) return positions;
    return bytes.status().with_context("reading positions");
  }
  auto damaged = [&](const std::string& what) {
    return Status::invalid("the positions in '" + path_ + "' of the state cannot be used: " + what);
  };
  auto json = nlohmann::json::parse(*bytes, nullptr, false);
  if (!json.is_object() || json.value("format", "") != kFormat) return damaged("not a positions file");
  auto version = json.find("version");
  if (version == json.end() || !version->is_number_integer()) return damaged("it has no version");
  if (*version != kVersion) return damaged("its version is " + version->dump() + ", this Weir knows 1");
  auto entries = json.find("positions");
  if (entries == json.end() || !entries->is_object()) return damaged("it has no positions");
  for (const auto& [app_id, next] : entries->items()) {
    if (!next.is_number_integer()) return damaged("the position of '" + app_id + "' is not a whole number");
    positions[app_id] = next.get<int64_t>();
  }
  return positions;
}

Status PositionStore::save(const std::map<std::string, int64_t>& moved) {
  WEIR_ASSIGN(auto positions, load());
  for (const auto& [app_id, next] : moved) positions[app_id] = next;
  nlohmann::json json = {{"format", kFormat}, {"version", kVersion}, {"positions", nlohmann::json::object()}};
  for (const auto& [app_id, next] : positions) json["positions"][app_id] = next;
  return objects_.put(path_, json.dump(1) + "\n").with_context("writing positions");
}

}  // namespace weir
