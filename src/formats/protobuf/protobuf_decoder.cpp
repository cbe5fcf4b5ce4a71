#include "formats/protobuf/protobuf_decoder.h"

#include <arrow/record_batch.h>
#include <google/protobuf/descriptor.h>

#include <algorithm>

#include "formats/error_words.h"
#include "formats/protobuf/message_columns.h"
#include "formats/registry_frame.h"

namespace weir::protobuf {
namespace {

constexpr size_t kMostWriters = 1024;

// Every column of `some` is among `all`, of the same type.
bool has_all(const std::vector<ColumnSpec>& all, const std::vector<ColumnSpec>& some) {
  return std::all_of(some.begin(), some.end(), [&all](const ColumnSpec& column) {
    return std::any_of(all.begin(), all.end(), [&column](const ColumnSpec& other) {
      return other.name == column.name && other.type.arrow->Equals(*column.type.arrow);
    });
  });
}

// As has_all(), but a ROW may have gained fields.
bool type_includes(const arrow::DataType& all, const arrow::DataType& some) {
  if (all.id() != some.id()) return false;
  if (all.num_fields() == 0) return all.Equals(some);
  if (all.id() != arrow::Type::STRUCT) {
    for (int i = 0; i < all.num_fields(); ++i) {
      if (i >= some.num_fields() || !type_includes(*all.field(i)->type(), *some.field(i)->type()))
        return false;
    }
    return all.num_fields() == some.num_fields();
  }
  for (const auto& field : some.fields()) {
    const auto other = std::find_if(all.fields().begin(), all.fields().end(),
                                    [&field](const auto& entry) { return entry->name() == field->name(); });
    if (other == all.fields().end() || !type_includes(*(*other)->type(), *field->type())) return false;
  }
  return true;
}

bool includes(const std::vector<ColumnSpec>& all, const std::vector<ColumnSpec>& some) {
  return std::all_of(some.begin(), some.end(), [&all](const ColumnSpec& column) {
    return std::any_of(all.begin(), all.end(), [&column](const ColumnSpec& other) {
      return other.name == column.name && type_includes(*other.type.arrow, *column.type.arrow);
    });
  });
}

}  // namespace

Result<SchemaOrigin> latest_schema(SchemaLookup& schemas, const std::string& subject,
                                   const std::string& message) {
  WEIR_ASSIGN(const SchemaPointer latest, schemas.latest(subject));
  if (auto problem = wrong_kind(*latest, SchemaKind::protobuf)) return Status::invalid(*std::move(problem));
  auto parsed = ProtoSchema::from_registry(latest->schema);
  if (!parsed.ok()) return parsed.status().with_context(latest->label());
  auto found = (*parsed)->message(message);
  if (!found.ok()) return found.status().with_context(latest->label());
  return SchemaOrigin{*parsed, *found, latest->label(), subject, latest->version, latest->id};
}

Result<std::unique_ptr<Decoder>> ProtobufDecoder::create(const std::vector<ColumnSpec>& columns,
                                                         DecoderSettings settings, SchemaOrigin reader,
                                                         std::shared_ptr<SchemaLookup> schemas) {
  std::unique_ptr<ProtobufDecoder> decoder(new ProtobufDecoder(std::move(settings)));
  decoder->specs_ = columns;
  decoder->schemas_ = std::move(schemas);
  std::vector<std::shared_ptr<arrow::Field>> fields;
  for (const ColumnSpec& spec : columns) {
    auto column = columns::compile_column(spec.name, &spec.type, spec.type.arrow, spec.nullable);
    if (!column.ok()) return column.status();
    decoder->columns_.push_back(std::move(*column));
    fields.push_back(arrow::field(spec.name, spec.type.arrow, spec.nullable));
  }
  decoder->schema_ = arrow::schema(std::move(fields));
  if (reader.message != nullptr) {
    decoder->reader_ = std::move(reader);
    decoder->reader_known_ = true;
    WEIR_ASSIGN(decoder->reader_plan_, decoder->compile(*decoder->reader_.message));
  }
  return std::unique_ptr<Decoder>(std::move(decoder));
}

Result<std::unique_ptr<MessagePlan>> ProtobufDecoder::compile(
    const google::protobuf::Descriptor& message) const {
  std::vector<NamedColumn> named;
  for (size_t i = 0; i < columns_.size(); ++i) named.push_back({specs_[i].name, columns_[i].get()});
  return compile_message(message, named, {reader_.message, settings_.walk.reject_unknown_fields});
}

Result<DecodedRows> ProtobufDecoder::decode(const EventBatch& batch, size_t begin, size_t end) {
  DecodedRows result;
  if (!ahead_.empty()) WEIR_TRY(look_at_latest());
  for (auto& column : columns_) column->reserve_rows(std::max<int64_t>(static_cast<int64_t>(end - begin), 1));
  result.event_of_row.reserve(end - begin);
  int64_t row = 0;
  ErrorRecord error;
  for (size_t event = begin; event < end; ++event) {
    const std::string_view payload = batch.payload(event);
    bool good = false;
    if (batch.events[event].payload.size < 0) {
      error.message = kNoPayload;
    } else if (static_cast<int64_t>(payload.size()) > settings_.walk.max_size) {
      error.code = ErrorCode::too_large;
      error.message = std::to_string(payload.size()) + " bytes, at most " +
                      std::to_string(settings_.walk.max_size) + " (protobuf.max-size)";
    } else {
      size_t message_at = 0;
      WEIR_ASSIGN(MessagePlan * plan, plan_of(payload, &message_at, &error));
      // The empty payload has no bytes of its own, but room behind it all the same.
      const char* const bytes = batch.bytes.get() + batch.events[event].payload.begin;
      good = plan != nullptr &&
             walk_.read_event(*plan, bytes, bytes + message_at, bytes + payload.size(), row, &error);
    }
    if (good) {
      result.event_of_row.push_back(static_cast<uint32_t>(event));
      ++row;
    } else {
      error.event = static_cast<uint32_t>(event);
      result.errors.push_back(std::move(error));
      error = {};
    }
  }
  result.rows = columns::finish_rows(schema_, columns_, row);
  return result;
}

Result<MessagePlan*> ProtobufDecoder::plan_of(std::string_view payload, size_t* begin, ErrorRecord* error) {
  if (!settings_.confluent) return reader_plan();
  if (last_writer_ != nullptr && payload.substr(0, last_header_.size()) == last_header_) {
    *begin = last_header_.size();
  } else {
    FrameHeader header;
    if (!read_frame_header(payload, header, *error)) return nullptr;
    WEIR_ASSIGN(Writer * found, writer(header, error));
    if (found == nullptr) return nullptr;
    last_writer_ = found;
    last_header_ = payload.substr(0, header.size);
    *begin = header.size;
  }
  if (last_writer_->plan == nullptr) {
    error->code = ErrorCode::incompatible_schema;
    error->message = last_writer_->problem;
  }
  return last_writer_->plan.get();
}

Result<MessagePlan*> ProtobufDecoder::reader_plan() {
  if (reader_plan_ == nullptr) {
    WEIR_TRY(load_reader());
    if (reader_.message == nullptr) {
      return Status::unavailable("the registry has no schema for the subject '" + settings_.subject +
                                 "' yet");
    }
    WEIR_ASSIGN(reader_plan_, compile(*reader_.message));
  }
  return reader_plan_.get();
}

// The table's schema, when the registry could not be asked before. That it has none is an answer, too.
Status ProtobufDecoder::load_reader() {
  if (reader_known_ || !settings_.registry || settings_.subject.empty()) return {};
  auto latest = latest_schema(*schemas_, settings_.subject, settings_.message);
  if (latest.ok()) {
    reader_ = std::move(*latest);
  } else if (latest.status().code() != Code::not_found) {
    return latest.status();
  } else if (!settings_.confluent) {
    return {};
  }
  reader_known_ = true;
  return {};
}

Result<ProtobufDecoder::Writer*> ProtobufDecoder::writer(const FrameHeader& header, ErrorRecord* error) {
  const auto known = writers_.find(header);
  if (known != writers_.end()) return &known->second;
  WEIR_TRY(load_reader());
  Writer made;
  if (!settings_.registry) {
    // Only a file: what wrote the event is taken to be that.
    if (reader_.schema->message_at(header.indexes) == reader_.message) {
      WEIR_ASSIGN(made.plan, compile(*reader_.message));
    } else {
      made.problem =
          "the message indexes are not those of " + reader_.message->full_name() + " in " + reader_.label;
    }
  } else {
    auto registered = schemas_->by_id(header.id);
    if (!registered.ok() && registered.status().code() == Code::not_found) {
      error->code = ErrorCode::unknown_schema;
      error->message = "the registry has no schema with the id " + std::to_string(header.id);
      error->byte = 1;
      return nullptr;
    }
    if (!registered.ok()) return registered.status();
    WEIR_ASSIGN(made, make_writer(header, **registered));
  }
  if (writers_.size() >= kMostWriters) writers_.clear();
  return &writers_.emplace(header, std::move(made)).first->second;
}

Result<ProtobufDecoder::Writer> ProtobufDecoder::make_writer(const FrameHeader& header,
                                                             const RegisteredSchema& registered) {
  const std::string written = "written with " + registered.label();
  const auto refused = [](std::string problem) {
    Writer made;
    made.problem = std::move(problem);
    return made;
  };
  if (auto problem = wrong_kind(registered, SchemaKind::protobuf)) return refused(*std::move(problem));
  auto schema = ProtoSchema::from_registry(registered.schema);
  if (!schema.ok()) return refused(written + ", which is not a schema: " + schema.status().message());
  const google::protobuf::Descriptor* message = (*schema)->message_at(header.indexes);
  if (message == nullptr) return refused(written + ", which has no message with the event's message indexes");
  const std::string wanted = reader_.message != nullptr ? reader_.message->full_name() : settings_.message;
  if (!wanted.empty() && message->full_name() != wanted) {
    return refused(written + " as a " + message->full_name() + ", and the table reads " + wanted +
                   (reader_.label.empty() ? "" : " of " + reader_.label));
  }
  WEIR_TRY(check_for_new_columns(*message, registered));
  auto plan = compile(*message);
  if (!plan.ok()) {
    return refused(written + ", which does not fit the table" +
                   (reader_.label.empty() ? "" : " of " + reader_.label) + ": " + plan.status().message());
  }
  Writer made;
  made.plan = std::move(*plan);
  return made;
}

// schema_changed when planning anew gives columns that are there now only in what wrote the event. What
// planning would give is looked at, so that it is asked for only where it changes something.
Status ProtobufDecoder::check_for_new_columns(const google::protobuf::Descriptor& message,
                                              const RegisteredSchema& registered) {
  if (!settings_.columns_described || settings_.subject.empty() || registered.id == reader_.id) return {};
  latest_id_ = -1;
  const auto written = describe_columns(message);
  if (!written.ok() || has_all(specs_, *written)) return {};
  ahead_ = registered.label();
  return look_at_latest();
}

Status ProtobufDecoder::look_at_latest() {
  auto answer = schemas_->latest(settings_.subject);
  if (!answer.ok()) return answer.status().code() == Code::unavailable ? answer.status() : Status();
  if ((*answer)->id == latest_id_) return {};
  auto latest = latest_schema(*schemas_, settings_.subject, settings_.message);
  const auto planned = latest.ok() ? describe_columns(*latest->message) : latest.status();
  if (!planned.ok() || has_all(specs_, *planned) || !includes(*planned, specs_)) {
    latest_id_ = (*answer)->id;
    return {};
  }
  return Status(Code::schema_changed,
                "the columns are those of " + (reader_.label.empty() ? "an earlier schema" : reader_.label) +
                    ", and events come with " + ahead_ + "; " + latest->label + " has more");
}

}  // namespace weir::protobuf
