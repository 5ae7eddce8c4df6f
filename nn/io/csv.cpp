// Writing tables as CSV text.
#include "nn/io/csv.h"

#include "tensor/error.h"

#include <fmt/format.h>

namespace milgrad::io {

namespace {

std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string result = "\"";
  for (const char letter : text) {
    if (letter == '"') result += '"';
    result += letter;
  }
  return result + '"';
}

std::string cell_text(const CsvCell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell)) return quoted(*text);
  if (const auto* whole = std::get_if<std::int64_t>(&cell)) return fmt::format("{}", *whole);
  // For float the shortest text is shorter than that of the same value as double.
  if (const auto* single = std::get_if<float>(&cell)) return fmt::format("{}", *single);
  return fmt::format("{}", std::get<double>(cell));
}

}  // namespace

CsvTable::CsvTable(std::vector<std::string> columns) : columns_(columns.size()) {
  add_row({columns.begin(), columns.end()});
}

void CsvTable::add_row(const std::vector<CsvCell>& cells) {
  if (cells.size() != columns_) {
    throw ValueError(fmt::format("[csv] a row of {} cells; expected {}", cells.size(), columns_));
  }
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (i > 0) text_ += ',';
    text_ += cell_text(cells[i]);
  }
  text_ += '\n';
}

void CsvTable::write(const std::filesystem::path& path) const { write_file(path, text_); }

}  // namespace milgrad::io
