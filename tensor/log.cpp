// Topics of MILGRAD_LOG.
#include "tensor/log.h"

#include <cstdlib>
#include <iostream>

namespace milgrad {

bool log_wanted(std::string_view topic) {
  const char* given = std::getenv("MILGRAD_LOG");
  std::string_view rest = given == nullptr ? "" : given;
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    if (rest.substr(0, comma) == topic) return true;
    rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
  }
  return false;
}

void log_line(std::string_view topic, const std::string& text) {
  std::cerr << "[" + std::string(topic) + "] " + text + "\n" << std::flush;
}

}  // namespace milgrad
