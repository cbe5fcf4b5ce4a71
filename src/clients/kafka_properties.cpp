#include "clients/kafka_properties.h"

#include <algorithm>
#include <array>

namespace weir {
namespace {

constexpr const char* kPrefix = "properties.";

struct Secret {
  const char* name;
  const char* help;
};
constexpr std::array<Secret, 9> kSecrets = {{
    {"sasl.password", "password for PLAIN and SCRAM"},
    {"sasl.oauthbearer.config", "settings of the unsecured OAUTHBEARER token, for tests"},
    {"sasl.oauthbearer.client.secret", "the client's secret, for sasl.oauthbearer.method 'oidc'"},
    {"sasl.oauthbearer.client.credentials.client.secret", "the same by its other name"},
    {"sasl.oauthbearer.assertion.private.key.pem", "private key that signs the assertion, as PEM text"},
    {"sasl.oauthbearer.assertion.private.key.passphrase", "its passphrase"},
    {"ssl.key.password", "password of the client's private key"},
    {"ssl.key.pem", "the client's private key, as PEM text"},
    {"ssl.keystore.password", "password of the PKCS#12 key store"},
}};

struct Rename {
  const char* java;
  const char* ours;
};
constexpr std::array<Rename, 3> kRenames = {{
    {"fetch.max.wait.ms", "fetch.wait.max.ms"},
    {"max.block.ms", "message.timeout.ms"},
    {"send.buffer.bytes", "socket.send.buffer.bytes"},
}};

struct Refusal {
  const char* name;
  const char* words;
};
constexpr std::array<Refusal, 28> kRefusals = {{
    {"auto.offset.reset",
     "Weir never resets a position by itself; write 'scan.startup.mode' for the first start"},
    {"enable.auto.commit", "positions are kept with the rows; 'commit.offsets' tells Kafka of them"},
    {"enable.auto.offset.store", "positions are kept with the rows"},
    {"auto.commit.interval.ms",
     "positions are kept with the rows; SET 'pipeline.commit-interval' paces commits"},
    {"enable.partition.eof", "Weir needs it on"},
    {"transactional.id", "the sink is at least once, with an idempotent producer and no transactions"},
    {"enable.idempotence", "the sink's producer is always idempotent"},
    {"sasl.jaas.config",
     "it is Java's; write 'properties.sasl.mechanism', 'properties.sasl.username' and "
     "'properties.sasl.password'"},
    {"sasl.login.class", "it is Java's"},
    {"sasl.login.callback.handler.class", "it is Java's; see 'properties.sasl.oauthbearer.method' = 'oidc'"},
    {"sasl.client.callback.handler.class", "it is Java's; see 'properties.sasl.oauthbearer.method' = 'oidc'"},
    {"sasl.kerberos.service.name", "Weir's librdkafka has no GSSAPI; use PLAIN, SCRAM or OAUTHBEARER"},
    {"sasl.kerberos.keytab", "Weir's librdkafka has no GSSAPI; use PLAIN, SCRAM or OAUTHBEARER"},
    {"sasl.kerberos.principal", "Weir's librdkafka has no GSSAPI; use PLAIN, SCRAM or OAUTHBEARER"},
    {"ssl.truststore.location", "write 'properties.ssl.ca.location', a file of PEM certificates"},
    {"ssl.truststore.password", "write 'properties.ssl.ca.location', a file of PEM certificates"},
    {"ssl.truststore.type", "write 'properties.ssl.ca.location', a file of PEM certificates"},
    {"ssl.truststore.certificates", "write 'properties.ssl.ca.pem'"},
    {"ssl.keystore.type",
     "a key store must be PKCS#12, or use ssl.certificate.location and ssl.key.location"},
    {"key.deserializer", "'format' says how an event is read"},
    {"value.deserializer", "'format' says how an event is read"},
    {"key.serializer", "'key.fields' and 'value.format' say how a row is written"},
    {"value.serializer", "'key.fields' and 'value.format' say how a row is written"},
    {"interceptor.classes", "it is Java's"},
    {"metric.reporters", "it is Java's"},
    {"max.poll.records", "SET 'pipeline.batch-rows' bounds a batch"},
    {"partitioner.class",
     "write 'properties.partitioner' = 'murmur2_random' (the default, as Java's), 'consistent', …"},
    {"plugin.library.paths", "Weir's librdkafka loads no plugins"},
}};

Result<std::string> assignment_strategy(const std::string& text) {
  std::string result;
  size_t begin = 0;
  while (begin <= text.size()) {
    const size_t end = std::min(text.find(',', begin), text.size());
    std::string name = text.substr(begin, end - begin);
    name.erase(0, name.find_first_not_of(' '));
    name.erase(name.find_last_not_of(' ') + 1);
    begin = end + 1;
    if (const size_t dot = name.rfind('.'); dot != std::string::npos) {
      const std::string last = name.substr(dot + 1);
      if (last == "RangeAssignor") {
        name = "range";
      } else if (last == "RoundRobinAssignor") {
        name = "roundrobin";
      } else if (last == "CooperativeStickyAssignor") {
        name = "cooperative-sticky";
      } else {
        return Status::invalid("'properties.partition.assignment.strategy': '" + name +
                               "' is Java's; expected 'range', 'roundrobin' or 'cooperative-sticky'");
      }
    }
    result += (result.empty() ? "" : ",") + name;
  }
  return result;
}

}  // namespace

bool kafka_property_is_secret(const std::string& name) {
  if (name == "sasl.jaas.config") return true;
  return std::any_of(kSecrets.begin(), kSecrets.end(), [&](const Secret& s) { return name == s.name; });
}

std::vector<OptionSpec> kafka_connection_options() {
  using enum OptionType;
  OptionSpec servers =
      option("properties.bootstrap.servers", string, "", "host:9092; several separated by commas");
  servers.required = true;
  std::vector<OptionSpec> specs = {servers};
  for (const Secret& secret : kSecrets) {
    OptionSpec spec = option(std::string(kPrefix) + secret.name, string, "", secret.help);
    spec.secret = true;
    specs.push_back(spec);
  }
  OptionSpec jaas = option("properties.sasl.jaas.config", string, "",
                           "Java's; refused with the properties to write instead");
  jaas.secret = true;
  specs.push_back(jaas);
  specs.push_back(
      option("properties.*", string, "",
             "any property of librdkafka, such as security.protocol, sasl.mechanism, ssl.ca.location"));
  specs.push_back(option("connect.timeout", duration, "10 s", "how long to wait for a broker's answer"));
  return specs;
}

Result<KafkaProperties> kafka_properties(const Options& options) {
  KafkaProperties result;
  for (auto& [name, value] : options.with_prefix(kPrefix)) {
    for (const Refusal& refusal : kRefusals) {
      if (name == refusal.name) {
        return Status::invalid("'properties." + name + "' cannot be set here: " + refusal.words);
      }
    }
    std::string ours = name;
    for (const Rename& rename : kRenames) {
      if (name == rename.java) ours = rename.ours;
    }
    std::string text = value;
    if (ours == "partition.assignment.strategy") {
      WEIR_ASSIGN(text, assignment_strategy(value));
    } else if (ours == "ssl.endpoint.identification.algorithm" && text.empty()) {
      text = "none";  // Java's way to say so
    } else if (ours == "buffer.memory") {
      ours = "queue.buffering.max.kbytes";
      text = std::to_string(std::max<long long>(1, std::strtoll(value.c_str(), nullptr, 10) / 1024));
    }
    result.emplace_back(std::move(ours), std::move(text));
  }
  return result;
}

}  // namespace weir
