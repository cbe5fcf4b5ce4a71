#include "runtime/outlet.h"

#include <arrow/array.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <numeric>

#include "runtime/rows.h"

namespace weir {
namespace {

Status closed() { return {Code::cancelled, "the run has ended"}; }

Result<std::shared_ptr<arrow::RecordBatch>> with_row_numbers(const arrow::RecordBatch& rows, int columns) {
  std::vector<int32_t> numbers(static_cast<size_t>(rows.num_rows()));
  std::iota(numbers.begin(), numbers.end(), 0);
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (int i = 0; i < columns; ++i) {
    fields.push_back(rows.schema()->field(i));
    arrays.push_back(rows.column(i));
  }
  fields.push_back(arrow::field("_weir_row", arrow::int32(), false));
  arrays.push_back(
      std::make_shared<arrow::Int32Array>(rows.num_rows(), arrow::Buffer::FromVector(std::move(numbers))));
  return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), rows.num_rows(), std::move(arrays));
}

}  // namespace

Status Outlet::rows(const std::shared_ptr<arrow::RecordBatch>& rows) {
  if (rows == nullptr || rows->num_rows() == 0) return {};
  for (Route& route : routes_) {
    WEIR_ASSIGN(auto shaped, through(route, rows));
    if (shaped != nullptr && shaped->num_rows() > 0) WEIR_TRY(send(route, std::move(shaped)));
  }
  return {};
}

Status Outlet::control(const Message& message) {
  for (Route& route : routes_) {
    for (size_t i = 0; i < route.inboxes.size(); ++i) {
      Message copy = message;
      copy.input = route.input;
      if (!route.inboxes[i]->push(route.channels[i], std::move(copy))) return closed();
    }
  }
  Message copy = message;
  copy.input = errors_.input;
  return errors_.inbox->push(errors_.channel, std::move(copy)) ? Status() : closed();
}

Status Outlet::error(OperatorError error) {
  Message message;
  message.input = errors_.input;
  message.rows = std::move(error.row);
  message.text = std::move(error.message);
  return errors_.inbox->push(errors_.channel, std::move(message)) ? Status() : closed();
}

Result<std::shared_ptr<arrow::RecordBatch>> Outlet::through(const Route& route,
                                                            std::shared_ptr<arrow::RecordBatch> rows) {
  const int weight_columns = route.changelog ? 1 : 0;
  for (const bridge::Fragment* fragment : route.fragments) {
    const int visible = rows->num_columns() - weight_columns;
    WEIR_ASSIGN(auto numbered, with_row_numbers(*rows, visible));
    std::vector<RowFailure> failures;
    WEIR_ASSIGN(auto result, evaluate(*fragment, numbered, clock_.now_us(), failures));
    for (const auto& [row, words] : failures) {
      std::vector<int> columns(static_cast<size_t>(visible));
      std::iota(columns.begin(), columns.end(), 0);
      auto kept = rows->Slice(row, 1)->SelectColumns(columns);
      if (!kept.ok()) return arrow_status(kept.status());
      WEIR_TRY(error({*kept, words}));
    }
    if (result == nullptr) return result;
    const int last = result->num_columns() - 1;
    if (!route.changelog) {
      auto visible_only = result->RemoveColumn(last);
      if (!visible_only.ok()) return arrow_status(visible_only.status());
      rows = *visible_only;
      continue;
    }
    auto weights = arrow::compute::Take(*rows->column(visible), *result->column(last));
    if (!weights.ok()) return arrow_status(weights.status());
    auto replaced = result->SetColumn(last, rows->schema()->field(visible), *weights);
    if (!replaced.ok()) return arrow_status(replaced.status());
    rows = *replaced;
  }
  return rows;
}

Status Outlet::send(Route& route, std::shared_ptr<arrow::RecordBatch> rows) {
  const auto shares = static_cast<uint32_t>(route.inboxes.size());
  auto push = [&](size_t share, std::shared_ptr<arrow::RecordBatch> part) -> Status {
    Message message;
    message.input = route.input;
    message.rows = std::move(part);
    const int64_t started_ns = clock_.monotonic_ns();
    const bool taken = route.inboxes[share]->push(route.channels[share], std::move(message));
    if (blocked_ns_ != nullptr) *blocked_ns_ += clock_.monotonic_ns() - started_ns;
    return taken ? Status() : closed();
  };
  if (shares == 1 || !route.keys) return push(0, std::move(rows));
  route.keys->encode(*rows, encoded_);
  rows_of_share_.resize(shares);
  for (auto& list : rows_of_share_) list.clear();
  for (size_t row = 0; row < encoded_.size(); ++row) {
    rows_of_share_[share_of(encoded_.hashes[row], shares)].push_back(static_cast<int64_t>(row));
  }
  for (uint32_t share = 0; share < shares; ++share) {
    auto& list = rows_of_share_[share];
    if (list.empty()) continue;
    if (list.size() == encoded_.size()) return push(share, std::move(rows));
    const auto count = static_cast<int64_t>(list.size());
    arrow::Int64Array indexes(count, arrow::Buffer::Wrap(list));
    auto part = arrow::compute::Take(arrow::Datum(rows), arrow::Datum(indexes.data()));
    if (!part.ok()) return arrow_status(part.status());
    WEIR_TRY(push(share, part->record_batch()));
  }
  return {};
}

}  // namespace weir
