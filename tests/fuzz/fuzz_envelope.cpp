// Any bytes as a payload that is compressed or wrapped: no crash, the bounds hold, the neighbours are
// unharmed. The first byte chooses the options, the second how the payload is split from its headers.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <string>

#include "formats/payload_stage.h"

namespace weir {
namespace {

constexpr int64_t kMaxSize = 1 << 20;
constexpr const char* kChoices[][2] = {
    {"gzip", "none"},        {"zstd", "none"},     {"snappy", "none"},
    {"lz4", "none"},         {"auto", "none"},     {"auto", "cloudevents"},
    {"none", "cloudevents"}, {"none", "protobuf"}, {"auto", "protobuf"},
};

std::unique_ptr<PayloadStage> make(size_t choice) {
  std::map<std::string, OptionValue> values;
  values["payload.compression"].text = kChoices[choice][0];
  values["payload.envelope"].text = kChoices[choice][1];
  values["payload.max-size"].text = std::to_string(kMaxSize);
  if (std::string(kChoices[choice][1]) == "protobuf") {
    values["payload.envelope.field"].text = "2.3";
    values["payload.envelope.subject-field"].text = "1";
  }
  auto stage = PayloadStage::create(Options(payload_option_specs(), std::move(values)));
  return std::move(*stage);
}

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace
}  // namespace weir

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace weir;
  static std::unique_ptr<PayloadStage> stages[std::size(kChoices)];
  if (size < 2) return 0;
  auto& stage = stages[data[0] % std::size(kChoices)];
  if (stage == nullptr) stage = make(data[0] % std::size(kChoices));
  const size_t headers = std::min<size_t>(data[1], size - 2);
  std::shared_ptr<char[]> bytes(new char[size + EventBatch::kPadding]());
  std::memcpy(bytes.get(), data, size);
  EventBatch batch;
  batch.bytes = bytes;
  Event event;  // a tombstone passes
  batch.events.push_back(event);
  event.headers = {2, static_cast<int32_t>(headers)};
  event.payload = {static_cast<uint32_t>(2 + headers), static_cast<int32_t>(size - 2 - headers)};
  batch.events.push_back(event);
  batch.events.push_back(batch.events[0]);
  const Unwrapped out = stage->unwrap(batch, 0, 3);
  require(out.end == 3 && out.batch.events.size() + out.errors.size() == 3);
  require(out.event_of.front() == 0 && out.event_of.back() == 2);
  size_t sum = 0;
  for (const Event& each : out.batch.events) {
    require(each.payload.size <= kMaxSize);
    for (const char c : out.batch.view(each.payload)) sum += static_cast<uint8_t>(c);
    for (const char c : out.batch.view(each.headers)) sum += static_cast<uint8_t>(c);
    for (const char c : out.batch.view(each.subject)) sum += static_cast<uint8_t>(c);
  }
  require(sum != SIZE_MAX);
  for (const ErrorRecord& error : out.errors) {
    require(error.event == 1 && !error.message.empty());
    require(error.byte <= static_cast<int64_t>(size));
  }
  return 0;
}
