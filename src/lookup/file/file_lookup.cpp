#include "lookup/file/file_lookup.h"

#include <arrow/io/file.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <arrow/type.h>
#include <parquet/arrow/reader.h>

#include <cstring>
#include <filesystem>
#include <utility>

#include "base/objects.h"
#include "lookup/declared_rows.h"
#include "lookup/full_table.h"
#include "lookup/lookup_options.h"

namespace weir {
namespace {

namespace fs = std::filesystem;

constexpr uintmax_t kMaxFileBytes = uintmax_t{1} << 30;

class NoSchemas final : public SchemaLookup {
 public:
  Result<std::string> file(const std::string&) override { return none(); }
  Result<SchemaPointer> by_id(int32_t) override { return none(); }
  Result<SchemaPointer> latest(const std::string&) override { return none(); }
  Result<SchemaPointer> version(const std::string&, int32_t) override { return none(); }

 private:
  static Status none() { return Status::internal("the rows of a lookup have no schema of their own"); }
};

class FileTableSource final : public FullTableSource {
 public:
  explicit FileTableSource(LookupContext context)
      : context_(std::move(context)), path_(context_.options.string("path")), what_("file '" + path_ + "'") {}

  Result<std::string> stamp() override {
    std::error_code error;
    const auto size = fs::file_size(path_, error);
    const auto time = error ? fs::file_time_type() : fs::last_write_time(path_, error);
    if (error) return errno_status(error.value(), what_ + " of table '" + context_.table + "'");
    if (size > kMaxFileBytes) {
      return Status::invalid(what_ +
                             " has more than 1 gb: a table that large belongs into Delta or ClickHouse");
    }
    return std::to_string(time.time_since_epoch().count()) + " " + std::to_string(size);
  }

  Result<std::shared_ptr<arrow::RecordBatch>> load() override {
    return context_.format == nullptr ? load_parquet() : load_lines();
  }

 private:
  Result<std::shared_ptr<arrow::RecordBatch>> load_parquet() {
    auto failed = [&](const arrow::Status& status) {
      return status.IsIOError() ? Status::unavailable(what_ + ": " + status.message())
                                : Status::invalid(what_ + ": " + status.message());
    };
    auto file = arrow::io::ReadableFile::Open(path_);
    if (!file.ok()) return failed(file.status());
    auto reader = parquet::arrow::OpenFile(*file, arrow::default_memory_pool());
    if (!reader.ok()) return failed(reader.status());
    auto table = (*reader)->ReadTable();
    if (!table.ok()) return failed(table.status());
    return declared_rows(**table, context_.schema, what_);
  }

  // A line a row, decoded as an event of a source would be. A line that does not fit is no event that could
  // be set aside: the table is wrong.
  Result<std::shared_ptr<arrow::RecordBatch>> load_lines() {
    WEIR_ASSIGN(std::string text, read_file(path_));
    std::shared_ptr<char[]> bytes(new char[text.size() + EventBatch::kPadding]);
    std::memcpy(bytes.get(), text.data(), text.size());
    std::memset(bytes.get() + text.size(), 0, EventBatch::kPadding);
    EventBatch batch;
    int64_t line = 0;
    for (size_t begin = 0; begin < text.size(); ++line) {
      const size_t end = std::min(text.find('\n', begin), text.size());
      size_t size = end - begin;
      if (size > 0 && text[begin + size - 1] == '\r') --size;
      if (size > 0) {
        Event event;
        event.payload = {static_cast<uint32_t>(begin), static_cast<int32_t>(size)};
        event.offset = line;
        batch.events.push_back(event);
      }
      begin = end + 1;
    }
    batch.bytes = bytes;
    batch.next = line;
    FormatContext format;
    format.columns = context_.columns;
    format.options = &context_.options;
    format.schemas = std::make_shared<NoSchemas>();
    WEIR_ASSIGN(auto decoder, context_.format->create(format));
    auto decoded = decoder->decode(batch, 0, batch.events.size());
    if (!decoded.ok()) return decoded.status().with_context(what_);
    if (!decoded->errors.empty()) {
      const ErrorRecord& first = decoded->errors[0];
      return Status::invalid(what_ + ", line " + std::to_string(batch.events[first.event].offset + 1) + ": " +
                             first.message);
    }
    auto table = arrow::Table::FromRecordBatches({decoded->rows});
    if (!table.ok()) return Status::internal(table.status().ToString());
    return declared_rows(**table, context_.schema, what_);
  }

  LookupContext context_;
  std::string path_;
  std::string what_;
};

Status check(const LookupContext& context) {
  WEIR_TRY(check_lookup_options(context));
  if (context.options.string("path").find("://") != std::string::npos)
    return Status::invalid("table '" + context.table + "': 'path' must be a local file");
  if (context.format == nullptr) return {};
  FormatContext format;
  format.columns = context.columns;
  format.options = &context.options;
  format.schemas = std::make_shared<NoSchemas>();
  return context.format->create(format).status().with_context("table '" + context.table + "'");
}

}  // namespace

LookupConnector file_lookup_connector() {
  LookupConnector connector;
  connector.name = "file";
  connector.summary = "a local file of NDJSON, CSV or Parquet, held in memory and read anew when it changes";
  connector.options = {required(option("path", OptionType::string, "", "the file"))};
  for (OptionSpec& spec : lookup_option_specs({"FULL"}, "10 s")) connector.options.push_back(std::move(spec));
  connector.formats = {"json", "csv", "parquet"};
  connector.check = check;
  connector.create = [](LookupContext context) -> Result<std::shared_ptr<LookupTable>> {
    FullTableSettings settings = full_table_settings(context);
    return std::shared_ptr<LookupTable>(std::make_shared<FullTable>(
        std::move(settings), std::make_unique<FileTableSource>(std::move(context))));
  };
  return connector;
}

}  // namespace weir
