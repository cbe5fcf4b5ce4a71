// The Confluent Schema Registry's REST API, and schema files, as a SchemaLookup.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "clients/http_client.h"
#include "config/options.h"
#include "schema/schema_lookup.h"

namespace weir {

// schema-registry.url (several separated by commas), .subject, .username, .password, .token, .tls.ca,
// .tls.cert, .tls.key, .tls.insecure-skip-verify, .timeout, .retries, .latest-ttl.
std::vector<OptionSpec> schema_registry_option_specs();

// Nothing is connected yet. Without schema-registry.url it only reads files. `folder`: what relative paths of
// files are relative to.
Result<std::shared_ptr<SchemaLookup>> open_schema_lookup(const Options& options, const std::string& folder);

struct SchemaRegistrySettings {
  std::vector<std::string> urls;  // tried one after the other, from the one that answered last
  std::string authorization;      // secret; the header's value, "" for none
  std::string subject;            // whose versions labels prefer, when one id stands in several subjects
  int retries = 3;                // rounds over all urls after the first
  std::chrono::milliseconds latest_ttl{30'000};
};

// The seam for tests: `open` makes connections, one for each request that is under way. `clock` outlives it.
std::shared_ptr<SchemaLookup> make_registry_lookup(SchemaRegistrySettings settings,
                                                   std::function<Result<std::unique_ptr<HttpClient>>()> open,
                                                   const std::string& folder, const Clock& clock);

}  // namespace weir
