// The text of a pipeline that `weir init` writes.
#pragma once

#include <string>
#include <vector>

#include "cli/sample_type.h"

namespace weir {

// An option of WITH (…). `text` is what the file gets, `value` what it stands for: different for secrets,
// which the file takes from the environment.
struct InitOption {
  std::string name;
  std::string text;
  std::string value;
};

// One that is the same in both.
InitOption plain_option(std::string name, std::string text);

// An address with a user name, a password or a token in it: `url` without them, and options that take them
// from the environment, such as ${env:NATS_PASSWORD}.
struct UrlSecrets {
  std::string url;
  std::vector<InitOption> options;
  std::vector<std::string> variables;
};
// `user_option` "" where one word in front of '@' is a token.
UrlSecrets split_url_secrets(const std::string& url, const std::string& prefix,
                             const std::string& user_option, const std::string& password_option,
                             const std::string& token_option);

struct InitColumn {
  std::string name;
  std::string sql;     // the type, with NOT NULL where it fits
  std::string remark;  // "" when there is nothing to say
};

struct InitPipeline {
  std::string name;                 // of the pipeline and the source table
  std::string sink;                 // of the sink table
  std::vector<std::string> header;  // lines of comment
  std::vector<InitColumn> columns;  // empty: the format describes them
  std::vector<InitOption> source;   // the first is 'connector'
  std::vector<InitOption> sink_options;
};

// `secrets`: values stand where the file has references, so that it can be checked without the environment.
std::string pipeline_text(const InitPipeline& pipeline, bool secrets);

// The columns of events that are JSON objects, from what was seen of all of them. What cannot be stored is
// named in `left_out`. True in `numbers_as_strings`: some column needs that leniency.
std::vector<InitColumn> columns_of(const SampledType& events, std::vector<std::string>& left_out,
                                   bool& numbers_as_strings);

// "ORDERS.eu" -> "orders_eu": a name that needs no quotes and serves as a folder.
std::string table_name(const std::string& text);

}  // namespace weir
