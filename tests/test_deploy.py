"""The deploy recipes are what their own parsers accept, and call newsbeam in ways that exist."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest
import yaml

from pipeline.cli import main
from pipeline.config import Config
from tests.command import PROJECT

DEPLOY = PROJECT / "docs/deploy"
ALL = sorted(DEPLOY.iterdir())


def words_of(path: Path) -> list[str]:
    """The arguments of each call of newsbeam in a recipe, as text."""
    text = path.read_text("utf-8")
    calls = re.findall(r"(?:bin/newsbeam|\[newsbeam,) ([^\n>|\]]+)", text)
    return [call.replace(",", " ") for call in calls]


@pytest.mark.parametrize("path", [path for path in ALL if words_of(path)], ids=lambda path: path.name)
def test_commands_exist(path: Path) -> None:
    for call in words_of(path):
        name, *arguments = shlex.split(call)
        main.commands[name].make_context(name, arguments, parent=click.Context(main), resilient_parsing=False)


@pytest.mark.parametrize("path", sorted(DEPLOY.glob("*.yaml")), ids=lambda path: path.name)
def test_kubernetes_objects_are_whole(path: Path) -> None:
    for document in yaml.safe_load_all(path.read_text("utf-8")):
        assert document["apiVersion"] and document["kind"] and document["metadata"]["name"]
        if document["kind"] == "ConfigMap":
            Config.model_validate(yaml.safe_load(document["data"]["news.yaml"]))


def test_units_are_accepted_by_systemd(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is absent")
    units = []
    for path in sorted(DEPLOY.glob("newsbeam-*")):
        text = path.read_text("utf-8").replace("/opt/newsbeam/bin/newsbeam", "/bin/true").replace("User=newsbeam", "")
        (tmp_path / path.name).write_text(text)
        units.append(str(tmp_path / path.name))
    result = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True)
    assert result.returncode == 0 and "newsbeam" not in result.stderr, result.stderr


SECTIONS = {
    ".service": {"Unit", "Service", "Install"},
    ".timer": {"Unit", "Timer", "Install"},
}


@pytest.mark.parametrize("path", sorted(DEPLOY.glob("newsbeam-*")), ids=lambda path: path.name)
def test_units_are_well_formed(path: Path) -> None:
    """What can be seen without systemd: known sections, keys with values."""
    lines = [line for line in path.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    sections = {line[1:-1] for line in lines if line.startswith("[")}
    assert sections <= SECTIONS[path.suffix]
    assert all(line.startswith("[") or re.fullmatch(r"[A-Z]\w+=.+", line) for line in lines)


def test_the_crontab_is_well_formed() -> None:
    lines = [line for line in (DEPLOY / "crontab").read_text("utf-8").splitlines() if line[:1] != "#" and line]
    for line in lines:
        assert re.fullmatch(r"[A-Z]+=\S+|((\*(/\d+)?|\d+) ){5}[a-z]+ /\S+ .+", line), line
        assert "%" not in line  # which ends a command there
