#include "server/serve.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/environment.h"
#include "clients/http_client.h"

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

// Also on loopback: a proxy may stand before it.
TEST(Serve, TokensOfStreamsAloneCloseWhatIsTheServers) {
  const std::string folder = std::filesystem::temp_directory_path() / ("weir-serve-" + random_hex_id());
  auto client = open_http_client({});
  ASSERT_TRUE(client.ok());
  for (const char* tokens : {"", "[[stream]]\nname = \"a\"\ntokens = [\"stream-token\"]\n"}) {
    for (const char* host : {"127.0.0.1", "0.0.0.0"}) {
      if (*tokens == 0 && std::string(host) == "0.0.0.0") continue;  // does not start
      Diagnostics diagnostics;
      const EdgeConfig config =
          parse_edge_config("weir.toml",
                            "[server]\nlisten = \"" + std::string(host) + ":0\"\ndata = \"" + folder +
                                "\"\nerror-lake.path = \"" + folder + "/errors\"\n" + tokens,
                            diagnostics);
      ASSERT_FALSE(diagnostics.has_errors()) << diagnostics.status().message();
      auto server = EdgeServer::start(config, Clock::real(), [](const std::string&) {});
      ASSERT_TRUE(server.ok()) << server.status().message();
      const std::string url = (*server)->url();
      const auto status = [&](const char* path, const char* method = "GET") {
        HttpRequest request;
        request.method = method;
        request.url = "http://127.0.0.1" + url.substr(url.rfind(':')) + path;
        request.headers = {{"Authorization", "Bearer stream-token"}};
        auto answer = (*client)->send(request);
        return answer.ok() ? answer->status : 0;
      };
      EXPECT_EQ(status("/healthz"), 200);
      for (const char* path : {"/metrics", "/v1/streams", "/registry/subjects"}) {
        EXPECT_EQ(status(path), *tokens == 0 ? 200 : 403) << path << " on " << host;
      }
      EXPECT_EQ(status("/registry/subjects/a", "DELETE"), *tokens == 0 ? 404 : 403);
      EXPECT_EQ(status("/v1/unrouted/replay", "POST") == 403, *tokens != 0);
    }
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace weir
