#include "schema/schema_history.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/text.h"

namespace weir {
namespace {

using Json = nlohmann::json;

std::string text_of(const SchemaColumn& column) {
  return column.name + " " + column.type + (column.nullable ? "" : " NOT NULL");
}

}  // namespace

std::vector<std::string> schema_changes(const std::vector<SchemaColumn>& before,
                                        const std::vector<SchemaColumn>& now) {
  auto find = [](const std::vector<SchemaColumn>& columns, const std::string& name) {
    return std::find_if(columns.begin(), columns.end(), [&](const auto& each) { return each.name == name; });
  };
  std::vector<std::string> changes;
  for (const SchemaColumn& column : before) {
    auto found = find(now, column.name);
    if (found == now.end()) {
      changes.push_back(text_of(column) + " is gone");
    } else if (*found != column) {
      changes.push_back(text_of(column) + " is now " + found->type + (found->nullable ? "" : " NOT NULL"));
    }
  }
  for (const SchemaColumn& column : now) {
    if (find(before, column.name) == before.end()) changes.push_back(text_of(column) + " is new");
  }
  return changes;
}

SchemaHistory::SchemaHistory(ObjectStore& objects, const std::string& pipeline, const std::string& table)
    : objects_(objects), folder_(pipeline + "/schemas/" + table) {}

Result<SchemaVersion> SchemaHistory::newest() {
  WEIR_ASSIGN(auto paths, objects_.list(folder_));
  if (paths.empty()) return SchemaVersion{};
  WEIR_ASSIGN(auto text, objects_.get(paths.back()));
  try {
    const Json json = Json::parse(text);
    if (json.at("format") != "weir-schema" || json.at("version").get<int>() != 1) {
      return Status::invalid("'" + paths.back() + "' below state.path was written by a newer Weir");
    }
    SchemaVersion version;
    version.number = json.at("number").get<int32_t>();
    version.since = json.at("since").get<std::string>();
    for (const Json& column : json.at("columns")) {
      version.columns.push_back({column.at("name").get<std::string>(), column.at("type").get<std::string>(),
                                 column.at("nullable").get<bool>()});
    }
    return version;
  } catch (const Json::exception& error) {
    return Status::invalid("'" + paths.back() + "' below state.path is damaged: " + error.what());
  }
}

Result<int32_t> SchemaHistory::record(const std::vector<SchemaColumn>& columns, int64_t now_us) {
  for (int attempt = 0; attempt < 10; ++attempt) {
    WEIR_ASSIGN(auto last, newest());
    if (last.number > 0 && last.columns == columns) return last.number;
    const int32_t number = last.number + 1;
    Json json = {{"format", "weir-schema"},
                 {"version", 1},
                 {"number", number},
                 {"since", format_timestamp_us(now_us)},
                 {"columns", Json::array()}};
    for (const SchemaColumn& column : columns) {
      json["columns"].push_back(
          {{"name", column.name}, {"type", column.type}, {"nullable", column.nullable}});
    }
    char name[16];
    std::snprintf(name, sizeof name, "/%06d.json", number);
    Status put = objects_.put_if_absent(folder_ + name, json.dump(1));
    if (put.ok()) return number;
    if (put.code() != Code::already_exists) return put;
  }
  return Status(Code::conflict, "other workers keep adding versions to '" + folder_ + "'");
}

}  // namespace weir
