// The Confluent Schema Registry's REST API, and schema files, as a SchemaLookup.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "config/options.h"
#include "schema/schema_lookup.h"

namespace weir {

// schema-registry.url (several separated by commas), .subject, .username, .password, .token, .tls.ca,
// .tls.cert, .tls.key, .tls.insecure-skip-verify, .timeout, .retries.
std::vector<OptionSpec> schema_registry_option_specs();

// Nothing is connected yet. Without schema-registry.url it only reads files. `folder`: what relative paths of
// files are relative to.
Result<std::shared_ptr<SchemaLookup>> open_schema_lookup(const Options& options, const std::string& folder);

}  // namespace weir
