// Tables as CSV text (RFC 4180, lines ended by "\n"), such as a training history or predictions.
#pragma once

#include "nn/io/file.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <variant>
#include <vector>

namespace milgrad::io {

/// A number is written as the shortest text that reads back as the same value.
using CsvCell = std::variant<std::int64_t, float, double, std::string>;

/// A table that is held in memory and written whole.
class CsvTable {
 public:
  explicit CsvTable(std::vector<std::string> columns);

  /// Throws ValueError unless there is one cell for each column.
  void add_row(const std::vector<CsvCell>& cells);

  /// The header line and a line for each row. Cells that hold a comma, a quote or a line break are
  /// quoted.
  const std::string& text() const { return text_; }

  /// text() written by write_file.
  void write(const std::filesystem::path& path) const;

 private:
  std::size_t columns_;
  std::string text_;
};

}  // namespace milgrad::io
