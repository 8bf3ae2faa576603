"""What is written down is true: pages derive from the code, and README's examples run.

`python -m tests.test_docs` writes the pages anew.
"""

import os
import re
import shlex
from pathlib import Path

import pytest

from pipeline.cli import main
from pipeline.config import keys
from pipeline.query import DERIVED
from schemas.tables import TABLES
from tests.command import PROJECT, newsbeam
from tests.plain import plain_config, plain_run
from transforms.formats import FORMATS
from transforms.formats.fields import LISTS, TEXTS

README = (PROJECT / "README.md").read_text("utf-8")


def tables_page() -> str:
    """Every column of every table, and the views."""
    lines = [
        "# Tables",
        "",
        "Made from `schemas/records.py`; each file carries the meanings as field metadata too.",
        "",
    ]
    for table in TABLES.values():
        folders = "/".join(f"{name}=…" for name in table.partitions)
        lines += [f"## {table.name}", "", f"One row per {table.one_row_per}. Folders: `{folders}`.", ""]
        lines += ["| column | type | meaning |", "|---|---|---|"]
        for column in (*table.columns, *table.partition_columns):
            place = " (from the folder's name)" if column.name in table.partitions else ""
            lines.append(f"| {column.name} | {_type(str(column.type))} | {column.meaning}{place} |")
            inner = column.type.value_type if str(column.type).startswith("list<item: struct") else None
            for field in inner or ():
                lines.append(f"| {column.name}[].{field.name} | {field.type} | {field.metadata[b'meaning'].decode()} |")
        lines.append("")
    lines += [
        "## Views",
        "",
        "`newsbeam query` has these too; rows are never rewritten, so what changes later is a view.",
        "",
    ]
    for name, sql in DERIVED.items():
        lines += [f"### {name}", "", "```sql", sql, "```", ""]
    return "\n".join(lines)


def _type(name: str) -> str:
    return re.sub(r"list<item: struct<.*>>", "list of records", name).replace("list<item: ", "list<")


def configuration_page() -> str:
    """Every key."""
    lines = ["# Configuration", "", "One YAML file; `newsbeam config init` prints one. Unknown keys are refused.", ""]
    lines += ["| key | default | meaning |", "|---|---|---|"]
    for key, (meaning, default) in keys().items():
        shown = list(default) if isinstance(default, tuple) else default
        lines.append(f"| `{key}` | `{shown}` | {meaning} |")
    return "\n".join([*lines, ""])


def formats_page() -> str:
    """The page as it stands, with the names of fields as the code has them."""
    lines = ["| field | names |", "|---|---|"]
    lines += [f"| {field} | {', '.join(names)} |" for field, names in (TEXTS | LISTS).items()]
    page = (PROJECT / "docs/formats.md").read_text("utf-8")
    table = "\n".join(lines)
    return re.sub(r"(?<=<!-- names -->\n).*?(?=<!-- end of names -->)", f"\n{table}\n\n", page, flags=re.DOTALL)


PAGES = {"tables.md": tables_page, "configuration.md": configuration_page, "formats.md": formats_page}


@pytest.mark.parametrize("name", PAGES)
def test_pages_say_what_the_code_says(name: str) -> None:
    assert (PROJECT / "docs" / name).read_text("utf-8") == PAGES[name](), "python -m tests.test_docs writes it anew"


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a warehouse named `tables`, as in the README."""
    folder = tmp_path_factory.mktemp("readme")
    plain_run(plain_config(PROJECT, folder / "tables", "seeds/*.txt*", "seeds/*.jsonl*"))
    return folder


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_readme_reads_the_tables(code: str, tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tables)
    exec(code, {})


@pytest.mark.parametrize(
    "command", re.findall(r"^newsbeam (.*)$", "\n".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL)), re.M)
)
def test_readme_commands_run(command: str, tables: Path) -> None:
    assert newsbeam(*shlex.split(command), cwd=tables).stdout


def test_readme_names_every_command() -> None:
    assert all(f"newsbeam {name} " in README for name in main.commands)


def test_every_format_and_what_can_go_wrong_is_told() -> None:
    page = (PROJECT / "docs/formats.md").read_text("utf-8")
    sources = [
        *PROJECT.glob("transforms/formats/*.py"),
        PROJECT / "transforms/archives.py",
        PROJECT / "pipeline/cutting.py",
    ]
    named = {
        name for path in sources for name in re.findall(r'(?:Problem|Unusable)\(\s*"(\w+)"', path.read_text("utf-8"))
    }
    assert len(named) > 12
    missing = {f"`{name}`" for name in named} | {f"[{form.name}](#" for form in FORMATS if form.name != "jsonl"}
    assert {name for name in missing if name not in page} == set()


def test_fingerprints_are_made_in_a_pipeline_of_ones_own(capfd: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (PROJECT / "docs/copies.md").read_text("utf-8"), re.DOTALL)
    exec(code, {})
    assert "will be closed on Monday" in capfd.readouterr().out


def test_links_lead_somewhere() -> None:
    for page in (*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md")):
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), (page.name, target)


if __name__ == "__main__":
    os.makedirs(PROJECT / "docs", exist_ok=True)
    for page_name, page in PAGES.items():
        (PROJECT / "docs" / page_name).write_text(page(), "utf-8")
