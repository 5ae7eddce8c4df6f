// Tables of text drawn with box characters, as the Python library rich lays out Keras's summaries.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace milgrad::nn {

/// How a character looks on a terminal.
struct TextStyle {
  bool bold = false;
  std::uint8_t colour = 0;  // of the 256-colour palette; 0: the terminal's own
  bool operator==(const TextStyle&) const = default;
};

/// Text whose characters (UTF-8 code points, each one column wide) have styles.
class StyledText {
 public:
  StyledText() = default;
  StyledText(std::string_view text, TextStyle style = {}) { append(text, style); }  // NOLINT
  StyledText& append(std::string_view text, TextStyle style = {});
  StyledText& append(const StyledText& other);

  std::size_t width() const { return characters_.size(); }
  bool is_blank(std::size_t at) const { return characters_[at].bytes == " "; }
  StyledText part(std::size_t first, std::size_t last) const;
  /// With ANSI escape codes where `colour`, else plain.
  std::string render(bool colour) const;

 private:
  struct Character {
    std::string bytes;
    TextStyle style;
  };
  std::vector<Character> characters_;
};

struct TableColumn {
  enum class Align { left, right, centre };
  std::string title;
  Align align = Align::left;
  std::size_t width = 0;  // of the text; the column has a blank on either side
};

/// Lines of at most `width` characters, broken at blanks; a longer word is a longer line.
std::vector<StyledText> wrap_text(const StyledText& text, std::size_t width);

/// Column widths whose table is `table_width` wide: what the given ones (each with two blanks, and
/// the borders) have too much is taken off in turn.
void fit_columns(std::vector<TableColumn>& columns, std::size_t table_width);

/// The table, a line between any two rows, each line ended by a newline. What is too long for its
/// column ends in "…".
std::string render_table(const std::vector<TableColumn>& columns,
                         const std::vector<std::vector<StyledText>>& rows, bool colour);

}  // namespace milgrad::nn
