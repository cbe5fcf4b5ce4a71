#include "state/state_file.h"

#include <arrow/buffer.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/reader.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "base/crc32c.h"

namespace weir {
namespace {

static_assert(std::endian::native == std::endian::little,
              "state files are little-endian, and copied as such");

constexpr std::string_view kMagic = "WEIRST01";
constexpr std::string_view kMagicOfAll = "WEIRST";  // and two digits
constexpr size_t kMostBlockBytes = size_t{1} << 20;
constexpr size_t kHeaderBytes = 8;
constexpr uint32_t kSectionMark = 0x54434553;  // "SECT"
constexpr size_t kMostNameBytes = 256;

template <typename T>
T load(const char* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

Status arrow_status(const arrow::Status& status, Code code) { return {code, status.ToString()}; }

}  // namespace

std::optional<uint32_t> state_trailer_crc(std::string_view trailer) {
  if (trailer.size() != kStateTrailerBytes || load<uint32_t>(trailer.data()) != 0) return std::nullopt;
  return load<uint32_t>(trailer.data() + 4);
}

// `block` is a header to be filled in, and what is to follow it.
struct StateWriter::Impl {
  std::unique_ptr<ObjectWriter> out;
  std::string block = std::string(kHeaderBytes, '\0');
  Status failed;
  uint32_t crc = 0;
  int64_t written = 0;
  bool closed = false;

  Status emit(std::string_view bytes) {
    if (failed.ok()) failed = out->write(bytes);
    crc = crc32c(bytes.data(), bytes.size(), crc);
    written += static_cast<int64_t>(bytes.size());
    return failed;
  }

  Status flush() {
    const auto size = static_cast<uint32_t>(block.size() - kHeaderBytes);
    if (size == 0) return failed;
    const uint32_t block_crc = crc32c(block.data() + kHeaderBytes, size);
    std::memcpy(block.data(), &size, sizeof size);
    std::memcpy(block.data() + 4, &block_crc, sizeof block_crc);
    Status status = emit(block);
    block.resize(kHeaderBytes);
    return status;
  }

  Status append(const char* bytes, size_t size) {
    if (closed && failed.ok()) failed = Status::internal("a state file was written after its close");
    if (!failed.ok()) return failed;
    while (size > 0) {
      const size_t part = std::min(size, kHeaderBytes + kMostBlockBytes - block.size());
      block.append(bytes, part);
      bytes += part;
      size -= part;
      if (block.size() == kHeaderBytes + kMostBlockBytes) WEIR_TRY(flush());
    }
    return {};
  }
};

StateWriter::StateWriter(std::unique_ptr<ObjectWriter> out) : impl_(std::make_unique<Impl>()) {
  impl_->out = std::move(out);
  impl_->block.reserve(kHeaderBytes + kMostBlockBytes);
  // A failure stays and is told by the next call.
  static_cast<void>(impl_->emit(kMagic));
}

StateWriter::~StateWriter() = default;

Status StateWriter::section(std::string_view name, uint32_t version) {
  WEIR_CHECK(!name.empty() && name.size() <= kMostNameBytes && version > 0,
             "a section has a name and a version");
  WEIR_TRY(u32(kSectionMark));
  WEIR_TRY(text(name));
  return u32(version);
}

Status StateWriter::bytes(const void* data, size_t size) {
  return impl_->append(static_cast<const char*>(data), size);
}
Status StateWriter::u8(uint8_t value) { return bytes(&value, sizeof value); }
Status StateWriter::u32(uint32_t value) { return bytes(&value, sizeof value); }
Status StateWriter::i64(int64_t value) { return bytes(&value, sizeof value); }

Status StateWriter::text(std::string_view value) {
  if (value.size() > std::numeric_limits<uint32_t>::max()) {
    if (impl_->failed.ok())
      impl_->failed = {Code::exhausted, "a value of more than 4 GiB does not fit into state"};
    return impl_->failed;
  }
  WEIR_TRY(u32(static_cast<uint32_t>(value.size())));
  return bytes(value.data(), value.size());
}

Status StateWriter::rows(const arrow::RecordBatch& batch) {
  auto written = [&]() -> arrow::Result<std::shared_ptr<arrow::Buffer>> {
    ARROW_ASSIGN_OR_RAISE(auto out, arrow::io::BufferOutputStream::Create());
    arrow::ipc::IpcWriteOptions options = arrow::ipc::IpcWriteOptions::Defaults();
    options.use_threads = false;
    ARROW_ASSIGN_OR_RAISE(auto writer, arrow::ipc::MakeStreamWriter(out.get(), batch.schema(), options));
    ARROW_RETURN_NOT_OK(writer->WriteRecordBatch(batch));
    ARROW_RETURN_NOT_OK(writer->Close());
    return out->Finish();
  }();
  if (!written.ok()) {
    if (impl_->failed.ok()) impl_->failed = arrow_status(written.status(), Code::internal);
    return impl_->failed;
  }
  const arrow::Buffer& buffer = **written;
  WEIR_TRY(i64(buffer.size()));
  return bytes(buffer.data(), static_cast<size_t>(buffer.size()));
}

Status StateWriter::close() {
  Impl& impl = *impl_;
  if (impl.closed && impl.failed.ok()) impl.failed = Status::internal("a state file was closed twice");
  WEIR_TRY(impl.failed);
  WEIR_TRY(impl.flush());
  impl.closed = true;
  const uint32_t crc = impl.crc;
  char trailer[kStateTrailerBytes] = {};
  std::memcpy(trailer + 4, &crc, sizeof crc);
  WEIR_TRY(impl.emit({trailer, sizeof trailer}));
  impl.crc = crc;
  impl.failed = impl.out->close();
  return impl.failed;
}

int64_t StateWriter::size() const {
  return impl_->written + static_cast<int64_t>(impl_->closed ? 0 : impl_->block.size() - kHeaderBytes);
}

uint32_t StateWriter::crc() const { return impl_->crc; }

// `data` is the file; once it is checked, what the blocks hold lies at its front in one piece.
struct StateReader::Impl {
  std::string name;
  std::string data;
  size_t size = 0;
  size_t position = 0;

  Status damaged(const std::string& what) const {
    return Status::invalid("the state file '" + name + "' is damaged: " + what);
  }
  Status check();
  // What comes next was not written by the code that reads it.
  Status mismatch(const std::string& what) const {
    return Status::invalid("the state file '" + name + "' does not hold what is read from it: " + what);
  }
  Result<const char*> next(size_t wanted) {
    if (wanted > size - position)
      return mismatch(std::to_string(wanted) + " bytes were expected, " + std::to_string(size - position) +
                      " are left");
    const char* at = data.data() + position;
    position += wanted;
    return at;
  }
  template <typename T>
  Result<T> value() {
    WEIR_ASSIGN(const char* at, next(sizeof(T)));
    return load<T>(at);
  }
};

Status StateReader::Impl::check() {
  if (data.size() < kMagic.size()) return damaged("it ends within its first bytes");
  if (!data.starts_with(kMagic)) {
    const auto digit = [&](size_t at) { return data[at] >= '0' && data[at] <= '9'; };
    if (data.starts_with(kMagicOfAll) && digit(6) && digit(7))
      return Status::invalid("the state file '" + name + "' has format " + data.substr(6, 2) +
                             ", this Weir knows 01 (or it is damaged): run it with the Weir that wrote it");
    return damaged("it does not begin as a state file");
  }
  uint32_t crc = crc32c(data.data(), kMagic.size());
  size_t at = kMagic.size();
  while (true) {
    if (data.size() - at < kHeaderBytes) return damaged("it was cut at byte " + std::to_string(data.size()));
    const auto length = load<uint32_t>(data.data() + at);
    const auto block_crc = load<uint32_t>(data.data() + at + 4);
    if (length == 0) {
      if (block_crc != crc) return damaged("the checksum of the whole does not hold");
      if (data.size() - at != kHeaderBytes) return damaged("bytes follow its end");
      position = 0;
      return {};
    }
    if (length > kMostBlockBytes)
      return damaged("the block at byte " + std::to_string(at) + " has an impossible length");
    if (length > data.size() - at - kHeaderBytes)
      return damaged("it was cut at byte " + std::to_string(data.size()));
    const char* bytes = data.data() + at + kHeaderBytes;
    if (crc32c(bytes, length) != block_crc)
      return damaged("the checksum of the block at byte " + std::to_string(at) + " does not hold");
    crc = crc32c(data.data() + at, kHeaderBytes + length, crc);
    std::memmove(data.data() + size, bytes, length);
    size += length;
    at += kHeaderBytes + length;
  }
}

StateReader::StateReader() : impl_(std::make_unique<Impl>()) {}
StateReader::~StateReader() = default;

Result<std::unique_ptr<StateReader>> StateReader::open(ObjectStore& objects, const std::string& path) {
  auto bytes = objects.get(path);
  if (!bytes.ok()) {
    if (bytes.status().code() == Code::not_found)
      return Status(Code::not_found, "the state file '" + path + "' is missing");
    return bytes.status().with_context("reading the state file '" + path + "'");
  }
  return from_bytes(*std::move(bytes), path);
}

Result<std::unique_ptr<StateReader>> StateReader::from_bytes(std::string bytes, const std::string& name) {
  std::unique_ptr<StateReader> reader(new StateReader());
  reader->impl_->name = name;
  reader->impl_->data = std::move(bytes);
  WEIR_TRY(reader->impl_->check());
  return reader;
}

Result<uint32_t> StateReader::section(std::string_view name, uint32_t newest) {
  WEIR_ASSIGN(const uint32_t mark, u32());
  if (mark != kSectionMark)
    return impl_->mismatch("no section begins where '" + std::string(name) + "' should");
  WEIR_ASSIGN(const std::string found, text());
  WEIR_ASSIGN(const uint32_t version, u32());
  if (found != name)
    return impl_->mismatch("section '" + found.substr(0, kMostNameBytes) + "' stands where '" +
                           std::string(name) + "' should");
  if (version == 0 || version > newest)
    return Status::invalid("section '" + found + "' of the state file '" + impl_->name + "' has version " +
                           std::to_string(version) + ", this Weir knows up to " + std::to_string(newest) +
                           ": run it with the Weir that wrote it");
  return version;
}

Status StateReader::bytes(void* data, size_t size) {
  WEIR_ASSIGN(const char* at, impl_->next(size));
  if (size > 0) std::memcpy(data, at, size);
  return {};
}

Result<std::string_view> StateReader::view(size_t size) {
  WEIR_ASSIGN(const char* at, impl_->next(size));
  return std::string_view(at, size);
}

Result<uint8_t> StateReader::u8() { return impl_->value<uint8_t>(); }
Result<uint32_t> StateReader::u32() { return impl_->value<uint32_t>(); }
Result<int64_t> StateReader::i64() { return impl_->value<int64_t>(); }

Result<std::string> StateReader::text() {
  WEIR_ASSIGN(const uint32_t size, u32());
  WEIR_ASSIGN(const char* at, impl_->next(size));
  return std::string(at, size);
}

Result<std::shared_ptr<arrow::RecordBatch>> StateReader::rows() {
  WEIR_ASSIGN(const int64_t size, i64());
  if (size < 0) return impl_->mismatch("rows have a negative size");
  WEIR_ASSIGN(const char* at, impl_->next(static_cast<size_t>(size)));
  // Copied: aligned, and free of the file that would else stay in memory as long as the rows do.
  auto read = [&]() -> arrow::Result<std::shared_ptr<arrow::RecordBatch>> {
    ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> copy, arrow::AllocateBuffer(size));
    if (size > 0) std::memcpy(copy->mutable_data(), at, static_cast<size_t>(size));
    arrow::ipc::IpcReadOptions options = arrow::ipc::IpcReadOptions::Defaults();
    options.use_threads = false;
    ARROW_ASSIGN_OR_RAISE(auto reader, arrow::ipc::RecordBatchStreamReader::Open(
                                           std::make_shared<arrow::io::BufferReader>(copy), options));
    std::shared_ptr<arrow::RecordBatch> batch, none;
    ARROW_RETURN_NOT_OK(reader->ReadNext(&batch));
    if (batch == nullptr) return arrow::Status::Invalid("there are none");
    ARROW_RETURN_NOT_OK(batch->Validate());
    ARROW_RETURN_NOT_OK(reader->ReadNext(&none));
    if (none != nullptr) return arrow::Status::Invalid("there are too many");
    return batch;
  }();
  if (!read.ok()) return impl_->mismatch("rows: " + read.status().ToString());
  return *std::move(read);
}

bool StateReader::at_end() const { return impl_->position == impl_->size; }

}  // namespace weir
