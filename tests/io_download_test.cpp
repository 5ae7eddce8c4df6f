// Downloads from a server of the test's own, with all that a server can do wrong.
#include "nn/io/download.h"
#include "tensor/error.h"
#include "tests/http_server.h"

#include <chrono>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace {

using milgrad::NotFoundError;
using milgrad::io::Bytes;
using milgrad::io::download;
using milgrad::test::http_response;
using milgrad::test::HttpServer;

std::string large_body() {
  std::string body;
  for (int i = 0; i < 300000; ++i) body += static_cast<char>(i % 251);
  return body;
}

std::string answer(const std::string& path) {
  if (path == "/small") return http_response("200 OK", "hello");
  if (path == "/empty") return http_response("200 OK", "");
  if (path == "/large") return http_response("200 OK", large_body());
  if (path == "/moved") return http_response("302 Found", "", "Location: /small\r\n");
  if (path == "/loop") return http_response("302 Found", "", "Location: /loop\r\n");
  if (path == "/file") return http_response("302 Found", "", "Location: file:///etc/passwd\r\n");
  if (path == "/broken") return http_response("500 Internal Server Error", "oops");
  if (path == "/short") return "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this";
  if (path == "/no-answer") return "";
  return http_response("404 Not Found", "nothing here");
}

std::string refusal(const std::string& url, const milgrad::io::DownloadOptions& options = {}) {
  try {
    download(url, options);
  } catch (const NotFoundError& error) {
    CHECK(error.path() == url);
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("io download: small, empty, large and redirected content") {
  const HttpServer server(answer);
  CHECK(download(server.url() + "/small") == Bytes{'h', 'e', 'l', 'l', 'o'});
  CHECK(download(server.url() + "/empty").empty());
  CHECK(download(server.url() + "/moved") == Bytes{'h', 'e', 'l', 'l', 'o'});
  const std::string body = large_body();
  CHECK(download(server.url() + "/large") == Bytes(body.begin(), body.end()));
}

TEST_CASE("io download: progress is reported and can give up") {
  const HttpServer server(answer);
  std::size_t last = 0;
  std::size_t of = 0;
  download(server.url() + "/large", {.progress = [&](std::size_t received, std::size_t total) {
             last = received;
             of = total;
             return true;
           }});
  CHECK(last == 300000);
  CHECK(of == 300000);
  const std::string url = server.url() + "/large";
  CHECK(refusal(url, {.progress = [](std::size_t, std::size_t) { return false; }}) ==
        url + ": Callback aborted");
}

TEST_CASE("io download: what a server does wrong is an error with the URL and the reason") {
  const HttpServer server(answer);
  const std::string& url = server.url();
  CHECK(refusal(url + "/absent") == url + "/absent: The requested URL returned error: 404");
  CHECK(refusal(url + "/broken") == url + "/broken: The requested URL returned error: 500");
  CHECK(refusal(url + "/short") == url + "/short: transfer closed with 91 bytes remaining to read");
  CHECK(refusal(url + "/no-answer") == url + "/no-answer: Empty reply from server");
  CHECK(refusal(url + "/loop") == url + "/loop: Maximum (10) redirects followed");
  CHECK(refusal(url + "/file").find("Protocol \"file\" not supported or disabled in libcurl") !=
        std::string::npos);
}

TEST_CASE("io download: more bytes than allowed are refused") {
  const HttpServer server(answer);
  const std::string url = server.url() + "/large";
  CHECK(refusal(url, {.max_size = 299999}) == url + ": more than 299999 bytes");
  CHECK(refusal(url, {.max_size = 300000}) == "accepted");
}

TEST_CASE("io download: no server, no such scheme") {
  std::string url;
  { url = HttpServer(answer).url(); }
  CHECK(refusal(url + "/small").find("Failed to connect to 127.0.0.1 port ") != std::string::npos);
  CHECK(refusal("ftp://127.0.0.1/x") ==
        "ftp://127.0.0.1/x: Protocol \"ftp\" not supported or disabled in libcurl");
  CHECK(refusal("file:///etc/passwd") ==
        "file:///etc/passwd: Protocol \"file\" not supported or disabled in libcurl");
}
