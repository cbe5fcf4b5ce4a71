#include "config/references.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>
#include <system_error>

#include "base/environment.h"

namespace weir {
namespace {

// A secret is a line, not a data set: this stops a path such as /dev/zero.
constexpr size_t kMaxFileBytes = 1 << 20;

std::optional<std::string> read_reference(const std::string& path, const std::string& folder,
                                          std::string& problem) {
  std::filesystem::path full = std::filesystem::path(folder) / path;
  std::error_code error;
  if (std::filesystem::is_directory(full, error)) {
    problem = "is a folder";
    return std::nullopt;
  }
  errno = 0;
  std::ifstream file(full, std::ios::binary);
  if (!file) {
    problem = std::strerror(errno != 0 ? errno : EIO);
    return std::nullopt;
  }
  std::string content(kMaxFileBytes + 1, '\0');
  file.read(content.data(), static_cast<std::streamsize>(content.size()));
  content.resize(static_cast<size_t>(file.gcount()));
  if (content.size() > kMaxFileBytes) {
    problem = "is larger than 1 MiB";
    return std::nullopt;
  }
  if (!content.empty() && content.back() == '\n') content.pop_back();
  if (!content.empty() && content.back() == '\r') content.pop_back();
  return content;
}

// The value of the reference `kind`:`name`, or nothing after an error.
std::optional<std::string> resolve(std::string_view body, const std::string& folder, const Location& location,
                                   Diagnostics& diagnostics) {
  std::string reference = "${" + std::string(body) + "}";
  size_t colon = body.find(':');
  std::string_view kind = body.substr(0, colon);
  std::string name(colon == std::string_view::npos ? std::string_view() : body.substr(colon + 1));
  if ((kind == "env" || kind == "file") && name.empty()) {
    diagnostics.error(location, reference + " names nothing, expected ${env:NAME} or ${file:PATH}");
    return std::nullopt;
  }
  if (kind == "env") {
    std::optional<std::string> value = environment_variable(name);
    if (!value) diagnostics.error(location, reference + ": the environment variable " + name + " is not set");
    return value;
  }
  if (kind == "file") {
    std::string problem;
    std::optional<std::string> value = read_reference(name, folder, problem);
    if (!value) diagnostics.error(location, reference + ": cannot read the file: " + problem);
    return value;
  }
  std::string hint = colon == std::string_view::npos ? " Did you mean '${env:" + std::string(body) + "}'?"
                                                     : " Write $${ for a literal ${";
  diagnostics.error(location,
                    "unknown reference " + reference + ", expected ${env:NAME} or ${file:PATH}." + hint);
  return std::nullopt;
}

}  // namespace

void replace_references(OptionValue& value, const std::string& folder, Diagnostics& diagnostics) {
  const std::string text = value.text;
  std::string result;
  size_t position = 0;
  while (position < text.size()) {
    if (text.compare(position, 3, "$${") == 0) {
      result += "${";
      position += 3;
    } else if (text.compare(position, 2, "${") == 0) {
      size_t close = text.find('}', position);
      if (close == std::string::npos) {
        diagnostics.error(value.location, "a ${ is never closed: '}' is missing. Write $${ for a literal ${");
        return;
      }
      std::string_view body = std::string_view(text).substr(position + 2, close - position - 2);
      std::optional<std::string> resolved = resolve(body, folder, value.location, diagnostics);
      // The reference itself stays, so that no second error complains of an empty value.
      result += resolved ? *resolved : text.substr(position, close + 1 - position);
      position = close + 1;
    } else {
      result += text[position++];
    }
  }
  value.text = std::move(result);
}

}  // namespace weir
