// The consumers through which partitions are read. What a consumer remembers is never trusted for positions:
// it is made anew at ours. How depends on what its acknowledgements do to the stream.
//
//   limits      they remove nothing. Deleted, and made again at the position.
//   workqueue   they remove messages, one by one: the server takes explicit acknowledgements only, and only
//               consumers that begin with whatever is left. Deleting a consumer removes nothing. So it is
//               deleted and made again too, and what is left comes in the stream's order, as first
//               deliveries. (A durable that is kept would give what was not acknowledged again in any order,
//               and only after its time-out.) What is below the position was committed; the reader drops and
//               acknowledges it.
//   interest    a message is kept as long as a consumer that wants it has not acknowledged it: deleting the
//   last
//               one removes messages. So there are two names. The new consumer is made first, under the name
//               that is free, where everything before is committed; only then the former one is deleted.
//
// Nothing here deletes a consumer at the end of a run.
#pragma once

#include <cstdint>
#include <string>

#include "clients/nats_connection.h"

namespace weir {

struct NatsConsumerPlan {
  std::string stream;
  std::string name;
  std::string filter;  // ">" for the whole stream
  jsRetentionPolicy retention = js_LimitsPolicy;
  bool acks = true;  // otherwise acknowledgement policy none; only for retention limits
  bool temporary =
      false;         // the server removes it when nobody asks for a while; it stands for nobody's interest
  int64_t next = 1;  // the next sequence to read
  int64_t committed = 1;  // everything below may go
};

struct NatsConsumer {
  std::string name;
  int64_t pending = 0;  // messages for it at this moment
};

// invalid: another consumer takes messages of this work queue.
Result<NatsConsumer> make_nats_consumer(const NatsConnection& connection, const NatsConsumerPlan& plan);

// On a stream with interest retention: makes sure that something holds the messages of this partition from
// now on, until make_nats_consumer takes over, by whichever worker. Elsewhere it does nothing.
Status hold_interest(const NatsConnection& connection, const NatsConsumerPlan& plan);

}  // namespace weir
