#include "sinks/delta/parquet_writer.h"

#include <arrow/array.h>
#include <arrow/io/interfaces.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/byte_size.h>
#include <parquet/arrow/writer.h>
#include <parquet/file_writer.h>
#include <parquet/metadata.h>
#include <parquet/properties.h>

#include "sinks/delta/file_statistics.h"

namespace weir {
namespace {

constexpr int64_t kPageBytes = 256 * 1024;
constexpr int64_t kDictionaryBytes = 256 * 1024;

// Arrow writes into an ObjectWriter. Keeps the ObjectWriter's Status, which says more than Arrow's.
class ObjectStream final : public arrow::io::OutputStream {
 public:
  explicit ObjectStream(std::unique_ptr<ObjectWriter> object) : object_(std::move(object)) {}

  using arrow::io::OutputStream::Write;
  arrow::Status Write(const void* data, int64_t size) override {
    if (failure_.ok()) {
      failure_ = object_->write({static_cast<const char*>(data), static_cast<size_t>(size)});
    }
    if (!failure_.ok()) return arrow::Status::IOError(failure_.message());
    position_ += size;
    return arrow::Status::OK();
  }
  arrow::Status Close() override {
    closed_ = true;
    return arrow::Status::OK();
  }
  bool closed() const override { return closed_; }
  arrow::Result<int64_t> Tell() const override { return position_; }

  int64_t position() const { return position_; }
  Status finish() { return failure_.ok() ? object_->close() : failure_; }
  // Of an Arrow call that wrote into this stream.
  Status status(const arrow::Status& arrow_status) const {
    if (arrow_status.ok()) return {};
    if (!failure_.ok()) return failure_;
    if (arrow_status.IsOutOfMemory()) return {Code::exhausted, "no memory left while writing Parquet"};
    return Status::internal("writing Parquet: " + arrow_status.ToString());
  }

 private:
  std::unique_ptr<ObjectWriter> object_;
  Status failure_;
  int64_t position_ = 0;
  bool closed_ = false;
};

Result<parquet::Compression::type> codec(const std::string& name) {
  if (name == "zstd") return parquet::Compression::ZSTD;
  if (name == "snappy") return parquet::Compression::SNAPPY;
  if (name == "gzip") return parquet::Compression::GZIP;
  if (name == "lz4") return parquet::Compression::LZ4;
  if (name == "uncompressed") return parquet::Compression::UNCOMPRESSED;
  return Status::invalid("unknown compression '" + name + "'");
}

// Numbers of few bytes gain nothing from a dictionary that fills up; strings and the rest do while it stays
// small.
void choose_dictionaries(const arrow::Schema& schema, parquet::WriterProperties::Builder& builder) {
  for (const auto& field : schema.fields()) {
    switch (field->type()->id()) {
      case arrow::Type::FLOAT:
      case arrow::Type::DOUBLE:
      case arrow::Type::TIMESTAMP: builder.disable_dictionary(field->name()); break;
      default: break;
    }
    if (field->name() == "_weir_offset") {
      builder.disable_dictionary(field->name());
      builder.encoding(field->name(), parquet::Encoding::DELTA_BINARY_PACKED);
    }
  }
}

class ParquetFileWriter final : public ParquetFile {
 public:
  ParquetFileWriter(std::shared_ptr<ObjectStream> stream, std::unique_ptr<parquet::arrow::FileWriter> writer,
                    std::shared_ptr<arrow::Schema> schema, const ParquetOptions& options)
      : stream_(std::move(stream)),
        writer_(std::move(writer)),
        schema_(std::move(schema)),
        options_(options),
        facts_(schema_) {}

  Status write(const std::shared_ptr<arrow::RecordBatch>& rows) override {
    if (rows->num_rows() == 0) return {};
    facts_.add(*rows);
    auto written = writer_->WriteRecordBatch(*rows);
    if (!written.ok()) return stream_->status(written);
    rows_ += rows->num_rows();
    auto bytes = arrow::util::ReferencedBufferSize(*rows);
    buffered_ += bytes.ok() ? *bytes : arrow::util::TotalBufferSize(*rows);
    return {};
  }

  Status flush_row_group() override {
    if (buffered_ == 0) return {};
    int64_t before = stream_->position();
    WEIR_TRY(stream_->status(writer_->NewBufferedRowGroup()));
    raw_flushed_ += buffered_;
    flushed_ += stream_->position() - before;
    buffered_ = 0;
    return {};
  }

  int64_t buffered_bytes() const override { return buffered_; }

  int64_t estimated_size_bytes() const override {
    double ratio = raw_flushed_ > 0 ? static_cast<double>(flushed_) / static_cast<double>(raw_flushed_) : 0.3;
    return stream_->position() + static_cast<int64_t>(static_cast<double>(buffered_) * ratio);
  }

  Result<WrittenFile> close() override {
    WEIR_TRY(stream_->status(writer_->Close()));
    WrittenFile file;
    file.rows = rows_;
    file.size_bytes = stream_->position();
    try {
      file.stats_json = delta_statistics(*writer_->metadata(), *schema_, facts_, options_.statistics_columns);
    } catch (const std::exception& error) {
      return Status::internal(std::string("reading the Parquet footer: ") + error.what());
    }
    WEIR_TRY(stream_->finish());
    return file;
  }

 private:
  std::shared_ptr<ObjectStream> stream_;  // shared with Arrow's writer
  std::unique_ptr<parquet::arrow::FileWriter> writer_;
  std::shared_ptr<arrow::Schema> schema_;
  ParquetOptions options_;
  ArrayFacts facts_;
  int64_t rows_ = 0;
  int64_t buffered_ = 0;
  int64_t raw_flushed_ = 0;  // Arrow bytes of the row groups written, and what they took
  int64_t flushed_ = 0;
};

}  // namespace

Result<std::unique_ptr<ParquetFile>> ParquetFile::open(std::unique_ptr<ObjectWriter> object,
                                                       std::shared_ptr<arrow::Schema> schema,
                                                       const ParquetOptions& options) {
  WEIR_ASSIGN(auto compression, codec(options.compression));
  parquet::WriterProperties::Builder properties;
  properties.compression(compression);
  if (options.compression == "zstd" || options.compression == "gzip") {
    properties.compression_level(options.compression_level);
  }
  properties.created_by("Weir")
      ->data_pagesize(kPageBytes)
      ->dictionary_pagesize_limit(kDictionaryBytes)
      ->max_row_group_length(16 * 1024 * 1024)
      ->enable_store_decimal_as_integer();
  choose_dictionaries(*schema, properties);
  auto arrow_properties =
      parquet::ArrowWriterProperties::Builder().coerce_timestamps(arrow::TimeUnit::MICRO)->build();
  auto stream = std::make_shared<ObjectStream>(std::move(object));
  auto writer = parquet::arrow::FileWriter::Open(*schema, arrow::default_memory_pool(), stream,
                                                 properties.build(), arrow_properties);
  if (!writer.ok()) return stream->status(writer.status());
  return std::unique_ptr<ParquetFile>(
      new ParquetFileWriter(stream, std::move(*writer), std::move(schema), options));
}

}  // namespace weir
