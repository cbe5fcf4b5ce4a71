#include "clients/nats_connection.h"

#include <vector>

#include "base/text.h"
#include "clients/nkey.h"

namespace weir {
namespace {

using OptionsHandle = NatsOwned<natsOptions, natsOptions_Destroy>;

std::vector<std::string> split_urls(const std::string& list) {
  std::vector<std::string> urls;
  size_t begin = 0;
  while (begin <= list.size()) {
    const size_t end = std::min(list.find(',', begin), list.size());
    std::string url = list.substr(begin, end - begin);
    url.erase(0, url.find_first_not_of(' '));
    url.erase(url.find_last_not_of(' ') + 1);
    if (!url.empty()) urls.push_back(url);
    begin = end + 1;
  }
  return urls;
}

// The library's default handler prints to stderr.
void ignore_error(natsConnection*, natsSubscription*, natsStatus, void*) {}

natsStatus sign_nonce(char** error, unsigned char** signature, int* size, const char* nonce, void* seed) {
  const natsStatus status = nats_Sign(static_cast<const char*>(seed), nonce, signature, size);
  if (status != NATS_OK) *error = nullptr;
  return status;
}

Status option_failure(const char* name, natsStatus status) {
  const char* detail = nats_GetLastError(nullptr);
  return Status::invalid(std::string("option '") + name + "' cannot be used: " +
                         (detail != nullptr && *detail != 0 ? detail : natsStatus_GetText(status)));
}

Status set_tls(natsOptions* handle, const Options& options, bool tls_url) {
  const bool wanted = tls_url || options.has("tls.ca") || options.has("tls.cert") ||
                      options.boolean("tls.insecure-skip-verify");
  if (!wanted) return {};
  natsStatus status = natsOptions_SetSecure(handle, true);
  if (status != NATS_OK) return option_failure("url", status);
  if (options.has("tls.ca")) {
    status = natsOptions_LoadCATrustedCertificates(handle, options.string("tls.ca").c_str());
    if (status != NATS_OK) return option_failure("tls.ca", status);
  }
  if (options.has("tls.cert") != options.has("tls.key")) {
    return Status::invalid("'tls.cert' and 'tls.key' are only useful together");
  }
  if (options.has("tls.cert")) {
    status = natsOptions_LoadCertificatesChain(handle, options.string("tls.cert").c_str(),
                                               options.string("tls.key").c_str());
    if (status != NATS_OK) return option_failure("tls.cert", status);
  }
  status = natsOptions_SkipServerVerification(handle, options.boolean("tls.insecure-skip-verify"));
  return status == NATS_OK ? Status() : option_failure("tls.insecure-skip-verify", status);
}

Status set_credentials(natsOptions* handle, const Options& options, std::string& seed) {
  natsStatus status = NATS_OK;
  if (options.has("username")) {
    status = natsOptions_SetUserInfo(handle, options.string("username").c_str(),
                                     options.string("password").c_str());
    if (status != NATS_OK) return option_failure("username", status);
  }
  if (options.has("token")) {
    status = natsOptions_SetToken(handle, options.string("token").c_str());
    if (status != NATS_OK) return option_failure("token", status);
  }
  if (options.has("creds")) {
    status = natsOptions_SetUserCredentialsFromFiles(handle, options.string("creds").c_str(), nullptr);
    if (status != NATS_OK) return option_failure("creds", status);
  }
  if (options.has("nkey")) {
    WEIR_ASSIGN(seed, nkey_seed(options.string("nkey")));
    WEIR_ASSIGN(const std::string public_key, nkey_public_key(seed));
    status = natsOptions_SetNKey(handle, public_key.c_str(), sign_nonce, seed.data());
    if (status != NATS_OK) return option_failure("nkey", status);
  }
  return {};
}

}  // namespace

std::vector<OptionSpec> nats_connection_option_specs() {
  using enum OptionType;
  return {
      required(option("url", string, "", "nats://host:4222 or tls://host:4222; several separated by commas")),
      option("username", string, "", "user name"),
      secret(option("password", string, "", "the user's password")),
      secret(option("token", string, "", "authentication token")),
      secret(option("nkey", string, "", "a user's NKey seed, or a file that holds it")),
      option("creds", string, "", "credentials file (JWT and seed)"),
      option("tls.ca", string, "", "file of certificates that are trusted"),
      option("tls.cert", string, "", "file of the client's certificate"),
      option("tls.key", string, "", "file of the client's key"),
      option("tls.insecure-skip-verify", boolean, "false", "do not verify the server's certificate"),
      option("connect.timeout", duration, "5 s", "how long to wait for a server's answer"),
  };
}

std::string without_user_info(const std::string& url) {
  const size_t scheme = url.find("://");
  const size_t begin = scheme == std::string::npos ? 0 : scheme + 3;
  const size_t at = url.rfind('@');
  if (at == std::string::npos || at < begin) return url;
  return url.substr(0, begin) + url.substr(at + 1);
}

Result<std::unique_ptr<NatsConnection>> NatsConnection::connect(const Options& options) {
  std::unique_ptr<NatsConnection> result(new NatsConnection);
  const std::vector<std::string> urls = split_urls(options.string("url"));
  if (urls.empty()) return Status::invalid("'url' names no server; write 'nats://host:4222'");
  std::vector<const char*> pointers;
  bool tls = false;
  for (const std::string& url : urls) {
    pointers.push_back(url.c_str());
    tls = tls || url.rfind("tls://", 0) == 0;
    result->servers_ += (result->servers_.empty() ? "" : ", ") + without_user_info(url);
  }

  natsOptions* created = nullptr;
  if (natsOptions_Create(&created) != NATS_OK) return Status::internal("nats.c: no memory for options");
  const OptionsHandle handle(created);
  natsStatus status =
      natsOptions_SetServers(handle.get(), pointers.data(), static_cast<int>(pointers.size()));
  if (status != NATS_OK) return option_failure("url", status);
  natsOptions_SetName(handle.get(), "weir");
  natsOptions_SetTimeout(handle.get(), options.duration("connect.timeout").count());
  natsOptions_SetMaxReconnect(handle.get(), -1);
  natsOptions_SetReconnectWait(handle.get(), 500);
  natsOptions_SetPingInterval(handle.get(), 10'000);
  natsOptions_SetIOBufSize(handle.get(), 256 * 1024);
  natsOptions_SetFailRequestsOnDisconnect(handle.get(), true);
  natsOptions_SetErrorHandler(handle.get(), ignore_error, nullptr);
  WEIR_TRY(set_tls(handle.get(), options, tls));
  WEIR_TRY(set_credentials(handle.get(), options, *result->seed_));

  natsConnection* connection = nullptr;
  status = natsConnection_Connect(&connection, handle.get());
  result->connection_.reset(connection);
  if (status != NATS_OK) return result->failure("cannot connect", status);
  jsCtx* jetstream = nullptr;
  jsOptions defaults;
  jsOptions_Init(&defaults);
  defaults.Wait = options.duration("connect.timeout").count();
  status = natsConnection_JetStream(&jetstream, connection, &defaults);
  result->jetstream_.reset(jetstream);
  if (status != NATS_OK) return result->failure("cannot use JetStream", status);
  return result;
}

bool NatsConnection::connected() const {
  return natsConnection_Status(connection_.get()) == NATS_CONN_STATUS_CONNECTED;
}

bool NatsConnection::closed() const { return natsConnection_IsClosed(connection_.get()); }

uint64_t NatsConnection::reconnects() const {
  natsStatistics* created = nullptr;
  if (natsStatistics_Create(&created) != NATS_OK) return 0;
  const NatsOwned<natsStatistics, natsStatistics_Destroy> statistics(created);
  uint64_t reconnects = 0;
  natsConnection_GetStats(connection_.get(), created);
  natsStatistics_GetCounts(created, nullptr, nullptr, nullptr, nullptr, &reconnects);
  return reconnects;
}

Status NatsConnection::disconnected() const {
  const char* detail = nullptr;
  const natsStatus last = natsConnection_GetLastError(connection_.get(), &detail);
  if (closed() && last == NATS_CONNECTION_AUTH_FAILED) return failure("the connection was closed", last);
  return Status::unavailable(
      "no connection to NATS at " + servers_ + "; trying again" +
      (detail != nullptr && *detail != 0 ? ": " + std::string(detail) : std::string()));
}

Status NatsConnection::failure(std::string_view what, natsStatus status, jsErrCode error) const {
  const char* detail = nats_GetLastError(nullptr);
  const std::string text = "NATS at " + servers_ + ": " + std::string(what) + ": " +
                           (detail != nullptr && *detail != 0 ? detail : natsStatus_GetText(status));
  const char* refused = nullptr;
  if (connection_ != nullptr && natsConnection_GetLastError(connection_.get(), &refused) != NATS_OK &&
      status == NATS_TIMEOUT && refused != nullptr &&
      std::string_view(refused).find("ermissions") != std::string_view::npos) {
    return {Code::denied, "NATS at " + servers_ + ": " + std::string(what) + ": " + refused};
  }
  switch (status) {
    case NATS_CONNECTION_AUTH_FAILED:
    case NATS_NOT_PERMITTED:
      return {Code::denied, text + ". Check 'username', 'password', 'token', 'nkey', 'creds'"};
    case NATS_SSL_ERROR:
    case NATS_SECURE_CONNECTION_WANTED:
    case NATS_SECURE_CONNECTION_REQUIRED:
      return {Code::denied, text + ". Check the tls.* options and tls:// in 'url'"};
    case NATS_NO_RESPONDERS:
      return Status::unavailable(text + " (is JetStream enabled on this server and account?)");
    case NATS_ADDRESS_MISSING:
    case NATS_INVALID_ARG: return Status::invalid(text);
    default: break;
  }
  if (error == JSNotEnabledErr || error == JSNotEnabledForAccountErr) {
    return Status::invalid(text + ". JetStream is off on this server or account");
  }
  if (error == JSStreamNotFoundErr || error == JSConsumerNotFoundErr) return {Code::not_found, text};
  return Status::unavailable(text);
}

Result<NatsStreamInfo> NatsConnection::stream(const std::string& name) const {
  jsStreamInfo* info = nullptr;
  jsErrCode error = static_cast<jsErrCode>(0);
  const natsStatus status = js_GetStreamInfo(&info, jetstream_.get(), name.c_str(), nullptr, &error);
  if (status == NATS_OK) return NatsStreamInfo(info);
  if (error != JSStreamNotFoundErr) return failure("cannot look up stream '" + name + "'", status, error);

  std::vector<std::string> names;
  jsStreamNamesList* list = nullptr;
  if (js_StreamNames(&list, jetstream_.get(), nullptr, &error) == NATS_OK && list != nullptr) {
    for (int i = 0; i < list->Count; ++i) names.emplace_back(list->List[i]);
    jsStreamNamesList_Destroy(list);
  }
  std::string words = "stream '" + name + "' does not exist at " + servers_ + "." + suggestion(name, names);
  if (names.empty()) words += " There are no streams.";
  for (size_t i = 0; i < names.size() && i < 10; ++i) words += (i == 0 ? " Streams: " : ", ") + names[i];
  return Status{Code::not_found, words};
}

}  // namespace weir
