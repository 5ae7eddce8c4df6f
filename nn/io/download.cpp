// Downloads through libcurl.
#include "nn/io/download.h"

#include "tensor/error.h"

#include <array>
#include <memory>

#include <curl/curl.h>
#include <fmt/format.h>

namespace milgrad::io {

namespace {

constexpr long kMostRedirects = 10;

struct Transfer {
  const DownloadOptions& options;
  Bytes bytes;
  bool too_large = false;
};

extern "C" std::size_t receive(char* data, std::size_t size, std::size_t count, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  const std::size_t received = size * count;
  if (received > transfer.options.max_size - transfer.bytes.size()) {
    transfer.too_large = true;
    return 0;
  }
  try {
    transfer.bytes.insert(transfer.bytes.end(), data, data + received);
  } catch (...) {
    return 0;
  }
  return received;
}

// A result other than 0 gives the transfer up.
extern "C" int report(void* context, curl_off_t total, curl_off_t received, curl_off_t,
                      curl_off_t) {
  const auto& progress = static_cast<Transfer*>(context)->options.progress;
  try {
    const bool go_on =
        !progress || progress(static_cast<std::size_t>(received), static_cast<std::size_t>(total));
    return go_on ? 0 : 1;
  } catch (...) {
    return 1;
  }
}

// Once for the process, before the first transfer.
void start_libcurl() {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (started != CURLE_OK) throw Error("[download] libcurl cannot be started");
}

void configure(CURL* curl, const std::string& url, Transfer& transfer, char* error) {
  const DownloadOptions& options = transfer.options;
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, kMostRedirects);
  curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
  // Signals would be sent to the whole program.
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "milgrad/" MILGRAD_VERSION);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(options.connect_timeout.count()));
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, static_cast<long>(options.stall_timeout.count()));
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, report);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &transfer);
}

}  // namespace

Bytes download(const std::string& url, const DownloadOptions& options) {
  start_libcurl();
  const std::unique_ptr<CURL, void (*)(CURL*)> curl(curl_easy_init(), curl_easy_cleanup);
  if (!curl) throw Error("[download] libcurl has no memory");
  Transfer transfer{options, {}};
  std::array<char, CURL_ERROR_SIZE> error{};
  configure(curl.get(), url, transfer, error.data());
  const CURLcode result = curl_easy_perform(curl.get());
  if (result == CURLE_OK) return std::move(transfer.bytes);
  if (transfer.too_large) {
    throw NotFoundError(url, fmt::format("more than {} bytes", options.max_size));
  }
  throw NotFoundError(url, error[0] != '\0' ? error.data() : curl_easy_strerror(result));
}

}  // namespace milgrad::io
