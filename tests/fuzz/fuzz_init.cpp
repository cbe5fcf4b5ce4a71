// What `weir init` infers of any bytes, taken as JSON documents and as CSV records (a line each), is a table
// that the pipeline parser takes.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "cli/sample_csv.h"
#include "cli/sample_pipeline.h"
#include "config/pipeline_spec.h"

namespace {

void must_parse(const std::vector<weir::InitColumn>& columns) {
  if (columns.empty()) return;
  weir::InitPipeline pipeline;
  pipeline.name = "p";
  pipeline.sink = "p_lake";
  pipeline.columns = columns;
  pipeline.source = {weir::plain_option("connector", "file"), weir::plain_option("path", "x")};
  pipeline.sink_options = {weir::plain_option("connector", "print")};
  weir::Diagnostics diagnostics;
  const std::string text = weir::pipeline_text(pipeline, false);
  const weir::PipelineSpec spec = weir::parse_pipeline("p.sql", text, diagnostics);
  if (diagnostics.has_errors() || spec.tables.size() != 2 ||
      spec.tables[0].columns.size() != columns.size()) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  weir::SampledType events;
  weir::CsvSample csv;
  int64_t offset = 0;
  for (size_t begin = 0; begin <= bytes.size();) {
    const size_t end = std::min(bytes.find('\n', begin), bytes.size());
    const std::string_view line = bytes.substr(begin, end - begin);
    std::string why;
    const auto value = weir::parse_sampled_json(line, why);
    if (value && value->kind == weir::SampledValue::Kind::object) events.add(*value);
    csv.add(line, offset++);
    begin = end + 1;
  }
  std::vector<std::string> left_out;
  bool numbers_as_strings = false;
  must_parse(weir::columns_of(events, left_out, numbers_as_strings));
  if (csv.finish(true).ok()) must_parse(csv.columns());
  return 0;
}
