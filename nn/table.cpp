// Wrapping, aligning and drawing.
#include "nn/table.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace milgrad::nn {
namespace {

constexpr std::size_t kPadding = 2;  // a blank on either side of a cell

bool continues_code_point(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

std::string escape_codes(TextStyle style) {
  std::string codes;
  if (style.bold) codes += "1";
  if (style.colour != 0) codes += fmt::format("{}38;5;{}", codes.empty() ? "" : ";", style.colour);
  return codes;
}

/// A word and the blanks behind it.
struct Word {
  std::size_t first;
  std::size_t end;         // of the word itself
  std::size_t with_space;  // of the blanks behind it
};

std::vector<Word> words_of(const StyledText& text) {
  std::vector<Word> words;
  std::size_t at = 0;
  while (at < text.width()) {
    Word word{at, at, at};
    while (word.end < text.width() && text.is_blank(word.end)) ++word.end;
    while (word.end < text.width() && !text.is_blank(word.end)) ++word.end;
    word.with_space = word.end;
    while (word.with_space < text.width() && text.is_blank(word.with_space)) ++word.with_space;
    words.push_back(word);
    at = word.with_space;
  }
  return words;
}

/// Where lines begin, except for the first; a word longer than a line has one of its own.
std::vector<std::size_t> break_positions(const StyledText& text, std::size_t width) {
  std::vector<std::size_t> breaks;
  std::size_t used = 0;
  for (const Word& word : words_of(text)) {
    const std::size_t length = word.end - word.first;
    const std::size_t full = word.with_space - word.first;
    if (used + length <= width) {
      used += full;
    } else {
      if (word.first > 0) breaks.push_back(word.first);
      used = full;
    }
  }
  return breaks;
}

StyledText without_trailing_blanks(const StyledText& text) {
  std::size_t end = text.width();
  while (end > 0 && text.is_blank(end - 1)) --end;
  return text.part(0, end);
}

StyledText shortened(const StyledText& text, std::size_t width) {
  if (text.width() <= width) return text;
  return text.part(0, width - std::min<std::size_t>(width, 1)).append("…");
}

StyledText aligned(const StyledText& text, const TableColumn& column) {
  const StyledText stripped = shortened(without_trailing_blanks(text), column.width);
  const std::size_t blanks = column.width - std::min(column.width, stripped.width());
  std::size_t before = 0;
  if (column.align == TableColumn::Align::right) before = blanks;
  if (column.align == TableColumn::Align::centre) before = blanks / 2;
  StyledText result(std::string(before, ' '));
  result.append(stripped).append(std::string(blanks - before, ' '));
  return result;
}

struct Border {
  const char* left;
  const char* line;
  const char* cross;
  const char* right;
};

std::string draw_border(const std::vector<TableColumn>& columns, const Border& border) {
  std::string text = border.left;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (i > 0) text += border.cross;
    for (std::size_t k = 0; k < columns[i].width + kPadding; ++k) text += border.line;
  }
  return text + border.right + "\n";
}

std::string draw_row(const std::vector<TableColumn>& columns, const std::vector<StyledText>& cells,
                     const char* bar, bool colour) {
  std::vector<std::vector<StyledText>> lines;
  std::size_t height = 1;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    lines.push_back(wrap_text(cells[i], columns[i].width));
    height = std::max(height, lines.back().size());
  }
  std::string text;
  for (std::size_t k = 0; k < height; ++k) {
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const StyledText line = k < lines[i].size() ? lines[i][k] : StyledText();
      text += fmt::format("{} {} ", bar, aligned(line, columns[i]).render(colour));
    }
    text += fmt::format("{}\n", bar);
  }
  return text;
}

}  // namespace

StyledText& StyledText::append(std::string_view text, TextStyle style) {
  for (char byte : text) {
    if (continues_code_point(byte) && !characters_.empty())
      characters_.back().bytes += byte;
    else
      characters_.push_back({std::string(1, byte), style});
  }
  return *this;
}

StyledText& StyledText::append(const StyledText& other) {
  characters_.insert(characters_.end(), other.characters_.begin(), other.characters_.end());
  return *this;
}

StyledText StyledText::part(std::size_t first, std::size_t last) const {
  StyledText result;
  result.characters_.assign(characters_.begin() + static_cast<std::ptrdiff_t>(first),
                            characters_.begin() + static_cast<std::ptrdiff_t>(last));
  return result;
}

std::string StyledText::render(bool colour) const {
  std::string text;
  TextStyle current;
  for (const Character& character : characters_) {
    if (colour && !(character.style == current)) {
      if (!(current == TextStyle{})) text += "\x1b[0m";
      current = character.style;
      if (!(current == TextStyle{})) text += "\x1b[" + escape_codes(current) + "m";
    }
    text += character.bytes;
  }
  if (!(current == TextStyle{})) text += "\x1b[0m";
  return text;
}

std::vector<StyledText> wrap_text(const StyledText& text, std::size_t width) {
  std::vector<StyledText> lines;
  std::size_t first = 0;
  for (std::size_t next : break_positions(text, width)) {
    lines.push_back(without_trailing_blanks(text.part(first, next)));
    first = next;
  }
  lines.push_back(without_trailing_blanks(text.part(first, text.width())));
  return lines;
}

void fit_columns(std::vector<TableColumn>& columns, std::size_t table_width) {
  const std::size_t borders = columns.size() + 1;
  std::size_t total = borders;
  for (const TableColumn& column : columns) total += column.width + kPadding;
  std::size_t excess = total - std::min(total, table_width);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const double share = static_cast<double>(excess) / static_cast<double>(columns.size() - i);
    const auto taken = std::min(columns[i].width, static_cast<std::size_t>(std::nearbyint(share)));
    columns[i].width -= taken;
    excess -= taken;
  }
}

std::string render_table(const std::vector<TableColumn>& columns,
                         const std::vector<std::vector<StyledText>>& rows, bool colour) {
  std::vector<StyledText> titles;
  for (const TableColumn& column : columns)
    titles.emplace_back(column.title, TextStyle{.bold = true});
  std::string text = draw_border(columns, {"┏", "━", "┳", "┓"});
  text += draw_row(columns, titles, "┃", colour);
  text += draw_border(columns, {"┡", "━", "╇", "┩"});
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i > 0) text += draw_border(columns, {"├", "─", "┼", "┤"});
    text += draw_row(columns, rows[i], "│", colour);
  }
  return text + draw_border(columns, {"└", "─", "┴", "┘"});
}

}  // namespace milgrad::nn
