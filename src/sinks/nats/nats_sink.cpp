#include "sinks/nats/nats_sink.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>

#include <algorithm>
#include <map>

#include "base/environment.h"
#include "sinks/message_columns.h"
#include "sinks/message_refusals.h"
#include "sinks/nats/message_id.h"
#include "sinks/nats/nats_message.h"
#include "sinks/nats/publish_window.h"
#include "sinks/nats/subject.h"

namespace weir {
namespace {

constexpr int64_t kReceiveEvery = 64;  // rows

using Headers = std::vector<std::pair<std::string, std::string>>;

// The stream's subjects, when it takes messages at all.
Result<std::vector<std::string>> writable_subjects(const NatsConnection& connection, const Options& options) {
  const std::string name = options.string("stream");
  WEIR_ASSIGN(const NatsStreamInfo info, connection.stream(name));
  const jsStreamConfig& config = *info->Config;
  const std::string stream = "stream '" + name + "' ";
  if (config.Mirror != nullptr)
    return Status::invalid(stream + "is a mirror: nothing can be published to it");
  if (config.Sealed) return Status::invalid(stream + "is sealed: nothing can be published to it");
  if (config.NoAck) {
    return Status::invalid(stream + "does not acknowledge ('no_ack'): what arrived could not be told");
  }
  std::vector<std::string> subjects(config.Subjects, config.Subjects + config.SubjectsLen);
  const std::string subject = options.string("subject");
  const bool taken = std::any_of(subjects.begin(), subjects.end(),
                                 [&](const std::string& filter) { return takes_subject(filter, subject); });
  if (subject.empty() || taken) return subjects;
  std::string listed;
  for (const std::string& filter : subjects) listed += (listed.empty() ? "" : ", ") + filter;
  return Status::invalid(stream + "does not take the subject '" + subject + "'; its subjects: " + listed);
}

bool is_reserved(const std::string& name) {
  return name.size() >= 5 && (name[0] | 0x20) == 'n' && (name[1] | 0x20) == 'a' && (name[2] | 0x20) == 't' &&
         (name[3] | 0x20) == 's' && name[4] == '-';
}

// NATS headers are lines of text: `Name: value`.
Status add_header(const std::string& name, const std::optional<std::string>& value, Headers& headers) {
  if (!value || is_reserved(name)) return {};
  const bool sound = !name.empty() && std::all_of(name.begin(), name.end(),
                                                  [](char c) { return c > ' ' && c < 0x7F && c != ':'; });
  if (!sound) return Status::invalid("'" + name + "' cannot be a header's name");
  if (value->find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
    return Status::invalid("the header '" + name + "' holds a line break or a zero byte");
  }
  headers.emplace_back(name, *value);
  return {};
}

class NatsSink final : public Sink {
 public:
  NatsSink(SinkContext context, MessageColumns columns)
      : context_(std::move(context)),
        columns_(std::move(columns)),
        subject_(context_.options.string("subject")),
        deduplicate_(context_.options.boolean("deduplicate")) {}

  Result<std::map<std::string, int64_t>> open(const std::string& app_prefix) override;
  Status append(const std::shared_ptr<arrow::RecordBatch>& rows) override;
  bool full() const override { return false; }
  Result<std::unique_ptr<SealedRows>> seal() override;
  Status commit(const SealedRows& sealed, const CommitRequest& request) override {
    return store_refusals(context_, "NATS", static_cast<const SealedMessages&>(sealed), request, log_id_,
                          ++sequence_);
  }
  Memory memory() const override { return Memory::none; }
  TransactionalSink* transactional() override { return nullptr; }

 private:
  struct Open {
    std::shared_ptr<arrow::RecordBatch> rows;
    int64_t in_flight = 0;
  };

  Status send(RowPlace place, int64_t offset);
  Status make_message(int64_t row, int64_t offset);
  void refuse(RowPlace place, std::string message) {
    refused_.push_back({open_.at(place.batch).rows->Slice(place.row, 1), std::move(message)});
  }
  void release(int64_t batch) {
    const auto found = open_.find(batch);
    if (--found->second.in_flight == 0) open_.erase(found);
  }

  SinkContext context_;
  MessageColumns columns_;
  std::string subject_;
  bool deduplicate_;
  std::vector<std::string> taken_;  // the stream's subjects
  std::unique_ptr<PublishWindow> window_;
  std::unique_ptr<MessageIds> ids_;
  std::string log_id_;
  int64_t sequence_ = 0;

  std::map<int64_t, Open> open_;  // batches with messages in flight
  int64_t next_batch_ = 0;
  std::vector<MessageRefusal> refused_;
  std::string target_;  // of the message being made, with its parts
  std::string_view payload_;
  Headers headers_;
  int64_t rows_ = 0;
  int64_t bytes_ = 0;
};

Result<std::map<std::string, int64_t>> NatsSink::open(const std::string&) {
  window_.reset();
  open_.clear();
  refused_.clear();
  rows_ = bytes_ = 0;
  log_id_ = random_hex_id();
  sequence_ = 0;
  ids_ = std::make_unique<MessageIds>(context_.pipeline, context_.table);
  PublishWindowSettings settings;
  settings.stream = context_.options.string("stream");
  settings.most_messages = static_cast<size_t>(context_.options.integer("publish.max-in-flight"));
  settings.ack_timeout_ms = context_.options.duration("publish.ack-timeout").count();
  settings.clock = context_.clock;
  settings.stored = [this](RowPlace place) { release(place.batch); };
  settings.refused = [this](RowPlace place, std::string message) {
    refuse(place, std::move(message));
    release(place.batch);
  };
  WEIR_ASSIGN(window_, PublishWindow::open(context_.options, std::move(settings)));
  WEIR_ASSIGN(taken_, writable_subjects(window_->connection(), context_.options));
  return std::map<std::string, int64_t>();
}

// target_, payload_ and headers_ of one row. invalid when the row cannot be a message.
Status NatsSink::make_message(int64_t row, int64_t offset) {
  WEIR_ASSIGN(const MessageParts* parts, columns_.parts(row));
  if (parts->target.empty()) {
    target_ = subject_;
  } else if (parts->target != target_) {
    WEIR_TRY(check_subject(parts->target));
    const bool taken = std::any_of(taken_.begin(), taken_.end(), [&](const std::string& filter) {
      return takes_subject(filter, parts->target);
    });
    if (!taken) {
      return Status::invalid("stream '" + context_.options.string("stream") +
                             "' does not take the subject '" + parts->target + "'");
    }
    target_ = parts->target;
  }
  payload_ = parts->value ? std::string_view(*parts->value) : std::string_view();
  headers_.clear();
  for (const auto& [name, value] : parts->headers) WEIR_TRY(add_header(name, value, headers_));
  if (!deduplicate_) return {};
  uint64_t content = content_hash(payload_, content_hash(target_, 0));
  for (const auto& [name, value] : headers_) content = content_hash(value, content_hash(name, content));
  headers_.emplace_back("Nats-Msg-Id", ids_->next(offset, content));
  return {};
}

Status NatsSink::send(RowPlace place, int64_t offset) {
  const Status made = make_message(place.row, offset);
  if (!made.ok()) {
    refuse(place, made.message());
    return {};
  }
  bytes_ += static_cast<int64_t>(payload_.size());
  ++open_.at(place.batch).in_flight;
  return window_->publish(target_, payload_, headers_, place);
}

Status NatsSink::append(const std::shared_ptr<arrow::RecordBatch>& rows) {
  const int64_t batch = next_batch_++;
  // One more in flight than messages, so that it is not forgotten while it is being sent.
  open_[batch] = {rows, 1};
  columns_.use(*rows);
  const auto& partitions = static_cast<const arrow::StringArray&>(*rows->column(rows->num_columns() - 2));
  const auto& offsets = static_cast<const arrow::Int64Array&>(*rows->column(rows->num_columns() - 1));
  for (int64_t row = 0; row < rows->num_rows(); ++row) {
    if (row == 0 || partitions.GetView(row) != partitions.GetView(row - 1))
      ids_->begin(partitions.GetView(row));
    if (row % kReceiveEvery == 0) WEIR_TRY(window_->receive());
    WEIR_TRY(send({batch, row}, offsets.Value(row)));
  }
  rows_ += rows->num_rows();
  release(batch);
  return window_->receive();
}

Result<std::unique_ptr<SealedRows>> NatsSink::seal() {
  WEIR_TRY(window_->finish());
  auto sealed = std::make_unique<SealedMessages>();
  sealed->rows = std::exchange(rows_, 0);
  sealed->bytes = std::exchange(bytes_, 0);
  sealed->refused.swap(refused_);
  return std::unique_ptr<SealedRows>(std::move(sealed));
}

}  // namespace

Result<std::unique_ptr<Sink>> create_nats_sink(SinkContext context) {
  WEIR_ASSIGN(MessageColumns columns,
              MessageColumns::create(*context.schema, nats_message_columns(context.options)));
  return std::unique_ptr<Sink>(std::make_unique<NatsSink>(std::move(context), std::move(columns)));
}

Status probe_nats_sink(const SinkContext& context) {
  WEIR_ASSIGN(const auto connection, NatsConnection::connect(context.options));
  return writable_subjects(*connection, context.options).status();
}

}  // namespace weir
