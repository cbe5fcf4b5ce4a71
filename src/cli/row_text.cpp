#include "cli/row_text.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <vector>

#include "schema/row_json.h"

namespace weir {

std::string row_json(const arrow::RecordBatch& batch, int64_t row) {
  std::string out;
  append_json_row(batch, row, batch.num_columns(), out);
  return out;
}

namespace {

// A cell of a table or CSV: strings without quotes, null as "".
std::string cell_text(const arrow::Array& array, int64_t row) {
  if (array.IsNull(row)) return "";
  if (array.type_id() == arrow::Type::STRING)
    return static_cast<const arrow::StringArray&>(array).GetString(row);
  std::string text;
  append_json_value(array, row, text);
  if (text.size() >= 2 && text.front() == '"' && text.find('\\') == std::string::npos) {
    text = text.substr(1, text.size() - 2);
  }
  return text;
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of("\",\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

// Columns on the screen, counting code points.
size_t display_width(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string one_line(std::string text) {
  for (char& c : text) {
    if (c == '\n' || c == '\r' || c == '\t') c = ' ';
  }
  return text;
}

void print_table(const std::vector<std::vector<std::string>>& lines, std::FILE* out) {
  std::vector<size_t> widths;
  for (const auto& line : lines) {
    widths.resize(std::max(widths.size(), line.size()), 0);
    for (size_t c = 0; c < line.size(); ++c) widths[c] = std::max(widths[c], display_width(line[c]));
  }
  for (size_t l = 0; l < lines.size(); ++l) {
    std::string text;
    for (size_t c = 0; c < lines[l].size(); ++c) {
      if (c != 0) text += " | ";
      text += lines[l][c];
      if (c + 1 < lines[l].size()) text.append(widths[c] - display_width(lines[l][c]), ' ');
    }
    std::fprintf(out, "%s\n", text.c_str());
    if (l != 0) continue;
    std::string rule;
    for (size_t c = 0; c < widths.size(); ++c) rule += (c == 0 ? "" : "-+-") + std::string(widths[c], '-');
    std::fprintf(out, "%s\n", rule.c_str());
  }
}

}  // namespace

Result<int64_t> write_rows(arrow::RecordBatchReader& reader, const std::string& format, int64_t table_rows,
                           std::FILE* out) {
  std::vector<std::string> names = reader.schema()->field_names();
  std::vector<std::vector<std::string>> table{names};
  if (format == "csv") {
    std::string header;
    for (size_t c = 0; c < names.size(); ++c) header += (c == 0 ? "" : ",") + csv_cell(names[c]);
    std::fprintf(out, "%s\n", header.c_str());
  }
  int64_t count = 0;
  while (true) {
    std::shared_ptr<arrow::RecordBatch> batch;
    arrow::Status read = reader.ReadNext(&batch);
    if (!read.ok()) return Status::invalid(read.message());
    if (batch == nullptr) break;
    for (int64_t row = 0; row < batch->num_rows(); ++row, ++count) {
      if (format == "json") {
        std::fprintf(out, "%s\n", row_json(*batch, row).c_str());
        continue;
      }
      std::vector<std::string> cells;
      if (format == "table" && count >= table_rows) continue;
      for (int c = 0; c < batch->num_columns(); ++c) cells.push_back(cell_text(*batch->column(c), row));
      if (format == "csv") {
        std::string line;
        for (size_t c = 0; c < cells.size(); ++c) line += (c == 0 ? "" : ",") + csv_cell(cells[c]);
        std::fprintf(out, "%s\n", line.c_str());
      } else {
        for (auto& cell : cells) cell = one_line(cell);
        table.push_back(std::move(cells));
      }
    }
  }
  if (format == "table") {
    print_table(table, out);
    if (count > table_rows) {
      std::fprintf(out, "(%lld of %lld rows; --format json or csv prints them all)\n",
                   static_cast<long long>(table_rows), static_cast<long long>(count));
    } else {
      std::fprintf(out, "(%lld row%s)\n", static_cast<long long>(count), count == 1 ? "" : "s");
    }
  }
  return count;
}

}  // namespace weir
