#include "clients/schema_registry_client.h"

#include <filesystem>
#include <mutex>

#include "base/objects.h"

namespace weir {
namespace {

constexpr int64_t kMostFileBytes = 16 << 20;

class FileSchemas final : public SchemaLookup {
 public:
  explicit FileSchemas(std::string folder) : folder_(std::move(folder)) {}

  Result<std::string> file(const std::string& path) override {
    const std::filesystem::path whole = std::filesystem::path(folder_) / path;
    std::error_code error;
    const auto size = std::filesystem::file_size(whole, error);
    if (!error && static_cast<int64_t>(size) > kMostFileBytes) {
      return Status::invalid("the schema file '" + path + "' is larger than 16 mb");
    }
    auto text = read_file(whole.string());
    if (!text.ok()) return text.status().with_context("schema file '" + path + "'");
    return text;
  }
  Result<SchemaPointer> by_id(int32_t) override { return none(); }
  Result<SchemaPointer> latest(const std::string&) override { return none(); }
  Result<SchemaPointer> version(const std::string&, int32_t) override { return none(); }

 private:
  static Status none() {
    return Status::invalid("no schema registry is configured: set 'schema-registry.url'");
  }

  std::string folder_;
};

}  // namespace

std::vector<OptionSpec> schema_registry_option_specs() {
  using enum OptionType;
  return {
      option("schema-registry.url", string, "",
             "http(s)://host:port of a Confluent-compatible schema registry"),
      option("schema-registry.subject", string, "",
             "the subject of this table; '<topic or stream>-value' when absent"),
  };
}

Result<std::shared_ptr<SchemaLookup>> open_schema_lookup(const Options&, const std::string& folder) {
  return std::shared_ptr<SchemaLookup>(std::make_shared<FileSchemas>(folder));
}

}  // namespace weir
