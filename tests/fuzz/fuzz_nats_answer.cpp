// What comes back on a reply subject, from a JetStream server or from anybody who listens: only an answer
// that names a stream and a sequence says that an event is stored.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "clients/nats_answer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const weir::PublishAnswer answer = weir::parse_publish_answer({reinterpret_cast<const char*>(data), size});
  if (answer.is_stored() && (answer.stream.empty() || answer.sequence <= 0)) std::abort();
  if (answer.kind == weir::PublishAnswer::Kind::not_now && answer.message.empty()) std::abort();
  return 0;
}
