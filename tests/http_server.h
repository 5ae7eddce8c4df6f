// A web server on this machine for one test, which answers what the test tells it to.
#pragma once

#include <functional>
#include <string>
#include <thread>

namespace milgrad::test {

/// A whole HTTP response with that status line ("200 OK") and body.
std::string http_response(const std::string& status, const std::string& body,
                          const std::string& more_headers = {});

/// Listens on a free port of 127.0.0.1 until it is destroyed. Each connection gets the bytes that
/// `answer` gives for the path of its request ("/a/b") and is closed then.
class HttpServer {
 public:
  explicit HttpServer(std::function<std::string(const std::string& path)> answer);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// "http://127.0.0.1:PORT"
  const std::string& url() const { return url_; }

 private:
  void serve();

  std::function<std::string(const std::string&)> answer_;
  int socket_ = -1;
  std::string url_;
  std::thread thread_;
};

}  // namespace milgrad::test
