#include "formats/avro/avro_decoder.h"

#include <arrow/record_batch.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "formats/avro/avro_describe.h"
#include "formats/error_words.h"
#include "formats/registry_frame.h"

namespace weir::avro {
namespace {

constexpr size_t kMaxContainerSchemas = 64;  // remembered; then all are forgotten
constexpr size_t kMaxRegistrySchemas = 10'000;
constexpr int kMaxVersions = 20;  // looked through for the one that the columns are of

bool same_columns(const std::vector<ColumnSpec>& one, const std::vector<ColumnSpec>& other) {
  return std::equal(one.begin(), one.end(), other.begin(), other.end(),
                    [](const ColumnSpec& a, const ColumnSpec& b) {
                      return a.name == b.name && a.type.text == b.type.text && a.nullable == b.nullable;
                    });
}

std::string table_label() { return "the table's columns"; }

}  // namespace

AvroDecoder::AvroDecoder(const FormatContext& context, const Settings& settings, NamedSchema reader)
    : settings_(settings),
      schemas_(context.schemas),
      subject_(context.subject),
      described_(context.columns_described),
      specs_(context.columns),
      reader_(std::move(reader)),
      walk_(settings.max_items),
      container_(settings.max_inflated) {
  reader_found_ = reader_.schema != nullptr;
  if (!reader_found_) reader_.label = table_label();
}

Result<std::unique_ptr<Decoder>> AvroDecoder::create(const FormatContext& context, const Settings& settings,
                                                     const std::vector<NamedSchema>& writers,
                                                     NamedSchema reader) {
  std::unique_ptr<AvroDecoder> decoder(new AvroDecoder(context, settings, std::move(reader)));
  arrow::FieldVector fields;
  for (const ColumnSpec& spec : context.columns) {
    auto column = columns::compile_column(spec.name, &spec.type, spec.type.arrow, spec.nullable);
    if (!column.ok()) return column.status();
    decoder->target_.names.push_back(spec.name);
    decoder->target_.columns.push_back(column->get());
    decoder->columns_.push_back(std::move(*column));
    fields.push_back(arrow::field(spec.name, spec.type.arrow, spec.nullable));
  }
  decoder->schema_ = arrow::schema(std::move(fields));
  for (const NamedSchema& writer : writers) {
    const WriterHandle compiled = decoder->writer_of(writer);
    // The file that names both the schema and the columns is wrong before any event was seen.
    if (!compiled->plan) return Status::invalid(compiled->problem);
    if (settings.framing == Framing::none) decoder->only_writer_ = compiled;
    decoder->by_fingerprint_[fingerprint(canonical_form(writer.schema->root()))] = compiled;
  }
  return std::unique_ptr<Decoder>(std::move(decoder));
}

AvroDecoder::WriterHandle AvroDecoder::refused(ErrorCode code, std::string problem) {
  auto writer = std::make_shared<Writer>();
  writer->code = code;
  writer->problem = std::move(problem);
  return writer;
}

AvroDecoder::WriterHandle AvroDecoder::writer_of(const NamedSchema& schema) const {
  auto plan = compile_plan(schema.schema, reader_.schema, target_);
  if (!plan.ok()) {
    return refused(ErrorCode::incompatible_schema,
                   schema.label + " does not fit " + reader_.label + ": " + plan.status().message());
  }
  auto writer = std::make_shared<Writer>();
  writer->plan = std::move(*plan);
  return writer;
}

Result<AvroDecoder::WriterHandle> AvroDecoder::writer_of_id(int32_t id) {
  const auto known = by_id_.find(id);
  if (known != by_id_.end()) return known->second;
  auto registered = schemas_->by_id(id);
  if (!registered.ok() && registered.status().code() == Code::not_found) {
    return refused(ErrorCode::unknown_schema, "the registry has no schema of id " + std::to_string(id));
  }
  if (!registered.ok()) return registered.status().with_context("schema id " + std::to_string(id));
  WEIR_ASSIGN(const WriterHandle writer, registered_writer(**registered));
  if (by_id_.size() >= kMaxRegistrySchemas) by_id_.clear();
  by_id_[id] = writer;
  return writer;
}

Result<AvroDecoder::WriterHandle> AvroDecoder::registered_writer(const RegisteredSchema& registered) {
  const std::string label = registered.label();
  if (auto problem = wrong_kind(registered, SchemaKind::avro)) {
    return refused(ErrorCode::incompatible_schema, *std::move(problem));
  }
  auto parsed = parse_schema(registered.schema);
  if (!parsed.ok()) {
    return refused(ErrorCode::incompatible_schema,
                   label + " is no Avro schema: " + parsed.status().message());
  }
  WEIR_TRY(find_reader());
  WriterHandle writer = writer_of({*parsed, label});
  WEIR_TRY(look_for_change(registered, **parsed, *writer));
  return writer;
}

// With described columns: the version of the subject that they came from.
Status AvroDecoder::find_reader() {
  if (reader_found_) return {};
  if (!described_ || subject_.empty()) {
    reader_found_ = true;
    return {};
  }
  auto candidate = schemas_->latest(subject_);
  for (int back = 0; back < kMaxVersions; ++back) {
    if (!candidate.ok() && candidate.status().code() != Code::not_found) return candidate.status();
    if (candidate.ok() && (*candidate)->schema.kind == SchemaKind::avro) {
      auto parsed = parse_schema((*candidate)->schema);
      auto columns = parsed.ok() ? describe_schema(**parsed) : parsed.status();
      if (columns.ok() && same_columns(*columns, specs_)) {
        reader_ = {*parsed, (*candidate)->label()};
        reader_id_ = (*candidate)->id;
        break;
      }
    }
    if (!candidate.ok() || (*candidate)->version <= 1) break;
    candidate = schemas_->version(subject_, (*candidate)->version - 1);
  }
  reader_found_ = true;
  return {};
}

// schema_changed when this writer has what the columns lack, and planning anew from the subject's latest
// version would give other columns, none of another type. Planned anew the columns are those of that version,
// so the same event cannot ask for it again.
Status AvroDecoder::look_for_change(const RegisteredSchema& registered, const Schema& writer,
                                    const Writer& compiled) {
  if (!described_ || subject_.empty() || registered.id == reader_id_) return {};
  auto written = describe_schema(writer);
  bool adds = false;
  if (written.ok()) {
    for (const ColumnSpec& column : *written) adds = adds || column_named(specs_, column.name) == nullptr;
  }
  if (!adds && compiled.plan != nullptr) return {};
  look_again_.push_back(registered.id);
  auto latest = schemas_->latest(subject_);
  if (!latest.ok()) return latest.status().code() == Code::not_found ? Status() : latest.status();
  if ((*latest)->id == reader_id_ || (*latest)->schema.kind != SchemaKind::avro) return {};
  auto parsed = parse_schema((*latest)->schema);
  auto columns = parsed.ok() ? describe_schema(**parsed) : parsed.status();
  if (!columns.ok()) return {};
  const auto added = added_columns(specs_, *columns);
  if (!added || added->empty()) return {};
  return Status(Code::schema_changed,
                (*latest)->label() + " adds " + *added + "; the columns are those of " + reader_.label);
}

AvroDecoder::WriterHandle AvroDecoder::writer_of_container(std::string_view text) {
  const auto known = by_text_.find(text);
  if (known != by_text_.end()) return known->second;
  SchemaText schema;
  schema.text = text;
  auto parsed = parse_schema(schema);
  const WriterHandle writer =
      parsed.ok() ? writer_of({*parsed, "the container's schema"})
                  : refused(ErrorCode::malformed,
                            "the container's schema is no Avro schema: " + parsed.status().message());
  if (by_text_.size() >= kMaxContainerSchemas) by_text_.clear();
  by_text_.emplace(text, writer);
  return writer;
}

void AvroDecoder::reserve(int64_t rows) {
  if (rows <= rows_capacity_) return;
  rows_capacity_ = std::max(rows, rows_capacity_ * 2);
  for (auto& column : columns_) column->reserve_rows(rows_capacity_);
}

bool AvroDecoder::single(const Writer& writer, const uint8_t* at, const uint8_t* end, ErrorRecord& error) {
  if (!writer.plan) {
    error.code = writer.code;
    error.message = writer.problem;
    error.byte = -1;
    return false;
  }
  const uint8_t* next = walk_.datum(*writer.plan, at, row_);
  if (next == nullptr) return false;
  if (next != end) {
    walk_.fail(ErrorCode::malformed, next, std::to_string(end - next) + " bytes behind the record");
    return false;
  }
  ++row_;
  return true;
}

bool AvroDecoder::event(std::string_view payload, ErrorRecord& error) {
  static constexpr uint8_t kEmpty[EventBatch::kPadding] = {};
  const uint8_t* at = payload.empty() ? kEmpty : reinterpret_cast<const uint8_t*>(payload.data());
  const uint8_t* end = at + payload.size();
  walk_.start(at, end, &error);
  if (static_cast<int64_t>(payload.size()) > settings_.max_size) {
    walk_.fail(ErrorCode::too_large, at,
               std::to_string(payload.size()) + " bytes, more than " + settings_.option_prefix +
                   "max-size = " + std::to_string(settings_.max_size));
    return false;
  }
  switch (settings_.framing) {
    case Framing::none: return single(*only_writer_, at, end, error);
    case Framing::confluent: return confluent(payload, error);
    case Framing::single_object: return single_object(at, end, error);
    case Framing::container: return container(at, end, error);
  }
  return false;
}

bool AvroDecoder::confluent(std::string_view payload, ErrorRecord& error) {
  if (!has_registry_frame(payload)) {
    no_registry_frame(payload, error);
    return false;
  }
  const int32_t id = registry_frame_id(payload);
  if (id != last_id_ || !last_writer_) {
    auto writer = writer_of_id(id);
    if (!writer.ok()) {
      failure_ = writer.status();
      return false;
    }
    // An unknown id is asked for again: it may be registered by then.
    last_writer_ = std::move(*writer);
    last_id_ = id;
    if (last_writer_->code == ErrorCode::unknown_schema) last_id_.reset();
  }
  const auto* begin = reinterpret_cast<const uint8_t*>(payload.data());
  return single(*last_writer_, begin + kRegistryFrameBytes, begin + payload.size(), error);
}

bool AvroDecoder::single_object(const uint8_t* at, const uint8_t* end, ErrorRecord& error) {
  if (end - at < 10 || at[0] != 0xc3 || at[1] != 1) {
    walk_.fail(ErrorCode::malformed, at, "no single-object encoding: it does not begin with C3 01");
    return false;
  }
  uint64_t number;
  std::memcpy(&number, at + 2, 8);
  const auto known = by_fingerprint_.find(number);
  if (known != by_fingerprint_.end()) return single(*known->second, at + 10, end, error);
  char text[17];
  for (int i = 0; i < 16; ++i) text[i] = "0123456789abcdef"[(number >> (60 - 4 * i)) & 15];
  text[16] = 0;
  walk_.fail(ErrorCode::unknown_schema, at + 2,
             std::string("no schema with the fingerprint ") + text + " in " + settings_.option_prefix +
                 "schema-file");
  return false;
}

bool AvroDecoder::container(const uint8_t* begin, const uint8_t* end, ErrorRecord& error) {
  ContainerHeader header;
  const uint8_t* at = container_.header(walk_, begin, end, &header);
  if (at == nullptr) return false;
  const WriterHandle writer = writer_of_container(header.schema);
  if (!writer->plan) {
    walk_.fail(writer->code, begin, writer->problem);
    return false;
  }
  const int64_t first = row_;
  while (at < end) {
    ContainerBlock block;
    const uint8_t* next = container_.block(walk_, header, at, end, &block);
    if (next == nullptr) return false;
    if (block.count > settings_.max_items - (row_ - first)) {
      walk_.fail(ErrorCode::too_large, at,
                 "more than " + settings_.option_prefix +
                     "max-items = " + std::to_string(settings_.max_items) + " datums in a container");
      return false;
    }
    walk_.move_to(header.codec == Codec::none ? begin : nullptr, block.end);
    const bool whole = container_rows(*writer, header, block, at);
    walk_.move_to(begin, end);
    if (!whole) {
      // Places in an inflated block say nothing about the payload.
      if (header.codec != Codec::none) error.byte = at - begin;
      error.message = "datum " + std::to_string(row_ - first) + " of the container: " + error.message;
      return false;
    }
    at = next;
  }
  return true;
}

bool AvroDecoder::container_rows(const Writer& writer, const ContainerHeader& header,
                                 const ContainerBlock& block, const uint8_t* block_at) {
  const uint8_t* at = block.begin;
  for (int64_t i = 0; i < block.count; ++i) {
    reserve(row_ + 1);
    at = walk_.datum(*writer.plan, at, row_);
    if (at == nullptr) return false;
    ++row_;
  }
  if (at == block.end) return true;
  walk_.fail(ErrorCode::malformed, at,
             std::to_string(block.end - at) + " bytes behind the last datum of a block");
  return false;
}

Result<DecodedRows> AvroDecoder::decode(const EventBatch& batch, size_t begin, size_t end) {
  DecodedRows result;
  result.event_of_row.reserve(end - begin);
  for (const int32_t id : look_again_) {
    by_id_.erase(id);
    last_id_.reset();
  }
  look_again_.clear();
  row_ = 0;
  rows_capacity_ = 0;
  reserve(std::max<int64_t>(static_cast<int64_t>(end - begin), 1));
  ErrorRecord error;
  for (size_t event = begin; event < end; ++event) {
    const int64_t first = row_;
    bool whole = false;
    if (batch.events[event].payload.size < 0) {
      error.message = kNoPayload;
      error.code = ErrorCode::malformed;
    } else {
      whole = this->event(batch.payload(event), error);
      if (!whole && !failure_.ok()) return std::exchange(failure_, Status());
    }
    if (whole) {
      result.event_of_row.resize(static_cast<size_t>(row_), static_cast<uint32_t>(event));
      continue;
    }
    row_ = first;
    error.event = static_cast<uint32_t>(event);
    result.errors.push_back(std::move(error));
    error = {};
  }
  result.rows = columns::finish_rows(schema_, columns_, row_);
  return result;
}

}  // namespace weir::avro
