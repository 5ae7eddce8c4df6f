// CSVLogger: rows as Python's csv module writes them.
#include "nn/callbacks/csv_logger.h"

#include "nn/io/file.h"

#include <algorithm>
#include <utility>

namespace milgrad::nn {
namespace {

constexpr std::string_view kLineEnd = "\r\n";

std::string quoted(const std::string& cell, char separator) {
  if (cell.find_first_of("\"\r\n") == std::string::npos &&
      cell.find(separator) == std::string::npos)
    return cell;
  std::string text = "\"";
  for (const char c : cell) text += c == '"' ? "\"\"" : std::string(1, c);
  return text + '"';
}

std::vector<std::string> columns_of(const Logs& logs) {
  std::vector<std::string> names;
  for (const auto& [name, value] : logs.sorted()) names.push_back(name);
  const bool validated = std::any_of(names.begin(), names.end(),
                                     [](const auto& name) { return name.starts_with("val_"); });
  const std::size_t count = names.size();
  for (std::size_t i = 0; !validated && i < count; ++i) names.push_back("val_" + names[i]);
  return names;
}

std::string existing_table(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) return {};
  const io::Bytes bytes = io::read_file(path);
  std::string text(bytes.begin(), bytes.end());
  if (!text.empty() && text.back() != '\n') text += kLineEnd;
  return text;
}

}  // namespace

CsvLoggerCallback::CsvLoggerCallback(std::filesystem::path path, const CsvLoggerOptions& options)
    : path_(std::move(path)), options_(options) {}

void CsvLoggerCallback::on_train_begin() {
  names_.clear();
  table_ = options_.append ? existing_table(path_) : std::string();
}

std::string CsvLoggerCallback::row(int epoch, const Logs& logs) const {
  std::string text = std::to_string(epoch);
  for (const std::string& name : names_) {
    const auto value = logs.find(name);
    text += options_.separator + (value ? number_text(*value) : "NA");
  }
  return text.append(kLineEnd);
}

void CsvLoggerCallback::on_epoch_end(int epoch, Logs& logs) {
  if (names_.empty()) {
    names_ = columns_of(logs);
    if (table_.empty()) {
      table_ = "epoch";
      for (const std::string& name : names_)
        table_ += options_.separator + quoted(name, options_.separator);
      table_ += kLineEnd;
    }
  }
  table_ += row(epoch, logs);
  io::write_file(path_, table_);
}

std::shared_ptr<CsvLoggerCallback> CSVLogger(const std::filesystem::path& path,
                                             const CsvLoggerOptions& options) {
  return std::make_shared<CsvLoggerCallback>(path, options);
}

}  // namespace milgrad::nn
