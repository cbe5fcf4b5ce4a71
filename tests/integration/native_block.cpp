// The Native encoder as a program, for tests that read its blocks with a real ClickHouse:
//
//   weir_native_block IN.arrows OUT.native ENCODING [default] NAME TYPE [NAME TYPE…]
//
// IN is an Arrow IPC stream; the columns of a table are given as system.columns gives them. The block of all
// rows is written to OUT, compressed by ENCODING (none, lz4, zstd, gzip). One line a refused row on stdout:
// row, column and message, with tabs between. `default`: a NULL is stored as default where the column takes
// none.
#include <arrow/io/file.h>
#include <arrow/ipc/reader.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <cstdio>
#include <cstring>

#include "sinks/clickhouse/compression.h"
#include "sinks/clickhouse/native_encoder.h"

namespace weir {
namespace {

template <typename T>
T taken(arrow::Result<T> result) {
  WEIR_CHECK(result.ok(), result.status().ToString());
  return *std::move(result);
}

Status run(int argc, char** argv) {
  if (argc < 6) return Status::invalid("IN.arrows OUT.native ENCODING [default] NAME TYPE…");
  auto in = taken(arrow::io::ReadableFile::Open(argv[1]));
  auto reader = taken(arrow::ipc::RecordBatchStreamReader::Open(in));
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
  while (auto batch = taken(reader->Next())) batches.push_back(batch);

  WEIR_ASSIGN(Compression compression, parse_compression(argv[3]));
  EncodeOptions options;
  int at = 4;
  if (std::strcmp(argv[at], "default") == 0) {
    options.null_as_default = true;
    ++at;
  }
  std::vector<TableColumn> table;
  for (; at + 1 < argc; at += 2) {
    WEIR_ASSIGN(ClickHouseType type, ClickHouseType::parse(argv[at + 1]));
    table.push_back({argv[at], std::move(type)});
  }
  WEIR_ASSIGN(std::vector<ColumnTarget> targets, match_columns("t", *reader->schema(), table));
  WEIR_ASSIGN(NativeEncoder encoder, NativeEncoder::create(*reader->schema(), std::move(targets), options));
  WEIR_ASSIGN(EncodedBlock block, encoder.encode(batches));

  NativeBuffer body;
  WEIR_TRY(Compressor(compression).compress(block.bytes.view(), &body));
  std::FILE* out = std::fopen(argv[2], "wb");
  WEIR_CHECK(out != nullptr, "cannot write the block");
  std::fwrite(body.data(), 1, body.size(), out);
  std::fclose(out);
  for (const RefusedValue& refused : block.refused) {
    std::printf("%lld\t%s\t%s\n", static_cast<long long>(refused.row), refused.column.c_str(),
                refused.message.c_str());
  }
  return {};
}

}  // namespace
}  // namespace weir

int main(int argc, char** argv) {
  weir::Status status = weir::run(argc, argv);
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s\n", status.message().c_str());
  return 1;
}
