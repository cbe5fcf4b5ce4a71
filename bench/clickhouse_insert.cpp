// Arrow batches into a ClickHouse table through the sink's own encoder, compressor and connection.
//
//   bench_clickhouse_insert URL TABLE FILE.arrows [COMPRESSION]
//
// TABLE exists. The file is read and the server greeted before the clock starts. Blocks are cut as the sink
// cuts them, at 64 MB of Arrow or 1,000,000 rows. Prints one JSON line: rows, blocks, Arrow bytes, sent
// bytes, seconds, CPU-seconds of this process.
#include <arrow/io/file.h>
#include <arrow/ipc/reader.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/byte_size.h>
#include <sys/resource.h>

#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <vector>

#include "clients/clickhouse_connection.h"
#include "clients/http_client.h"
#include "sinks/clickhouse/compression.h"
#include "sinks/clickhouse/native_encoder.h"
#include "sinks/clickhouse/target_table.h"

namespace weir::bench {
namespace {

constexpr int64_t kMaxRows = 1'000'000;
constexpr int64_t kMaxBytes = 64 << 20;

using Batches = std::vector<std::shared_ptr<arrow::RecordBatch>>;

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Result<Batches> read_batches(const char* path) {
  auto file = arrow::io::ReadableFile::Open(path);
  if (!file.ok()) return Status::invalid(file.status().ToString());
  auto reader = arrow::ipc::RecordBatchStreamReader::Open(*file);
  if (!reader.ok()) return Status::invalid(reader.status().ToString());
  auto batches = (*reader)->ToRecordBatches();
  if (!batches.ok()) return Status::invalid(batches.status().ToString());
  return *batches;
}

struct Sent {
  int64_t rows = 0, blocks = 0, arrow_bytes = 0, bytes = 0;
};

class Inserter {
 public:
  static Result<Inserter> create(const char* url, const char* table, const arrow::Schema& schema,
                                 Compression compression) {
    WEIR_ASSIGN(auto http, open_http_client({}));
    auto connection = std::make_unique<ClickHouseConnection>(
        ClickHouseConnection::Settings{.urls = {url}, .username = "", .password = ""}, std::move(http));
    WEIR_TRY(connection->greet());
    WEIR_ASSIGN(const TargetTable target, describe_table(*connection, {"default", table}));
    WEIR_ASSIGN(auto targets, match_columns(table, schema, target.columns));
    WEIR_ASSIGN(NativeEncoder encoder, NativeEncoder::create(schema, std::move(targets)));
    return Inserter(std::move(connection), std::move(encoder), target.name, compression);
  }

  Status send(std::span<const std::shared_ptr<arrow::RecordBatch>> batches, Sent* sent) {
    WEIR_TRY(encoder_.encode(batches, &block_));
    std::string_view body = block_.bytes.view();
    if (compression_ != Compression::none) {
      compressed_.clear();
      WEIR_TRY(compressor_.compress(body, &compressed_));
      body = compressed_.view();
    }
    const ServerAnswer answer =
        connection_->insert(statement_, {{"async_insert", "0"}}, content_encoding(compression_), {body});
    WEIR_TRY(answer.status);
    sent->rows += block_.rows;
    sent->bytes += static_cast<int64_t>(body.size());
    ++sent->blocks;
    return {};
  }

 private:
  Inserter(std::unique_ptr<ClickHouseConnection> connection, NativeEncoder encoder, const TableName& table,
           Compression compression)
      : connection_(std::move(connection)),
        encoder_(std::move(encoder)),
        compression_(compression),
        compressor_(compression),
        statement_("INSERT INTO " + table.quoted() + " (" + encoder_.column_list() + ") FORMAT Native") {}

  std::unique_ptr<ClickHouseConnection> connection_;
  NativeEncoder encoder_;
  Compression compression_;
  Compressor compressor_;
  std::string statement_;
  EncodedBlock block_;
  NativeBuffer compressed_;
};

Status run(int argc, char** argv) {
  if (argc < 4) return Status::invalid("usage: bench_clickhouse_insert URL TABLE FILE.arrows [COMPRESSION]");
  WEIR_ASSIGN(const Compression compression, parse_compression(argc > 4 ? argv[4] : "lz4"));
  WEIR_ASSIGN(const Batches batches, read_batches(argv[3]));
  if (batches.empty()) return Status::invalid("no batches");

  WEIR_ASSIGN(Inserter inserter, Inserter::create(argv[1], argv[2], *batches[0]->schema(), compression));
  const double wall_begin = wall_seconds();
  const double cpu_begin = cpu_seconds();
  Sent sent;
  for (size_t first = 0; first < batches.size();) {
    size_t end = first;
    int64_t rows = 0, bytes = 0;
    while (end < batches.size() && rows < kMaxRows && bytes < kMaxBytes) {
      rows += batches[end]->num_rows();
      bytes += arrow::util::TotalBufferSize(*batches[end]);
      ++end;
    }
    WEIR_TRY(inserter.send(std::span(batches).subspan(first, end - first), &sent));
    sent.arrow_bytes += bytes;
    first = end;
  }
  printf(R"({"rows":%)" PRId64 R"(,"blocks":%)" PRId64 R"(,"arrow_bytes":%)" PRId64
         R"(,"sent_bytes":%)" PRId64 R"(,"seconds":%.4f,"cpu_seconds":%.4f})"
         "\n",
         sent.rows, sent.blocks, sent.arrow_bytes, sent.bytes, wall_seconds() - wall_begin,
         cpu_seconds() - cpu_begin);
  return {};
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  const weir::Status status = weir::bench::run(argc, argv);
  if (!status.ok()) fprintf(stderr, "bench_clickhouse_insert: %s\n", status.message().c_str());
  return status.ok() ? 0 : 1;
}
