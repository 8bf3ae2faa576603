"""Options and folders that several tests share."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="run the long tests too, and the short ones for longer")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--soak"):
        for item in items:
            if "soak" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="long: make soak runs it"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real test material; tests that need it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("the folder of shared test material is absent")
    return SHARED
