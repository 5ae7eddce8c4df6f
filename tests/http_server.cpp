// A web server for tests: one thread, one connection after the other.
#include "tests/http_server.h"

#include <array>
#include <cstdlib>
#include <stdexcept>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace milgrad::test {

namespace {

std::string read_request(int connection) {
  std::string request;
  std::array<char, 4096> buffer;
  while (request.find("\r\n\r\n") == std::string::npos) {
    const ssize_t count = ::recv(connection, buffer.data(), buffer.size(), 0);
    if (count <= 0) break;
    request.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return request;
}

void send_all(int connection, const std::string& bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    // The client may close early; that is no signal to this process.
    const ssize_t count =
        ::send(connection, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
    if (count <= 0) return;
    done += static_cast<std::size_t>(count);
  }
}

// The second word of "GET /path HTTP/1.1".
std::string path_of(const std::string& request) {
  const std::size_t begin = request.find(' ') + 1;
  return request.substr(begin, request.find(' ', begin) - begin);
}

}  // namespace

std::string http_response(const std::string& status, const std::string& body,
                          const std::string& more_headers) {
  return fmt::format("HTTP/1.1 {}\r\nContent-Length: {}\r\nConnection: close\r\n{}\r\n{}", status,
                     body.size(), more_headers, body);
}

HttpServer::HttpServer(std::function<std::string(const std::string&)> answer)
    : answer_(std::move(answer)), socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* general = reinterpret_cast<sockaddr*>(&address);
  if (::bind(socket_, general, size) != 0 || ::listen(socket_, 16) != 0 ||
      ::getsockname(socket_, general, &size) != 0) {
    ::close(socket_);
    throw std::runtime_error("no port on 127.0.0.1 for the test's web server");
  }
  // A proxy of the environment cannot reach this server.
  ::setenv("no_proxy", "127.0.0.1", 1);
  url_ = fmt::format("http://127.0.0.1:{}", ntohs(address.sin_port));
  thread_ = std::thread([this] { serve(); });
}

HttpServer::~HttpServer() {
  ::shutdown(socket_, SHUT_RDWR);
  thread_.join();
  ::close(socket_);
}

void HttpServer::serve() {
  for (;;) {
    const int connection = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) return;
    const std::string request = read_request(connection);
    if (!request.empty()) send_all(connection, answer_(path_of(request)));
    ::close(connection);
  }
}

}  // namespace milgrad::test
