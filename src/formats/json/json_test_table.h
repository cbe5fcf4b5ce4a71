// For tests: a table in DDL types, decoded from payloads that lie side by side in one buffer.
#pragma once

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "config/data_type.h"
#include "formats/json/json_format.h"

namespace weir {

using ColumnTexts = std::vector<std::pair<std::string, std::string>>;
using OptionTexts = std::map<std::string, std::string>;

inline Result<std::unique_ptr<Decoder>> make_json_decoder(const ColumnTexts& columns,
                                                          const OptionTexts& options = {}) {
  std::vector<ColumnSpec> specs;
  for (const auto& [name, text] : columns) {
    auto parsed = parse_type_text(text);
    if (!parsed.ok()) return parsed.status().with_context(text);
    ColumnSpec spec;
    spec.name = name;
    spec.type = parsed->type;
    spec.nullable = parsed->nullable;
    specs.push_back(std::move(spec));
  }
  const FormatInfo format = json_format();
  std::map<std::string, OptionValue> values;
  for (const auto& [name, text] : options) values[name].text = text;
  Diagnostics diagnostics;
  const Options validated = validate_options("format 'json'", format.options, values, {}, diagnostics);
  if (diagnostics.has_errors()) return diagnostics.status();
  return format.create({specs, &validated});
}

// Payloads touch each other, and what follows the last one looks like more JSON.
inline EventBatch batch_of(const std::vector<std::string>& payloads) {
  EventBatch batch;
  std::string bytes;
  for (const std::string& payload : payloads) {
    Event event;
    event.payload = {static_cast<uint32_t>(bytes.size()), static_cast<int32_t>(payload.size())};
    event.offset = static_cast<int64_t>(batch.events.size());
    batch.events.push_back(event);
    bytes += payload;
  }
  bytes += "\"}]},1";
  bytes += std::string(EventBatch::kPadding, '}');
  std::shared_ptr<char[]> copy(new char[bytes.size()]);
  std::memcpy(copy.get(), bytes.data(), bytes.size());
  batch.bytes = copy;
  return batch;
}

class JsonTable {
 public:
  JsonTable(const ColumnTexts& columns, const OptionTexts& options) {
    auto made = make_json_decoder(columns, options);
    EXPECT_TRUE(made.ok()) << made.status().message();
    decoder_ = std::move(*made);
  }

  DecodedRows decode(const std::vector<std::string>& payloads) {
    const EventBatch batch = batch_of(payloads);
    DecodedRows decoded = *decoder_->decode(batch, 0, batch.events.size());
    check(decoded, payloads.size());
    return decoded;
  }
  // The only payload's values as text, or the error's code.
  std::string row(const std::string& payload) {
    const DecodedRows decoded = decode({payload});
    if (!decoded.errors.empty()) return std::string(error_code_name(decoded.errors[0].code));
    std::string text;
    for (int i = 0; i < decoded.rows->num_columns(); ++i) {
      text += (i == 0 ? "" : "|") + (*decoded.rows->column(i)->GetScalar(0))->ToString();
    }
    return text;
  }
  ErrorRecord error(const std::string& payload) {
    DecodedRows decoded = decode({payload});
    EXPECT_EQ(decoded.errors.size(), 1u) << payload;
    return decoded.errors.empty() ? ErrorRecord{} : decoded.errors[0];
  }
  Decoder& decoder() { return *decoder_; }

 private:
  static void check(const DecodedRows& decoded, size_t events) {
    ASSERT_NE(decoded.rows, nullptr);
    const auto status = decoded.rows->ValidateFull();
    ASSERT_TRUE(status.ok()) << status.ToString();
    ASSERT_EQ(static_cast<size_t>(decoded.rows->num_rows()), decoded.event_of_row.size());
    ASSERT_EQ(decoded.event_of_row.size() + decoded.errors.size(), events);
    for (size_t i = 1; i < decoded.event_of_row.size(); ++i) {
      ASSERT_LT(decoded.event_of_row[i - 1], decoded.event_of_row[i]);
    }
    for (size_t i = 1; i < decoded.errors.size(); ++i) {
      ASSERT_LT(decoded.errors[i - 1].event, decoded.errors[i].event);
    }
  }

  std::unique_ptr<Decoder> decoder_;
};

}  // namespace weir
