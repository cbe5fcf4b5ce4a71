#include "server/serve.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(Serve, ListenAddresses) {
  struct Case {
    const char* text;
    const char* host;
    int port;
    bool loopback;
  };
  for (const Case& each :
       {Case{"127.0.0.1:7080", "127.0.0.1", 7080, true}, Case{"localhost:0", "localhost", 0, true},
        Case{"[::1]:7080", "::1", 7080, true}, Case{"0.0.0.0:80", "0.0.0.0", 80, false},
        Case{"[::]:80", "::", 80, false}, Case{"example.org:80", "example.org", 80, false},
        Case{"127.example.org:80", "127.example.org", 80, false}}) {
    auto address = parse_listen_address(each.text);
    ASSERT_TRUE(address.ok()) << each.text;
    EXPECT_EQ(address->host, each.host);
    EXPECT_EQ(address->port, each.port);
    EXPECT_EQ(address->loopback, each.loopback) << each.text;
  }
  for (const char* text : {"", "7080", ":7080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536",
                           "127.0.0.1:123456", "::1:7080", "[]:80"}) {
    EXPECT_EQ(parse_listen_address(text).status().code(), Code::invalid) << text;
  }
}

TEST(Serve, BeyondLoopbackEveryStreamNeedsAToken) {
  const auto exposed = [](const std::string& text) {
    Diagnostics diagnostics;
    EdgeConfig config = parse_edge_config("weir.toml", text, diagnostics);
    EXPECT_FALSE(diagnostics.has_errors()) << diagnostics.status().message();
    return !check_exposure(config, *parse_listen_address(config.server.string("listen"))).ok();
  };
  const std::string open = "[server]\nlisten = \"0.0.0.0:80\"\n";
  EXPECT_FALSE(exposed(""));
  EXPECT_TRUE(exposed(open));
  EXPECT_FALSE(exposed(open + "tokens = [\"server-token\"]\n"));
  EXPECT_TRUE(exposed(open + "[[stream]]\nname = \"a\"\n"));
  EXPECT_FALSE(exposed(open + "[[stream]]\nname = \"a\"\ntokens = [\"stream-token\"]\n"));
  EXPECT_TRUE(
      exposed(open + "[[stream]]\nname = \"a\"\ntokens = [\"stream-token\"]\n[[stream]]\nname = \"b\"\n"));
}

}  // namespace
}  // namespace weir
