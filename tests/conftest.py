"""Options and folders that several tests share."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.warehouses import build

if TYPE_CHECKING:
    from spacy.language import Language

    from transforms.decoder import FastNer

ENGINE_LIMITS = {False: 600, True: 3000}
"""Seconds that a test on an engine may take, and one of the soak."""
SHARED = Path(__file__).resolve().parents[2] / "shared"

# A busy machine is no failure of what is tested.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="let the random tests run for long")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """An engine that hangs costs one test its time, and not all of them."""
    limit = pytest.mark.timeout(ENGINE_LIMITS[config.getoption("--soak")])
    for item in items:
        if item.get_closest_marker("engines") and not item.get_closest_marker("timeout"):
            item.add_marker(limit)


@pytest.fixture(scope="module")
def nlp() -> "Language":
    """The default model, as names need it."""
    import spacy

    from tests.decoding import MODEL, OTHERS

    return spacy.load(MODEL, exclude=OTHERS)


@pytest.fixture(scope="module")
def fast(nlp: "Language") -> "FastNer":
    """The fast decoder of the same."""
    from transforms.decoder import FastNer

    return FastNer(nlp)


@pytest.fixture
def soak(request: pytest.FixtureRequest) -> None:
    """For tests that only `make soak` has the time for."""
    if not request.config.getoption("--soak"):
        pytest.skip("only in `make soak`")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real test material; tests that need it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("the folder of shared test material is absent")
    return SHARED


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse of several batches, made by hand."""
    return build(tmp_path_factory.mktemp("plain") / "warehouse")


@pytest.fixture(scope="module")
def folded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, with the first batches in a snapshot."""
    return build(tmp_path_factory.mktemp("folded") / "warehouse", folded=True)
