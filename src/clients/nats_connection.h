// A connection to NATS with its JetStream context, made from the connector's options.
#pragma once

#include <nats/nats.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "config/options.h"

namespace weir {

template <auto Destroy>
struct NatsDeleter {
  template <typename T>
  void operator()(T* object) const {
    Destroy(object);
  }
};
template <typename T, auto Destroy>
using NatsOwned = std::unique_ptr<T, NatsDeleter<Destroy>>;

using NatsMessage = NatsOwned<natsMsg, natsMsg_Destroy>;
using NatsSubscription = NatsOwned<natsSubscription, natsSubscription_Destroy>;
using NatsStreamInfo = NatsOwned<jsStreamInfo, jsStreamInfo_Destroy>;
using NatsConsumerInfo = NatsOwned<jsConsumerInfo, jsConsumerInfo_Destroy>;

// url, username, password, token, nkey, creds, tls.*, connect.timeout: what connect() reads.
std::vector<OptionSpec> nats_connection_option_specs();

// Once connected, the library reconnects for ever by itself; only a refused log-in closes it. Thread-safe.
class NatsConnection {
 public:
  // unavailable after 'connect.timeout', denied for wrong credentials, invalid for unusable options.
  static Result<std::unique_ptr<NatsConnection>> connect(const Options& options);

  natsConnection* get() const { return connection_.get(); }
  jsCtx* jetstream() const { return jetstream_.get(); }
  bool connected() const;
  bool closed() const;
  // How often the connection came back; a change means that messages in flight were lost.
  uint64_t reconnects() const;
  // unavailable (or denied) with the servers' addresses and the last error.
  Status disconnected() const;

  // not_found with a near stream's name; otherwise as failure().
  Result<NatsStreamInfo> stream(const std::string& name) const;
  // What a failed call means: `what` says what was tried.
  Status failure(std::string_view what, natsStatus status, jsErrCode error = static_cast<jsErrCode>(0)) const;

 private:
  NatsConnection() = default;

  // On the heap and destroyed last: the library signs with it on every reconnect.
  std::unique_ptr<std::string> seed_ = std::make_unique<std::string>();
  std::string servers_;  // without user names and passwords
  NatsOwned<natsConnection, natsConnection_Destroy> connection_;
  NatsOwned<jsCtx, jsCtx_Destroy> jetstream_;
};

// "nats://user:secret@host:4222" -> "nats://host:4222"
std::string without_user_info(const std::string& url);

}  // namespace weir
