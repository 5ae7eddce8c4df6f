// Files from the network, into memory.
#pragma once

#include "nn/io/file.h"

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>

namespace milgrad::io {

struct DownloadOptions {
  /// More bytes than this are refused.
  std::size_t max_size = std::size_t{1} << 30;
  std::chrono::milliseconds connect_timeout{5000};
  /// The transfer is given up after so long without a byte.
  std::chrono::seconds stall_timeout{30};
  /// Called now and then with the bytes received and the total (0 where the server does not say);
  /// false gives the transfer up.
  std::function<bool(std::size_t received, std::size_t total)> progress = {};
};

/// The content behind an http or https URL; redirects are followed (to http and https only), https
/// certificates are checked, proxies are taken from the environment as curl does. Throws
/// NotFoundError with the URL and the reason: no such host, refused, timed out, an HTTP status of
/// 400 or above, a transfer that ends early, too many bytes.
Bytes download(const std::string& url, const DownloadOptions& options = {});

}  // namespace milgrad::io
