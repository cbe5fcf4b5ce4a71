#include <future>

#include "log/log_reader.h"
#include "log/log_writer.h"
#include "registry/append_log.h"

namespace weir {
namespace {

constexpr const char* kStream = "_schemas";

class SchemasLog final : public AppendLog {
 public:
  SchemasLog(std::string folder, std::unique_ptr<LogWriter> writer, const Clock& clock)
      : folder_(std::move(folder)), writer_(std::move(writer)), clock_(clock) {}

  Result<int64_t> read(int64_t from, const std::function<Status(std::string_view)>& each) override {
    WEIR_ASSIGN(auto reader, LogReader::open(folder_, kStream, 0, from));
    while (true) {
      WEIR_ASSIGN(const EventBatch batch, reader->read(1024, 4 << 20));
      if (batch.events.empty()) return batch.next;
      for (size_t i = 0; i < batch.events.size(); ++i) {
        WEIR_TRY(each(batch.payload(i)).with_context("record " + std::to_string(batch.events[i].offset)));
      }
    }
  }

  Result<int64_t> append(std::string_view record) override {
    LogPart part;
    part.records.push_back({record, std::nullopt, std::nullopt, kStream, clock_.now_us()});
    // Shared: the answering thread may still be inside set_value when this one goes on.
    const auto answered = std::make_shared<std::promise<Result<std::vector<LogAppended>>>>();
    writer_->append({std::move(part)}, {}, [answered](Result<std::vector<LogAppended>> appended) {
      answered->set_value(std::move(appended));
    });
    WEIR_ASSIGN(const auto appended, answered->get_future().get());
    return appended.at(0).last + 1;
  }

 private:
  std::string folder_;
  std::unique_ptr<LogWriter> writer_;
  const Clock& clock_;
};

}  // namespace

Result<std::unique_ptr<AppendLog>> open_schemas_log(const std::string& folder, const Clock& clock) {
  LogWriterSettings settings;
  settings.folder = folder;
  settings.stream = kStream;
  settings.segment_bytes = 4 << 20;
  WEIR_ASSIGN(auto writer, LogWriter::open(std::move(settings), clock));
  return std::unique_ptr<AppendLog>(std::make_unique<SchemasLog>(folder, std::move(writer), clock));
}

}  // namespace weir
