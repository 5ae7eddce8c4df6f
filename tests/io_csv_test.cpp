// CSV tables: numbers that read back exactly, quoting, writing.
#include "nn/io/csv.h"
#include "tensor/error.h"
#include "tests/support.h"

#include <cmath>
#include <limits>

#include <doctest/doctest.h>

using milgrad::io::CsvTable;

TEST_CASE("io csv: numbers are the shortest texts that read back") {
  CsvTable table({"epoch", "loss", "double", "note"});
  table.add_row({std::int64_t{1}, 0.1f, 0.1, "ok"});
  table.add_row({std::int64_t{-9007199254740993}, 1.0f / 3, 1.0 / 3, ""});
  table.add_row({std::int64_t{0}, 2.0f, 1e300, std::string("x")});
  table.add_row({std::int64_t{0}, std::numeric_limits<float>::quiet_NaN(),
                 -std::numeric_limits<double>::infinity(), ""});
  CHECK(table.text() ==
        "epoch,loss,double,note\n"
        "1,0.1,0.1,ok\n"
        "-9007199254740993,0.33333334,0.3333333333333333,\n"
        "0,2,1e+300,x\n"
        "0,nan,-inf,\n");
}

TEST_CASE("io csv: commas, quotes and line breaks are quoted") {
  CsvTable table({"a,b", "c"});
  table.add_row({"say \"x\"", "two\nlines"});
  CHECK(table.text() == "\"a,b\",c\n\"say \"\"x\"\"\",\"two\nlines\"\n");
}

TEST_CASE("io csv: a row of another length is an error") {
  CsvTable table({"a", "b"});
  CHECK_THROWS_WITH_AS(table.add_row({"1"}), "[csv] a row of 1 cells; expected 2",
                       milgrad::ValueError);
}

TEST_CASE("io csv: the table is written whole") {
  const milgrad::test::TemporaryDirectory folder;
  CsvTable table({"a"});
  for (int row = 0; row < 3; ++row) {
    table.add_row({std::int64_t{row}});
    table.write(folder / "t.csv");
  }
  CHECK(milgrad::test::read_file(folder / "t.csv") == "a\n0\n1\n2\n");
}
