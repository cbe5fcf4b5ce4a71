// What the fuzz targets of decoders share: the fuzzer's event between two good ones, which must not notice
// it.
#pragma once

#include <arrow/record_batch.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "formats/decoder.h"

namespace weir {

inline void require(bool condition) {
  if (!condition) std::abort();
}

// `good` gives one row. Checked here: the rows are sound, the first and the last event gave the same row, and
// an error is the middle event's, has words and a place within it.
inline DecodedRows decode_between(Decoder& decoder, const std::string& good, const std::string& middle) {
  const std::string bytes = good + middle + good;
  std::shared_ptr<char[]> copy(new char[bytes.size() + EventBatch::kPadding]());
  std::memcpy(copy.get(), bytes.data(), bytes.size());
  EventBatch batch;
  batch.bytes = copy;
  uint32_t at = 0;
  for (size_t size : {good.size(), middle.size(), good.size()}) {
    Event event;
    event.payload = {at, static_cast<int32_t>(size)};
    batch.events.push_back(event);
    at += static_cast<uint32_t>(size);
  }
  DecodedRows decoded = *decoder.decode(batch, 0, 3);
  require(decoded.rows->ValidateFull().ok());
  require(static_cast<size_t>(decoded.rows->num_rows()) == decoded.event_of_row.size());
  require(decoded.event_of_row.front() == 0 && decoded.event_of_row.back() == 2);
  require(decoded.rows->Slice(0, 1)->Equals(*decoded.rows->Slice(decoded.rows->num_rows() - 1, 1)));
  for (const ErrorRecord& error : decoded.errors) {
    require(error.event == 1 && !error.message.empty());
    require(error.byte >= -1 && error.byte <= static_cast<int64_t>(middle.size()));
  }
  return decoded;
}

}  // namespace weir
