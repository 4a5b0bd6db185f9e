// SPDX-License-Identifier: Apache-2.0
#include "control/http_request.h"

#include <gtest/gtest.h>

#include <vector>

namespace sluice::http {
namespace {

int status(const std::string& bytes) { return read_request(bytes).status; }

TEST(HttpRequest, GetsTheMetrics) {
  EXPECT_EQ(status("GET /metrics HTTP/1.1\r\nHost: node:9464\r\nAccept: text/plain;q=0.5\r\n\r\n"), 200);
  EXPECT_EQ(status("GET /metrics?x=1 HTTP/1.1\r\nhost:\r\n\r\n"), 200);
  EXPECT_EQ(status("GET http://node:9464/metrics HTTP/1.1\r\nHost: node\r\n\r\n"), 200);
  EXPECT_EQ(status("GET /metrics HTTP/1.0\r\n\r\n"), 200);
  EXPECT_EQ(status("\r\nGET /metrics HTTP/1.1\nHost: a\n\n"), 200);
  EXPECT_FALSE(read_request("GET /metrics HTTP/1.0\r\n\r\n").head_only);
  EXPECT_TRUE(read_request("HEAD /metrics HTTP/1.0\r\n\r\n").head_only);
}

TEST(HttpRequest, WaitsForEveryByteOfAHead) {
  const std::string whole = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
  for (std::size_t n = 0; n < whole.size(); ++n) EXPECT_EQ(status(whole.substr(0, n)), 0) << n;
  EXPECT_EQ(status(whole), 200);
  EXPECT_EQ(status(whole + "and more"), 200);
}

TEST(HttpRequest, SaysWhatIsWrong) {
  const std::vector<std::pair<std::string, int>> cases = {
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 404},
      {"GET /metricsx HTTP/1.1\r\nHost: a\r\n\r\n", 404},
      {"GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", 404},
      {"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 404},
      {"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", 405},
      {"GET /metrics HTTP/2.0\r\n\r\n", 505},
      {"GET /metrics HTTP/1.1\r\n\r\n", 400},                        // no Host
      {"GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},  // two
      {"GET /metrics HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400},  // RFC 9112 section 5.2
      {"GET /metrics HTTP/1.1\r\nHost : a\r\n\r\n", 400},            // section 5.1
      {"GET /metrics HTTP/1.1\r\nHost: a\x01\r\n\r\n", 400},
      {"GET /metrics HTTP/1.1\r\nno colon\r\n\r\n", 400},
      {"GET /metrics\r\n\r\n", 400},
      {"GET  HTTP/1.1\r\n\r\n", 400},
      {"GET /a b HTTP/1.1\r\n\r\n", 400},
      {"G\x80T /metrics HTTP/1.1\r\n\r\n", 400},
      {"\x16\x03\x01\n", 400},  // TLS
      {"\r\n\r\n\r\n", 400},
  };
  for (const auto& [bytes, wanted] : cases) EXPECT_EQ(status(bytes), wanted) << bytes;
}

TEST(HttpRequest, AHeadThatDoesNotEndIsTooLarge) {
  EXPECT_EQ(status(std::string(kHeadMax - 1, 'a')), 0);
  EXPECT_EQ(status(std::string(kHeadMax, 'a')), 431);
  std::string fields = "GET /metrics HTTP/1.1\r\n";
  while (fields.size() < kHeadMax) fields += "X: y\r\n";
  EXPECT_EQ(status(fields), 431);
}

TEST(HttpResponse, HasItsLengthAndEndsTheConnection) {
  EXPECT_EQ(response_head(200, "text/plain", 12),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 12\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(error_response({405}),
            "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 19\r\n"
            "Connection: close\r\nAllow: GET, HEAD\r\n\r\nMethod Not Allowed\n");
  EXPECT_TRUE(error_response({404, true}).ends_with("\r\n\r\n"));
}

}  // namespace
}  // namespace sluice::http
