#include "sinks/console/console_sinks.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <iostream>
#include <utility>

#include "schema/row_json.h"

namespace weir {
namespace {

// Nothing to prepare or to remember: rows are gone when append returns.
class ForgetfulSink : public Sink {
 public:
  Result<std::map<std::string, int64_t>> open(const std::string&) override {
    return std::map<std::string, int64_t>{};
  }
  Result<std::unique_ptr<SealedRows>> seal() override {
    auto sealed = std::make_unique<SealedRows>();
    sealed->rows = std::exchange(rows_, 0);
    return sealed;
  }
  Status commit(const SealedRows&, const CommitRequest&) override { return {}; }
  bool full() const override { return false; }
  Memory memory() const override { return Memory::none; }
  TransactionalSink* transactional() override { return nullptr; }

 protected:
  int64_t rows_ = 0;  // since the last seal
};

class BlackholeSink final : public ForgetfulSink {
 public:
  Status append(const std::shared_ptr<arrow::RecordBatch>& rows) override {
    rows_ += rows->num_rows();
    return {};
  }
};

class PrintSink final : public ForgetfulSink {
 public:
  PrintSink(std::ostream& out, std::string prefix, int64_t limit)
      : out_(out), prefix_(std::move(prefix)), left_(limit) {}

  Status append(const std::shared_ptr<arrow::RecordBatch>& rows) override {
    rows_ += rows->num_rows();
    std::string text;
    const auto last = rows->column(rows->num_columns() - 1);
    const bool changelog = rows->schema()->field(rows->num_columns() - 1)->name() == kWeightColumn;
    for (int64_t i = 0; i < rows->num_rows() && left_ != 0; ++i) {
      if (left_ > 0) --left_;
      text += prefix_;
      if (changelog) text += static_cast<const arrow::Int8Array&>(*last).Value(i) < 0 ? "-D " : "+I ";
      append_json_row(*rows, i, rows->num_columns() - (changelog ? 3 : 2), text);
      text += '\n';
    }
    out_.write(text.data(), static_cast<std::streamsize>(text.size()));
    out_.flush();
    if (!out_) return Status(Code::cancelled, "standard output was closed: nobody reads it any more");
    return {};
  }

 private:
  std::ostream& out_;
  std::string prefix_;
  int64_t left_;
};

}  // namespace

std::unique_ptr<Sink> make_print_sink(std::ostream& out, std::string prefix, int64_t limit) {
  return std::make_unique<PrintSink>(out, std::move(prefix), limit);
}

std::unique_ptr<Sink> make_blackhole_sink() { return std::make_unique<BlackholeSink>(); }

SinkConnector print_connector() {
  OptionSpec prefix;
  prefix.name = "prefix";
  prefix.help = "text in front of every line";
  OptionSpec limit;
  limit.name = "limit";
  limit.type = OptionType::integer;
  limit.default_value = "-1";
  limit.help = "print at most so many rows; -1: all";
  SinkConnector connector;
  connector.name = "print";
  connector.summary =
      "one JSON line a row on standard output, behind +I or -D for a changelog; at least once";
  connector.options = {prefix, limit};
  connector.takes_changelog = true;
  connector.create = [](const SinkContext& context) -> Result<std::unique_ptr<Sink>> {
    return make_print_sink(std::cout, context.options.string("prefix"), context.options.integer("limit"));
  };
  connector.check = [](const SinkContext&) { return Status(); };
  connector.probe = connector.check;
  connector.guarantee = [](const Options&) { return "at least once: it keeps no positions"; };
  return connector;
}

SinkConnector blackhole_connector() {
  SinkConnector connector;
  connector.name = "blackhole";
  connector.takes_changelog = true;
  connector.summary = "counts rows and forgets them, for measuring; at least once";
  connector.create = [](const SinkContext&) -> Result<std::unique_ptr<Sink>> {
    return make_blackhole_sink();
  };
  connector.check = [](const SinkContext&) { return Status(); };
  connector.probe = connector.check;
  connector.guarantee = [](const Options&) { return "at least once: it keeps no positions"; };
  return connector;
}

}  // namespace weir
