"""The documents: programs, tables, flags and links in them agree with the repository."""

import json
import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = ["train", "predict", "evaluate", "plot", "summary", "data fetch", "data inspect", "info"]


def program(name):
    path = ROOT / "build" / name
    if not path.is_file():
        raise unittest.SkipTest(f"build/{name} is not built")
    return path


def output(name, *arguments):
    run = subprocess.run([program(name), *arguments], capture_output=True, text=True, check=True)
    return run.stdout


def blocks(page, language):
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.M | re.S)


def prose(page):
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.M | re.S)


def cells_of_first_column(text):
    """What stands in backticks in the first cells of the tables."""
    cells = re.findall(r"^\| (`.+?) \|", text, re.M)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def section(page, title):
    match = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", page.read_text(), re.M | re.S)
    assert match, f"{page} has no section {title}"
    return match.group(1)


def registry_groups():
    """The registry's operations as a Markdown table, a row for each comment that heads a group."""
    rows = ["| kind | operations |", "| --- | --- |"]
    for group in (ROOT / "tensor/ops.def").read_text().split("\n\n"):
        names = re.findall(r"^(?:OP|UNARY|BINARY|COMPARISON)\((\w+)\)$", group, re.M)
        if names:
            kind = re.match(r"// ([^:\n]+)", group).group(1)
            rows.append(f"| {kind} | {' '.join(f'`{name}`' for name in names)} |")
    return "\n".join(rows) + "\n"


def key_paths(value, path=""):
    """The keys of nested objects, as a.b.c; of a list, those of its first element."""
    if isinstance(value, list):
        return key_paths(value[0], path + "[]") if value and isinstance(value[0], dict) else {path}
    if not isinstance(value, dict):
        return {path}
    return {p for key in value for p in key_paths(value[key], f"{path}.{key}" if path else key)}


class Documents(unittest.TestCase):
    def test_the_program_in_the_readme_is_the_example(self):
        self.assertEqual(
            blocks(ROOT / "README.md", "cpp"), [(ROOT / "examples/quickstart.cpp").read_text()])

    def test_the_table_of_operations_is_that_of_the_registry(self):
        self.assertEqual(
            (ROOT / "docs/ops.md").read_text(), output("milgrad_tests", "--list-op-table"),
            "run: build/milgrad_tests --list-op-table > docs/ops.md")

    def test_the_page_of_a_step_has_the_graphs_that_the_library_prints(self):
        self.assertEqual(
            (ROOT / "docs/how-a-step-runs.md").read_text(),
            output("milgrad_tests", "--list-how-a-step-runs"),
            "run: build/milgrad_tests --list-how-a-step-runs > docs/how-a-step-runs.md")

    def test_the_readme_names_the_operations_by_the_groups_of_the_registry(self):
        table = registry_groups()
        self.assertEqual(re.findall(r"`(\w+)`", table), output("milgrad_tests", "--list-ops").split())
        self.assertTrue(table in (ROOT / "README.md").read_text(), f"README.md lacks\n{table}")

    def test_links_lead_somewhere(self):
        for page in PAGES:
            for target in re.findall(r'(?:\]\(|src=")(?!https?:)([^)"#\s]+)', prose(page)):
                with self.subTest(page=page.name, target=target):
                    self.assertTrue((page.parent / target).exists())

    def test_every_flag_of_mil_is_described_and_no_other(self):
        helps = [output("mil", *command.split(), "--help") for command in COMMANDS]
        flags = {flag for text in helps for flag in re.findall(r"^ .{0,5}(--\S+)", text, re.M)}
        described = {cell.split()[0] for cell in
                     cells_of_first_column(section(ROOT / "docs/mil.md", "Flags"))
                     if cell.startswith("--")}
        self.assertEqual(described, {flag.strip(",") for flag in flags})

    def test_the_guidelines_are_all_there_and_name_tests_that_exist(self):
        rows = re.findall(r"^\| (?!\*\*|---|guideline)(.+)$", (ROOT / "docs/clig.md").read_text(), re.M)
        self.assertEqual(len(rows), 96)
        cases = output("milgrad_tests", "--list-test-cases").splitlines()
        named = {name for row in rows for name in re.findall(r"`((?:mil|io|data) [^`]*: [^`]*)`", row)}
        self.assertGreater(len(named), 15)
        self.assertEqual(named - set(cases), set())

    def test_every_key_of_metrics_json_is_described_and_no_other(self):
        data = Path(os.environ.get("MILGRAD_TEST_DATA", "")) / "mnist"
        if "MILGRAD_TEST_DATA" not in os.environ or not data.is_dir():
            self.skipTest("MILGRAD_TEST_DATA names no folder with mnist")
        with tempfile.TemporaryDirectory() as folder:
            output("mil", "train", "--data-dir", data, "--out", folder, "--epochs", "2",
                   "--train-bags", "40", "--validation-bags", "40", "--test-bags", "40",
                   "--dense", "8", "--attention-dim", "8", "--patience", "1", "--quiet")
            metrics = json.loads((Path(folder) / "metrics.json").read_text())
        described = cells_of_first_column(section(ROOT / "docs/mil.md", "metrics.json"))
        for path in key_paths(metrics):
            covered = any(path == cell or path.startswith(cell + ".") for cell in described)
            self.assertTrue(covered, f"docs/mil.md does not describe {path}")
        for cell in described:
            found = any(path == cell or path.startswith(cell + ".") for path in key_paths(metrics))
            self.assertTrue(found, f"metrics.json has no {cell}")


if __name__ == "__main__":
    unittest.main()
