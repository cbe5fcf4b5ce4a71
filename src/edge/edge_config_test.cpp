#include "edge/edge_config.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

std::string problems(const std::string& text) {
  Diagnostics diagnostics;
  parse_edge_config("weir.toml", text, diagnostics);
  return diagnostics.has_errors() ? diagnostics.status().message() : "";
}

TEST(EdgeConfig, NothingIsAllDefaults) {
  Diagnostics diagnostics;
  EdgeConfig config = parse_edge_config("", "", diagnostics);
  EXPECT_FALSE(diagnostics.has_errors());
  EXPECT_EQ(config.server.string("listen"), "127.0.0.1:7080");
  EXPECT_EQ(config.server.string("data"), "./weir-data");
  EXPECT_EQ(config.server.size("max-body"), 1 << 20);
  EXPECT_TRUE(config.streams.empty());
}

TEST(EdgeConfig, ReadsAWholeFile) {
  Diagnostics diagnostics;
  EdgeConfig config = parse_edge_config("weir.toml", R"(
[server]
listen = "127.0.0.1:0"
max-depth = 9
error-lake.path = "s3://lake/errors"
tokens = ["secret-one", "secret-two"]
[[stream]]
name = "orders"
tokens = "orders-token"
retention.age = "7 d"
retention.consumed = true
rate.events = 100
[[target]]
name = "main"
connector = "nats"
url = "nats://localhost:4222"
stream = "ORDERS"
[[route]]
stream = "orders"
header.X-Kind = "v*"
to = "nats:main"
)",
                                        diagnostics);
  EXPECT_FALSE(diagnostics.has_errors()) << diagnostics.status().message();
  EXPECT_EQ(config.server.integer("max-depth"), 9);
  EXPECT_EQ(config.server.string("error-lake.path"), "s3://lake/errors");
  EXPECT_EQ(config.tokens, (std::vector<std::string>{"secret-one", "secret-two"}));
  ASSERT_EQ(config.streams.size(), 1u);
  EXPECT_EQ(config.streams[0].tokens, (std::vector<std::string>{"orders-token"}));
  EXPECT_EQ(config.streams[0].options.duration("retention.age"), std::chrono::hours(7 * 24));
  EXPECT_TRUE(config.streams[0].options.boolean("retention.consumed"));
  ASSERT_EQ(config.routes.size(), 1u);
  EXPECT_EQ(config.routes[0].headers, (std::map<std::string, std::string>{{"x-kind", "v*"}}));
  EXPECT_EQ(config.targets.at(0).options.string("url"), "nats://localhost:4222");
}

TEST(EdgeConfig, ProblemsNameLineAndColumn) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"[server]\nlisten = 1\nmax-bdy = \"1 mb\"\n",
       "weir.toml:3:1: error: [server] has no option 'max-bdy'"},
      {"[server]\nmax-bdy = \"1 mb\"\n", "Did you mean 'max-body'?"},
      {"[server]\nmax-body = \"much\"\n", "weir.toml:2:12: error: [server]: option 'max-body': found 'much'"},
      {"[servr]\n",
       "weir.toml:1:2: error: there is no section or option 'servr' here. Did you mean 'server'?"},
      {"[server\n", "weir.toml:1:8: error: no TOML"},
      {"[stream]\nname = \"a\"\n", "write [[stream]]"},
      {"[[stream]]\npartitions = 2\n", "weir.toml:1:1: error: [[stream]] needs the option 'name'"},
      {"[[stream]]\nname = \"../a\"\n", "weir.toml:2:8: error: '../a' can be no stream"},
      {"[[stream]]\nname = \"_a\"\n", "'_a' can be no stream"},
      {"[[stream]]\nname = \"a\"\n[[stream]]\nname = \"a\"\n",
       "weir.toml:4:8: error: the stream 'a' is declared twice"},
      {"[[stream]]\nname = \"a\"\npartitions = 0\n", "expected 1 to 64"},
      {"[[stream]]\nname = \"a\"\ncontent = \"all\"\n", "expected one of 'json', 'any'"},
      {"[[stream]]\nname = \"a\"\nforward-headers = \"traceparent, Authorization\"\n",
       "weir.toml:3:19: error: [[stream]]: option 'forward-headers': 'authorization' holds a secret"},
      {"[[route]]\nto = \"disk:a\"\n", "weir.toml:2:6: error: found 'disk:a', expected log:STREAM"},
      {"[[route]]\nto = \"nats:main\"\n", "there is no [[target]] named 'main'"},
      {"[[route]]\nstream = \"a\"\n", "[[route]] needs the option 'to'"},
      {"[[target]]\nname = \"a\"\nconnector = \"nat\"\n", "Did you mean 'nats'?"},
      {"[server]\ntokens = [\"short\"]\n", "weir.toml:2:11: error: a token needs at least 8 characters"},
      {"[server]\ntokens = []\n", "'tokens' is empty"},
      {"[server]\ntokens = [\"${env:WEIR_SURELY_NOT_SET}\"]\n", "WEIR_SURELY_NOT_SET is not set"},
      {"[server]\nthreads = 1.5\n", "must be a string, an integer or a boolean"},
  };
  for (const auto& [text, words] : cases) {
    EXPECT_NE(problems(text).find(words), std::string::npos) << text << "->\n" << problems(text);
  }
}

TEST(EdgeConfig, TokensAppearInNoMessage) {
  const std::string text = problems("[server]\ntokens = [\"has blank secret\"]\nthreads = 0\n");
  EXPECT_EQ(text.find("secret"), std::string::npos) << text;
}

}  // namespace
}  // namespace weir
