// The reply subject of a JetStream message: all that a reader needs to know of it, without the library's
// allocations.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir {

struct AckSubject {
  int64_t stream_sequence = 0;
  int64_t consumer_sequence = 0;
  int64_t timestamp_ns = 0;
  int64_t pending = 0;  // messages of this consumer that were not yet delivered
};

// "$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>", and the form with
// <domain>.<account> in front of the stream (and tokens behind): ADR-15 of NATS. Nothing for any other
// subject.
std::optional<AckSubject> parse_ack_subject(std::string_view subject);

// What the reply subjects of one consumer's messages have in common. A message that waits for its commit
// needs two numbers only, not its whole reply subject: the server reads nothing else of an acknowledgement.
struct AckTemplate {
  std::string head;  // "$JS.ACK.<stream>.<consumer>."
  std::string tail;  // behind the pending count; empty or with its dot

  void subject(int64_t stream_sequence, int64_t consumer_sequence, std::string& out) const;
};

// `subject` is one that parse_ack_subject has read.
AckTemplate ack_template(std::string_view subject);

}  // namespace weir
