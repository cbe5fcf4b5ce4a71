#include "cli/sample_pipeline.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "base/text.h"

namespace weir {
namespace {

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

std::string string_literal(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("''") : std::string(1, c);
  return quoted + "'";
}

// Data in a comment must not end it.
std::string comment_text(const std::string& text) {
  std::string safe;
  for (const char c : text) safe += static_cast<unsigned char>(c) < ' ' || c == 0x7F ? '?' : c;
  return safe;
}

// "${" in a value that is no reference.
std::string literal_value(const std::string& text) {
  std::string escaped = text;
  for (size_t at = 0; (at = escaped.find("${", at)) != std::string::npos; at += 3) escaped.insert(at, "$");
  return escaped;
}

void append_with(const std::vector<InitOption>& options, bool secrets, std::string& out) {
  size_t width = 0;
  for (const InitOption& option : options) width = std::max(width, option.name.size());
  out += "WITH (\n";
  for (size_t i = 0; i < options.size(); ++i) {
    const InitOption& option = options[i];
    const std::string& text =
        secrets && option.text != option.value ? literal_value(option.value) : option.text;
    out += "  '" + option.name + "'" + std::string(width - option.name.size(), ' ') + " = " +
           string_literal(text) + (i + 1 < options.size() ? ",\n" : "\n");
  }
  out += ");\n";
}

void append_columns(const std::vector<InitColumn>& columns, std::string& out) {
  size_t name_width = 0;
  size_t type_width = 0;
  for (const InitColumn& column : columns) {
    name_width = std::max(name_width, quoted_name(column.name).size());
    if (column.sql.size() <= 40) type_width = std::max(type_width, column.sql.size());
  }
  out += "(\n";
  for (size_t i = 0; i < columns.size(); ++i) {
    const InitColumn& column = columns[i];
    const std::string name = quoted_name(column.name);
    out += "  " + name + std::string(name_width - std::min(name_width, name.size()) + 1, ' ') + column.sql;
    if (i + 1 < columns.size()) out += ",";
    if (!column.remark.empty()) {
      const size_t used = column.sql.size() + (i + 1 < columns.size() ? 1 : 0);
      out += std::string(type_width + 2 > used ? type_width + 2 - used : 1, ' ') + "-- " +
             comment_text(column.remark);
    }
    out += "\n";
  }
  out += ") ";
}

// '*', but for names that a table cannot have: those get another one.
std::string select_list(const std::vector<InitColumn>& columns) {
  const auto sound = [](const InitColumn& column) { return is_plain_name(column.name); };
  if (std::all_of(columns.begin(), columns.end(), sound)) return "*";
  std::string list;
  size_t line = 7;  // of "SELECT "
  for (const InitColumn& column : columns) {
    std::string item = quoted_name(column.name);
    if (!sound(column)) item += " AS " + table_name(column.name);
    if (!list.empty()) {
      const bool wrap = line + item.size() > 96;
      list += wrap ? ",\n       " : ", ";
      line = wrap ? 7 : line + 2;
    }
    list += item;
    line += item.size();
  }
  return list;
}

}  // namespace

InitOption plain_option(std::string name, std::string text) {
  std::string escaped = literal_value(text);
  return {std::move(name), std::move(escaped), std::move(text)};
}

UrlSecrets split_url_secrets(const std::string& url, const std::string& prefix,
                             const std::string& user_option, const std::string& password_option,
                             const std::string& token_option) {
  UrlSecrets split;
  const auto secret = [&](const std::string& option, const std::string& variable, const std::string& value) {
    const std::string name = prefix + "_" + variable;
    split.options.push_back({option, "${env:" + name + "}", value});
    split.variables.push_back(name);
  };
  size_t begin = 0;
  while (begin <= url.size()) {
    const size_t end = std::min(url.find(',', begin), url.size());
    std::string one = url.substr(begin, end - begin);
    const size_t scheme = one.find("://");
    const size_t user_begin = scheme == std::string::npos ? 0 : scheme + 3;
    const size_t at = one.rfind('@');
    if (at != std::string::npos && at >= user_begin) {
      const std::string user = one.substr(user_begin, at - user_begin);
      one.erase(user_begin, at + 1 - user_begin);
      const size_t colon = user.find(':');
      if (split.options.empty() && colon != std::string::npos) {
        secret(user_option, "USER", user.substr(0, colon));
        secret(password_option, "PASSWORD", user.substr(colon + 1));
      } else if (split.options.empty() && !token_option.empty()) {
        secret(token_option, "TOKEN", user);
      } else if (split.options.empty()) {
        secret(user_option, "USER", user);
      }
    }
    split.url += (split.url.empty() ? "" : ",") + one;
    begin = end + 1;
  }
  return split;
}

std::string pipeline_text(const InitPipeline& pipeline, bool secrets) {
  std::string out;
  for (const std::string& line : pipeline.header) out += "-- " + comment_text(line) + "\n";
  out += "\nSET 'pipeline.name' = " + string_literal(pipeline.name) + ";\n\n";
  out += "CREATE TABLE " + quoted_name(pipeline.name) + " ";
  if (!pipeline.columns.empty()) append_columns(pipeline.columns, out);
  append_with(pipeline.source, secrets, out);
  out +=
      "\n-- No column list: the table takes its schema from the query, and is created by the first commit.\n";
  out += "CREATE TABLE " + quoted_name(pipeline.sink) + " ";
  append_with(pipeline.sink_options, secrets, out);
  out += "\nINSERT INTO " + quoted_name(pipeline.sink) + "\nSELECT " + select_list(pipeline.columns) +
         "\nFROM " + quoted_name(pipeline.name) + ";\n";
  return out;
}

std::vector<InitColumn> columns_of(const SampledType& events, std::vector<std::string>& left_out,
                                   bool& numbers_as_strings) {
  std::vector<InitColumn> columns;
  std::set<std::string> stored;  // Delta ignores case
  for (const std::string& name : events.names()) {
    const std::string kept = lower_case(is_plain_name(name) ? name : table_name(name));
    const bool sound = !name.empty() && name.size() <= 200 && name.find('\0') == std::string::npos;
    if (!sound || !stored.insert(kept).second) {
      left_out.push_back(name);
      continue;
    }
    const SampledType& seen = events.member(name);
    const ChosenType type = seen.choose();
    numbers_as_strings = numbers_as_strings || type.numbers_as_strings;
    InitColumn column{name, type.sql, type.remark};
    const int64_t absent = events.present() - seen.present();
    if (absent == 0) column.sql += " NOT NULL";
    if (absent > 0 && seen.present() > 0) {
      column.remark += (column.remark.empty() ? "" : "; ") + std::string("null or missing in ") +
                       with_thousands(absent) + " of " + with_thousands(events.present());
    }
    columns.push_back(std::move(column));
  }
  return columns;
}

std::string table_name(const std::string& text) {
  std::string name;
  for (const char c : lower_case(text)) {
    const bool word = std::isalnum(static_cast<unsigned char>(c)) != 0;
    if (word) name += c;
    if (!word && !name.empty() && name.back() != '_') name += '_';
  }
  while (!name.empty() && name.back() == '_') name.pop_back();
  if (name.empty()) return "events";
  return std::isdigit(static_cast<unsigned char>(name[0])) != 0 ? "t_" + name : name;
}

}  // namespace weir
