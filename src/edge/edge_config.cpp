#include "edge/edge_config.h"

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/text.h"
#include "config/references.h"
#include "edge/kafka_target.h"
#include "edge/nats_target.h"
#include "log/log_format.h"

namespace weir {
namespace {

using Values = std::map<std::string, OptionValue>;

class ConfigReader {
 public:
  ConfigReader(const std::string& file, Diagnostics& diagnostics)
      : file_(file), folder_(std::filesystem::path(file).parent_path()), diagnostics_(diagnostics) {}

  EdgeConfig read(const std::string& text) {
    EdgeConfig config;
    config.file = file_;
    config.server = Options(server_option_specs(), {});
    toml::parse_result parsed = toml::parse(text, file_);
    if (!parsed) {
      const toml::parse_error& error = parsed.error();
      diagnostics_.error(place(error.source()), "no TOML: " + std::string(error.description()));
      return config;
    }
    const toml::table& root = parsed.table();
    for (const auto& [key, node] : root) {
      static const std::vector<std::string> kSections{"server", "stream", "route", "target"};
      const std::string name(key.str());
      if (std::find(kSections.begin(), kSections.end(), name) == kSections.end()) {
        std::string near = suggestion(name, kSections);
        diagnostics_.error(
            place(key.source()),
            "there is no section or option '" + name + "' here." +
                (near.empty() ? " Sections are [server], [[stream]], [[route]], [[target]]" : near));
      } else if (name == "server" && !node.is_table()) {
        diagnostics_.error(place(key.source()), "write [server]");
      } else if (name != "server" && !node.is_array_of_tables()) {
        diagnostics_.error(place(key.source()), "write [[" + name + "]], in double brackets");
      }
    }
    read_server(root, config);
    for (const toml::table* table : tables(root, "stream")) read_stream(*table, config);
    for (const toml::table* table : tables(root, "target")) read_target(*table, config);
    for (const toml::table* table : tables(root, "route")) read_route(*table, config);
    return config;
  }

 private:
  Location place(const toml::source_region& region) const {
    return {file_, static_cast<int>(region.begin.line), static_cast<int>(region.begin.column)};
  }

  static std::vector<const toml::table*> tables(const toml::table& root, std::string_view name) {
    std::vector<const toml::table*> found;
    const toml::array* array = root[name].as_array();
    if (array == nullptr) return found;
    for (const toml::node& node : *array) {
      if (const toml::table* table = node.as_table()) found.push_back(table);
    }
    return found;
  }

  // [a] b.c = 1 -> "b.c". `tokens` is apart: a list.
  void flatten(const toml::table& table, const std::string& prefix, Values& values,
               std::vector<std::string>* tokens) {
    for (const auto& [key, node] : table) {
      const std::string name = prefix + std::string(key.str());
      if (const toml::table* inner = node.as_table()) {
        flatten(*inner, name + ".", values, tokens);
        continue;
      }
      if (name == "tokens" && tokens != nullptr) {
        read_tokens(node, *tokens);
        continue;
      }
      OptionValue value;
      value.location = place(node.source());
      value.name_location = place(key.source());
      if (const auto* text = node.as_string()) {
        value.text = text->get();
        replace_references(value, folder_, diagnostics_);
      } else if (const auto* integer = node.as_integer()) {
        value.text = std::to_string(integer->get());
      } else if (const auto* boolean = node.as_boolean()) {
        value.text = boolean->get() ? "true" : "false";
      } else {
        diagnostics_.error(value.location, "option '" + name + "' must be a string, an integer or a boolean");
        continue;
      }
      values[name] = std::move(value);
    }
  }

  void read_tokens(const toml::node& node, std::vector<std::string>& tokens) {
    const auto add = [&](const toml::node& entry) {
      const auto* text = entry.as_string();
      if (text == nullptr) {
        return diagnostics_.error(place(entry.source()), "a token must be a string");
      }
      OptionValue value;
      value.text = text->get();
      value.location = place(entry.source());
      const size_t before = diagnostics_.entries().size();
      replace_references(value, folder_, diagnostics_);
      if (diagnostics_.entries().size() != before) return;
      if (value.text.size() < 8 || value.text.find_first_of(" \t\r\n") != std::string::npos) {
        return diagnostics_.error(value.location, "a token needs at least 8 characters, none of them blank");
      }
      tokens.push_back(std::move(value.text));
    };
    if (const toml::array* list = node.as_array()) {
      for (const toml::node& entry : *list) add(entry);
      if (list->empty())
        diagnostics_.error(place(node.source()), "'tokens' is empty: leave it out, or name one");
    } else {
      add(node);
    }
  }

  // What is beyond [least, most] is a diagnostic.
  void check_range(const Options& options, const std::string& name, int64_t least, int64_t most) {
    if (!options.has(name) || diagnostics_.has_errors()) return;
    int64_t value = options.integer(name);
    if (value >= least && value <= most) return;
    diagnostics_.error(options.location(name), "option '" + name + "': found " + std::to_string(value) +
                                                   ", expected " + std::to_string(least) + " to " +
                                                   std::to_string(most));
  }
  void check_size(const Options& options, const std::string& name, int64_t least, int64_t most) {
    if (!options.has(name) || diagnostics_.has_errors()) return;
    int64_t value = options.size(name);
    if (value >= least && value <= most) return;
    diagnostics_.error(options.location(name), "option '" + name + "': found " + std::to_string(value) +
                                                   " bytes, expected " + std::to_string(least) + " to " +
                                                   std::to_string(most));
  }
  void check_limits(const Options& options) {
    check_size(options, "max-body", 1, int64_t{1} << 30);
    check_range(options, "max-depth", 1, 1000);
    check_range(options, "max-events", 1, 1'000'000);
  }

  void read_server(const toml::table& root, EdgeConfig& config) {
    const toml::table* table = root["server"].as_table();
    if (table == nullptr) return;
    Values values;
    flatten(*table, "", values, &config.tokens);
    config.server =
        validate_options("[server]", server_option_specs(), values, place(table->source()), diagnostics_);
    check_limits(config.server);
    check_range(config.server, "threads", 1, 256);
    check_range(config.server, "max-connections", 1, 1'000'000);
  }

  void read_stream(const toml::table& table, EdgeConfig& config) {
    EdgeStream stream;
    Values values;
    flatten(table, "", values, &stream.tokens);
    const Location where = place(table.source());
    stream.options = validate_options("[[stream]]", stream_option_specs(), values, where, diagnostics_);
    stream.name = values.count("name") != 0 ? values["name"].text : "";
    if (values.count("name") == 0) return;
    const Location& name_place = values["name"].location;
    if (!is_log_stream_name(stream.name) || stream.name.front() == '_') {
      diagnostics_.error(name_place,
                         "'" + stream.name +
                             "' can be no stream: letters, digits, '.', '_' and '-', at most 100, the "
                             "first a letter or digit");
    }
    for (const EdgeStream& other : config.streams) {
      if (other.name == stream.name) {
        diagnostics_.error(name_place, "the stream '" + stream.name + "' is declared twice");
      }
    }
    check_forwarded(stream.options);
    check_limits(stream.options);
    check_range(stream.options, "partitions", 1, kMostLogPartitions);
    check_size(stream.options, "segment", 64 << 10, int64_t{4} << 30);
    config.streams.push_back(std::move(stream));
  }

  // Tokens have no place beside events.
  void check_forwarded(const Options& options) {
    std::string names = options.string("forward-headers");
    std::transform(names.begin(), names.end(), names.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    for (const std::string& name : split_list(names)) {
      if (name != "authorization" && name != "proxy-authorization" && name != "cookie") continue;
      diagnostics_.error(options.location("forward-headers"),
                         "[[stream]]: option 'forward-headers': '" + name +
                             "' holds a secret, which would be stored with each event");
    }
  }

  void read_target(const toml::table& table, EdgeConfig& config) {
    EdgeTargetSpec target;
    Values values;
    flatten(table, "", values, nullptr);
    target.location = place(table.source());
    const auto take = [&](const char* name) {
      auto found = values.find(name);
      if (found == values.end() || found->second.text.empty()) {
        diagnostics_.error(target.location, std::string("[[target]] needs the option '") + name + "'");
        return OptionValue{};
      }
      OptionValue value = found->second;
      values.erase(found);
      return value;
    };
    OptionValue name = take("name"), connector = take("connector");
    target.name = name.text;
    target.connector = connector.text;
    if (target.name.empty() || target.connector.empty()) return;
    if (target.connector != "nats" && target.connector != "kafka") {
      return diagnostics_.error(connector.location, "found '" + target.connector +
                                                        "', expected one of 'nats', 'kafka'" +
                                                        suggestion(target.connector, {"nats", "kafka"}));
    }
    for (const EdgeTargetSpec& other : config.targets) {
      if (other.name == target.name && other.connector == target.connector) {
        diagnostics_.error(name.location, "the target '" + target.name + "' is declared twice");
      }
    }
    target.options = validate_options(
        "[[target]] '" + target.name + "'",
        target.connector == "nats" ? nats_target_option_specs() : kafka_target_option_specs(), values,
        target.location, diagnostics_);
    config.targets.push_back(std::move(target));
  }

  void read_route(const toml::table& table, EdgeConfig& config) {
    EdgeRoute route;
    Values values;
    flatten(table, "", values, nullptr);
    route.location = place(table.source());
    Options options =
        validate_options("[[route]]", route_option_specs(), values, route.location, diagnostics_);
    route.stream = options.string("stream");
    route.type = options.string("type");
    route.subject = options.string("subject");
    for (auto& [name, pattern] : options.with_prefix("header.")) {
      std::string lower = name;
      std::transform(lower.begin(), lower.end(), lower.begin(),
                     [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
      route.headers[lower] = pattern;
    }
    route.to = options.string("to");
    if (!route.to.empty()) check_destination(route, options.location("to"), config);
    config.routes.push_back(std::move(route));
  }

  void check_destination(const EdgeRoute& route, const Location& location, const EdgeConfig& config) {
    const size_t colon = route.to.find(':');
    const std::string kind = route.to.substr(0, colon);
    const std::string name = colon == std::string::npos ? "" : route.to.substr(colon + 1);
    if (name.empty() || (kind != "log" && kind != "nats" && kind != "kafka")) {
      return diagnostics_.error(location,
                                "found '" + route.to + "', expected log:STREAM, nats:TARGET or kafka:TARGET");
    }
    if (kind == "log") {
      if (is_log_stream_name(name) && name.front() != '_') return;
      return diagnostics_.error(location, "'" + name + "' can be no stream of the log");
    }
    std::vector<std::string> names;
    for (const EdgeTargetSpec& target : config.targets) {
      if (target.connector != kind) continue;
      if (target.name == name) return;
      names.push_back(target.name);
    }
    std::string near = suggestion(name, names);
    diagnostics_.error(
        location, "there is no [[target]] named '" + name + "' with connector = \"" + kind + "\"." + near);
  }

  const std::string file_;
  const std::string folder_;
  Diagnostics& diagnostics_;
};

}  // namespace

EdgeConfig parse_edge_config(const std::string& file, const std::string& text, Diagnostics& diagnostics) {
  return ConfigReader(file, diagnostics).read(text);
}

}  // namespace weir
